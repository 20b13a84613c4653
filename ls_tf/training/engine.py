"""What every engine offers the training loop, and what all of them share."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ls_tf import stopping
from ls_tf.protocols import Arrays, Batches, Inference, Task
from ls_tf.spec import ExperimentSpec, SpecError

# (gradients, variables, values) -> gradients: decay and clipping, after the
# reduction. The values are None where they are in the variables.
Transform = Callable[[list[Any], list[Any], list[Any] | None], list[Any]]

# Of a compiled call: steps run, and their means, still on the device.
Called = tuple[Any, Mapping[str, Any]]

PREDICT_BATCH = 1000


@dataclass(frozen=True)
class Recipe:
    """How to make the parts of one network, where the engine wants them.

    Attributes:
        make_task: takes a task on the same data to share its arrays, or None.
        make_optimizer: makes the optimizer of a task.
    """

    make_task: Callable[[Task | None], Task]
    make_optimizer: Callable[[Task], Any]


class Network(Inference, Protocol):
    """One of the networks that an engine trains together.

    What it infers, it infers within ``measuring``.
    """

    task: Task

    def state(self) -> dict[str, np.ndarray]:
        """Every model and optimizer variable by name, on the host.

        Integers are int64 whatever the backend counts in, so that checkpoints
        of all engines have one content.
        """

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Assigns every variable from ``state`` of any engine.

        Raises:
            SpecError: the arrays are of another network.
        """

    def measuring(self) -> AbstractContextManager[None]:
        """Within it ``task.model`` holds the weights to be measured.

        These are the weight average where the experiment keeps one.
        """


@dataclass(frozen=True)
class Underway:
    """Steps that an engine was given.

    Attributes:
        count: how many.
        logs: waits for them, and gives the means of ``Engine.run``.
    """

    count: int
    logs: Callable[[], list[dict[str, np.ndarray]]]


class Engine(Protocol):
    """Runs the steps of one or more networks; holds their variables."""

    num_replicas: int
    num_workers: int  # processes that train together
    # Whether ``begin`` returns before its steps are done, and may be called
    # again: the state is then that of the last steps that were begun.
    runs_ahead: bool
    is_chief: bool  # the one process that writes the record
    networks: Sequence[Network]

    def build(self, recipes: Sequence[Recipe]) -> None:
        """Makes tasks and optimizers where their variables belong.

        Raises:
            SpecError: the batch does not split evenly over the replicas, or
                the networks do not fit in memory together.
        """

    def run(self, start: int, count: int) -> list[dict[str, np.ndarray]]:
        """Runs steps start..start+count-1 in one compiled call.

        It may stop early where the process was asked to stop. Behind a step in
        which no network's loss is finite it may go on: the state is then of no
        more use.

        Returns:
            For each network a dict of float32 [steps run], up to a step in
            which no loss is finite: each sum of ``Task.loss`` divided by the
            weight, both over all replicas.
        """

    def begin(self, start: int, count: int) -> Underway:
        """As ``run``, but need not wait for the steps."""

    def agree(self, stop: bool, count: int) -> tuple[bool, int]:
        """Lets all processes take the chief's count and stop together."""

    def devices(self) -> list[str]:
        """The devices that train, in words."""


def max_chunk(spec: ExperimentSpec) -> int:
    """The most steps that one call of ``Engine.run`` may run."""
    return min(spec.train.log_every_steps, 500)


def capacity(spec: ExperimentSpec, task: Task) -> int:
    """The most steps of one compiled call."""
    return min(max_chunk(spec), task.steps_at_once or max_chunk(spec))


def check_count(count: int, capacity: int) -> None:
    """Refuses a number of steps that the compiled call cannot run."""
    if not 0 < count <= capacity:
        raise ValueError(
            f"wanted 1 to {capacity} steps in one call, got {count}"
        )


def check_batches(task: Task, num_replicas: int, micro_batches: int) -> None:
    """Refuses batches that do not split evenly.

    Raises:
        SpecError: one line.
    """
    parts = num_replicas * micro_batches
    odd = [size for size in task.batch_sizes if size % parts]
    if odd:
        what = (
            "train.global_batch_size: wanted a multiple of"
            if task.one_shape
            else "train.global_batch_tokens: wanted batches of a multiple of"
        )
        raise SpecError(
            f"{what} {parts} ({num_replicas} replicas x {micro_batches} "
            f"micro-batches), got {odd[0]}"
        )


