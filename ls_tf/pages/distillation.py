"""The four curves of figure 5: teachers, students, and what taught them."""

import operator
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, tables
from ls_tf.pages.blocks import Block, Need, Picture, Table
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs, or_no_run
from ls_tf.records.runs import Record
from ls_tf.spec import Value, registry

ALPHAS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)

TEACHER = "teacher"
STUDENT = "student on labels"
BY_TEMPERATURE = "student of the hard teacher at T"
BY_SMOOTHED = "student of a smoothed teacher"
CURVES = (TEACHER, STUDENT, BY_TEMPERATURE, BY_SMOOTHED)
_STYLES = {
    TEACHER: (canvas.INK, "s", "--"),
    STUDENT: (canvas.BLUE, "o", "--"),
    BY_TEMPERATURE: (canvas.VERMILION, "^", "-"),
    BY_SMOOTHED: (canvas.GREEN, "D", "-"),
}


def teacher(student: str, alpha: float) -> tuple[str, dict[str, Value]]:
    """Experiment and changes of the teacher that a student's names."""
    spec = registry.get("ls_tf.experiments", student).SPEC.teacher
    return spec.experiment, {**spec.changes, "alpha": alpha}


@dataclass(frozen=True)
class Setting:
    """Teachers and students of one kind.

    Attributes:
        name: in tables.
        alone: the experiment of the student on labels.
        student: the experiment of the student of a teacher; it names the
            teachers'.
        temperatures: of the hard teacher.
        seeds: of every run.
        headline: whether ``--run_missing`` trains seed 0.
        file: of the picture.
    """

    name: str
    alone: str
    student: str
    temperatures: tuple[float, ...]
    seeds: tuple[int, ...]
    headline: bool
    file: str = "curves"

    def points(self, curve: str) -> tuple[float, ...]:
        """The alphas of a curve, or its temperatures.

        The student of the hard teacher at T = 1 begins both of its curves.
        """
        return self.temperatures if curve == BY_TEMPERATURE else ALPHAS

    def run(self, curve: str, at: float) -> tuple[str, dict[str, Value]]:
        """Experiment and changes of one point."""
        if curve == BY_SMOOTHED and at == 0:
            curve, at = BY_TEMPERATURE, 1.0
        if curve == TEACHER:
            return teacher(self.student, at)
        if curve == STUDENT:
            return self.alone, {"alpha": at}
        if curve == BY_TEMPERATURE:
            return self.student, {"teacher.teacher_temperature": at}
        return self.student, {"teacher.changes.alpha": at}


def needs(setting: Setting) -> Iterable[Need]:
    """Lists the runs of a setting: seed by seed, teachers first.

    Yields:
        Need: no run twice.
    """
    for seed in setting.seeds:
        for curve in CURVES:
            for at in setting.points(curve):
                if curve == BY_SMOOTHED and at == 0:
                    continue  # the run at T = 1
                experiment, changes = setting.run(curve, at)
                symbol = "T" if curve == BY_TEMPERATURE else "alpha"
                yield Need(
                    experiment,
                    changes,
                    seed,
                    optional=seed != 0 or not setting.headline,
                    row=f"{setting.name}, {curve}, {symbol} = {at:g}",
                )


def smoothness(record: Record) -> float:
    """The gamma of a student's teacher: exact, or on unaugmented images."""
    scalars = record.scalars("smoothness", "train")
    return scalars.get("gamma", scalars["gamma_unaugmented"])


@dataclass(frozen=True)
class Point:
    """One point of a curve: its place in the sweep, and its runs."""

    setting: str
    curve: str
    at: float
    runs: Runs

    @property
    def alpha(self) -> float:
        """The smoothing of the labels, or of the teacher."""
        return 0.0 if self.curve == BY_TEMPERATURE else self.at

    @property
    def temperature(self) -> float | None:
        """What divides the teacher's logits; None for labels."""
        if self.curve == BY_TEMPERATURE:
            return self.at
        return 1.0 if self.curve == BY_SMOOTHED else None

    @property
    def gammas(self) -> dict[int, float]:
        """Seed -> gamma; that of a network on labels is its alpha."""
        if self.curve in (TEACHER, STUDENT):
            return dict.fromkeys(self.runs, self.at)
        return {seed: smoothness(run) for seed, run in self.runs.items()}

    @property
    def accuracy(self) -> float | None:
        """The mean over seeds; None without a run."""
        return ACCURACY.mean(self.runs)

    @property
    def gamma(self) -> float | None:
        """The mean over seeds; None without a run."""
        return tables.mean(self.gammas.values())


