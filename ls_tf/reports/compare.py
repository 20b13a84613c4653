"""Any networks side by side: accuracy or BLEU, likelihood, calibration, layer.

Source: ours; the measures of Mueller et al. 2019.
Run: python run_experiment.py --report=compare --runs=FOLDER,FOLDER, or with
``--experiment=NAME --vary=alpha:0,.1 --vary=seed:0..2 --run_missing``
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ls_tf.pages import comparison, declared, naming
from ls_tf.pages.blocks import Block, Need
from ls_tf.spec.resolve import RunIdentity

TITLE = "Networks compared"

# Without flags that say what: the two networks of the quick tour.
REQUIRES = (
    Need("fc_digits", {"alpha": 0.0}),
    Need("fc_digits", {"alpha": 0.1}),
)


@dataclass(frozen=True)
class Chosen:
    """A comparison of chosen runs, as a module of this package has one."""

    TITLE: str
    REQUIRES: tuple[Need, ...]
    fields: tuple[str, ...]
    groups: tuple[tuple[Need, ...], ...]

    def build(self, records: declared.Records) -> Iterable[Block]:
        """Builds the page."""
        rows = [
            {need.seed: records[need] for need in group}
            for group in self.groups
        ]
        firsts = [records[group[0]].run for group in self.groups]
        named = naming.names(
            firsts, self.fields, [run["experiment"] for run in firsts]
        )
        return comparison.blocks(
            [
                comparison.Row(name, runs)
                for name, runs in zip(named, rows, strict=True)
            ]
        )


def of(
    identities: Sequence[RunIdentity], fields: Sequence[str] = ("alpha",)
) -> Chosen:
    """Compares some runs; those that differ in the seed alone are one row.

    Args:
        identities: in the order of the rows, of one experiment.
        fields: in which they differ.

    Returns:
        Chosen: for ``builder.build``.

    Source: ours.
    """
    groups: dict[str, list[Need]] = {}
    for one in identities:
        need = Need(one.experiment, one.changes, one.seed)
        groups.setdefault(one.folder.rsplit("/", 1)[0], []).append(need)
    listed = tuple(map(tuple, groups.values()))
    title = f"{TITLE}: {identities[0].experiment}"
    needs = tuple(need for group in listed for need in group)
    return Chosen(title, needs, tuple(fields), listed)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    groups = tuple((need,) for need in REQUIRES)
    return Chosen(TITLE, REQUIRES, ("alpha",), groups).build(records)
