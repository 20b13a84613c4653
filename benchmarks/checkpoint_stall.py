"""How long a checkpoint keeps the training, in a thread and waited for.

A network of 17 million weights is trained on the digits with a checkpoint every
few steps: once as it is, with the writing in a thread, and once waiting until
each is on the disk, which is how it was before. Measured are the seconds in
which a save holds the training up, and those of the whole loop.

Run: python benchmarks/checkpoint_stall.py --out=results/benchmarks
"""

import tempfile
import time
from typing import Any

import _common
from _common import ROOT, Target, Timing

EVERY, SAVES = 20, 3
CHANGES = {
    "model.options.hidden": (4096, 4096),
    "train.steps": EVERY * SAVES,
    "train.log_every_steps": EVERY,
    "train.checkpoint_every_steps": EVERY,
}
THREAD, WAITED = "in a thread", "waited for"
MOST = 0.25  # of the stall of waiting


class Stalls:
    """Notes how long each save holds up whoever asks for it."""

    def __init__(self) -> None:
        """Takes the place of the run's own."""
        from ls_tf.running.run import Run

        self.seconds: list[float] = []
        self.is_waiting = False
        self._save = Run.save
        Run.save = lambda run: self._noted(run)  # type: ignore[method-assign]

    def _noted(self, run: Any) -> None:
        began = time.perf_counter()
        self._save(run)
        if self.is_waiting:
            run._saver.wait()
        self.seconds.append(time.perf_counter() - began)


def trained(session: Any, identity: Any) -> tuple[float, float]:
    """Trains once; seconds of the loop, MiB of a checkpoint."""
    import dataclasses

    from etils import epath

    from ls_tf.running import execute, loop

    took = []
    train = loop.train

    def timed(*words: Any) -> None:
        began = time.perf_counter()
        train(*words)
        took.append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        session.machine = dataclasses.replace(session.machine, runs_dir=folder)
        loop.train = timed
        try:
            execute.run([identity], session, mode="train")
        finally:
            loop.train = train
        (newest, *_) = epath.Path(folder).glob("*/*/*/checkpoints/*/*.safet*")
        return took[0], newest.stat().length / 2**20


def main() -> None:
    """Measures, prints the stalls and writes the record."""
    options = _common.arguments(__doc__.splitlines()[0], repeats=3).parse_args()
    about = _common.machine()
    _common.start()
    from ls_tf.running.session import Machine, Session
    from ls_tf.spec.resolve import resolve

    identity = resolve("fc_digits", changed=CHANGES)
    session, stalls = Session(Machine()), Stalls()
    timings: dict[str, Timing] = {}
    seconds: dict[str, list[float]] = {THREAD: [], WAITED: []}
    loops: dict[str, list[float]] = {THREAD: [], WAITED: []}
    mib = 0.0
    for number in range(options.repeats + 1):
        for how in (THREAD, WAITED):
            stalls.is_waiting, stalls.seconds = how == WAITED, []
            took, mib = trained(session, identity)
            if number:  # the first one warms up
                # The last save of a run is always waited for, by its end.
                seconds[how] += stalls.seconds[:-1]
                loops[how].append(took)
    for how in (THREAD, WAITED):
        timings[f"a save, {how}"] = Timing(tuple(seconds[how]))
        timings[f"the training, {how}"] = Timing(tuple(loops[how]))
    medians = {name: timing.median for name, timing in timings.items()}
    stall = medians[f"a save, {THREAD}"] / medians[f"a save, {WAITED}"]
    whole = medians[f"the training, {THREAD}"]
    whole /= medians[f"the training, {WAITED}"]
    _common.table(
        ("case", "ms, min", "ms, median"),
        [(k, t.min * 1e3, t.median * 1e3) for k, t in timings.items()],
    )
    _common.finish(
        "checkpoint_stall",
        options,
        about=about,
        settings={
            "repeats": options.repeats,
            "every_steps": EVERY,
            "saves": SAVES,
            "mib": round(mib, 1),
        },
        timings=timings,
        results={"stall": stall, "training": whole},
        targets=[Target("a save's stall beside waiting", MOST, stall, True)],
    )


if __name__ == "__main__":
    main()
