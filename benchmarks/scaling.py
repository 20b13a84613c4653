"""Two worker processes, a core each, beside one; and what is to be expected.

Weak scaling: one process on one core trains ResNet-56 with N images a step, two
processes on two cores with 2 N. The efficiency is the time of the one's step by
that of the two's. Beside it stands the arithmetic of larger numbers of
accelerators, from published speeds.

Run: python benchmarks/scaling.py --out=results/benchmarks
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
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


def worker(engine: str, images: int, calls: int) -> None:
    """One process of a run; the first prints the seconds of its steps."""
    from ls_tf.running import assembly
    from ls_tf.running.session import Machine, Session
    from ls_tf.spec.resolve import resolve

    task = json.loads(os.environ["TF_CONFIG"])
    count, index = len(task["cluster"]["worker"]), task["task"]["index"]
    os.sched_setaffinity(0, {index})
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
    if index == 0:
        print(json.dumps(seconds), flush=True)
    session.peers.leave()
    os._exit(0)  # the engine would wait for the others


def steps(engine: str, processes: int, images: int, calls: int) -> list[float]:
    """Seconds of a step of so many processes, each on its own core."""
    sockets = [socket.socket() for _ in range(processes)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    for opened in sockets:
        opened.close()
    command = [sys.executable, __file__, f"--worker={engine}"]
    command += [f"--images={images}", f"--repeats={calls}"]
    begun = []
    for index in range(processes):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": workers}, "task": task}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        environment["KERAS_BACKEND"] = engine
        begun.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, text=True
            )
        )
    said = [process.communicate()[0] for process in begun]
    if any(process.returncode for process in begun):
        raise SystemExit(f"{engine}: a worker failed")
    seconds: list[float] = json.loads(said[0].splitlines()[-1])
    return seconds


def main() -> None:
    """Measures, prints the efficiencies and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=2)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    about = _common.machine()
    _common.start()
    if options.worker:
        worker(options.worker, options.images[0], options.repeats)
    timings: dict[str, Timing] = {}
    results: dict[str, Any] = {"expected": _expected.rows()}
    targets = []
    for engine in ENGINES:
        for images in options.images:
            found: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(2):  # in turn, so that a slow minute slows both
                for processes, seconds in found.items():
                    seconds += steps(engine, processes, images, options.repeats)
            for processes, seconds in found.items():
                name = f"{engine}, {processes} processes, {images} images each"
                timings[name] = Timing(tuple(seconds))
            one, two = (Timing(tuple(found[n])).median for n in (1, 2))
            results[f"{engine}, {images} images"] = {
                "efficiency": one / two,
                "lost_seconds": two - one,
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
