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

from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import Arrays

FOLDER = "ls_tf_arrays"
VERSION = 1


def folder(data_dir: str | os.PathLike[str] | None) -> epath.Path | None:
    """Finds where arrays of data that needs no data directory can be kept.

    Args:
        data_dir: as given by the user; None means ``$TFDS_DATA_DIR``, or
            TFDS's own default.

    Returns:
        ``<data_dir>/ls_tf_arrays``; None if there is no such data directory.

    Source: ours.
    """
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    path = epath.Path(named or "~/tensorflow_datasets").expanduser()
    try:
        return path / FOLDER if path.is_dir() else None
    except Exception:  # Cloud file systems raise errors of their own.
        return None


def read(cache: epath.Path, name: str, keys: Iterable[str]) -> Arrays | None:
    """Reads what ``write`` kept.

    Args:
        cache: the directory.
        name: of the whole, e.g. of a split.
        keys: names of the arrays.

    Returns:
        The arrays; None if they are not there or damaged, the latter with a
        warning.

    Source: ours.
    """
    try:
        manifest = json.loads((cache / f"{name}.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        logging.warning(
            "Rebuilding %s/%s: %s", cache, name, contract.line(error)
        )
        return None
    try:
        if manifest["version"] != VERSION:
            return None
        arrays = {}
        for key in keys:
            with (cache / f"{name}_{key}.npy").open("rb") as file:
                arrays[key] = np.load(file, allow_pickle=False)
            if contract.digest(arrays[key]) != manifest["sha256"][key]:
                raise ValueError(f"{name}_{key}.npy is not what was written")
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        logging.warning(
            "Rebuilding %s/%s: %s", cache, name, contract.line(error)
        )
        return None
    return arrays


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
    manifest = {
        "version": VERSION,
        **about,
        "sha256": {key: contract.digest(a) for key, a in arrays.items()},
    }
    # Every file appears under its name only when it is whole, and the
    # manifest last: a reader finds all of it or nothing. The names are the
    # process's own, for two processes may fill one cache.
    suffix = f".{os.getpid()}.tmp"
    names = [f"{name}_{key}.npy" for key in arrays] + [f"{name}.json"]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for key, array in arrays.items():
            with (cache / f"{name}_{key}.npy{suffix}").open("wb") as file:
                np.save(file, array, allow_pickle=False)
        (cache / f"{name}.json{suffix}").write_text(
            json.dumps(manifest, indent=2) + "\n"
        )
        for file_name in names:
            (cache / f"{file_name}{suffix}").replace(cache / file_name)
    except Exception as error:  # Cloud file systems raise errors of their own.
        logging.warning(
            "Going on without a cache in %s: %s", cache, contract.line(error)
        )
        for file_name in names:
            try:
                (cache / f"{file_name}{suffix}").unlink(missing_ok=True)
            except Exception:
                break
