"""Teachers of different quality, hard and smoothed, and one student of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from ls_tf.analysis import ranks
from ls_tf.pages import canvas, declared, networks, tables
from ls_tf.pages.blocks import Block, Need, Picture
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs, or_no_run
from ls_tf.spec import Value, registry

ALPHAS = (0.0, 0.1)
_STYLES = {0.0: (canvas.BLUE, "o"), 0.1: (canvas.VERMILION, "D")}


@dataclass(frozen=True, eq=False)
class Quality:
    """What sets a teacher apart from the one that the student names.

    Attributes:
        name: in words.
        changes: of its run, and of nothing else.
        experiment: its own; "" for the one that the student names.
        inferior: whether it is meant to be worse than its student can be.
    """

    name: str
    changes: Mapping[str, Value] = field(default_factory=dict)
    experiment: str = ""
    inferior: bool = False


@dataclass(frozen=True, eq=False)
class Setting:
    """One student and its teachers.

    Attributes:
        name: in tables.
        student: its experiment, which names a teacher.
        qualities: of the teachers.
        headline: the seeds that ``--run_missing`` trains.
        changes: of the students' and the teachers' runs alike.
    """

    name: str
    student: str
    qualities: Sequence[Quality]
    headline: Sequence[int]
    changes: Mapping[str, Value] = field(default_factory=dict)

    def teacher(
        self, quality: Quality, alpha: float
    ) -> tuple[str, dict[str, Value]]:
        """Experiment and changes of a teacher's run."""
        named = registry.get("ls_tf.experiments", self.student).SPEC.teacher
        changes = {**named.changes, **self.changes, **quality.changes}
        changes["alpha"] = alpha
        return quality.experiment or named.experiment, changes

    def taught(
        self, quality: Quality, alpha: float
    ) -> tuple[str, dict[str, Value]]:
        """Experiment and changes of its student's."""
        of_teacher = {**self.changes, **quality.changes, "alpha": alpha}
        named: dict[str, Value] = {
            f"teacher.changes.{k}": v for k, v in of_teacher.items()
        }
        if quality.experiment:
            named["teacher.experiment"] = quality.experiment
        return self.student, {**self.changes, **named}

    def rows(self, records: Records) -> list["Pair"]:
        """The teachers with their students, with or without runs."""
        return [
            Pair(
                self,
                quality,
                alpha,
                tables.by_seed(records, *self.teacher(quality, alpha)),
                tables.by_seed(records, *self.taught(quality, alpha)),
            )
            for quality in self.qualities
            for alpha in ALPHAS
        ]


def needs(settings: Iterable[Setting]) -> tuple[Need, ...]:
    """Lists the runs of some settings, teachers before their students."""
    return tuple(
        dict.fromkeys(
            Need(
                *run,
                seed,
                optional=seed not in setting.headline,
                row=f"{setting.name}, {word}{quality.name}, alpha = {alpha:g}",
            )
            for setting in settings
            for seed in networks.SEEDS
            for quality in setting.qualities
            for alpha in ALPHAS
            for word, run in (
                ("teacher: ", setting.teacher(quality, alpha)),
                ("student of: ", setting.taught(quality, alpha)),
            )
        )
    )


@dataclass(frozen=True)
class Pair:
    """A teacher and its student, at one alpha: their runs by seed."""

    setting: Setting
    quality: Quality
    alpha: float
    teachers: Runs
    students: Runs


def _paired(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Pair]]:
    """The hard and the smoothed one of each quality."""
    return zip(pairs[::2], pairs[1::2], strict=True)


def _order(pairs: Sequence[Pair]) -> dict[int, float]:
    """Seed -> rank correlation of teachers' and students' accuracies.

    Of the seeds that all teachers and students have, but for pairs without
    any: the order of other pairs is another.
    """
    sides = [
        of
        for p in pairs
        if p.teachers and p.students
        for of in (ACCURACY.of(p.teachers), ACCURACY.of(p.students))
    ]
    found = {}
    for seed in declared.shared(sides):
        both = [of[seed] for of in sides]
        order = ranks.correlation(both[::2], both[1::2])
        if order is not None:
            found[seed] = order
    return found


def _claims(pairs: Sequence[Pair]) -> Iterable[Claim[tuple[str, str, str]]]:
    """What is said of the teachers of a setting; "of" names both and a unit."""
    name = pairs[0].setting.name
    order = _order(pairs)
    yield Claim(
        (name, "all teachers", "rank correlation"),
        dict.fromkeys(order, 0.0),
        order,
        "the more accurate the teacher, the more accurate its student",
        "Shen et al.",
        by_interval=True,
    )
    for hard, smoothed in _paired(pairs):
        inferior = hard.quality.inferior
        yield Claim(
            (name, hard.quality.name, "%"),
            ACCURACY.of(hard.students),
            ACCURACY.of(smoothed.students),
            "the smoothed teacher's student is the more accurate one"
            + (" (of inferior teachers)" if inferior else ""),
            "Shen et al.",
            by_interval=True,
        )
        yield from _same_sign(name, hard, smoothed)


