"""The penultimate layer on the plane through three subwords' templates."""

import numpy as np

from ls_tf.analysis import projection
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Translator
from ls_tf.spec import SpecError

MEASURES = "translators"

# Shorter subwords are mostly endings and punctuation.
_LETTERS = 3


def evaluate(
    trained: Translator,
    *,
    role: str,
    tokens: tuple[str, ...] = (),
    per_token: int = 100,
) -> Measurement:
    """Projects activations before three subwords, from train and a split.

    A subword's template is its row of the matrix that makes the logits. The
    first occurrences in each split are taken, given the right subwords
    before them.

    Args:
        trained: the model and its data.
        role: the split beside the training split.
        tokens: three words that are one subword each; none means the three
            most frequent ones of the training targets that begin a word and
            have three letters or more, or else the three most frequent.
        per_token: occurrences of each, at most.

    Returns:
        Measurement: as ``penultimate``; notes: which subwords.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, figure 7, whose tokens are not stated.
    """
    ids = _ids(trained, tokens)
    templates = trained.templates(ids)
    basis = projection.plane_basis(templates)
    flat = projection.project(templates, basis)
    scalars: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {
        "templates": flat,
        "classes": np.asarray(ids, np.int32),
    }
    count = 0
    for name in ("train", role):
        parts = [trained.activations(name, i, per_token) for i in ids]
        labels = np.repeat(np.asarray(ids), [len(p) for p in parts])
        points = projection.project(np.concatenate(parts), basis)
        geometry = projection.cluster_geometry(points, labels, ids, flat)
        scalars.update({f"{name}_{k}": v for k, v in geometry.items()})
        arrays[f"{name}_points"] = points.astype(np.float32)
        arrays[f"{name}_labels"] = labels.astype(np.int32)
        count += len(points)
    notes = {f"token_{i}": trained.piece(i) for i in ids}
    return Measurement(scalars, count, arrays, notes)


def _ids(trained: Translator, tokens: tuple[str, ...]) -> tuple[int, ...]:
    if not tokens:
        return _frequent(trained)
    ids = []
    for token in tokens:
        found_id = trained.token_id(token)
        if found_id is None:
            raise SpecError(
                f"token_projection: '{token}' is no single subword of this "
                "vocabulary"
            )
        ids.append(found_id)
    if len(ids) != 3 or len(set(ids)) != 3:
        raise SpecError(
            f"token_projection: wanted three different words, got {tokens}"
        )
    return tuple(ids)


def _frequent(trained: Translator) -> tuple[int, ...]:
    """The most frequent words; of few subwords, whatever there is."""
    counts = np.bincount(trained.targets("train").tokens)
    # Highest count first; of equal ones the lower id. EOS is no word.
    order = [int(i) for i in np.argsort(-counts, kind="stable") if i > 1]
    order = [i for i in order if counts[i]]
    words = [i for i in order if _is_word(trained.piece(i))]
    found = words if len(words) >= 3 else order
    if len(found) < 3:
        raise SpecError(
            "token_projection: the training targets have fewer than three "
            "different subwords"
        )
    return tuple(found[:3])


def _is_word(piece: str) -> bool:
    return (
        piece.startswith("▁") and piece[1:].isalpha() and len(piece) > _LETTERS
    )


def check(
    trained: Translator,
    *,
    role: str,
    tokens: tuple[str, ...] = (),
    per_token: int = 100,
) -> None:
    """Refuses words that are no subwords, or do not occur in a split.

    Args:
        trained: the model and its data.
        role: see ``evaluate``, as are the others.
        tokens: three different ones, or none.
        per_token: 1 or more.

    Raises:
        ValueError: one line.
    """
    checks.positive("token_projection", "per_token", per_token)
    for name in ("train", role):
        there = trained.targets(name).tokens
        for i in _ids(trained, tokens):
            if i not in there:
                raise SpecError(
                    f"token_projection: '{trained.piece(i)}' does not occur "
                    f"in the {name} split"
                )
