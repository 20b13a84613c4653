"""The four curves of figure 5: teachers, students, and what taught them."""

import operator
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, tables
from ls_tf.pages.blocks import Block, Need, Picture
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs, or_no_run
from ls_tf.spec import Value, registry

ALPHAS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)

TEACHER = "teacher"
STUDENT = "student on labels"
BY_TEMPERATURE = "student of the hard teacher at T"
BY_SMOOTHED = "student of a smoothed teacher"
# Colour, marker, dashes.
_STYLES = {
    TEACHER: (canvas.INK, "s", "--"),
    STUDENT: (canvas.BLUE, "o", "--"),
    BY_TEMPERATURE: (canvas.VERMILION, "^", "-"),
    BY_SMOOTHED: (canvas.GREEN, "D", "-"),
}
CURVES = tuple(_STYLES)


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
        headline: the seeds that ``--run_missing`` trains.
        file: of the picture.
        by_interval: see ``declared.Claim``.
    """

    name: str
    alone: str
    student: str
    temperatures: tuple[float, ...]
    seeds: tuple[int, ...]
    headline: tuple[int, ...]
    file: str = "curves"
    by_interval: bool = False

    def points(self, curve: str) -> tuple[float, ...]:
        """The alphas of a curve, or its temperatures."""
        return self.temperatures if curve == BY_TEMPERATURE else ALPHAS

    def run(self, curve: str, at: float) -> tuple[str, dict[str, Value]]:
        """Experiment and changes of one point."""
        if curve == TEACHER:
            return teacher(self.student, at)
        if curve == STUDENT:
            return self.alone, {"alpha": at}
        if curve == BY_SMOOTHED and at > 0:
            return self.student, {"teacher.changes.alpha": at}
        # The student of the hard teacher at T = 1 begins both of its curves.
        return self.student, {"teacher.teacher_temperature": at or 1.0}


def needs(setting: Setting) -> Iterable[Need]:
    """Lists the runs of a setting once: seed by seed, teachers first."""
    return dict.fromkeys(
        Need(
            *setting.run(curve, at),
            seed,
            optional=seed not in setting.headline,
            row=f"{setting.name}, {curve}, {symbol} = {at:g}",
        )
        for seed in setting.seeds
        for curve in CURVES
        for symbol in ["T" if curve == BY_TEMPERATURE else "alpha"]
        for at in setting.points(curve)
    )


def gammas(students: Runs) -> dict[int, float]:
    """The gamma of their teachers: exact, or on unaugmented images."""
    scalars = {s: r.scalars("smoothness", "train") for s, r in students.items()}
    return {
        seed: of_seed.get("gamma", of_seed["gamma_unaugmented"])
        for seed, of_seed in scalars.items()
    }


@dataclass(frozen=True)
class _Point:
    """One point of a curve: its place in the sweep, and its runs."""

    setting: str
    curve: str
    at: float
    runs: Runs

    @property
    def temperature(self) -> float | None:
        """What divides the teacher's logits; None for labels."""
        if self.curve == BY_TEMPERATURE:
            return self.at
        return 1.0 if self.curve == BY_SMOOTHED else None

    @property
    def gammas(self) -> dict[int, float]:
        """Seed -> gamma; that of a network on labels is its alpha."""
        if self.temperature is None:
            return dict.fromkeys(self.runs, self.at)
        return gammas(self.runs)


_Points = Sequence[_Point]


def _points(records: Records, setting: Setting, curve: str) -> _Points:
    """Those of a curve, with or without a run."""
    return [
        _Point(setting.name, curve, at, tables.by_seed(records, *run))
        for at in setting.points(curve)
        for run in [setting.run(curve, at)]
    ]


