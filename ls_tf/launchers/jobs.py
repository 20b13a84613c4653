"""Jobs: what is trained as one, where its words go, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etils.epath import Path

from ls_tf.running import sweep
from ls_tf.running.machine import Machine
from ls_tf.spec.resolve import RunIdentity

_LONGEST = 65_536  # bytes of a log's end
_SHOWN = 400  # characters of its last line


@dataclass(frozen=True)
class Job:
    """One run, or the runs of a stack, as one process trains them.

    Attributes:
        runs: what it trains.
        flags: of a command line that means these runs.
    """

    runs: tuple[RunIdentity, ...]
    flags: tuple[str, ...]

    @property
    def title(self) -> str:
        """A short name for a line of progress."""
        more = f" and {len(self.runs) - 1} more" if len(self.runs) > 1 else ""
        return f"{self.runs[0].title}{more}"

    @property
    def name(self) -> str:
        """A name for its files, of harmless letters."""
        first = self.runs[0]
        return f"{first.experiment}-{first.digest[:12]}"


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        code: its exit code; minus the number of a signal; None if nobody
            knows, as after the death of its machine.
        reason: what a line can say of it beside its log.
    """

    code: int | None
    reason: str = ""

    def __str__(self) -> str:
        """In words."""
        if self.code is None:
            return self.reason or "was lost"
        words = (
            f"was ended by signal {-self.code}"
            if self.code < 0
            else f"ended with exit code {self.code}"
        )
        return f"{words}: {self.reason}" if self.reason else words


class Handle(Protocol):
    """A job that was started."""

    @property
    def log(self) -> str:
        """The file with what it says on standard error."""

    def ending(self) -> Ending | None:
        """How it ended; None as long as it goes on."""


class Launcher(Protocol):
    """Where jobs are carried out."""

    def places(self) -> int:
        """How many jobs may be under way at once."""

    def start(self, job: Job) -> Handle:
        """Starts a job.

        Raises:
            LaunchError: the place cannot be reached any more.
        """

    def resumed(self, job: Job) -> Handle | None:
        """The job as a launcher of before has left it; None if it has not."""

    def stop(self, handles: Sequence[Any]) -> str:
        """Does what is right for jobs that nobody waits for any more.

        Returns:
            str: what becomes of them, in words.
        """


@dataclass(frozen=True)
class Command:
    """What the command lines of all jobs have in common.

    Attributes:
        program: words after the interpreter and before the flags.
        flags: of the machine.
        folder: for the files of jobs.
    """

    program: tuple[str, ...]
    flags: tuple[str, ...]
    folder: str

    def words(self, job: Job) -> tuple[str, ...]:
        """The words of a job's command line after the interpreter."""
        return (*self.program, *job.flags, *self.flags)

    def files(self, job: Job) -> Path:
        """The folder for the files of a job."""
        return Path(self.folder) / job.name


class LaunchError(Exception):
    """Runs of a sweep could not be trained; the message is one line.

    Attributes:
        code: exit code of the process that launched them.
    """

    def __init__(self, message: str, code: int) -> None:
        """Takes the line and the exit code."""
        super().__init__(message)
        self.code = code


def of(wanted: Sequence[RunIdentity]) -> list[Job]:
    """A job for each run and each of their teachers, in the sweep's order.

    Source: ours.
    """
    return [
        Job((run,), tuple(run.flags()))
        for (run,) in sweep.plan(wanted, stacked=False)
    ]


def machine_flags(machine: Machine) -> list[str]:
    """The flags that say where and how a job runs.

    Paths are absolute: a job may begin in another folder.
    """
    flags = [f"--runs_dir={_absolute(machine.runs_dir)}"]
    if machine.data_dir is not None:
        flags.append(f"--data_dir={_absolute(machine.data_dir)}")
    flags += [f"--engine={machine.engine}", f"--strategy={machine.strategy}"]
    for name in ("logical_devices", "micro_batches"):
        flags.append(f"--{name}={getattr(machine, name)}")
    if machine.deterministic:
        flags.append("--deterministic")
    if machine.compile_cache is not None:
        cache = machine.compile_cache
        kept = cache if cache == "off" else _absolute(cache)
        flags.append(f"--compile_cache={kept}")
    return flags


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser().absolute())


def folder(runs_dir: str) -> str:
    """Where the files of jobs lie: beside the runs directory, on a disk."""
    _, is_bucket, rest = runs_dir.rstrip("/").rpartition("://")
    name = rest.rpartition("/")[2] if is_bucket else rest
    return _absolute(f"{name}-jobs")


def last_line(log: str) -> str:
    """The last line of a log that says something; empty if there is none."""
    try:
        with Path(log).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LONGEST))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return next((line[:_SHOWN] for line in reversed(lines) if line), "")
