"""The four curves of figure 5: teachers, students, and what taught them."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.figure import Figure

from ls_tf.pages import canvas, tables
from ls_tf.pages.blocks import NO_RUN, Need
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

# seed -> value
_Values = dict[int, float]


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
    """

    name: str
    alone: str
    student: str
    temperatures: tuple[float, ...]
    seeds: tuple[int, ...]
    headline: bool

    def points(self, curve: str) -> tuple[float, ...]:
        """The alphas of a curve, or its temperatures.

        The student of the hard teacher at T = 1 begins both of its curves.
        """
        return self.temperatures if curve == BY_TEMPERATURE else ALPHAS

    def run(self, curve: str, at: float) -> tuple[str, dict[str, Value]]:
        """Experiment and changes of one point."""
        if curve == TEACHER:
            return teacher(self.student, at)
        if curve == STUDENT:
            return self.alone, {"alpha": at}
        if curve == BY_TEMPERATURE:
            return self.student, {"teacher.teacher_temperature": at}
        return self.student, {"teacher.changes.alpha": at}


@dataclass(frozen=True)
class Point:
    """One point of a curve: its place in the sweep, and seed -> numbers."""

    at: float
    gamma: _Values
    accuracy: _Values


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
    found = record.scalars("smoothness", "train")
    return found.get("gamma", found["gamma_unaugmented"])


def found(
    records: Mapping[Need, Record], setting: Setting, curve: str, at: float
) -> dict[int, Record]:
    """Picks the records of one point: seed -> record."""
    if curve == BY_SMOOTHED and at == 0:
        curve, at = BY_TEMPERATURE, 1.0
    experiment, changes = setting.run(curve, at)
    return tables.by_seed(records, experiment, changes)


def points(
    records: Mapping[Need, Record], setting: Setting, curve: str
) -> list[Point]:
    """Reads the points of a curve that have a run.

    gamma of a network on labels is its alpha.
    """
    all_of = []
    for at in setting.points(curve):
        some = found(records, setting, curve, at)
        if not some:
            continue
        on_labels = curve in (TEACHER, STUDENT)
        gamma = {s: at if on_labels else smoothness(r) for s, r in some.items()}
        all_of.append(Point(at, gamma, tables.percent(some)))
    return all_of


def table(
    records: Mapping[Need, Record], settings: Iterable[Setting]
) -> pd.DataFrame:
    """Gives one row for each point, with or without a run."""
    rows: list[tuple[Any, ...]] = []
    for setting in settings:
        for curve in CURVES:
            there = {p.at: p for p in points(records, setting, curve)}
            for at in setting.points(curve):
                point = there.get(at)
                is_t = curve == BY_TEMPERATURE
                alpha, temperature = (0.0, at) if is_t else (at, None)
                if curve == BY_SMOOTHED:
                    temperature = 1.0
                name = (setting.name, curve, alpha, temperature)
                over = tables.spread(point.accuracy.values()) if point else None
                if point is None or over is None:
                    rows.append((*name, None, NO_RUN, None, None, 0))
                    continue
                gamma = statistics.fmean(point.gamma.values())
                rows.append(
                    (*name, gamma, over.mean, over.low, over.high, over.count)
                )
    columns = (
        "setting", "curve", "alpha", "T", "gamma", "accuracy %, mean",
        "lowest", "highest", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


FORMATS = {
    "alpha": "g",
    "T": "g",
    "gamma": ".4f",
    "accuracy %, mean": ".2f",
    "lowest": ".2f",
    "highest": ".2f",
}


def figure(records: Mapping[Need, Record], setting: Setting) -> Figure | None:
    """Draws accuracy against gamma; None if there is no run."""
    drawn = Figure(figsize=(8, 6.4), layout="constrained")
    top, below = drawn.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 2]}
    )
    is_empty = True
    for curve in CURVES:
        some = points(records, setting, curve)
        axes = top if curve == TEACHER else below
        if some:
            is_empty = False
            _curve(axes, curve, some)
    if is_empty:
        return None
    for axes in (top, below):
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    top.set_ylabel("teacher's accuracy, %")
    below.set_ylabel("student's accuracy, %")
    below.set_xlabel("gamma (of labels: alpha)")
    return drawn


def _curve(axes: Any, curve: str, some: list[Point]) -> None:
    """A line through the means, a band from the lowest to the highest seed."""
    colour, marker, dashes = _STYLES[curve]
    x = [statistics.fmean(p.gamma.values()) for p in some]
    spreads = [tables.spread(p.accuracy.values()) for p in some]
    mean, low, high = (
        [getattr(s, name) for s in spreads] for name in ("mean", "low", "high")
    )
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        x,
        mean,
        color=colour,
        marker=marker,
        linestyle=dashes,
        markersize=5.5,
        label=curve,
    )
    if curve == BY_TEMPERATURE:
        for place, height, point in zip(x, mean, some, strict=True):
            axes.annotate(
                f"{point.at:g}",
                (place, height),
                xytext=(-7, -12),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=colour,
                zorder=5,  # readable on other curves
                path_effects=[
                    patheffects.withStroke(linewidth=3, foreground="w")
                ],
            )


@dataclass(frozen=True)
class _Claim:
    """Two numbers of one seed, the first claimed to be the lower."""

    text: str
    lower: str
    higher: str
    numbers: Callable[["_Seed"], tuple[float, float] | None]
    or_equal: bool = False


