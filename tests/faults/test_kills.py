"""Killed at any instant or at any file operation, a run ends as if unbroken.

A case is one kind of work on one engine. It is run once unbroken; then killed,
several times in a row, and given again until it is finished. What it leaves
has to be what the unbroken run left, bit for bit, with nothing beside it.
"""

import random
import time

import pytest
from file_faults import Fault
from harness import (
    ENGINES,
    WORK,
    FaultyLine,
    checkpoints_of,
    count_operations,
    differences,
)

IN_A_ROW = 3  # kills before a run is left to end
RANDOM = 9  # kills at random instants for each case
# A process of a Transformer takes long to start: fewer of its operations.
CHAINS = {"classification": 20, "distillation": 10, "translation": 5}


def _cases(*short):
    """All cases; those that are not in the short form are marked."""
    every = [(engine, work) for work in WORK for engine in ENGINES]
    return pytest.mark.parametrize(
        ("engine", "work"),
        [
            pytest.param(
                *case,
                id="_".join(case),
                marks=[
                    pytest.mark.xdist_group(f"kills_{'_'.join(case)}"),
                    *([] if case in short else [pytest.mark.long]),
                ],
            )
            for case in every
        ],
    )


class Unbroken:
    """A run that nothing befell."""

    def __init__(self, folder, flags):
        self.flags = flags
        self.line = FaultyLine(folder / "unbroken")
        self.operations = count_operations(self.line, *flags)
        began = time.monotonic()
        again = FaultyLine(folder / "timed")
        code, _, err = again.ended(*flags)
        self.seconds = time.monotonic() - began
        assert code == 0, err
        assert differences(again.runs, self.line.runs) == []

    @property
    def before_saving(self):
        """The first operation on a checkpoint: rows are there, no state."""
        return 1 + next(
            number
            for number, (_, place) in enumerate(self.operations)
            if "checkpoints" in place
        )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Gives the unbroken run of a case; made once."""
    made = {}

    def of(engine, work):
        if (engine, work) not in made:
            made[engine, work] = Unbroken(
                tmp_path_factory.mktemp(f"{engine}_{work}"),
                (*WORK[work], f"--engine={engine}"),
            )
        return made[engine, work]

    return of


class Chain:
    """Kills in a row, then the same command to its end."""

    def __init__(self, folder, whole):
        self.line, self._whole = FaultyLine(folder), whole
        self.line.folder.mkdir()
        self.kills = self.early = 0

    def _killed(self, process):
        """Whether the process was killed rather than finished before it."""
        process.wait(300)
        _, err = process.communicate()
        assert process.returncode in (0, -9), err
        if process.returncode == 0:
            return False
        self.kills += 1
        self.early += not checkpoints_of(self.line.runs)
        return True

    def at_operation(self, number):
        fault = Fault("", kind="kill", at=number)
        return self._killed(self.line.begin(*self._whole.flags, fault=fault))

    def at_instant(self, seconds):
        process = self.line.begin(*self._whole.flags)
        time.sleep(seconds)
        process.send_signal(9)
        return self._killed(process)

    def end(self):
        """Leaves the run to its end; what differs from the unbroken one."""
        code, _, err = self.line.ended(*self._whole.flags)
        if code != 0:
            return [f"exit {code}: {err[-1:]}"]
        return differences(self.line.runs, self._whole.line.runs)


def _report(figures, case, kind, chains, found, **more):
    figures(
        f"{case}, {kind}",
        kills=sum(chain.kills for chain in chains),
        early=sum(chain.early for chain in chains),
        runs=len(chains),
        different=len(found),
        **more,
    )
    assert not found, "\n".join(str(f) for f in found)


@_cases(("tensorflow", "classification"))
def test_killed_at_random_instants(
    unbroken, tmp_path, figures, is_long, engine, work
):
    whole = unbroken(engine, work)
    rng = random.Random(f"{engine} {work}")
    chains, found = [], []
    wanted = RANDOM if is_long else 2
    while sum(chain.kills for chain in chains) < wanted:
        chain = Chain(tmp_path / f"chain{len(chains)}", whole)
        chains.append(chain)
        for _ in range(min(IN_A_ROW, wanted)):
            if not chain.at_instant(rng.uniform(0, whole.seconds)):
                break
        found += [(len(chains), text) for text in chain.end()]
    _report(figures, f"{work}, {engine}", "random instant", chains, found)


@_cases(("jax", "classification"))
def test_killed_at_every_nth_file_operation(
    unbroken, tmp_path, figures, is_long, engine, work
):
    whole = unbroken(engine, work)
    rng = random.Random(f"{engine} {work} operations")
    total = len(whole.operations)
    every = -(-total // (CHAINS[work] if is_long else 1))
    first = rng.randrange(1, every + 1) if is_long else whole.before_saving
    chains, found = [], []
    for number in range(first, total + 1, every):
        chain = Chain(tmp_path / f"chain{number}", whole)
        chains.append(chain)
        # What it was killed at is that of the unbroken run; then wherever
        # the resumed run is at some operation of its own.
        assert chain.at_operation(number)
        chain.at_operation(rng.randrange(1, total // 2))
        kind, place = whole.operations[number - 1]
        found += [(number, kind, place, text) for text in chain.end()]
    _report(
        figures,
        f"{work}, {engine}",
        "file operation",
        chains,
        found,
        operations=total,
        every=every,
    )
