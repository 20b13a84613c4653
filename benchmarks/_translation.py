"""The project's own Transformer on random sentences, in a process of its own.

It is trained and decoded by the project's engine, as a run does it. What the
sentences say does not change the time; none has padding, and no hypothesis of
the search can end before its last token.

Run as a program it is a worker of ``beam_search.py`` and
``transformer_step.py``.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import _common
import numpy as np
from _workers import Work, private_stdout, serve

STEP, DECODE = "step", "decode {length}"
SQUARE = "square {size}"
# T2T's transformer_base with a vocabulary as for Multi30k.
BASE = {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "num_layers": 6,
    "vocabulary_size": 8000,
}
EXPERIMENT = "transformer_ende"
ENGINES = {
    "TensorFlow, XLA": {"engine": "tensorflow", "xla": True},
    "TensorFlow, no XLA": {"engine": "tensorflow", "xla": False},
    "JAX": {"engine": "jax", "xla": True},
}


def changes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment's fields of a shape and an engine.

    Args:
        settings: of the worker.
    """
    shape = settings["shape"]
    sizes = {
        f"model.options.{k}": shape[k]
        for k in ("hidden_size", "filter_size", "num_heads")
    }
    layers = {
        f"model.options.num_{side}_layers": shape["num_layers"]
        for side in ("encoder", "decoder")
    }
    return {
        **sizes,
        **layers,
        "train.global_batch_tokens": settings["batch"] * settings["target"],
        "train.xla": settings["xla"],
        "train.precision": settings.get("precision", "float32"),
    }


def network(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """An engine built as a run builds it, on a task of random pairs."""
    from _engine import session

    from ls_tf.objective import loss as objective
    from ls_tf.running import assembly
    from ls_tf.spec import Part
    from ls_tf.spec.resolve import resolve
    from ls_tf.tasks.translation import Translation, build_model
    from ls_tf.training.engine import Recipe

    vocabulary = settings["shape"]["vocabulary_size"]
    rows = settings["batch"]
    rng = np.random.default_rng(0)

    class RandomPairs(Translation):
        """One batch, ready on the device."""

        def __init__(self, spec: Any) -> None:
            self.spec = spec
            self.total_steps = 10**6
            self.batch_sizes = (rows,)
            self.resident = {
                side: rng.integers(
                    2, vocabulary, (rows, settings[side]), np.int32
                )
                for side in ("source", "target")
            }
            own = Part("label_smoothing", {"spread": spec.train.smoothing})
            self._loss = objective.build(spec, own)
            self.hyperparameters = objective.hyperparameters(self._loss)
            self._prior = np.full(vocabulary, 1 / vocabulary, np.float32)
            self.model = build_model(spec, vocabulary)

        def plan(self, start: int, count: int) -> dict[str, np.ndarray]:
            index = np.arange(rows, dtype=np.int32)
            return {"index": np.tile(index, (count, 1))}

        def batch(
            self, resident: Mapping[str, Any], draws: Mapping[str, Any]
        ) -> dict[str, Any]:
            from keras import ops

            index = draws["index"]
            return {
                side: ops.take(resident[side], index, axis=0)
                for side in ("source", "target")
            }

    spec = resolve(EXPERIMENT, changed=changes(settings), seed=0).spec
    engine = session(settings["engine"]).engine(spec, assembly.transform(spec))
    made: Any = RandomPairs
    recipe = Recipe(
        lambda like: made(spec),
        lambda task: assembly.optimizer(spec, task.total_steps),
    )
    engine.build([recipe])
    return engine, engine.networks[0]


def train(engine: Any) -> Work:
    """The engine's steps; a unit is one."""
    at = 0

    def work(count: int) -> float:
        nonlocal at
        began = time.perf_counter()
        for _ in range(count):
            (logs,) = engine.run(at, 1)
            at += 1
            if not np.isfinite(logs["loss"]).all():
                raise RuntimeError(f"wanted a finite loss, got {logs}")
        return time.perf_counter() - began

    return work


def decode(trained: Any, settings: Mapping[str, Any], length: int) -> Work:
    """Beam search over one batch; a unit is one call."""
    from keras import ops

    from ls_tf.decoding import search

    model, beams = trained.task.model, settings["beams"]
    source = trained.task.resident["source"]

    def translated(batch: Mapping[str, Any]) -> dict[str, Any]:
        memory = model.encode(batch["source"])
        # As in a run: TensorFlow without XLA knows it late.
        longest = ops.shape(batch["positions"])[0]
        found: dict[str, Any] = search.beam_search(
            model.step,
            model.start(memory, beams, longest, None),
            max_lengths=batch["max_lengths"],
            max_length=longest,
            beams=beams,
            alpha=0.6,
            eos=-1,  # what no model says
        )
        return found

    batch = {
        "source": source,
        "max_lengths": np.full(len(source), length, np.int32),
        "positions": np.arange(length, dtype=np.int32),
    }

    def work(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            (found,) = trained.compute(translated, [batch])
            if (found["lengths"] != length).any():
                raise RuntimeError(f"wanted {length} tokens of each sentence")
        return time.perf_counter() - began

    return work


def square(engine: str, size: int) -> Work:
    """A product of square matrices; a unit is one operation of it."""
    a = np.ones((size, size), np.float32)
    if engine == "jax":
        import jax

        one, placed = jax.jit(lambda a: a @ a), jax.device_put(a)
    else:
        import tensorflow as tf

        one, placed = tf.function(tf.matmul, autograph=False), tf.constant(a)

    def work(flop: int) -> float:
        arguments = (placed,) if engine == "jax" else (placed, placed)
        began = time.perf_counter()
        for _ in range(flop // (2 * size**3)):
            np.asarray(one(*arguments))
        return time.perf_counter() - began

    return work


def main() -> None:
    """Serves; the argument is JSON: engine, xla, shape, sizes, cases."""
    answers = private_stdout()
    settings = json.loads(sys.argv[1])
    os.environ["KERAS_BACKEND"] = settings["engine"]
    _common.start()
    engine, trained = network(settings)
    works: dict[str, Work] = {}
    if STEP in settings["cases"]:
        works[STEP] = train(engine)
    for length in settings.get("lengths", ()):
        name = DECODE.format(length=length)
        works[name] = decode(trained, settings, length)
    works |= {
        SQUARE.format(size=size): square(settings["engine"], size)
        for size in settings["squares"]
    }
    serve(answers, {}, works)


if __name__ == "__main__":
    main()
