"""Reliability diagrams of one network over alpha: panels and numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ls_tf.reports import _tables
from ls_tf.reports._blocks import Need
from ls_tf.reports._canvas import Panel
from ls_tf.runs import Record

# The columns of ``Diagram.numbers``.
COLUMNS = ("ECE", "MCE", "confidence − accuracy", "NLL, nats", "accuracy, %")
FORMATS = {
    "alpha": "g",
    "T": ".3f",
    "ECE": ".4f",
    "MCE": ".4f",
    "confidence − accuracy": "+.4f",
    "NLL, nats": ".4f",
    "accuracy, %": ".2f",
}


@dataclass(frozen=True, eq=False)
class Diagram:
    """One diagram: alpha, whether at the fitted temperature, and its run."""

    alpha: float
    scaled: bool
    record: Record | None

    @property
    def printed(self) -> str:
        """The name of its ECE among Wagner et al.'s numbers."""
        return "ece scaled" if self.scaled else f"ece alpha={self.alpha:g}"

    @property
    def temperature(self) -> float | None:
        """What divides the logits; None if that takes a run."""
        if not self.scaled:
            return 1.0
        if self.record is None:
            return None
        return self.record.scalars("reliability", "report")["temperature"]

    def numbers(self) -> list[float] | None:
        """Its numbers, see ``COLUMNS``; None without a run."""
        if self.record is None:
            return None
        values = self.record.scalars("reliability", "report")
        suffix = "_scaled" if self.scaled else ""
        return [
            *(
                values[f"{name}{suffix}"]
                for name in ("ece", "mce", "signed_calibration_error", "nll")
            ),
            100 * values[f"accuracy{suffix}"],
        ]


def of(
    records: Mapping[Need, Record], experiment: str, alphas: Sequence[float]
) -> list[Diagram]:
    """Lists a network's diagrams in the order of the papers' figures.

    Args:
        records: of the report.
        experiment: the network.
        alphas: 0 first; its diagram is followed by the one at its fitted
            temperature.

    Returns:
        list: of seed 0.

    Source: Mueller et al. 2019, figure 2; Wagner et al. 2023, figure 3.
    """
    found = {
        alpha: _tables.by_seed(records, experiment, {"alpha": alpha}).get(0)
        for alpha in alphas
    }
    return [
        Diagram(alphas[0], False, found[alphas[0]]),
        Diagram(alphas[0], True, found[alphas[0]]),
        *(Diagram(alpha, False, found[alpha]) for alpha in alphas[1:]),
    ]


def panels(diagrams: Iterable[Diagram]) -> list[Panel]:
    """Gives the arrays of the diagrams that have a run."""
    return [
        Panel(
            f"alpha = {one.alpha:g}, T = {one.temperature:.3g}",
            one.record.arrays("reliability", "report"),
            "_scaled" if one.scaled else "",
        )
        for one in diagrams
        if one.record is not None
    ]