def _same_sign(
    name: str, hard: Pair, smoothed: Pair
) -> Iterable[Claim[tuple[str, str, str]]]:
    """Whether the better teacher of two has the better student.

    Which one that is, the means over the seeds say that both have.
    """
    teachers = [ACCURACY.of(p.teachers) for p in (hard, smoothed)]
    both = declared.shared(teachers)
    means = [tables.mean(of[seed] for seed in both) for of in teachers]
    if means[0] is None or means[1] is None or means[0] == means[1]:
        return
    worse, better, labels = hard, smoothed, "smoothed"
    if means[0] > means[1]:
        worse, better, labels = smoothed, hard, "hard"
    yield Claim(
        (name, hard.quality.name, "%"),
        ACCURACY.of(worse.students),
        ACCURACY.of(better.students),
        f"the better teacher of the two, that of {labels} labels, has the "
        "better student",
        "Shen et al.",
        by_interval=True,
    )


def _figure(settings: Mapping[Setting, Sequence[Pair]]) -> Figure:
    figure = Figure(figsize=(5.2 * len(settings), 4.2), layout="constrained")
    panels = figure.subplots(1, len(settings), squeeze=False)[0]
    for axes, (setting, pairs) in zip(panels, settings.items(), strict=True):
        for alpha, (colour, marker) in _STYLES.items():
            places = [
                (x.mean, y, p.quality)
                for p in pairs
                if p.alpha == alpha
                and (x := ACCURACY.over(p.teachers)) is not None
                and (y := ACCURACY.over(p.students)) is not None
            ]
            for place, over, quality in places:
                axes.plot([place] * 2, [over.low, over.high], color=colour)
                face = "none" if quality.inferior else colour
                axes.plot(
                    *(place, over.mean, marker),
                    color=colour,
                    markerfacecolor=face,
                )
            if places:
                axes.plot(
                    *([], [], marker),
                    color=colour,
                    label=f"teacher with alpha = {alpha:g}",
                )
        axes.set_title(setting.name, fontsize=10)
        axes.set_xlabel("teacher's accuracy, %")
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("student's accuracy, %")
    return figure


def blocks(
    records: Records, settings: Sequence[Setting], caption: str
) -> Iterable[Block]:
    """Gives what a page of teachers has below its first paragraph.

    Args:
        records: of the report.
        settings: what is compared, each by itself.
        caption: of the picture and the table of teachers.

    Yields:
        Block: claims as a list, a picture, teachers, claims as a table.

    Source: Shen et al. 2021, tables 2, 6 and 8.
    """
    rows = {setting: setting.rows(records) for setting in settings}
    claims = [claim for pairs in rows.values() for claim in _claims(pairs)]
    sentence = "{of[0]}, {of[1]}: {text} ({whose}): " + declared.compared(
        "#.4g", " {of[2]}"
    )
    yield declared.findings((claims, sentence))
    shown = {s: p for s, p in rows.items() if any(q.students for q in p)}
    if shown:
        yield Picture(
            _figure(shown),
            "teachers",
            "Students over their teachers, means over seeds, lines from the "
            "lowest to the highest student; inferior teachers are hollow. "
            f"{caption}",
        )
    yield declared.table(
        "teachers",
        "Accuracy of teachers and of their students on images that are not "
        f"trained on, means over the seeds. {caption}",
        [pair for pairs in rows.values() for pair in pairs],
        ("setting", lambda p: p.setting.name, ""),
        ("teacher", lambda p: p.quality.name, ""),
        ("alpha", lambda p: p.alpha, "g"),
        ("teacher, %", lambda p: or_no_run(ACCURACY.mean(p.teachers)), ".2f"),
        ("student, %", lambda p: or_no_run(ACCURACY.mean(p.students)), ".2f"),
        ("lowest", lambda p: ACCURACY.low(p.students), ".2f"),
        ("highest", lambda p: ACCURACY.high(p.students), ".2f"),
        ("seeds", lambda p: len(p.students), ""),
    )
    yield declared.table(
        "claims",
        f"Claims of Shen et al. 2021. {declared.INTERVAL}",
        claims,
        ("setting", lambda c: c.of[0], ""),
        ("teacher", lambda c: c.of[1], ""),
        ("claim", lambda c: c.text, ""),
        ("unit", lambda c: c.of[2], ""),
        *declared.judged("#.4g", by_interval=True),
    )
