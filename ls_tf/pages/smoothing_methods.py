"""The methods of the bench: what each changes, and the values to choose from.

What is tried of a method is one number; the value whose networks have the
lowest mean NLL on the held-out part of the training images stands for it. The
mean is over the seeds that all of its values have, so that one seed of each
value is enough to choose by, and the other seeds are trained of the chosen one.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ls_tf.analysis import seed_differences
from ls_tf.pages import tables
from ls_tf.pages.blocks import Need
from ls_tf.pages.declared import Number, Records, Runs
from ls_tf.spec import Value

_HELD_OUT_NLL = Number("classification", "nll", role="calibrate")


@dataclass(frozen=True)
class Method:
    """A way to train a classifier.

    Attributes:
        name: in words.
        field: the number that is chosen, as ``--set`` has it; "" for none.
        values: to choose from.
        loss: the loss's name; "" for that of smoothed labels.
    """

    name: str
    field: str = ""
    values: tuple[float, ...] = (0.0,)
    loss: str = ""

    def changes(self, value: float) -> dict[str, Value]:
        """What its network changes of the experiment."""
        named: dict[str, Value] = {"loss.name": self.loss} if self.loss else {}
        return {**named, self.field: value} if self.field else named

    def label(self, value: float) -> str:
        """Its name and its number."""
        if not self.field:
            return self.name
        return f"{self.name}, {self.field.rpartition('.')[2]} = {value:g}"


_ALPHAS = (0.05, 0.1, 0.2)
_WEIGHT = "loss.options.weight"
HARD = Method("hard labels")
SMOOTHED = Method("label smoothing", "alpha", _ALPHAS)
MAX_SUPPRESSION = Method("MaxSup", "alpha", _ALPHAS, "max_suppression")
METHODS = (
    HARD,
    SMOOTHED,
    Method(
        "confidence penalty", _WEIGHT, (0.03, 0.1, 0.3), "confidence_penalty"
    ),
    Method("DisturbLabel", "alpha", _ALPHAS, "disturb_label"),
    Method(
        "online label smoothing",
        "alpha",
        (0.25, 0.5, 0.75),
        "online_label_smoothing",
    ),
    Method(
        "margin smoothing, margin 10",
        _WEIGHT,
        (0.03, 0.1, 0.3),
        "margin_smoothing",
    ),
    Method("logit penalty", _WEIGHT, (1e-4, 1e-3, 1e-2), "logit_penalty"),
    MAX_SUPPRESSION,
    Method("focal loss", "loss.options.gamma", (1.0, 2.0, 3.0), "focal"),
)


@dataclass(frozen=True)
class Bench:
    """Where the methods are compared.

    Attributes:
        network: the experiment.
        student: that of a student; "" for none.
        methods: which ones.
        seeds: of every run.
    """

    network: str
    student: str
    methods: Sequence[Method]
    seeds: tuple[int, ...]

    def needs(self) -> tuple[Need, ...]:
        """The runs: of each method every value, each with its student."""
        return tuple(self._needs())

    def _needs(self) -> Iterable[Need]:
        for method in self.methods:
            for value in method.values:
                label, changes = method.label(value), method.changes(value)
                for seed in self.seeds:
                    yield Need(self.network, changes, seed, row=label)
                if not self.student:
                    continue
                taught = _taught(changes)
                for seed in self.seeds:
                    row = f"student of {label}"
                    yield Need(self.student, taught, seed, True, row)

    def chosen(self, records: Records) -> list["Chosen"]:
        """The best value of each method that has a run."""
        found = []
        for method in self.methods:
            runs = {
                value: tables.by_seed(
                    records, self.network, method.changes(value)
                )
                for value in method.values
            }
            nll = _mean_nll(runs)
            if nll:
                best = min(nll, key=lambda value: (nll[value], value))
                students = tables.by_seed(
                    records, self.student, _taught(method.changes(best))
                )
                found.append(Chosen(method, best, runs[best], students, nll))
        return found


def _mean_nll(runs: Mapping[float, Runs]) -> dict[float, float]:
    """Value -> mean held-out NLL over the seeds that all values have."""
    nll = {
        value: of for value, r in runs.items() if (of := _HELD_OUT_NLL.of(r))
    }
    shared = set.intersection(*(set(of) for of in nll.values())) if nll else ()
    return {
        value: statistics.fmean(of[seed] for seed in shared or of)
        for value, of in nll.items()
    }


def _taught(changes: Mapping[str, Value]) -> dict[str, Value]:
    return {f"teacher.changes.{k}": v for k, v in changes.items()}


@dataclass(frozen=True)
class Chosen:
    """A method at its best value.

    Attributes:
        method: which.
        value: of its number.
        runs: of the networks.
        students: of their students.
        nll: value -> mean held-out NLL, of those that have runs.
    """

    method: Method
    value: float
    runs: Runs
    students: Runs
    nll: Mapping[float, float]

    @property
    def label(self) -> str:
        """Name and value."""
        return self.method.label(self.value)


@dataclass(frozen=True)
class Measure:
    """What methods are compared by.

    Attributes:
        heading: of its column.
        number: where it stands.
        form: of its numbers.
        lower: whether less is better; below 0, as an error less its bias may
            be, what is nearer to 0.
        of_students: whether it is one of the students.
    """

    heading: str
    number: Number
    form: str
    lower: bool = True
    of_students: bool = False

    def of(self, chosen: Chosen) -> dict[int, float]:
        """Seed -> value, of those that are defined."""
        runs = chosen.students if self.of_students else chosen.runs
        return {
            s: v for s, v in self.number.of(runs).items() if math.isfinite(v)
        }

    def ranked(self, methods: Iterable[Chosen]) -> list[tuple[Chosen, float]]:
        """The methods and their means, the best first."""
        means = [(m, tables.mean(self.of(m).values())) for m in methods]
        found = [(m, mean) for m, mean in means if mean is not None]
        return sorted(found, key=lambda f: self._turn(f[1]) * f[1])

    def like_the_best(self, methods: Iterable[Chosen]) -> list[Chosen]:
        """The best method and those that are within noise of it."""
        ranked = [method for method, _ in self.ranked(methods)]
        return [
            method
            for method in ranked
            if method is ranked[0] or self._is_noise(method, ranked[0])
        ]

    def _is_noise(self, one: Chosen, best: Chosen) -> bool:
        # Turned as the means are, by which they were ranked: seeds on both
        # sides of 0 cancel in these.
        ours, theirs = (
            {
                seed: self._turn(statistics.fmean(of.values())) * v
                for seed, v in of.items()
            }
            for of in (self.of(one), self.of(best))
        )
        apart = seed_differences.paired(ours, theirs)
        return apart is None or apart.is_noise

    def _turn(self, mean: float) -> int:
        """What numbers of a mean are multiplied by: the more, the worse."""
        return 1 if self.lower and mean >= 0 else -1
