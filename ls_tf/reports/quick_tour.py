"""A tour of the study on scikit-learn's digits, which need no download.

Source: ours; what Mueller et al. 2019 show, at the size of 8 x 8 images.
Run: python run_experiment.py --report=quick_tour --run_missing
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ls_tf.pages import declared
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import ACCURACY, Claim, Number, Runs
from ls_tf.pages.projection import projection_figure
from ls_tf.pages.reliability import reliability_figure
from ls_tf.pages.tables import by_seed

TITLE = "A quick tour of label smoothing"

_LABEL = "scikit-learn digits, 1 seed"
_SPLITS = {"train": "training images", "report": "test images"}
_ECE = Number("reliability", "ece")
_ECE_SCALED = Number("reliability", "ece_scaled")
_NLL = Number("reliability", "nll")
_NLL_SCALED = Number("reliability", "nll_scaled")
_TEMPERATURE = Number("reliability", "temperature")

_HARD = Need("fc_digits", {"alpha": 0.0})
_SMOOTHED = Need("fc_digits", {"alpha": 0.1})
_OF_HARD = Need("fc_digits_student")
_OF_SMOOTHED = Need("fc_digits_student", {"teacher.changes.alpha": 0.1})
REQUIRES = (_HARD, _SMOOTHED, _OF_HARD, _OF_SMOOTHED)


@dataclass(frozen=True)
class _Network:
    """A network, and the student that it teaches."""

    name: str
    short: str
    runs: Runs
    student: Runs

    def panels(self) -> list[Panel]:
        """Its reliability, as trained and at its fitted temperature."""
        arrays = self.runs[0].arrays("reliability", "report")
        scaled = f"the same at T = {_TEMPERATURE.mean(self.runs):.3g}"
        return [Panel(self.name, arrays), Panel(scaled, arrays, "_scaled")]

    def points(self) -> Panel:
        """Its penultimate layer."""
        return Panel(self.name, self.runs[0].arrays("penultimate", "report"))


def _networks(records: declared.Records) -> list[_Network]:
    return [
        _Network(
            name,
            short,
            *(by_seed(records, n.experiment, n.changes) for n in needs),
        )
        for name, short, *needs in (
            ("hard targets (alpha = 0)", "hard targets", _HARD, _OF_HARD),
            ("smoothed (alpha = 0.1)", "smoothed", _SMOOTHED, _OF_SMOOTHED),
        )
    ]


def _findings(hard: _Network, smoothed: _Network) -> Iterable[str]:
    """What the paper says, and whether these runs say the same."""
    yield from declared.sentences(
        [
            Claim(
                "Smoothing raises the accuracy, %",
                ACCURACY.of(hard.runs),
                ACCURACY.of(smoothed.runs),
            )
        ],
        "{of}: {holds} ({low:.2f} hard, {high:.2f} smoothed).",
    )
    after = "It still does after each network's temperature is fitted"
    yield from declared.sentences(
        [
            Claim(text, number.of(smoothed.runs), number.of(hard.runs))
            for text, number in (
                ("Smoothing lowers the calibration error", _ECE),
                (after, _ECE_SCALED),
            )
        ],
        "{of}: {holds} ({high:.4f} hard, {low:.4f} smoothed).",
    )
    yield from declared.sentences(
        [
            Claim(
                "The smoothed teacher's student is worse, accuracy in %",
                ACCURACY.of(smoothed.student),
                ACCURACY.of(hard.student),
            )
        ],
        "{of}: {holds} ({high:.2f} hard, {low:.2f} smoothed).",
    )


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
        [
            (n.short, ACCURACY.of(n.runs)[0], ACCURACY.of(n.student)[0])
            for n in networks
        ],
        ("teacher trained with", lambda row: row[0], ""),
        ("teacher, %", lambda row: row[1], ".2f"),
        ("student, %", lambda row: row[2], ".2f"),
        ("difference", lambda row: row[2] - row[1], "+.2f"),
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
        reliability_figure([*hard.panels(), *smoothed.panels()], columns=2),
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
        projection_figure([n.points() for n in networks], _SPLITS),
        "penultimate",
        f"Classes 0, 1 and 2 ({_LABEL}); crosses are the classes' weights. The "
        "axes of a row are the same.",
    )
    yield from _students(networks)
