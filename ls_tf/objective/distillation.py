"""Losses that train a student on a teacher's logits.

``beta`` is always the weight of the teacher: 0 is the plain loss, 1 uses the
labels not at all. A temperature always divides logits. Losses are per
example, unreduced, in nats (or squared logits), in float32 or better, and no
gradient flows to the teacher.
"""

from typing import Any

import keras
from keras import ops

from ls_tf.objective import label_smoothing

REDUCTIONS = ("sum", "mean")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _as_float(x: Any) -> Any:
    """Converts to a float tensor of at least 32 bits."""
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    return x if dtype == "float64" else ops.cast(x, "float32")


def check_beta(beta: Any) -> None:
    """Refuses a weight of the teacher outside [0, 1].

    Args:
        beta: a Python number; a tensor is let through unchecked.

    Raises:
        ValueError: if ``beta`` is a number outside [0, 1].

    Source: ours.
    """
    if _is_number(beta) and not 0 <= beta <= 1:
        raise ValueError(f"wanted beta in [0, 1], got {beta}")


def check_temperatures(teacher: Any, student: Any, scale: bool) -> None:
    """Refuses temperatures that are not positive, or two to be squared.

    Args:
        teacher: divides the teacher's logits; a tensor is not checked.
        student: divides the student's; a tensor is not checked.
        scale: whether the square of the temperature is a factor.

    Raises:
        ValueError: if a number is not positive, or two differ that have to be
            one.

    Source: ours.
    """
    named = {"teacher_temperature": teacher, "student_temperature": student}
    for name, value in named.items():
        if _is_number(value) and not value > 0:
            raise ValueError(f"wanted a positive {name}, got {value}")
    same = teacher is student or (
        _is_number(teacher) and _is_number(student) and teacher == student
    )
    if scale and not same:
        raise ValueError(
            "scale_by_temperature_squared wants one temperature, got teacher "
            f"{teacher} and student {student}"
        )


def check_reduction(reduction: str) -> None:
    """Refuses another reduction over the logits than ``REDUCTIONS``.

    Raises:
        ValueError: if there is no such reduction.

    Source: ours.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"wanted a reduction of {', '.join(REDUCTIONS)}, got {reduction!r}"
        )


def _mix(beta: Any, hard: Any, soft: Any) -> Any:
    beta = ops.convert_to_tensor(beta, dtype=hard.dtype)
    return (1 - beta) * hard + beta * ops.cast(soft, hard.dtype)


def distillation_loss(
    labels: Any,
    logits: Any,
    teacher_logits: Any,
    *,
    beta: Any,
    teacher_temperature: Any,
    student_temperature: Any,
    scale_by_temperature_squared: bool = False,
) -> Any:
    """Mixes the loss on the labels with the one on the teacher's softmax.

    ``(1 - beta) * H(y, p) + beta * H(p_t(T_t), p(T_s))``: the labels see the
    student's plain softmax, the teacher's distribution at its temperature
    the student's at its own. In the paper's CIFAR experiments the student's
    temperature is 1 whatever the teacher's, and nothing is scaled.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], the student's.
        teacher_logits: float [..., K].
        beta: scalar in [0, 1], weight of the teacher's term.
        teacher_temperature: positive; divides ``teacher_logits``.
        student_temperature: positive; divides ``logits`` in that term.
        scale_by_temperature_squared: multiplies the teacher's term by the
            square of the temperature, which keeps its gradient's size as
            the temperature grows (Hinton et al. 2015, section 2). That
            argument needs one temperature for both, so two are refused.

    Returns:
        float [...], nats.

    Raises:
        ValueError: if ``beta`` or a temperature is out of range, or if
            scaling is asked for with two temperatures.

    Source: Mueller et al. 2019, section 4.
    """
    check_beta(beta)
    check_temperatures(
        teacher_temperature, student_temperature, scale_by_temperature_squared
    )
    student = _as_float(logits)
    teacher = ops.stop_gradient(_as_float(teacher_logits))
    targets = ops.softmax(
        teacher
        / ops.convert_to_tensor(teacher_temperature, dtype=teacher.dtype),
        axis=-1,
    )
    temperature = ops.convert_to_tensor(
        student_temperature, dtype=student.dtype
    )
    soft = label_smoothing.dense_loss(targets, student / temperature)
    if scale_by_temperature_squared:
        soft = temperature * temperature * soft
    return _mix(beta, label_smoothing.nll(labels, student), soft)


def half_squared_logit_error(
    logits: Any, teacher_logits: Any, reduction: str = "sum"
) -> Any:
    """Half the squared distance between student's and teacher's logits.

    Args:
        logits: float [..., K], the student's.
        teacher_logits: float [..., K].
        reduction: "sum" or "mean" over the K logits. The paper does not say
            which; the sum is the literal reading of half the squared loss.

    Returns:
        float [...], squared logits.

    Raises:
        ValueError: if ``reduction`` is neither.

    Source: Mueller et al. 2019, App. A.5.
    """
    check_reduction(reduction)
    student = _as_float(logits)
    teacher = ops.stop_gradient(_as_float(teacher_logits))
    square = ops.square(student - ops.cast(teacher, student.dtype))
    reduce = ops.sum if reduction == "sum" else ops.mean
    return 0.5 * reduce(square, axis=-1)


def logit_matching_loss(
    labels: Any,
    logits: Any,
    teacher_logits: Any,
    *,
    beta: Any,
    reduction: str,
) -> Any:
    """Mixes the loss on the labels with the squared error on the logits.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], the student's.
        teacher_logits: float [..., K].
        beta: scalar in [0, 1], weight of the squared error; 0.6 in the
            paper.
        reduction: "sum" or "mean", as in ``half_squared_logit_error``.

    Returns:
        float [...].

    Raises:
        ValueError: if ``beta`` or ``reduction`` is out of range.

    Source: Mueller et al. 2019, App. A.5.
    """
    check_beta(beta)
    soft = half_squared_logit_error(logits, teacher_logits, reduction)
    return _mix(beta, label_smoothing.nll(labels, logits), soft)
