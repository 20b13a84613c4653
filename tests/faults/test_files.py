"""Every kind of file, damaged in every way: refused, rebuilt or exact.

A case is a file that a command reads. It is damaged; then the command is given
again. Either it refuses in one line with exit code 2, and says the same when
it is given once more; or it comes to the numbers of undamaged files. What a
person writes, flags and a corpus, has no right numbers: changed, it has to be
another run by name or by the digest of its data.
"""

import collections
import dataclasses
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import made_records
import pytest
from command_line import said
from file_faults import Fault
from harness import WORK, FaultyLine, count_operations, differences

from ls_tf.spec import registry

REPORT = "re_fig2_penultimate_mnist"
VOCABULARY = ("--set=data.vocabulary_size=400",)
NUMBERS = ("--experiment=transformer_numbers", *VOCABULARY)


# --- Commands and what is right ---------------------------------------------


def _trained(line, wanted):
    return differences(line.runs, wanted.runs)


def _numbers_trained(line, wanted):
    """As ``_trained``; the curves of a damaged event file are lost."""
    found = differences(line.runs, wanted.runs)
    return [text for text in found if ": curve " not in text]


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _page(line, wanted):
    ours, theirs = (_files(x.folder / "reports") for x in (line, wanted))
    return [name for name in theirs if ours.get(name) != theirs[name]]


def _written(line, wanted):
    name = "written.npz"
    same = (line.folder / name).read_bytes() == (
        wanted.folder / name
    ).read_bytes()
    return [] if same else [f"{name} differs"]


@dataclasses.dataclass(frozen=True)
class Work:
    """A command, and how its folder comes to be.

    Attributes:
        flags: of the command; ``{here}`` is the folder.
        wrong: what differs from the right numbers, by two lines.
        make: fills an empty line up to where the command begins; gives the
            line in which all is right at its end.
    """

    flags: tuple[str, ...]
    wrong: Callable
    make: Callable


def _done(line, *flags, fault=None):
    words = [flag.format(here=line.folder) for flag in flags]
    return line.ended(*words, fault=fault)


def _must(line, *flags):
    code, _, err = _done(line, *flags)
    assert code == 0, err


def _resumed(line):
    """A run that was killed with two checkpoints, in its lock."""
    flags = WORK["classification"]
    whole = FaultyLine(line.folder.parent / "whole")
    operations = count_operations(whole, *flags)
    line.folder.mkdir()
    at = max(
        number
        for number, (kind, place) in enumerate(operations, 1)
        if kind == "write" and "step-000000050" in place
    )
    code, _, err = line.ended(*flags, fault=Fault("", "kill", at + 8))
    assert code == -9, err
    return whole


def _taught(line):
    """A student that was never begun, of a teacher with a table."""
    _must(line, *WORK["distillation"])
    whole = line.copied("whole")
    shutil.rmtree(line.runs / "fc_digits_student")
    return whole


def _stored(line):
    """Records of a report that is not built yet."""
    for need in registry.get("ls_tf.reports", REPORT).REQUIRES:
        made_records.write(line.runs, need)
    whole = line.copied("whole")
    _must(whole, f"--report={REPORT}")
    return whole


def _encoded(line):
    """Subwords and ids of sentences, kept by a command before."""
    line.folder.mkdir()
    _must(line, *NUMBERS, *PREPARE)
    (line.folder / "written.npz").rename(line.folder / "first.npz")
    whole = line.copied("whole")
    _must(whole, *NUMBERS, *PREPARE)
    return whole


def _portable(line):
    """A file that --mode=prepare wrote."""
    line.folder.mkdir()
    _must(line, *DIGITS, "--mode=prepare", "--prepared={here}/digits.npz")
    whole = line.copied("whole")
    _must(whole, *DIGITS, "--data_dir={here}/digits.npz")
    return whole


