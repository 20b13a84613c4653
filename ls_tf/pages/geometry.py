"""The shape of three clusters, with hard and with smoothed labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import declared, projection
from ls_tf.pages.blocks import Table
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import Claim, Column, or_no_run
from ls_tf.records.runs import Record

ALPHAS = (0.0, 0.1)
TIGHTNESS = ("tightness", "tightness_by_centres")

# Scalar -> what it measures, and what the smoothed network's lower number
# means.
MEASURES = {
    "tightness": ("cluster spread / distance of templates", "tighter?"),
    "tightness_by_centres": (
        "cluster spread / distance of clusters",
        "tighter?",
    ),
    "side_spread": (
        "spread of the triangle's sides / mean side",
        "more regular?",
    ),
    "scale": ("mean distance of clusters", "smaller scale?"),
}
_SHAPE = (
    "The shape of the clusters, seed 0. Tightness: spread of a cluster over "
    "the distance of the templates; tightness by centres: over the distance of "
    "the clusters. Side spread: 0 for a regular triangle. Scale: mean distance "
    "of the clusters, in units of activation."
)


@dataclass(frozen=True)
class Clusters:
    """The clusters of one network at each alpha, seed 0.

    Attributes:
        network: its name.
        records: alpha -> record, None without a run.
        evaluator: which projected them.
        role: of the split that it projected beside the training images.
    """

    network: str
    records: Mapping[float, Record | None]
    evaluator: str = "penultimate"
    role: str = "report"

    @property
    def finished(self) -> dict[float, Record]:
        """Alpha -> record, of those that there are."""
        return {a: r for a, r in self.records.items() if r is not None}

    def panels(self) -> list[Panel]:
        """The projected points of each run."""
        return [
            Panel(
                f"alpha = {a:g}",
                record.arrays(
                    self.evaluator, self.role, projection.forms(self.role)
                ),
            )
            for a, record in self.finished.items()
        ]


@dataclass(frozen=True)
class Shape:
    """One split of a network at one alpha."""

    clusters: Clusters
    alpha: float
    split: str
    title: str

    @property
    def record(self) -> Record | None:
        """Its run."""
        return self.clusters.records[self.alpha]

    def of_seed(self, scalar: str) -> dict[int, float]:
        """One of MEASURES: seed 0 -> value; empty without a run."""
        if self.record is None:
            return {}
        scalars = self.record.scalars(
            self.clusters.evaluator, self.clusters.role
        )
        split = self.clusters.role if self.split == "report" else self.split
        return {0: scalars[f"{split}_{scalar}"]}

    def measure(self, scalar: str) -> float | None:
        """One of MEASURES; None without a run."""
        return self.of_seed(scalar).get(0)


def table(
    networks: Iterable[Clusters],
    splits: Mapping[str, str],
    caption: str,
    *others: Column[Shape],
) -> Table:
    """Gives the measures of each network, alpha and split.

    Args:
        networks: with or without runs.
        splits: split -> its title.
        caption: goes on below the table.
        others: columns before those of the measures.

    Returns:
        Table.
    """
    return declared.table(
        "geometry",
        f"{_SHAPE} {caption}",
        [
            Shape(clusters, alpha, *split)
            for clusters in networks
            for alpha in clusters.records
            for split in splits.items()
        ],
        ("network", lambda s: s.clusters.network, ""),
        ("alpha", lambda s: s.alpha, "g"),
        ("split", lambda s: s.title, ""),
        *others,
        *declared.each(
            MEASURES,
            lambda name: name.replace("_", " "),
            Shape.measure,
            ".4f",
        ),
    )


def claims(
    networks: Iterable[Clusters], splits: Mapping[str, str]
) -> list[Claim[Shape]]:
    """Says of each network, measure and split whether smoothing lowers it.

    Args:
        networks: with or without runs.
        splits: split -> its title.

    Returns:
        list: of the smoothed network's shapes; the text is the measure.

    Source: Mueller et al. 2019, section 2; the measures: ours.
    """
    return [
        Claim(smoothed, smoothed.of_seed(name), hard.of_seed(name), name)
        for clusters in networks
        for name in MEASURES
        for split in splits.items()
        for hard, smoothed in [[Shape(clusters, a, *split) for a in ALPHAS]]
    ]


def agreement(judged: Iterable[Claim[Shape]]) -> str:
    """Says how many of those that can be judged hold."""
    words = [claim.holds for claim in judged if claim.seeds]
    return f"{words.count('yes')} of {len(words)}"


CLAIM_COLUMNS: tuple[Column[Claim[Shape]], ...] = (
    ("measure", lambda c: MEASURES[c.text][0], ""),
    ("split", lambda c: c.of.title, ""),
    ("alpha=0", lambda c: or_no_run(c.higher.get(0)), ".4f"),
    ("alpha=0.1", lambda c: or_no_run(c.lower.get(0)), ".4f"),
    ("with smoothing", lambda c: MEASURES[c.text][1], ""),
    declared.verdict(),
)
