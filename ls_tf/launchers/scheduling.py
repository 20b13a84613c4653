"""Carries out the jobs of a sweep: which, when, and what if one fails.

What is finished stands in the records alone, so that launchers beside each
other, and one after the other, need not know of each other.
"""

import time
from collections.abc import Callable, Sequence

from ls_tf import exit_codes, stopping, streams
from ls_tf.launchers.jobs import (
    Ending,
    Handle,
    Job,
    Launcher,
    LaunchError,
    last_line,
)
from ls_tf.records import locks, runs
from ls_tf.running.sweep import Progress
from ls_tf.spec.resolve import teacher_of

_LOOK_SECONDS = 0.5  # between two looks at the jobs that are under way
_HELD_SECONDS = 10.0  # between two looks at a run that another process holds
_FIRST_SECONDS, _LONGEST_SECONDS = 10.0, 600.0  # before a job is tried again
_SHOWN = 3  # failures in the last line

# What was refused is refused again, and a loss that is not finite comes again.
_FINAL = (exit_codes.BAD_INPUT, exit_codes.NOT_FINITE)


class _Task:
    """A job on its way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.handle: Handle | None = None
        self.failures = 0
        self.due = 0.0  # when it may be started, on the schedule's clock
        self.is_asked_for = False  # whether a launcher of before left it
        self.is_over = False
        self.failure: Ending | None = None  # for good


class Schedule:
    """The jobs of a sweep, and how far they are."""

    def __init__(
        self,
        jobs: Sequence[Job],
        launcher: Launcher,
        runs_dir: str,
        *,
        retries: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = stopping.wait,
    ) -> None:
        """Takes the jobs, teachers before their students.

        Args:
            jobs: of the whole sweep, the finished ones too.
            launcher: where they are carried out.
            runs_dir: where records lie, as this process sees it.
            retries: how often a job that failed is tried again.
            clock: seconds since some instant.
            sleep: waits for seconds; raises StoppedError.
        """
        self._tasks = [_Task(job) for job in jobs]
        self._launcher, self._runs_dir = launcher, runs_dir
        self._retries = retries
        self._clock, self._sleep = clock, sleep
        self._progress = Progress(
            [run for job in jobs for run in job.runs], runs_dir
        )
        self._told: set[str] = set()
        by_run = {
            run.folder: task for task in self._tasks for run in task.job.runs
        }
        self._teachers = {
            id(task): [
                by_run[teacher.folder]
                for run in task.job.runs
                if (teacher := teacher_of(run)) is not None
            ]
            for task in self._tasks
        }

    def carry_out(self) -> None:
        """Carries out all jobs, and waits for them.

        Raises:
            StoppedError: a signal came; what goes on is said.
            LaunchError: some run could not be trained; the others are.
        """
        with stopping.listening(), stopping.doing("waiting for jobs"):
            try:
                while self._turn():
                    self._sleep(_LOOK_SECONDS)
            except BaseException:
                self._stop()
                raise
        failed = [task for task in self._tasks if task.failure is not None]
        if failed:
            raise LaunchError(*self._failures(failed))

    def _turn(self) -> bool:
        """Looks at every job once; whether there is more to do."""
        changed = 0
        under_way = [
            (task, task.handle)
            for task in self._tasks
            if task.handle is not None
        ]
        # Who is asked may take its time.
        endings = stopping.aside(
            lambda: [handle.ending() for _, handle in under_way]
        )
        for (task, handle), ending in zip(under_way, endings, strict=True):
            if ending is not None:
                self._take(task, handle, ending)
                changed += 1
        changed += sum(
            self._begin(task)
            for task in self._tasks
            if not task.is_over
            and task.handle is None
            and task.due <= self._clock()
        )
        if changed:
            self._progress.say(f"{self._under_way()} under way")
        return not all(task.is_over for task in self._tasks)

    def _under_way(self) -> int:
        return sum(task.handle is not None for task in self._tasks)

    def _begin(self, task: _Task) -> bool:
        """Starts a job if it can begin now; whether anything changed."""
        teachers = self._teachers[id(task)]
        for teacher in teachers:
            if teacher.failure is not None:
                reason = f"waits for {teacher.job.title}, which failed"
                self._give_up(task, Ending(teacher.failure.code, reason))
                return True
        if not all(teacher.is_over for teacher in teachers):
            return False
        if not self._progress.missing(task.job.runs):
            task.is_over = True
            return False
        handle = None
        if not task.is_asked_for:
            task.is_asked_for = True
            handle = self._launcher.resumed(task.job)
        if handle is None:
            if self._is_held(task):
                return False
            if self._under_way() >= self._launcher.places():
                return False
            handle = self._launcher.start(task.job)
        task.handle = handle
        return True

    def _is_held(self, task: _Task) -> bool:
        """Whether another process has one of the runs; says so, once."""
        for run in task.job.runs:
            held = runs.holder(self._runs_dir, run)
            if held is not None:
                task.due = self._clock() + _HELD_SECONDS
                line = f"run {run.title} is waited for: {held}"
                if line not in self._told:
                    self._told.add(line)
                    streams.say(line)
                return True
        return False

    def _take(self, task: _Task, handle: Handle, ending: Ending) -> None:
        """Takes the end of a job, as the records and its exit code have it."""
        task.handle = None
        if not self._progress.missing(task.job.runs):
            task.is_over = True
            return
        said = last_line(handle.log)
        if ending.code == exit_codes.BAD_INPUT and locks.says_held(said):
            # Another process was quicker; whether it still is, is seen next.
            task.due = self._clock() + _LOOK_SECONDS
            return
        if ending.code == exit_codes.STOPPED:
            streams.say(f"run {task.job.title} was stopped and goes on")
            task.due = self._clock() + _LOOK_SECONDS
            return
        words = f"{ending}" + (f' (log {handle.log}: "{said}")' if said else "")
        if ending.code == exit_codes.OK:
            words = f"{ending} and left no finished record in {self._runs_dir}"
        task.failures += 1
        if ending.code in _FINAL or task.failures > self._retries:
            self._give_up(task, Ending(ending.code, words))
            return
        wait = _FIRST_SECONDS * 2.0 ** (task.failures - 1)
        wait = min(wait, _LONGEST_SECONDS)
        task.due = self._clock() + wait
        streams.say(
            f"run {task.job.title} {words}; retry {task.failures} of "
            f"{self._retries} in {wait:g} s"
        )

    def _give_up(self, task: _Task, failure: Ending) -> None:
        task.is_over, task.failure = True, failure
        streams.say(f"run {task.job.title} {failure.reason}; it is given up")

    def _failures(self, failed: Sequence[_Task]) -> tuple[str, int]:
        """The last line of a sweep that is not whole, and its exit code."""
        first = [
            f"{task.job.title} {task.failure.reason}"
            for task in failed[:_SHOWN]
            if task.failure is not None
        ]
        more = len(failed) - len(first)
        if more:
            first.append(f"and {more} more")
        codes = [task.failure.code for task in failed if task.failure]
        code = codes[0]
        if code is None or code <= 0:
            code = exit_codes.LOST
        done = self._progress.finished
        return (
            f"{done} of {self._progress.total} runs are finished; "
            f"{'; '.join(first)}; the same command tries again",
            code,
        )

    def _stop(self) -> None:
        """Leaves the jobs as their launcher says."""
        handles = [t.handle for t in self._tasks if t.handle is not None]
        if handles:
            with stopping.deferred():
                streams.say(self._launcher.stop(handles))
