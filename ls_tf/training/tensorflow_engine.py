"""The TensorFlow engine: one compiled call runs many steps.

On one device the whole loop, data included, is one program, compiled by XLA
where the experiment says so. Over several replicas each step takes an equal
slice of the global batch, sums of losses and gradients are all-reduced, and
only then divided, decayed and clipped, so that the number of replicas does
not change the step.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ls_tf import kernels, stopping
from ls_tf.protocols import Arrays, Batches, Computation
from ls_tf.spec import ExperimentSpec
from ls_tf.training import engine, naming
from ls_tf.training.engine import (
    Network,
    Recipe,
    Transform,
    Underway,
    equal_slice,
)
from ls_tf.training.naming import named

Tensors = Mapping[str, Any]

# Odd, so that replica ids below 2**32 give different noise keys.
_NOISE_STRIDE = 0x9E3779B1


class TensorFlowEngine:
    """Runs a task's steps with tf.distribute; see ``Engine``.

    It trains one network, and is that ``Network`` itself.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        strategy: tf.distribute.Strategy,
        transform: Transform,
        *,
        micro_batches: int = 1,
        worker: tuple[int, int] = (0, 1),
    ) -> None:
        """Takes a strategy; ``build`` makes the variables.

        Args:
            spec: the experiment.
            strategy: where to run.
            transform: what happens to the mean gradient before the optimizer.
            micro_batches: in how many parts a replica takes its batch.
            worker: this process's index and the number of processes.
        """
        self._spec = spec
        self._strategy = strategy
        self._transform = transform
        self._micro_batches = micro_batches
        self._worker, self.num_workers = worker
        self.is_chief = self._worker == 0
        self.runs_ahead = False
        self.num_replicas = strategy.num_replicas_in_sync
        self._most = engine.max_chunk(spec)

    def build(self, recipes: Sequence[Recipe]) -> None:
        """See ``Engine.build``: this engine takes one recipe."""
        (recipe,) = recipes
        train = self._spec.train
        # A GPU would round the inputs of float32 products otherwise.
        tf.config.experimental.enable_tensor_float_32_execution(
            train.precision == "tensorfloat32"
        )
        with self._strategy.scope():
            self.task = recipe.make_task(None)
            engine.check_batches(
                self.task, self.num_replicas, self._micro_batches
            )
            self._model = self.task.model
            self._optimizer = recipe.make_optimizer(self.task)
            self._optimizer.build(self._model.trainable_variables)
        self._variables = {
            **named("model", self._model.variables),
            **named("optimizer", self._optimizer.variables),
        }
        self._resident = self._place(self.task.resident)
        self._fold_noise()
        # The static size of a program; steps of many shapes are run singly.
        self._capacity = 1
        if self.task.one_shape:
            self._capacity = engine.capacity(self._spec, self.task)
        # What this process has of a batch that is not resident.
        self._part = (0, 1)
        if self.task.steps_at_once is not None:
            self._part = (self._worker, self.num_workers)
        # XLA holds the whole loop only where no collective is in it.
        self._jit = train.xla and self.num_replicas == 1
        self._any_shape = (
            not self.task.one_shape
            and not self._jit
            and self.num_replicas == self._micro_batches == 1
        )
        self._programs: dict[Any, Any] = {}
        self._computations: dict[Any, Any] = {}
        self.networks: Sequence[Network] = [self]

    def _place(self, arrays: Mapping[str, np.ndarray]) -> Tensors:
        if self.num_replicas == 1:
            return {k: _constant(v) for k, v in arrays.items()}
        return {
            k: self._strategy.experimental_distribute_values_from_function(
                lambda _, v=v: _constant(v)
            )
            for k, v in arrays.items()
        }

    def _fold_noise(self) -> None:
        """Gives every replica its own noise.

        Keras's seed generators start equal on all replicas, which would draw
        the same dropout mask for each slice of the batch. Replica 0 keeps the
        state that checkpoints hold; the others are a function of it.
        """
        if self.num_replicas == 1:
            return
        states = [
            v for v in self._model.variables if "seed_generator_state" in v.path
        ]
        values = [tf.constant(np.asarray(v.numpy())) for v in states]

        def fold() -> None:
            context = tf.distribute.get_replica_context()
            replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
            for state, value in zip(states, values, strict=True):
                key = tf.cast(value[0], tf.int64) + replica * _NOISE_STRIDE
                key = tf.cast(key % 2**31, value.dtype)
                # Replica 0 keeps the key that checkpoints hold.
                key = tf.where(replica == 0, value[0], key)
                state.value.assign(tf.stack([key, value[1]]))

        tf.function(lambda: self._strategy.run(fold))()

    def _gradients(
        self, resident: Tensors, draws: Tensors
    ) -> tuple[dict[str, Any], list[Any]]:
        """Sums and their gradients on this replica's slice; no collective."""
        variables = [v.value for v in self._model.trainable_variables]
        parts = self._micro_batches
        total: dict[str, Any] = {}
        grads: list[Any] = [0.0] * len(variables)
        for part in range(parts):
            mine = {k: equal_slice(v, part, parts) for k, v in draws.items()}
            batch = self.task.batch(resident, mine)
            with tf.GradientTape() as tape:
                sums = self.task.loss(batch, self.task.hyperparameters)
            part_grads = tape.gradient(
                sums["loss"], variables, unconnected_gradients="zero"
            )
            total = {k: total.get(k, 0.0) + v for k, v in sums.items()}
            grads = [a + b for a, b in zip(grads, part_grads, strict=True)]
        return total, grads

    def _step(self, resident: Tensors, draws: Tensors) -> dict[str, Any]:
        """One step on one replica; returns means over all of them."""
        variables = self._model.trainable_variables
        replicas = self.num_replicas
        if replicas > 1:
            context = tf.distribute.get_replica_context()
            # Of a part of the batch, the first of this process's replicas
            # has the first slice.
            worker, workers = self._part
            slices = replicas // workers
            replica = context.replica_id_in_sync_group - worker * slices
            draws = {
                k: equal_slice(v, replica, slices) for k, v in draws.items()
            }
        sums, grads = self._gradients(resident, draws)
        if replicas > 1:
            sums, grads = context.all_reduce(
                tf.distribute.ReduceOp.SUM, (sums, grads)
            )
        grads = [g / sums["weight"] for g in grads]
        grads = self._transform(grads, variables, None)
        # Keras adds up what the replicas give it: each gives its share.
        self._optimizer.apply([g / replicas for g in grads], variables)
        return {k: sums[k] / sums["weight"] for k in self.task.logged}

    def _compile(self, draws: Tensors) -> Any:
        """The program that runs steps of the shape of these draws."""

        def program(resident: Tensors, draws: Tensors, count: Any) -> Any:
            def more(i: Any, finite: Any, logs: Any) -> Any:
                return tf.logical_and(i < count, finite)

            def body(i: Any, finite: Any, logs: Any) -> Any:
                row = {k: v[i] for k, v in draws.items()}
                if self.num_replicas == 1:
                    means = self._step(resident, row)
                else:
                    means = {
                        k: self._strategy.experimental_local_results(v)[0]
                        for k, v in self._strategy.run(
                            self._step, args=(resident, row)
                        ).items()
                    }
                logs = {
                    k: tf.tensor_scatter_nd_update(v, [[i]], [means[k]])
                    for k, v in logs.items()
                }
                return i + 1, tf.math.is_finite(means["loss"]), logs

            logs = {k: tf.zeros([self._capacity]) for k in self.task.logged}
            start = (tf.constant(0), tf.constant(True), logs)
            return tf.while_loop(more, body, start)

        return self._traced(
            program, self._resident, self._signature(draws, 1), tf.constant(0)
        )

    def _traced(self, function: Any, *signature: Any) -> Any:
        """The program of a function, for arguments like these."""
        traced = tf.function(function, jit_compile=self._jit, autograph=False)
        # By itself TensorFlow would warn of every further shape.
        with kernels.tracing(by_operation=not self._jit):
            return traced.get_concrete_function(*signature)

    def _signature(self, batch: Tensors, known: int) -> Tensors:
        """What a program is made for: the shape of a batch, or any.

        To make a program takes seconds. Without XLA, and without slices of a
        batch, one does for batches of every shape.

        Args:
            batch: tensors by name.
            known: leading axes whose size is the same in every batch.
        """
        if not self._any_shape:
            return batch
        return {
            k: tf.TensorSpec(
                [*v.shape[:known], *[None] * (len(v.shape) - known)]
                if len(v.shape) > 1
                else v.shape,
                v.dtype,
            )
            for k, v in batch.items()
        }

    def _key(self, batch: Tensors, known: int) -> Any:
        return engine.shapes(self._signature(batch, known))

    def _call(
        self, plan: Mapping[str, np.ndarray], count: int
    ) -> engine.Called:
        draws = {k: tf.constant(v) for k, v in plan.items()}
        key = self._key(draws, 1)
        if key not in self._programs:
            self._programs[key] = self._compile(draws)
        done, _, logs = self._programs[key](
            self._resident, draws, tf.constant(count)
        )
        return done, logs

    def _call_padded(
        self, plan: Mapping[str, np.ndarray], count: int
    ) -> engine.Called:
        return self._call(engine.padded(plan, self._capacity), count)

    def run(self, start: int, count: int) -> list[dict[str, np.ndarray]]:
        """See ``Engine.run``."""
        engine.check_count(count, self._most)
        if self.task.one_shape:
            calls = engine.in_calls(
                lambda first, most: self.task.feed(first, most, self._part),
                self._call_padded,
                start,
                count,
                alone=self.num_workers == 1,
            )
            return [engine.joined(calls)]
        rows: list[dict[str, Any]] = []
        for step in range(start, start + count):
            # Workers run the same steps; each of them may compile.
            if rows and self.num_workers == 1 and stopping.requested():
                break
            _, logs = self._call(self.task.feed(step, 1), 1)
            rows.append({k: v[0] for k, v in logs.items()})
        return [engine.stacked(rows)]

    def begin(self, start: int, count: int) -> Underway:
        """See ``Engine.begin``: the steps are done when it returns."""
        rows = self.run(start, count)
        return Underway(len(rows[0]["loss"]), lambda: rows)

    def state(self) -> dict[str, np.ndarray]:
        """See ``Network.state``."""
        return {
            k: naming.canonical(v.numpy()) for k, v in self._variables.items()
        }

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """See ``Network.load``."""
        naming.assign(self._variables, arrays)
        self._fold_noise()

    def predict(self, examples: Arrays | Batches) -> dict[str, np.ndarray]:
        """See ``Inference.predict``."""
        return engine.in_batches(
            lambda batch: self._computed(self.task.predict, batch), examples
        )

    def compute(
        self, function: Computation, batches: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        """See ``Inference.compute``."""
        computed = []
        for batch in batches:
            stopping.look()
            computed.append(self._computed(function, batch))
        return computed

    def _computed(
        self, function: Computation, batch: Arrays
    ) -> dict[str, np.ndarray]:
        tensors = {k: tf.constant(v) for k, v in batch.items()}
        key = (function, self._key(tensors, 0))
        if key not in self._computations:
            self._computations[key] = self._traced(
                function, self._signature(tensors, 0)
            )
        outputs = self._computations[key](tensors)
        return {k: v.numpy() for k, v in outputs.items()}

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """See ``Network.measuring``."""
        if not self._spec.train.ema_momentum:
            yield
            return
        variables = self._model.trainable_variables
        kept = [np.array(v.numpy()) for v in variables]
        self._optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)

    def agree(self, stop: bool, count: int) -> tuple[bool, int]:
        """See ``Engine.agree``."""
        if self.num_workers == 1:
            return stop, count
        mine = tf.constant([float(stop), float(count * self.is_chief)])
        # Every replica of a worker says the same: undo the repetition.
        local = self.num_replicas // self.num_workers
        told = self._strategy.run(lambda: mine)
        total = self._strategy.reduce("SUM", told, axis=None).numpy() / local
        return bool(total[0] > 0), int(round(total[1]))

    def devices(self) -> list[str]:
        """See ``Engine.devices``."""
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        return [
            tf.config.experimental.get_device_details(d).get(
                "device_name", kind
            )
            for d in tf.config.list_physical_devices(kind)
        ]


def _constant(array: np.ndarray) -> tf.Tensor:
    """Puts an array on the device; halves as float32 where that is a CPU.

    The values are the same. Most CPUs have no arithmetic of halves, and
    TensorFlow prints an error about it.
    """
    if array.dtype == np.float16 and not tf.config.list_physical_devices("GPU"):
        array = array.astype(np.float32)
    return tf.constant(array)
