"""Beam search over any step by step model, as one compiled loop.

The model is a function ``step(ids, position, cache) -> (logits, cache)`` of
N = B * beams hypotheses: ``ids`` int32 [N], the last token of each (0 at the
start), ``position`` an int32 scalar, the number of tokens so far, ``logits``
float [N, V]. The cache is a dict of three entries, each any nested structure
of arrays:

* ``constant``: what no step changes, such as the encoded sources;
* ``written``: what steps change, but does not follow the hypotheses;
* ``reordered``: [N, ...], which follows them: where the search keeps two
  continuations of one hypothesis and none of another, rows are repeated and
  dropped.

It may have two more, for memories that grow: ``stretch``, a number of steps,
and ``full``, a list of structures like ``written``. After the first ``stretch``
steps what is written then becomes the first of ``full``, after as many more the
second. What no step changes is not copied, where an engine copies what changes.

The algorithm is that of tensor2tensor. Every step extends the ``beams`` alive
hypotheses of a source and keeps the best ``2 * beams`` continuations, of which
at least half do not end. Those refill the alive ones; those that end compete
with what has ended before, by log-probability over a length penalty.

Source: T2T's utils/beam_search.py; Wu et al. 2016, arXiv 1609.08144, section 7.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ls_tf.decoding.length_penalty import length_penalty

Tensor = Any
Cache = dict[str, Any]
Step = Callable[[Tensor, Tensor, Cache], tuple[Tensor, Cache]]
State = dict[str, Any]

_NONE = float("-inf")  # the score of a hypothesis that does not exist


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check(
    max_length: Any, beams: int, alpha: Any, temperature: Any, n_best: int
) -> None:
    if _is_number(max_length) and max_length < 1:
        raise ValueError(f"wanted max_length of 1 or more, got {max_length}")
    if beams < 1:
        raise ValueError(f"wanted beams of 1 or more, got {beams}")
    if not 1 <= n_best <= beams:
        raise ValueError(f"wanted n_best of 1 to {beams} beams, got {n_best}")
    # A negative exponent would reward shortness, and the bound that ends the
    # search would not hold.
    if _is_number(alpha) and not alpha >= 0:
        raise ValueError(f"wanted alpha of 0 or more, got {alpha}")
    if _is_number(temperature) and not temperature > 0:
        raise ValueError(f"wanted a positive temperature, got {temperature}")


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """Takes from values [B, K, ...] the rows index [B, k]: [B, k, ...]."""
    more = len(values.shape) - 2
    index = ops.reshape(index, (*ops.shape(index), *([1] * more)))
    return ops.take_along_axis(values, index, axis=1)


def _best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The best of [B, K], falling, and where they stood; int32 [B, count]."""
    values, index = ops.top_k(scores, count)
    return values, ops.cast(index, "int32")


