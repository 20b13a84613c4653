"""Networks trained on noisy labels: their numbers over a and p, beside theory.

Source: the figures 5 to 11 of Chen et al. 2020.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import label_noise, ranks
from ls_tf.pages import cifar, declared, networks, tables
from ls_tf.pages.blocks import Need, Table
from ls_tf.pages.declared import ACCURACY, Claim, Number, Records
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record

CLASSES = 10  # of MNIST and CIFAR-10
NLL = Number("classification", "nll", "nats")
ERROR = Number("classification", "error", "%")

FULL = Network("MNIST LeNet 20/50/500", "noise_mnist")
NARROW = Network("MNIST LeNet 10/20/50", "noise_mnist_narrow")
CIFAR = Network("CIFAR-10 ResNet-18, width 20", "noise_cifar10")
NETWORKS = (FULL, NARROW, CIFAR)
MNIST = (FULL, NARROW)

RATES = tuple(k / 10 for k in range(1, 11))  # a of the grid
TARGETS = (*(k / 10 for k in range(1, 10)), 0.95, 1.0)  # p of the grid
SLICES = (0.5, 0.8, 0.95)  # a at which p is finer
FINE = tuple(k / 20 for k in range(1, 21))

Read = Callable[[Record], float]


def protocol(records: Records) -> str:
    """What a page says of its networks: names, seeds, schedules, commands."""
    seeds = tables.counted(len({need.seed for need in records}), "seed")
    return (
        "Behind LeNet stand the filters of its two convolutions and its hidden "
        f"units. The runs at hand have {seeds}; means are over those that all "
        f"p of an a have. {cifar.SHORTENED} {networks.COMMANDS}"
    )


@dataclass(frozen=True)
class Sweep:
    """One network's runs over a and p.

    Attributes:
        network: which.
        rates: A values of a.
        targets: P values of p.
        tested: "train" where the test labels are clean, "all" where not.
    """

    network: Network
    rates: tuple[float, ...] = RATES
    targets: tuple[float, ...] = TARGETS
    tested: str = "train"

    def changes(self, a: float, p: float) -> dict[str, float | str]:
        """What tells a run of the network from the others."""
        noisy = {"data.noisy_labels": "all"} if self.tested == "all" else {}
        return {"data.label_kept": a, "loss.options.p": p, **noisy}

    def needs(self) -> Iterable[Need]:
        """Lists the runs; the headline is seed 0 of the narrow network."""
        for a in self.rates:
            for p in self.targets:
                for seed in networks.SEEDS:
                    yield Need(
                        self.network.experiment,
                        self.changes(a, p),
                        seed,
                        optional=self.network != NARROW or seed != 0,
                        row=f"{self.network.label}, a = {a:g}, p = {p:g}",
                    )

    def values(
        self, records: Records, read: Read, seed: int | None = None
    ) -> np.ndarray:
        """Reads a number of every run.

        Args:
            records: of the report.
            read: gives the number of a record.
            seed: which; None for the mean over those that all p of an a have,
                of those p that have a run: over all of each where there is no
                such seed.

        Returns:
            float64 [P, A]; NaN without a run.
        """
        values = np.full((len(self.targets), len(self.rates)), np.nan)
        name = self.network.experiment
        for j, a in enumerate(self.rates):
            column = [
                tables.by_seed(records, name, self.changes(a, p))
                for p in self.targets
            ]
            seeds = [set(runs) for runs in column if runs]
            shared = set.intersection(*seeds) if seeds else set()
            for i, runs in enumerate(column):
                wanted = (shared or set(runs)) if seed is None else {seed}
                numbers = [read(runs[s]) for s in sorted(wanted & set(runs))]
                if numbers:
                    values[i, j] = np.mean(numbers)
        return values

    def theory(self, kind: str) -> np.ndarray:
        """The expected loss of a type, float64 [P, A]."""
        targets = np.array(self.targets)[:, None]
        return label_noise.loss(kind, targets, self.rates, CLASSES)


def needs(*sweeps: Sweep) -> tuple[Need, ...]:
    """Lists the runs of some sweeps, each once."""
    return tuple(dict.fromkeys(n for sweep in sweeps for n in sweep.needs()))


def of(number: Number) -> Read:
    """Reads a number of a record, as a page shows it."""
    return lambda record: number.of({0: record})[0]


nll, accuracy, error = of(NLL), of(ACCURACY), of(ERROR)


def early(record: Record) -> float:
    """The best test accuracy that was measured over the training, %."""
    (value,) = ACCURACY.best({0: record}).values()
    return value


def best(values: np.ndarray, targets: Sequence[float]) -> np.ndarray:
    """The p of the lowest value at each a; NaN where fewer than two are there.

    Args:
        values: float64 [P, A].
        targets: the P values of p.

    Returns:
        float64 [A].
    """
    places = np.argmin(np.where(np.isnan(values), np.inf, values), axis=0)
    enough = np.sum(~np.isnan(values), axis=0) >= 2
    return np.where(enough, np.array(targets)[places], np.nan)


def is_there(values: np.ndarray) -> bool:
    """Whether any run is."""
    return not np.isnan(values).all()


def cell(value: float) -> object:
    """A number of a table, or that there is no run where it is NaN."""
    return declared.or_no_run(None if np.isnan(value) else float(value))


def claims_table(
    claims: Sequence[Claim[str]], caption: str, number_format: str
) -> Table:
    """Tabulates the claims of a page, which are judged by an interval.

    Args:
        claims: of networks, by their names.
        caption: says what their numbers are.
        number_format: of these.
    """
    return declared.table(
        "claims",
        f"{caption} {declared.INTERVAL}",
        claims,
        ("network", lambda claim: claim.of, ""),
        ("claim", lambda claim: claim.text, ""),
        *declared.judged(number_format, by_interval=True),
    )


def grid_table(
    name: str, caption: str, grids: Mapping[Sweep, np.ndarray], form: str
) -> Table:
    """Gives numbers over a and p: a row for each network and p.

    Args:
        name: of the table.
        caption: below it.
        grids: sweeps, all over the same a, and their values [P, A].
        form: of the numbers.
    """
    rates = next(iter(grids)).rates
    rows = [
        (sweep.network.label, p, row)
        for sweep, values in grids.items()
        for p, row in reversed(
            list(zip(sweep.targets, values.tolist(), strict=True))
        )
    ]

    def cell(row: tuple[str, float, list[float]], a: float) -> float | None:
        value = row[2][rates.index(a)]
        return None if np.isnan(value) else value

    return declared.table(
        name,
        caption,
        rows,
        ("network", lambda row: row[0], ""),
        ("p", lambda row: row[1], "g"),
        *declared.each(rates, "a = {:g}".format, cell, form),
    )


@dataclass(frozen=True)
class Minimum:
    """Where the measured loss of one network is least, at one a."""

    network: Network
    a: float
    p: float | None
    loss: float | None
    ranks: Mapping[str, float | None]


def minima(grids: Mapping[Sweep, np.ndarray]) -> Iterable[Minimum]:
    """Compares each column of measured losses with the three types."""
    for sweep, values in grids.items():
        places = best(values, sweep.targets)
        theories = {kind: sweep.theory(kind) for kind in label_noise.KINDS}
        for i, a in enumerate(sweep.rates):
            is_known = not np.isnan(places[i])
            yield Minimum(
                sweep.network,
                a,
                float(places[i]) if is_known else None,
                float(np.nanmin(values[:, i])) if is_known else None,
                {
                    kind: ranks.correlation(theory[:, i], values[:, i])
                    for kind, theory in theories.items()
                },
            )


def minima_table(grids: Mapping[Sweep, np.ndarray], caption: str) -> Table:
    """Gives measured and expected best p, and rank correlations, a row an a."""

    def expected(row: Minimum, kind: str) -> float:
        return label_noise.optimal_p(kind, row.a, CLASSES)

    def order(row: Minimum, kind: str) -> object:
        return declared.or_no_run(row.ranks[kind])

    return declared.table(
        "minima",
        "The p of the least test loss, measured among those p that have a run "
        "and by the three types; and Spearman's rank correlation of measured "
        f"and expected losses over those p at which both are finite. "
        f"{caption}",
        minima(grids),
        ("network", lambda row: row.network.label, ""),
        ("a", lambda row: row.a, "g"),
        ("best p, measured", lambda row: declared.or_no_run(row.p), "g"),
        ("loss there, nats", lambda row: declared.or_no_run(row.loss), ".4f"),
        *declared.each(label_noise.KINDS, "best p, {}".format, expected, ".3f"),
        *declared.each(label_noise.KINDS, "rank, {}".format, order, ".2f"),
    )


def distance(records: Records, sweep: Sweep, kind: str) -> dict[int, float]:
    """How far the measured best p is from a type's: seed -> mean over a."""
    expected = [label_noise.optimal_p(kind, a, CLASSES) for a in sweep.rates]
    found: dict[int, float] = {}
    for seed in networks.SEEDS:
        places = best(sweep.values(records, nll, seed), sweep.targets)
        if not np.isnan(places).all():
            found[seed] = float(np.nanmean(np.abs(places - expected)))
    return found
