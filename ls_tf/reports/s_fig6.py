"""A binary student of a hard and of a smoothed teacher, over the training.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of ResNet-20, with hard and with smoothed
labels, and a student of each.

Source: Shen et al. 2021, figure 6.
Run: python run_experiment.py --report=s_fig6
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from ls_tf.pages import canvas, cifar, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record
from ls_tf.spec import Value, registry

TITLE = "A binary student of hard and smoothed teachers"
PARTIAL = True

_STUDENT = "reactnet_cifar10_student_short"
_TEACHERS = (
    Network("CIFAR-10 ResNet-20", "resnet20_cifar10_short"),
    Network("CIFAR-10 ResNet-56", "resnet56_cifar10_short"),
)
_ALPHAS = (0.0, 0.1)
_NAMES = {0.0: "hard", 0.1: "smoothed"}
_COLOURS = {0.0: canvas.BLUE, 0.1: canvas.VERMILION}
_COLUMN = "report/accuracy"  # of metrics.csv


def _changes(teacher: Network, alpha: float) -> dict[str, Value]:
    """What makes the student that of this teacher."""
    named = registry.get("ls_tf.experiments", _STUDENT).SPEC.teacher
    changes: dict[str, Value] = {"teacher.changes.alpha": alpha}
    if teacher.experiment != named.experiment:
        changes["teacher.experiment"] = teacher.experiment
    return changes


def _needs(teacher: Network, seed: int) -> Iterable[Need]:
    """Both teachers of a kind, which their students need, and these."""
    optional = seed != 0 or teacher is not _TEACHERS[0]
    headline = () if optional else _ALPHAS
    yield from networks.needs(teacher, _ALPHAS, (seed,), headline)
    for alpha in _ALPHAS:
        row = f"{teacher.label}, binary student, alpha = {alpha:g}"
        changes = _changes(teacher, alpha)
        yield Need(_STUDENT, changes, seed, optional, row)


REQUIRES = tuple(
    need
    for teacher in _TEACHERS
    for seed in networks.SEEDS
    for need in _needs(teacher, seed)
)

_PAPER = quoted.numbers("s_fig6")


@dataclass(frozen=True)
class _Row:
    """A teacher at one alpha, and its students: seed -> record of each."""

    network: Network
    alpha: float
    teachers: Runs
    students: Runs


def _row(records: Records, teacher: Network, alpha: float) -> _Row:
    return _Row(
        teacher,
        alpha,
        networks.runs(records, teacher, alpha),
        tables.by_seed(records, _STUDENT, _changes(teacher, alpha)),
    )


def _curve(record: Record) -> dict[int, float]:
    """Step -> accuracy in %, wherever it was measured."""
    return {s: 100 * value for s, value in record.curve(_COLUMN).items()}


def _figure(curves: Mapping[float, Runs]) -> Figure:
    """Draws accuracy over the steps; bands over seeds."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for alpha, runs in curves.items():
        canvas.band(
            axes,
            tables.over_steps(_curve(record) for record in runs.values()),
            opacity=0.2,
            color=_COLOURS[alpha],
            marker="o",
            markersize=3,
            label=f"{_NAMES[alpha]} teacher (alpha = {alpha:g})",
        )
    canvas.plain(axes)
    axes.set(xlabel="step", ylabel="student's accuracy, %")
    if axes.has_data():
        axes.legend(frameon=False, fontsize=9)
    return figure


def _claims(rows: Mapping[tuple[str, float], _Row]) -> Iterable[Claim[str]]:
    """What the figure is said to show, and what else the runs can."""
    for teacher in _TEACHERS:
        hard, smoothed = (rows[teacher.experiment, a] for a in _ALPHAS)
        for text, read in (("last", ACCURACY.of), ("best", ACCURACY.best)):
            yield Claim(
                teacher.label,
                read(hard.students),
                read(smoothed.students),
                f"the smoothed teacher's student is better, {text}",
                "Shen et al.",
                printed=(
                    _PAPER.get(("student", "0.0")),
                    _PAPER.get(("student", "0.1")),
                )
                if text == "best"
                else (None, None),
                by_interval=True,
            )
    for alpha in _ALPHAS:
        large, small = (rows[t.experiment, alpha] for t in _TEACHERS[::-1])
        yield Claim(
            f"alpha = {alpha:g}",
            ACCURACY.of(large.students),
            ACCURACY.of(small.students),
            "the student of ResNet-20, trained longer, is better",
            "ours",
            by_interval=True,
        )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = {
        (t.experiment, alpha): _row(records, t, alpha)
        for t in _TEACHERS
        for alpha in _ALPHAS
    }
    claims = tuple(_claims(rows))
    yield Text(
        "Does a smoothed teacher teach a binary network worse? ReActNets of "
        "six binary convolutions (weights and activations are signs) learn the "
        "answers of ResNets with hard and with smoothed labels, at T = 1 and "
        "without labels, from random weights, while the rate falls to 0 on a "
        f"line. All are trained for a part of a full schedule: students for 10 "
        f"epochs, ResNet-20 for 20, ResNet-56 for 2. {networks.COMMANDS}"
    )
    yield declared.findings(
        (
            claims,
            "{of}: {text} ({whose}): " + declared.compared(".2f", " %"),
        )
    )
    for teacher in _TEACHERS:
        curves = {a: rows[teacher.experiment, a].students for a in _ALPHAS}
        if any(curves.values()):
            yield Picture(
                _figure(curves),
                f"curves_{teacher.experiment}",
                f"{teacher.label} as the teacher: its binary student's "
                f"accuracy over the training. {canvas.BAND}"
                f"{networks.missing(curves)} {cifar.SPLIT} {cifar.JPEG}",
            )
    yield declared.table(
        "students",
        "Accuracy, %, means over seeds: of the teachers and of their students, "
        "after the last step and at the best measurement of the training. "
        "Shen et al. print the best of ReActNet's ResNet-18 on ImageNet, "
        "taught by ResNet-50: another task, of which only the sign of the "
        f"difference is to be compared. {cifar.SPLIT} {cifar.JPEG}",
        rows.values(),
        ("teacher", lambda r: r.network.label, ""),
        ("alpha", lambda r: r.alpha, "g"),
        (
            "Shen et al., best, ImageNet",
            lambda r: _PAPER.get(("student", f"{r.alpha}")),
            "",
        ),
        (
            "teacher, %",
            lambda r: declared.or_no_run(ACCURACY.mean(r.teachers)),
            ".2f",
        ),
        (
            "student, %",
            lambda r: declared.or_no_run(ACCURACY.mean(r.students)),
            ".2f",
        ),
        ("lowest", lambda r: ACCURACY.low(r.students), ".2f"),
        ("highest", lambda r: ACCURACY.high(r.students), ".2f"),
        (
            "best, %",
            lambda r: tables.mean(ACCURACY.best(r.students).values()),
            ".2f",
        ),
        ("seeds", lambda r: len(r.students), ""),
    )
    yield declared.table(
        "claims",
        "Claims, accuracy of students in %, means over the seeds that both "
        "have; as printed: Shen et al.'s numbers of ImageNet. "
        f"{declared.INTERVAL}",
        claims,
        ("teacher", lambda c: c.of, ""),
        ("claim", lambda c: c.text, ""),
        ("whose", lambda c: c.whose, ""),
        *declared.judged(".2f", by_interval=True),
        ("as printed", lambda c: c.holds_in_paper, ""),
    )
