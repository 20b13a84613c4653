"""What a teacher costs its student: none, looked up, or run beside it.

AlexNet's training step on random images of CIFAR-10's size, taught by nobody,
by a table of ResNet-56's logits on all views, and by ResNet-56 itself; and
the rate at which such a table is made, over that of plain inference.

Run: python benchmarks/teacher_table.py --out=results/benchmarks
"""

import os
import time
from typing import Any

import _common
import numpy as np
from _common import Target

BATCH = 128
NONE, TABLE, BESIDE = "no teacher", "table", "teacher beside"
PLAIN, BUILD = "plain inference", "table's views"
STUDENT, TEACHER = "alexnet_cifar10_student", "resnet56_cifar10_teacher"


def _engine(
    session: Any, spec: Any, make_task: Any, rate: float = 0.001
) -> Any:
    """An engine built as a run builds it."""
    import keras

    from ls_tf.running import assembly
    from ls_tf.training.engine import Recipe

    built = session.engine(spec, assembly.transform(spec))
    built.build([Recipe(make_task, lambda task: keras.optimizers.SGD(rate))])
    return built


def _students(session: Any, steps: int) -> dict[str, Any]:
    """Cases of a training step; seconds for each."""
    from _engine import RandomData

    from ls_tf.spec.resolve import resolve
    from ls_tf.tasks.distillation import Distillation, Teacher

    class Student(RandomData, Distillation):
        """A student of random data."""

    teacher = resolve(TEACHER).spec
    count, views = 50_000, 162
    rng = np.random.default_rng(0)
    table = rng.standard_normal((count, views, 10), np.float32)
    known = Teacher(teacher, lambda model: None, table.astype(np.float16))
    cases = {}
    for name, experiment, changed in (
        (NONE, "alexnet_cifar10", {}),
        (TABLE, STUDENT, {}),
        (BESIDE, STUDENT, {"teacher.table": "never"}),
    ):
        spec = resolve(experiment, changed=changed).spec

        def make_task(like: Any, spec: Any = spec, name: str = name) -> Any:
            if name == NONE:
                return RandomData(spec, None, like)
            return Student(spec, None, known, like)

        built = _engine(session, spec, make_task)
        few = max(1, steps // 5) if name == BESIDE else steps

        def work(built: Any = built, few: int = few) -> None:
            (logs,) = built.run(0, few)
            if not np.isfinite(logs["loss"]).all():
                raise RuntimeError(f"wanted finite losses, got {logs['loss']}")

        cases[name] = _common.timed(work, few)
    return cases


def _inference(session: Any, images: int) -> dict[str, Any]:
    """Cases of the teacher's inference; seconds for each image."""
    from _engine import RandomData

    from ls_tf.spec.resolve import resolve

    spec = resolve(TEACHER).spec
    built = _engine(session, spec, lambda like: RandomData(spec, None, like))
    (network,) = built.networks
    stored = network.task.examples("train")
    some = {k: v[:images] for k, v in stored.items()}
    rows = np.arange(images)

    def views() -> None:
        # As a table is made: views are picked on the host, row after row.
        batch = network.task.augmented("train", rows // 162, rows % 162)
        network.predict(batch)["logits"].astype(np.float16)

    return {
        PLAIN: _common.timed(lambda: network.predict(some), images),
        BUILD: _common.timed(views, images),
    }


def main() -> None:
    """Measures, prints the ratios and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=5)
    parser.add_argument("--engine", default="tensorflow")
    parser.add_argument("--steps", type=int, default=10, help="of a round")
    parser.add_argument("--images", type=int, default=1000, help="of a round")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.engine
    about = _common.machine()
    _common.start()
    from ls_tf.running.session import Machine, Session

    session = Session(Machine(engine=options.engine))
    began = time.perf_counter()
    cases = {
        **_students(session, options.steps),
        **_inference(session, options.images),
    }
    _common.say(f"built in {time.perf_counter() - began:.0f} s")
    timings = _common.interleaved(cases, repeats=options.repeats)
    _common.table(
        ("case", "ms, min", "ms, median"),
        [(k, t.min * 1e3, t.median * 1e3) for k, t in timings.items()],
    )
    of = {name: timing.median for name, timing in timings.items()}
    targets = [
        Target(
            "step with table / without teacher",
            1.1,
            of[TABLE] / of[NONE],
            at_most=True,
        ),
        Target("step with teacher beside / table", 5.0, of[BESIDE] / of[TABLE]),
        Target("rate of views / plain inference", 0.9, of[PLAIN] / of[BUILD]),
    ]
    _common.finish(
        f"teacher_table_{options.engine}",
        options,
        about=about,
        settings={
            "engine": options.engine,
            "batch": BATCH,
            "steps": options.steps,
            "images": options.images,
        },
        timings=timings,
        results={t.name: t.got for t in targets},
        targets=targets,
    )


if __name__ == "__main__":
    main()
