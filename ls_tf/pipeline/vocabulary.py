"""Subwords: one vocabulary for both languages, learnt by sentencepiece.

The round trip is lossless: nothing is normalised, and a character that the
vocabulary lacks becomes its bytes. Ids: 0 pads and is never a subword, 1 ends
a sentence. There is no sign for a beginning and none for the unknown.
"""

import hashlib
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import array_cache, lines, text_pairs
from ls_tf.pipeline.ragged import Ragged
from ls_tf.pipeline.usage import LeftOut, Usage

PAD, EOS = 0, 1
# Changes when a text is written otherwise for sentencepiece than before: ids
# that were kept of such texts are others then.
SPELLING = 2

_SETTINGS: dict[str, Any] = {
    "model_type": "bpe",
    # Whatever is not in the vocabulary is spelt in bytes, so that sentencepiece
    # never gives its sign for the unknown; our 0 takes that sign's place.
    "byte_fallback": True,
    "unk_id": PAD,
    "unk_piece": "<pad>",
    "eos_id": EOS,
    "pad_id": -1,
    "bos_id": -1,
    # Lossless: no character is replaced, no space dropped. The space that is
    # put before every sentence, and taken away by decoding, lets a word be
    # the same subword at the beginning of a sentence and within.
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": True,
    # All characters but the rarest hundred-thousandth.
    "character_coverage": 0.99999,
    "max_sentence_length": 1 << 20,
    # A small corpus may have fewer subwords than asked for.
    "hard_vocab_limit": False,
}
# Beyond, every k-th sentence has to do; tensor2tensor takes six million.
_MOST_CHARACTERS = 50_000_000
_CHUNK = 10_000  # Sentences encoded at a time: Python's lists are large.

# Two characters mean something to sentencepiece, so that the characters
# themselves must be written otherwise: it writes a space as the one, and what
# it does not know, while it learns, as the other; a sentence that holds the
# other would be left out of learning without a word. A third begins such a
# spelling.
_SPACE, _UNKNOWN, _ESCAPE = "\u2581", "\u2585", "\ue000"
_SPELLINGS = (
    (_ESCAPE, f"{_ESCAPE}0"),
    (_SPACE, f"{_ESCAPE}1"),
    (_UNKNOWN, f"{_ESCAPE}2"),
)
_RESERVED = re.compile(f"[{_SPACE}{_UNKNOWN}{_ESCAPE}]")


