"""Sweeps in other places: real jobs, of which some are stopped or lost.

The runs are smoke runs of the digits and must be those of a plain sweep, bit
for bit.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import programs
import pytest
import slurm_programs
from command_line import Line, arrays, assert_equal_bits

HERE = pathlib.Path(__file__).parent
PAUSED = HERE / "paused_program.py"
SECONDS = 240  # for what takes a few on an idle machine
ONE = ("--experiment=fc_digits_student", "--run_missing")
TOUR = ("--report=quick_tour", "--run_missing")
MACHINE = ("--smoke", "--engine=jax")
TEACHER = "fc_digits/smoke,alpha=0/seed=0"
STUDENT = "fc_digits_student/smoke/seed=0"
ALL = [
    *(TEACHER, "fc_digits/smoke/seed=0", STUDENT),
    "fc_digits_student/smoke,teacher.changes.alpha=0.1/seed=0",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


class Place:
    """A folder in which launchers are started, and what they say."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = folder / "runs"
        self._started = []

    def start(self, *flags, program=PAUSED, **environment):
        log = self.folder / f"launcher{len(self._started)}.err"
        with open(log, "w") as err:
            process = subprocess.Popen(
                [
                    *(sys.executable, str(program), *MACHINE),
                    *("--runs_dir=runs", "--reports_dir=reports", *flags),
                ],
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=err,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        process.said = lambda: log.read_text()
        self._started.append(process)
        return process

    def end(self, process, code=0):
        found = process.wait(SECONDS)
        assert found == code, process.said()
        return process.said()

    def until(self, condition, process):
        end = time.monotonic() + SECONDS
        while not condition():
            assert process.poll() is None, process.said()
            assert time.monotonic() < end, process.said()
            time.sleep(0.05)

    def is_paused(self):
        return (self.folder / "paused").exists()

    def go(self):
        (self.folder / "go").touch()

    def history(self, name):
        run = json.loads((self.runs / name / "run.json").read_text())
        return run["history"]

    def close(self):
        self.go()
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The runs directory of a sweep in one process after the other."""
    line = Line(tmp_path_factory.mktemp("plain"))
    for more in ((), ("--set=teacher.changes.alpha=0.1",)):
        line(*ONE, *MACHINE, *more)
    return line.runs


def assert_equal(runs, plain, names):
    for name in names:
        record = json.loads((runs / name / "run.json").read_text())
        assert record["outcome"] == "finished"
        assert_equal_bits(arrays(runs / name), arrays(plain / name))
        made = sorted(p.name for p in (plain / name / "measurements").iterdir())
        for file in made:
            if file.endswith(".npz"):
                ours = (runs / name / "measurements" / file).read_bytes()
                theirs = (plain / name / "measurements" / file).read_bytes()
                assert ours == theirs, file


def test_a_stopped_launcher_stops_its_processes_and_goes_on(place, plain):
    pytest.importorskip("submitit")
    flags = (*TOUR, "--launcher=local", "--jobs=2")
    first = place.start(*flags, PAUSE_IN_RUN="1")
    place.until(place.is_paused, first)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does
    said = place.end(first, code=3)
    assert "jobs stopped with their state saved" in said
    assert "ls_tf: stopped; the state is saved" in said
    paused = [n for n in ALL[:2] if (place.runs / n / "checkpoints").exists()]
    assert paused  # what was under way has a checkpoint
    said = place.end(place.start(*flags))
    assert "sweep: 4 of 4 runs finished" in said
    assert (place.folder / "reports/quick_tour/index.html").exists()
    assert_equal(place.runs, plain, ALL)


def test_launchers_wait_for_each_others_runs(place, plain):
    pytest.importorskip("submitit")
    flags = (*ONE, "--launcher=local")
    first = place.start(*flags, PAUSE_IN_RUN="1")
    place.until(place.is_paused, first)
    second = place.start(*flags)
    place.until(lambda: "is waited for" in second.said(), second)
    place.go()
    place.end(first)
    said = place.end(second)
    assert "alpha=0.0 seed=0 is waited for: run directory" in said
    assert_equal(place.runs, plain, [TEACHER, STUDENT])
    # The student may be begun by both at once: one of them finds it done.
    assert len(place.history(TEACHER)) == 1


def test_a_job_that_is_refused_names_its_log(place):
    pytest.importorskip("submitit")
    checkpoints = place.runs / TEACHER / "checkpoints"
    checkpoints.parent.mkdir(parents=True)
    checkpoints.write_text("no folder")
    said = place.end(place.start(*ONE, "--launcher=local"), code=2)
    (line,) = [x for x in said.splitlines() if "it is given up" in x][:1]
    log = line.partition("(log ")[2].partition(":")[0]
    assert "checkpoints is a file, wanted a directory" in line
    assert "wanted a directory" in pathlib.Path(log).read_text()
    assert place.folder / "runs-jobs" in pathlib.Path(log).parents
    last = said.splitlines()[-1]
    assert last.startswith("ls_tf: 0 of 2 runs are finished; fc_digits alpha")
    assert "waits for fc_digits alpha=0.0 seed=0, which failed" in last


def test_a_slurm_job_out_of_time_goes_on_without_its_launcher(place, plain):
    pytest.importorskip("submitit")
    bin_folder = slurm_programs.install(place.folder)
    slurm = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "SLURM_MADE_FOLDER": str(place.folder / "made"),
        "PYTHONPATH": str(HERE),
    }
    flags = (*ONE, "--launcher=slurm", "--slurm=partition=gpu,timeout_min=1")
    first = place.start(*flags, PAUSE_IN_RUN="1", **slurm)
    place.until(place.is_paused, first)
    began = time.monotonic()
    first.send_signal(signal.SIGTERM)
    said = place.end(first, code=3)
    assert time.monotonic() - began < 20
    assert "1 jobs of Slurm go on" in said and "scancel 100" in said
    # As Slurm warns before a job's time is over.
    subprocess.run(
        ["scancel", "100", "--signal", "USR2"],
        env={**os.environ, **slurm},
        check=True,
    )
    said = place.end(place.start(*flags, **slurm))
    assert "sweep: 2 of 2 runs finished" in said
    assert_equal(place.runs, plain, [TEACHER, STUDENT])
    # The teacher's job was queued again, and no other was made for it.
    started, resumed = place.history(TEACHER)
    assert len(list((place.folder / "made").glob("*.state"))) == 2
    assert (
        "#SBATCH --partition=gpu"
        in (place.folder / "made" / "100.sh").read_text()
    )


def test_a_ray_node_that_is_killed_costs_no_run(place, plain):
    pytest.importorskip("ray")
    # At the end of its standard input it ends.
    with subprocess.Popen(
        [sys.executable, str(HERE / "ray_nodes.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=place.folder,
    ) as nodes:
        address = nodes.stdout.readline().strip()
        flags = (*TOUR, "--launcher=ray", f"--ray={address},num_cpus=1")
        launcher = place.start(*flags)
        place.until(place.is_paused, launcher)
        nodes.stdin.write("\n")
        nodes.stdin.flush()
        assert nodes.stdout.readline() == "killed\n"
        said = place.end(launcher)
    assert "was lost (" in said and "retry 1 of 2" in said
    assert "sweep: 4 of 4 runs finished" in said
    assert_equal(place.runs, plain, ALL)
    started = [len(place.history(name)) for name in ALL]
    assert sorted(started) == [1, 1, 1, 2]


def test_a_cluster_that_is_not_there_is_one_line(place):
    pytest.importorskip("ray")
    began = time.monotonic()
    done = programs.run(
        programs.ROOT / "run_experiment.py",
        *(*MACHINE, *TOUR, "--launcher=ray", "--ray=127.0.0.1:1"),
        engine="jax",
        code=2,
        env=os.environ,
        cwd=place.folder,
    )
    assert time.monotonic() - began < 20
    (line,) = done.stderr.splitlines()
    assert "--ray=127.0.0.1:1: no Ray cluster could be reached (" in line
    assert list(place.folder.iterdir()) == []
