"""What a verdict is given: the arrays of one network, checked."""

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils.epath import Path

from ls_tf import geometry
from ls_tf.analysis import given
from ls_tf.analysis.outputs import Array
from ls_tf.records.arrays import decode_npz
from ls_tf.records.files import RunError, read
from ls_tf.records.reading import reading

_NAMES = ("logits", "probabilities", "labels", "features", "weights", "bias")


class InputError(ValueError):
    """Arrays that no verdict can be given on; the message is one line."""


@dataclass(frozen=True, eq=False)
class Network:
    """The arrays of one network on one set of examples.

    Attributes:
        name: "hard" or "smoothed".
        source: where they are from, for the page.
        digest: SHA-256 of the file; "" for arrays in memory.
        logits: float [N, K].
        labels: int64 [N].
        features: float [N, D], or None.
        weights: float [D, K] of the last layer, or None.
        bias: float [K] of the last layer, or None.
    """

    name: str
    source: str
    digest: str
    logits: Array
    labels: Array
    features: Array | None = None
    weights: Array | None = None
    bias: Array | None = None


def network(
    name: str,
    where: str | os.PathLike[str] | Mapping[str, Any],
    order: geometry.Order | None = None,
) -> Network:
    """Reads and checks the arrays of a network.

    Args:
        name: "hard" or "smoothed".
        where: a file of ``numpy.savez``, or arrays by name, of any framework:
            ``logits`` [N, K] (or ``probabilities``) and ``labels`` [N]; if
            there are any ``features`` [N, D], ``weights`` [D, K] or [K, D]
            and ``bias`` [K] of the last layer.
        order: of the weights, where D is K; see ``geometry.kernel``.

    Returns:
        Network.

    Raises:
        InputError: a file that cannot be read, a missing or unknown array, or
            one that is not as above; one line.

    Source: ours.
    """
    digest = ""
    if isinstance(where, Mapping):
        source, arrays = f"the arrays of '{name}'", dict(where)
    else:
        source = os.fspath(where)
        arrays, digest = _read(source)
    try:
        return Network(name, source, digest, **_checked(arrays, order))
    except ValueError as error:
        raise InputError(f"{source}: {error}") from None


def _read(file: str) -> tuple[dict[str, Array], str]:
    what = "archive of numpy.savez"
    try:
        data = read(Path(file), what)
    except RunError as error:
        raise InputError(str(error)) from None
    if data is None:
        raise InputError(f"{file} cannot be read: it is not there")
    with reading(file, what, InputError):
        archive = decode_npz(data)
        arrays = {name: archive[name] for name in archive if name in _NAMES}
        arrays |= {name: np.zeros(0) for name in archive if name not in _NAMES}
    return arrays, hashlib.sha256(data).hexdigest()


def _checked(
    arrays: Mapping[str, Any], order: geometry.Order | None
) -> dict[str, Array]:
    there = ", ".join(arrays) or "none"
    if unknown := [name for name in arrays if name not in _NAMES]:
        raise ValueError(
            f"no array '{unknown[0]}' is known; known: {', '.join(_NAMES)}"
        )
    if ("logits" in arrays) == ("probabilities" in arrays):
        raise ValueError(
            f"wanted an array 'logits' or 'probabilities', got {there}"
        )
    if "labels" not in arrays:
        raise ValueError(f"wanted an array 'labels', got {there}")
    kind = "logits" if "logits" in arrays else "probabilities"
    with warnings.catch_warnings():
        warnings.simplefilter("error", given.ProbabilityWarning)
        try:
            rows, labels, _ = given.examples(
                arrays[kind],
                arrays["labels"],
                from_probabilities=kind == "probabilities",
            )
        except given.ProbabilityWarning:
            raise ValueError(
                "all rows of the logits lie in [0, 1] and sum to 1: if they "
                "are probabilities, name the array 'probabilities'"
            ) from None
    if rows.shape[1] < 2 or len(rows) < 2:
        raise ValueError(
            f"wanted 2 or more examples and classes, got shape {rows.shape}"
        )
    return {"logits": rows, "labels": labels} | _last_layer(
        arrays, labels, rows.shape[1], order
    )


def _last_layer(
    arrays: Mapping[str, Any],
    labels: Array,
    num_classes: int,
    order: geometry.Order | None,
) -> dict[str, Array]:
    """The optional arrays."""
    names = [n for n in ("features", "weights", "bias") if n in arrays]
    for name, before in (("weights", "features"), ("bias", "weights")):
        if name in names and before not in names:
            raise ValueError(f"'{name}' goes with '{before}' only")
    found = {name: given.array(arrays[name], name) for name in names}
    if "features" in found:
        shape = found["features"].shape
        if len(shape) != 2 or shape[0] != len(labels) or not shape[1]:
            raise ValueError(
                f"wanted features [{len(labels)}, D], got shape {shape}"
            )
    if "weights" in found:
        width = found["features"].shape[1]
        found["weights"] = geometry.kernel(found["weights"], width, order)
        if found["weights"].shape[1] != num_classes:
            raise ValueError(
                f"wanted weights of {num_classes} classes, got "
                f"{found['weights'].shape[1]}"
            )
    if "bias" in found and found["bias"].shape != (num_classes,):
        raise ValueError(
            f"wanted a bias [{num_classes}], got shape {found['bias'].shape}"
        )
    for name, array in found.items():
        found[name] = array.astype(np.float64)
        if not np.isfinite(found[name]).all():
            raise ValueError(f"wanted finite {name}, got NaN or infinity")
    return found
