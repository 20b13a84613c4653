"""Beam search over a step function of any framework, in NumPy.

The search of ``search``, which says how it goes: what is found is the same, to
rounding. Here the loop is Python's and what the step computes is its own
business, so that it suits PyTorch, a service or a table, and not a compiled
program.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_tf.analysis import given, outputs
from ls_tf.analysis.outputs import Array

Step = Callable[[Array, int, Any], tuple[Any, Any]]
Reorder = Callable[[Any, Array], Any]


def take_rows(state: Any, rows: Array) -> Any:
    """Takes rows of every array of a nested structure.

    Args:
        state: dicts, lists and tuples of arrays [N, ...] that can be indexed
            by an array, as those of NumPy, JAX and PyTorch, or of TensorFlow;
            None stays.
        rows: int64 [N].

    Returns:
        The same structure.

    Raises:
        ValueError: what is no array, or one of another number of rows.

    Source: ours.
    """
    if state is None:
        return None
    if isinstance(state, dict):
        return {name: take_rows(value, rows) for name, value in state.items()}
    if isinstance(state, list | tuple):
        parts = [take_rows(value, rows) for value in state]
        is_named = hasattr(state, "_fields")
        return type(state)(*parts) if is_named else type(state)(parts)
    shape = getattr(state, "shape", None)
    if shape is None or not len(shape) or int(shape[0]) != len(rows):
        got = type(state).__name__ if shape is None else f"shape {shape}"
        raise ValueError(
            f"wanted a state of arrays of {len(rows)} rows, one of each "
            f"hypothesis, got {got}: give reorder= for another"
        )
    if type(state).__module__.partition(".")[0] == "tensorflow":
        return sys.modules["tensorflow"].gather(state, rows)
    return state[rows]


def beam_search(
    step: Step,
    state: Any = None,
    *,
    max_lengths: Any,
    beams: int = 4,
    alpha: float = 0.6,
    temperature: float = 1.0,
    n_best: int = 1,
    eos: int = 1,
    reorder: Reorder = take_rows,
) -> dict[str, Array]:
    """Finds the most likely continuations of B starts.

    ``step(ids, position, state)`` is given the last token of each of N = B *
    beams hypotheses, int64 [N] (0 at the start; those of a source stand
    together), how many tokens each has, and the state; it gives the logits
    float [N, V] of the next token, and the state. A logit of -inf is of a token
    that may not come.

    Args:
        step: as above, in inference mode.
        state: what ``step`` takes last, with N rows; None for none.
        max_lengths: int [B], the most tokens of each, ``eos`` included; 0
            skips a source.
        beams: hypotheses kept alive; 1 is greedy.
        alpha: exponent of the length penalty, 0 or more.
        temperature: divides the logits.
        n_best: hypotheses to return of each source.
        eos: the token that ends a hypothesis, from 0 to V - 1.
        reorder: gives the state whose row i is row ``rows[i]`` of a state;
            default: ``take_rows``.

    Returns:
        dict, falling along n_best: ``ids`` int64 [B, n_best, longest], 0
        after the end; ``scores`` float64 [B, n_best], log-probability over
        length penalty, -inf where there are fewer; ``lengths`` int64 [B,
        n_best]. Where no hypothesis ended, the alive ones and their plain
        log-probabilities.

    Raises:
        ValueError: a size out of range, logits of another shape, with NaN or
            without a token that may come, or a state of another number of
            rows.

    Warns:
        ProbabilityWarning: the step gives probabilities.

    Source: see ``search``.
    """
    limits = _limits(max_lengths)
    _check(beams, alpha, temperature, n_best)
    outputs.check_count(eos, "a token eos", 0)
    batch, longest = len(limits), int(limits.max(initial=0))
    scores = np.full((batch, beams), -np.inf)  # of those alive
    scores[:, 0] = 0.0
    ids = np.zeros((batch, beams, longest), np.int64)
    last = np.zeros((batch, beams), np.int64)
    ended = _Ended(batch, beams, longest)
    done = limits <= 0
    for position in range(longest):
        if done.all():
            break
        answer = step(last.reshape(-1), position, state)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise ValueError(
                "wanted logits and a state of the step, got "
                f"{type(answer).__name__}"
            )
        logits, state = answer
        log_p = _log_p(logits, batch, beams, temperature)
        if eos >= log_p.shape[-1]:
            raise ValueError(
                f"wanted a token eos from 0 to {log_p.shape[-1] - 1}, got {eos}"
            )
        found, parent, token = _continuations(scores, log_p)
        penalty = ((6.0 + position) / 6.0) ** alpha
        grown = np.take_along_axis(ids, parent[..., None], axis=1)
        grown[..., position] = token
        ends = token == eos
        over = np.where(ends, found / penalty, -np.inf)
        ended.add(~done, over, grown, position + 1)
        rest = np.where(ends, -np.inf, found)
        index = _order(rest)[:, :beams]
        kept = done[:, None]  # a source that has ended stays as it is
        take = np.take_along_axis
        scores = np.where(kept, scores, take(rest, index, 1))
        ids = np.where(kept[..., None], ids, take(grown, index[..., None], 1))
        last = np.where(kept, last, take(token, index, 1))
        # Nothing alive can become more likely, nor get a larger penalty.
        with np.errstate(divide="ignore"):
            bound = scores[:, 0] / ((5.0 + limits) / 6.0) ** alpha
        done = done | (ended.scores[:, n_best - 1] > bound)
        done = done | (position + 1 >= limits)
        rows = np.arange(batch)[:, None] * beams + take(parent, index, 1)
        state = reorder(state, rows.reshape(-1))
    return ended.result(scores, ids, limits, n_best)


class _Ended:
    """The best hypotheses that have ended, of each source."""

    def __init__(self, batch: int, beams: int, longest: int) -> None:
        self.scores = np.full((batch, beams), -np.inf)
        self._ids = np.zeros((batch, beams, longest), np.int64)
        self._lengths = np.zeros((batch, beams), np.int64)

    def add(
        self, sources: Array, scores: Array, ids: Array, length: int
    ) -> None:
        """Lets those of some sources that end now compete."""
        beams = self.scores.shape[1]
        every = np.concatenate([self.scores, scores], axis=1)
        index = _order(every)[:, :beams]
        ids = np.concatenate([self._ids, ids], axis=1)
        best = np.take_along_axis(every, index, axis=1)
        chosen = np.take_along_axis(ids, index[..., None], axis=1)
        self.scores = np.where(sources[:, None], best, self.scores)
        self._ids = np.where(sources[:, None, None], chosen, self._ids)
        now = np.full(scores.shape, length)
        now = np.concatenate([self._lengths, now], axis=1)
        now = np.take_along_axis(now, index, axis=1)
        self._lengths = np.where(sources[:, None], now, self._lengths)

    def result(
        self, alive: Array, ids: Array, limits: Array, n_best: int
    ) -> dict[str, Array]:
        """The ended hypotheses; of a source without one, those alive."""
        has_ended = np.isfinite(self.scores[:, :1])
        scores = np.where(has_ended, self.scores, alive)[:, :n_best]
        ids = np.where(has_ended[..., None], self._ids, ids)[:, :n_best]
        exists = np.isfinite(scores)
        ids = np.where(exists[..., None], ids, 0)
        lengths = np.where(has_ended, self._lengths, limits[:, None])
        lengths = np.where(exists, np.maximum(lengths[:, :n_best], 0), 0)
        return {"ids": ids, "scores": scores, "lengths": lengths}


def _limits(max_lengths: Any) -> Array:
    limits = given.array(max_lengths, "max_lengths")
    if limits.ndim != 1 or limits.dtype.kind not in "iu":
        raise ValueError(
            f"wanted max_lengths int [B], got {limits.dtype} of shape "
            f"{limits.shape}"
        )
    return limits.astype(np.int64)


def _check(beams: int, alpha: float, temperature: float, n_best: int) -> None:
    outputs.check_count(beams, "beams", 1)
    outputs.check_count(n_best, "n_best", 1)
    if n_best > beams:
        raise ValueError(f"wanted n_best of 1 to {beams} beams, got {n_best}")
    exponent = outputs.real(alpha, "alpha")
    if exponent.ndim or not 0 <= exponent < np.inf:
        raise ValueError(f"wanted alpha of 0 or more, got {alpha}")
    outputs.check_temperature(temperature)


def _log_p(logits: Any, batch: int, beams: int, temperature: float) -> Array:
    rows = given.scores(logits, name="step's logits").astype(np.float64)
    if rows.ndim != 2 or len(rows) != batch * beams:
        raise ValueError(
            f"wanted logits [{batch * beams}, V] of the step, got shape "
            f"{rows.shape}"
        )
    most = rows.max(axis=1, keepdims=True)
    if not np.isfinite(most).all():  # NaN too
        raise ValueError(
            "wanted logits of the step without NaN and infinity, and of each "
            "hypothesis one above -inf"
        )
    shifted = (rows - most) / temperature  # -inf stays
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    log_p: Array = shifted - np.log(total)
    return log_p.reshape(batch, beams, -1)


def _continuations(alive: Array, log_p: Array) -> tuple[Array, Array, Array]:
    """The best continuations of each source.

    Args:
        alive: float [B, beams].
        log_p: float [B, beams, V].

    Returns:
        Log-probabilities, the hypothesis that each continues, and its token,
        [B, C] each. At most one continuation of each hypothesis ends, so that
        of twice as many at least ``beams`` do not.
    """
    batch, beams, size = log_p.shape
    total = (alive[..., None] + log_p).reshape(batch, beams * size)
    count = 2 * beams if beams > 1 else 1
    index = _order(total)[:, :count]
    return np.take_along_axis(total, index, axis=1), index // size, index % size


def _order(values: Array) -> Array:
    """Positions by falling value; of equal ones the first comes first."""
    order: Array = np.argsort(-values, axis=1, kind="stable")
    return order
