"""Named arrays on disk: encoded, and told by their SHA-256.

The array cache and the prepared files of ``pipeline``, the tables and the
checkpoints of ``training`` and the arrays of measurements are made of these.
Each says in its own manifest what it keeps; ``files`` makes it whole or not
there.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils.epath import Path

from ls_tf.records.files import json_bytes
from ls_tf.records.local import plain

_SEAL = "digest"


class DamageError(ValueError):
    """Arrays that are not what was written; the message is one line."""


def digest(array: np.ndarray, *, values_only: bool = False) -> str:
    """SHA-256 of an array's dtype, shape and values, as hex."""
    head = "" if values_only else f"{array.dtype.str} {array.shape} "
    hashed = hashlib.sha256(head.encode())
    hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


def digests(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The ``digest`` of each array, for a manifest."""
    return {name: digest(array) for name, array in arrays.items()}


def intact(array: np.ndarray, wanted: str, name: str) -> np.ndarray:
    """Gives an array back, if it has the digest that its manifest says.

    Raises:
        DamageError: it was altered; calls it by its name.
    """
    if digest(array) != wanted:
        raise DamageError(f"{name} is not what was written")
    return array


def sealed(fields: Mapping[str, Any]) -> bytes:
    """Encodes a manifest; its last field is the SHA-256 of all others."""
    seal = hashlib.sha256(json_bytes(fields)).hexdigest()
    return json_bytes({**fields, _SEAL: seal})


def unsealed(data: bytes, name: str) -> dict[str, Any]:
    """Decodes a manifest, if every byte is as ``sealed`` wrote it.

    Raises:
        DamageError: it was altered; calls it by its name.
        ValueError, RecursionError: it is no JSON.
    """
    fields = json.loads(data)
    if isinstance(fields, dict):
        fields.pop(_SEAL, None)
        if sealed(fields) == data:
            return fields
    raise DamageError(f"{name} is not what was written")


def read_npy(file: Path, *, mapped: bool = False) -> np.ndarray:
    """Reads a file of one array; a local one can be mapped, not copied.

    Raises:
        OSError, ValueError, EOFError: missing, no such file, or cut short.
    """
    plain(file)
    if mapped and "://" not in str(file):
        array: np.ndarray = np.load(str(file), mmap_mode="r")
    else:
        with file.open("rb") as opened:
            array = np.load(opened, allow_pickle=False)
    return array


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Encodes arrays as one compressed archive; equal arrays, equal bytes."""
    # In memory: an archive needs a file that can be wound back, which one in
    # a bucket cannot.
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def open_npz(file: Path) -> Mapping[str, np.ndarray]:
    """Opens what ``npz`` made; an array is decoded when it is asked for.

    Raises:
        OSError, ValueError, EOFError, BadZipFile: missing or no archive.
    """
    return decode_npz(plain(file).read_bytes())


def decode_npz(data: bytes) -> Mapping[str, np.ndarray]:
    """Opens the bytes of an archive, as ``open_npz`` does those of a file."""
    archive = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise DamageError("it is a single array")
    opened: Mapping[str, np.ndarray] = archive
    return opened


@dataclass(frozen=True)
class Form:
    """What an array must be like, for those who read it.

    Attributes:
        axes: the length of each, in words: a number; a name, which stands for
            one length in all arrays of a measurement; a name and ``+1``.
        low: the lowest value.
        high: the highest.
        may_lack: whether values may be NaN.
    """

    axes: str
    low: float = -float(np.finfo(np.float64).max)
    high: float = float(np.finfo(np.float64).max)
    may_lack: bool = False


def unlike(
    arrays: Mapping[str, np.ndarray], forms: Mapping[str, Form]
) -> str | None:
    """Says which array is not of its form.

    Args:
        arrays: all that ``forms`` names, and others.
        forms: name of an array -> its form.

    Returns:
        str: one line: which, what was wanted and what came; None if all are.

    Source: ours.
    """
    lengths: dict[str, int] = {}
    for name, form in forms.items():
        array = arrays[name]
        if array.dtype.kind not in "biuf":
            return f"array {name}: wanted numbers, got {array.dtype}"
        words = form.axes.split()
        wanted: list[int] = []
        for word, length in zip(words, array.shape, strict=False):
            symbol, _, more = word.partition("+")
            number = (
                int(symbol) if symbol.isdigit() else length - int(more or 0)
            )
            wanted.append(lengths.setdefault(symbol, number) + int(more or 0))
        if tuple(wanted) != array.shape or len(words) != array.ndim:
            known = " ".join(f"{k}={v}" for k, v in lengths.items())
            return (
                f"array {name}: wanted axes [{form.axes}], {known}, got "
                f"{list(array.shape)}"
            )
        values = array.astype(np.float64)
        lacks = np.isnan(values)
        low, high = form.low, form.high
        if (lacks.any() and not form.may_lack) or not (
            lacks | ((values >= low) & (values <= high))
        ).all():
            return f"array {name}: wanted values from {low:g} to {high:g}" + (
                " or NaN" if form.may_lack else ""
            )
    return None


def _form(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": str(array.dtype)}


def description(
    data: bytes, arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """What a manifest says of one file and of the arrays encoded in it."""
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "arrays": {name: _form(array) for name, array in arrays.items()},
    }


def decoded(
    data: bytes,
    manifest: Mapping[str, Any],
    decode: Callable[[bytes], dict[str, np.ndarray]],
    name: str,
) -> dict[str, np.ndarray]:
    """Decodes a file, if it is as its ``description`` in a manifest says.

    Raises:
        DamageError: truncated or altered; calls it by its name.
        KeyError: the manifest lacks a field.
    """
    if len(data) != manifest["bytes"]:
        raise DamageError(
            f"{name} is truncated: wanted {manifest['bytes']} bytes, got "
            f"{len(data)}"
        )
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise DamageError(
            f"{name} is corrupted: its SHA-256 differs from the manifest's"
        )
    arrays, forms = decode(data), manifest["arrays"]
    for key in sorted({*arrays, *forms}):
        if key not in arrays or _form(arrays[key]) != forms.get(key):
            raise DamageError(
                f"{name}: array {key} is not as its manifest says"
            )
    return arrays
