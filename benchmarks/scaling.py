"""Two worker processes, a core each, beside one; and what is to be expected.

Weak scaling: one process on one core trains ResNet-56 with N images a step, two
processes on two cores with 2 N. The efficiency is the time of the one's step by
that of the two's. What the machine itself loses with both cores busy is
measured beside it: one process's step while another, which it never meets, does
the same. Then comes the arithmetic of larger numbers of accelerators, from
published speeds.

Run: python benchmarks/scaling.py --out=results/benchmarks
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import _common
import _expected
import numpy as np
from _common import Target, Timing

EXPERIMENT = "resnet56_cifar10"
ENGINES = ("tensorflow", "jax")
STEPS = 3  # of a call that is timed
WANTED = 0.85
IMAGES = (16, 64)  # of a process; the last is judged
EXAMPLES = 1000
TOGETHER, APART = "2 processes", "2 processes that never meet"
CASES = {"1 processes": (1,), TOGETHER: (2,), APART: (1, 1)}  # of each cluster


def _random_images(name: str) -> None:
    """Makes a data set one of random images, some of each class."""
    from ls_tf.spec import registry

    module = registry.get("ls_tf.data", name)
    rng = np.random.default_rng(0)

    def load(split: str, *, data_dir: str | None) -> dict[str, np.ndarray]:
        size = (EXAMPLES, *module.INFO.image_shape)
        return {
            "image": rng.integers(0, 256, size, np.uint8),
            "label": np.arange(EXAMPLES, dtype=np.int32) % 10,
        }

    module.load = load


def worker(engine: str, images: int, calls: int, core: int) -> None:
    """One process of a run; prints the seconds of its steps."""
    from ls_tf.running import assembly
    from ls_tf.running.session import Machine, Session
    from ls_tf.spec.resolve import resolve

    task = json.loads(os.environ["TF_CONFIG"])
    count = len(task["cluster"]["worker"])
    os.sched_setaffinity(0, {core})
    spec = resolve(
        EXPERIMENT,
        changed={"train.global_batch_size": images * count, "train.xla": False},
    ).spec
    session = Session(Machine(engine=engine, strategy="multi_worker"))
    built = session.engine(spec, assembly.transform(spec))
    _random_images(spec.data.name)
    built.build([assembly.recipe(spec, data_dir=None)])
    built.run(0, STEPS)  # compiles
    seconds = []
    for call in range(calls):
        built.agree(False, 1)  # all begin together
        began = time.perf_counter()
        built.run((1 + call) * STEPS, STEPS)
        seconds.append((time.perf_counter() - began) / STEPS)
    print(json.dumps(seconds), flush=True)
    session.peers.leave()
    os._exit(0)  # the engine would wait for the others


def steps(
    engine: str, clusters: Sequence[int], images: int, calls: int
) -> list[float]:
    """Times processes that run at once, each on a core of its own.

    Args:
        engine: that trains.
        clusters: how many processes each training has.
        images: of a process.
        calls: that are timed, each of ``STEPS`` steps.

    Returns:
        list: seconds of a step of the first process, of each call. A second
        training computes until the first is done.
    """
    begun: list[subprocess.Popen[str]] = []
    for first, size in zip(np.cumsum([0, *clusters]), clusters, strict=False):
        workers = _addresses(size)
        for index in range(size):
            task = {"type": "worker", "index": index}
            config = {"cluster": {"worker": workers}, "task": task}
            command = [sys.executable, __file__, f"--worker={engine}"]
            command += [f"--images={images}", f"--core={first + index}"]
            command += [f"--repeats={calls if first == 0 else 10**6}"]
            environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
            environment["KERAS_BACKEND"] = engine
            begun.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.PIPE, text=True
                )
            )
    measured, others = begun[: clusters[0]], begun[clusters[0] :]
    said = [process.communicate()[0] for process in measured]
    idle = any(process.poll() is not None for process in others)
    for process in others:
        process.kill()
        process.communicate()
    if idle or any(process.returncode for process in measured):
        raise SystemExit(f"{engine}: a worker failed")
    seconds: list[float] = json.loads(said[0].splitlines()[-1])
    return seconds


def _addresses(count: int) -> list[str]:
    """Addresses of this machine that are free."""
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    for opened in sockets:
        opened.close()
    return addresses


def main() -> None:
    """Measures, prints the efficiencies and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=2)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    about = _common.machine()
    _common.start()
    if options.worker:
        images = options.images[0]
        worker(options.worker, images, options.repeats, options.core)
    timings: dict[str, Timing] = {}
    results: dict[str, Any] = {"expected": _expected.rows()}
    targets = []
    for engine in ENGINES:
        for images in options.images:
            found: dict[str, list[float]] = {name: [] for name in CASES}
            for _ in range(2):  # in turn, so that a slow minute slows all
                for case, clusters in CASES.items():
                    found[case] += steps(
                        engine, clusters, images, options.repeats
                    )
            for case, seconds in found.items():
                name = f"{engine}, {case}, {images} images each"
                timings[name] = Timing(tuple(seconds))
            one, two, apart = (
                Timing(tuple(found[case])).median for case in CASES
            )
            results[f"{engine}, {images} images"] = {
                "efficiency": one / two,
                "efficiency_apart": one / apart,
                "lost_seconds": two - one,
                "lost_seconds_apart": apart - one,
            }
        targets.append(Target(f"weak scaling, {engine}", WANTED, one / two))
    _common.table(
        ("case", "s, min", "s, median"),
        [(name, timing.min, timing.median) for name, timing in timings.items()],
    )
    print(_expected.markdown())
    _common.finish(
        "scaling",
        options,
        about=about,
        settings={
            "repeats": options.repeats,
            "images": list(options.images),
            "experiment": EXPERIMENT,
        },
        timings=timings,
        results=results,
        targets=targets,
    )


if __name__ == "__main__":
    main()
