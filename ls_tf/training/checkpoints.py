"""Checkpoints that any engine can write and read.

A checkpoint is a folder ``step-000001000`` with one safetensors file of named
arrays (no pickle) and a manifest of the step, the arrays' names, shapes and
dtypes, the file's SHA-256 and that of the manifest itself. It is written under
a temporary name and renamed, and the one before it is kept, so that a kill, a
full disk or a damaged file costs at most the steps since the previous
checkpoint. What else lies among checkpoints is passed over.
"""

import contextlib
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from absl import logging
from etils.epath import Path
from safetensors import numpy as safetensors

from ls_tf.records.arrays import (
    DamageError,
    decoded,
    description,
    sealed,
    unsealed,
)
from ls_tf.records.files import give_back, leftovers, remove, write_folder
from ls_tf.records.local import is_there, plain
from ls_tf.records.reading import line, reading
from ls_tf.spec import SpecError

_ARRAYS = "arrays.safetensors"
_MANIFEST = "manifest.json"
VERSION = 2
KEPT = 2


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some step."""

    step: int
    arrays: Mapping[str, np.ndarray]
    extra: Mapping[str, Any]  # JSON: seconds trained so far, unmeasured
    sha256: str = ""  # of the file of arrays, once it was read


def _name(step: int) -> str:
    return f"step-{step:09d}"


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, then drops all but the newest two.

    Args:
        folder: the run's ``checkpoints``.
        checkpoint: what to write.

    Raises:
        OSError: the file system refused, e.g. a full disk; the checkpoints
            that were there are untouched and nothing partial is left.

    Source: ours.
    """
    # safetensors wants C order; a 0-d array is kept 0-d by asarray.
    arrays = {k: np.asarray(v, order="C") for k, v in checkpoint.arrays.items()}
    data = safetensors.save(arrays)
    manifest = {
        "version": VERSION,
        "step": checkpoint.step,
        **description(data, arrays),
        "extra": dict(checkpoint.extra),
    }
    write_folder(
        folder / _name(checkpoint.step),
        {_ARRAYS: data, _MANIFEST: sealed(manifest)},
    )
    # Of later steps there may be what was damaged, or another run's.
    before = [step for step in steps(folder) if step < checkpoint.step]
    _clear([folder / _name(step) for step in before[: 1 - KEPT or None]])


def sweep(folder: Path) -> None:
    """Removes what a kill left half-written, or gives it its name again."""
    with contextlib.suppress(OSError):  # who reads what is there says why
        give_back(folder)
    _clear(leftovers(folder))


def _clear(paths: Sequence[Path]) -> None:
    """Removes what is not needed; what cannot be removed is no fault."""
    for path in paths:
        try:
            remove(path)
        except Exception as error:  # Cloud file systems raise their own.
            _say_cannot_remove(str(path), line(error))


@functools.lru_cache(maxsize=1000)
def _say_cannot_remove(path: str, reason: str) -> None:
    """Logs it once of each path: every checkpoint tries it again."""
    logging.warning("Cannot remove %s: %s", path, reason)


def steps(folder: Path) -> list[int]:
    """Lists the steps that have a checkpoint, in order.

    What has another name than a checkpoint's is passed over.

    Raises:
        CheckpointError: the folder cannot be read, or is a link to nothing.
    """
    with reading(folder, "folder of checkpoints", CheckpointError):
        if not folder.exists():
            if is_there(folder):
                raise CheckpointError(
                    f"{folder} is a link to what is not there; mend or "
                    "remove it"
                )
            return []
        names = [path.name for path in folder.iterdir()]
    numbers = [re.fullmatch(r"step-([0-9]{9,18})", name) for name in names]
    found = [int(number[1]) for number in numbers if number]
    return sorted(step for step in found if _name(step) in names)


def read(folder: Path, step: int) -> Checkpoint:
    """Reads one checkpoint and checks it against its manifest.

    Raises:
        CheckpointError: missing, truncated, altered, of another step than its
            folder's name says, or of a version that is not known.
    """
    path = folder / _name(step)
    with reading(path, "checkpoint", CheckpointError):
        try:
            manifest = _manifest(path, step)
            arrays = decoded(
                plain(path / _ARRAYS).read_bytes(),
                manifest,
                safetensors.load,
                f"checkpoint {path}",
            )
        except DamageError as error:
            raise CheckpointError(str(error)) from None
    return Checkpoint(step, arrays, manifest["extra"], manifest["sha256"])


def files(folder: Path, step: int) -> dict[str, bytes]:
    """What a checkpoint consists of: name below the folder -> content.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = folder / _name(step)
    with reading(path, "checkpoint", CheckpointError):
        return {
            f"{path.name}/{name}": plain(path / name).read_bytes()
            for name in (_ARRAYS, _MANIFEST)
        }


def _manifest(path: Path, step: int) -> dict[str, Any]:
    """Reads a manifest; one of version 1 has no digest of its own."""
    data = plain(path / _MANIFEST).read_bytes()
    manifest: dict[str, Any] = json.loads(data)
    version, of = manifest["version"], manifest["step"]
    if version not in (1, VERSION) or isinstance(version, bool):
        raise CheckpointError(
            f"checkpoint {path} has version {json.dumps(version)[:40]}; this "
            f"program reads 1 to {VERSION}"
        )
    if version != 1:
        manifest = unsealed(data, f"the manifest of checkpoint {path}")
    if of != step or isinstance(of, bool):
        raise CheckpointError(
            f"checkpoint {path} is of step {json.dumps(of)[:40]}, not of its "
            "folder's"
        )
    seconds = manifest["extra"].get("seconds", 0.0)
    if not 0 <= seconds < float("inf"):
        raise CheckpointError(
            f"checkpoint {path}: wanted seconds of training, got {seconds}"
        )
    return manifest


def latest(folder: Path) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole.

    A damaged one is reported and the one before it is used.

    Returns:
        The checkpoint; None if there is none at all.

    Raises:
        CheckpointError: there are checkpoints but none of them is whole.

    Source: ours.
    """
    return latest_common([folder])[0]


def latest_common(folders: Sequence[Path]) -> list[Checkpoint | None]:
    """Reads the newest step of which every folder has a whole checkpoint.

    Args:
        folders: of runs that go on together.

    Returns:
        One checkpoint for each folder; None for each if there is no such step.

    Raises:
        CheckpointError: there are common steps but none of them is whole.

    Source: ours.
    """
    common = set.intersection(*(set(steps(folder)) for folder in folders))
    for step in sorted(common, reverse=True):
        try:
            return [read(folder, step) for folder in folders]
        except CheckpointError as error:
            logging.warning("%s; trying the one before it", error)
    if common:
        like, s = (" and its like", "s") if len(folders) > 1 else ("", "")
        raise CheckpointError(
            f"no checkpoint in {folders[0]}{like} can be read; remove the "
            f"folder{s} to train from the start"
        )
    return [None] * len(folders)


def match(
    wanted: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]
) -> None:
    """Refuses arrays that are not those of a set of variables.

    Args:
        wanted: variable name -> shape.
        arrays: what a checkpoint holds under the same prefix.

    Raises:
        SpecError: one line that names the first difference.
    """
    for name, shape in wanted.items():
        if name not in arrays:
            raise SpecError(f"checkpoint has no array '{name}'")
        if tuple(arrays[name].shape) != tuple(shape):
            raise SpecError(
                f"checkpoint array '{name}': wanted shape {tuple(shape)}, "
                f"got {tuple(arrays[name].shape)}"
            )
