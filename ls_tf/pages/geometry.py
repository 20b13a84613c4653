"""The shape of three clusters, with hard and with smoothed labels."""

from collections.abc import Mapping
from typing import Any

from ls_tf.pages import tables
from ls_tf.pages.blocks import NO_RUN

# Scalar, what it measures, and what the smoothed network's lower number
# means.
MEASURES = (
    ("tightness", "cluster spread / distance of templates", "tighter"),
    ("tightness_by_centres", "cluster spread / distance of clusters",
     "tighter"),
    ("side_spread", "spread of the triangle's sides / mean side",
     "more regular"),
    ("scale", "mean distance of clusters", "smaller scale"),
)  # fmt: skip

Scalars = Mapping[str, float]


def claims(
    hard: Scalars | None, smoothed: Scalars | None, splits: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """Says of each measure and split whether it is lower with smoothing.

    Args:
        hard: scalars of the penultimate layer of the network with alpha 0,
            None without a run.
        smoothed: those of the smoothed network.
        splits: split -> its title.

    Returns:
        list: rows of meaning, split, hard, smoothed, claim, yes or no.

    Source: Mueller et al. 2019, section 2; the measures: ours.
    """
    rows: list[tuple[Any, ...]] = []
    for scalar, meaning, claim in MEASURES:
        for split, title in splits.items():
            left, right = (
                None if values is None else values[f"{split}_{scalar}"]
                for values in (smoothed, hard)
            )
            holds = NO_RUN
            if left is not None and right is not None:
                holds = tables.yes_no(tables.is_less(left, right))
            shown = (NO_RUN if v is None else v for v in (right, left))
            rows.append((meaning, title, *shown, f"{claim}?", holds))
    return rows
