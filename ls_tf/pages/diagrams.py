"""Reliability diagrams of one network over alpha: panels and numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ls_tf.pages import tables
from ls_tf.pages.blocks import Need
from ls_tf.pages.canvas import Panel
from ls_tf.records.runs import Record


@dataclass(frozen=True)
class Kind:
    """Where the numbers of a diagram stand in a record.

    ``columns`` maps a heading to a scalar of the evaluator; ``{}`` in its name
    is ``_scaled`` at the fitted temperature. One whose heading ends in % is a
    fraction in the record.
    """

    evaluator: str
    columns: Mapping[str, str]


IMAGES = Kind(
    "reliability",
    {
        "ECE": "ece{}",
        "MCE": "mce{}",
        "confidence − accuracy": "signed_calibration_error{}",
        "NLL, nats": "nll{}",
        "accuracy, %": "accuracy{}",
    },
)
# The columns of ``Diagram.numbers``.
COLUMNS = tuple(IMAGES.columns)
FORMATS = {
    "alpha": "g",
    "T": ".3f",
    "ECE": ".4f",
    "ECE, first 10,000": ".4f",
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
    kind: Kind = IMAGES

    @property
    def suffix(self) -> str:
        """What the names of its numbers and arrays have in them."""
        return "_scaled" if self.scaled else ""

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
        values = self.record.scalars(self.kind.evaluator, "report")
        return values["temperature"]

    def numbers(self) -> list[float] | None:
        """Its numbers, in the order of its columns; None without a run."""
        if self.record is None:
            return None
        values = self.record.scalars(self.kind.evaluator, "report")
        return [
            values[scalar.format(self.suffix)]
            * (100 if heading.endswith("%") else 1)
            for heading, scalar in self.kind.columns.items()
        ]


def of(
    records: Mapping[Need, Record],
    experiment: str,
    alphas: Sequence[float],
    kind: Kind = IMAGES,
) -> list[Diagram]:
    """Lists a network's diagrams in the order of the papers' figures.

    Args:
        records: of the report.
        experiment: the network.
        alphas: 0 first; its diagram is followed by the one at its fitted
            temperature.
        kind: where their numbers stand.

    Returns:
        list: of seed 0.

    Source: Mueller et al. 2019, figure 2; Wagner et al. 2023, figure 3.
    """
    found = {
        alpha: tables.by_seed(records, experiment, {"alpha": alpha}).get(0)
        for alpha in alphas
    }
    return [
        Diagram(alphas[0], False, found[alphas[0]], kind),
        Diagram(alphas[0], True, found[alphas[0]], kind),
        *(Diagram(alpha, False, found[alpha], kind) for alpha in alphas[1:]),
    ]


def panels(diagrams: Iterable[Diagram]) -> list[Panel]:
    """Gives the arrays of the diagrams that have a run."""
    return [
        Panel(
            f"alpha = {one.alpha:g}, T = {one.temperature:.3g}",
            one.record.arrays(one.kind.evaluator, "report"),
            one.suffix,
        )
        for one in diagrams
        if one.record is not None
    ]
