"""Distillation on MNIST: a better teacher whose student is worse.

Source: Mueller et al. 2019, section 4; Wagner et al. 2023, table 4.
Run: python run_experiment.py --report=re_table4_mnist
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import declared, dot_plot, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import Claim, Number, Records, Runs, or_no_run
from ls_tf.spec import Value

TITLE = "MNIST distillation: hard against smoothed teachers"

_SEEDS = (0, 1, 2)
_ERROR = Number("classification", "error", "%")
_PAPER = quoted.numbers("re_table4_mnist")


_HARD = "teacher, hard targets and dropout"
_SMOOTHED = "teacher, smoothed"
_OF_HARD = "student of the hard teacher"
_OF_SMOOTHED = "student of the smoothed teacher"
_PLAIN = "hard targets, no dropout"
_RUNS: Mapping[str, tuple[str, Mapping[str, Value]]] = {
    _HARD: ("fc_mnist_dropout", {}),
    _SMOOTHED: ("fc_mnist", {"alpha": 0.1}),
    _OF_HARD: ("fc_mnist_student", {}),
    _OF_SMOOTHED: ("fc_mnist_student_of_smoothed", {}),
    _PLAIN: ("fc_mnist", {"alpha": 0.0}),
}

REQUIRES = tuple(
    Need(*run, seed, optional=seed != 0)
    for seed in _SEEDS
    for run in _RUNS.values()
)

# Claim -> who errs less, who errs more.
_CLAIMS = {
    "smoothed teacher better than the one with hard targets and dropout": (
        _SMOOTHED,
        _HARD,
    ),
    "its student worse than the student of the hard teacher": (
        _OF_HARD,
        _OF_SMOOTHED,
    ),
    "smoothed teacher better than hard targets without dropout": (
        _SMOOTHED,
        _PLAIN,
    ),
}


@dataclass(frozen=True)
class _Row:
    """A network and its runs."""

    name: str
    runs: Runs

    def printed(self, paper: str) -> float | None:
        return _PAPER.get((self.name, f"{paper} error %"))

    def error(self, seed: int) -> float | None:
        return _ERROR.of(self.runs).get(seed)

    @property
    def line(self) -> dot_plot.Line:
        printed = self.printed("M"), self.printed("R")
        return dot_plot.Line(self.name, *printed, _ERROR.over(self.runs))


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = {
        name: _Row(name, tables.by_seed(records, *run))
        for name, run in _RUNS.items()
    }
    claims = [
        Claim(
            text,
            _ERROR.of(rows[better].runs),
            _ERROR.of(rows[worse].runs),
            printed=(rows[better].printed("M"), rows[worse].printed("M")),
            by_interval=True,
        )
        for text, (better, worse) in _CLAIMS.items()
    ]
    teacher, student = (
        f"{c.verdict} (difference {tables.cell(c.rise, '+.2f')} points of "
        "error)"
        for c in claims[:2]
    )
    yield Text(
        "Müller et al.'s ordering: smoothed teacher better than hard targets "
        f"and dropout: {teacher}; its student worse: {student}."
    )
    yield declared.table(
        "errors",
        "Test error on MNIST, %. Ours over the seeds counted in the last "
        "column. Printed: Müller et al. 2019, section 4; Wagner et al. 2023, "
        "tables 2 and 4 (one run each).",
        rows.values(),
        ("network", lambda r: r.name, ""),
        ("Müller et al.", lambda r: r.printed("M"), ".2f"),
        ("Wagner et al.", lambda r: r.printed("R"), ".2f"),
        ("ours, mean", lambda r: or_no_run(_ERROR.mean(r.runs)), ".2f"),
        ("ours, lowest", lambda r: or_no_run(_ERROR.low(r.runs)), ".2f"),
        ("ours, highest", lambda r: or_no_run(_ERROR.high(r.runs)), ".2f"),
        ("seeds", lambda r: len(r.runs), ""),
    )
    yield Picture(
        dot_plot.figure([r.line for r in rows.values()], "test error, %"),
        "errors",
        f"The same numbers. {dot_plot.OURS}",
    )
    yield declared.table(
        "claims",
        "Claims, for the means over the seeds that both networks have, and the "
        "number of single seeds that agree. The first one compares smoothing "
        "with dropout; the third, smoothing alone. Difference: the worse one's "
        "error less the better one's, points, its 95 % interval over the seeds "
        "(Student's). “Within noise”: the interval holds 0; one seed has none.",
        claims,
        ("claim", lambda c: c.of, ""),
        ("Müller et al.", lambda c: c.holds_in_paper, ""),
        declared.interval("+.2f"),
        declared.verdict("ours"),
    )
    yield declared.table(
        "by_seed",
        "Test error by seed, %. A student has the seed of its teacher.",
        rows.values(),
        ("network", lambda r: r.name, ""),
        *declared.each(_SEEDS, "seed {}".format, _Row.error, ".2f"),
    )