class _Seed:
    """One seed's points: curve -> place -> (gamma, accuracy)."""

    def __init__(self, curves: Mapping[str, list[Point]], seed: int) -> None:
        self._of = {
            name: {
                p.at: (p.gamma[seed], p.accuracy[seed])
                for p in some
                if seed in p.accuracy
            }
            for name, some in curves.items()
        }

    def at(self, curve: str, place: float) -> float | None:
        """An accuracy, if there is its run."""
        pair = self._of[curve].get(place)
        return None if pair is None else pair[1]

    def beyond(self, curve: str, place: float) -> list[float]:
        """The accuracies at all places above one."""
        return [a for at, (_, a) in self._of[curve].items() if at > place]

    def all(self, curve: str) -> list[tuple[float, float]]:
        """(gamma, accuracy), in the order of the sweep."""
        return list(self._of[curve].values())


def _teachers(seed: _Seed) -> tuple[float, float] | None:
    hard, smoothed = seed.at(TEACHER, 0.0), seed.at(TEACHER, 0.6)
    return None if hard is None or smoothed is None else (hard, smoothed)


def _labels(seed: _Seed) -> tuple[float, float] | None:
    hard, smoothed = seed.at(STUDENT, 0.0), seed.beyond(STUDENT, 0.0)
    if hard is None or not smoothed:
        return None
    return statistics.fmean(smoothed), hard


def _everywhere(seed: _Seed) -> tuple[float, float] | None:
    hard, taught = seed.at(STUDENT, 0.0), seed.all(BY_TEMPERATURE)
    if hard is None or not taught:
        return None
    return hard, min(accuracy for _, accuracy in taught)


def _on_average(seed: _Seed) -> tuple[float, float] | None:
    hard, taught = seed.at(STUDENT, 0.0), seed.all(BY_TEMPERATURE)
    if hard is None or not taught:
        return None
    return hard, statistics.fmean(accuracy for _, accuracy in taught)


def _directly(seed: _Seed) -> tuple[float, float] | None:
    """Students of smoothed teachers, and on labels as smooth as these."""
    taught = seed.all(BY_SMOOTHED)[1:]
    alone = sorted(seed.all(STUDENT))
    if not taught or len(alone) < 2:
        return None
    x, y = np.asarray(alone).T
    gammas, accuracies = np.asarray(taught).T
    return float(accuracies.mean()), float(np.interp(gammas, x, y).mean())


def _against_hard(seed: _Seed) -> tuple[float, float] | None:
    smoothed = seed.beyond(BY_SMOOTHED, 0.0)
    tempered = seed.beyond(BY_TEMPERATURE, 1.0)
    if not smoothed or not tempered:
        return None
    return statistics.fmean(smoothed), statistics.fmean(tempered)


_CLAIMS = (
    _Claim(
        "a smoothed teacher is more accurate than the hard one",
        "alpha = 0",
        "alpha = 0.6",
        _teachers,
    ),
    _Claim(
        "smoothing hurts the student on labels",
        "mean over alpha > 0",
        "alpha = 0",
        _labels,
    ),
    _Claim(
        "distillation from the hard teacher beats the student's baseline at "
        "every T",
        "on hard labels",
        "worst T",
        _everywhere,
    ),
    _Claim(
        "distillation from the hard teacher beats it on average over T",
        "on hard labels",
        "mean over T",
        _on_average,
    ),
    _Claim(
        "a smoothed teacher is no better than smoothing the student directly",
        "mean over smoothed teachers",
        "on labels, same gamma",
        _directly,
        or_equal=True,
    ),
    _Claim(
        "the hard teacher at T > 1 teaches better than smoothed ones",
        "mean over smoothed teachers",
        "mean over T > 1",
        _against_hard,
    ),
)

CLAIMS_CAPTION = (
    "Claims of Müller et al. 2019, section 4 and figure 5. “Lower” and "
    "“higher” are the accuracies, %, that the claim names so, means over the "
    "seeds; “seeds for it” counts the single seeds that agree. A mean is over "
    "the points that have a run. “Same gamma”: the curve of the student on "
    "labels, read at the gammas of the smoothed teachers, straight lines "
    "between its points and level beyond the last. No difference counts as too "
    "small."
)
CLAIM_FORMATS = {
    "lower": ".2f",
    "higher": ".2f",
    "difference": "+.2f",
}


def _less_or_equal(left: float, right: float) -> bool:
    return left <= right


def claims(
    records: Mapping[Need, Record], settings: Iterable[Setting]
) -> pd.DataFrame:
    """Gives each claim as yes or no with its numbers."""
    rows: list[tuple[Any, ...]] = []
    for setting in settings:
        curves = {c: points(records, setting, c) for c in CURVES}
        for claim in _CLAIMS:
            lower: _Values = {}
            higher: _Values = {}
            for seed in setting.seeds:
                pair = claim.numbers(_Seed(curves, seed))
                if pair is not None:
                    lower[seed], higher[seed] = pair
            compared = tables.less_over_seeds(
                lower,
                higher,
                _less_or_equal if claim.or_equal else tables.is_less,
            )
            sign = "≤" if claim.or_equal else "<"
            numbers: tuple[Any, ...] = (None,) * 3
            if compared.seeds:
                left, right = compared.left, compared.right
                numbers = (left, right, right - left)
            rows.append(
                (
                    setting.name,
                    claim.text,
                    f"{claim.lower} {sign} {claim.higher}",
                    *numbers,
                    tables.verdict(compared),
                    compared.seeds_for,
                    compared.seeds,
                )
            )
    columns = (
        "setting", "claim", "compared", "lower", "higher", "difference",
        "holds", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def sentences(data: pd.DataFrame) -> tuple[str, ...]:
    """The claims that can be judged, each as one line."""
    return tuple(
        f"{setting}: {claim}: {holds} ({tables.cell(low, '.2f')} and "
        f"{tables.cell(high, '.2f')} %, {count} of {seeds} seeds)."
        for setting, claim, _, low, high, _, holds, count, seeds in (
            data.itertuples(index=False, name=None)
        )
        if seeds
    )