class Subwords:
    """A vocabulary: text to ids and back.

    Attributes:
        model: the sentencepiece model.
        digest: SHA-256 of the model, hex.
        size: number of ids, 0 and 1 included.
    """

    def __init__(self, model: bytes) -> None:
        """Reads a model.

        Args:
            model: what ``learn`` made.

        Raises:
            ValueError: if it is no such model.
        """
        import sentencepiece

        self.model = model
        self.digest = hashlib.sha256(model).hexdigest()
        try:
            self._processor = sentencepiece.SentencePieceProcessor(
                model_proto=model
            )
        except RuntimeError as error:
            raise ValueError(f"no sentencepiece model: {error}") from error
        ids = (self._processor.unk_id(), self._processor.eos_id())
        if ids != (PAD, EOS):
            raise ValueError(
                f"wanted a sentencepiece model with ids {PAD} and {EOS} for "
                f"the unknown and the end, got {ids}"
            )
        self.size = int(self._processor.get_piece_size())

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Cuts sentences into subwords.

        Args:
            texts: N sentences.

        Returns:
            Their ids, each sentence ended by EOS.

        Source: ours.
        """
        # One buffer: a list of arrays would be there twice when it is joined.
        tokens, lengths = bytearray(), [np.zeros(0, np.int64)]
        for start in range(0, len(texts), _CHUNK):
            stopping.look()
            ids = self._processor.encode(
                list(_spelt(texts[start : start + _CHUNK])),
                out_type=int,
                add_eos=True,
                num_threads=-1,
            )
            lengths.append(np.fromiter(map(len, ids), np.int64, len(ids)))
            tokens += np.fromiter(
                itertools.chain.from_iterable(ids),
                np.int32,
                int(lengths[-1].sum()),
            ).data
        return Ragged.of(
            np.frombuffer(tokens, np.int32), np.concatenate(lengths)
        )

    def piece(self, token: int) -> str:
        """Gives a subword as text; a leading U+2581 is a space."""
        return str(self._processor.id_to_piece(int(token)))

    def decode(self, ids: Sequence[Any]) -> list[str]:
        """Puts sentences together again.

        Args:
            ids: N sequences of ids; what follows the first EOS counts no
                more, and PAD is passed over. Bytes that make no UTF-8, which
                a network may give, become U+FFFD.

        Returns:
            N sentences.

        Raises:
            ValueError: if an id is not in the vocabulary.

        Source: ours.
        """
        kept = []
        for row in ids:
            array = np.asarray(row, np.int64).reshape(-1)
            ends = np.flatnonzero(array == EOS)
            if len(ends):
                array = array[: ends[0]]
            if len(array) and not 0 <= array.min() <= array.max() < self.size:
                raise ValueError(
                    f"wanted ids of 0 to {self.size - 1}, got "
                    f"{array.min()} to {array.max()}"
                )
            kept.append(array[array != PAD].tolist())
        # An empty batch, or one of empty rows, tells sentencepiece no type.
        texts = self._processor.decode(kept) if any(kept) else [""] * len(kept)
        for plain, spelling in reversed(_SPELLINGS):
            texts = [text.replace(spelling, plain) for text in texts]
        return texts


def learn(
    sentences: Sequence[str],
    size: int,
    *,
    cache_dir: epath.Path | None,
    name: str,
) -> Subwords:
    """Learns a vocabulary, or finds it among those learnt before.

    The same sentences and size give the same vocabulary. Of more than fifty
    million characters, every k-th sentence is used.

    Args:
        sentences: of all languages that share the vocabulary.
        size: ids wanted; fewer come of sentences that have not so many
            subwords.
        cache_dir: where to keep the vocabulary; None keeps it nowhere.
        name: of the corpus, for the file's name. Which corpus it really is,
            a digest says.

    Returns:
        The vocabulary.

    Raises:
        ValueError: if there are no sentences, one has a line break, or the
            size is too small for the characters.

    Source: byte pair encoding, Sennrich et al. 2016; Kudo and Richardson
    2018.
    """
    if not sentences:
        raise ValueError("wanted sentences to learn subwords from, got none")
    sample = list(_short(_spelt(sentences[:: _every(sentences)])))
    asked = json.dumps({**_SETTINGS, "vocab_size": size}, sort_keys=True)
    hashed = hashlib.sha256(asked.encode())
    for start in range(0, len(sample), _CHUNK):
        stopping.look()
        chunk = text_pairs.joined(sample[start : start + _CHUNK])
        hashed.update(f"\n{chunk}".encode())
    digest = hashed.hexdigest()
    file = f"{name}_{size}_{digest[:16]}"
    of = {"learnt_from": digest}
    kept = cache_dir and array_cache.read(cache_dir, file, ("model",), of)
    if kept:
        return Subwords(kept["model"].tobytes())
    model = _learnt(sample, size)
    if cache_dir:
        array_cache.write(
            cache_dir,
            file,
            {"model": np.frombuffer(model, np.uint8)},
            {"origin": name, "count": len(sample), **of},
        )
    return Subwords(model)


def _every(sentences: Sequence[str]) -> int:
    """Every which sentence is learnt from: 1 for all."""
    count = lines.characters(sentences)
    return max(math.ceil(count / _MOST_CHARACTERS), 1)


def usage(sentences: Sequence[str], wanted: int, learnt: int) -> Usage:
    """Says what ``learn`` uses of its sentences, and what it gave.

    Args:
        sentences: what it was given.
        wanted: ids asked for.
        learnt: ids that there are.

    Returns:
        Usage.

    Source: ours.
    """
    every = _every(sentences)
    used = len(range(0, len(sentences), every))
    left_out: tuple[LeftOut, ...] = ()
    if every > 1:
        reason = f"over {_MOST_CHARACTERS} characters: one of {every} is enough"
        left_out = (LeftOut(reason, len(sentences) - used, "the second"),)
    return Usage(used, left_out, "sentences", wanted, learnt)


def _learnt(sample: list[str], size: int) -> bytes:
    import sentencepiece

    # 256 bytes, 0 and 1, and the space at least.
    least = 259
    if size < least:
        raise ValueError(
            f"wanted a vocabulary of {least} ids or more, got {size}"
        )
    writer = io.BytesIO()
    try:
        with stopping.doing("learning subwords"):
            stopping.aside(
                lambda: sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=iter(sample),
                    model_writer=writer,
                    vocab_size=size,
                    minloglevel=2,
                    num_threads=1,
                    **_SETTINGS,
                )
            )
    except RuntimeError as error:
        text = " ".join(str(error).split())
        need = re.search(r"smaller than required_chars\. \d+ vs (\d+)", text)
        raise ValueError(
            f"wanted a vocabulary of {need[1]} ids or more, for the "
            f"characters of the corpus, got {size}"
            if need
            else f"cannot learn {size} subwords: {text}"
        ) from error
    return writer.getvalue()


def is_spelt(text: str) -> bool:
    """Whether a text has characters that are written otherwise."""
    return _RESERVED.search(text) is not None


def any_spelt(texts: Sequence[str]) -> bool:
    """Whether one of some texts has such characters."""
    if isinstance(texts, lines.Lines):
        return texts.has(plain for plain, _ in _SPELLINGS)
    return any(map(is_spelt, texts))


def _spelt(texts: Iterable[str]) -> Iterator[str]:
    """Writes the characters that mean something else otherwise."""
    for text in texts:
        if is_spelt(text):
            for plain, spelling in _SPELLINGS:
                text = text.replace(plain, spelling)
        yield text


def _short(texts: Iterable[str]) -> Iterator[str]:
    """Cuts sentences that learning would leave out, for their length.

    Subwords are learnt of words, which begin with a space, so that a cut at a
    space changes nothing; a word that is too long by itself is cut anywhere.
    """
    most = int(_SETTINGS["max_sentence_length"])  # bytes
    for text in texts:
        # No character has more than four bytes.
        while len(text) > most // 4:
            if len(text.encode()) <= most:
                break
            space = text.rfind(" ", 1, most // 4 + 1)
            if space > 0:
                yield text[:space]
                text = text[space + 1 :]
            else:
                yield text[: most // 4]
                text = text[most // 4 :]
        yield text
