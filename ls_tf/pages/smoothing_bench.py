"""The page that compares smoothing methods: answer, tables and pictures."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, projection, tables
from ls_tf.pages.blocks import NO_RUN, Block, Picture, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import Claim, Number, Records, or_no_run
from ls_tf.pages.smoothing_methods import (
    HARD,
    MAX_SUPPRESSION,
    METHODS,
    SMOOTHED,
    Bench,
    Chosen,
    Measure,
    Method,
)
from ls_tf.records.arrays import Form

ACCURACY = Measure(
    "accuracy, %", Number("classification", "accuracy", "%"), ".2f", lower=False
)
ECE = Measure("ECE", Number("calibration_intervals", "ece"), ".4f")
AURC = Measure("AURC", Number("selective", "aurc"), ".5f")
NORMALISED = Measure(
    "AURC, normalised logits", Number("selective", "aurc_normalised"), ".5f"
)
SEPARATION = Measure(
    "class separation",
    Number("neural_collapse", "class_separation", role="train"),
    ".3f",
    lower=False,
)
TRANSFER = Measure(
    "linear transfer, %",
    Number("linear_transfer", "accuracy", "%"),
    ".2f",
    lower=False,
)
STUDENT = Measure(
    "student, %",
    Number("classification", "accuracy", "%"),
    ".2f",
    lower=False,
    of_students=True,
)
_NC2 = Measure(
    "NC2", Number("neural_collapse", "nc2_means", role="train"), ".3f"
)
_COMMON = (
    ACCURACY,
    Measure("NLL", Number("classification", "nll"), ".4f"),
    Measure("NLL at T", Number("reliability", "nll_scaled"), ".4f"),
    ECE,
    Measure(
        "debiased ECE", Number("calibration_intervals", "debiased_ece"), ".4f"
    ),
    Measure(
        "equal-mass ECE",
        Number("calibration_intervals", "equal_mass_ece"),
        ".4f",
    ),
    Measure(
        "classwise ECE", Number("calibration_intervals", "classwise_ece"), ".4f"
    ),
    Measure("smooth ECE", Number("calibration_intervals", "smooth_ece"), ".4f"),
    Measure("ECE at T", Number("reliability", "ece_scaled"), ".4f"),
    AURC,
    NORMALISED,
    Measure("NC1", Number("neural_collapse", "nc1", role="train"), "#.3g"),
    _NC2,
    Measure("NC3", Number("neural_collapse", "nc3", role="train"), ".3f"),
    SEPARATION,
    TRANSFER,
)


def _foreign(name: str) -> Iterable[Measure]:
    for score in ("confidence", "energy"):
        number = Number("out_of_distribution", f"auroc_{score}_{name}")
        yield Measure(f"AUROC {name}, {score}", number, ".3f", lower=False)


def measures(foreign: Sequence[str], *, students: bool) -> list[Measure]:
    """What the methods are compared by.

    Args:
        foreign: the data sets whose images are to be told from the own.
        students: whether there are any.

    Returns:
        list: of measures.
    """
    others = [m for name in foreign for m in _foreign(name)]
    return [*_COMMON, *others, *([STUDENT] if students else [])]


def _marked(
    measure: Measure, method: Chosen, best: Sequence[Chosen]
) -> tables.AsPrinted | str:
    over = tables.spread(measure.of(method).values())
    if over is None:
        return NO_RUN
    text = tables.cell(over.mean, measure.form)
    if over.count != len(method.runs):  # a student may not be trained yet
        text += f" (n = {over.count})"
    if method is best[0]:
        text += " ★"
    elif method in best:
        text += " ≈"
    return tables.AsPrinted(text, over.mean)


def _words(methods: Sequence[Chosen], measure: Measure) -> str:
    """The best, its number, and who is within noise of it."""
    ranked = measure.ranked(methods)
    best, *like = measure.like_the_best(methods)
    number = f"{measure.heading} {tables.cell(ranked[0][1], measure.form)}"
    if len(ranked) == 1:
        return f"{best.label} ({number}), the only one that has runs"
    if max(len(measure.of(m)) for m, _ in ranked) < 2:
        return f"{best.label} ({number}), of one seed: nothing is said of noise"
    if not like:
        return f"{best.label} ({number}), all others are worse beyond noise"
    names = "; ".join(m.label for m in like)
    return f"{best.label} ({number}); within noise of it: {names}"


def answer(methods: Sequence[Chosen], wanted: Sequence[Measure]) -> Text:
    """Says what to use for what.

    Args:
        methods: that have runs.
        wanted: what there is to say something of.

    Returns:
        Text: from the numbers alone.
    """
    uses = {
        "For accuracy": ACCURACY,
        "For calibration, as trained": ECE,
        "For calibration, with a fitted temperature": next(
            m for m in _COMMON if m.heading == "ECE at T"
        ),
        "For answering only when sure": AURC,
        "For the same, by normalised logits": NORMALISED,
        "As a teacher": STUDENT,
    }
    lines = tuple(
        f"{use}: {_words(methods, measure)}."
        for use, measure in uses.items()
        if measure in wanted and measure.ranked(methods)
    )
    body = "" if lines else "There are no runs: nothing can be said."
    return Text(body, "What to use", lines)


def _of(methods: Iterable[Chosen], method: Method) -> Chosen | None:
    return next((m for m in methods if m.method is method), None)


def claims(methods: Sequence[Chosen]) -> list[Claim[str]]:
    """What papers say of smoothing, by our numbers."""
    hard, smoothed = _of(methods, HARD), _of(methods, SMOOTHED)
    other = _of(methods, MAX_SUPPRESSION)
    found = []
    for text, whose, measure, low, high in (
        (
            "smoothing worsens selective prediction",
            "Xia et al. 2025",
            AURC,
            hard,
            smoothed,
        ),
        ("smoothing lowers the ECE", "Müller et al. 2019", ECE, smoothed, hard),
        (
            "smoothing brings class means nearer to a simplex",
            "Guo et al. 2024",
            _NC2,
            smoothed,
            hard,
        ),
        (
            "smoothing separates classes more",
            "Kornblith et al. 2021",
            SEPARATION,
            hard,
            smoothed,
        ),
        (
            "smoothing makes for worse linear transfer",
            "Kornblith et al. 2021",
            TRANSFER,
            smoothed,
            hard,
        ),
        (
            "MaxSup is more accurate than smoothing",
            "Zhou et al. 2025",
            ACCURACY,
            smoothed,
            other,
        ),
        (
            "a smoothed teacher teaches worse",
            "Müller et al. 2019",
            STUDENT,
            smoothed,
            hard,
        ),
    ):
        if low is not None and high is not None:
            pair = measure.of(low), measure.of(high)
            found.append(
                Claim(measure.heading, *pair, text, whose, by_interval=True)
            )
    if smoothed is not None:
        pair = NORMALISED.of(smoothed), AURC.of(smoothed)
        text = "normalised logits repair selective prediction after smoothing"
        whose = "Xia et al. 2025"
        found.append(Claim(AURC.heading, *pair, text, whose, by_interval=True))
    return found


_COLOURS = (
    canvas.INK,
    canvas.VERMILION,
    canvas.BLUE,
    canvas.ORANGE,
    canvas.GREEN,
    canvas.SKY,
    "#CC79A7",
    canvas.GREY,
    "#A6761D",
)
_MARKERS = "oD^vs<>Ph"


def _styles(methods: Iterable[Chosen]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method, the same on every page."""
    every = dict(
        zip(METHODS, zip(_COLOURS, _MARKERS, strict=False), strict=False)
    )
    return {m.label: every[m.method] for m in methods}


