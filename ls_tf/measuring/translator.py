"""A trained translation model as evaluators and readers see it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from ls_tf.pipeline.corpus import Tokens
from ls_tf.pipeline.ragged import Ragged
from ls_tf.pipeline.text_pairs import Pairs
from ls_tf.pipeline.vocabulary import Subwords
from ls_tf.protocols import (
    Arrays,
    Computation,
    Decoding,
    Inference,
    Translations,
)
from ls_tf.spec import ExperimentSpec

# Rows that are decoded together: 8 where there are no more sentences, else 64.
# Two numbers, since each is another program to compile.
_FEW, _MANY = 8, 64
# Memory grows with the square of the length: of sentences padded to more than
# 256 subwords fewer are decoded together.
_CELLS = _MANY * 256**2


class TranslationModel(Protocol):
    """What a task of translation gives: its corpus, and pure functions."""

    spec: ExperimentSpec
    model: Any  # of ``models.transformer``: more than a keras.Model

    @property
    def subwords(self) -> Subwords:
        """The subword model of both languages."""

    @property
    def target_language(self) -> str:
        """The language of the translations, as in ``de``."""

    def tokens(self, role: str) -> Tokens:
        """The sentence pairs of a role's split, as subwords and as text."""

    def evaluation_batches(
        self, role: str, chosen: np.ndarray
    ) -> Sequence[Arrays]:
        """Which of some chosen pairs are evaluated together; each once."""

    @property
    def next_token_logits(self) -> Computation:
        """Gives ``logits`` float32 [B, T, V] of a batch."""

    @property
    def penultimate(self) -> Computation:
        """Gives ``penultimate`` float32 [B, T, D] of a batch."""

    @property
    def next_token_statistics(self) -> Computation:
        """Gives ``nll``, ``confidence`` and ``correct`` of a batch."""

    @property
    def replicated_statistics(self) -> Computation:
        """Gives the replication's statistics of a batch with padding."""

    def decoder(self, how: Decoding) -> Computation:
        """Gives the search as a function of a batch."""


def filled(ragged: Ragged, index: np.ndarray, width: int) -> np.ndarray:
    """Sentences as rows, filled up with padding.

    Args:
        ragged: N sentences.
        index: int [B]: which of them; -1 for a row of padding.
        width: length of the rows, at least that of the longest one.

    Returns:
        int32 [B, width].
    """
    start, stop = ragged.offsets[index], ragged.offsets[index + 1]
    length = np.where(index >= 0, stop - start, 0)[:, None]
    position = np.arange(width)
    at = np.where(position < length, start[:, None] + position, 0)
    return np.where(position < length, ragged.tokens[at], 0).astype(np.int32)


