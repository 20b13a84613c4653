"""Trains the runs that are missing, alone or shared with other machines.

Machines that share a sweep share its runs directory. Each takes its own part
first; a student whose teacher is elsewhere waits for it. A run that another
process holds is left to that process, and a teacher that nobody trains is
trained by whoever needs it, so that a machine that never came stops no other.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ls_tf import stopping
from ls_tf.records import runs
from ls_tf.running import execute, stack
from ls_tf.running.session import Machine, Session
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import RunIdentity, teacher_of
from ls_tf.spec.values import shown

_WAIT_SECONDS = 10.0

Group = list[RunIdentity]


@dataclass(frozen=True)
class Shard:
    """One machine's part of a sweep: the index-th of count, from 1."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads ``i/n``.

        Raises:
            SpecError: something else, or not 1 <= i <= n.

        Source: ours.
        """
        first, slash, last = text.partition("/")
        # isascii: int() also reads the digits of other scripts.
        are_whole = all(t.isascii() and t.isdecimal() for t in (first, last))
        if not (slash and are_whole and len(text) <= 19):
            raise SpecError(
                f"--shard: wanted I/N such as 1/4, got {shown(text)}"
            )
        if not 1 <= int(first) <= int(last):
            raise SpecError(f"--shard: wanted I from 1 to N, got '{text}'")
        return cls(int(first), int(last))


def plan(wanted: Sequence[RunIdentity], *, stacked: bool) -> list[Group]:
    """Lists what is trained together, teachers before all students.

    It does not depend on which runs are finished, so that machines that
    start at different times part a sweep in one way.

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
        groups += stack.groups(level) if stacked else [[run] for run in level]
    return groups


def part(groups: Sequence[Group], shard: Shard) -> list[Group]:
    """One machine's share of a plan: every count-th group.

    Students and their teachers take turns each from the first machine on, so
    that none gets all of the costly ones.

    Source: ours.
    """
    levels: dict[int, list[Group]] = {}
    for group in groups:
        depth = len(execute.needed(group[0]))
        levels.setdefault(depth, []).append(group)
    return [
        group
        for level in levels.values()
        for group in level[shard.index - 1 :: shard.count]
    ]


def make_missing(
    wanted: Sequence[RunIdentity],
    machine: Machine,
    session: Session | None = None,
    *,
    stacked: bool = False,
    shard: Shard | None = None,
) -> bool:
    """Trains the runs that have no finished record.

    Args:
        wanted: the runs; their teachers are added before them.
        machine: where to run.
        session: default: one is made when the first run needs it.
        stacked: train those together that can be; else one after the other.
        shard: this machine's part, the others train the rest; default: all,
            and a run that another process holds is refused.

    Returns:
        bool: whether every run of the sweep is finished.

    Raises:
        See ``execute.run``.

    Source: ours.
    """
    groups = plan(wanted, stacked=stacked)
    sweep = _Sweep(groups, machine, session)
    with stopping.listening(), stopping.doing("the search for runs"):
        if shard is None:
            for group in groups:
                sweep.train(group)
        else:
            sweep.train_shared(part(groups, shard), shard)
    return sweep.finished == sweep.total


def _say(line: str) -> None:
    print(f"ls_tf: {line}", file=sys.stderr, flush=True)


class _Sweep:
    """A sweep as this process sees it."""

    def __init__(
        self,
        groups: Sequence[Group],
        machine: Machine,
        session: Session | None,
        sleep: Callable[[float], None] = stopping.wait,
    ) -> None:
        """Takes the whole plan, of all machines."""
        self._all = [run for group in groups for run in group]
        self._machine, self._session = machine, session
        self._sleep = sleep
        self._began = time.monotonic()
        self._start = self.finished
        self._said: set[str] = set()

    @property
    def total(self) -> int:
        """How many runs there are, teachers among them."""
        return len({run.folder for run in self._all})

    @property
    def finished(self) -> int:
        """How many of them have a finished record."""
        folders = {run.folder for run in self._all if not self._is_missing(run)}
        return len(folders)

    def _is_missing(self, run: RunIdentity) -> bool:
        return runs.find(self._machine.runs_dir, run) is None

    def _line(self, title: str) -> None:
        """The sweep's progress, before each of its runs."""
        if self.total < 2:
            return
        done = self.finished
        words = f"sweep: {done} of {self.total} runs finished"
        if done > self._start:
            spent = time.monotonic() - self._began
            left = spent / (done - self._start) * (self.total - done)
            words += f", about {left / 60:.0f} min left"
        _say(f"{words}; next: {title}")

    def train(self, group: Group) -> None:
        """Trains what of a group is missing."""
        stopping.look()
        missing = [run for run in group if self._is_missing(run)]
        if not missing:
            return
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        title = f"{missing[0].title}{more}"
        self._line(title)
        self._session = self._session or Session(self._machine)
        place = f"[{self.finished + 1}/{self.total}]"
        execute.run(missing, self._session, title=f"{place} {title}")

    def train_shared(self, mine: Sequence[Group], shard: Shard) -> None:
        """Trains this machine's part, beside others that train theirs."""
        _say(
            f"shard {shard.index}/{shard.count}: "
            f"{sum(len(group) for group in mine)} of {self.total} runs"
        )
        groups = list(mine)
        while groups:
            groups = self._round(groups)
            left = [run for group in groups for run in group]
            if left and not self._orphans(left):
                with stopping.doing("waiting for other shards"):
                    self._sleep(_WAIT_SECONDS)

    def _round(self, groups: Sequence[Group]) -> list[Group]:
        """Trains what can be trained now; gives what waits for a teacher.

        What another process holds is that process's to finish.
        """
        later: list[Group] = []
        for group in groups:
            ready: Group = []
            waiting: Group = []
            for run in group:
                if self._is_missing(run) and not self._is_held(run):
                    teacher = teacher_of(run)
                    is_taught = teacher is None or not self._is_missing(teacher)
                    (ready if is_taught else waiting).append(run)
            if ready and not self._try(ready):
                later.append(ready)
            if waiting:
                later.append(waiting)
        return later

    def _orphans(self, waiting: Sequence[RunIdentity]) -> bool:
        """Trains one teacher that nobody trains; False if there is none."""
        for student in waiting:
            for teacher in execute.needed(student)[:-1]:
                if not self._is_missing(teacher):
                    continue
                if not self._is_held(teacher, waiter=student):
                    self._try([teacher])
                    return True
                break  # its own students cannot begin either
        return False

    def _is_held(
        self, run: RunIdentity, waiter: RunIdentity | None = None
    ) -> bool:
        """Whether another process has a run; says so, once."""
        held = runs.holder(self._machine.runs_dir, run)
        if held is None:
            return False
        what = "skipped" if waiter is None else f"{waiter.title} waits"
        line = f"run {run.title}: {what}: {held}"
        if line not in self._said:
            self._said.add(line)
            _say(line)
        return True

    def _try(self, group: Group) -> bool:
        """Trains, unless another process was quicker: False."""
        try:
            self.train(group)
        except runs.HeldError:
            return False
        return True
