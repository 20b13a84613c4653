"""The numbers of a verdict, each with an interval by drawing examples again.

Two networks on the same examples are drawn together, so that the interval of
their difference is that of a pair. On other examples they are drawn apart, and
the two intervals are put together.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from ls_tf import geometry, stopping, temperature
from ls_tf.analysis import (
    calibration,
    calibration_bias,
    other_classes,
    outputs,
    probabilities,
    selective,
)
from ls_tf.analysis.outputs import Array
from ls_tf.analysis.projection import cluster_geometry
from ls_tf.verdict.inputs import Network

COVERAGE = 0.8  # of the risk that is shown


@dataclass(frozen=True)
class Estimate:
    """A number and its interval, which is NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def times(self, scale: float) -> "Estimate":
        """The same in another unit; a negative scale turns the interval."""
        low, high = sorted((scale * self.low, scale * self.high))
        return Estimate(scale * self.value, low, high)


class Measured:
    """What is computed once for each example of a network.

    Attributes:
        network: its arrays.
        fit: the temperature of least NLL, of all examples.
        others: what its wrong answers tell of other classes.
    """

    def __init__(
        self, network: Network, classes: tuple[int, ...], seed: int
    ) -> None:
        """Computes.

        Args:
            network: its arrays.
            classes: three, whose plane the features are projected on.
            seed: of the halves that temperatures are fitted on.
        """
        self.network, self._classes = network, classes
        rows, labels = network.logits, network.labels
        self.confidence, self.correct = probabilities.confidence_and_correct(
            rows, labels
        )
        self._nll = outputs.map_rows(outputs.nll, rows, labels)
        self.score = selective.confidence(rows)
        self.fit = temperature.fit(rows, labels)
        scaled = other_classes.cross_fitted(rows, labels, seed)
        self.confidence_scaled, _ = probabilities.confidence_and_correct(
            scaled, labels
        )
        self._nll_scaled = outputs.map_rows(outputs.nll, scaled, labels)
        self.others = other_classes.forecasts(rows, labels, seed)

    @cached_property
    def projection(self) -> geometry.Projection | None:
        """The features on the plane of three templates, where there is one."""
        network = self.network
        if network.weights is None or len(self._classes) != 3:
            return None
        try:
            return geometry.project(
                network.features,
                network.labels,
                network.weights,
                classes=self._classes,
                bias=network.bias,
                order="features_first",
            )
        except ValueError:  # templates on one line, a class without examples
            return None

    @cached_property
    def _collapse(self) -> dict[str, float]:
        if self.network.features is None:
            return {}
        try:
            found = geometry.collapse(
                self.network.features,
                self.network.labels,
                self.network.weights,
                order="features_first",
            )
        except ValueError:  # examples of one class alone
            return {}
        return {k: v for k, v in found.items() if math.isfinite(v)}

    @cached_property
    def _directions(self) -> Array | None:
        """The features scaled to length 1, if their separation is defined."""
        if "class_separation" not in self._collapse:
            return None
        rows = np.asarray(self.network.features)
        unit: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def without_interval(self) -> dict[str, float]:
        """The numbers that are of all examples at once."""
        found = {"temperature": self.fit.temperature}
        if math.isfinite(self.others.temperature):
            found["teacher_temperature"] = self.others.temperature
        for name in ("nc1", "nc2_means", "nc2_templates", "nc3"):
            if name in self._collapse:
                found[name] = self._collapse[name]
        return found

    def of(self, index: Array) -> dict[str, float]:
        """The numbers of some examples, which may repeat.

        Args:
            index: int [n], positions.

        Returns:
            dict: name -> number; nats, or fractions.
        """
        hits = self.correct[index]
        curve = selective.curve(self.score[index], hits)
        found = {
            "accuracy": float(hits.mean()),
            "nll": float(self._nll[index].mean()),
            "nll_scaled": float(self._nll_scaled[index].mean()),
            "ece": _ece(self.confidence[index], hits),
            "ece_scaled": _ece(self.confidence_scaled[index], hits),
            "debiased_ece": calibration_bias.debiased_ece(
                self.confidence[index], hits
            ),
            "aurc": selective.area(curve),
            "risk": selective.risk_at(curve, COVERAGE),
        }
        if math.isfinite(self.others.temperature):
            found["information"] = self.others.information(index)
        if self._directions is not None:
            found["class_separation"] = _separation(
                self._directions[index], self.network.labels[index]
            )
        if self.projection is not None:
            found["tightness"] = self._tightness(index)
        return found

    def _tightness(self, index: Array) -> float:
        projection = self.projection
        if projection is None:
            return math.nan
        kept = np.isin(self.network.labels, projection.classes)
        place = np.cumsum(kept) - 1  # among the points
        chosen = place[index[kept[index]]]
        try:
            return cluster_geometry(
                projection.points[chosen],
                projection.labels[chosen],
                projection.classes,
                projection.templates,
            )["tightness"]
        except ValueError:  # a class was not drawn
            return math.nan


