"""The training step of every model in each engine, and what stacking gains.

Keras has one backend in a process, so that each case is a process of its own
that waits to be told to run some steps; all of them are timed in turn.

Run: python benchmarks/engines.py --out=results/benchmarks
"""

import json
import os
import sys
import time
from typing import Any

import _common
from _common import Case, Timing
from _workers import Worker, private_stdout, serve

# Experiment -> batch and steps of a round: a second or two in each.
MODELS = {
    "fc_mnist": (100, 200),
    "fc_mnist_dropout": (100, 200),
    "fc_digits": (50, 2000),
    "alexnet_cifar10_24": (128, 10),
    "alexnet_cifar10": (128, 10),
    "resnet56_cifar10": (128, 1),
}
SETTINGS = {
    "TensorFlow, XLA": {"engine": "tensorflow", "xla": True},
    "TensorFlow, no XLA": {"engine": "tensorflow", "xla": False},
    "JAX": {"engine": "jax", "xla": True},
    "JAX, by step": {"engine": "jax", "xla": False},
}
# Convolutions in a loop under XLA take many seconds a step on a CPU.
TOO_SLOW = ("TensorFlow, XLA", "JAX")
STACKED = "fc_digits"
STACKS = (1, 2, 5, 10, 30)


def work(settings: dict[str, Any]) -> None:
    """The worker: runs steps when it is told to."""
    answers = private_stdout()
    os.environ["KERAS_BACKEND"] = settings["engine"]
    _common.start()
    from _engine import Steps

    steps = Steps(**settings)

    def run(count: int) -> float:
        began = time.perf_counter()
        while count:
            part = min(count, 100)
            steps.run(part)
            count -= part
        return time.perf_counter() - began

    serve(answers, {}, {"steps": run})


def measure(cases: dict[str, Any], repeats: int) -> dict[str, Timing]:
    """Times workers in turn and ends them."""
    workers: list[Worker] = []
    ready: dict[str, Case] = {}
    try:
        for name, (units, settings) in cases.items():
            _common.say(name)
            words = [sys.executable, __file__, "--worker"]
            workers.append(Worker([*words, json.dumps(settings)]))
            ready[name] = workers[-1].case("steps", units)
        return _common.interleaved(ready, repeats=repeats)
    finally:
        for worker in workers:
            worker.close()


def main() -> int:
    """Measures, prints and writes."""
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
        return 0
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    parser.add_argument(
        "--model",
        action="append",
        choices=list(MODELS),
        help="default: all of them; may be repeated",
    )
    flags = parser.parse_args()
    about = _common.machine()
    timings: dict[str, Timing] = {}
    results: dict[str, Any] = {}
    rows = []
    for model in flags.model or MODELS:
        batch, units = MODELS[model]
        chosen = {
            name: settings
            for name, settings in SETTINGS.items()
            if model.startswith("fc_") or name not in TOO_SLOW
        }
        found = measure(
            {
                f"{model}: {name}": (
                    units,
                    {"experiment": model, "batch_size": batch, **settings},
                )
                for name, settings in chosen.items()
            },
            flags.repeats,
        )
        timings |= found
        ms = {k: found[f"{model}: {k}"].median * 1e3 for k in chosen}
        best = min(ms, key=lambda name: ms[name])
        results[model] = {"ms_per_step": ms, "best": best}
        rows.append([model, *(ms.get(k, "-") for k in SETTINGS), best])
    _common.table(["ms per step", *SETTINGS, "best"], rows)
    if not flags.model or STACKED in flags.model:
        batch, units = MODELS[STACKED]
        found = measure(
            {
                f"{STACKED}: {n} stacked": (
                    max(100, units // n),
                    {
                        "experiment": STACKED,
                        "batch_size": batch,
                        "engine": "jax",
                        "networks": n,
                    },
                )
                for n in STACKS
            },
            flags.repeats,
        )
        timings |= found
        rate = {
            str(n): n / found[f"{STACKED}: {n} stacked"].median for n in STACKS
        }
        results["stacks"] = {"networks_x_steps_per_second": rate}
        _common.table(
            ["networks", "networks x steps/s", "times one"],
            [[n, rate[n], rate[n] / rate["1"]] for n in rate],
        )
    _common.finish(
        "engines",
        flags,
        about=about,
        settings={"models": {m: list(MODELS[m]) for m in MODELS}},
        timings=timings,
        results=results,
        targets=[],
        skipped={
            f"{model}: {name}": "convolutions in a loop under XLA on a CPU"
            for model in flags.model or MODELS
            if not model.startswith("fc_")
            for name in TOO_SLOW
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