def _figure(curves: Mapping[str, _Points]) -> Figure | None:
    """Draws accuracy against gamma; None if there is no run."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2])
    for curve, points in curves.items():
        _draw(top if curve == TEACHER else below, curve, points)
    for axes in (top, below):
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    top.set(ylabel="teacher's accuracy, %")
    below.set(ylabel="student's accuracy, %", xlabel="gamma (of labels: alpha)")
    return figure if top.has_data() or below.has_data() else None


def _draw(axes: Axes, curve: str, points: _Points) -> None:
    """Draws one curve; the points of the hard teacher are named by T."""
    colour, marker, dashes = _STYLES[curve]
    places = {
        p.at: (statistics.fmean(p.gammas.values()), ACCURACY.over(p.runs))
        for p in points
        if p.runs
    }
    canvas.band(
        axes,
        places.values(),
        opacity=0.18,
        color=colour,
        marker=marker,
        linestyle=dashes,
        markersize=5.5,
        label=curve,
    )
    for at, (gamma, accuracy) in places.items():
        if curve != BY_TEMPERATURE or accuracy is None:
            continue
        axes.annotate(
            f"{at:g}",
            (gamma, accuracy.mean),
            xytext=(-7, -12),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=colour,
            zorder=5,  # readable on other curves
            path_effects=[patheffects.withStroke(linewidth=3, foreground="w")],
        )


def _accuracy(
    points: _Points, together: declared.Together = statistics.fmean
) -> declared.Values:
    """Seed -> accuracy, of some points taken together."""
    return declared.pooled((ACCURACY.of(p.runs) for p in points), together)


def _at_same_gamma(labels: _Points, smoothed: _Points) -> declared.Values:
    """Seed -> its curve on labels, read at its smoothed teachers' gammas.

    Of the seeds that all points with a run have, as ``declared.pooled``.
    """
    alone, sought = ([p for p in of if p.runs] for of in (labels, smoothed))
    if len(alone) < 2 or not sought:
        return {}
    values = {}
    for seed in declared.shared(p.runs for p in (*alone, *sought)):
        x = [p.at for p in alone]
        y = [ACCURACY.of(p.runs)[seed] for p in alone]
        gammas = [p.gammas[seed] for p in sought]
        values[seed] = float(np.interp(gammas, x, y).mean())
    return values


_CLAIMS_CAPTION = (
    "Claims of Müller et al. 2019, section 4 and figure 5. “Lower” and "
    "“higher” are the accuracies, %, that the claim names so, means over the "
    "seeds; the verdict is theirs, and counts the single seeds. A mean is over "
    "the points that have a run, of the seeds that all of these have. “Same "
    "gamma”: the curve of the student on labels, read at the gammas of the "
    "smoothed teachers, straight lines between its points and level beyond the "
    "last. No difference counts as too small."
)


def _claims(
    setting: str,
    teachers: _Points,
    labels: _Points,
    hard: _Points,
    soft: _Points,
) -> Iterable[Claim[tuple[str, str]]]:
    """What is claimed of the four curves; 0 or T = 1 is the first of each."""
    on_hard_labels, smoothed = _accuracy(labels[:1]), _accuracy(soft[1:])
    yield Claim(
        (setting, "alpha = 0 < alpha = 0.6"),
        _accuracy(teachers[:1]),
        _accuracy([p for p in teachers if p.at == 0.6]),
        "a smoothed teacher is more accurate than the hard one",
    )
    yield Claim(
        (setting, "mean over alpha > 0 < alpha = 0"),
        _accuracy(labels[1:]),
        on_hard_labels,
        "smoothing hurts the student on labels",
    )
    yield Claim(
        (setting, "on hard labels < worst T"),
        on_hard_labels,
        _accuracy(hard, min),
        "distillation from the hard teacher beats the student's baseline at "
        "every T",
    )
    yield Claim(
        (setting, "on hard labels < mean over T"),
        on_hard_labels,
        _accuracy(hard),
        "distillation from the hard teacher beats it on average over T",
    )
    yield Claim(
        (setting, "mean over smoothed teachers ≤ on labels, same gamma"),
        smoothed,
        _at_same_gamma(labels, soft[1:]),
        "a smoothed teacher is no better than smoothing the student directly",
        agrees=operator.le,
    )
    yield Claim(
        (setting, "mean over smoothed teachers < mean over T > 1"),
        smoothed,
        _accuracy(hard[1:]),
        "the hard teacher at T > 1 teaches better than smoothed ones",
    )


def _noise(settings: Iterable[Setting]) -> Iterable[str]:
    """What is to be said of intervals, once."""
    return [declared.INTERVAL] if any(s.by_interval for s in settings) else []


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
    curves = {s: {c: _points(records, s, c) for c in CURVES} for s in settings}
    claims = [
        replace(c, by_interval=s.by_interval)
        for s, of_s in curves.items()
        for c in _claims(s.name, *of_s.values())
    ]
    sentence = "{of[0]}: {text}: " + declared.compared(".2f", " %")
    yield declared.findings((claims, sentence))
    for setting, words in settings.items():
        figure = _figure(curves[setting])
        if figure:
            yield Picture(figure, setting.file, words)
    yield declared.table(
        "claims",
        " ".join([_CLAIMS_CAPTION, *_noise(settings)]),
        claims,
        ("setting", lambda c: c.of[0], ""),
        ("claim", lambda c: c.text, ""),
        ("compared", lambda c: c.of[1], ""),
        ("lower", lambda c: c.low, ".2f"),
        ("higher", lambda c: c.high, ".2f"),
        ("difference", lambda c: c.rise, "+.2f"),
        declared.interval("+.2f"),
        declared.verdict(),
    )
    yield declared.table(
        "curves",
        caption,
        [
            p
            for of_s in curves.values()
            for points in of_s.values()
            for p in points
        ],
        ("setting", lambda p: p.setting, ""),
        ("curve", lambda p: p.curve, ""),
        ("alpha", lambda p: 0.0 if p.curve == BY_TEMPERATURE else p.at, "g"),
        ("T", lambda p: p.temperature, "g"),
        ("gamma", lambda p: tables.mean(p.gammas.values()), ".4f"),
        ("accuracy %, mean", lambda p: or_no_run(ACCURACY.mean(p.runs)), ".2f"),
        ("lowest", lambda p: ACCURACY.low(p.runs), ".2f"),
        ("highest", lambda p: ACCURACY.high(p.runs), ".2f"),
        ("seeds", lambda p: len(p.runs), ""),
    )
