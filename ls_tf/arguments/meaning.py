"""What the flags say: values, and the command line as a record has it."""

import os
from collections.abc import Sequence

from ls_tf.arguments.flags import PATHS, Flags
from ls_tf.spec import SpecError, Value, parse

# Far above what a machine has, far below what it cannot count.
_MOST = {
    "logical_devices": 1024,
    "micro_batches": 2**20,
    "worker_timeout": 10_000_000,
    "processes": 2**20,
    "process": 2**20,
    "jobs": 1_000_000,
    "retries": 1000,
}
_MOST_MINUTES = 10_000_000


def changes(values: Flags) -> dict[str, Value]:
    """The changes of an experiment that --set and --alpha ask for.

    Returns:
        dict: field path -> value as text, in their order.

    Raises:
        SpecError: one is no PATH=VALUE, or is the seed; one line.

    Source: ours.
    """
    changes: dict[str, Value] = {}
    for text in values.set:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise SpecError(f"--set: wanted PATH=VALUE, got '{text}'")
        if path == "seed":
            raise SpecError("--set: the seed has its own flag, --seed")
        changes.pop(path, None)  # of two for one field, the place of the later
        changes[path] = value
    if values.alpha is not None:
        for path in ("alpha", "train.alpha"):
            changes.pop(path, None)
        changes["alpha"] = values.alpha
    return changes


def of_runs(values: Flags) -> list[str]:
    """The flags that mean the runs of an experiment, without the machine's."""
    flags = [f"--experiment={values.experiment}"]
    flags += ["--smoke"] if values.smoke else []
    flags += [f"--set={text}" for text in values.set]
    flags += [f"--stack={text}" for text in values.stack]
    for name in ("alpha", "seed"):
        if values[name].value is not None:
            flags.append(f"--{name}={values[name].value}")
    return flags


def whole(values: Flags, name: str, least: int) -> int:
    """The whole number that a flag says.

    Args:
        values: of all flags.
        name: the flag's.
        least: the smallest that will do.

    Raises:
        SpecError: another number, or none; one line.

    Source: ours.
    """
    number = parse(str(values[name].value), int, f"--{name}")
    if number < least:
        raise SpecError(f"--{name}: wanted {least} or more, got {number}")
    most = _MOST.get(name, number)
    if number > most:
        raise SpecError(f"--{name}: wanted {most} or less, got {number}")
    return int(number)


def whole_or_none(values: Flags, name: str, least: int) -> int | None:
    """As ``whole``, of a flag that need not be given."""
    return None if values[name].value is None else whole(values, name, least)


def time_limit(values: Flags) -> float | None:
    """The minutes of ``--time_limit``; None without.

    Raises:
        SpecError: they are no number, or none above 0; one line.
    """
    if values.time_limit is None:
        return None
    minutes = float(parse(values.time_limit, float, "--time_limit"))
    if not 0 < minutes <= _MOST_MINUTES:
        raise SpecError(
            "--time_limit: wanted minutes, more than 0 and at most "
            f"{_MOST_MINUTES:,}, got {values.time_limit}"
        )
    return minutes


def check_data_dir(values: Flags) -> None:
    """Refuses a local ``--data_dir`` that is none, before anything slow.

    What lies in it, or in a bucket, is looked at when it is read.

    Raises:
        SpecError: it is not there, no directory or file that was prepared, or
            may not be read; one line.
    """
    if values.data_dir is None or "://" in values.data_dir:
        return
    path = values.data_dir
    is_dir, is_file = os.path.isdir(path), os.path.isfile(path)
    wanted = "--data_dir: wanted a directory, or a prepared file (*.npz), "
    if not os.path.lexists(path):
        how = (
            "make one with --mode=prepare"
            if path.endswith(".npz")
            else "create it, or point to where the data lies"
        )
        raise SpecError(f"{wanted}{path} does not exist; {how}")
    if not (is_dir or (is_file and path.endswith(".npz"))):
        raise SpecError(f"{wanted}{path} is neither")
    if not os.access(path, os.R_OK | (os.X_OK if is_dir else 0)):
        raise SpecError(f"--data_dir: no permission to read {path}")


def recorded(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line for the record, without the paths of this machine."""
    recorded = [argv[0].replace("\\", "/").rpartition("/")[2]]
    words = iter(argv[1:])
    for word in words:
        name, equals, _ = word.lstrip("-").partition("=")
        if name not in PATHS:
            recorded.append(word)
        elif not equals:
            next(words, None)  # the path is the next word
    return tuple(recorded)