def _accuracy_and_error(methods: Sequence[Chosen]) -> Figure:
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for m, (colour, marker) in zip(
        methods, _styles(methods).values(), strict=True
    ):
        x, y = (
            tables.spread(measure.of(m).values()) for measure in (ECE, ACCURACY)
        )
        if x is None or y is None:
            continue
        look: canvas.Style = {"color": colour, "linewidth": 1}
        axes.plot([x.low, x.high], [y.mean] * 2, **look)
        axes.plot([x.mean] * 2, [y.low, y.high], **look)
        axes.plot(x.mean, y.mean, marker, color=colour, label=m.label)
    axes.set(xlabel="ECE, as trained", ylabel="test accuracy, %")
    canvas.plain(axes)
    canvas.legend_below(figure, 2)
    return figure


def _risk(methods: Sequence[Chosen]) -> Figure:
    """Risk over coverage, the mean of the seeds, by both scores."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    first = 1.0  # the coverage of the first error; before it there is nothing
    for axes, (name, title) in zip(
        figure.subplots(1, 2, sharey=True),
        (
            ("risk", "by the largest probability"),
            ("risk_normalised", "by normalised logits"),
        ),
        strict=True,
    ):
        forms = {"coverage": Form("points"), name: Form("points")}
        for m, (colour, _) in zip(
            methods, _styles(methods).values(), strict=True
        ):
            arrays = [
                r.arrays("selective", "report", forms) for r in m.runs.values()
            ]
            coverage = arrays[0]["coverage"]
            risk = 100 * np.mean([a[name] for a in arrays], axis=0)
            first = min([first, *coverage[risk > 0]])
            label = m.label if name == "risk" else None
            axes.plot(coverage, risk, color=colour, label=label)
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="coverage")
        canvas.plain(axes)
    figure.axes[0].set_ylabel("errors among those answered, %")
    for axes in figure.axes:
        axes.set_xlim(max(0.0, first - 0.05), 1.0)
    canvas.legend_below(figure, 2)
    return figure


def _pictures(methods: Sequence[Chosen], data: str) -> Iterable[Block]:
    yield Picture(
        _accuracy_and_error(methods),
        "accuracy_and_ece",
        f"{data}: accuracy against calibration error; the best is in the upper "
        "left corner. Means, lines from the lowest to the highest seed.",
    )
    yield Picture(
        _risk(methods),
        "risk_coverage",
        f"{data}: errors among the examples of which a network is surest; "
        "means over the seeds.",
    )
    panels = [
        Panel(
            m.label,
            m.runs[min(m.runs)].arrays(
                "penultimate", "report", projection.forms()
            ),
        )
        for m in methods
    ]
    yield Picture(
        projection.projection_figure(
            panels, {"train": "training images", "report": "test images"}
        ),
        "projections",
        f"{data}: the penultimate layer on the plane of three templates, of "
        "one seed; the first two classes are alike. Crosses are templates.",
    )


def build(
    records: Records, bench: Bench, data: str, foreign: Sequence[str], note: str
) -> Iterable[Block]:
    """Builds the page from whatever records there are.

    Args:
        records: of the report.
        bench: what is compared.
        data: the data set, in words.
        foreign: the other data sets, see ``measures``.
        note: what else is to be said of the networks.

    Yields:
        Block: the answer first.
    """
    methods = bench.chosen(records)
    wanted = measures(foreign, students=bool(bench.student))
    yield answer(methods, wanted)
    yield Text(
        f"{note} Of each method one number is chosen from those tried: that "
        "whose networks have the lowest mean NLL on held-out training images, "
        "over the seeds that all its values have. Smoothing over the other "
        "classes alone is smoothing with another alpha; by the classes' "
        "frequencies it differs on long tails (report long_tail) and hardly "
        "where classes are as frequent; a target below 1/K, negative "
        "smoothing, is for wrong labels (reports g_fig5 to g_fig11): these "
        "have no rows. ★ marks the best mean of a column; ≈ what is not "
        "known to differ from it: the 95 % interval (Student's) of the "
        "difference over the seeds that both have holds 0, or they have one."
    )
    best = {m.heading: m.like_the_best(methods) for m in wanted}

    def marked(method: Chosen, measure: Measure) -> tables.AsPrinted | str:
        return _marked(measure, method, best[measure.heading])

    yield declared.table(
        "methods",
        f"{data}, test images; collapse on the training images. Means over "
        "the seeds; n: of how many, where it is not all. “At T”: with the "
        "temperature fitted on the held-out images. AURC: mean share of "
        "errors over all coverages.",
        methods,
        ("method", lambda m: m.label, ""),
        *declared.each(
            wanted,
            lambda measure: measure.heading,
            marked,
            "",
        ),
        ("seeds", lambda m: len(m.runs), ""),
    )
    if methods:
        yield from _pictures(methods, data)
    yield from _details(methods, wanted)


def _details(
    methods: Sequence[Chosen], wanted: Sequence[Measure]
) -> Iterable[Block]:
    found = claims(methods)
    sentence = "{text} ({whose}): {of}: " + declared.compared("#.4g")
    yield declared.findings((found, sentence))
    yield declared.table(
        "numbers",
        "The same numbers with the range of the seeds.",
        [
            (m, measure, tables.spread(measure.of(m).values()))
            for m in methods
            for measure in wanted
        ],
        ("method", lambda row: row[0].label, ""),
        ("measure", lambda row: row[1].heading, ""),
        ("mean", lambda row: or_no_run(row[2] and row[2].mean), ".5g"),
        ("lowest", lambda row: row[2] and row[2].low, ".5g"),
        ("highest", lambda row: row[2] and row[2].high, ".5g"),
        ("seeds", lambda row: row[2].count if row[2] else 0, ""),
    )
    yield declared.table(
        "choice",
        "NLL on the held-out training images, means over the seeds that all "
        "values of a method have, by which its number is chosen.",
        [(m, value) for m in methods for value in m.nll],
        ("method", lambda row: row[0].method.label(row[1]), ""),
        ("NLL", lambda row: row[0].nll[row[1]], ".5f"),
        ("chosen", lambda row: tables.yes_no(row[1] == row[0].value), ""),
    )
