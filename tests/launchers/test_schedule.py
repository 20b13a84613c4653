"""Which job is started when; the jobs themselves are made up."""

import collections
import contextlib

import pytest

from ls_tf import stopping
from ls_tf.launchers import jobs
from ls_tf.launchers.jobs import Ending, Job, LaunchError
from ls_tf.launchers.scheduling import Schedule
from ls_tf.records import runs
from ls_tf.spec.resolve import resolve, teacher_of

TEACHERS = [resolve("fc_digits", changed={"alpha": a}) for a in (0.0, 0.1)]
STUDENTS = [
    resolve("fc_digits_student", changed={"teacher.changes.alpha": a})
    for a in (0.0, 0.1)
]
HELD = "ls_tf: run directory x is in use by pid 1 on here since then"


class Made:
    """A job that ends as its launcher was told."""

    def __init__(self, launcher, job, log):
        self.launcher, self.job, self.log = launcher, job, str(log)
        self.result = None

    def ending(self):
        return self.result


class Launcher:
    """Ends what was started at each sleep, and keeps the time of all."""

    def __init__(self, folder, places=9):
        self.folder, self.most = folder, places
        self.time = 0.0
        self.started = []  # (time, job's first run's folder)
        self.under_way = []
        self.codes = collections.defaultdict(list)
        self.left = {}  # of a launcher before: folder -> handle
        self.lines = {}
        self.at_sleep = lambda: None
        self.together = 0

    def places(self):
        return self.most

    def start(self, job):
        name = job.runs[0].folder
        self.started.append((self.time, name))
        log = self.folder / f"{len(self.started)}.log"
        handle = Made(self, job, log)
        self.under_way.append(handle)
        self.together = max(self.together, len(self.under_way))
        return handle

    def resumed(self, job):
        return self.left.pop(job.runs[0].folder, None)

    def stop(self, handles):
        return f"{len(handles)} jobs are left alone"

    def sleep(self, seconds):
        self.time += seconds
        self.at_sleep()
        for handle in self.under_way:
            name = handle.job.runs[0].folder
            code = self.codes[name].pop(0) if self.codes[name] else 0
            if code == 0:
                for run in handle.job.runs:
                    finish(self.folder, run)
            line = self.lines.get(name, "ls_tf: what went wrong")
            with open(handle.log, "w") as file:
                file.write(f"{line}\n\n" if code else "")
            handle.result = Ending(code)
        self.under_way = []

    def names(self):
        return [name for _, name in self.started]


def finish(folder, run):
    with runs.opened(str(folder), run) as directory:
        directory.update(outcome="finished")


@pytest.fixture
def launcher(tmp_path):
    return Launcher(tmp_path)


def schedule(launcher, wanted=STUDENTS, retries=2):
    return Schedule(
        jobs.of(wanted),
        launcher,
        str(launcher.folder),
        retries=retries,
        clock=lambda: launcher.time,
        sleep=launcher.sleep,
    )


def test_teachers_are_started_before_their_students(launcher, capsys):
    # The second teacher takes three tries; the other's student need not wait.
    launcher.codes[TEACHERS[1].folder] = [1, -9]
    schedule(launcher).carry_out()
    assert set(launcher.names()) == {r.folder for r in TEACHERS + STUDENTS}
    first = {name: i for i, name in enumerate(launcher.names())}
    assert first[STUDENTS[0].folder] < first[STUDENTS[1].folder]
    last = {name: i for i, name in reversed([*enumerate(launcher.names())])}
    for student in STUDENTS:
        assert last[teacher_of(student).folder] < last[student.folder]
    # 10 s after the first failure, 20 s after the second; looks of 0.5 s.
    times = [t for t, name in launcher.started if name == TEACHERS[1].folder]
    assert times == [0.0, 10.5, 31.0]
    err = capsys.readouterr().err
    assert f"run {TEACHERS[1].title} ended with exit code 1 (log " in err
    assert '"ls_tf: what went wrong"); retry 1 of 2 in 10 s' in err
    assert "was ended by signal 9" in err
    assert "sweep: 0 of 4 runs finished; 2 under way" in err
    assert "sweep: 4 of 4 runs finished, about 0 s left; 0 under" in err


