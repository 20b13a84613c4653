"""Sentence pairs as ids: texts, vocabulary and tokens of an experiment."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from absl import logging

from ls_tf import extras
from ls_tf.analysis import bleu_tokens
from ls_tf.pipeline import (
    array_cache,
    contract,
    prepared,
    text_pairs,
    tfds,
    usage,
    vocabulary,
)
from ls_tf.pipeline.contract import Arrays, DataError
from ls_tf.pipeline.lines import Chained
from ls_tf.pipeline.ragged import Ragged
from ls_tf.pipeline.text_pairs import Pairs, TextInfo
from ls_tf.pipeline.usage import LeftOut, Usage
from ls_tf.pipeline.vocabulary import Subwords
from ls_tf.records.arrays import digest

_KEYS = ("source_tokens", "source_offsets", "target_tokens", "target_offsets")
# What a prepared file's vocabulary was made of, and must be wanted.
_WANTED = ("train", "vocabulary_size", "corpus")


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A split, or a part of one.

    Attributes:
        source: the sentences as ids, each ended by EOS.
        target: their translations as ids, each ended by EOS.
        texts: both as text.
    """

    source: Ragged
    target: Ragged
    texts: Pairs

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.texts)

    @property
    def usage(self) -> Usage:
        """What is used of the split, with the digest of its ids."""
        ids = (
            array
            for side in (self.source, self.target)
            for array in (side.tokens, side.offsets)
        )
        return dataclasses.replace(self.texts.usage, sha256=usage.digest(*ids))

    def part(self, start: int, stop: int) -> "Tokens":
        """The pairs start .. stop - 1."""
        return Tokens(
            self.source.part(start, stop),
            self.target.part(start, stop),
            self.texts.part(start, stop),
        )


class Corpus:
    """The splits of a data set in one vocabulary.

    Attributes:
        info: the data set.
        vocabulary_size: number of ids.
        model: the vocabulary as sentencepiece keeps it.
        digest: SHA-256 of ``model``, hex.
        subwords: the vocabulary; None where sentencepiece is not installed
            and the ids come from a prepared file.
        learning: what the subwords were learnt from, and how many there are.
    """

    def __init__(
        self,
        info: TextInfo,
        *,
        size: int,
        model: bytes,
        learning: Usage,
        tokens: Callable[[str], Tokens],
    ) -> None:
        """Use ``load``.

        Args:
            info: the data set.
            size: number of ids.
            model: the vocabulary.
            learning: see the attribute.
            tokens: gives a split or a part of one.
        """
        self.info = info
        self.learning = learning
        self.vocabulary_size = size
        self.model = model
        self.digest = hashlib.sha256(model).hexdigest()
        self.subwords = Subwords(model) if _has_sentencepiece() else None
        self._tokens = tokens
        self._splits: dict[str, Tokens] = {}

    def split(self, name: str) -> Tokens:
        """Gives a split or a part of one; asking again costs nothing.

        Args:
            name: ``"train"``, ``"train[:5000]"``, ...

        Returns:
            Its pairs, in the order of the data set.

        Raises:
            ValueError: if there is no such split.
            DataError: if the data is missing, damaged or not as promised.

        Source: ours.
        """
        if name not in self._splits:
            self._splits[name] = self._tokens(name)
        return self._splits[name]


def load_pairs(
    module: ModuleType,
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None,
    source: str = "",
) -> Pairs:
    """Loads the texts of a split, or of a part of one.

    Args:
        module: the data set's module, with ``INFO``; one that TFDS does not
            give as it is has a ``load_pairs``.
        split: ``"train"``, ``"train[:5000]"``, ...
        data_dir: where TFDS data lies; None means TFDS's own default.
        source: which corpus, where the data set does not say.

    Returns:
        Sentences and their translations, always in the same order.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as promised.

    Source: ours.
    """
    if not hasattr(module, "load_pairs"):
        return tfds.load_pairs(module.INFO, split, data_dir=data_dir)
    texts: Pairs = module.load_pairs(split, data_dir=data_dir, source=source)
    return texts


