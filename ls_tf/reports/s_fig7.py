"""Translation, German to English: students of a hard and a smoothed teacher.

The page is built from whatever records there are. ``--run_missing`` trains two
teachers and two students of one seed each, about two hours of two CPU cores;
the other seeds are made by the commands on the page.

Source: Shen et al. 2021, figure 7; Multi30k stands for their IWSLT.
Run: python run_experiment.py --report=s_fig7
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from ls_tf.pages import (
    canvas,
    declared,
    networks,
    paired_bootstrap,
    tables,
)
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import Claim, Number, Records, Runs, or_no_run
from ls_tf.pages.paired_bootstrap import Pair
from ls_tf.pages.tables import Spread
from ls_tf.spec import Value

TITLE = "Teachers of translations, with and without smoothing"
PARTIAL = True

_BLEU = Number("translation", "bleu")
_TEACHER = "transformer_multi30k_deen"
_STUDENT = "transformer_multi30k_deen_student"


@dataclass(frozen=True)
class _Who:
    """A teacher or a student, and how it is drawn."""

    name: str
    experiment: str
    changes: tuple[tuple[str, Value], ...]
    style: tuple[str, str, str]  # colour, marker, dashes

    def runs(self, records: Records) -> Runs:
        return tables.by_seed(records, self.experiment, dict(self.changes))


_HARD = _Who(
    "teacher, hard labels",
    _TEACHER,
    (("alpha", 0.0),),
    (canvas.BLUE, "o", "--"),
)
_SMOOTHED = _Who(
    "teacher, alpha = 0.1",
    _TEACHER,
    (("alpha", 0.1),),
    (canvas.VERMILION, "D", "--"),
)
_OF_HARD = _Who(
    "student of the hard teacher",
    _STUDENT,
    (("teacher.changes.alpha", 0.0),),
    (canvas.BLUE, "o", "-"),
)
_OF_SMOOTHED = _Who(
    "student of the smoothed teacher",
    _STUDENT,
    (("teacher.changes.alpha", 0.1),),
    (canvas.VERMILION, "D", "-"),
)
_ALL = (_HARD, _SMOOTHED, _OF_HARD, _OF_SMOOTHED)

REQUIRES = tuple(
    Need(who.experiment, dict(who.changes), seed, seed != 0, row=who.name)
    for seed in networks.SEEDS
    for who in _ALL
)

_COLUMNS = (
    (Number("translation", "bleu"), "BLEU, cased", ".2f"),
    (Number("translation", "bleu_uncased"), "BLEU, uncased", ".2f"),
    (Number("translation", "chrf"), "chrF", ".2f"),
    (Number("token_calibration", "nll"), "NLL, nats", ".4f"),
    (Number("token_calibration", "ece"), "ECE", ".4f"),
    (Number("token_calibration", "accuracy", "%"), "accuracy, %", ".2f"),
)


# Who is claimed to have the lower BLEU, who the higher; the claim, and whose.
_COMPARED = (
    (_OF_HARD, _OF_SMOOTHED, "the smoothed teacher's student is better",
     "Shen et al."),
    (_HARD, _SMOOTHED, "smoothing improves the teacher", "Shen et al."),
    (_HARD, _OF_HARD, "a student of the hard teacher beats its teacher",
     "ours"),
    (_SMOOTHED, _OF_SMOOTHED,
     "a student of the smoothed teacher beats its teacher", "ours"),
)  # fmt: skip


def _claims(runs: Mapping[_Who, Runs]) -> Iterable[Claim[str]]:
    """Judged by an interval over the seeds that both have."""
    for lower, higher, text, whose in _COMPARED:
        of = f"{lower.name} < {higher.name}"
        pair = _BLEU.of(runs[lower]), _BLEU.of(runs[higher])
        yield Claim(of, *pair, text, whose, by_interval=True)


def _curve(runs: Runs) -> list[tuple[int, Spread | None]]:
    """BLEU on the validation captions over the steps."""
    name = "calibrate/translation/bleu"
    return tables.over_steps(record.curve(name) for record in runs.values())


def _figure(runs: Mapping[_Who, Runs]) -> Figure | None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, title, shown in zip(
        panels,
        ("teachers", "students"),
        ((_HARD, _SMOOTHED), (_OF_HARD, _OF_SMOOTHED)),
        strict=True,
    ):
        for who in shown:
            colour, marker, dashes = who.style
            canvas.band(
                axes,
                _curve(runs[who]),
                opacity=0.15,
                color=colour,
                marker=marker,
                linestyle=dashes,
                label=who.name,
            )
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("step")
        canvas.plain(axes)
        if axes.has_data():
            axes.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("validation BLEU, cased")
    return figure if any(axes.has_data() for axes in panels) else None


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    runs = {who: who.runs(records) for who in _ALL}
    yield Text(
        "Shen et al. find that a smoothed teacher of translations has the "
        "better student. A student here has its teacher's sizes; its loss is "
        "half that of the labels, which stay hard, and half the cross-entropy "
        "with the teacher's probabilities of each subword at T = 1. Their "
        "corpus is IWSLT; Multi30k, German to English, is a substitute whose "
        f"numbers are not to be compared with theirs. {networks.COMMANDS}"
    )
    claims = list(_claims(runs))
    yield declared.findings(
        (
            claims,
            "{text} ({whose}): " + declared.compared(".2f", " BLEU"),
        )
    )
    figure = _figure(runs)
    if figure:
        yield Picture(
            figure,
            "curves",
            "BLEU on the validation captions during the training. "
            f"{canvas.BAND} As figure 7 of Shen et al. 2021.",
        )
    yield declared.table(
        "scores",
        "On test_2016_flickr; means over seeds. Beam of 4, length penalty 0.6; "
        "NLL, ECE and accuracy of the next subword, given the right ones. The "
        "95 % interval is sacreBLEU's bootstrap over the sentences.",
        runs.items(),
        ("who", lambda r: r[0].name, ""),
        *(
            (heading, lambda r, n=number: or_no_run(n.mean(r[1])), form)
            for number, heading, form in _COLUMNS
        ),
        (
            "BLEU, cased, 95 % of the first seed",
            lambda r: paired_bootstrap.interval(r[1], _BLEU.name),
            ".2f",
        ),
        ("seeds", lambda r: len(r[1]), ""),
        ("steps", lambda r: networks.steps(r[1]), ""),
    )
    yield declared.table(
        "claims",
        "BLEU, cased, means over the seeds that both have. "
        f"{declared.INTERVAL}",
        claims,
        ("claim", lambda c: c.text, ""),
        ("whose", lambda c: c.whose, ""),
        ("lower < higher", lambda c: c.of, ""),
        *declared.judged(".2f", by_interval=True),
    )
    yield from paired_bootstrap.blocks(
        [
            Pair("Teachers and students", (a.name, b.name), runs[a], runs[b])
            for a, b, _, _ in _COMPARED
        ],
        (_BLEU.name,),
    )
