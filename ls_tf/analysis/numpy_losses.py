"""The losses of ``ls_tf.losses`` in NumPy, for who has no Keras at hand.

Each is the formula of the loss of its name, in float64, of logits that are
finite. What they stand for and their sources are said there.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from ls_tf.analysis import given
from ls_tf.analysis.calibration import log_softmax
from ls_tf.analysis.outputs import Array


def numpy_loss(
    name: str,
    logits: Any,
    labels: Any,
    *,
    teacher_logits: Any = None,
    prior: Any = None,
    **options: Any,
) -> Array:
    """Gives the loss of each example.

    Args:
        name: of ``ls_tf.losses``, such as "label_smoothing".
        logits: float [..., K], finite, of any framework.
        labels: int [...], class ids.
        teacher_logits: float [..., K], for a student's loss.
        prior: float [K], how often each class occurs, for a loss that mixes
            it in.
        **options: the loss's fields, such as ``alpha=0.1``; its own
            ``reduction`` is ``over_logits``, as of ``KerasLoss``.

    Returns:
        float64 [...], not reduced; nats, but for logit matching.

    Raises:
        ValueError: no such loss or option, one out of range, or bad arrays;
            one line.

    Source: ours; the formulas: see the loss.
    """
    if name not in _LOSSES:
        raise ValueError(
            f"no loss '{name}' in NumPy; existing: {', '.join(_LOSSES)}"
        )
    z, ids = given.array(logits, "logits"), given.array(labels, "labels")
    if z.ndim == 0 or ids.shape != z.shape[:-1]:
        raise ValueError(
            "wanted logits [..., K] and labels [...], got shapes "
            f"{z.shape} and {ids.shape}"
        )
    flat = z.reshape(-1, z.shape[-1])
    rows, own, _ = given.examples(flat, ids.reshape(-1))
    more: dict[str, Any] = {}
    wanted = inspect.signature(_LOSSES[name]).parameters
    if teacher_logits is not None and "taught" in wanted:
        taught = given.array(teacher_logits, "the teacher's logits")
        if taught.shape != z.shape:
            raise ValueError(
                f"wanted the teacher's logits of shape {z.shape}, got "
                f"{taught.shape}"
            )
        more["taught"] = taught.reshape(flat.shape).astype(np.float64)
    if prior is not None and "prior" in wanted:
        more["prior"] = _distribution(prior, z.shape[-1])
    try:
        inspect.signature(_LOSSES[name]).bind(rows, own, **more, **options)
    except TypeError as error:
        raise ValueError(f"loss '{name}': {error}") from None
    losses = _LOSSES[name](rows.astype(np.float64), own, **more, **options)
    return np.asarray(losses, np.float64).reshape(ids.shape)


def _distribution(prior: Any, classes: int) -> Array:
    shares = given.array(prior, "a prior").astype(np.float64)
    is_one = shares.shape == (classes,) and abs(shares.sum() - 1) <= 1e-5
    if not (is_one and shares.min() >= 0):
        raise ValueError(
            f"wanted a prior of {classes} probabilities that sum to 1, got "
            f"shape {shares.shape} and sum {shares.sum()}"
        )
    return shares


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high or not math.isfinite(value):
        raise ValueError(f"wanted {name} from {low:g} to {high:g}, got {value}")


def _pick(rows: Array, ids: Array) -> Array:
    picked: Array = rows[np.arange(len(ids)), ids]
    return picked


def _nll(z: Array, ids: Array) -> Array:
    return -_pick(log_softmax(z), ids)


def _label_smoothing(
    z: Array,
    ids: Array,
    *,
    alpha: float,
    spread: str = "uniform",
    prior: Array | None = None,
) -> Array:
    _check("alpha", alpha, 0, 1)
    if spread not in ("uniform", "others", "prior"):
        raise ValueError(
            f"wanted a spread of uniform, others, prior, got {spread!r}"
        )
    log_p, classes = log_softmax(z), z.shape[1]
    hard = -_pick(log_p, ids)
    if spread == "others":
        rest = (-log_p.sum(axis=1) - hard) / (classes - 1)
        return np.asarray((1 - alpha) * hard + alpha * rest)
    share: Any = 1 / classes
    if spread == "prior":
        if prior is None:
            raise ValueError("wanted prior=, how often each class occurs")
        share = prior
    other = -np.sum(share * log_p, axis=1)
    return np.asarray((1 - alpha) * hard + alpha * other)


def _smoothed_targets(z: Array, ids: Array, *, alpha: float) -> Array:
    return _label_smoothing(z, ids, alpha=alpha)


def _target_probability(z: Array, ids: Array, *, p: float) -> Array:
    _check("p", p, np.nextafter(0, 1), 1)
    return _label_smoothing(z, ids, alpha=1 - p, spread="others")


def _confidence_penalty(z: Array, ids: Array, *, weight: float = 0.1) -> Array:
    _check("weight", weight, 0, math.inf)
    entropy = special.entr(np.exp(log_softmax(z))).sum(axis=1)
    return np.asarray(_nll(z, ids) - weight * entropy)


def _focal(z: Array, ids: Array, *, gamma: float = 3.0) -> Array:
    _check("gamma", gamma, 0, math.inf)
    hard = _nll(z, ids)
    return np.asarray((-np.expm1(-hard)) ** gamma * hard)


def _margin_smoothing(
    z: Array,
    ids: Array,
    *,
    weight: float = 0.1,
    margin: float = 10.0,
    over_logits: str = "sum",
) -> Array:
    _check("weight", weight, 0, math.inf)
    _check("margin", margin, 0, math.inf)
    below = z.max(axis=1, keepdims=True) - z
    over = np.maximum(below - margin, 0)
    return np.asarray(_nll(z, ids) + weight * _reduced(over, over_logits))


def _max_suppression(z: Array, ids: Array, *, alpha: float) -> Array:
    _check("alpha", alpha, 0, 1)
    return np.asarray(_nll(z, ids) + alpha * (z.max(axis=1) - z.mean(axis=1)))


def _logit_penalty(z: Array, ids: Array, *, weight: float = 1e-3) -> Array:
    _check("weight", weight, 0, math.inf)
    return np.asarray(_nll(z, ids) + weight * np.sum(z**2, axis=1))


def _logit_smoothing(z: Array, ids: Array, *, p: float) -> Array:
    _check("p", p, np.nextafter(0, 1), 1)
    rest = (1 - p) / (z.shape[1] - 1)
    smoothed = p * z + rest * (z.sum(axis=1, keepdims=True) - z)
    return _nll(smoothed, ids)


def _forward_correction(
    z: Array,
    ids: Array,
    *,
    kept: float = 1.0,
    transition: Sequence[Sequence[float]] = (),
) -> Array:
    _check("kept", kept, 0, 1)
    classes = z.shape[1]
    if len(transition):
        if kept != 1:
            raise ValueError(
                f"wanted kept or a transition, got kept={kept} and both"
            )
        noise = np.asarray(transition, np.float64)
        if noise.shape != (classes, classes):
            raise ValueError(
                f"wanted a transition [{classes}, {classes}], got shape "
                f"{noise.shape}"
            )
    else:
        noise = np.full((classes, classes), (1 - kept) / (classes - 1))
        np.fill_diagonal(noise, kept)
    observed = np.exp(log_softmax(z)) @ noise
    return np.asarray(-np.log(_pick(observed, ids)))


def _student(
    z: Array, ids: Array, taught: Array | None, beta: float, soft: Any
) -> Array:
    """``(1 - beta) * H(y, p) + beta * soft``."""
    _check("beta", beta, 0, 1)
    if taught is None:
        raise ValueError("wanted teacher_logits=, got none")
    return np.asarray((1 - beta) * _nll(z, ids) + beta * soft(taught))


def _temperatures(teacher: float, student: float) -> None:
    least = np.nextafter(0, 1)
    _check("teacher_temperature", teacher, least, math.inf)
    _check("student_temperature", student, least, math.inf)


def _soft_targets(
    z: Array,
    ids: Array,
    *,
    beta: float,
    teacher_temperature: float,
    student_temperature: float,
    scale_by_temperature_squared: bool = False,
    taught: Array | None = None,
) -> Array:
    _temperatures(teacher_temperature, student_temperature)
    factor = 1.0
    if scale_by_temperature_squared:
        if teacher_temperature != student_temperature:
            raise ValueError(
                "scale_by_temperature_squared wants one temperature, got "
                f"{teacher_temperature} and {student_temperature}"
            )
        factor = student_temperature**2

    def soft(logits: Array) -> Array:
        targets = np.exp(log_softmax(logits / teacher_temperature))
        log_p = log_softmax(z / student_temperature)
        return np.asarray(-factor * np.sum(targets * log_p, axis=1))

    return _student(z, ids, taught, beta, soft)


def _kl_divergence(
    z: Array,
    ids: Array,
    *,
    beta: float,
    teacher_temperature: float,
    student_temperature: float,
    taught: Array | None = None,
) -> Array:
    _temperatures(teacher_temperature, student_temperature)

    def soft(logits: Array) -> Array:
        log_t = log_softmax(logits / teacher_temperature)
        log_p = log_softmax(z / student_temperature)
        return np.asarray(np.sum(np.exp(log_t) * (log_t - log_p), axis=1))

    return _student(z, ids, taught, beta, soft)


def _logit_matching(
    z: Array,
    ids: Array,
    *,
    beta: float,
    over_logits: str,
    teacher: str = "logits",
    taught: Array | None = None,
) -> Array:
    if teacher not in ("logits", "probabilities"):
        raise ValueError(
            f"wanted a teacher of logits, probabilities, got {teacher!r}"
        )

    def soft(logits: Array) -> Array:
        if teacher == "probabilities":
            logits = np.exp(log_softmax(logits))
        return _reduced((z - logits) ** 2, over_logits) / 2

    return _student(z, ids, taught, beta, soft)


def _reduced(values: Array, over_logits: str) -> Array:
    if over_logits not in ("sum", "mean"):
        raise ValueError(
            f"wanted over_logits of sum, mean, got {over_logits!r}"
        )
    return np.asarray(getattr(np, over_logits)(values, axis=1))


_LOSSES: dict[str, Callable[..., Array]] = {
    "confidence_penalty": _confidence_penalty,
    "focal": _focal,
    "forward_correction": _forward_correction,
    "kl_divergence": _kl_divergence,
    "label_smoothing": _label_smoothing,
    "logit_matching": _logit_matching,
    "logit_penalty": _logit_penalty,
    "logit_smoothing": _logit_smoothing,
    "margin_smoothing": _margin_smoothing,
    "max_suppression": _max_suppression,
    "smoothed_targets": _smoothed_targets,
    "soft_targets": _soft_targets,
    "target_probability": _target_probability,
}
