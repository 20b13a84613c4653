"""How much of the training example is left in the logits, over the training.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of the short teacher, alpha 0 and 0.1. The page
asks scikit-learn for an independent estimate: two seconds to a record with
``OMP_NUM_THREADS=1``, up to minutes without it, since it makes threads for
each of 600 small searches.

Source: Mueller et al. 2019, section 4 and figure 6.
Run: OMP_NUM_THREADS=1 python run_experiment.py --report=fig6_mutual_information
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure

from ls_tf.analysis import mutual_information
from ls_tf.pages import canvas, cifar, declared, networks
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.canvas import Style
from ls_tf.pages.declared import Claim, Number, Records, Runs, Values
from ls_tf.pages.networks import AtAlpha
from ls_tf.records.arrays import Form
from ls_tf.records.runs import Record

TITLE = "Information about the example in the logits of a teacher"
PARTIAL = True

_FULL = networks.Network("CIFAR-10 ResNet-56", "resnet56_cifar10_teacher")
_SHORT = networks.Network("CIFAR-10 ResNet-20", "resnet20_cifar10_short")
_NETWORKS = {
    _FULL: "curves",
    cifar.RESNET_10_BFLOAT16: "curves_bfloat16",
    _SHORT: "curves_short",
}
_ALPHAS = (0.0, 0.1)
_STYLES = {0.0: (canvas.BLUE, "o"), 0.1: (canvas.VERMILION, "D")}

REQUIRES = tuple(
    need
    for network in _NETWORKS
    for seed in networks.SEEDS
    for need in networks.needs(
        network, _ALPHAS, (seed,), _ALPHAS if network is _SHORT else ()
    )
)

_NAME = "mutual_information"
_EXACT = "mutual_information_exact"
_SAMPLES = {"samples": Form("examples views")}


def _curve(record: Record, evaluator: str = _NAME) -> np.ndarray:
    """Reads [3, P]: step, nats, and nats less their bias, NaN without any."""
    names = ("information", "information_less_bias")
    points = {
        int(row["step"]): [row.get(f"train/{evaluator}/{n}") for n in names]
        for row in record.metrics()
        if f"train/{evaluator}/information" in row
    }
    # The measurement at the end is the last point.
    end = record.measurement(evaluator, "train")
    points[int(end["step"])] = [end["scalars"].get(n) for n in names]
    return np.array(
        [[step, *points[step]] for step in sorted(points)], np.float64
    ).T


def _single_runs(records: Records) -> Iterable[AtAlpha]:
    """Each run alone; an empty row for a network and alpha without any."""
    for row in networks.over_alpha(records, _NETWORKS, _ALPHAS):
        for seed, record in row.runs.items():
            yield AtAlpha(row.network, row.alpha, {seed: record})
        if not row.runs:
            yield row


def _neighbours(run: AtAlpha) -> float | None:
    """scikit-learn's estimate; None if views do not suffice or are equal."""
    if not run.runs:
        return None
    (record,) = run.runs.values()
    samples = record.arrays(_NAME, "train", _SAMPLES)["samples"]
    try:
        return mutual_information.neighbour_estimate(samples)
    except ValueError:
        return None


def _at_end(name: str, by: str = _NAME) -> Callable[[AtAlpha], float | None]:
    """Reads a number that an evaluator measured at the end of the training."""
    number = Number(by, name, role="train")
    return lambda run: number.mean(run.runs)


_estimate = _at_end("information")
_END: tuple[declared.Column[AtAlpha], ...] = (
    ("network", lambda run: run.network.label, ""),
    ("alpha", lambda run: run.alpha, "g"),
    ("seed", lambda run: next(iter(run.runs), None), ""),
    ("estimate", lambda run: declared.or_no_run(_estimate(run)), ".3f"),
    ("bias", _at_end("bias"), ".3f"),
    ("less bias", _at_end("information_less_bias"), ".3f"),
    ("nearest neighbours", _neighbours, ".3f"),
    ("all views", _at_end("information", _EXACT), ".3f"),
    ("one view", _at_end("information_one_view"), ".3f"),
    ("sigma by class", _at_end("information_sigma_by_class"), ".3f"),
    ("as printed", _at_end("information_as_printed"), ".3f"),
    ("sigma", _at_end("sigma"), ".3f"),
    ("log N", _at_end("limit"), ".3f"),
)


def _numbers(runs: Runs) -> dict[str, dict[int, float]]:
    """Name -> seed -> value; nothing of any name without a run."""
    numbers: dict[str, dict[int, float]] = defaultdict(dict)
    for seed, record in runs.items():
        steps, values, _ = _curve(record)
        top = int(values.argmax())
        after = steps[-1] - steps[top]
        shape = {
            "first": values[0],
            "peak": values[top],
            "last": values[-1],
            # Nats in 1,000 steps; 0 where the end is the highest point.
            "fall": 1000 * (values[top] - values[-1]) / after if after else 0,
        }
        if not np.isfinite(values).all():
            shape = dict.fromkeys(shape, math.nan)
        for name, value in (shape | record.scalars(_NAME, "train")).items():
            numbers[name][seed] = float(value)
    return numbers


