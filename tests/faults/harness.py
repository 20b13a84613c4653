"""What the modules of the fault suite share: runs, faults, equal records."""

import dataclasses
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import programs
from command_line import Line
from file_faults import Fault
from small_translation import CHANGES
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

FAULTY = Path(__file__).parent / "faulty_program.py"
CODES = (0, 2, 3, 4, 5, 6)  # what --help promises

# Short runs that make many files: rows, checkpoints and measurements that fall
# on different steps; dropout, velocities and an average of the weights.
_MANY_FILES = (
    "--set=train.log_every_steps=4",
    "--set=train.checkpoint_every_steps=10",
    "--set=train.ema_momentum=0.99",
)
WORK = {
    "classification": (
        "--experiment=fc_digits",
        "--set=train.steps=60",
        "--set=model.options.hidden=16,16",
        "--set=model.options.dropout_rate=0.3",
        "--set=optimizer.options.nesterov=true",
        "--set=evaluators.0.every_steps=15",
        *_MANY_FILES,
    ),
    # Its teacher, the table of its teacher's logits, and itself.
    "distillation": (
        "--experiment=fc_digits_student",
        "--run_missing",
        "--set=data.augmentation=shift2",
        "--set=teacher.changes.train.steps=40",
        "--set=teacher.matching=soft",
        "--set=teacher.beta=1",
        "--set=learning_rate=0.1",
        "--set=train.steps=40",
        "--set=evaluators.0.every_steps=15",
        *_MANY_FILES,
    ),
    "translation": (
        "--experiment=transformer_numbers",
        "--smoke",
        *(f"--set={path}={value}" for path, value in CHANGES.items()),
        "--set=train.log_every_steps=1",
        "--set=train.checkpoint_every_steps=2",
        "--set=evaluators.4.every_steps=3",
    ),
}
ENGINES = ("tensorflow", "jax")


class FaultyLine(Line):
    """The command line in processes whose files may fail."""

    def begin(self, *flags, fault=None, stdin=b"", **environment):
        """A copied process with a ``Fault`` below ``folder``."""
        if fault is not None:
            given = dataclasses.replace(fault, root=str(self.folder))
            environment["LS_TF_FAULT"] = json.dumps(dataclasses.asdict(given))
        return programs.start(
            FAULTY,
            *self.words(*flags),
            engine="jax" if "--engine=jax" in flags else "tensorflow",
            env=self.environment(**environment),
            stdin=stdin,
        )

    def ended(self, *flags, timeout=300, **options):
        """Runs to the end: exit code, lines of output, lines of errors."""
        process = self.begin(*flags, **options)
        try:
            process.wait(timeout)
        finally:
            process.send_signal(9)
        out, err = process.communicate()
        return process.returncode, out.splitlines(), err.splitlines()

    def copied(self, name):
        """Another line beside this one, with a copy of its records."""
        other = FaultyLine(self.folder.parent / name)
        shutil.copytree(self.folder, other.folder, symlinks=True)
        return other


def count_operations(line, *flags):
    """Runs to the end; the operations on files, in order: [kind, place]."""
    log = line.folder.parent / f"{line.folder.name}.log"
    line.folder.mkdir(parents=True, exist_ok=True)
    code, _, err = line.ended(*flags, fault=Fault("", log=str(log)))
    assert code == 0, err
    return [row.split(" ", 2)[1:] for row in log.read_text().splitlines()]


# --- Equal records -----------------------------------------------------------

# What says when, where and how fast: different in two runs that are equal.
_OF_THE_PROCESS = {
    *("history", "git", "measured", "started", "ended", "created", "command"),
    *("train_seconds", "eval_seconds", "steps_per_second", "seconds"),
    # Which modules were loaded; "own_signal" loads one before its time.
    *("finished", "extra", "sha256", "digest", "sources"),
}


def events(file):
    """The events of a TensorBoard file, without what was cut off."""
    data, place = file.read_bytes(), 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        if place + 16 + length > len(data):
            return
        yield Event.FromString(data[place + 12 : place + 12 + length])
        place += 16 + length


def curves(folder):
    """The scalars that TensorBoard shows: tag -> [(step, value)], in order.

    Files are read in the order of their names; a session that starts at a step
    hides what was written before for that step and later ones.
    """
    shown = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        if not file.is_file():
            continue  # damaged on purpose
        for event in events(file):
            log = event.session_log
            if log.status == SessionLog.START:
                for tag, points in shown.items():
                    shown[tag] = [p for p in points if p[0] < event.step]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points = shown.setdefault(value.tag, [])
                    points.append((event.step, value.simple_value))
    return {tag: points for tag, points in shown.items() if points}


def _plain(value):
    """JSON without what belongs to the process that wrote it."""
    if isinstance(value, dict):
        return {
            k: _plain(v) for k, v in value.items() if k not in _OF_THE_PROCESS
        }
    return value


def _equal(a, b):
    if a.name == "metrics.csv" or a.suffix in (".safetensors", ".npy"):
        return a.read_bytes() == b.read_bytes()
    if a.suffix == ".npz":
        with np.load(a) as x, np.load(b) as y:
            return x.files == y.files and all(
                x[k].dtype == y[k].dtype
                and np.array_equal(x[k], y[k], equal_nan=x[k].dtype.kind == "f")
                for k in x.files
            )
    x, y = (_plain(json.loads(f.read_text())) for f in (a, b))
    # NaN is equal to NaN as text.
    return json.dumps(x) == json.dumps(y)


def _compared(folder):
    return {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "tensorboard" not in path.parts
    }


# Digests of files that say when they were written differ with them.
_INDEX = ("digests.json",)


def differences(runs, wanted):
    """What differs between two folders of records; empty if nothing does.

    Weights, optimizer states, metrics, measurements, tables and the curves of
    TensorBoard are compared bit for bit; no file may be left over.
    """
    ours, theirs = _compared(runs), _compared(wanted)
    found = [f"{name} is missing" for name in theirs.keys() - ours.keys()]
    found += [f"{name} is left over" for name in ours.keys() - theirs.keys()]
    for name in sorted(ours.keys() & theirs.keys()):
        if Path(name).name not in _INDEX and not _equal(
            ours[name], theirs[name]
        ):
            found.append(f"{name} differs")
    for folder in sorted(wanted.rglob("tensorboard")):
        place = folder.relative_to(wanted)
        shown, full = curves(runs / place), curves(folder)
        for tag in sorted(shown.keys() | full.keys()):
            if shown.get(tag) != full.get(tag):
                found.append(
                    f"{place}: curve {tag} is {shown.get(tag)}, "
                    f"wanted {full.get(tag)}"
                )
    return found


def checkpoints_of(runs):
    """The whole checkpoints below a folder of records."""
    return sorted(runs.glob("**/checkpoints/step-*/manifest.json"))