def _ece(confidence: Array, hits: Array) -> float:
    return calibration.expected_calibration_error(
        calibration.bins(confidence, hits)
    )


def _separation(directions: Array, labels: Array) -> float:
    """As ``neural_collapse.class_separation``, of the classes that are there.

    By a sparse product, since it is taken some hundred times.
    """
    present, ids = np.unique(labels, return_inverse=True)
    sizes = np.bincount(ids)
    chooser = sparse.csr_array(
        (1 / sizes[ids], (ids, np.arange(len(ids)))), (len(present), len(ids))
    )
    means = chooser @ directions
    within = 1 - (means**2).sum(axis=1).mean()
    total = 1 - (means.mean(axis=0) ** 2).sum()
    return float(1 - within / total) if total > 0 else math.nan


Numbers = dict[str, dict[str, Estimate]]


def all_numbers(
    measured: Mapping[str, Measured], *, resamples: int, level: float, seed: int
) -> tuple[Numbers, bool]:
    """Measures one network, or two and their difference.

    Args:
        measured: name of a network -> what is computed of it, "hard" first.
        resamples: how often the examples are drawn again.
        level: of the intervals.
        seed: of the draws.

    Returns:
        (name of a network, or "difference" (the second less the first) ->
        name of a number -> Estimate; whether they are a pair on the same
        examples).

    Source: Davison and Hinkley 1997 (basic bootstrap); Zou and Donner 2008
    for the difference of two that are drawn apart.
    """
    labels = [m.network.labels for m in measured.values()]
    is_pair = len(labels) == 2 and np.array_equal(labels[0], labels[1])

    def drawn(
        statistic: Callable[[Array], Mapping[str, float]], count: int
    ) -> dict[str, Estimate]:
        with stopping.doing("drawing examples again"):
            found = calibration_bias.bootstrap(
                statistic,
                count,
                np.random.default_rng(seed),
                resamples=resamples,
                level=level,
            )
        whole = statistic(np.arange(count))
        return {k: Estimate(whole[k], *found[k]) for k in whole}

    if is_pair:
        flat = drawn(lambda index: _pair(measured, index), len(labels[0]))
        found: Numbers = {name: {} for name in (*measured, "difference")}
        for key, estimate in flat.items():
            name, _, number = key.partition(" ")
            found[name][number] = estimate
    else:
        found = {
            name: drawn(m.of, len(m.network.labels))
            for name, m in measured.items()
        }
    for name, m in measured.items():
        found[name] |= {k: Estimate(v) for k, v in m.without_interval().items()}
    if len(measured) == 2:
        _add_differences(found, *measured)
    return found, is_pair


def _pair(measured: Mapping[str, Measured], index: Array) -> dict[str, float]:
    of = {name: m.of(index) for name, m in measured.items()}
    first, second = of.values()
    flat = {
        f"{n} {k}": v for n, values in of.items() for k, v in values.items()
    }
    both = first.keys() & second.keys()
    flat |= {f"difference {k}": second[k] - first[k] for k in sorted(both)}
    return flat


def _add_differences(found: Numbers, first: str, second: str) -> None:
    """Adds those that were not drawn as a pair."""
    differences = found.setdefault("difference", {})
    for name, a in found[first].items():
        b = found[second].get(name)
        if b is None or name in differences:
            continue
        value = b.value - a.value
        low = value - math.hypot(b.value - b.low, a.high - a.value)
        high = value + math.hypot(b.high - b.value, a.value - a.low)
        differences[name] = Estimate(value, low, high)