def load(
    module: ModuleType,
    *,
    train: str,
    vocabulary_size: int,
    source: str = "",
    data_dir: str | os.PathLike[str] | None,
) -> Corpus:
    """Opens a data set, and learns or finds its vocabulary.

    Vocabulary and ids are kept under ``<data_dir>/ls_tf_arrays``, if that
    directory is there, under digests of what they were made from; for a
    corpus of the user's the directory is made.

    Args:
        module: the data set's module; see ``load_pairs``.
        train: the split whose sentences, of both languages, the subwords are
            learnt from.
        vocabulary_size: ids wanted.
        source: which corpus, where the data set does not say.
        data_dir: a prepared file (``*.npz``), or as for ``load_pairs``.

    Returns:
        The corpus. From a prepared file neither TensorFlow nor TFDS nor
        sentencepiece is needed.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data set is one of images; the data is missing,
            damaged or not as promised; or the prepared file is another one.

    Source: ours.
    """
    info = _info(module, source)
    if lacking := bleu_tokens.lacking(info.target_language):
        logging.warning("%s", lacking)  # Hours before the first score.
    if data_dir is not None and prepared.is_prepared(data_dir):
        return _from_file(info, train, vocabulary_size, source, data_dir)
    if not _has_sentencepiece():
        raise DataError(
            f"{extras.wanted(info.name, 'sentencepiece')}, or give a prepared "
            f"file as data_dir: {prepared.advice()}"
        )
    texts = _Texts(module, source, data_dir)
    pairs = texts.pairs(train)
    sentences = Chained(pairs.source, pairs.target)
    try:
        subwords = vocabulary.learn(
            sentences,
            vocabulary_size,
            cache_dir=texts.cache and texts.cache / "subwords",
            name=info.name,
        )
    except ValueError as error:
        raise DataError(f"{info.name}: {error}") from error
    return Corpus(
        info,
        size=subwords.size,
        model=subwords.model,
        learning=vocabulary.usage(sentences, vocabulary_size, subwords.size),
        tokens=lambda split: texts.tokens(split, subwords),
    )


def _info(module: ModuleType, source: str) -> TextInfo:
    """The contract of a data set, or of a corpus of the user's."""
    info = module.INFO
    if not isinstance(info, TextInfo):
        raise DataError(
            f"{info.name} holds images; wanted a data set of sentence pairs"
        )
    if hasattr(module, "languages"):
        from_, to = module.languages(source)
        info = dataclasses.replace(
            info, source_language=from_, target_language=to
        )
    return info


def _has_sentencepiece() -> bool:
    try:
        import sentencepiece  # noqa: F401
    except ImportError:
        return False
    return True


class _Texts:
    """Splits of a module's texts, as ids."""

    def __init__(
        self,
        module: ModuleType,
        source: str,
        data_dir: str | os.PathLike[str] | None,
    ) -> None:
        self._module, self._source = module, source
        self._data_dir = data_dir
        self._pairs: dict[str, Pairs] = {}
        # Own files are of any size: what is made of them is always kept.
        self.cache = array_cache.folder(data_dir, make=not module.INFO.sizes)

    def pairs(self, split: str) -> Pairs:
        """Gives the texts of a split; each file is read once."""
        base = split.partition("[")[0]
        if base not in self._pairs:
            self._pairs[base] = load_pairs(
                self._module,
                base,
                data_dir=self._data_dir,
                source=self._source,
            )
        whole = self._pairs[base]
        _, start, stop = contract.parse_split(
            split, {**self._module.INFO.sizes, base: len(whole)}
        )
        return whole.part(start, stop)

    def tokens(self, split: str, subwords: Subwords) -> Tokens:
        """Gives a split, from the cache if it was encoded before."""
        pairs = self.pairs(split)
        cache = self.cache and self.cache / "tokens"
        hashed = hashlib.sha256(subwords.digest.encode())
        packed = text_pairs.pack(pairs)
        for key in text_pairs.KEYS:
            hashed.update(digest(packed[key]).encode())
        if any(map(vocabulary.any_spelt, (pairs.source, pairs.target))):
            hashed.update(b"spelling %d" % vocabulary.SPELLING)
        name = f"{self._module.INFO.name}_{hashed.hexdigest()[:16]}"
        arrays = cache and array_cache.read(cache, name, _KEYS, mapped=True)
        if not arrays:
            arrays = _arrays(
                subwords.encode(pairs.source), subwords.encode(pairs.target)
            )
            if cache:
                about = {"origin": split, "count": len(pairs)}
                array_cache.write(cache, name, arrays, about)
        return _tokens(arrays, pairs)


def _arrays(source: Ragged, target: Ragged) -> Arrays:
    values = (source.tokens, source.offsets, target.tokens, target.offsets)
    return dict(zip(_KEYS, values, strict=True))