def shapes(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells one compiled program from another."""
    return tuple(
        (k, tuple(v.shape), str(v.dtype)) for k, v in sorted(batch.items())
    )


def joined(calls: Sequence[Called]) -> dict[str, np.ndarray]:
    """The means of the steps of several calls, as one call gives them.

    Args:
        calls: one or more; only here are they waited for.

    Returns:
        name -> [steps], up to the first after which no loss is finite.
    """
    fetched = [
        {k: np.asarray(v)[: int(done)] for k, v in logs.items()}
        for done, logs in calls
    ]
    return _usable(
        {k: np.concatenate([logs[k] for logs in fetched]) for k in fetched[0]}
    )


def stacked(
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, np.ndarray]:
    """The means of steps that were run one by one, as one call gives them.

    Only here are they waited for. What comes after a step in which no loss
    is finite is dropped.
    """
    return _usable(
        {k: np.stack([np.asarray(row[k]) for row in rows]) for k in rows[0]}
    )


def _usable(logs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drops what comes after a step in which no loss is finite."""
    losses = logs["loss"]
    finite = np.isfinite(losses).reshape(len(losses), -1).any(axis=1)
    done = len(losses) if finite.all() else int(np.argmin(finite)) + 1
    return {k: v[:done] for k, v in logs.items()}


def padded(plan: Mapping[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    """Fills a plan up to the compiled size; the fill is never run."""
    return {
        k: v
        if len(v) == size
        else np.concatenate([v, np.repeat(v[:1], size - len(v), axis=0)])
        for k, v in plan.items()
    }


def equal_slice(array: Any, part: Any, parts: int) -> Any:
    """The part-th of ``parts`` equal slices along the first axis."""
    if parts == 1:
        return array
    size = array.shape[0] // parts
    return array[part * size : (part + 1) * size]


def in_batches(
    predict: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
    examples: Arrays | Batches,
    *,
    multiple_of: int = 1,
) -> dict[str, np.ndarray]:
    """Predicts in batches of one shape; the last is filled up, then cut.

    Args:
        predict: batch -> outputs, on the host.
        examples: name -> [N, ...], or batches of them.
        multiple_of: what the size of a batch must be a multiple of.

    Returns:
        Outputs [N, ...].
    """
    batches = (
        examples.batches()
        if isinstance(examples, Batches)
        else _parted(examples, multiple_of)
    )
    size = 0  # of all batches: what the first has, rounded up
    parts: list[dict[str, np.ndarray]] = []
    for batch in batches:
        stopping.look()
        kept = len(next(iter(batch.values())))
        size = size or kept + -kept % multiple_of
        index = np.minimum(np.arange(size), kept - 1)
        outputs = predict(
            dict(batch)
            if kept == size
            else {k: v[index] for k, v in batch.items()}
        )
        parts.append({k: np.asarray(v)[:kept] for k, v in outputs.items()})
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}


def _parted(examples: Arrays, multiple_of: int) -> Iterator[Arrays]:
    total = len(next(iter(examples.values())))
    size = min(PREDICT_BATCH, total)
    size += -size % multiple_of
    for first in range(0, total, size):
        yield {k: v[first : first + size] for k, v in examples.items()}


def in_calls(
    feed: Callable[[int, int], Mapping[str, np.ndarray]],
    call: Callable[[Mapping[str, np.ndarray], int], Called],
    start: int,
    count: int,
    *,
    alone: bool = True,
    before: Sequence[Called] = (),
) -> list[Called]:
    """Runs steps in as many calls as ``Task.feed`` takes to give them.

    While the device works on one call the next is prepared; there are never
    more than two, which bounds the memory that they take.

    Args:
        feed: see ``Task.feed``.
        call: (what ``feed`` gave, number of steps) -> what was computed.
        start: first step.
        count: number of steps.
        alone: no other process has to run the same calls: a stop may come
            between two.
        before: calls that may not have ended yet.

    Returns:
        The calls, of which only the last may not have ended; see ``joined``.
    """
    calls: list[Called] = []
    done = 0
    while done < count:
        if calls and alone and stopping.requested():
            break
        # What is run already must come back: nothing may break it off.
        with stopping.deferred() if calls else contextlib.nullcontext():
            fed = feed(start + done, count - done)
            size = len(fed["index"])
            calls.append(call(fed, size))
        done += size
        for _, logs in [*before, *calls][-2:-1]:
            np.asarray(logs["loss"])
    return calls