_Curves = Mapping[str, Sequence[Point]]


def _curves(records: Records, setting: Setting) -> _Curves:
    """All points, with or without a run."""
    return {
        curve: [
            Point(
                setting.name,
                curve,
                at,
                tables.by_seed(records, *setting.run(curve, at)),
            )
            for at in setting.points(curve)
        ]
        for curve in CURVES
    }


def _figure(curves: _Curves) -> Figure | None:
    """Draws accuracy against gamma; None if there is no run."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    top, below = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 2]}
    )
    for curve, points in curves.items():
        finished = [p for p in points if p.runs]
        _draw(top if curve == TEACHER else below, curve, finished)
    for axes in (top, below):
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    top.set(ylabel="teacher's accuracy, %")
    below.set(ylabel="student's accuracy, %", xlabel="gamma (of labels: alpha)")
    return figure if top.has_data() or below.has_data() else None


def _draw(axes: Axes, curve: str, points: Sequence[Point]) -> None:
    """Draws one curve; the points of the hard teacher are named by T."""
    colour, marker, dashes = _STYLES[curve]
    gammas = [statistics.fmean(p.gammas.values()) for p in points]
    accuracies = [ACCURACY.over(p.runs) for p in points]
    canvas.band(
        axes,
        zip(gammas, accuracies, strict=True),
        opacity=0.18,
        color=colour,
        marker=marker,
        linestyle=dashes,
        markersize=5.5,
        label=curve,
    )
    if curve != BY_TEMPERATURE:
        return
    for point, gamma in zip(points, gammas, strict=True):
        axes.annotate(
            f"{point.at:g}",
            (gamma, statistics.fmean(ACCURACY.of(point.runs).values())),
            xytext=(-7, -12),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=colour,
            zorder=5,  # readable on other curves
            path_effects=[patheffects.withStroke(linewidth=3, foreground="w")],
        )


@dataclass(frozen=True)
class _Accuracy:
    """An accuracy of each seed: of the points of a curve, taken together."""

    label: str
    curve: str
    takes: Callable[[float], bool] = lambda at: True
    together: Callable[[Sequence[float]], float] = statistics.fmean

    def of(self, curves: _Curves) -> dict[int, float]:
        """Seed -> accuracy, of the seeds that have such a point."""
        values: dict[int, list[float]] = defaultdict(list)
        for point in curves[self.curve]:
            if self.takes(point.at):
                for seed, accuracy in ACCURACY.of(point.runs).items():
                    values[seed].append(accuracy)
        return {seed: self.together(some) for seed, some in values.items()}


class _AtSameGamma(_Accuracy):
    """The student on labels where these are as smooth as smoothed teachers."""

    def of(self, curves: _Curves) -> dict[int, float]:
        """Seed -> accuracy, read off the seed's own curve."""
        smoothed = [p.gammas for p in curves[BY_SMOOTHED] if p.at > 0]
        alone: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for point in curves[self.curve]:
            for seed, accuracy in ACCURACY.of(point.runs).items():
                alone[seed].append((point.gammas[seed], accuracy))
        values = {}
        for seed, points in alone.items():
            gammas = [
                of_point[seed] for of_point in smoothed if seed in of_point
            ]
            if gammas and len(points) > 1:
                x, y = np.asarray(sorted(points)).T
                values[seed] = float(np.interp(gammas, x, y).mean())
        return values


def _is(place: float) -> Callable[[float], bool]:
    return lambda at: at == place


def _above(place: float) -> Callable[[float], bool]:
    return lambda at: at > place


_ON_HARD_LABELS = _Accuracy("on hard labels", STUDENT, _is(0))
_SMOOTHED = _Accuracy("mean over smoothed teachers", BY_SMOOTHED, _above(0))

