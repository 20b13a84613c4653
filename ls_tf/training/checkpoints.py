"""Checkpoints that any engine can write and read.

A checkpoint is a folder ``step-000001000`` with one safetensors file of named
arrays (no pickle) and a manifest of their names, shapes, dtypes and the
file's SHA-256. It is written under a temporary name and renamed, and the one
before it is kept, so that a kill, a full disk or a damaged file costs at most
the steps since the previous checkpoint.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from absl import logging
from etils.epath import Path
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from ls_tf.records.arrays import DamageError, decoded, description
from ls_tf.records.files import json_bytes, leftovers, write_folder
from ls_tf.spec import SpecError

_ARRAYS = "arrays.safetensors"
_MANIFEST = "manifest.json"
KEPT = 2


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some step."""

    step: int
    arrays: Mapping[str, np.ndarray]
    extra: Mapping[str, Any]  # JSON: seconds trained so far


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
        "version": 1,
        "step": checkpoint.step,
        **description(data, arrays),
        "extra": dict(checkpoint.extra),
    }
    write_folder(
        folder / _name(checkpoint.step),
        {_ARRAYS: data, _MANIFEST: json_bytes(manifest)},
    )
    for old in steps(folder)[:-KEPT]:
        (folder / _name(old)).rmtree()


def sweep(folder: Path) -> None:
    """Removes what a kill left half-written."""
    for path in leftovers(folder):
        path.rmtree()


def steps(folder: Path) -> list[int]:
    """Lists the steps that have a checkpoint, in order."""
    if not folder.exists():
        return []
    return sorted(
        int(path.name.removeprefix("step-"))
        for path in folder.iterdir()
        if path.name.startswith("step-")
    )


def read(folder: Path, step: int) -> Checkpoint:
    """Reads one checkpoint and checks it against its manifest.

    Raises:
        CheckpointError: missing, truncated or altered.
    """
    path = folder / _name(step)
    try:
        manifest = json.loads((path / _MANIFEST).read_text())
        arrays = decoded(
            (path / _ARRAYS).read_bytes(),
            manifest,
            safetensors.load,
            f"checkpoint {path}",
        )
        return Checkpoint(int(manifest["step"]), arrays, manifest["extra"])
    except DamageError as error:
        raise CheckpointError(str(error)) from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"checkpoint {path} cannot be read: {error}"
        ) from None


def digest(folder: Path, step: int) -> str:
    """Gives the SHA-256 of a checkpoint's arrays, as its manifest says.

    Args:
        folder: the run's ``checkpoints``.
        step: of a checkpoint that was read.

    Source: ours.
    """
    manifest = json.loads((folder / _name(step) / _MANIFEST).read_text())
    return str(manifest["sha256"])


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