PREPARE = (
    "--mode=prepare",
    "--data_dir={here}",
    "--prepared={here}/written.npz",
)
DIGITS = ("--experiment=fc_digits", "--smoke")
WORKS = {
    "a run goes on": Work(WORK["classification"], _trained, _resumed),
    "a student is taught": Work(WORK["distillation"], _trained, _taught),
    "a report is built": Work((f"--report={REPORT}",), _page, _stored),
    "text is encoded": Work((*NUMBERS, *PREPARE), _written, _encoded),
    "a prepared file is read": Work(
        (*DIGITS, "--data_dir={here}/digits.npz"), _trained, _portable
    ),
}

# Kind of file -> the work that reads it, and where it lies.
RUN, TABLE = "runs/*/*/seed=0", "runs/fc_digits/*/seed=0/tables/*"
KINDS = {
    "run.json": ("a run goes on", f"{RUN}/run.json"),
    "metrics.csv": ("a run goes on", f"{RUN}/metrics.csv"),
    "digests.json": ("a run goes on", f"{RUN}/digests.json"),
    "checkpoint, arrays": (
        "a run goes on",
        f"{RUN}/checkpoints/step-000000050/arrays.safetensors",
    ),
    "checkpoint, manifest": (
        "a run goes on",
        f"{RUN}/checkpoints/step-000000050/manifest.json",
    ),
    "lock": ("a run goes on", f"{RUN}/lock/owner.json"),
    "events": ("a run goes on", f"{RUN}/tensorboard/events.out.*"),
    "teacher's run.json": (
        "a student is taught",
        "runs/fc_digits/*/seed=0/run.json",
    ),
    "teacher's checkpoint": (
        "a student is taught",
        "runs/fc_digits/*/seed=0/checkpoints/step-000000040/arrays.safetensors",
    ),
    "table, part": ("a student is taught", f"{TABLE}/logits-00001.npy"),
    "table, manifest": ("a student is taught", f"{TABLE}/manifest.json"),
    "record, run.json": ("a report is built", f"{RUN}/run.json"),
    "record, digests.json": ("a report is built", f"{RUN}/digests.json"),
    "measurement, numbers": (
        "a report is built",
        f"{RUN}/measurements/penultimate_report.json",
    ),
    "measurement, arrays": (
        "a report is built",
        f"{RUN}/measurements/penultimate_report.npz",
    ),
    "cache, manifest": ("text is encoded", "ls_tf_arrays/tokens/*.json"),
    "cache, array": (
        "text is encoded",
        "ls_tf_arrays/tokens/*_target_tokens.npy",
    ),
    "subword model": ("text is encoded", "ls_tf_arrays/subwords/*_model.npy"),
    "subword manifest": ("text is encoded", "ls_tf_arrays/subwords/*.json"),
    "prepared file": ("a prepared file is read", "digits.npz"),
}


# --- Damage ------------------------------------------------------------------


def _flip(file, place, bit):
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(bytes(data))


def _flipped(part):
    """Flips a bit in some part of the file."""

    def flip(file, rng):
        place = int(file.stat().st_size * part + rng.randrange(8))
        _flip(file, place, rng.randrange(8))

    return flip


def _cut(file, rng):
    os.truncate(file, max(file.stat().st_size - 1 - rng.randrange(40), 0))


