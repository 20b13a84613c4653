"""The networks of the reports: rows, schedules, the runs they need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ls_tf.pages import tables
from ls_tf.pages.blocks import Need
from ls_tf.pages.quoted import Printed
from ls_tf.pages.tables import AsPrinted
from ls_tf.records.runs import Record
from ls_tf.spec import registry

SEEDS = (0, 1, 2)

COMMANDS = "The commands for rows without a run are at the end of the page."


@dataclass(frozen=True)
class Network:
    """A network on a data set, under one schedule.

    ``row`` is its name in ``paper_numbers.csv``; ``detail`` and ``precision``
    tell it from others of that name.
    """

    row: str
    experiment: str
    detail: str = ""
    precision: str = ""  # where it is not the experiment's

    @property
    def name(self) -> str:
        """Data, network, detail and precision, without the schedule."""
        words = (self.row, self.detail, self.precision)
        return ", ".join(w for w in words if w)

    @property
    def file(self) -> str:
        """A word for the names of its pictures."""
        return "_".join(filter(None, (self.experiment, self.precision)))

    def changes(self, alpha: float) -> dict[str, Any]:
        """What its run at one alpha changes of the experiment."""
        precision = {"train.precision": self.precision}
        return {"alpha": alpha, **(precision if self.precision else {})}

    @property
    def factor(self) -> int:
        """What the steps of the full schedule are divided by; 1 if it is it."""
        module = registry.get("ls_tf.experiments", self.experiment)
        return getattr(module, "FACTOR", 1)

    @property
    def is_short(self) -> bool:
        """Whether it is trained for less than the full schedule."""
        return self.factor > 1

    @property
    def schedule(self) -> str:
        """The schedule in words."""
        return f"steps / {self.factor}" if self.is_short else "full"

    @property
    def label(self) -> str:
        """Name and, unless it is the full one, schedule."""
        return f"{self.name}, {self.schedule}" if self.is_short else self.name

    def printed(self, paper: Printed, column: str) -> AsPrinted | None:
        """What a paper prints of it; nothing for a shortened schedule."""
        return None if self.is_short else paper.get((self.row, column))


def needs(
    network: Network,
    alphas: Sequence[float],
    seeds: Sequence[int] = (0,),
    headline: Sequence[float] = (),
    headline_seeds: Sequence[int] = (0,),
) -> Iterable[Need]:
    """Lists the runs of a network.

    Args:
        network: which one.
        alphas: the amounts of smoothing.
        seeds: of each.
        headline: alphas that ``--run_missing`` trains.
        headline_seeds: of which seeds.

    Yields:
        Need: alpha by alpha.
    """
    for alpha in alphas:
        for seed in seeds:
            yield Need(
                network.experiment,
                network.changes(alpha),
                seed,
                optional=seed not in headline_seeds or alpha not in headline,
                row=f"{network.label}, alpha = {alpha:g}",
            )


def all_needs(
    networks: Iterable[Network],
    alphas: Sequence[float],
    seeds: Sequence[int] = (0,),
    headline: Mapping[Network, Sequence[float]] = MappingProxyType({}),
) -> tuple[Need, ...]:
    """Lists the runs of some networks, see ``needs``."""
    return tuple(
        need
        for network in networks
        for need in needs(network, alphas, seeds, headline.get(network, ()))
    )


def runs(
    records: Mapping[Need, Record], network: Network, alpha: float
) -> dict[int, Record]:
    """Picks a network's records: seed -> record."""
    return tables.by_seed(records, network.experiment, network.changes(alpha))


@dataclass(frozen=True)
class AtAlpha:
    """The runs of a network at one alpha: a row of many tables."""

    network: Network
    alpha: float
    runs: Mapping[int, Record]


def over_alpha(
    records: Mapping[Need, Record],
    networks: Iterable[Network],
    alphas: Sequence[float],
) -> list[AtAlpha]:
    """Picks the runs of some networks, with or without any, alpha by alpha."""
    return [
        AtAlpha(network, alpha, runs(records, network, alpha))
        for network in networks
        for alpha in alphas
    ]


def seed_0(
    records: Mapping[Need, Record], network: Network, alphas: Iterable[float]
) -> dict[float, Record | None]:
    """Picks the run of seed 0 of each alpha, or None."""
    return {a: runs(records, network, a).get(0) for a in alphas}


def first_runs(
    records: Mapping[Need, Record], network: Network, alphas: Sequence[float]
) -> dict[float, Record]:
    """Picks the first seed of each alpha that has a run."""
    return {
        row.alpha: next(iter(row.runs.values()))
        for row in over_alpha(records, [network], alphas)
        if row.runs
    }


def steps(*trained: Mapping[Any, Record]) -> int | str | None:
    """Reads how long the runs were trained; None if there is no run."""
    runs_of = [record.run for of in trained for record in of.values()]
    counts = sorted({run.get("steps", run["step"]) for run in runs_of})
    if len(counts) > 1:
        return ", ".join(map(str, counts))
    return counts[0] if counts else None


def missing(over_alphas: Mapping[float, Any]) -> str:
    """A sentence that names the alphas without a run, for a caption."""
    names = [f"{alpha:g}" for alpha, run in over_alphas.items() if not run]
    return f" No run: alpha {', '.join(names)}." if names else ""