@pytest.mark.parametrize("code", [2, 4])
def test_what_would_fail_again_is_not_tried_again(launcher, code, capsys):
    launcher.codes[TEACHERS[0].folder] = [code]
    with pytest.raises(LaunchError) as caught:
        schedule(launcher).carry_out()
    assert caught.value.code == code
    # The other runs are trained; what it should have taught is not.
    names = [TEACHERS[0], TEACHERS[1], STUDENTS[1]]
    assert launcher.names() == [run.folder for run in names]
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("2 of 4 runs are finished; ")
    assert f"{TEACHERS[0].title} ended with exit code {code} (log " in line
    assert f"{STUDENTS[0].title} waits for {TEACHERS[0].title}, whi" in line
    assert "it is given up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("codes", "code"), [([5] * 4, 5), ([1] * 4, 1), ([-9] * 4, 6)]
)
def test_retries_are_counted(launcher, codes, code):
    launcher.codes[TEACHERS[0].folder] = codes
    with pytest.raises(LaunchError) as caught:
        schedule(launcher, TEACHERS[:1], retries=3).carry_out()
    assert caught.value.code == code
    assert len(launcher.started) == 4


def test_a_stopped_run_goes_on_and_has_not_failed(launcher, capsys):
    launcher.codes[TEACHERS[0].folder] = [3] * 5
    schedule(launcher, TEACHERS[:1], retries=0).carry_out()
    assert len(launcher.started) == 6
    assert "was stopped and goes on" in capsys.readouterr().err


def test_a_job_without_a_record_has_failed(launcher, monkeypatch):
    monkeypatch.setattr("test_schedule.finish", lambda *given: None)
    with pytest.raises(LaunchError, match="left no finished record") as caught:
        schedule(launcher, TEACHERS[:1], retries=1).carry_out()
    assert len(launcher.started) == 2 and caught.value.code == 6


def test_a_run_that_another_process_holds_is_waited_for(launcher, capsys):
    elsewhere = contextlib.ExitStack()
    folder = str(launcher.folder)
    held = elsewhere.enter_context(runs.opened(folder, TEACHERS[0]))

    def at_sleep():
        if launcher.time == 25.0:
            held.update(outcome="finished")
            elsewhere.close()

    launcher.at_sleep = at_sleep
    schedule(launcher).carry_out()
    assert TEACHERS[0].folder not in launcher.names()
    assert launcher.started[-1] == (30.0, STUDENTS[0].folder)
    err = capsys.readouterr().err
    assert err.count("is waited for: run directory") == 1
    assert "is in use by pid" in err


def test_a_run_that_was_let_go_unfinished_is_taken(launcher):
    elsewhere = contextlib.ExitStack()
    elsewhere.enter_context(runs.opened(str(launcher.folder), TEACHERS[0]))
    launcher.at_sleep = elsewhere.close
    schedule(launcher, TEACHERS).carry_out()
    assert sorted(launcher.names()) == sorted(r.folder for r in TEACHERS)


def test_who_was_quicker_is_waited_for(launcher):
    """The lock was taken between the look and the job's own."""
    launcher.codes[TEACHERS[0].folder] = [2]
    launcher.lines[TEACHERS[0].folder] = HELD
    schedule(launcher, TEACHERS[:1], retries=0).carry_out()
    assert len(launcher.started) == 2


def test_no_more_jobs_than_places(launcher):
    launcher.most = 1
    schedule(launcher).carry_out()
    assert launcher.together == 1 and len(launcher.started) == 4


def test_finished_runs_are_counted_and_not_started(launcher):
    for run in TEACHERS:
        finish(launcher.folder, run)
    schedule(launcher).carry_out()
    assert sorted(launcher.names()) == sorted(r.folder for r in STUDENTS)


def test_what_a_launcher_of_before_has_left_is_not_started_again(launcher):
    job = Job((TEACHERS[0],), ())
    left = Made(launcher, job, launcher.folder / "left.log")
    launcher.left[TEACHERS[0].folder] = left
    launcher.under_way.append(left)
    schedule(launcher, TEACHERS).carry_out()
    assert launcher.names() == [TEACHERS[1].folder]


def test_a_stop_says_what_goes_on(launcher, capsys):
    def stop():
        raise stopping.StoppedError

    launcher.at_sleep = stop
    with pytest.raises(stopping.StoppedError):
        schedule(launcher).carry_out()
    assert "ls_tf: 2 jobs are left alone" in capsys.readouterr().err


def test_the_runs_of_a_stack_are_one_job(launcher):
    flags = ("--experiment=fc_digits_student", "--stack=x")
    wanted = [*jobs.of(TEACHERS), Job(tuple(STUDENTS), flags)]
    Schedule(
        wanted,
        launcher,
        str(launcher.folder),
        retries=0,
        clock=lambda: launcher.time,
        sleep=launcher.sleep,
    ).carry_out()
    assert launcher.names()[2:] == [STUDENTS[0].folder]
    assert wanted[2].title == f"{STUDENTS[0].title} and 1 more"
