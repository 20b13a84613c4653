"""A tour of the study on scikit-learn's digits, which need no download.

Source: ours; what Mueller et al. 2019 show, at the size of 8 x 8 images.
Run: python run_experiment.py --report=quick_tour --run_missing
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ls_tf.pages import declared, projection, reliability, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import ACCURACY, Claim, Number, Runs

TITLE = "A quick tour of label smoothing"

_LABEL = "scikit-learn digits, 1 seed"
_SPLITS = {"train": "training images", "report": "test images"}
_ECE = Number("reliability", "ece")
_ECE_SCALED = Number("reliability", "ece_scaled")
_NLL = Number("reliability", "nll")
_NLL_SCALED = Number("reliability", "nll_scaled")
_TEMPERATURE = Number("reliability", "temperature")

REQUIRES = (
    Need("fc_digits", {"alpha": 0.0}),
    Need("fc_digits", {"alpha": 0.1}),
    Need("fc_digits_student"),
    Need("fc_digits_student", {"teacher.changes.alpha": 0.1}),
)


@dataclass(frozen=True)
class _Network:
    """A network, and the student that it teaches."""

    name: str
    short: str
    runs: Runs
    student: Runs

    def panels(self) -> list[Panel]:
        """Its reliability, as trained and at its fitted temperature."""
        arrays = self.runs[0].arrays(
            "reliability",
            "report",
            reliability.forms() | reliability.forms("_scaled"),
        )
        scaled = f"the same at T = {_TEMPERATURE.mean(self.runs):.3g}"
        return [Panel(self.name, arrays), Panel(scaled, arrays, "_scaled")]

    def points(self) -> Panel:
        """Its penultimate layer."""
        run = self.runs[0]
        return Panel(
            self.name, run.arrays("penultimate", "report", projection.forms())
        )

    def difference(self) -> float:
        """How much better its student is."""
        return ACCURACY.of(self.student)[0] - ACCURACY.of(self.runs)[0]


def _networks(records: declared.Records) -> list[_Network]:
    hard, smoothed, *students = ({0: records[need]} for need in REQUIRES)
    return [
        _Network("hard targets (alpha = 0)", "hard targets", hard, students[0]),
        _Network("smoothed (alpha = 0.1)", "smoothed", smoothed, students[1]),
    ]


def _findings(hard: _Network, smoothed: _Network) -> Iterable[str]:
    """What the paper says, and whether these runs say the same."""
    pair = hard.runs, smoothed.runs
    students = hard.student, smoothed.student
    raises, lowers = tables.is_less, tables.is_more
    scaled = "It still does after each network's temperature is fitted"
    worse = "The smoothed teacher's student is worse, accuracy in %"
    for text, number, (left, right), agrees in (
        ("Smoothing raises the accuracy, %", ACCURACY, pair, raises),
        ("Smoothing lowers the calibration error", _ECE, pair, lowers),
        (scaled, _ECE_SCALED, pair, lowers),
        (worse, ACCURACY, students, lowers),
    ):
        claim = Claim(text, number.of(left), number.of(right), agrees=agrees)
        digits = 2 if number is ACCURACY else 4
        low, high = f"{claim.low:.{digits}f}", f"{claim.high:.{digits}f}"
        yield f"{text}: {claim.verdict} ({low} hard, {high} smoothed)."


def _students(networks: Iterable[_Network]) -> Iterable[Block]:
    """Says who teaches better."""
    yield Text(
        "A small student is trained on the labels and on a teacher's logits. "
        "The paper finds that a smoothed teacher, better or not, teaches "
        "worse: what it erased inside the clusters was what the student could "
        "have learned.",
        "Who teaches better?",
    )
    yield declared.table(
        "students",
        f"Test accuracy of teachers and students ({_LABEL}); the difference in "
        "percentage points.",
        networks,
        ("teacher trained with", lambda n: n.short, ""),
        ("teacher, %", lambda n: ACCURACY.mean(n.runs), ".2f"),
        ("student, %", lambda n: ACCURACY.mean(n.student), ".2f"),
        ("difference", _Network.difference, "+.2f"),
    )


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    hard, smoothed = networks = _networks(records)
    count = hard.runs[0].measurement("reliability", "report")["count"]
    yield Text(
        "Label smoothing trains a classifier towards targets that keep a "
        "little probability, alpha, for all classes alike. Two networks were "
        "trained that differ in nothing else, and a small student from each. "
        f"Shown: {_LABEL}, {count} test images. Differences of a few images "
        "are noise; the MNIST reports repeat this at the size of the papers."
    )
    yield declared.table(
        "scores",
        f"Test images, {_LABEL}. NLL in nats, ECE as a fraction over 15 bins; "
        "T fitted on images that are neither trained nor reported on.",
        networks,
        ("network", lambda n: n.name, ""),
        ("accuracy, %", lambda n: ACCURACY.mean(n.runs), ".2f"),
        ("NLL", lambda n: _NLL.mean(n.runs), ".4f"),
        ("ECE", lambda n: _ECE.mean(n.runs), ".4f"),
        ("T", lambda n: _TEMPERATURE.mean(n.runs), ".3f"),
        ("NLL at T", lambda n: _NLL_SCALED.mean(n.runs), ".4f"),
        ("ECE at T", lambda n: _ECE_SCALED.mean(n.runs), ".4f"),
    )
    yield Text(
        "What the paper finds on larger data, and whether these runs agree:",
        "",
        tuple(_findings(hard, smoothed)),
    )
    yield Text(
        "A network is calibrated if it is right in 90 of 100 cases of which it "
        "is 90 % sure. Bars below the dashed line are answers given too "
        "surely, bars above it too shyly. The expected calibration error (ECE) "
        "is the mean gap. Dividing the logits by one number T, fitted on other "
        "images, changes the confidence and never the answer.",
        "Does it know what it knows?",
    )
    yield Picture(
        reliability.reliability_figure(
            [*hard.panels(), *smoothed.panels()], columns=2
        ),
        "reliability",
        f"Reliability diagrams ({_LABEL}); empty bins are left out. "
        "Underneath, how many images each bin rests on (logarithmic).",
    )
    yield Text(
        "The vector before the last layer, seen in the plane of three classes' "
        "weights. Look at how tight the clusters are, and whether they form a "
        "regular triangle.",
        "What happens inside",
    )
    yield Picture(
        projection.projection_figure([n.points() for n in networks], _SPLITS),
        "penultimate",
        f"Classes 0, 1 and 2 ({_LABEL}); crosses are the templates, the "
        "classes' weights. The "
        "axes of a row are the same.",
    )
    yield from _students(networks)
