"""The penultimate layer on the plane through three subwords' templates."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import projection
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Translator
from ls_tf.spec import SpecError

# Shorter subwords are mostly endings and punctuation.
_LETTERS = 3


@dataclass(frozen=True)
class Evaluator:
    """Projects activations before three subwords, from train and a split.

    A subword's template is its row of the matrix that makes the logits. The
    first occurrences in each split are taken, given the right subwords
    before them.

    Attributes:
        role: the split beside the training split.
        tokens: three words that are one subword each; none means the three
            most frequent ones of the training targets that begin a word and
            have three letters or more, or else the three most frequent.
        per_token: occurrences of each, at most.

    Source: Mueller et al. 2019, figure 7, whose tokens are not stated.
    """

    role: str
    tokens: tuple[str, ...] = ()
    per_token: int = 100

    def __post_init__(self) -> None:
        """Refuses no occurrences.

        Raises:
            SpecError: one line.
        """
        checks.positive("token_projection", "per_token", self.per_token)

    def check(self, network: Translator) -> None:
        """Refuses words that are no subwords, or do not occur in a split.

        Raises:
            SpecError: one line.
        """
        ids = self._ids(network)
        for role in ("train", self.role):
            tokens = network.targets(role).tokens
            for i in ids:
                if i not in tokens:
                    raise SpecError(
                        f"token_projection: '{network.piece(i)}' does not "
                        f"occur in the {role} split"
                    )

    def __call__(self, network: Translator) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: as ``penultimate``; notes: which subwords.

        Raises:
            SpecError: see ``check``.
        """
        ids = self._ids(network)
        templates = network.templates(ids)
        basis = projection.plane_basis(templates)
        flat = projection.project(templates, basis)
        scalars: dict[str, float] = {}
        arrays: dict[str, np.ndarray] = {
            "templates": flat,
            "classes": np.asarray(ids, np.int32),
        }
        count = 0
        for role in ("train", self.role):
            parts = [network.activations(role, i, self.per_token) for i in ids]
            labels = np.repeat(np.asarray(ids), [len(p) for p in parts])
            points = projection.project(np.concatenate(parts), basis)
            geometry = projection.cluster_geometry(points, labels, ids, flat)
            scalars.update({f"{role}_{k}": v for k, v in geometry.items()})
            arrays[f"{role}_points"] = points.astype(np.float32)
            arrays[f"{role}_labels"] = labels.astype(np.int32)
            count += len(points)
        notes = {f"token_{i}": network.piece(i) for i in ids}
        return Measurement(scalars, count, arrays, notes)

    def _ids(self, network: Translator) -> tuple[int, ...]:
        if not self.tokens:
            return _frequent(network)
        ids = []
        for token in self.tokens:
            token_id = network.token_id(token)
            if token_id is None:
                raise SpecError(
                    f"token_projection: '{token}' is no single subword of "
                    "this vocabulary"
                )
            ids.append(token_id)
        if len(ids) != 3 or len(set(ids)) != 3:
            raise SpecError(
                "token_projection: wanted three different words, got "
                f"{self.tokens}"
            )
        return tuple(ids)


def _frequent(network: Translator) -> tuple[int, ...]:
    """The most frequent words; of few subwords, whatever there is."""
    counts = np.bincount(network.targets("train").tokens)
    # Highest count first; of equal ones the lower id. EOS is no word.
    order = [int(i) for i in np.argsort(-counts, kind="stable") if i > 1]
    order = [i for i in order if counts[i]]
    words = [i for i in order if _is_word(network.piece(i))]
    chosen = words if len(words) >= 3 else order
    if len(chosen) < 3:
        raise SpecError(
            "token_projection: the training targets have fewer than three "
            "different subwords"
        )
    return tuple(chosen[:3])


def _is_word(piece: str) -> bool:
    return (
        piece.startswith("▁") and piece[1:].isalpha() and len(piece) > _LETTERS
    )
