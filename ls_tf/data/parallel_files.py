"""A corpus of the user's own: plain text files, one sentence per line.

``data.source`` names it: ``path/prefix``, or ``path/prefix:fr-en`` where the
languages are others than English and German. The files of a split are
``prefix.<split>.en`` and ``prefix.<split>.de``, line by line translations of
each other. Two files ``prefix.en`` and ``prefix.de`` alone are the split
``train``, of which others can be cut: ``train[:98%]``, ``train[98%:]``.
"""

import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
from etils import epath

from ls_tf import stopping, text_lines
from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.lines import Lines
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(
    name="parallel_files",
    sizes={},  # The files decide.
    licence="the user's own files",
    source="Files named by data.source, no download.",
)
_LANGUAGES = re.compile(r"(?P<prefix>.+):(?P<source>\w+)-(?P<target>\w+)")
_BLOCK = 1 << 22  # bytes read together
_WHOLE = "train"  # The split that files without a split's name are.


def load_pairs(
    split: str, *, data_dir: str | os.PathLike[str] | None, source: str = ""
) -> Pairs:
    """Loads a split or a part of one.

    Pairs with an empty side are left out; ``Pairs.left_out`` says which.

    Args:
        split: ``"train"``, ``"train[:98%]"``, or any other whose files are
            there. Sizes are those without the pairs left out.
        data_dir: not used.
        source: ``path/prefix`` or ``path/prefix:fr-en``; may be ``gs://``.

    Returns:
        The pairs, in the order of the files.

    Raises:
        ValueError: if there is no such part of the split.
        DataError: if the files are missing, no UTF-8, of different length or
            without a pair.

    Source: ours.
    """
    del data_dir
    base = split.partition("[")[0]
    files = [epath.Path(f).expanduser() for f in _files(base, source)]
    sides = [Lines.joined(_blocks(file, split)) for file in files]
    numbers = [len(side) for side in sides]
    if numbers[0] != numbers[1]:
        raise DataError(
            f"parallel_files: {files[0]} has {numbers[0]} lines and "
            f"{files[1]} has {numbers[1]}; wanted a translation for each line"
        )
    is_kept = (sides[0].sizes > 0) & (sides[1].sizes > 0)
    if not is_kept.any():
        raise DataError(
            f"parallel_files: {files[0]} and {files[1]} hold no pair"
        )
    empty = np.flatnonzero(~is_kept)
    _, start, stop = contract.parse_split(split, {base: int(is_kept.sum())})
    for side in (0, 1):  # The one is gone before the other is copied.
        sides[side] = sides[side].kept(is_kept)
    return Pairs(
        sides[0],
        sides[1],
        # Those kept before each, and lines counted from 1.
        left_out=np.stack([empty - np.arange(len(empty)), empty + 1], axis=1),
    ).part(start, stop)


def check(
    source: str,
    splits: Sequence[str],
    *,
    data_dir: str | os.PathLike[str] | None,
) -> None:
    """Refuses a source without the files of these splits, reading none.

    Args:
        source: see ``load_pairs``.
        splits: that are wanted.
        data_dir: not used.

    Raises:
        DataError: a file is not there; one line.

    Source: ours.
    """
    del data_dir
    for split in splits:
        for file in _files(split.partition("[")[0], source):
            if not _exists(file):
                raise _is_missing(file, split)


def _is_missing(file: str | os.PathLike[str], split: str) -> DataError:
    return DataError(f"parallel_files: no file {file} (for split {split!r})")


def languages(source: str) -> tuple[str, str]:
    """Reads the languages of a corpus from its name.

    Args:
        source: ``path/prefix`` or ``path/prefix:fr-en``.

    Returns:
        Source and target language.

    Source: ours.
    """
    match = _LANGUAGES.fullmatch(source)
    if match is None:
        return INFO.source_language, INFO.target_language
    return match["source"], match["target"]


def _files(base: str, source: str) -> list[str]:
    """Names the two files of a split."""
    if not source:
        raise DataError(
            "parallel_files: wanted data.source=path/prefix, where "
            "path/prefix.train.en and path/prefix.train.de are the corpus"
        )
    both = languages(source)
    match = _LANGUAGES.fullmatch(source)
    prefix = match["prefix"] if match else source
    wanted = [f"{prefix}.{base}.{language}" for language in both]
    whole = [f"{prefix}.{language}" for language in both]
    if base == _WHOLE and not any(map(_exists, wanted)):
        if any(map(_exists, whole)):
            return whole
        raise DataError(
            f"parallel_files: no files {' and '.join(wanted)}, nor "
            f"{' and '.join(whole)}"
        )
    return wanted


def _exists(name: str) -> bool:
    try:
        return bool(epath.Path(name).expanduser().exists())
    except Exception:  # Cloud file systems raise errors of their own.
        return True  # Reading it says what is wrong.


def _blocks(file: epath.Path, split: str) -> Iterator[list[str]]:
    """Gives the lines of a file, some megabytes of it at a time."""
    reader = text_lines.Reader(str(file), DataError)
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                stopping.look()
                yield reader.many(block)
    except FileNotFoundError as error:
        raise _is_missing(file, split) from error
    except (DataError, stopping.StoppedError):
        raise
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"parallel_files: cannot read {file}: {contract.line(error)}"
        ) from error
    yield list(reader.finish())
