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

from ls_tf.analysis import given, outputs
from ls_tf.analysis.outputs import Array
from ls_tf.analysis.probabilities import log_softmax


def numpy_loss(
    name: str,
    logits: Any,
    labels: Any,
    *,
    teacher_logits: Any = None,
    prior: Any = None,
    draws: Any = None,
    learnt: Any = None,
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
        draws: int [..., 2], evenly drawn from 0 to 2**31 - 1, for
            "disturb_label".
        learnt: float [K, K], a distribution for each label, such as of
            ``learnt_targets``, for "online_label_smoothing".
        **options: the loss's fields, such as ``alpha=0.1``; its own
            ``reduction`` is ``over_logits``, as of ``KerasLoss``.

    Returns:
        float64 [...], not reduced; nats, but for logit matching.

    Raises:
        ValueError: no such loss or option, one out of range, or bad arrays;
            one line.

    Source: ours; the formulas: see the loss.
    """
    if not isinstance(name, str) or name not in _LOSSES:
        raise ValueError(
            f"no loss '{name}' in NumPy; existing: {', '.join(_LOSSES)}"
        )
    z, ids = given.array(logits, "logits"), given.array(labels, "labels")
    given.check_pair(z, ids)
    if z.shape[-1] < 2:
        raise ValueError(f"wanted logits of 2 classes or more, got {z.shape}")
    flat = z.reshape(-1, z.shape[-1])
    rows, own, _ = given.examples(flat, ids.reshape(-1))
    more: dict[str, Any] = {}
    wanted = inspect.signature(_LOSSES[name]).parameters
    if teacher_logits is not None and "taught" in wanted:
        taught = given.scores(teacher_logits, name="teacher's logits")
        if taught.shape != z.shape:
            raise ValueError(
                f"wanted the teacher's logits of shape {z.shape}, got "
                f"{taught.shape}"
            )
        outputs.finite(taught, "teacher's logits")
        more["taught"] = taught.reshape(flat.shape).astype(np.float64)
    if prior is not None and "prior" in wanted:
        more["prior"] = _distributions(prior, "a prior", z.shape[-1:])
    if draws is not None and "draws" in wanted:
        more["draws"] = _words(draws, ids.shape).reshape(-1, 2)
    if learnt is not None and "learnt" in wanted:
        more["learnt"] = _distributions(
            learnt, "learnt targets", 2 * z.shape[-1:]
        )
    try:
        inspect.signature(_LOSSES[name]).bind(rows, own, **more, **options)
    except TypeError as error:
        raise ValueError(f"loss '{name}': {error}") from None
    losses = _LOSSES[name](rows.astype(np.float64), own, **more, **options)
    return np.asarray(losses, np.float64).reshape(ids.shape)


def learnt_targets(logits: Any, labels: Any, *, before: Any = None) -> Array:
    """Gives the targets that online label smoothing learns from an epoch.

    Args:
        logits: float [..., K], finite: the answers of the epoch, of any
            framework.
        labels: int [...], class ids.
        before: float [K, K], the targets of the epoch before; default: even
            ones, those of the first epoch.

    Returns:
        float64 [K, K], a distribution for each label: the mean softmax of
        its examples whose largest logit is the label's; of a label without
        such examples the one of ``before``.

    Raises:
        ValueError: bad arrays; one line.

    Source: Zhang et al. 2021 (arXiv 2011.12562), section 3.
    """
    z, ids = given.array(logits, "logits"), given.array(labels, "labels")
    given.check_pair(z, ids)
    classes = z.shape[-1]
    rows, own, _ = given.examples(z.reshape(-1, classes), ids.reshape(-1))
    targets = np.full((classes, classes), 1 / classes)
    if before is not None:
        targets = _distributions(before, "targets", (classes, classes)).copy()
    right = rows.argmax(axis=1) == own
    answers = np.exp(log_softmax(rows[right].astype(np.float64)))  # [right, K]
    for label in np.unique(own[right]):
        targets[label] = answers[own[right] == label].mean(axis=0)
    return targets


def _distributions(values: Any, what: str, shape: tuple[int, ...]) -> Array:
    """Refuses what has another shape or rows that are no probabilities."""
    shares = given.array(values, what).astype(np.float64)
    if shares.shape != shape:
        raise ValueError(
            f"wanted {what} of shape {shape}, got shape {shares.shape}"
        )
    sums = shares.sum(axis=-1)
    if not (shares.min() >= 0 and np.abs(sums - 1).max() <= 1e-5):
        raise ValueError(
            f"wanted {what} of probabilities that sum to 1, got sums from "
            f"{sums.min():g} to {sums.max():g} and {shares.min():g} as the "
            "least"
        )
    return shares


def _words(draws: Any, shape: tuple[int, ...]) -> Array:
    words = given.array(draws, "draws")
    is_right = words.dtype.kind in "iu" and words.shape == (*shape, 2)
    if not is_right:
        raise ValueError(
            f"wanted draws, integers of shape {(*shape, 2)}, got {words.dtype} "
            f"of shape {words.shape}"
        )
    if words.size and not 0 <= words.min() <= words.max() < 2**31:
        raise ValueError(
            f"wanted draws from 0 to {2**31 - 1}, got {words.min()} to "
            f"{words.max()}"
        )
    return words.astype(np.int64)


def _check(name: str, value: float, low: float, high: float) -> None:
    number = outputs.real(value, name)
    if number.ndim:
        raise ValueError(
            f"wanted {name} as one number, got shape {number.shape}"
        )
    if not low <= number <= high or not np.isfinite(number):
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
    log_p = log_softmax(z)
    if spread == "others":
        return _over_others(log_p, ids, alpha)
    share: Any = 1 / z.shape[1]
    if spread == "prior":
        if prior is None:
            raise ValueError("wanted prior=, how often each class occurs")
        share = prior
    other = -np.sum(share * log_p, axis=1)
    return np.asarray((1 - alpha) * -_pick(log_p, ids) + alpha * other)


def _over_others(log_p: Array, ids: Array, share: Any) -> Array:
    """A share of each label spread over the other classes, [N] or a number."""
    hard = -_pick(log_p, ids)
    rest = (-log_p.sum(axis=1) - hard) / (log_p.shape[1] - 1)
    return np.asarray((1 - share) * hard + share * rest)


def _label_aware_smoothing(
    z: Array,
    ids: Array,
    *,
    head: float = 0.4,
    tail: float = 0.1,
    shape: str = "concave",
    prior: Array | None = None,
) -> Array:
    below_one = float(np.nextafter(1, 0))
    _check("head", head, 0, below_one)
    _check("tail", tail, 0, below_one)
    if shape not in _GROWTH:
        raise ValueError(
            f"wanted a shape of {', '.join(_GROWTH)}, got {shape!r}"
        )
    if prior is None:
        raise ValueError("wanted prior=, how often each class occurs")
    span = np.ptp(prior)
    share = (prior - prior.min()) / span if span else np.ones_like(prior)
    eps = (tail + (head - tail) * _GROWTH[shape](share))[ids]
    return _over_others(log_softmax(z), ids, eps)


def _disturb_label(
    z: Array, ids: Array, *, alpha: float, draws: Array | None = None
) -> Array:
    _check("alpha", alpha, 0, 1)
    if draws is None:
        raise ValueError("wanted draws=, two integers of each example")
    # The upper 24 of the 31 bits of a word, exact in float32.
    chosen = (draws[:, 0] >> 7) / 2**24 < np.float32(alpha)
    return _nll(z, np.where(chosen, draws[:, 1] % z.shape[1], ids))


def _online_label_smoothing(
    z: Array, ids: Array, *, alpha: float, learnt: Array | None = None
) -> Array:
    _check("alpha", alpha, 0, 1)
    if learnt is None:
        raise ValueError("wanted learnt=, a distribution for each label")
    soft = -np.sum(learnt[ids] * log_softmax(z), axis=1)
    return np.asarray((1 - alpha) * _nll(z, ids) + alpha * soft)


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
        # A row is what is observed of a true class.
        noise = _distributions(transition, "a transition", (classes, classes))
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


# How the smoothing of a class grows with its frequency, both from 0 to 1.
_GROWTH: dict[str, Callable[[Array], Array]] = {
    "concave": lambda share: np.sin(share * math.pi / 2),
    "linear": lambda share: share,
    "convex": lambda share: 1 - np.cos(share * math.pi / 2),
}

_LOSSES: dict[str, Callable[..., Array]] = {
    "confidence_penalty": _confidence_penalty,
    "disturb_label": _disturb_label,
    "focal": _focal,
    "forward_correction": _forward_correction,
    "kl_divergence": _kl_divergence,
    "label_aware_smoothing": _label_aware_smoothing,
    "label_smoothing": _label_smoothing,
    "logit_matching": _logit_matching,
    "logit_penalty": _logit_penalty,
    "logit_smoothing": _logit_smoothing,
    "margin_smoothing": _margin_smoothing,
    "max_suppression": _max_suppression,
    "online_label_smoothing": _online_label_smoothing,
    "smoothed_targets": _smoothed_targets,
    "soft_targets": _soft_targets,
    "target_probability": _target_probability,
}
