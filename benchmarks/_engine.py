"""The project's own training step, on random data of a real set's size.

What the images show does not change the time of a step; that one pixel in
five is not black, as in MNIST, keeps the activations of a usual size.
"""

import functools
import threading
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ls_tf.data import mnist
from ls_tf.pipeline.contract import DatasetInfo
from ls_tf.running import assembly
from ls_tf.running.session import Machine, Session
from ls_tf.spec import ExperimentSpec, registry
from ls_tf.spec.resolve import resolve
from ls_tf.tasks.classification import Classification
from ls_tf.training.engine import Recipe, max_chunk

EXPERIMENT = "fc_mnist"
# Random labels at the experiment's rate of 1 could end in a loss that is no
# number, which would end the timing early. The rate costs no time.
LEARNING_RATE = 0.01


def random_split(
    split: str, info: DatasetInfo = mnist.INFO
) -> dict[str, np.ndarray]:
    """Makes a split of a data set's shape and size.

    Args:
        split: "train" or "test".
        info: the data set.

    Returns:
        ``image`` uint8 [N, H, W, C], ``label`` int32 [N].
    """
    rng = np.random.default_rng(0)
    shape = (info.sizes[split], *info.image_shape)
    image = rng.integers(0, 256, shape, np.uint8)
    image[rng.integers(0, 100, shape, np.uint8) >= 19] = 0
    label = rng.integers(0, info.num_classes, shape[0], np.int32)
    return {"image": image, "label": label}


def macs(model: Any) -> tuple[int, int]:
    """Multiplications of one example's forward pass: all, the first layer's.

    Only those of convolutions and dense layers; not those with the matrix of
    ones that stands for a sum over channels, which other ways do not need.
    """
    found = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            continue
        count = 1
        for size in (*layer.output.shape[1:-1], *layer.kernel.shape):
            count *= int(size)
        found.append(count)
    return sum(found), found[0]


@functools.cache
def session(engine: str) -> Session:
    """The process's devices; opened once, for it costs seconds.

    Args:
        engine: its name.
    """
    return Session(Machine(engine=engine))


class RandomData(Classification):
    """The classification task, data made up instead of loaded."""

    def in_memory(self, role: str) -> Mapping[str, np.ndarray]:
        """See ``Classification``."""
        split = getattr(self.spec.data, role).partition("[")[0]
        return _made(self.spec.data.name, split)


_MAKING = threading.Lock()
_MADE: dict[tuple[str, str], Mapping[str, np.ndarray]] = {}


def _made(name: str, split: str) -> Mapping[str, np.ndarray]:
    """A data set's split; made once, whichever thread asks first."""
    with _MAKING:
        if (name, split) not in _MADE:
            info = registry.get("ls_tf.data", name).INFO
            _MADE[name, split] = random_split(split, info)
        return _MADE[name, split]


class ConstantBatch(RandomData):
    """The same task without input pipeline: one batch, ready on the device.

    The batch is an argument of the compiled program like any resident data,
    so that the compiler cannot work it out in advance.
    """

    def __init__(
        self,
        spec: Any,
        data_dir: str | None,
        like: Classification | None = None,
    ) -> None:
        """Makes the batch; see ``Classification``."""
        super().__init__(spec, data_dir, like)
        size = spec.train.global_batch_size
        train = self.in_memory("train")
        self.resident = {
            "image": (train["image"][:size] / 255).astype(np.float32),
            "label": train["label"][:size],
        }

    def plan(self, start: int, count: int) -> Mapping[str, np.ndarray]:
        """See ``Task.plan``: nothing to choose."""
        return {"index": np.zeros((count, 1), np.int32)}

    def batch(
        self, resident: Mapping[str, Any], draws: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See ``Task.batch``."""
        from keras import ops

        label = resident["label"]
        weight = ops.ones(ops.shape(label), "float32")
        return {**resident, "weight": weight}


class Steps:
    """An engine built as a run builds it, and the step it stands at."""

    def __init__(
        self,
        *,
        batch_size: int,
        xla: bool = True,
        task: type[Classification] = RandomData,
        engine: str = "tensorflow",
        experiment: str = EXPERIMENT,
        networks: int = 1,
        changed: Mapping[str, Any] | None = None,
    ) -> None:
        """Builds model, optimizer and engine.

        Args:
            batch_size: B.
            xla: whether XLA compiles the steps.
            task: where the data comes from.
            engine: its name.
            experiment: whose step.
            networks: how many are stacked.
            changed: other fields of the experiment.
        """
        specs = [
            resolve(
                experiment,
                changed={
                    "train.global_batch_size": batch_size,
                    "train.xla": xla,
                    "learning_rate": LEARNING_RATE,
                    **(changed or {}),
                },
                seed=seed,
            ).spec
            for seed in range(networks)
        ]
        self.spec = specs[0]

        def recipe(spec: ExperimentSpec) -> Recipe:
            return Recipe(
                lambda like: task(spec, None, like),
                lambda built: assembly.optimizer(spec, built.total_steps),
            )

        opened = session(engine)
        self._engine: Any = opened.engine(
            self.spec, assembly.transform(self.spec)
        )
        self._engine.build([recipe(spec) for spec in specs])
        self.task = self._engine.networks[0].task
        self._step = 0

    @property
    def call_steps(self) -> int:
        """The most steps of one compiled call."""
        return max_chunk(self.spec)

    def run(self, count: int) -> None:
        """Runs the next steps in one compiled call, as the loop does.

        Args:
            count: how many; at most ``call_steps``.

        Raises:
            RuntimeError: the steps ended early: the loss was not finite.
        """
        for logs in self._engine.run(self._step, count):
            losses = logs["loss"]
            if len(losses) != count or not np.isfinite(losses).all():
                raise RuntimeError(
                    f"wanted {count} steps of finite loss, got {losses}"
                )
        self._step += count

    def compile(self) -> None:
        """Compiles the steps of a whole call; on JAX only."""
        engine = self._engine
        plan = engine._feed(self._step, self.call_steps)
        engine._program_for(engine._placed(plan), self.call_steps)

    def device_seconds(self, calls: int) -> float:
        """The seconds of a whole call where the next one waits behind it.

        What the host does between two calls is left out: the plan is the same
        in all of them, and nothing is fetched before the last. JAX's scan only.

        Args:
            calls: how many.

        Returns:
            Of one call.
        """
        engine = self._engine
        plan = engine._placed(engine._feed(self._step, self.call_steps))
        program = engine._program_for(plan, self.call_steps)
        # A loop of known length is not told it.
        counted = engine._is_counted(self.call_steps)
        count = [np.int32(self.call_steps)] if counted else []
        began = time.perf_counter()
        for _ in range(calls):
            engine._states.present, logs = program(
                engine._states.present,
                engine._resident,
                engine._hyperparameters,
                plan,
                *count,
            )
        np.asarray(logs["loss"])
        return (time.perf_counter() - began) / calls
