"""What ``accelerator.py`` times: programs that do whole calls on JAX.

They are the project's own engine and decoder on data made up in memory, so
that nothing but JAX and Keras is needed: no TensorFlow and no data set.
"""

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import _common
import numpy as np
from _engine import Steps, macs, session
from _translation import BASE, EXPERIMENT, decode, network
from transformer_step import flop

from ls_tf import kernels
from ls_tf.objective import loss as objective
from ls_tf.running import assembly
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve
from ls_tf.tasks.classification import Classification

# Examples of a batch: those of the experiments.
_BATCHES = {
    "alexnet_cifar10": 128,
    "resnet56_cifar10": 128,
    "fc_mnist": 100,
    "noise_mnist": 128,
}
# What makes the same programs small, to see whether all of them run.
_TINY: dict[str, dict[str, Any]] = {
    "alexnet_cifar10": {},
    "resnet56_cifar10": {
        "model.options.blocks": (1, 1, 1),
        "model.options.widths": (8, 8, 8),
    },
    "fc_mnist": {"model.options.hidden": (16, 16)},
    "noise_mnist": {"model.options.filters": (2, 3), "model.options.hidden": 8},
}
_TINY_BATCH = 2
_TINY_CALL = 2  # steps
_TINY_SHAPE = {
    "hidden_size": 16,
    "filter_size": 32,
    "num_heads": 2,
    "num_layers": 1,
    "vocabulary_size": 50,
}
# Pairs and subwords of each side: 4096 tokens, as ``transformer_step.py``.
_PAIRS, _SUBWORDS = 128, 32
# As ``beam_search.py``: sources of 16 subwords, translations of 24, 4 beams.
_DECODED = {"batch": 32, "source": 16, "target": 24, "beams": 4}


class Program(Protocol):
    """Something compiled that is run whole.

    Attributes:
        flop: floating-point operations of the matrix products of a unit.
        examples: images or subwords of a unit.
        networks: how many work side by side.
    """

    flop: float
    examples: int
    networks: int

    def compile(self) -> None:
        """Lets the compiler work; the device as little as can be."""

    def call(self) -> int:
        """Does one call, to its end; gives the number of units."""


class Products:
    """Products of square matrices of random numbers; a unit is one product."""

    examples = networks = 1

    def __init__(self, precision: str, tiny: bool) -> None:
        """Makes the matrices.

        Args:
            precision: float32, tensorfloat32 or bfloat16.
            tiny: small ones.
        """
        import jax

        size = 64 if tiny else 8192
        self.flop = 2.0 * size**3
        self._count = 2 if tiny else 10
        kind = "bfloat16" if precision == "bfloat16" else "float32"
        products = None if precision == "bfloat16" else precision
        keys = jax.random.split(jax.random.key(0))
        self._arrays = [jax.random.normal(k, (size, size), kind) for k in keys]
        self._product: Any = jax.jit(
            lambda a, b: jax.numpy.matmul(a, b, precision=products)
        )

    def compile(self) -> None:
        """See ``Program``."""
        self._product = self._product.lower(*self._arrays).compile()

    def call(self) -> int:
        """See ``Program``."""
        for _ in range(self._count):
            product = self._product(*self._arrays)
        product.block_until_ready()
        return self._count


class Training:
    """Steps of the engine; a unit is a step of all networks."""

    def __init__(
        self, experiment: str, precision: str, networks: int, tiny: bool
    ) -> None:
        """Builds the engine as a run does.

        Args:
            experiment: whose steps.
            precision: of ``train.precision``.
            networks: how many are stacked.
            tiny: a small network.
        """
        changed: dict[str, Any] = {"train.precision": precision}
        batch = _BATCHES[experiment]
        if tiny:
            changed |= _TINY[experiment]
            changed["train.log_every_steps"] = _TINY_CALL
            batch = _TINY_BATCH
        self.steps = Steps(
            batch_size=batch,
            engine="jax",
            experiment=experiment,
            networks=networks,
            changed=changed,
        )
        every, first = macs(self.steps.task.model)
        # Forward; backward for weights and, but in the first layer, inputs.
        self.flop = 2.0 * networks * batch * (3 * every - first)
        self.examples = networks * batch
        self.networks = networks

    def compile(self) -> None:
        """See ``Program``; a stack is compiled as it is built."""
        self.steps.compile()

    def call(self) -> int:
        """See ``Program``."""
        count = self.steps.call_steps
        self.steps.run(count)
        return count


def _settings(precision: str, tiny: bool, sizes: dict[str, int]) -> Any:
    shape = _TINY_SHAPE if tiny else BASE
    own = {"engine": "jax", "xla": True, "precision": precision}
    return {"shape": shape, **own, **sizes}


