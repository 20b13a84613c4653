"""Losses that train a student on a teacher's logits.

``beta`` is always the weight of the teacher: 0 is the plain loss, 1 uses the
labels not at all. A temperature always divides logits. Losses are per
example, unreduced, in nats (or squared logits), in float32 or better, and no
gradient flows to the teacher.
"""

from typing import Any

import numpy as np
from keras import ops

from ls_tf.objective import label_smoothing
from ls_tf.objective.guarded import (
    as_float,
    check_number,
    check_shape,
    entered,
    masked,
    seen,
)

REDUCTIONS = ("sum", "mean")

_LOWEST = -1e12  # of a masked logit whose square has to be a number


def check_beta(beta: Any) -> None:
    """Refuses a weight of the teacher outside [0, 1].

    Args:
        beta: a number; a tensor of a compiled function is let through
            unchecked.

    Raises:
        ValueError: if ``beta`` is a number outside [0, 1].

    Source: ours.
    """
    check_number(beta, "beta in [0, 1]", lambda b: 0 <= b <= 1)


def check_temperatures(teacher: Any, student: Any, scale: bool) -> None:
    """Refuses temperatures that are not positive, or two to be squared.

    Args:
        teacher: divides the teacher's logits; a tensor of a compiled
            function is not checked.
        student: divides the student's; likewise.
        scale: whether the square of the temperature is a factor.

    Raises:
        ValueError: if a number is not positive, or two differ that have to be
            one.

    Source: ours.
    """
    named = {"teacher_temperature": teacher, "student_temperature": student}
    for name, value in named.items():
        check_number(value, f"a positive {name}", lambda t: t > 0)
    same = teacher is student
    if scale and not same:
        theirs, ours = seen(teacher), seen(student)
        if theirs is not None and ours is not None:
            same = bool(np.array_equal(theirs, ours))
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


def _mix(beta: Any, labels: Any, logits: Any, soft: Any) -> Any:
    logits = entered(logits, ops.equal(beta, 1))
    hard = label_smoothing.nll(labels, logits)
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
    student = as_float(logits)
    teacher = ops.stop_gradient(as_float(teacher_logits))
    check_shape("teacher's logits", teacher, student.shape)
    targets = ops.softmax(
        teacher
        / ops.convert_to_tensor(teacher_temperature, dtype=teacher.dtype),
        axis=-1,
    )
    temperature = ops.convert_to_tensor(
        student_temperature, dtype=student.dtype
    )
    soft = label_smoothing.dense_loss(
        targets, entered(student, ops.equal(beta, 0)) / temperature
    )
    if scale_by_temperature_squared:
        soft = temperature * temperature * soft
    return _mix(beta, labels, student, soft)


def divergence_loss(
    labels: Any,
    logits: Any,
    teacher_logits: Any,
    *,
    beta: Any,
    teacher_temperature: Any,
    student_temperature: Any,
) -> Any:
    """``distillation_loss`` less what the student cannot change of it.

    ``(1 - beta) * H(y, p) + beta * KL(p_t(T_t) || p(T_s))``. The divergence is
    the cross-entropy less the teacher's entropy, in which the student has no
    part: the gradients are equal, the values are not.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], the student's.
        teacher_logits: float [..., K].
        beta: scalar in [0, 1], weight of the divergence.
        teacher_temperature: positive; divides ``teacher_logits``.
        student_temperature: positive; divides ``logits`` in the divergence.

    Returns:
        float [...], nats; with ``beta`` 1 it is 0 where the student answers
        as its teacher, but for rounding.

    Raises:
        ValueError: if ``beta`` or a temperature is out of range.

    Source: Shen et al. 2021, equations 3 and 4; their property 1 leaves the
        entropy out, and names the teacher's weights where it means the
        student's.
    """
    mixed = distillation_loss(
        labels,
        logits,
        teacher_logits,
        beta=beta,
        teacher_temperature=teacher_temperature,
        student_temperature=student_temperature,
    )
    teacher = ops.stop_gradient(as_float(teacher_logits))
    teacher = teacher / ops.convert_to_tensor(
        teacher_temperature, dtype=teacher.dtype
    )
    entropy = label_smoothing.dense_loss(ops.softmax(teacher, axis=-1), teacher)
    beta = ops.convert_to_tensor(beta, dtype=mixed.dtype)
    return mixed - beta * ops.cast(entropy, mixed.dtype)


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
    student, teacher = _entered(logits, teacher_logits, 1)
    return _half_squared_error(student, teacher, reduction)


def _entered(logits: Any, teacher_logits: Any, beta: Any) -> tuple[Any, Any]:
    """Gives both logits to begin with; ``beta`` is the weight of their error.

    A class that both mask has no distance, and no class has if none counts.
    """
    student = as_float(logits)
    teacher = ops.cast(as_float(teacher_logits), student.dtype)
    check_shape("teacher's logits", teacher, student.shape)
    free = ops.logical_and(masked(student), masked(teacher))
    free = ops.logical_or(free, ops.equal(beta, 0))
    student = entered(student, free, lowest=_LOWEST)
    teacher = entered(teacher, free, lowest=_LOWEST)
    return student, ops.stop_gradient(teacher)


def _half_squared_error(student: Any, teacher: Any, reduction: str) -> Any:
    square = ops.square(student - teacher)
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
    check_reduction(reduction)
    # The same logits for both parts: two programs would round differently.
    student, teacher = _entered(logits, teacher_logits, beta)
    # Where the label itself is masked the loss is no number, and stays so.
    logits = as_float(logits)
    plain = ops.expand_dims(label_smoothing.nll(labels, logits), axis=-1)
    student = ops.where(ops.isfinite(plain), student, logits)
    soft = _half_squared_error(student, teacher, reduction)
    return _mix(beta, labels, student, soft)
