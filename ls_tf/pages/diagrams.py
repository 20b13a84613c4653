"""Reliability diagrams of networks over alpha: pictures and numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ls_tf.pages import declared, networks, reliability
from ls_tf.pages.blocks import Picture, Table
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import Column
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record


@dataclass(frozen=True)
class Kind:
    """Where the numbers of a diagram stand in a record.

    ``columns`` maps a heading to a scalar of the evaluator and its format;
    ``{}`` in its name is ``_scaled`` at the fitted temperature. One whose
    heading ends in % is a fraction in the record.
    """

    evaluator: str
    columns: Mapping[str, tuple[str, str]]


IMAGES = Kind(
    "reliability",
    {
        "ECE": ("ece{}", ".4f"),
        "MCE": ("mce{}", ".4f"),
        "confidence − accuracy": ("signed_calibration_error{}", "+.4f"),
        "NLL, nats": ("nll{}", ".4f"),
        "accuracy, %": ("accuracy{}", ".2f"),
    },
)


@dataclass(frozen=True, eq=False)
class Diagram:
    """One diagram: alpha, whether at the fitted temperature, and its run."""

    network: Network
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
        return self._scalar("temperature") if self.scaled else 1.0

    def number(self, heading: str) -> float | None:
        """One of its numbers; None without a run."""
        scalar, _ = self.kind.columns[heading]
        value = self._scalar(scalar.format(self.suffix))
        if value is None or not heading.endswith("%"):
            return value
        return 100 * value

    def _scalar(self, name: str) -> float | None:
        if self.record is None:
            return None
        return self.record.scalars(self.kind.evaluator, "report")[name]


def of(
    records: declared.Records,
    network: Network,
    alphas: Sequence[float],
    kind: Kind = IMAGES,
) -> list[Diagram]:
    """Lists a network's diagrams in the order of the papers' figures.

    Args:
        records: of the report.
        network: which one.
        alphas: 0 first; its diagram is followed by the one at its fitted
            temperature.
        kind: where their numbers stand.

    Returns:
        list: of seed 0.

    Source: Mueller et al. 2019, figure 2; Wagner et al. 2023, figure 3.
    """
    return [
        Diagram(network, alpha, scaled, run, kind)
        for alpha, run in networks.seed_0(records, network, alphas).items()
        for scaled in ((False, True) if alpha == alphas[0] else (False,))
    ]


def panels(diagrams: Iterable[Diagram]) -> list[Panel]:
    """Gives the arrays of the diagrams that have a run."""
    return [
        Panel(
            f"alpha = {one.alpha:g}, T = {one.temperature:.3g}",
            one.record.arrays(
                one.kind.evaluator, "report", reliability.forms(one.suffix)
            ),
            one.suffix,
        )
        for one in diagrams
        if one.record is not None
    ]


def table(
    caption: str,
    diagrams: Sequence[Diagram],
    printed: Mapping[str, Callable[[Diagram], float | None]],
    *before: Column[Diagram],
) -> Table:
    """Gives one row for each diagram, with or without a run.

    Args:
        caption: below it.
        diagrams: of one kind.
        printed: heading -> a paper's number for a diagram.
        before: the first columns.

    Returns:
        Table.
    """
    return declared.table(
        "reliability",
        caption,
        diagrams,
        *before,
        ("alpha", lambda d: d.alpha, "g"),
        ("T", lambda d: d.temperature or "fitted", ".3f"),
        *((heading, number, "") for heading, number in printed.items()),
        *(
            column
            for heading, (_, form) in diagrams[0].kind.columns.items()
            for column in declared.each([heading], str, Diagram.number, form)
        ),
    )


@dataclass(frozen=True)
class Page:
    """The diagrams of some networks: one picture each, one table of all.

    Attributes:
        networks: each with what it stands for in the papers.
        alphas: of a network, 0 first.
        noun: what the bins hold.
        title: the name of a network in the table.
        printed: heading -> a paper's number for a diagram.
        kind: where our numbers stand.
    """

    networks: Mapping[Network, str]
    alphas: Callable[[Network], Sequence[float]]
    noun: str
    title: Callable[[Network], str]
    printed: Mapping[str, Callable[[Diagram], float | None]]
    kind: Kind = IMAGES

    def _of(self, records: declared.Records, network: Network) -> list[Diagram]:
        return of(records, network, self.alphas(network), self.kind)

    def pictures(self, records: declared.Records) -> Iterable[Picture]:
        """Draws each network that has a run."""
        for network, place in self.networks.items():
            diagrams = self._of(records, network)
            runs = {d.alpha: d.record for d in diagrams}
            finished = {a: run for a, run in runs.items() if run is not None}
            if finished:
                yield Picture(
                    reliability.reliability_figure(panels(diagrams)),
                    f"reliability_{network.file}",
                    f"{network.label} ({place}; {networks.steps(finished)} "
                    "steps, seed 0). 15 bins, empty bins left out; underneath, "
                    f"how many {self.noun} each bin rests on "
                    f"(logarithmic).{networks.missing(runs)}",
                )

    def table(self, records: declared.Records, caption: str) -> Table:
        """Gives one row for each diagram, with or without a run."""
        return table(
            caption,
            [d for n in self.networks for d in self._of(records, n)],
            self.printed,
            ("network", lambda d: self.title(d.network), ""),
        )
