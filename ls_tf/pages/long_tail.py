"""The page of the long tails: accuracy by class, weights, claims."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import ACCURACY, Claim, Number, Records, Runs
from ls_tf.records.arrays import Form
from ls_tf.spec import Value

_GROUPS = ("many", "medium", "few")
_METHODS: Mapping[str, Mapping[str, Value]] = {
    "hard labels": {},
    "smoothed, alpha = 0.1": {"alpha": 0.1},
    "smoothed by class frequencies, alpha = 0.1": {
        "alpha": 0.1,
        "train.smoothing": "prior",
    },
    "frequent classes smoothed more": {"loss.name": "label_aware_smoothing"},
}
HARD, SMOOTHED, FREQUENCIES, _ = _METHODS
_TAIL, _EVEN, _SHORT = "tail_mnist", "tail_mnist_even", "tail_cifar10_short"
_STUDENT = "tail_mnist_student"
_SETS = {
    _TAIL: "MNIST, long tail",
    _EVEN: "MNIST, each class as often",
    _SHORT: "CIFAR-10, long tail, steps / 120",
}
_PAPER = quoted.numbers("long_tail")


@dataclass(frozen=True)
class Row:
    """Networks that differ in the seed.

    Attributes:
        experiment: which.
        method: how its labels are smoothed, or its teacher's were.
    """

    experiment: str
    method: str

    @property
    def changes(self) -> dict[str, Value]:
        """What it changes of the experiment."""
        changes = _METHODS[self.method]
        if self.experiment != _STUDENT:
            return dict(changes)
        # As a stack over the teacher's alpha names it, 0 too.
        changes = {"alpha": 0.0, **changes}
        return {f"teacher.changes.{k}": v for k, v in changes.items()}

    @property
    def label(self) -> str:
        """Data and method."""
        if self.experiment == _STUDENT:
            return f"{_SETS[_TAIL]}, student; its teacher's: {self.method}"
        return f"{_SETS[self.experiment]}, {self.method}"

    def runs(self, records: Records) -> Runs:
        """Seed -> record."""
        return tables.by_seed(records, self.experiment, self.changes)


_NETWORKS = (
    *(Row(_TAIL, method) for method in _METHODS),
    *(Row(_EVEN, method) for method in (HARD, SMOOTHED)),
    *(Row(_SHORT, method) for method in (HARD, SMOOTHED, FREQUENCIES)),
)
_STUDENTS = tuple(Row(_STUDENT, m) for m in (HARD, SMOOTHED, FREQUENCIES))

REQUIRES = tuple(
    Need(
        row.experiment,
        row.changes,
        seed,
        optional=row.experiment == _SHORT,
        row=row.label,
    )
    for row in (*_NETWORKS, *_STUDENTS)
    for seed in networks.SEEDS
)


def _number(name: str, unit: str = "") -> Number:
    return Number("long_tail", name, unit)


_NORM = _number("weight_norm")
_FEW = _number("accuracy_few", "%")


def _ratio(records: Records, experiment: str) -> dict[int, float]:
    """The smoothed network's norm over the hard one's: seed -> ratio."""
    hard, smoothed = (
        _NORM.of(Row(experiment, m).runs(records)) for m in (HARD, SMOOTHED)
    )
    return {s: smoothed[s] / hard[s] for s in smoothed.keys() & hard.keys()}


def claims(records: Records) -> list[Claim[str]]:
    """What Shen et al. say of long tails, by our numbers."""
    found = []
    for experiment in (_TAIL, _SHORT):
        hard, smoothed, by_class = (
            Row(experiment, m).runs(records)
            for m in (HARD, SMOOTHED, FREQUENCIES)
        )
        where = _SETS[experiment]
        for text, number in (
            ("smoothing makes a long tail less accurate, %", ACCURACY),
            ("smoothing makes few-shot classes less accurate, %", _FEW),
        ):
            pair = number.of(smoothed), number.of(hard)
            found.append(Claim(where, *pair, text, "Shen et al., table 3"))
        pair = ACCURACY.of(smoothed), ACCURACY.of(by_class)
        text = "smoothing by frequencies is more accurate than evenly, %"
        found.append(Claim(where, *pair, text, "ours"))
    even, tail = _ratio(records, _EVEN), _ratio(records, _TAIL)
    whose = "Shen et al., conjecture 1"
    found += [
        Claim(
            _SETS[_EVEN],
            even,
            dict.fromkeys(even, 1.0),
            "smoothing shrinks the last layer's weights, factor",
            whose,
        ),
        Claim(
            _SETS[_TAIL],
            even,
            tail,
            "smoothing shrinks the last layer's weights less than without a "
            "tail, factor",
            whose,
        ),
    ]
    by_hard, by_smoothed = (
        ACCURACY.of(row.runs(records)) for row in _STUDENTS[:2]
    )
    text = "a smoothed teacher of a long tail teaches worse, %"
    found.append(
        Claim(_SETS[_TAIL], by_smoothed, by_hard, text, "Shen et al., table 6")
    )
    return [replace(claim, by_interval=True) for claim in found]


def _printed() -> Iterable[Claim[str]]:
    """Table 3 of Shen et al.: pairs without and with smoothing."""
    for row in dict.fromkeys(row for row, _ in _PAPER):
        hard, smoothed = (float(_PAPER[row, a]) for a in ("0.0", "0.1"))
        yield Claim(row, {0: smoothed}, {0: hard})


def _table(
    records: Records,
    name: str,
    caption: str,
    columns: Mapping[str, Number],
    form: str,
    rows: Iterable[Row],
) -> Block:
    found = [(row, row.runs(records)) for row in rows]

    def value(row: tuple[Row, Runs], heading: str) -> object:
        mean = columns[heading].mean(row[1])
        if mean is None:
            return declared.or_no_run(None)
        return mean if math.isfinite(mean) else "–"  # no such class

    return declared.table(
        name,
        caption,
        found,
        ("network", lambda r: r[0].label, ""),
        *declared.each(columns, str, value, form),
        ("seeds", lambda r: len(r[1]), ""),
    )


_FORMS = {
    "class_counts": Form("classes", 0),
    "class_accuracy": Form("classes", 0, 1, may_lack=True),
    "weight_norms": Form("classes", 0),
}
_STYLES = dict(
    zip(
        _METHODS,
        (canvas.BLUE, canvas.VERMILION, canvas.GREEN, canvas.ORANGE),
        strict=True,
    )
)


def _curves(records: Records, experiment: str) -> Figure | None:
    """Accuracy and norms by a class's rank, means over the seeds."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    drawn = False
    for row in _NETWORKS:
        runs = row.runs(records)
        if row.experiment != experiment or not runs:
            continue
        drawn = True
        arrays = [
            r.arrays("long_tail", "report", _FORMS) for r in runs.values()
        ]
        orders = [np.argsort(-a["class_counts"], kind="stable") for a in arrays]
        for axes, name, factor in zip(
            panels, ("class_accuracy", "weight_norms"), (100, 1), strict=True
        ):
            values = [
                a[name][order] for a, order in zip(arrays, orders, strict=True)
            ]
            ranks = np.arange(1, len(values[0]) + 1)
            axes.plot(
                ranks,
                factor * np.mean(values, axis=0),
                "o-",
                color=_STYLES[row.method],
                markersize=3,
                label=row.method if factor == 1 else None,
            )
    if not drawn:
        return None
    for axes, label in zip(
        panels, ("test accuracy, %", "norm of the class's weights"), strict=True
    ):
        axes.set(xlabel="class, 1 has the most training images", ylabel=label)
        canvas.plain(axes)
    canvas.legend_below(figure, 2)
    return figure


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    found = claims(records)
    yield Text(
        "Shen et al. hold that label smoothing does not help where classes "
        "have a long tail: it takes from few-shot classes, the shrinking of "
        "the last layer's weights is lost, and a smoothed teacher teaches "
        "worse. Each seed has a tail of its own, of which the classes and the "
        "images are drawn; what is compared has the same seed. "
        f"{declared.INTERVAL} {networks.COMMANDS}"
    )
    sentence = "{of}: {text} ({whose}): " + declared.compared("#.4g")
    yield declared.findings((found, sentence))
    for experiment in (_TAIL, _SHORT):
        figure = _curves(records, experiment)
        if figure is not None:
            yield Picture(
                figure,
                f"classes_{experiment}",
                f"{_SETS[experiment]}: classes from the most frequent to the "
                "rarest; means over the seeds.",
            )
    accuracies = {
        "accuracy, %": ACCURACY,
        **{f"{g}-shot, %": _number(f"accuracy_{g}", "%") for g in _GROUPS},
    }
    yield _table(
        records,
        "accuracy",
        "Test accuracy, means over the seeds; the test sets have no tail. "
        "MNIST: many-shot classes have more than 100 training images, few-shot "
        "fewer than 20; CIFAR-10: 1,000 and 400 (ours).",
        accuracies,
        ".2f",
        _NETWORKS,
    )
    norms = {
        "norm": _NORM,
        **{f"{g}-shot": _number(f"weight_norm_{g}") for g in _GROUPS},
        "order": _number("weight_norm_order"),
    }
    yield _table(
        records,
        "weights",
        "Norm of the last layer's weights of a class, without its bias, mean "
        "over classes and seeds. Order: Spearman's correlation of norm and "
        "training images.",
        norms,
        ".3f",
        _NETWORKS,
    )
    yield _table(
        records,
        "students",
        "Students that learn from the teacher's probabilities alone, at "
        "temperature 1, on the tail that the teacher learnt from.",
        accuracies,
        ".2f",
        _STUDENTS,
    )
    yield declared.table(
        "printed",
        "Top-1 accuracy as Shen et al. print it (table 3), %: other data and "
        "networks, so that only the signs are to be compared.",
        tuple(_printed()),
        ("data, network", lambda c: c.of, ""),
        ("without smoothing", lambda c: c.high, ".3f"),
        ("with smoothing", lambda c: c.low, ".3f"),
        ("smoothing worse?", lambda c: c.holds, ""),
    )
