"""Hard and smoothed teachers over the temperature: is smoothing harmful?

Mueller et al. 2019 say that smoothed teachers teach worse, Shen et al. 2021
that they teach better; Chandrasegaran et al. 2022 say that both are right, at
higher and at low temperatures. The page is built from whatever records there
are. ``--run_missing`` trains two teachers and 14 students, three seeds.

Source: Chandrasegaran et al. 2022 (arXiv 2206.14532), on the networks of
Mueller et al. 2019, App. A.5.
Run: python run_experiment.py --report=kd_grid
"""

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


# What the student's side of the temperature is.
_ONE = "teacher's temperature only"
_BOTH = "temperature of both, times T²"


def _run(
    name: str, alpha: float, temperature: float | None
) -> tuple[str, dict[str, Value]]:
    """A student of a protocol, which at T = 1 are one; without T, a teacher."""
    if temperature is None:
        return distillation.teacher(_STUDENT, alpha)
    changes: dict[str, Value] = {
        "teacher.changes.alpha": alpha,
        "teacher.teacher_temperature": temperature,
    }
    if name == _BOTH and temperature != 1:
        changes["teacher.student_temperature"] = temperature
        changes["teacher.scale_by_temperature_squared"] = True
    return _STUDENT, changes


_OVER_T = {"teacher": (None,), _ONE: _TEMPERATURES, _BOTH: _TEMPERATURES}
REQUIRES = tuple(
    dict.fromkeys(  # no run twice
        Need(
            *_run(name, alpha, t),
            seed,
            row=f"{name}, alpha = {alpha:g}" + (f", T = {t:g}" if t else ""),
        )
        for seed in networks.SEEDS
        for name, temperatures in _OVER_T.items()
        for alpha in _ALPHAS
        for t in temperatures
    )
)


@dataclass(frozen=True)
class _Pair:
    """Runs that differ in the teacher's smoothing; the teachers have no T."""

    name: str
    temperature: float | None
    hard: Runs
    smoothed: Runs

    def gamma(self, runs: Runs) -> float | None:
        """Of the teachers' answers; of the teachers themselves: none.

        Over the seeds that the accuracies are over.
        """
        if self.temperature is None:
            return None
        both = declared.shared((self.hard, self.smoothed))
        gammas = distillation.gammas({seed: runs[seed] for seed in both})
        return tables.mean(gammas.values())


def _worse(records: Records, name: str, t: float | None) -> Claim[_Pair]:
    """Those of the smoothed teacher are the worse ones."""
    runs = (_run(name, alpha, t) for alpha in _ALPHAS)
    hard, smoothed = (tables.by_seed(records, *run) for run in runs)
    pair = _Pair(name, t, hard, smoothed)
    sides = ACCURACY.of(smoothed), ACCURACY.of(hard)
    return Claim(pair, *sides, by_interval=True)


_OverT = Mapping[float, Claim[_Pair]]


def _claims(protocol: str, worse: _OverT) -> Iterable[Claim[str]]:
    # What smoothing the teacher gives its student: T -> seed -> points.
    gains = {
        t: {s: c.lower[s] - c.higher[s] for s in c.higher if s in c.lower}
        for t, c in worse.items()
    }
    cold = gains.pop(1.0)
    warm = declared.pooled(gains.values())
    nothing = dict.fromkeys(networks.SEEDS, 0.0)
    said = [
        (
            warm,
            nothing,
            "at T > 1 the smoothed teacher's student is worse (mean over T)",
            "Chandrasegaran et al.",
        ),
        (
            warm,
            cold,
            "smoothing the teacher gives less at T > 1 than at T = 1",
            "Chandrasegaran et al.",
        ),
    ]
    if protocol == _ONE:  # otherwise the runs at T = 1 are the same
        text = "at T = 1 the smoothed teacher's student is"
        said = [
            (cold, nothing, f"{text} worse", "Müller et al."),
            (nothing, cold, f"{text} better", "Shen et al."),
            *said,
        ]
    for low, high, text, whose in said:
        yield Claim(protocol, low, high, text, whose, by_interval=True)


def _figure(grid: Mapping[str, _OverT]) -> Figure | None:
    """Draws accuracy over T for both teachers; None if there is no run."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    panels = figure.subplots(1, len(grid), sharey=True)
    for axes, (protocol, worse) in zip(panels, grid.items(), strict=True):
        for alpha, (colour, marker) in _STYLES.items():
            canvas.band(
                axes,
                [
                    (t, ACCURACY.over(c.of.smoothed if alpha else c.of.hard))
                    for t, c in worse.items()
                ],
                opacity=0.15,
                color=colour,
                marker=marker,
                label=f"teacher with alpha = {alpha:g}",
            )
        axes.set_title(protocol, fontsize=10)
        axes.set(xticks=_TEMPERATURES, xlim=(0.8, 4.2), xlabel="T")
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("student's test accuracy, %")
    return figure if any(axes.has_data() for axes in panels) else None


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    grid = {
        protocol: {t: _worse(records, protocol, t) for t in _TEMPERATURES}
        for protocol in (_ONE, _BOTH)
    }
    claims = [c for over_t in grid.items() for c in _claims(*over_t)]
    yield Text(
        "Müller et al. find that a smoothed teacher teaches worse, Shen et al. "
        "that it teaches better, Chandrasegaran et al. that it does well at "
        "low temperatures and badly at higher ones. The same students of both "
        "teachers decide, on MNIST: with the paper's temperature, which "
        "divides the teacher's logits only, and with one that divides the "
        f"logits of both, the loss times T². {networks.COMMANDS}"
    )
    sentence = "{of}: {text} ({whose}): " + declared.compared(".2f", " points")
    yield declared.findings((claims, sentence))
    figure = _figure(grid)
    if figure:
        yield Picture(
            figure,
            "grid",
            "Accuracy of the students on the 10,000 test images of MNIST. "
            f"{canvas.BAND} At T = 1 both panels show the same runs.",
        )
    yield declared.table(
        "grid",
        "Test accuracy, %, means over the seeds that both teachers have; gamma "
        "of the teachers' answers on the training images. beta = 1; a student "
        "has the seed of its teacher.",
        [
            _worse(records, "teachers", None),
            *(c for over_t in grid.values() for c in over_t.values()),
        ],
        ("students", lambda c: c.of.name, ""),
        ("T", lambda c: c.of.temperature, "g"),
        ("gamma, hard", lambda c: c.of.gamma(c.of.hard), ".4f"),
        ("gamma, smoothed", lambda c: c.of.gamma(c.of.smoothed), ".4f"),
        ("hard teacher, %", lambda c: or_no_run(c.high), ".2f"),
        ("smoothed teacher, %", lambda c: or_no_run(c.low), ".2f"),
        ("difference", lambda c: or_no_run(c.difference), "+.2f"),
        declared.verdict("smoothed worse"),
    )
    yield declared.table(
        "claims",
        "“Lower” and “higher” are what is compared, percentage points: "
        "accuracy of the smoothed teacher's student less that of the hard "
        "teacher's, against 0 or at the other temperature. "
        f"{declared.INTERVAL}",
        claims,
        ("students", lambda c: c.of, ""),
        ("claim", lambda c: c.text, ""),
        ("whose", lambda c: c.whose, ""),
        *declared.judged("+.2f", by_interval=True),
    )
