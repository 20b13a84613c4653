"""Prepared files: the arrays of an experiment in one portable file.

A prepared file is a compressed NumPy archive of whole splits. Where it is
given in place of a data directory, neither TensorFlow nor TFDS is needed, so
that a machine with NumPy, Keras and JAX alone can train; for translation,
sentencepiece is not needed either.

The archive holds an array ``<split>/<key>`` for each array of each split,
for translation also ``subwords/model``, the vocabulary's model, and
``manifest``: JSON as bytes, with the version of the format, what the arrays
are, and their digests.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from etils import epath

from ls_tf import started, stopping
from ls_tf.pipeline import contract, text_pairs
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo
from ls_tf.pipeline.text_pairs import TextInfo
from ls_tf.records.arrays import digests, intact, npz, open_npz
from ls_tf.records.files import json_bytes, write_bytes
from ls_tf.records.reading import line

SUFFIX = ".npz"
VERSION = 1
_MANIFEST = "manifest"
_SUBWORDS = "subwords"  # No split: what the splits have in common.


def is_prepared(data_dir: str | os.PathLike[str] | None) -> bool:
    """Tells whether a data directory is in truth a prepared file.

    Args:
        data_dir: what was given as the data directory; None means TFDS's own
            default.

    Returns:
        True for a name that ends in ``.npz``, whether or not there is such a
        file, unless it is that of a directory.

    Source: ours.
    """
    if data_dir is None or not os.fspath(data_dir).endswith(SUFFIX):
        return False
    try:
        return not epath.Path(data_dir).expanduser().is_dir()
    except Exception:  # Cloud file systems raise errors of their own.
        return True  # Reading it says what is wrong.


def target(path: str | os.PathLike[str]) -> epath.Path:
    """Checks the name of a prepared file that is to be written.

    Args:
        path: the file; may be ``gs://``.

    Returns:
        The path.

    Raises:
        DataError: if reading would not take it for a prepared file.

    Source: ours.
    """
    if not is_prepared(path):
        raise DataError(
            f"cannot write a prepared file to {os.fspath(path)}: wanted the "
            f"name of a file that ends in {SUFFIX}"
        )
    return epath.Path(path).expanduser()


def write(
    path: str | os.PathLike[str],
    *,
    experiment: str,
    info: DatasetInfo | TextInfo,
    splits: Mapping[str, Arrays],
    subwords: Mapping[str, Any] | None = None,
) -> None:
    """Writes whole splits of a data set; a file that is there is replaced.

    The file appears under its name only when it is whole. The same arrays
    give the same bytes.

    Args:
        path: the file, ``*.npz``; may be ``gs://``. Its parents are made.
        experiment: for whom it is made; it serves others on the same data.
        info: the data set.
        splits: base split ("train", "test") -> its arrays, all of them.
        subwords: for texts: ``model``, a uint8 array, and what the manifest
            is to say of it.

    Raises:
        DataError: if the name is wrong, the arrays are not as ``info``
            promises, or the file cannot be written.

    Source: ours.
    """
    file = target(path)
    arrays: Arrays = {}
    for base, whole in splits.items():
        stopping.look()
        _check(info, base, whole)
        arrays |= {f"{base}/{key}": array for key, array in whole.items()}
    manifest: dict[str, Any] = {
        "version": VERSION,
        "experiment": experiment,
        "data_set": info.name,
        "origin": info.tfds or info.name,
        "source": info.source,
        "licence": info.licence,
        "sizes": {base: info.sizes[base] for base in splits},
    }
    if isinstance(info, DatasetInfo) and info.is_own:
        manifest["class_names"] = list(info.class_names)
    if subwords is not None:
        arrays[f"{_SUBWORDS}/model"] = subwords["model"]
        manifest[_SUBWORDS] = {
            key: value for key, value in subwords.items() if key != "model"
        }
    manifest["sha256"] = digests(arrays)
    arrays[_MANIFEST] = np.frombuffer(json_bytes(manifest), np.uint8)
    try:
        # To compress a large data set takes longer than a stop may.
        write_bytes(file, stopping.aside(lambda: npz(arrays)))
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"cannot write prepared file {file}: {line(error)}"
        ) from error


def own(
    blank: DatasetInfo, source: str, path: str | os.PathLike[str]
) -> DatasetInfo:
    """Gives the contract of the user's own images from a prepared file.

    Args:
        blank: what their module says of them.
        source: which they are, and how they were read.
        path: the file; may be ``gs://``.

    Raises:
        DataError: as ``load``, or they are others.

    Source: ours.
    """
    file = epath.Path(path).expanduser()
    manifest, splits = _read(*_state(blank, file))
    if "class_names" not in manifest or manifest.get("source") != source:
        raise DataError(
            f"prepared file {file} holds data set {manifest['data_set']} "
            f"({manifest.get('source')}); wanted {blank.name} of "
            f"data.source={source}; {advice()}"
        )
    names = tuple(manifest["class_names"])
    return dataclasses.replace(
        blank,
        name=manifest["data_set"],
        sizes=dict(manifest["sizes"]),
        image_shape=next(
            s["image"].shape[1:] for s in splits.values() if "image" in s
        ),
        num_classes=len(names),
        class_names=names,
        source=source,
        is_own=True,
    )


def load(info: DatasetInfo, split: str, path: str | os.PathLike[str]) -> Arrays:
    """Loads a split or a part of one from a prepared file.

    The arrays of the last file stay in memory, so that asking again, also
    for another split, does not decompress again.

    Args:
        info: the data set that is wanted.
        split: see ``contract.parse_split``.
        path: the file; may be ``gs://``.

    Returns:
        What ``load`` of the data set's module gives; the arrays cannot be
        written to.

    Raises:
        ValueError: if the data set has no such split.
        DataError: if the file is missing, damaged, no prepared file, of a
            newer version, of another data set, lacks the split, or is not as
            ``info`` promises.

    Source: ours.
    """
    base, start, stop = contract.parse_split(split, info.sizes)
    _, splits = whole(info, (base,), path)
    return {key: value[start:stop] for key, value in splits[base].items()}


def whole(
    info: DatasetInfo | TextInfo,
    bases: Iterable[str],
    path: str | os.PathLike[str],
) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Loads whole splits, and what the file says of itself.

    Args:
        info: the data set that is wanted.
        bases: names of the splits that are wanted.
        path: the file; may be ``gs://``.

    Returns:
        The manifest, and the arrays of everything that the file holds.

    Raises:
        DataError: as ``load``.

    Source: ours.
    """
    file = epath.Path(path).expanduser()
    manifest, splits = _read(*_state(info, file))
    holds = f"prepared file {file} holds"
    if manifest["data_set"] != info.name:
        raise DataError(
            f"{holds} data set {manifest['data_set']}, prepared for "
            f"experiment {manifest['experiment']}; wanted {info.name}; "
            + advice()
        )
    for base in bases:
        if base not in manifest["sizes"]:
            raise DataError(
                f"{holds} of {info.name} only {', '.join(manifest['sizes'])}, "
                f"prepared for experiment {manifest['experiment']}; wanted "
                f"{base}; {advice()}"
            )
        _check(info, base, splits[base])
    return manifest, splits