class Translating:
    """Steps of the base Transformer; a unit is one."""

    networks = 1

    def __init__(self, precision: str, tiny: bool) -> None:
        """Builds the engine on one batch of random pairs.

        Args:
            precision: of ``train.precision``.
            tiny: a small network.
        """
        pairs, length = (2, 5) if tiny else (_PAIRS, _SUBWORDS)
        sizes = {"batch": pairs, "source": length, "target": length}
        settings = _settings(precision, tiny, sizes)
        self._engine, _ = network(settings)
        self._at, self._count = 0, _TINY_CALL if tiny else 50
        self.flop = float(
            sum(flop(settings["shape"], pairs, length, length).values())
        )
        self.examples = pairs * length

    def compile(self) -> None:
        """See ``Program``."""
        self.call()

    def call(self) -> int:
        """See ``Program``."""
        (logs,) = self._engine.run(self._at, self._count)
        if not np.isfinite(logs["loss"]).all():
            raise RuntimeError(f"wanted a finite loss, got {logs['loss']}")
        self._at += self._count
        return self._count


class Searching:
    """Beam search of the base Transformer; a unit is one batch."""

    flop, networks = 0.0, 1

    def __init__(self, precision: str, tiny: bool) -> None:
        """Builds the network, with random weights.

        Args:
            precision: of ``train.precision``.
            tiny: a small network, fewer sentences.
        """
        sizes = dict(_DECODED)
        if tiny:
            sizes |= {"batch": 2, "target": 4}
        settings = _settings(precision, tiny, sizes)
        _, trained = network(settings)
        self._work = decode(trained, settings, sizes["target"])
        self.examples = sizes["batch"] * sizes["target"]

    def compile(self) -> None:
        """See ``Program``."""
        self.call()

    def call(self) -> int:
        """See ``Program``."""
        self._work(1)
        return 1


@dataclass(frozen=True)
class Case:
    """A program that is to be made.

    Attributes:
        what: an experiment, "products", "transformer" or "beam search".
        precision: of its products.
        networks: how many are stacked.
        form: of the layers, see ``kernels``; None for the device's own.
    """

    what: str
    precision: str
    networks: int = 1
    form: str | None = None

    @property
    def name(self) -> str:
        """What records call it."""
        words = [self.what, self.precision]
        if self.networks > 1:
            words.append(f"{self.networks} networks")
        if self.form is not None:
            words.append(f"{self.form} form")
        return ", ".join(words)

    def make(self, tiny: bool) -> Program:
        """Builds it."""
        if self.what == "products":
            return Products(self.precision, tiny)
        if self.what == "transformer":
            return Translating(self.precision, tiny)
        if self.what == "beam search":
            return Searching(self.precision, tiny)
        return Training(self.what, self.precision, self.networks, tiny)


@dataclass(frozen=True)
class Ready:
    """A program that was compiled.

    Attributes:
        program: ready to be timed.
        building: seconds until it was built; of a stack, compiled too.
        compiling: seconds until it was traced and compiled.
    """

    program: Program
    building: float
    compiling: float

    def record(self) -> dict[str, float]:
        """The numbers for the JSON record."""
        return {
            "building_seconds": self.building,
            "compiling_seconds": self.compiling,
            "gflop": self.program.flop * 1e-9,
        }


def load(experiments: Iterable[str]) -> None:
    """Imports what the programs are made of.

    Threads that import the same modules for the first time may see them half
    done.

    Args:
        experiments: whose parts; beside them the Transformer's.
    """
    for name in (*experiments, EXPERIMENT):
        spec = resolve(name).spec
        registry.get("ls_tf.models", spec.model.name)
        registry.get("ls_tf.data", spec.data.name)
        if spec.loss is not None:
            registry.get("ls_tf.losses", spec.loss.name)
        assembly.optimizer(spec, 1000)
        objective.build(spec, Classification.own_loss(spec))


def ready(case: Case, tiny: bool) -> Ready:
    """Makes a program and lets it compile.

    Args:
        case: which.
        tiny: a small one.
    """
    form = kernels.using(case.form) if case.form else contextlib.nullcontext()
    with form:
        began = time.perf_counter()
        program = case.make(tiny)
        built = time.perf_counter()
        program.compile()
        ended = time.perf_counter()
    _common.say(
        f"{case.name}: built {built - began:.1f} s, compiled in "
        f"{ended - built:.1f} s"
    )
    return Ready(program, built - began, ended - built)


def device() -> dict[str, Any]:
    """Describes the device; opens the process's session."""
    (found, *_) = session("jax").jax_devices
    memory: Mapping[str, int] = found.memory_stats() or {}
    return {
        "device": found.device_kind,
        "platform": found.platform,
        "device_memory_gib": round(memory.get("bytes_limit", 0) / 2**30, 1),
        "runtime": " ".join(found.client.platform_version.split()),
    }


def peak_memory_gib() -> float:
    """The most that the device held at once; 0 where it does not say."""
    memory = session("jax").jax_devices[0].memory_stats() or {}
    return float(memory.get("peak_bytes_in_use", 0) / 2**30)