# Claim, what is lower, what is higher.
_CLAIMS = (
    (
        "a smoothed teacher is more accurate than the hard one",
        _Accuracy("alpha = 0", TEACHER, _is(0)),
        _Accuracy("alpha = 0.6", TEACHER, _is(0.6)),
    ),
    (
        "smoothing hurts the student on labels",
        _Accuracy("mean over alpha > 0", STUDENT, _above(0)),
        _Accuracy("alpha = 0", STUDENT, _is(0)),
    ),
    (
        "distillation from the hard teacher beats the student's baseline at "
        "every T",
        _ON_HARD_LABELS,
        _Accuracy("worst T", BY_TEMPERATURE, together=min),
    ),
    (
        "distillation from the hard teacher beats it on average over T",
        _ON_HARD_LABELS,
        _Accuracy("mean over T", BY_TEMPERATURE),
    ),
    (
        "a smoothed teacher is no better than smoothing the student directly",
        _SMOOTHED,
        _AtSameGamma("on labels, same gamma", STUDENT),
    ),
    (
        "the hard teacher at T > 1 teaches better than smoothed ones",
        _SMOOTHED,
        _Accuracy("mean over T > 1", BY_TEMPERATURE, _above(1)),
    ),
)
_CLAIMS_CAPTION = (
    "Claims of Müller et al. 2019, section 4 and figure 5. “Lower” and "
    "“higher” are the accuracies, %, that the claim names so, means over the "
    "seeds; “seeds for it” counts the single seeds that agree. A mean is over "
    "the points that have a run. “Same gamma”: the curve of the student on "
    "labels, read at the gammas of the smoothed teachers, straight lines "
    "between its points and level beyond the last. No difference counts as too "
    "small."
)


def _claims(
    setting: Setting, curves: _Curves
) -> Iterable[Claim[tuple[str, str]]]:
    for text, lower, higher in _CLAIMS:
        or_equal = isinstance(higher, _AtSameGamma)  # "no better"
        sign = "≤" if or_equal else "<"
        yield Claim(
            (setting.name, f"{lower.label} {sign} {higher.label}"),
            lower.of(curves),
            higher.of(curves),
            text,
            agrees=operator.le if or_equal else tables.is_less,
        )


def _points_table(caption: str, curves: Iterable[_Curves]) -> Table:
    """One row for each point, with or without a run."""
    return declared.table(
        "curves",
        caption,
        [p for of_setting in curves for c in CURVES for p in of_setting[c]],
        ("setting", lambda p: p.setting, ""),
        ("curve", lambda p: p.curve, ""),
        ("alpha", lambda p: p.alpha, "g"),
        ("T", lambda p: p.temperature, "g"),
        ("gamma", lambda p: p.gamma, ".4f"),
        ("accuracy %, mean", lambda p: or_no_run(p.accuracy), ".2f"),
        ("lowest", lambda p: ACCURACY.low(p.runs), ".2f"),
        ("highest", lambda p: ACCURACY.high(p.runs), ".2f"),
        ("seeds", lambda p: len(p.runs), ""),
    )


def blocks(
    records: Records, settings: Mapping[Setting, str], caption: str
) -> Iterable[Block]:
    """Gives what a page of such curves has below its first paragraph.

    Args:
        records: of the report.
        settings: each with the caption of its picture.
        caption: of the table of all points.

    Yields:
        Block: the claims as a list, a picture of each setting that has a run,
        the claims and the points as tables.

    Source: Mueller et al. 2019, figure 5.
    """
    curves = {setting: _curves(records, setting) for setting in settings}
    claims = [c for s, of_s in curves.items() for c in _claims(s, of_s)]
    yield declared.findings(
        *declared.sentences(
            claims,
            "{of[0]}: {text}: {holds} ({low:.2f} and {high:.2f} %, {count}).",
        )
    )
    for setting, words in settings.items():
        figure = _figure(curves[setting])
        if figure:
            yield Picture(figure, setting.file, words)
    yield declared.table(
        "claims",
        _CLAIMS_CAPTION,
        claims,
        ("setting", lambda c: c.of[0], ""),
        ("claim", lambda c: c.text, ""),
        ("compared", lambda c: c.of[1], ""),
        ("lower", lambda c: c.low, ".2f"),
        ("higher", lambda c: c.high, ".2f"),
        ("difference", lambda c: c.rise, "+.2f"),
        ("holds", lambda c: c.holds, ""),
        *declared.SEEDS,
    )
    yield _points_table(caption, curves.values())
