"""The training step of every model in each engine, and what stacking gains.

Keras has one backend in a process, so that each case is a process of its own
that waits to be told to run some steps; all of them are timed in turn.

Run: python benchmarks/engines.py --out=results/benchmarks
"""

import json
import subprocess
import sys
from typing import Any

import _common
from _common import Case, Timing

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


class Worker:
    """A process with one engine, ready to run steps."""

    def __init__(self, units: int, **settings: Any) -> None:
        """Starts it and waits until everything is compiled.

        Args:
            units: steps of a round.
            **settings: of ``_engine.Steps``.
        """
        words = [sys.executable, __file__, "--worker", json.dumps(settings)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._units = units
        self()

    def __call__(self) -> float:
        """Runs a round; gives seconds for each step."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the worker has no pipes")
        stdin.write(f"{self._units}\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError("the worker ended")
        return float(answer) / self._units

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def work(settings: dict[str, Any]) -> None:
    """The worker: reads numbers of steps, answers with seconds."""
    import os
    import time

    os.environ["KERAS_BACKEND"] = settings["engine"]
    _common.start()
    from _engine import Steps

    steps = Steps(**settings)
    for line in sys.stdin:
        left = int(line)
        began = time.perf_counter()
        while left:
            count = min(left, 100)
            steps.run(count)
            left -= count
        print(time.perf_counter() - began, flush=True)


def measure(cases: dict[str, Any], repeats: int) -> dict[str, Timing]:
    """Times workers in turn and ends them."""
    workers: dict[str, Worker] = {}
    try:
        for name, (units, settings) in cases.items():
            _common.say(name)
            workers[name] = Worker(units, **settings)
        plain: dict[str, Case] = dict(workers)
        return _common.interleaved(plain, repeats=repeats)
    finally:
        for worker in workers.values():
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
    made = _common.record(
        "engines",
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
    _common.write(made, flags.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
