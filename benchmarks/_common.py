"""What the benchmarks share: timing, the machine in words, records, tables."""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD_VERSION = 1
# Flags that say where something lies on this machine, which no record keeps.
_PATHS = {"before", "data_dir", "out", "peer_python"}

# Does some work and returns the seconds that one unit of it took.
Case = Callable[[], float]


def arguments(description: str, *, repeats: int) -> argparse.ArgumentParser:
    """Makes the flags that every benchmark has.

    Args:
        description: what it measures.
        repeats: default number of rounds.

    Returns:
        argparse.ArgumentParser: with ``--out``, ``--repeats``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        help="folder for the JSON record; default: none is written",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=repeats,
        help="rounds; each times every case once, one after the other",
    )
    return parser


def start() -> None:
    """Lets the benchmark find the package, and keeps TensorFlow quiet.

    To be called before TensorFlow is imported. The package of this working
    tree is measured, installed or not.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    load = os.getloadavg()[0]
    if load > 0.5:
        say(
            f"note: the machine is busy (load {load:.1f} on {cpus()} cores); "
            "take the numbers as a hint"
        )


def say(line: str) -> None:
    """Writes a line of progress."""
    print(line, file=sys.stderr, flush=True)


def cpus() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Timing:
    """The seconds per unit of one case, a value for each round."""

    seconds: tuple[float, ...]

    @property
    def min(self) -> float:
        """The quickest round: what the machine can do undisturbed."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The middle round: what a user sees."""
        return statistics.median(self.seconds)

    def record(self) -> dict[str, Any]:
        """The numbers for the JSON record."""
        return {
            "min": self.min,
            "median": self.median,
            "seconds": list(self.seconds),
        }


def timed(work: Callable[[], Any], units: int) -> Case:
    """Makes a case of some work.

    Args:
        work: returns when the work is done.
        units: how many units, e.g. training steps, it does.
    """

    def case() -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) / units

    return case


def interleaved(
    cases: Mapping[str, Case],
    *,
    repeats: int,
    warmups: int = 1,
    pause: float = 0.1,
) -> dict[str, Timing]:
    """Times several cases in turn: A B C, A B C, ...

    What slows the machine for a while then slows all of them.

    Args:
        cases: name -> case.
        repeats: rounds that count.
        warmups: rounds before these that do not count.
        pause: seconds between two cases, for the idle threads of one library
            to fall asleep before another one works.

    Returns:
        dict: name -> its timing, in the order of ``cases``.

    Raises:
        ValueError: if ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"wanted repeats of 1 or more, got {repeats}")
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(-warmups, repeats):
        which = f"round {number + 1}/{repeats}" if number >= 0 else "warm-up"
        say(which)
        for name, case in cases.items():
            time.sleep(pause)
            took = case()
            if number >= 0:
                seconds[name].append(took)
    return {name: Timing(tuple(found)) for name, found in seconds.items()}


@dataclass(frozen=True)
class Target:
    """A number that the project promises, beside the one measured."""

    name: str
    wanted: float
    got: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        if self.at_most:
            return self.got <= self.wanted
        return self.got >= self.wanted

    def line(self) -> str:
        """The target in one line."""
        sign = "at most" if self.at_most else "at least"
        verdict = "met" if self.met else "MISSED"
        return f"{self.name}: {self.got:.4g}, {sign} {self.wanted:g}: {verdict}"


def machine() -> dict[str, Any]:
    """Describes the machine."""
    model = platform.processor() or platform.machine()
    memory = None
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = round(pages / 2**30, 1)
    return {
        "processor": model,
        "cores": cpus(),
        "memory_gib": memory,
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
    }


def versions(*packages: str) -> dict[str, str | None]:
    """The versions of Python and of packages; None for one that is absent."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def commit(folder: Path) -> str | None:
    """The commit of a checkout; None if it has none."""
    return _git("rev-parse", "HEAD", folder=folder)


def copied(to: Path, *, without: tuple[str, ...]) -> None:
    """Copies the files that git tracks.

    Args:
        to: the folder, made.
        without: how the names of those that are left out begin.

    Raises:
        SystemExit: this tree is no checkout of git.
    """
    names = _git("ls-files")
    if names is None:
        sys.exit(f"wanted a git checkout, got {ROOT}")
    for name in names.split("\n"):
        source = ROOT / name
        if source.is_file() and not name.startswith(without):
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _git(*words: str, folder: Path = ROOT) -> str | None:
    # GIT_DIR and its like, as set within a git hook, name another repository.
    environment = {k: v for k, v in os.environ.items() if k[:4] != "GIT_"}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env=environment,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def record(
    name: str,
    *,
    about: Mapping[str, Any],
    timings: Mapping[str, Timing],
    results: Mapping[str, Any],
    targets: Sequence[Target],
    skipped: Mapping[str, str],
    settings: Mapping[str, Any],
    others: Mapping[str, str | None],
    commit_id: str | None = None,
) -> dict[str, Any]:
    """Makes the record of a benchmark.

    Args:
        name: the benchmark.
        about: ``machine()``, taken before the work.
        timings: seconds per unit of each case.
        results: numbers derived from these.
        targets: promises.
        skipped: case -> why it was not run.
        settings: what was chosen: sizes, rounds.
        others: versions of packages that not every benchmark has.
        commit_id: where the tree is a copy without git: what it is a copy of.

    Returns:
        dict: what the JSON file holds.
    """
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "version": RECORD_VERSION,
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
        "git": {
            "commit": commit(ROOT) or commit_id,
            "dirty": None if changed is None else bool(changed),
        },
        "versions": versions(
            "tensorflow", "jax", "keras", "numpy", "torch", "pillow"
        )
        | dict(others),
        "machine": dict(about),
        "settings": dict(settings),
        "timings": {k: v.record() for k, v in timings.items()},
        "results": dict(results),
        "targets": [{**asdict(t), "met": t.met} for t in targets],
        "skipped": dict(skipped),
    }


def write(folder: Path, made: Mapping[str, Any]) -> Path:
    """Writes a record; the file is whole at any instant.

    Args:
        folder: made if it is not there.
        made: of ``record``.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made['benchmark']}.json"
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    beside.replace(path)
    return path


def finish(
    name: str,
    flags: argparse.Namespace,
    *,
    about: Mapping[str, Any],
    timings: Mapping[str, Timing],
    results: Mapping[str, Any],
    targets: Sequence[Target],
    skipped: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    others: Mapping[str, str | None] | None = None,
) -> None:
    """Prints the targets and writes the record if ``--out`` gives a folder.

    Args:
        name: see ``record``, as all but the following.
        flags: those of ``arguments``, and its own.
        about: the machine.
        timings: seconds.
        results: numbers.
        targets: promises.
        skipped: default: none.
        settings: default: the flags but for the machine's own paths.
        others: default: none.
    """
    if settings is None:
        settings = {
            k: str(v) for k, v in vars(flags).items() if k not in _PATHS
        }
    made = record(
        name,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped=skipped or {},
        settings=settings,
        others=others or {},
    )
    for target in targets:
        print(target.line())
    for case, why in (skipped or {}).items():
        print(f"skipped: {case}: {why}")
    if flags.out is not None:
        print(write(flags.out, made))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints a table; numbers to the right, with four digits."""

    def text(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = [list(head), *([text(v) for v in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first = line[0].ljust(widths[0])
        rest = [v.rjust(w) for v, w in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([first, *rest]))
    print()
