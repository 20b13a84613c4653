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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, distillation, networks, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs, or_no_run
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
        changes: dict[str, Value] = {
            "teacher.changes.alpha": alpha,
            "teacher.teacher_temperature": temperature,
        }
        if self.shared and temperature != 1:
            changes["teacher.student_temperature"] = temperature
            changes["teacher.scale_by_temperature_squared"] = True
        return changes


_PROTOCOLS = (
    _Protocol("teacher's temperature only", shared=False),
    _Protocol("temperature of both, times T²", shared=True),
)


REQUIRES = tuple(
    need
    for seed in networks.SEEDS
    for need in (
        *(
            Need(
                *distillation.teacher(_STUDENT, alpha),
                seed,
                row=f"teacher, alpha = {alpha:g}",
            )
            for alpha in _ALPHAS
        ),
        *(
            Need(
                _STUDENT,
                protocol.changes(alpha, t),
                seed,
                row=f"{protocol.name}, alpha = {alpha:g}, T = {t:g}",
            )
            for protocol in _PROTOCOLS
            for alpha in _ALPHAS
            for t in _TEMPERATURES
            if not (protocol.shared and t == 1)
        ),
    )
)


@dataclass(frozen=True)
class _Pair:
    """Runs that differ in the teacher's smoothing; the teachers have no T."""

    name: str
    temperature: float | None
    hard: Runs
    smoothed: Runs

    @property
    def worse(self) -> Claim["_Pair"]:
        """Those of the smoothed teacher are the worse ones."""
        return Claim(self, ACCURACY.of(self.smoothed), ACCURACY.of(self.hard))

    def gains(self) -> dict[int, float]:
        """What smoothing the teacher gives its student: seed -> points."""
        hard, smoothed = ACCURACY.of(self.hard), ACCURACY.of(self.smoothed)
        return {s: smoothed[s] - hard[s] for s in hard if s in smoothed}


_Grid = Mapping[_Protocol, Mapping[float, _Pair]]


def _teachers(records: Records) -> _Pair:
    runs = [distillation.teacher(_STUDENT, a) for a in _ALPHAS]
    return _Pair("teachers", None, *(tables.by_seed(records, *r) for r in runs))


def _grid(records: Records) -> _Grid:
    def pair(protocol: _Protocol, t: float) -> _Pair:
        changes = [protocol.changes(a, t) for a in _ALPHAS]
        runs = (tables.by_seed(records, _STUDENT, c) for c in changes)
        return _Pair(protocol.name, t, *runs)

    return {p: {t: pair(p, t) for t in _TEMPERATURES} for p in _PROTOCOLS}


def _gamma(runs: Runs, pair: _Pair) -> float | None:
    """Of the teachers' answers; of the teachers themselves there is none."""
    if pair.temperature is None:
        return None
    return tables.mean(map(distillation.smoothness, runs.values()))


def _claims(
    protocol: _Protocol, pairs: Mapping[float, _Pair]
) -> Iterable[Claim[str]]:
    gains = {t: pair.gains() for t, pair in pairs.items()}
    cold = gains.pop(1.0)
    warm: dict[int, float] = {}
    for seed in networks.SEEDS:
        points = [of_t[seed] for of_t in gains.values() if seed in of_t]
        if points:
            warm[seed] = statistics.fmean(points)
    nothing = dict.fromkeys(networks.SEEDS, 0.0)
    name, both = protocol.name, "Chandrasegaran et al."
    if not protocol.shared:  # otherwise the runs at T = 1 are the same
        text = "at T = 1 the smoothed teacher's student is"
        yield Claim(name, cold, nothing, f"{text} worse", "Müller et al.")
        yield Claim(name, nothing, cold, f"{text} better", "Shen et al.")
    text = "at T > 1 the smoothed teacher's student is worse (mean over T)"
    yield Claim(name, warm, nothing, text, both)
    text = "smoothing the teacher gives less at T > 1 than at T = 1"
    yield Claim(name, warm, cold, text, both)


def _figure(grid: _Grid) -> Figure | None:
    """Draws accuracy over T for both teachers; None if there is no run."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    panels = figure.subplots(1, len(grid), sharey=True)
    for axes, (protocol, pairs) in zip(panels, grid.items(), strict=True):
        for alpha, (colour, marker) in _STYLES.items():
            canvas.band(
                axes,
                [
                    (t, ACCURACY.over(pair.smoothed if alpha else pair.hard))
                    for t, pair in pairs.items()
                ],
                opacity=0.15,
                color=colour,
                marker=marker,
                label=f"teacher with alpha = {alpha:g}",
            )
        axes.set_title(protocol.name, fontsize=10)
        axes.set(xticks=_TEMPERATURES, xlim=(0.8, 4.2), xlabel="T")
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("student's test accuracy, %")
    return figure if any(axes.has_data() for axes in panels) else None


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    grid = _grid(records)
    claims = [c for p, pairs in grid.items() for c in _claims(p, pairs)]
    yield Text(
        "Müller et al. find that a smoothed teacher teaches worse, Shen et al. "
        "that it teaches better, Chandrasegaran et al. that it does well at "
        "low temperatures and badly at higher ones. The same students of both "
        "teachers decide, on MNIST: with the paper's temperature, which "
        "divides the teacher's logits only, and with one that divides the "
        f"logits of both, the loss times T². {networks.COMMANDS}"
    )
    yield declared.findings(
        *declared.sentences(
            claims,
            "{of}: {text} ({whose}): {holds}, {low:+.2f} < {high:+.2f} points "
            "({count}).",
        )
    )
    figure = _figure(grid)
    if figure:
        yield Picture(
            figure,
            "grid",
            "Accuracy of the students on the 10,000 test images of MNIST: mean "
            "and range over seeds. At T = 1 both panels show the same runs.",
        )
    yield declared.table(
        "grid",
        "Test accuracy, %, means over the seeds that both teachers have; gamma "
        "of the teachers' answers on the training images. beta = 1; a student "
        "has the seed of its teacher.",
        [
            _teachers(records),
            *(p for row in grid.values() for p in row.values()),
        ],
        ("students", lambda p: p.name, ""),
        ("T", lambda p: p.temperature, "g"),
        ("gamma, hard", lambda p: _gamma(p.hard, p), ".4f"),
        ("gamma, smoothed", lambda p: _gamma(p.smoothed, p), ".4f"),
        ("hard teacher, %", lambda p: or_no_run(p.worse.high), ".2f"),
        ("smoothed teacher, %", lambda p: or_no_run(p.worse.low), ".2f"),
        ("difference", lambda p: or_no_run(p.worse.difference), "+.2f"),
        ("smoothed worse", lambda p: p.worse.holds, ""),
        ("seeds for it", lambda p: p.worse.seeds_for, ""),
        ("seeds", lambda p: p.worse.seeds, ""),
    )
    yield declared.table(
        "claims",
        "“Lower” and “higher” are what is compared, percentage points: "
        "accuracy of the smoothed teacher's student less that of the hard "
        "teacher's, against 0 or at the other temperature.",
        claims,
        ("students", lambda c: c.of, ""),
        ("claim", lambda c: c.text, ""),
        ("whose", lambda c: c.whose, ""),
        *declared.judged("+.2f"),
    )