def _tokens(arrays: Arrays, pairs: Pairs) -> Tokens:
    source_tokens, source_offsets, target_tokens, target_offsets = (
        arrays[key] for key in _KEYS
    )
    return Tokens(
        Ragged(source_tokens, source_offsets),
        Ragged(target_tokens, target_offsets),
        pairs,
    )


def translated(target: Ragged) -> Usage:
    """What a record says of translations that take the place of targets.

    Args:
        target: N sentences as ids; one whose search did not come to an end has
            no EOS.

    Source: ours.
    """
    last = target.tokens[target.offsets[1:] - 1]
    return Usage(
        len(target),
        kind="translations",
        unfinished=int(np.sum(last != vocabulary.EOS)),
        sha256=usage.digest(target.tokens, target.offsets),
    )


# --- Prepared files ---------------------------------------------------------


def prepare(
    path: str | os.PathLike[str],
    *,
    experiment: str,
    module: ModuleType,
    splits: tuple[str, ...],
    source: str,
    vocabulary_size: int,
    data_dir: str | os.PathLike[str] | None,
) -> None:
    """Writes what an experiment needs to a prepared file.

    Args:
        path: the file, ``*.npz``; may be ``gs://``.
        experiment: the experiment's name.
        module: the data set's module.
        splits: splits that the experiment names, the one it trains on first.
        source: see ``load``.
        vocabulary_size: see ``load``.
        data_dir: see ``load``.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data cannot be loaded or the file not written.

    Source: ours.
    """
    corpus = load(
        module,
        train=splits[0],
        vocabulary_size=vocabulary_size,
        source=source,
        data_dir=data_dir,
    )
    whole = {}
    for split in splits:
        base = split.partition("[")[0]
        corpus.split(split)  # refuses what is no part of it
        whole[base] = corpus.split(base)
    prepared.write(
        path,
        experiment=experiment,
        info=dataclasses.replace(
            corpus.info, sizes={base: len(t) for base, t in whole.items()}
        ),
        splits={
            base: {**_arrays(t.source, t.target), **text_pairs.pack(t.texts)}
            for base, t in whole.items()
        },
        subwords={
            "model": np.frombuffer(corpus.model, np.uint8),
            "size": corpus.vocabulary_size,
            "train": splits[0],
            "vocabulary_size": vocabulary_size,
            "corpus": _corpus_name(source),
            **(
                {"left_out": dataclasses.astuple(*corpus.learning.left_out)}
                if corpus.learning.left_out
                else {}
            ),
        },
    )
    said = {split: corpus.split(split).texts.usage for split in splits}
    for line in usage.lines({**said, "subwords": corpus.learning}):
        logging.warning("%s", line)


def _corpus_name(source: str) -> str:
    """What is the same of a corpus's name on every machine."""
    return source.replace("\\", "/").rpartition("/")[2]


def _from_file(
    info: TextInfo,
    train: str,
    vocabulary_size: int,
    source: str,
    path: str | os.PathLike[str],
) -> Corpus:
    manifest, splits = prepared.whole(info, (), path)
    file = f"prepared file {os.fspath(path)}"
    about: dict[str, Any] = manifest.get("subwords", {})
    if not {"size", *_WANTED} <= about.keys():
        raise DataError(f"{file} says nothing of its subwords")
    wanted = (train, vocabulary_size, _corpus_name(source))
    for what, value in zip(_WANTED, wanted, strict=True):
        if about[what] != value:
            raise DataError(
                f"{file} holds subwords with {what}={about[what]}, prepared "
                f"for experiment {manifest['experiment']}; wanted "
                f"{what}={value}; {prepared.advice()}"
            )

    def tokens(split: str) -> Tokens:
        base = split.partition("[")[0]
        manifest, splits = prepared.whole(info, (base,), path)
        _, start, stop = contract.parse_split(split, manifest["sizes"])
        arrays = splits[base]
        return _tokens(arrays, text_pairs.unpack(arrays)).part(start, stop)

    _, start, stop = contract.parse_split(train, manifest["sizes"])
    left_out = tuple(
        LeftOut(*part) for part in (about.get("left_out"),) if part
    )
    count = 2 * (stop - start) - sum(part.count for part in left_out)
    return Corpus(
        info,
        size=about["size"],
        model=splits["subwords"]["model"].tobytes(),
        learning=Usage(
            count, left_out, "sentences", vocabulary_size, about["size"]
        ),
        tokens=tokens,
    )