def _continuations(
    logits: Tensor, alive: Tensor, temperature: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations of each source.

    Args:
        logits: float [N, V].
        alive: float32 [B, beams], log-probabilities.
        temperature: float32 scalar.
        count: how many.

    Returns:
        Log-probabilities float32 [B, count], falling; the hypothesis each one
        continues and its token, int32 [B, count].
    """
    batch, beams = ops.shape(alive)
    scaled = ops.cast(logits, "float32") / temperature
    # No more than `count` of one hypothesis can be among the best: rows first
    # keeps what is sorted small, and only these need to be normalised.
    each = min(count, logits.shape[-1])
    top, tokens = ops.top_k(scaled, each)
    top = top - ops.logsumexp(scaled, axis=-1, keepdims=True)
    log_p = ops.expand_dims(alive, -1) + ops.reshape(top, (batch, beams, each))
    log_p, index = _best(
        ops.reshape(log_p, (batch, beams * each)), min(count, beams * each)
    )
    tokens = ops.reshape(ops.cast(tokens, "int32"), (batch, beams * each))
    return log_p, index // each, _gather(tokens, index)


def _start(max_lengths: Tensor, beams: int, max_length: Any) -> State:
    batch = ops.shape(max_lengths)[0]
    none = ops.full((batch, beams), _NONE, "float32")
    ids = ops.zeros((batch, beams, max_length), "int32")
    # One hypothesis, empty; else the first step would extend equal ones.
    first = ops.equal(ops.arange(beams), 0)
    return {
        "alive": ops.where(first, 0.0, none),
        "alive_ids": ids,
        "last": ops.zeros((batch, beams), "int32"),
        "finished": none,
        "finished_ids": ids,
        "finished_lengths": ops.zeros((batch, beams), "int32"),
        "done": ops.less_equal(max_lengths, 0),
    }


def _grown(
    state: State,
    position: Tensor,
    found: tuple[Tensor, Tensor, Tensor],
    alpha: Any,
    eos: int,
) -> tuple[State, Tensor]:
    """Sorts continuations into alive and finished hypotheses.

    Returns:
        The state (without ``done``), and which hypothesis each alive one
        continues, int32 [B, beams].
    """
    log_p, parent, token = found
    beams = ops.shape(state["alive"])[1]
    max_length = ops.shape(state["alive_ids"])[2]
    here = ops.equal(ops.arange(max_length, dtype="int32"), position)
    ids = _gather(state["alive_ids"], parent)
    ids = ops.where(here, ops.expand_dims(token, -1), ids)
    ends = ops.equal(token, eos)
    length = position + 1

    alive, index = _best(ops.where(ends, _NONE, log_p), beams)
    ended = ops.where(ends, log_p / length_penalty(length, alpha), _NONE)
    lengths = ops.where(ends, length, 0)
    finished, among = _best(
        ops.concatenate([state["finished"], ended], axis=1), beams
    )

    def both(name: str, new: Tensor) -> Tensor:
        return _gather(ops.concatenate([state[name], new], axis=1), among)

    return {
        "alive": alive,
        "alive_ids": _gather(ids, index),
        "last": _gather(token, index),
        "finished": finished,
        "finished_ids": both("finished_ids", ids),
        "finished_lengths": both("finished_lengths", lengths),
    }, _gather(parent, index)


def _in_stretches(
    more: Callable[..., Tensor],
    body: Callable[..., tuple[Any, ...]],
    start: tuple[Any, ...],
    full: list[Any],
    stretch: Any,
) -> tuple[Any, ...]:
    """Loops over stretches of steps; see the module.

    Args:
        more: whether there is another step.
        body: a step: of the position, the state, what is written and what is
            reordered, and of ``full``, as it was at the stretch's start.
        start: the first of these four.
        full: structures like what is written.
        stretch: the number of steps.

    Returns:
        What ``body`` gave last, and ``full``.
    """

    def one(*moving: Any) -> tuple[Any, ...]:
        *first, full = moving
        number = first[0] // stretch
        end = (number + 1) * stretch
        last = ops.while_loop(
            lambda *now: ops.logical_and(more(*now), ops.less(now[0], end)),
            lambda *now: body(*now, full),
            tuple(first),
        )
        written = last[2]
        full = [
            ops.cond(
                ops.equal(number, i),
                lambda: written,
                lambda before=before: before,
            )
            for i, before in enumerate(full)
        ]
        return *last, full

    found: tuple[Any, ...] = ops.while_loop(more, one, (*start, full))
    return found


def _result(state: State, max_lengths: Tensor, n_best: int) -> dict[str, Any]:
    """The finished hypotheses; where there is none, the alive ones."""
    any_finished = ops.isfinite(state["finished"][:, :1])
    scores = ops.where(any_finished, state["finished"], state["alive"])
    lengths = ops.where(
        any_finished, state["finished_lengths"], max_lengths[:, None]
    )
    ids = ops.where(
        any_finished[..., None], state["finished_ids"], state["alive_ids"]
    )
    exists = ops.isfinite(scores)
    lengths = ops.where(exists, ops.maximum(lengths, 0), 0)
    ids = ops.where(exists[..., None], ids, 0)
    return {
        "ids": ids[:, :n_best],
        "scores": scores[:, :n_best],
        "lengths": lengths[:, :n_best],
    }


def beam_search(
    step: Step,
    cache: Cache,
    *,
    max_lengths: Tensor,
    max_length: Any,
    beams: int,
    alpha: Any,
    temperature: Any = 1.0,
    n_best: int = 1,
    eos: int = 1,
    early_stop: bool = True,
) -> dict[str, Tensor]:
    """Finds the most likely continuations of B starts.

    What is found for one source depends on nothing but that source: not on
    the others of the batch, their order or number. A source whose search has
    ended is left as it is while the others go on.

    With one beam it is greedy: the most likely token at every step, until it
    is ``eos``. (T2T too takes another path there; two candidates for one
    beam would let an unlikely end compete.)

    Args:
        step: see the module; in inference mode.
        cache: what ``step`` takes first.
        max_lengths: int32 [B], the most tokens of each, ``eos`` included; 0
            skips a source.
        max_length: bound of ``max_lengths``, larger ones are cut; under XLA
            it must be a number.
        beams: hypotheses kept alive.
        alpha: exponent of the length penalty, 0 or more; may be a tensor.
        temperature: divides the logits before the log-softmax; positive; may
            be a tensor, so that one program serves a sweep. 1 is T2T's.
        n_best: hypotheses to return of each source.
        eos: the token that ends a hypothesis.
        early_stop: ends the search of a source when its ``n_best`` finished
            hypotheses cannot be overtaken any more. Exact: it changes no
            result.

    Returns:
        dict of falling order along n_best:
        ``ids`` int32 [B, n_best, max_length], 0 after the end; ``scores``
        float32 [B, n_best], log-probability over length penalty, -inf where
        there are fewer hypotheses; ``lengths`` int32 [B, n_best], ``eos``
        included, 0 where there are fewer. A source of which no hypothesis
        ended within its length has the alive ones instead, whose scores are
        plain log-probabilities, as T2T has it.

    Raises:
        ValueError: if a size is out of range.

    Source: see the module. That sources do not act on each other, and the
    early stop of more than one: ours.
    """
    _check(max_length, beams, alpha, temperature, n_best)
    temperature = ops.convert_to_tensor(temperature, dtype="float32")
    max_lengths = ops.minimum(ops.cast(max_lengths, "int32"), max_length)
    batch = ops.shape(max_lengths)[0]
    # At most one continuation of each hypothesis ends, so that of twice as
    # many at least `beams` do not.
    candidates = 2 * beams if beams > 1 else 1

    def more(position: Tensor, state: State, *moving: Any) -> Tensor:
        unfinished = ops.logical_not(ops.all(state["done"]))
        return ops.logical_and(ops.less(position, max_length), unfinished)

    def body(
        position: Tensor,
        state: State,
        written: Any,
        reordered: Any,
        full: Any = None,
    ) -> tuple[Any, ...]:
        ids = ops.reshape(state["last"], (batch * beams,))
        moving = {"written": written, "reordered": reordered}
        if full is not None:
            moving["full"] = full
        logits, after = step(ids, position, {**cache, **moving})
        found = _continuations(logits, state["alive"], temperature, candidates)
        new, parent = _grown(state, position, found, alpha, eos)
        done = state["done"]
        new = {
            name: ops.where(
                ops.reshape(done, (batch, *([1] * (len(v.shape) - 1)))),
                state[name],
                v,
            )
            for name, v in new.items()
        }
        if early_stop:
            # Nothing alive can become more likely, nor get a larger penalty.
            bound = new["alive"][:, 0] / length_penalty(max_lengths, alpha)
            done = ops.logical_or(done, new["finished"][:, n_best - 1] > bound)
        new["done"] = ops.logical_or(done, position + 1 >= max_lengths)
        rows = ops.arange(batch, dtype="int32")[:, None] * beams + parent
        rows = ops.reshape(rows, (batch * beams,))
        reordered = keras.tree.map_structure(
            lambda v: ops.take(v, rows, axis=0), after["reordered"]
        )
        return position + 1, new, after["written"], reordered

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        _start(max_lengths, beams, max_length),
        cache["written"],
        cache["reordered"],
    )
    if cache.get("full"):
        _, state, *_ = _in_stretches(
            more, body, start, cache["full"], cache["stretch"]
        )
    else:
        _, state, *_ = ops.while_loop(more, body, start)
    return _result(state, max_lengths, n_best)
