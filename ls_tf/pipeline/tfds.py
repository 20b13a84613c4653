"""TensorFlow Datasets, decoded once and kept as plain arrays.

The first load decodes a split and leaves it as ``.npy`` files under
``<data_dir>/ls_tf_arrays``; later loads read those and import neither
TensorFlow nor TFDS.

A data set that TFDS lacks names a module whose import registers it there:
``builder`` of its ``INFO``.
"""

import contextlib
import importlib
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import array_cache, contract, text_pairs
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo
from ls_tf.pipeline.text_pairs import Pairs, TextInfo
from ls_tf.records.reading import line

_KEYS = ("image", "label")
_BATCH = 1000
_PROBE_SECONDS = 5.0


def load(
    info: DatasetInfo, split: str, *, data_dir: str | os.PathLike[str] | None
) -> Arrays:
    """Loads a split, or a part of one, of a TFDS data set.

    Args:
        info: the data set; ``info.tfds`` is its name in TFDS.
        split: see ``contract.parse_split``.
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
    base, start, stop = contract.parse_split(split, info.sizes)
    arrays = _whole(info, base, data_dir)
    return {key: value[start:stop] for key, value in arrays.items()}


def load_pairs(
    info: TextInfo, split: str, *, data_dir: str | os.PathLike[str] | None
) -> Pairs:
    """Loads a split, or a part of one, of a TFDS data set of translations.

    Args:
        info: the data set; ``info.tfds`` is its name in TFDS.
        split: see ``contract.parse_split``.
        data_dir: as for ``load``.

    Returns:
        The pairs, in the order of the TFDS files, without white space
        around the sentences.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, unreadable, damaged, or not as
            ``info`` promises.

    Source: ours; the stripping is tensor2tensor's.
    """
    base, start, stop = contract.parse_split(split, info.sizes)
    return text_pairs.unpack(_whole(info, base, data_dir)).part(start, stop)


def _whole(
    info: DatasetInfo | TextInfo,
    base: str,
    data_dir: str | os.PathLike[str] | None,
) -> Arrays:
    """Gives a whole split, from the cache if it is there, and checked."""
    folder = find_data_dir(info, data_dir)
    cache = folder / array_cache.FOLDER / str(info.tfds)
    keys = text_pairs.KEYS if isinstance(info, TextInfo) else _KEYS
    arrays = array_cache.read(cache, base, keys, mapped=True)
    if arrays is None:
        arrays, origin = _decode(info, base, folder)
        _check(info, base, arrays)
        about = {"origin": origin, "count": info.sizes[base]}
        array_cache.write(cache, base, arrays, about)
    else:
        _check(info, base, arrays)
    return arrays


def _check(info: DatasetInfo | TextInfo, base: str, arrays: Arrays) -> None:
    if isinstance(info, TextInfo):
        text_pairs.check(info, base, arrays)
    else:
        contract.check(info, base, arrays)


def find_data_dir(
    info: DatasetInfo | TextInfo, data_dir: str | os.PathLike[str] | None
) -> epath.Path:
    """Finds the data directory, or says what is wrong with it.

    Args:
        info: the data set that is wanted.
        data_dir: as given; see ``load``.

    Returns:
        The directory; TFDS's own default need not exist.

    Raises:
        DataError: it does not exist, is none, or cannot be read.

    Source: ours.
    """
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    folder = epath.Path(named or "~/tensorflow_datasets").expanduser()
    try:
        exists, is_dir = folder.exists(), folder.is_dir()
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"{info.name}: cannot look into data_dir {folder}: {line(error)}"
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


# --- TFDS -------------------------------------------------------------------


def _decode(
    info: DatasetInfo | TextInfo, base: str, folder: epath.Path
) -> tuple[Arrays, str]:
    """Decodes a whole split; gives it and the name of what was read."""
    made, is_prepared = builder(info, folder)
    if not is_prepared:
        made = downloaded(info, made, folder)
    try:
        with _quiet():
            if isinstance(info, TextInfo):
                arrays = _read_texts(info, made, base)
            else:
                arrays = _read_images(made, base)
    except Exception as error:
        raise DataError(
            f"{info.name}/{base}: the TFDS files in {made.data_path} "
            f"cannot be read or are damaged: {line(error)}"
        ) from error
    return arrays, str(made.info.full_name)


def builder(
    info: DatasetInfo | TextInfo, folder: epath.Path, **options: Any
) -> tuple[Any, bool]:
    """Gives what TFDS knows of a data set in a data directory.

    Args:
        info: the data set.
        folder: the data directory.
        **options: more arguments of ``tfds.builder``.

    Returns:
        The builder, and whether the set is prepared there.

    Raises:
        DataError: the description that lies there cannot be read.

    Source: ours.
    """
    with stopping.importing("TensorFlow Datasets"):
        import tensorflow_datasets as tfds

    if info.builder is not None:
        importlib.import_module(info.builder)
    try:
        with _quiet():
            made = tfds.builder(
                info.tfds, data_dir=os.fspath(folder), **options
            )
            return made, bool(made.is_prepared())
    except Exception as error:  # TFDS raises nearly anything.
        raise DataError(
            f"{info.name}: cannot read its TFDS description in {folder}: "
            f"{line(error)}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the warnings of TFDS; what matters comes as an exception."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def encoded(
    info: DatasetInfo, base: str, data_dir: str | os.PathLike[str] | None
) -> list[bytes] | None:
    """Gives the pictures of a whole split as they are stored.

    Returns:
        The bytes of each JPEG or PNG, in the order of ``load``; None if TFDS
        has not prepared the set here, or cannot be asked.

    Source: ours.
    """
    try:
        made, is_prepared = builder(info, find_data_dir(info, data_dir))
        if not is_prepared:
            return None
        import tensorflow_datasets as tfds

        skip = {"image": tfds.decode.SkipDecoding()}
        with _quiet():
            return [
                bytes(picture)
                for batch in _batches(made, base, decoders=skip)
                for picture in batch["image"]
            ]
    except Exception as error:  # TFDS raises nearly anything.
        logging.warning(
            "%s: its files cannot be had: %s", info.name, line(error)
        )
        return None


def examples(
    builder: Any, base: str, *, batch_size: int | None, **options: Any
) -> Iterator[dict[str, Any]]:
    """Gives the examples of a prepared split, in the order of its files.

    Args:
        builder: of ``builder``.
        base: the split.
        batch_size: None: one by one.
        **options: more of ``as_dataset``.

    Yields:
        Feature -> array, of an example or of a batch.
    """
    import tensorflow_datasets as tfds

    dataset = builder.as_dataset(
        split=base,
        batch_size=batch_size,
        **options,
        shuffle_files=False,
        # One file after the other: the order of the examples is part of what
        # "train[:50000]" means.
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False
        ),
    )
    for batch in tfds.as_numpy(dataset):
        stopping.look()
        yield batch


def _batches(
    builder: Any, base: str, **options: Any
) -> Iterator[dict[str, Any]]:
    return examples(builder, base, batch_size=_BATCH, **options)


def _read_images(builder: Any, base: str) -> Arrays:
    batches = [(b["image"], b["label"]) for b in _batches(builder, base)]
    images, labels = zip(*batches, strict=True)
    return {
        "image": np.concatenate(images),
        "label": np.concatenate(labels).astype(np.int32),
    }


def _read_texts(info: TextInfo, builder: Any, base: str) -> Arrays:
    sides: dict[str, list[str]] = {
        info.source_language: [],
        info.target_language: [],
    }
    for batch in _batches(builder, base):
        for language, texts in sides.items():
            texts += [
                text.decode().replace("\n", " ").strip()
                for text in batch[language].tolist()
            ]
    source, target = sides.values()
    return text_pairs.pack(Pairs(source, target))


def downloaded(
    info: DatasetInfo | TextInfo, made: Any, folder: epath.Path
) -> Any:
    """Lets TFDS fetch and prepare a data set.

    Args:
        info: the data set.
        made: see ``builder``.
        folder: the data directory.

    Returns:
        Who can read it: of two processes that prepare at once, one finds
        the other's folder.

    Raises:
        DataError: it cannot be had; says what to do.

    Source: ours.
    """
    # A builder of ours knows which files a person has put there.
    urls = getattr(made, "missing_urls", made.url_infos)
    how = (
        " --file_format=array_record"
        if isinstance(info, contract.RecordInfo)
        else ""
    )
    advice = getattr(
        made,
        "advice",
        "run `python -m tensorflow_datasets.scripts.cli.main build "
        f"{info.tfds}{how} --data_dir={folder}` where there is a network",
    )
    try:
        # TFDS retries for minutes where there is no network at all.
        _probe(urls or ())
        # What it says is not what the program was asked for.
        with contextlib.redirect_stdout(sys.stderr):
            stopping.aside(made.download_and_prepare)
        return made
    except DataError:
        raise
    except Exception as error:
        # Of two processes that prepare at once one finds the other's folder.
        with contextlib.suppress(Exception):
            theirs = type(made)(data_dir=os.fspath(folder))
            if theirs.is_prepared():
                return theirs
        raise DataError(
            f"{info.name}: not in {folder} (looked for {made.data_path}), "
            f"and it cannot be downloaded ({line(error)}); "
            f"{advice}, or point --data_dir or TFDS_DATA_DIR to where it lies"
        ) from error


def answers(url: str) -> bool:
    """Whether the host of a URL answers, within seconds."""
    try:
        _probe([url])
    except OSError:
        return False
    return True


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