def _cut_in_half(file, rng):
    os.truncate(file, file.stat().st_size // 2)


def _newer(file, rng):
    """Another version, where the file says one."""
    if file.suffix == ".json":
        content = json.loads(file.read_text())
        content["version"] = 99
        file.write_text(json.dumps(content, indent=1) + "\n")
    else:  # of NumPy's and safetensors' own formats: their first bytes
        _flip(file, 6, 3)


def _replaced(make):
    def replace(file, rng):
        file.unlink()
        make(file)

    return replace


DAMAGES = {
    "cut": _cut,
    "cut in half": _cut_in_half,
    "emptied": lambda file, rng: os.truncate(file, 0),
    "bit flipped at the start": _flipped(0.0),
    "bit flipped at a third": _flipped(0.33),
    "bit flipped at two thirds": _flipped(0.67),
    "bit flipped at the end": _flipped(0.99),
    "other version": _newer,
    "another's": None,  # not to be read: by a fault of the file system
    "dangling link": _replaced(lambda file: file.symlink_to("nowhere")),
    "link to itself": _replaced(lambda file: file.symlink_to(file.name)),
    "link to a folder": _replaced(lambda file: file.symlink_to("..")),
    "a folder": _replaced(lambda file: file.mkdir()),
    "gone": lambda file, rng: file.unlink(),
}
SHORT = [
    ("measurement, arrays", "bit flipped at two thirds"),
    ("record, run.json", "link to itself"),
    ("cache, array", "bit flipped at a third"),
    ("subword model", "a folder"),
]


class Places:
    """Folders of works up to where their command begins, made once."""

    def __init__(self, folder):
        self._folder, self._made = folder, {}

    def of(self, work):
        if work not in self._made:
            line = FaultyLine(self._folder / work.replace(" ", "_") / "line")
            line.folder.parent.mkdir(parents=True)
            self._made[work] = line, WORKS[work].make(line)
        return self._made[work]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return Places(tmp_path_factory.mktemp("files"))


def _outcome(work, line, whole, kind, fault):
    """refused, or exact; raises for what must not be."""
    code, out, err = _done(line, *work.flags, fault=fault)
    assert not any("Traceback" in text for text in err), err
    if code == 2:
        lines = said(err)
        assert len(lines) == 1 and err[-1] == lines[0], err
        again = _done(line, *work.flags, fault=fault)
        assert again[0] == 2, again[2]
        return "refused"
    assert code == 0, (code, err)
    wrong = _numbers_trained if kind == "events" else work.wrong
    found = wrong(line, whole)
    assert not found, found
    return "exact"


def _tried(places, folder, kind, damage):
    """What became of one kind of file in one kind of damage."""
    name, pattern = KINDS[kind]
    line, whole = places.of(name)
    damaged = FaultyLine(folder / "line")
    shutil.copytree(line.folder, damaged.folder, symlinks=True)
    file = sorted(damaged.folder.glob(pattern))[-1]
    place = str(file.relative_to(damaged.folder))
    fault = None
    try:
        if DAMAGES[damage] is None:
            fault = Fault("", kind="denied", name=place)
        else:
            DAMAGES[damage](file, random.Random(f"{kind} {damage}"))
        return _outcome(WORKS[name], damaged, whole, kind, fault)
    finally:
        shutil.rmtree(damaged.folder)


def _cases(kinds):
    return pytest.mark.parametrize(
        "kind",
        [
            pytest.param(
                kind,
                id=kind.replace(" ", "_"),
                marks=pytest.mark.xdist_group(f"files_{KINDS[kind][0]}"),
            )
            for kind in kinds
        ],
    )


@pytest.mark.long
@_cases(KINDS)
def test_a_file_is_refused_rebuilt_or_exact(places, tmp_path, figures, kind):
    seen, wrong = {}, {}
    for number, damage in enumerate(DAMAGES):
        try:
            seen[damage] = _tried(places, tmp_path / str(number), kind, damage)
        except AssertionError as error:
            seen[damage], wrong[damage] = "wrong", str(error)[:600]
    figures(kind, **seen)
    assert not wrong, "\n".join(f"{d}: {text}" for d, text in wrong.items())


@pytest.mark.parametrize(("kind", "damage"), SHORT)
def test_some_files_are_refused_rebuilt_or_exact(
    places, tmp_path, kind, damage
):
    assert _tried(places, tmp_path, kind, damage) in ("refused", "exact")


def test_the_names_are_those_of_a_run(places):
    """Every kind of file is there to be damaged."""
    counted = collections.Counter()
    for kind, (work, pattern) in KINDS.items():
        if WORKS[work].make in (_stored, _encoded):
            line, _ = places.of(work)
            counted[kind] = len(list(Path(line.folder).glob(pattern)))
    assert min(counted.values()) >= 1, counted