def decoded_together(
    lengths: np.ndarray,
) -> Iterator[tuple[int, int, int, int]]:
    """Parts sentences into those that are decoded together.

    Args:
        lengths: int [N], subwords of each; ascending.

    Yields:
        first and stop of N, the rows of the batch, of which the last may be
        padding, and its width: a power of two, so that there are few.

    Source: ours.
    """

    def shape(stop: int) -> tuple[int, int]:
        width = max(16, 1 << (int(lengths[stop - 1]) - 1).bit_length())
        return max(1, min(_MANY, _CELLS // width**2)), width

    first, rows = 0, _FEW if len(lengths) <= _FEW else _MANY
    while first < len(lengths):
        stop = min(first + _MANY, len(lengths))
        while stop - first > shape(stop)[0]:
            stop -= 1
        most, width = shape(stop)
        yield first, stop, min(rows, most), width
        first = stop


class ModelTranslator:
    """Token statistics, activations and translations of a trained model."""

    def __init__(self, task: TranslationModel, network: Inference) -> None:
        """Takes the task and what computes with its model's weights."""
        self.spec, self.model = task.spec, task.model
        self._task, self._compute = task, network.compute
        self._kept: dict[Any, Any] = {}

    @property
    def target_language(self) -> str:
        """The language of the translations, as in ``de``."""
        return self._task.target_language

    def texts(self, role: str) -> Pairs:
        """The sentence pairs of a role's split, as text."""
        return self._task.tokens(role).texts

    def targets(self, role: str) -> Ragged:
        """The reference translations of a role's split, as subwords."""
        return self._task.tokens(role).target

    def statistics(
        self, role: str, temperatures: Sequence[float]
    ) -> Mapping[str, np.ndarray]:
        """What the model says of each next subword, given the right ones.

        Args:
            role: which split.
            temperatures: R of them; each divides the logits.

        Returns:
            dict over the split's n real subwords in order, end marks among
            them, padding not: ``nll`` and ``confidence`` float32 [n, R],
            ``correct`` bool [n].
        """
        key = role, tuple(temperatures)
        if key not in self._kept:
            grid = np.array(temperatures, np.float32)
            batches = self._batches(role)
            outputs = self._compute(
                self._task.next_token_statistics,
                [{**b, "temperature": grid} for b, _ in batches],
            )
            self._kept[key] = self._in_order(
                role, outputs, [index for _, index in batches]
            )
        kept: Mapping[str, np.ndarray] = self._kept[key]
        return kept

    def _batches(
        self, role: str, chosen: np.ndarray | None = None
    ) -> list[tuple[Arrays, np.ndarray]]:
        """Batches of a split's sentences, or of some, and which they hold."""
        tokens = self._task.tokens(role)
        if chosen is None:
            chosen = np.arange(len(tokens.source))
        chosen_batches: list[tuple[Arrays, np.ndarray]] = []
        for b in self._task.evaluation_batches(role, chosen):
            index = np.where(b["index"] >= 0, chosen[b["index"]], -1)
            widths = len(b["source_position"]), len(b["target_position"])
            batch = {
                "source": filled(tokens.source, index, widths[0]),
                "target": filled(tokens.target, index, widths[1]),
            }
            chosen_batches.append((batch, index))
        return chosen_batches

    def _in_order(
        self,
        role: str,
        outputs: Sequence[Mapping[str, np.ndarray]],
        indices: Sequence[np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Puts the tokens of all batches where they stand in the split."""
        offsets = self._task.tokens(role).target.offsets
        whole: dict[str, np.ndarray] = {}
        for batch, index in zip(outputs, indices, strict=True):
            length = np.where(index >= 0, np.diff(offsets)[index], 0)[:, None]
            for name, values in batch.items():
                inside = np.arange(values.shape[1]) < length
                at = offsets[index][:, None] + np.arange(values.shape[1])
                if name not in whole:
                    shape = (int(offsets[-1]), *values.shape[2:])
                    whole[name] = np.zeros(shape, values.dtype)
                whole[name][at[inside]] = values[inside]
        return whole

    def with_padding(
        self, role: str, batch_size: int
    ) -> Mapping[str, np.ndarray]:
        """Statistics that count padding as if it were text; see R-F4.

        The split in its order, in batches of ``batch_size`` sentences, each
        filled up to its longest one: what a loader without masks evaluates.

        Returns:
            dict: ``confidence`` and ``nll`` float32 [m, 1], ``correct`` and
            ``is_padding`` bool [m], over all m positions of the batches.

        Source: ours; the error is that of Wagner et al. 2023.
        """
        return self._padded(
            role, batch_size, self._task.next_token_statistics, (1.0,)
        )

    def as_replicated(
        self, role: str, batch_size: int, temperatures: Sequence[float]
    ) -> Mapping[str, np.ndarray]:
        """What the replication's code sees at some temperatures.

        Args:
            role: which split.
            batch_size: sentences of a batch, see ``with_padding``.
            temperatures: R of them; each divides the logits.

        Returns:
            dict: ``confidence`` and ``nll_over_positions`` float32 [m, R],
            ``correct`` and ``is_padding`` bool [m]; see the task's
            ``replicated_statistics``.

        Source: ours; the errors are those of Wagner et al. 2023.
        """
        function = self._task.replicated_statistics
        return self._padded(role, batch_size, function, temperatures)

    def _padded(
        self,
        role: str,
        batch_size: int,
        function: Computation,
        temperatures: Sequence[float],
    ) -> Mapping[str, np.ndarray]:
        tokens = self._task.tokens(role)
        lengths = [tokens.source.lengths, tokens.target.lengths]
        widths = [int(length.max()) for length in lengths]
        total = len(lengths[0])
        parts: list[dict[str, np.ndarray]] = []
        for first in range(0, total, batch_size):
            index = np.arange(first, first + batch_size)
            index = np.where(index < total, index, -1)
            batch = {
                "source": filled(tokens.source, index, widths[0]),
                "target": filled(tokens.target, index, widths[1]),
                "temperature": np.array(temperatures, np.float32),
            }
            rows = slice(0, int((index >= 0).sum()))
            longest = int(lengths[1][index[rows]].max())
            if function == self._task.replicated_statistics:
                batch["positions"] = np.array(longest, np.int32)
            (statistics,) = self._compute(function, [batch])
            parts.append(
                {
                    **{k: v[rows, :longest] for k, v in statistics.items()},
                    "is_padding": batch["target"][rows, :longest] == 0,
                }
            )
        return {
            k: np.concatenate(
                [p[k].reshape(-1, *p[k].shape[2:]) for p in parts]
            )
            for k in parts[0]
        }

    def logits(self, role: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits of the first next subwords of a split.

        Args:
            role: which split.
            limit: whole sentences are taken until there are this many
                subwords, or all.

        Returns:
            float32 [n, V] and the right ids int32 [n], in order.
        """
        target = self._task.tokens(role).target
        sentences = int(np.searchsorted(target.offsets, limit))
        sentences = min(max(sentences, 1), len(target.offsets) - 1)
        count = int(target.offsets[sentences])
        kept: np.ndarray | None = None
        for batch, index in self._batches(role, np.arange(sentences)):
            (outputs,) = self._compute(self._task.next_token_logits, [batch])
            if kept is None:
                kept = np.empty(
                    (count, outputs["logits"].shape[-1]), np.float32
                )
            for row in np.flatnonzero(index >= 0):
                start, stop = target.offsets[index[row] : index[row] + 2]
                kept[start:stop] = outputs["logits"][row, : stop - start]
        if kept is None:
            raise ValueError(f"the {role} split has no sentences")
        return kept, target.tokens[:count]

    def activations(self, role: str, token: int, limit: int) -> np.ndarray:
        """Penultimate activations where a token is the next one.

        Args:
            role: which split.
            token: its id.
            limit: of its first occurrences.

        Returns:
            float32 [n, D], n at most ``limit``.
        """
        target = self._task.tokens(role).target
        at = np.flatnonzero(target.tokens == token)[:limit]
        sentence = np.searchsorted(target.offsets, at, side="right") - 1
        rows: dict[int, np.ndarray] = {}
        for batch, index in self._batches(role, np.unique(sentence)):
            (outputs,) = self._compute(self._task.penultimate, [batch])
            for row in np.flatnonzero(index >= 0):
                sentence_id = index[row]
                for place in at[sentence == sentence_id]:
                    position = place - target.offsets[sentence_id]
                    rows[int(place)] = outputs["penultimate"][row, position]
        return np.array([rows[int(p)] for p in at], np.float32)

    def translate(self, source: Ragged, how: Decoding) -> Translations:
        """Translates sentences.

        Args:
            source: N sentences as subwords, each with its end mark.
            how: the search.

        Returns:
            Translations, in the order of the sentences.
        """
        lengths = source.lengths
        order = np.argsort(lengths, kind="stable")
        function = self._task.decoder(how)
        ids: list[list[int]] = [[] for _ in lengths]
        scores = np.zeros(len(lengths), np.float32)
        finished = np.zeros(len(lengths), bool)
        indices: list[np.ndarray] = []
        batches: list[Arrays] = []
        for first, stop, rows, width in decoded_together(lengths[order]):
            index = np.full(rows, -1, order.dtype)
            index[: stop - first] = order[first:stop]
            indices.append(index)
            batches.append(
                {
                    "source": filled(source, index, width),
                    "temperature": np.array(how.temperature, np.float32),
                }
            )
        # All at once, so that programs of other shapes can be made meanwhile.
        translated = self._compute(function, batches)
        for index, outputs in zip(indices, translated, strict=True):
            for row, place in enumerate(index):
                if place < 0:
                    continue
                length = int(outputs["length"][row])
                words = outputs["ids"][row, :length].tolist()
                finished[place] = bool(words) and words[-1] == 1
                ids[place] = words[:-1] if finished[place] else words
                scores[place] = outputs["score"][row]
        return Translations(ids, scores, finished)

    def translate_role(self, role: str, how: Decoding) -> Translations:
        """Translates the sources of a role's split."""
        key = "translations", role, how
        if key not in self._kept:
            source = self._task.tokens(role).source
            self._kept[key] = self.translate(source, how)
        translations: Translations = self._kept[key]
        return translations

    def templates(self, ids: Sequence[int]) -> np.ndarray:
        """Rows of the matrix that makes the logits, float32 [n, D]."""
        matrix = keras.ops.convert_to_numpy(self.model.output_matrix())
        return np.asarray(matrix[np.asarray(ids)], np.float32)

    def piece(self, token: int) -> str:
        """A subword as text; a leading U+2581 is a space."""
        return self._task.subwords.piece(token)

    def token_id(self, word: str) -> int | None:
        """The id of a word that is one subword; None if it is not."""
        ids = self._task.subwords.encode([word]).tokens[:-1]
        return int(ids[0]) if len(ids) == 1 else None

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Plain text of lists of subword ids."""
        return self._task.subwords.decode(ids)

    def translate_lines(
        self, lines: Sequence[str], how: Decoding, longest: int
    ) -> tuple[list[str], list[int]]:
        """Translates lines of text.

        Args:
            lines: N lines; an empty one stays empty.
            how: the search.
            longest: subwords of a line that are translated.

        Returns:
            N lines, and which of them were cut, from 0.
        """
        # Stripped as those of a corpus are.
        lines = [line.strip() for line in lines]
        full = [i for i, line in enumerate(lines) if line]
        answers = [""] * len(lines)
        if not full:
            return answers, []
        source = self._task.subwords.encode([lines[i] for i in full])
        lengths = np.minimum(source.lengths, longest)
        parts = [source.row(i)[: lengths[i]].copy() for i in range(len(source))]
        for part in parts:
            part[-1] = 1  # also of a line that was cut
        translations = self.translate(
            Ragged.of(np.concatenate(parts), lengths), how
        )
        for i, text in zip(full, self.decode(translations.ids), strict=True):
            # One line in, one line out.
            answers[i] = " ".join(text.split())
        cut = np.flatnonzero(source.lengths > longest)
        return answers, [full[i] for i in cut]
