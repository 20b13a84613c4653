"""Hard and smoothed teachers over the temperature: is smoothing harmful?

Mueller et al. 2019 say that smoothed teachers teach worse, Shen et al. 2021
that they teach better; Chandrasegaran et al. 2022 say that both are right, at
higher and at low temperatures. The page is built from whatever records there
are. ``--run_missing`` trains two teachers and 14 students, three seeds.

Source: Chandrasegaran et al. 2022 (arXiv 2206.14532), on the networks of
Mueller et al. 2019, App. A.5.
Run: python run_experiment.py --report=kd_grid
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import canvas, distillation, networks, tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Report, Table, Text
from ls_tf.records.runs import Record
from ls_tf.spec import Value

TITLE = "Hard and smoothed teachers over the temperature"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
_TEMPERATURES = (1.0, 2.0, 3.0, 4.0)
_STUDENT = "fc_mnist_distillation"
_STYLES = {0.0: (canvas.INK, "o"), 0.1: (canvas.VERMILION, "D")}


@dataclass(frozen=True)
class _Protocol:
    """What the student's side of the temperature is."""

    name: str
    shared: bool  # one temperature for both and a factor T squared

    def changes(self, alpha: float, temperature: float) -> dict[str, Value]:
        """The student's changes; at T = 1 both protocols are one."""
        found: dict[str, Value] = {
            "teacher.changes.alpha": alpha,
            "teacher.teacher_temperature": temperature,
        }
        if self.shared and temperature != 1:
            found["teacher.student_temperature"] = temperature
            found["teacher.scale_by_temperature_squared"] = True
        return found


_PROTOCOLS = (
    _Protocol("teacher's temperature only", shared=False),
    _Protocol("temperature of both, times T²", shared=True),
)


def _requires() -> tuple[Need, ...]:
    found: list[Need] = []
    for seed in networks.SEEDS:
        found += [
            Need(
                *distillation.teacher(_STUDENT, a),
                seed,
                row=f"teacher, alpha = {a:g}",
            )
            for a in _ALPHAS
        ]
        found += [
            Need(
                _STUDENT,
                protocol.changes(alpha, temperature),
                seed,
                row=f"{protocol.name}, alpha = {alpha:g}, T = {temperature:g}",
            )
            for protocol in _PROTOCOLS
            for alpha in _ALPHAS
            for temperature in _TEMPERATURES
            if not (protocol.shared and temperature == 1)
        ]
    return tuple(found)


REQUIRES = _requires()


def _percent(
    records: Mapping[Need, Record],
    experiment: str,
    changes: Mapping[str, Value],
) -> dict[int, float]:
    return tables.percent(tables.by_seed(records, experiment, changes))


def _pair(
    records: Mapping[Need, Record], protocol: _Protocol, temperature: float
) -> list[dict[int, float]]:
    """The students of the hard and of the smoothed teacher."""
    return [
        _percent(records, _STUDENT, protocol.changes(alpha, temperature))
        for alpha in _ALPHAS
    ]


def _gammas(
    records: Mapping[Need, Record], protocol: _Protocol, temperature: float
) -> list[float | None]:
    means = []
    for alpha in _ALPHAS:
        found = tables.by_seed(
            records, _STUDENT, protocol.changes(alpha, temperature)
        )
        over = tables.spread(map(distillation.smoothness, found.values()))
        means.append(None if over is None else over.mean)
    return means


def _row(
    name: str,
    temperature: float | None,
    gammas: list[float | None],
    pair: list[dict[int, float]],
) -> tuple[Any, ...]:
    hard, smoothed = pair
    found = tables.less_over_seeds(smoothed, hard)
    ours: tuple[Any, ...] = (NO_RUN,) * 3
    if found.seeds:
        ours = (found.right, found.left, found.left - found.right)
    worse = tables.verdict(found)
    return (
        name, temperature, *gammas, *ours, worse, found.seeds_for, found.seeds
    )  # fmt: skip


