"""Arrays kept as plain files, so that what made them need not be done again.

What is kept lies under ``<data_dir>/ls_tf_arrays``: for each name a manifest
``<name>.json`` with digests, and ``<name>_<key>.npy`` for each array.
"""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from ls_tf.pipeline.contract import Arrays
from ls_tf.records.arrays import digests, intact, read_npy
from ls_tf.records.files import Contents, remove, write_files
from ls_tf.records.local import plain
from ls_tf.records.reading import line

FOLDER = "ls_tf_arrays"
VERSION = 1


def folder(
    data_dir: str | os.PathLike[str] | None, *, make: bool = False
) -> epath.Path | None:
    """Finds where arrays of data that needs no data directory can be kept.

    Args:
        data_dir: as given by the user; None means ``$TFDS_DATA_DIR``, or
            TFDS's own default.
        make: whether to make a data directory that is missing; a warning
            says so, or why it cannot be made.

    Returns:
        ``<data_dir>/ls_tf_arrays``; None if there is no such data directory.

    Source: ours.
    """
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    path = epath.Path(named or "~/tensorflow_datasets").expanduser()
    try:
        if path.is_dir():
            return path / FOLDER
        if not make:
            return None
        write_files(path / FOLDER, {})
    except Exception as error:  # Cloud file systems raise errors of their own.
        if make:
            logging.warning(
                "Going on without a cache, each start will take as long: "
                "cannot make %s: %s; --data_dir names another folder",
                path,
                line(error),
            )
        return None
    logging.warning("Made %s: the next start finds there what is kept", path)
    return path / FOLDER


def read(
    cache: epath.Path,
    name: str,
    keys: Iterable[str],
    about: Mapping[str, Any] | None = None,
    *,
    mapped: bool = False,
) -> Arrays | None:
    """Reads what ``write`` kept.

    Args:
        cache: the directory.
        name: of the whole, e.g. of a split.
        keys: names of the arrays.
        about: what the manifest has to say, of what ``write`` was given.
        mapped: whether local files are mapped into memory, not copied.

    Returns:
        The arrays; None if they are not there, or are damaged or others, the
        latter with a warning.

    Source: ours.
    """
    file = cache / f"{name}.json"
    try:
        if not file.exists():
            return None
        manifest = json.loads(plain(file).read_bytes())
        wanted = {"version": VERSION, **(about or {})}
        for field, value in wanted.items():
            if manifest[field] != value:
                raise ValueError(f"another {field} is wanted")
        return {
            key: intact(
                np.asarray(
                    read_npy(cache / f"{name}_{key}.npy", mapped=mapped)
                ),
                manifest["sha256"][key],
                f"{name}_{key}.npy",
            )
            for key in keys
        }
    except Exception as error:  # What is damaged raises nearly anything.
        logging.warning("Rebuilding %s/%s: %s", cache, name, line(error))
        return None


def write(
    cache: epath.Path, name: str, arrays: Arrays, about: Mapping[str, Any]
) -> None:
    """Keeps arrays if the directory can be written; else warns and goes on.

    Args:
        cache: the directory; it is made.
        name: of the whole, e.g. of a split.
        arrays: what to keep.
        about: what the manifest says beside version and digests.

    Source: ours.
    """
    manifest = {"version": VERSION, **about, "sha256": digests(arrays)}
    text = json.dumps(manifest, indent=2) + "\n"
    # The manifest last: a reader finds all of it or nothing.
    files: Contents = {
        **{f"{name}_{key}.npy": a for key, a in arrays.items()},
        f"{name}.json": text.encode(),
    }
    try:
        for file in files:
            if (cache / file).is_dir():  # No file takes its place.
                remove(cache / file)
        write_files(cache, files)
    except Exception as error:  # Cloud file systems raise errors of their own.
        logging.warning(
            "Going on without a cache in %s: %s", cache, line(error)
        )
