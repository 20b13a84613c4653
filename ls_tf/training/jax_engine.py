"""The JAX engine: looped steps, for one network or a stack of them.

One program loops over a plan of many steps. Its state is donated, so that the
variables are updated in place; the data stays on the devices. Only on a CPU,
where an experiment says ``xla=false``, the program is a single step. What a
step computes is in ``jax_steps``; programs are shared by the engines of a
process, see ``jax_programs``.

Over several devices the program is sharded: by the batch for one network, whose
sums XLA then adds up over the devices, and by network for a stack that divides
evenly.

A stack is the same step under ``vmap``: networks that differ in seed, alpha,
temperature or teacher, but in no shape, train side by side in one program.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ls_tf import kernels, stopping
from ls_tf.protocols import Batches, Computation, Task
from ls_tf.spec import ExperimentSpec
from ls_tf.training import compile_cache, jax_programs, memory_limit
from ls_tf.training import engine as shared
from ls_tf.training.engine import Network, Recipe, Transform
from ls_tf.training.jax_inference import JaxInference
from ls_tf.training.jax_placement import AXIS, Placement
from ls_tf.training.jax_state import States
from ls_tf.training.jax_steps import Arrays, Steps
from ls_tf.training.jax_traced import Traced
from ls_tf.training.jax_variables import Variables

# Steps whose shapes are looked at for programs that will be needed.
_LOOK_AHEAD = 1000

# Steps that the devices were given, and what waits for their means.
_Given = tuple[int, Callable[[], dict[str, np.ndarray]]]


class JaxEngine:
    """Runs the steps of one or more networks with JAX; see ``Engine``."""

    def __init__(
        self,
        spec: ExperimentSpec,
        devices: Sequence[Any],
        transform: Transform,
        *,
        micro_batches: int = 1,
        memory: int | None = None,
        about: Callable[[Task], Mapping[str, Any] | None] | None = None,
    ) -> None:
        """Takes devices; ``build`` makes the variables.

        Args:
            spec: the experiment; of a stack, any one of them.
            devices: what to train on, of one kind; also those of other
                processes, which train too.
            transform: what happens to the mean gradient before the optimizer.
            micro_batches: in how many parts the batch is taken.
            memory: bytes that a stack may take; default: what the devices
                have.
            about: see ``Traced``, of the task that is trained; what is traced
                of an engine without it is kept for no later process.
        """
        self._spec, self._about = spec, about
        self._placement = Placement(devices)
        self._devices = self._placement.devices
        self.num_workers = self._placement.num_workers
        self.is_chief = self.num_workers == 1 or jax.process_index() == 0
        # Several processes meet between two calls, behind the steps.
        self.runs_ahead = self.num_workers == 1
        self._transform = transform
        self._micro_batches = micro_batches
        self._memory = memory
        self._most = shared.max_chunk(spec)
        self._precision = (
            "tensorfloat32"
            if spec.train.precision == "tensorfloat32"
            else "float32"
        )

    # --- Building -----------------------------------------------------------

    def build(self, recipes: Sequence[Recipe]) -> None:
        """See ``Engine.build``."""
        self._size = len(recipes)
        # Whole networks on each device need no sums over devices.
        by_network = self._size > 1 and self._size % len(self._devices) == 0
        self.num_replicas = 1 if by_network else len(self._devices)
        first = recipes[0].make_task(None)
        shared.check_batches(first, self.num_replicas, self._micro_batches)
        self._task, self._model = first, first.model
        self._optimizer = recipes[0].make_optimizer(first)
        self._optimizer.build(first.model.trainable_variables)
        self._variables = Variables(first.model, self._optimizer)
        if self._size > 1:
            self._refuse_large()
            first.check_stack()
        # Steps of a scan, where the program is one.
        self._length = shared.capacity(self._spec, first)
        # What this process has of a batch that is not resident.
        streams = first.steps_at_once is not None
        self._part = self._placement.part if streams else (0, 1)
        tasks = [first, *(r.make_task(first) for r in recipes[1:])]
        self.networks: Sequence[Network] = [
            _JaxNetwork(self, i, task) for i, task in enumerate(tasks)
        ]
        self._tasks = tasks
        self._place(by_network)
        self._steps = Steps(
            first,
            self._optimizer,
            self._transform,
            micro_batches=self._micro_batches,
            networks=self._size,
            own=self._own,
        )
        self._programs: dict[Any, Any] = {}
        folder = compile_cache.traced()
        # The text of others is not that of their run alone.
        is_alone = self._size == len(self._devices) == 1
        self._traced = (
            Traced(folder, functools.partial(self._about, first))
            if self._about and folder and is_alone
            else None
        )
        # Of streamed examples the last call, which may not have ended.
        self._last: Sequence[shared.Called] = ()
        # (First step, number of steps), and what they are made of.
        self._prepared: tuple[tuple[int, int], Arrays] = ((0, 0), {})
        self._inference = JaxInference(
            first, self._placement.mine, self._precision
        )
        # XLA compiles convolutions inside a loop to slow code on a CPU.
        cpu = self._devices[0].platform == "cpu"
        self._scans = first.one_shape and (self._spec.train.xla or not cpu)
        self._knows_length = not cpu
        self._in_turn: jax_programs.InTurn | None = None
        if self._size > 1:
            plan = self._feed(0, 1)
            self._program_for(
                self._placed(plan) if self._scans else self._steps_of(plan)[0],
                1,
            )

    def _place(self, by_network: bool) -> None:
        """Puts data and state on the devices."""
        sharding, put = self._placement.sharding, self._placement.put
        # One network has no axis of its own.
        stack = () if self._size == 1 else (AXIS if by_network else None,)
        self._by_state = sharding(*stack)
        # Plans are [step, network, example]: split by network or by example.
        by_example = () if by_network else (AXIS,)
        self._by_draws = sharding(None, *stack, *by_example)
        self._by_draw = sharding(*stack, *by_example)  # of one step
        is_whole = self._part == (0, 1)
        self._put_draws = put if is_whole else self._placement.put_part
        # What is one object in all tasks, they share: one teacher's table.
        own = {
            k
            for k in self._task.own_resident
            if any(
                t.resident[k] is not self._task.resident[k] for t in self._tasks
            )
        }
        self._resident = {
            k: put(
                np.stack([t.resident[k] for t in self._tasks]), self._by_state
            )
            if k in own
            else put(v, sharding())
            for k, v in self._task.resident.items()
        }
        self._own = own
        self._hyperparameters = {
            k: put(self._numbers(k), self._by_state)
            for k in self._task.hyperparameters
        }
        self._states = States(
            self._variables.initial([t.model for t in self._tasks]),
            lambda value: put(value, self._by_state),
        )

    def _numbers(self, name: str) -> np.ndarray:
        """A number of the loss: float32 scalar, or [networks] of a stack."""
        numbers = [t.hyperparameters[name] for t in self._tasks]
        return np.array(numbers if self._size > 1 else numbers[0], np.float32)

    def _refuse_large(self) -> None:
        """Refuses a stack whose variables alone would not fit."""
        memory_limit.refuse(
            self._size,
            fixed=sum(v.nbytes for v in self._task.resident.values()),
            each=memory_limit.bytes_of(
                [*self._model.variables, *self._optimizer.variables]
            ),
            limit=self._memory or memory_limit.limit(self._devices),
        )

    # --- The program --------------------------------------------------------

    def _program_for(self, draws: Arrays, count: int) -> Any:
        """The compiled steps: programs for each shape of draws.

        Args:
            draws: on the devices; where the program is a single step, its own.
            count: how many of their steps are to be run.

        Returns:
            A function of state, resident data, numbers and draws, and of the
            count where it ``_is_counted``.

        Raises:
            SpecError: a stack does not fit in memory.
        """
        is_counted = self._is_counted(count)
        key = shared.shapes(draws), is_counted
        if key not in self._programs:
            in_turn = self._in_turn or jax_programs.InTurn()
            program = in_turn.program(key, self._beginning(draws, is_counted))
            if self._size > 1:
                self._refuse_compiled(program)
            self._programs[key] = program
        return self._programs[key]

    def _coming(self, start: int) -> Iterator[tuple[Any, jax_programs.Begin]]:
        """Keys and beginnings of the programs of the steps to come."""
        if self._task.one_shape or self.num_workers > 1:
            return
        end = min(start + _LOOK_AHEAD, self._task.total_steps)
        shapes = set()
        while start < end:
            plan = self._feed(start, end - start)
            start += len(plan["index"])
            shape = shared.shapes({k: v[0] for k, v in plan.items()})
            if shape not in shapes:
                shapes.add(shape)
                (draws,) = self._steps_of({k: v[:1] for k, v in plan.items()})
                key = shared.shapes(draws), False
                yield key, self._beginning(draws, False)

    def _is_counted(self, count: int) -> bool:
        """Whether a call's program is told how many steps it runs.

        A device that gets its work from the host runs a loop of known length
        without asking back after each step. On a CPU that costs nothing, and
        one program serves calls of every length.
        """
        return self._scans and not (
            self._knows_length and count == self._length
        )

    def _beginning(self, draws: Arrays, is_counted: bool) -> jax_programs.Begin:
        """What begins a program; it is traced with the state of that time."""

        def begin(ahead: bool) -> jax_programs.Compilation:
            self._states.place()
            states = jax.tree.map(
                lambda _: self._by_state, self._states.present
            )
            whole = self._placement.sharding()
            function = self._steps.many if self._scans else self._steps.one
            count = (np.int32(1),) if is_counted else ()
            # Layers that add up over the batch have the devices meet
            # themselves.
            meeting = (self._placement.mesh, AXIS)
            with (
                jax.default_matmul_precision(self._precision),
                kernels.dividing(meeting if self.num_replicas > 1 else None),
            ):
                return jax_programs.begin(
                    function,
                    self._states.present,
                    self._resident,
                    self._hyperparameters,
                    draws,
                    *count,
                    ahead=ahead,
                    traced=self._traced,
                    donate_argnums=0,
                    out_shardings=(states, whole),
                )

        return begin

    def _refuse_compiled(self, program: Any) -> None:
        """Refuses a stack that would not fit while it is trained."""
        memory_limit.refuse_compiled(
            self._size,
            program.memory_analysis(),
            fixed=sum(
                v.nbytes
                for k, v in self._resident.items()
                if k not in self._own
            ),
            limit=self._memory or memory_limit.limit(self._devices),
        )

    def _feed(self, start: int, count: int) -> dict[str, np.ndarray]:
        """What all networks are fed: [step, network, example, ...]."""
        plans = [t.feed(start, count, self._part) for t in self._tasks]
        if self._size == 1:
            return dict(plans[0])
        return {k: np.stack([p[k] for p in plans], 1) for k in plans[0]}

    def _placed(self, plan: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The steps of a loop, on the devices."""
        return {
            k: self._put_draws(v, self._by_draws)
            for k, v in shared.padded(plan, self._length).items()
        }

    def _steps_of(self, plan: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """Steps that are run one by one, on the devices.

        They are cut on the host: on the devices each cut of each shape would
        be another program.
        """
        put, sharding = self._put_draws, self._by_draw
        return [
            {k: put(v[i], sharding) for k, v in plan.items()}
            for i in range(len(plan["index"]))
        ]

    def run(self, start: int, count: int) -> list[dict[str, np.ndarray]]:
        """See ``Engine.run``."""
        return self.begin(start, count).logs()

    def begin(self, start: int, count: int) -> shared.Underway:
        """See ``Engine.begin``."""
        shared.check_count(count, self._most)
        self._states.begin()
        if self._in_turn is None:
            self._in_turn = jax_programs.InTurn(self._coming(start))
        run = self._run_scan if self._scans else self._run_singly
        given, wait = run(start, count)
        return shared.Underway(given, lambda: self._of_networks(wait()))

    def _of_networks(
        self, logs: dict[str, np.ndarray]
    ) -> list[dict[str, np.ndarray]]:
        if self._size == 1:
            return [logs]
        return [
            {k: v[:, i] for k, v in logs.items()} for i in range(self._size)
        ]

    def _run_scan(self, start: int, count: int) -> _Given:
        if self._task.steps_at_once is None:
            calls = [self._call(self._draws(start, count), count)]
            self._prepare(start + count, 2 * count)
        else:
            calls = shared.in_calls(
                self._feed,
                lambda plan, size: self._call(self._placed(plan), size),
                start,
                count,
                alone=self.num_workers == 1,
                before=self._last,
            )
            self._last = calls[-1:]
        return sum(size for size, _ in calls), lambda: shared.joined(calls)

    def _call(self, draws: Arrays, size: int) -> shared.Called:
        told = (np.int32(size),) if self._is_counted(size) else ()
        self._states.present, logs = self._program_for(draws, size)(
            self._states.present,
            self._resident,
            self._hyperparameters,
            draws,
            *told,
        )
        if self.num_workers == 1:
            # All of them behind the steps, and not one after the other's wait.
            for value in logs.values():
                value.copy_to_host_async()
        return size, logs

    def _draws(self, start: int, count: int) -> Arrays:
        """What the steps of a call are made of, on the devices."""
        (first, size), draws = self._prepared
        if first == start and count <= size:
            return draws
        return self._placed(self._feed(start, count))

    def _prepare(self, start: int, count: int) -> None:
        """Makes what the next call will ask for, while the devices work.

        Args:
            start: its first step.
            count: the most steps that it may have; it is told how many.
        """
        count = min(count, self._length, self._task.total_steps - start)
        if count > 0:
            # What is run already must come back: nothing may break it off.
            with stopping.deferred():
                draws = self._placed(self._feed(start, count))
            self._prepared = (start, count), draws

    def _run_singly(self, start: int, count: int) -> _Given:
        rows: list[dict[str, Any]] = []
        while len(rows) < count:
            # Workers run the same steps. Each shape may have to be compiled.
            if rows and self.num_workers == 1 and stopping.requested():
                break
            # What is run already must come back: nothing may break it off.
            with stopping.deferred() if rows else contextlib.nullcontext():
                plan = self._feed(start + len(rows), count - len(rows))
            steps = self._steps_of(plan)
            try:
                program = self._program_for(steps[0], 1)
            except stopping.StoppedError:
                if not rows:
                    raise
                break  # the same
            for draws in steps:
                self._states.present, means = program(
                    self._states.present,
                    self._resident,
                    self._hyperparameters,
                    draws,
                )
                rows.append(means)
                if self._task.steps_at_once:
                    # Two at most are under way: see ``shared.in_calls``.
                    for _, before in self._last:
                        np.asarray(before["loss"])
                    self._last = [(1, means)]
        return len(rows), lambda: shared.stacked(rows)

    # --- State --------------------------------------------------------------

    def named_of(self, i: int) -> dict[str, np.ndarray]:
        """One network's variables by name, as checkpoints hold them."""
        return self._variables.named(self._states.of_network(i))

    def load_into(self, i: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Gives one network the values of a checkpoint."""
        self._states.replace(i, self._variables.state_of(arrays))

    @contextlib.contextmanager
    def measuring(self, i: int) -> Iterator[None]:
        """Gives a network's Keras model its weights; see ``Network``."""
        self._variables.lend(
            self._states.of_network(i),
            self._tasks[i].model,
            average=bool(self._spec.train.ema_momentum),
        )
        yield

    def predict(
        self, i: int, examples: Arrays | Batches
    ) -> dict[str, np.ndarray]:
        """See ``Inference.predict``."""
        return self._inference.predict(self._tasks[i].model, examples)

    def compute(
        self, i: int, function: Computation, batches: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        """See ``Inference.compute``."""
        return self._inference.compute(self._tasks[i].model, function, batches)

    def agree(self, stop: bool, count: int) -> tuple[bool, int]:
        """See ``Engine.agree``."""
        told = [int(stop), count if self.is_chief else 0]
        is_stop, chosen = self._placement.largest(told)
        return bool(is_stop), chosen

    def devices(self) -> list[str]:
        """See ``Engine.devices``."""
        return [d.device_kind for d in self._devices]


class _JaxNetwork:
    """One network of the engine; see ``Network``."""

    def __init__(self, engine: JaxEngine, i: int, task: Task) -> None:
        self.task = task
        self._engine, self._i = engine, i

    def state(self) -> dict[str, np.ndarray]:
        return self._engine.named_of(self._i)

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._engine.load_into(self._i, arrays)

    def measuring(self) -> contextlib.AbstractContextManager[None]:
        return self._engine.measuring(self._i)

    def predict(self, examples: Arrays | Batches) -> dict[str, np.ndarray]:
        return self._engine.predict(self._i, examples)

    def compute(
        self, function: Computation, batches: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        return self._engine.compute(self._i, function, batches)
