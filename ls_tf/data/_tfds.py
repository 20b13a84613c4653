"""TensorFlow Datasets, decoded once and kept as plain arrays.

The first load decodes a split and leaves it as ``.npy`` files under
``<data_dir>/ls_tf_arrays``; later loads read those and import neither
TensorFlow nor TFDS.
"""

import contextlib
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from ls_tf.data import _dataset
from ls_tf.data._dataset import Arrays, DataError, DatasetInfo

_CACHE = "ls_tf_arrays"
_CACHE_VERSION = 1
_KEYS = ("image", "label")
_BATCH = 1000
_PROBE_SECONDS = 5.0


def load(
    info: DatasetInfo, split: str, *, data_dir: str | os.PathLike[str] | None
) -> Arrays:
    """Loads a split, or a part of one, of a TFDS data set.

    Args:
        info: the data set; ``info.tfds`` is its name in TFDS.
        split: see ``_dataset.parse_split``.
        data_dir: where TFDS data lies; None means ``$TFDS_DATA_DIR``, or
            ``~/tensorflow_datasets`` if that is not set. May be ``gs://``.

    Returns:
        ``image`` uint8 [N, H, W, C] and ``label`` int32 [N], in the order of
        the TFDS files.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, unreadable, damaged, or not as
            ``info`` promises.

    Source: ours.
    """
    base, start, stop = _dataset.parse_split(split, info.sizes)
    folder = _find_data_dir(info, data_dir)
    cache = folder / _CACHE / str(info.tfds)
    arrays = _read_cache(cache, base)
    if arrays is None:
        arrays, origin = _decode(info, base, folder)
        _dataset.check(info, base, arrays)
        _write_cache(cache, base, arrays, origin)
    else:
        _dataset.check(info, base, arrays)
    return {key: value[start:stop] for key, value in arrays.items()}


def _find_data_dir(
    info: DatasetInfo, data_dir: str | os.PathLike[str] | None
) -> epath.Path:
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    folder = epath.Path(named or "~/tensorflow_datasets").expanduser()
    try:
        exists, is_dir = folder.exists(), folder.is_dir()
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"{info.name}: cannot look into data_dir {folder}: "
            f"{_dataset.line(error)}"
        ) from error
    if named and not exists:
        raise DataError(
            f"{info.name}: data_dir {folder} does not exist; create it, or "
            "point --data_dir or TFDS_DATA_DIR to where the data lies"
        )
    if exists and not is_dir:
        raise DataError(f"{info.name}: data_dir {folder} is not a directory")
    local = "://" not in os.fspath(folder)
    if exists and local and not os.access(folder, os.R_OK | os.X_OK):
        raise DataError(f"{info.name}: no permission to read data_dir {folder}")
    return folder


# --- The cache of decoded arrays --------------------------------------------