def _check(info: DatasetInfo | TextInfo, base: str, arrays: Arrays) -> None:
    if not isinstance(info, TextInfo):
        contract.check(info, base, arrays)
    elif info.sizes:  # Without, the user's files decided.
        text_pairs.check(info, base, arrays)


def advice() -> str:
    """Says how a prepared file is made."""
    made = started.command(["--experiment=NAME", "--mode=prepare"])
    return f"make one with: {made}"


def _state(
    info: DatasetInfo | TextInfo, file: epath.Path
) -> tuple[str, int, int]:
    """Gives name, time of the last change and size of a file."""
    name = os.fspath(file)
    try:
        if "://" not in name:  # epath's own answer is in whole seconds.
            local = os.stat(name)
            return name, local.st_mtime_ns, local.st_size
        stat = file.stat()
        return name, stat.mtime, stat.length
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{info.name}: no prepared file {file}; {advice()}"
        ) from error
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"{info.name}: cannot read prepared file {file}: {line(error)}"
        ) from error


@functools.lru_cache(maxsize=1)
def _read(
    name: str, changed: int, size: int
) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Reads and checks a file; time and size tell one state from another."""
    del changed, size
    try:
        archive = open_npz(epath.Path(name))
        manifest = json.loads(bytes(archive[_MANIFEST]))
        if manifest["version"] <= VERSION:
            return _checked(manifest), _arrays(manifest, archive)
    except Exception as error:  # A damaged archive raises nearly anything.
        raise DataError(
            f"{name} is damaged or no prepared file ({line(error)}); "
            + advice()
        ) from error
    raise DataError(
        f"prepared file {name} has version {manifest['version']}; this "
        f"program reads up to {VERSION}: use a newer ls_tf"
    )


def _checked(manifest: dict[str, Any]) -> dict[str, Any]:
    for key in ("data_set", "experiment"):
        if not isinstance(manifest[key], str):
            raise TypeError(f"manifest: {key} is no text")
    return manifest


def _arrays(
    manifest: Mapping[str, Any], archive: Mapping[str, np.ndarray]
) -> dict[str, Arrays]:
    splits: dict[str, Arrays] = {base: {} for base in manifest["sizes"]}
    if _SUBWORDS in manifest:
        splits[_SUBWORDS] = {}
    for name, wanted in manifest["sha256"].items():
        array = intact(archive[name], wanted, f"array {name}")
        # What is kept for the next caller must not change under it.
        array.flags.writeable = False
        base, _, key = name.partition("/")
        splits[base][key] = array
    return splits