def _grid(records: Mapping[Need, Record]) -> pd.DataFrame:
    teachers = [
        _percent(records, *distillation.teacher(_STUDENT, a)) for a in _ALPHAS
    ]
    rows = [_row("teachers", None, [None, None], teachers)]
    rows += [
        _row(
            protocol.name,
            temperature,
            _gammas(records, protocol, temperature),
            _pair(records, protocol, temperature),
        )
        for protocol in _PROTOCOLS
        for temperature in _TEMPERATURES
    ]
    columns = (
        "students", "T", "gamma, hard", "gamma, smoothed",
        "hard teacher, %", "smoothed teacher, %", "difference",
        "smoothed worse", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def _differences(
    records: Mapping[Need, Record], protocol: _Protocol, temperature: float
) -> dict[int, float]:
    """What smoothing the teacher gives its student: seed -> points."""
    hard, smoothed = _pair(records, protocol, temperature)
    return {s: smoothed[s] - hard[s] for s in hard if s in smoothed}


def _compared(
    records: Mapping[Need, Record], protocol: _Protocol
) -> list[tuple[str, str, dict[int, float], dict[int, float]]]:
    """The claims: text, whose, what is lower, what is higher."""
    gains = {t: _differences(records, protocol, t) for t in _TEMPERATURES}
    low = gains[1.0]
    warm: dict[int, float] = {}
    for seed in networks.SEEDS:
        there = [g[seed] for t, g in gains.items() if t > 1 and seed in g]
        if there:
            warm[seed] = statistics.fmean(there)
    nothing = dict.fromkeys(networks.SEEDS, 0.0)
    cold = "at T = 1 the smoothed teacher's student is"
    found = [
        (f"{cold} worse", "Müller et al.", low, nothing),
        (f"{cold} better", "Shen et al.", nothing, low),
    ]
    if protocol.shared:
        found = []  # at T = 1 the runs are the same
    return [
        *found,
        (
            "at T > 1 the smoothed teacher's student is worse (mean over T)",
            "Chandrasegaran et al.",
            warm,
            nothing,
        ),
        (
            "smoothing the teacher gives less at T > 1 than at T = 1",
            "Chandrasegaran et al.",
            warm,
            low,
        ),
    ]


def _claims(records: Mapping[Need, Record]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for protocol in _PROTOCOLS:
        for claim, who, left, right in _compared(records, protocol):
            found = tables.less_over_seeds(left, right)
            numbers = (found.left, found.right) if found.seeds else (None, None)
            rows.append(
                (
                    protocol.name,
                    claim,
                    who,
                    *numbers,
                    tables.verdict(found),
                    found.seeds_for,
                    found.seeds,
                )
            )
    columns = (
        "students", "claim", "whose", "lower", "higher", "holds",
        "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the grid and the claims."""
    return {"grid": _grid(records), "claims": _claims(records)}


def draw(records: Mapping[Need, Record]) -> Figure | None:
    """Draws accuracy over T for both teachers; None if there is no run."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    panels = figure.subplots(1, len(_PROTOCOLS), sharey=True)
    is_empty = True
    for axes, protocol in zip(panels, _PROTOCOLS, strict=True):
        for i, alpha in enumerate(_ALPHAS):
            spreads = {
                t: tables.spread(_pair(records, protocol, t)[i].values())
                for t in _TEMPERATURES
            }
            some = {t: s for t, s in spreads.items() if s is not None}
            if not some:
                continue
            is_empty = False
            colour, marker = _STYLES[alpha]
            axes.fill_between(
                list(some),
                [s.low for s in some.values()],
                [s.high for s in some.values()],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
            axes.plot(
                list(some),
                [s.mean for s in some.values()],
                color=colour,
                marker=marker,
                label=f"teacher with alpha = {alpha:g}",
            )
        axes.set_title(protocol.name, fontsize=10)
        axes.set_xticks(_TEMPERATURES)
        axes.set_xlim(0.8, 4.2)
        axes.set_xlabel("T")
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("student's test accuracy, %")
    return None if is_empty else figure


def _lines(claims: pd.DataFrame) -> tuple[str, ...]:
    return tuple(
        f"{students}: {claim} ({whose}): {holds}, "
        f"{tables.cell(low, '+.2f')} < {tables.cell(high, '+.2f')} points "
        f"({count} of {seeds} seeds)."
        for students, claim, whose, low, high, holds, count, seeds in (
            claims.itertuples(index=False, name=None)
        )
        if seeds
    )


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    figure, lines = draw(records), _lines(data["claims"])
    picture = figure and Picture(
        figure,
        "grid",
        "Accuracy of the students on the 10,000 test images of MNIST: mean "
        "and range over seeds. At T = 1 both panels show the same runs.",
    )
    digits = {"T": "g", "gamma, hard": ".4f", "gamma, smoothed": ".4f"}
    digits |= {name: ".2f" for name in data["grid"].columns[4:6]}
    blocks: tuple[Block, ...] = (
        Text(
            "Müller et al. find that a smoothed teacher teaches worse, Shen "
            "et al. that it teaches better, Chandrasegaran et al. that it "
            "does well at low temperatures and badly at higher ones. The same "
            "students of both teachers decide, on MNIST: with the paper's "
            "temperature, which divides the teacher's logits only, and with "
            "one that divides the logits of both, the loss times T². "
            f"{networks.COMMANDS}"
        ),
        Text("" if lines else "No claim can be judged.", "Claims", lines),
        *([picture] if picture else []),
        Table(
            data["grid"],
            "grid",
            "Test accuracy, %, means over the seeds that both teachers have; "
            "gamma of the teachers' answers on the training images. beta = 1; "
            "a student has the seed of its teacher.",
            digits | {"difference": "+.2f"},
        ),
        Table(
            data["claims"],
            "claims",
            "“Lower” and “higher” are what is compared, percentage points: "
            "accuracy of the smoothed teacher's student less that of the hard "
            "teacher's, against 0 or at the other temperature.",
            {"lower": "+.2f", "higher": "+.2f"},
        ),
    )
    return Report(TITLE, blocks)