def _read_cache(cache: epath.Path, base: str) -> Arrays | None:
    """Gives the arrays of a split, or None if they must be decoded."""
    try:
        manifest = json.loads((cache / f"{base}.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        logging.warning(
            "Rebuilding %s/%s: %s", cache, base, _dataset.line(error)
        )
        return None
    try:
        if manifest["version"] != _CACHE_VERSION:
            return None
        arrays = {}
        for key in _KEYS:
            with (cache / f"{base}_{key}.npy").open("rb") as file:
                arrays[key] = np.load(file, allow_pickle=False)
            if _dataset.digest(arrays[key]) != manifest["sha256"][key]:
                raise ValueError(f"{base}_{key}.npy is not what was written")
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        logging.warning(
            "Rebuilding %s/%s: %s", cache, base, _dataset.line(error)
        )
        return None
    return arrays


def _write_cache(
    cache: epath.Path, base: str, arrays: Arrays, origin: str
) -> None:
    """Keeps the arrays of a split if the directory can be written."""
    manifest = {
        "version": _CACHE_VERSION,
        "origin": origin,
        "count": len(arrays["label"]),
        "sha256": {key: _dataset.digest(arrays[key]) for key in _KEYS},
    }
    # Every file appears under its name only when it is whole, and the
    # manifest last: a reader finds all of it or nothing. The names are the
    # process's own, for two processes may fill one cache.
    suffix = f".{os.getpid()}.tmp"
    names = [f"{base}_{key}.npy" for key in _KEYS] + [f"{base}.json"]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for key in _KEYS:
            with (cache / f"{base}_{key}.npy{suffix}").open("wb") as file:
                np.save(file, arrays[key], allow_pickle=False)
        (cache / f"{base}.json{suffix}").write_text(
            json.dumps(manifest, indent=2) + "\n"
        )
        for name in names:
            (cache / f"{name}{suffix}").replace(cache / name)
    except Exception as error:  # Cloud file systems raise errors of their own.
        logging.warning(
            "Going on without a cache of decoded arrays in %s: %s",
            cache,
            _dataset.line(error),
        )
        for name in names:
            try:
                (cache / f"{name}{suffix}").unlink(missing_ok=True)
            except Exception:
                break


# --- TFDS -------------------------------------------------------------------


def _decode(
    info: DatasetInfo, base: str, folder: epath.Path
) -> tuple[Arrays, str]:
    """Decodes a whole split; gives it and the name of what was read."""
    import tensorflow_datasets as tfds

    try:
        with _quiet():
            builder = tfds.builder(info.tfds, data_dir=os.fspath(folder))
            prepared = builder.is_prepared()
    except Exception as error:  # TFDS raises nearly anything.
        raise DataError(
            f"{info.name}: cannot read its TFDS description in {folder}: "
            f"{_dataset.line(error)}"
        ) from error
    if not prepared:
        _download(info, builder, folder)
    try:
        with _quiet():
            arrays = _read_records(builder, base)
    except Exception as error:
        raise DataError(
            f"{info.name}/{base}: the TFDS files in {builder.data_path} "
            f"cannot be read or are damaged: {_dataset.line(error)}"
        ) from error
    return arrays, str(builder.info.full_name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the warnings of TFDS; what matters comes as an exception."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _read_records(builder: Any, base: str) -> Arrays:
    import tensorflow_datasets as tfds

    dataset = builder.as_dataset(
        split=base,
        batch_size=_BATCH,
        shuffle_files=False,
        # One file after the other: the order of the examples is part of what
        # "train[:50000]" means.
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False
        ),
    )
    batches = [
        (batch["image"], batch["label"]) for batch in tfds.as_numpy(dataset)
    ]
    images, labels = zip(*batches, strict=True)
    return {
        "image": np.concatenate(images),
        "label": np.concatenate(labels).astype(np.int32),
    }


def _download(info: DatasetInfo, builder: Any, folder: epath.Path) -> None:
    """Lets TFDS fetch and prepare the data set."""
    try:
        # TFDS retries for minutes where there is no network at all.
        _probe(builder.url_infos or ())
        builder.download_and_prepare()
    except Exception as error:
        raise DataError(
            f"{info.name}: not in {folder} (looked for {builder.data_path}), "
            f"and it cannot be downloaded ({_dataset.line(error)}); run "
            "`python -m tensorflow_datasets.scripts.cli.main build "
            f"{info.tfds} --data_dir={folder}` where there is a network, or "
            "point --data_dir or TFDS_DATA_DIR to where it lies"
        ) from error


def _probe(urls: Iterable[str]) -> None:
    """Raises OSError within seconds if a host of the URLs does not answer."""
    hosts: dict[str, str] = {}
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme in ("http", "https"):
            hosts.setdefault(parts.netloc, url)
    for host, url in hosts.items():
        outcome: list[BaseException | None] = []
        # The look-up of a name knows no time limit, hence the thread.
        thread = threading.Thread(
            target=_probe_one, args=(url, outcome), daemon=True
        )
        thread.start()
        thread.join(_PROBE_SECONDS)
        if not outcome:
            raise TimeoutError(f"{host} does not answer")
        if outcome[0] is not None:
            raise ConnectionError(
                f"{host} cannot be reached: {outcome[0]}"
            ) from outcome[0]


def _probe_one(url: str, outcome: list[BaseException | None]) -> None:
    request = urllib.request.Request(url, method="HEAD")
    try:
        # Like TFDS, this goes through a proxy if the environment names one.
        with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):
            outcome.append(None)
    except urllib.error.HTTPError as error:
        # Some hosts dislike HEAD; only a server that is ill stops us here.
        outcome.append(error if error.code >= 500 else None)
    except Exception as error:
        outcome.append(error)
