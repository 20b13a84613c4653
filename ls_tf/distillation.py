"""What a teacher's logits are for a student, and what they tell it.

Arrays may be of NumPy, PyTorch, JAX or TensorFlow; NumPy and SciPy are all
that is needed. The losses themselves are in ``ls_tf.losses``:
``soft_targets``, ``kl_divergence`` and ``logit_matching``.
"""

from typing import Any

import numpy as np

from ls_tf.analysis import given, probabilities, smoothness
from ls_tf.analysis import other_classes as _others
from ls_tf.analysis.other_classes import OtherClasses
from ls_tf.analysis.outputs import Array

__all__ = ["OtherClasses", "gamma", "other_classes", "packed", "soft_targets"]

_MOST_CLASSES = 2**24  # whose ids are exact in float32


def soft_targets(
    teacher_logits: Any,
    temperature: float,
    *,
    from_probabilities: bool = False,
) -> Array:
    """The teacher's probabilities at a temperature.

    Args:
        teacher_logits: float [..., K].
        temperature: T > 0, divides the logits.
        from_probabilities: whether probabilities are given.

    Returns:
        float64 [..., K].

    Raises:
        ValueError: bad values or temperature.

    Source: Hinton et al. 2015, section 2.
    """
    rows = given.scores(teacher_logits, from_probabilities=from_probabilities)
    return probabilities.softmax(rows, temperature)


def gamma(
    teacher_logits: Any,
    labels: Any,
    *,
    temperature: float = 1.0,
    from_probabilities: bool = False,
) -> float:
    """How much a teacher's soft targets smooth its student.

    Args:
        teacher_logits: float [N, K], or [N, V, K] for V views of each
            example.
        labels: int [N].
        temperature: T > 0, divides the logits.
        from_probabilities: whether probabilities are given.

    Returns:
        float: alpha of the labels that would smooth as much.

    Raises:
        ValueError: bad shapes, values or temperature.

    Source: Mueller et al. 2019, section 4.
    """
    rows = given.scores(teacher_logits, from_probabilities=from_probabilities)
    ids = given.array(labels, "labels")
    return smoothness.gamma(rows, ids, temperature=temperature)


def other_classes(
    logits: Any,
    labels: Any,
    *,
    mask: Any = None,
    from_probabilities: bool = False,
    seed: int = 0,
) -> OtherClasses:
    """What wrong answers tell of the label among the other classes.

    By this ``ls_tf.analyze`` judges a teacher, and the temperature.

    Args:
        logits: float [N, K].
        labels: int [N].
        mask: bool [N].
        from_probabilities: whether probabilities are given.
        seed: of the halves that temperatures are fitted on.

    Returns:
        OtherClasses: ``information()``, nats, and ``temperature``; NaN with
        fewer than 50 wrong answers or two classes.

    Raises:
        ValueError: bad shapes or values.

    Source: ours; see ``ls_tf.analyze``.
    """
    rows, ids, _ = given.examples(
        logits, labels, mask=mask, from_probabilities=from_probabilities
    )
    return _others.forecasts(rows, ids, seed)


def packed(
    labels: Any, teacher_logits: Any, *, from_probabilities: bool = False
) -> Array:
    """Labels and a teacher's logits as one array of targets for Keras.

    Args:
        labels: int [...].
        teacher_logits: float [..., K].
        from_probabilities: whether probabilities are given.

    Returns:
        float32 [..., 1 + K]: ``y_true`` of a student's ``KerasLoss``.

    Raises:
        ValueError: shapes that do not fit, labels that are no integers, or
            logits that are no finite numbers of float32.

    Source: ours.
    """
    ids = given.array(labels, "labels")
    rows = given.scores(
        teacher_logits,
        from_probabilities=from_probabilities,
        name="teacher's logits",
    )
    given.check_pair(rows, ids)
    largest = float(np.finfo(np.float32).max)
    least, most = float(rows.min()), float(rows.max())
    if not (-largest <= least and most <= largest):  # NaN neither
        raise ValueError(
            "wanted finite teacher's logits of float32, got NaN, infinity or "
            "a larger number"
        )
    if ids.dtype.kind not in "iu" or np.abs(ids).max(initial=0) > _MOST_CLASSES:
        raise ValueError("wanted labels of integers up to 2**24")
    both = np.concatenate([ids[..., None], rows], axis=-1)
    return both.astype(np.float32)
