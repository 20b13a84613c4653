"""Trains the runs that are missing, in this process, one after the other.

Other places for them are the business of ``launchers``.
"""

import time
from collections.abc import Sequence

from ls_tf import stopping, streams
from ls_tf.durations import spoken
from ls_tf.records import runs
from ls_tf.running import checking, execute, stack
from ls_tf.running.session import Machine, Session
from ls_tf.spec.resolve import RunIdentity

Group = list[RunIdentity]


def plan(wanted: Sequence[RunIdentity], *, stacked: bool) -> list[Group]:
    """Lists what is trained together, teachers before all students.

    Args:
        wanted: the runs; their teachers are added.
        stacked: put those together that can share a program.

    Returns:
        list: groups of runs, each of one depth of teachers.

    Source: ours.
    """
    depths: dict[int, dict[str, RunIdentity]] = {}
    for identity in wanted:
        for depth, run in enumerate(execute.needed(identity)):
            depths.setdefault(depth, {}).setdefault(run.folder, run)
    groups: list[Group] = []
    for depth in sorted(depths):
        level = list(depths[depth].values())
        together = stack.groups(level) if stacked else [[run] for run in level]
        for group in together:
            # Teachers that run beside their students have no room for others.
            alone = [[run] for run in group if _runs_beside(run)]
            groups += alone or [group]
    return groups


def is_finished(wanted: Sequence[RunIdentity], runs_dir: str) -> bool:
    """Whether runs and all of their teachers have finished records.

    Source: ours.
    """
    every = [run for group in plan(wanted, stacked=False) for run in group]
    return all(runs.find(runs_dir, run) is not None for run in every)


def _runs_beside(identity: RunIdentity) -> bool:
    """Whether a run's teacher answers while it trains."""
    teacher = identity.spec.teacher
    return teacher is not None and teacher.table == "never"


def make_missing(
    wanted: Sequence[RunIdentity],
    machine: Machine,
    session: Session | None = None,
    *,
    stacked: bool = False,
) -> None:
    """Trains the runs that have no finished record.

    Args:
        wanted: the runs; their teachers are added before them.
        machine: where to run.
        session: default: one is made when the first run needs it.
        stacked: train those together that can be; else one after the other.

    Raises:
        See ``execute.run``.

    Source: ours.
    """
    groups = plan(wanted, stacked=stacked)
    with stopping.listening(), stopping.doing("the search for runs"):
        progress = Progress(
            [run for group in groups for run in group], machine.runs_dir
        )
        for group in groups:
            stopping.look()
            missing = progress.missing(group)
            if not missing:
                continue
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            title = f"{missing[0].title}{more}"
            progress.say(f"next: {title}")
            if session is None:
                checking.check_data(missing, machine.data_dir)
                session = Session(machine)
            place = f"[{progress.finished + 1}/{progress.total}]"
            execute.run(missing, session, title=f"{place} {title}")


class Progress:
    """How many runs of a sweep are finished, and how long the rest may take."""

    def __init__(self, wanted: Sequence[RunIdentity], runs_dir: str) -> None:
        """Takes all runs, those that are finished already among them."""
        self._runs_dir = runs_dir
        self._left = {run.folder: run for run in wanted}
        self.total = len(self._left)
        self._began = time.monotonic()
        self._start = self.finished

    @property
    def finished(self) -> int:
        """How many have a finished record."""
        self.missing(list(self._left.values()))
        return self.total - len(self._left)

    def missing(self, wanted: Sequence[RunIdentity]) -> list[RunIdentity]:
        """Those of some of the sweep's runs that have no finished record."""
        for run in wanted:
            if (
                run.folder in self._left
                and runs.find(self._runs_dir, run) is not None
            ):
                del self._left[run.folder]
        return [run for run in wanted if run.folder in self._left]

    def say(self, what: str) -> None:
        """Says how far the sweep is; nothing of a single run.

        Args:
            what: goes on, or comes next.
        """
        if self.total < 2:
            return
        done = self.finished
        words = f"sweep: {done} of {self.total} runs finished"
        if done > self._start:
            spent = time.monotonic() - self._began
            left = spent / (done - self._start) * (self.total - done)
            words += f", about {spoken(left)} left"
        streams.say(f"{words}; {what}")