def _claims(
    records: Records, network: networks.Network
) -> Iterable[Claim[str]]:
    hard, smoothed = (
        _numbers(networks.runs(records, network, alpha)) for alpha in _ALPHAS
    )

    def claim(text: str, lower: Values, higher: Values) -> Claim[str]:
        return Claim(network.label, lower, higher, text)

    for alpha, numbers in zip(_ALPHAS, (hard, smoothed), strict=True):
        peak, where = numbers["peak"], f"alpha = {alpha:g}: the information"
        text = f"{where} is smaller at the first point than at its highest"
        yield claim(text, numbers["first"], peak)
        text = f"{where} falls from its highest point to the end"
        yield claim(text, numbers["last"], peak)
    end, log_2 = "information", dict.fromkeys(networks.SEEDS, math.log(2))
    text = "the information falls faster with smoothing (nats in 1,000 steps)"
    yield claim(text, hard["fall"], smoothed["fall"])
    text = "smoothing lowers the information at the end"
    yield claim(text, smoothed[end], hard[end])
    text = "with smoothing the information ends above log 2"
    yield claim(text, log_2, smoothed[end])
    text = f"{text} when the bias is taken off"
    yield claim(text, log_2, smoothed["information_less_bias"])


def _figure(runs: Mapping[float, Record]) -> Figure:
    """Draws the curves of one network: alpha -> run."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for alpha, record in runs.items():
        colour, marker = _STYLES[alpha]
        steps, estimate, less_bias = _curve(record)
        # Labels are for the words of the picture; the legend has its own.
        name = f"alpha = {alpha:g}"
        look: Style = {"color": colour, "marker": marker, "markersize": 4.5}
        axes.plot(steps, estimate, label=name, **look)
        name += ","
        look = {"color": colour, "linestyle": "--"}
        axes.plot(steps, less_bias, label=f"{name} less the bias", **look)
        steps, estimate, _ = _curve(record, _EXACT)
        look = {"color": colour, "label": f"{name} over all views"}
        axes.plot(steps, estimate, "x", **look)
    axes.axhline(math.log(2), color=canvas.GREY, linestyle=":")
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.set(xlabel="training step", ylabel="information, nats")
    canvas.plain(axes)
    handles = [
        canvas.key(f"alpha = {a:g}", color=colour, marker=marker, markersize=5)
        for a, (colour, marker) in _STYLES.items()
        if a in runs
    ]
    grey = {"color": canvas.GREY}
    handles += [
        canvas.key("less the bias of five views", **grey, linestyle="--"),
        canvas.key("over all 162 views", **grey, linestyle="none", marker="x"),
        canvas.key("log 2", **grey, linestyle=":"),
    ]
    axes.legend(handles=handles, frameon=False, fontsize=9, ncols=2)
    return figure


def _text() -> Text:
    bias = mutual_information.bias(5)
    return Text(
        "X is the number of one of 600 training images, half of them airplanes "
        "and half dogs; Y is the difference of these two logits on an "
        "augmented view. Small before the training, the information should "
        "rise fast and then fall slowly, and faster with smoothing: logits of "
        "one class become alike, whatever the image. A network that keeps the "
        "class alone has log 2 = 0.693 nats. With five views of each image the "
        f"estimate is {bias:.3f} nats too high wherever it is far from log 600 "
        "= 6.397, so that a network at log 2 seems to stay slightly above it; "
        "the dashed curves are without that bias. The formula is not the "
        "printed one, whose inner sum runs over the wrong index and which "
        "gives about −0.2 for every network (column “as printed”). "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    runs = tuple(_single_runs(records))
    claims = [claim for n in _NETWORKS for claim in _claims(records, n)]
    yield _text()
    sentence = "{of}: {text}: " + declared.compared(".3f")
    yield declared.findings((claims, sentence))
    for network, name in _NETWORKS.items():
        first = networks.first_runs(records, network, _ALPHAS)
        if first:
            yield Picture(
                _figure(first),
                name,
                f"{network.label}: the information over the training, first "
                "seed. Solid: averaged over five views of each image. Dashed: "
                "less the bias of five views. Crosses: over all 162 views. "
                f"{cifar.JPEG}",
            )
    yield declared.table(
        "end",
        "At the end of the training, nats; sigma in logits. “Less bias”: the "
        "estimate less 1/2 log(L / (L − 1)), L = 5. “Nearest neighbours”: "
        "scikit-learn's mutual_info_classif on the same views, which knows no "
        "normal distribution and has hardly any bias; it is higher than over "
        "all views where some images' views vary less than others', which one "
        "sigma levels out. “As printed”: the paper's formula, letter by "
        f"letter. {cifar.JPEG}",
        runs,
        *_END,
    )
    yield declared.table(
        "claims",
        "Claims of Müller et al. 2019, section 4, nats, means over seeds. The "
        "first point is the first measurement, not the start.",
        claims,
        ("network", lambda claim: claim.of, ""),
        ("claim", lambda claim: claim.text, ""),
        *declared.judged(".3f"),
    )
    yield declared.table(
        "curves",
        "The numbers of the curves, nats.",
        [
            (run.network.label, run.alpha, seed, *point)
            for run in runs
            for seed, record in run.runs.items()
            for point in _curve(record).T.tolist()
        ],
        ("network", lambda point: point[0], ""),
        ("alpha", lambda point: point[1], "g"),
        ("seed", lambda point: point[2], ""),
        ("step", lambda point: int(point[3]), ""),
        ("estimate", lambda point: point[4], ".3f"),
        ("less bias", lambda point: point[5], ".3f"),
    )
