"""A tour of the study on scikit-learn's digits, which need no download.

Source: ours; what Mueller et al. 2019 show, at the size of 8 x 8 images.
Run: python run_experiment.py --report=quick_tour --run_missing
"""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import drawing, tables
from ls_tf.pages.blocks import Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record
from ls_tf.spec import Value

TITLE = "A quick tour of label smoothing"

_LABEL = "scikit-learn digits, 1 seed"
_HARD, _SMOOTHED = {"alpha": 0.0}, {"alpha": 0.1}
_OF_HARD: dict[str, Value] = {}
_OF_SMOOTHED = {"teacher.changes.alpha": 0.1}
_NETWORKS = {
    "hard targets (alpha = 0)": _HARD,
    "smoothed (alpha = 0.1)": _SMOOTHED,
}
_STUDENTS = (
    ("hard targets", _HARD, _OF_HARD),
    ("smoothed", _SMOOTHED, _OF_SMOOTHED),
)

REQUIRES = (
    Need("fc_digits", _HARD),
    Need("fc_digits", _SMOOTHED),
    Need("fc_digits_student", _OF_HARD),
    Need("fc_digits_student", _OF_SMOOTHED),
)


def _networks(records: Mapping[Need, Record]) -> dict[str, Record]:
    return {
        name: tables.record_of(records, "fc_digits", changes)
        for name, changes in _NETWORKS.items()
    }


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the scores of both networks, and teachers beside students."""
    rows = []
    for name, record in _networks(records).items():
        values = record.scalars("reliability", "report")
        rows.append(
            (
                name,
                100 * values["accuracy"],
                values["nll"],
                values["ece"],
                values["temperature"],
                values["nll_scaled"],
                values["ece_scaled"],
            )
        )
    columns = (
        "network", "accuracy, %", "NLL", "ECE", "T", "NLL at T", "ECE at T",
    )  # fmt: skip
    students = []
    for name, teacher, student in _STUDENTS:
        left, right = (
            100
            * tables.record_of(records, experiment, changes).scalars(
                "classification", "report"
            )["accuracy"]
            for experiment, changes in (
                ("fc_digits", teacher),
                ("fc_digits_student", student),
            )
        )
        students.append((name, left, right, right - left))
    return {
        "scores": tables.frame(columns, rows),
        "students": tables.frame(
            ("teacher trained with", "teacher, %", "student, %", "difference"),
            students,
        ),
    }


def draw(
    records: Mapping[Need, Record],
) -> tuple[Figure, Figure]:
    """Draws both networks' reliability and their penultimate layers."""
    diagrams, projections = [], []
    for name, record in _networks(records).items():
        arrays = record.arrays("reliability", "report")
        t = record.scalars("reliability", "report")["temperature"]
        diagrams += [
            drawing.Panel(name, arrays),
            drawing.Panel(f"the same at T = {t:.3g}", arrays, "_scaled"),
        ]
        points = record.arrays("penultimate", "report")
        projections.append(drawing.Panel(name, points))
    titles = {"train": "training images", "report": "test images"}
    return (
        drawing.reliability_figure(diagrams, columns=2),
        drawing.projection_figure(projections, titles),
    )


def _findings(data: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """What the paper says, and whether these runs say the same."""
    scores, students = data["scores"], data["students"]

    def line(claim: str, name: str, table: pd.DataFrame, less: bool) -> str:
        hard, smoothed = table[name]
        low, high = (smoothed, hard) if less else (hard, smoothed)
        holds = tables.yes_no(tables.is_less(low, high))
        form = ".2f" if "%" in name else ".4f"
        numbers = f"{hard:{form}} hard, {smoothed:{form}} smoothed"
        return f"{claim}: {holds} ({numbers})."

    return (
        line("Smoothing raises the accuracy, %", "accuracy, %", scores, False),
        line("Smoothing lowers the calibration error", "ECE", scores, True),
        line(
            "It still does after each network's temperature is fitted",
            "ECE at T", scores, True,
        ),
        line(
            "The smoothed teacher's student is worse, accuracy in %",
            "student, %", students, True,
        ),
    )  # fmt: skip


def _texts(records: Mapping[Need, Record]) -> dict[str, Text]:
    measured = next(iter(_networks(records).values())).measurement(
        "reliability", "report"
    )
    return {
        "start": Text(
            "Label smoothing trains a classifier towards targets that keep a "
            "little probability, alpha, for all classes alike. Two networks "
            "were trained that differ in nothing else, and a small student "
            f"from each. Shown: {_LABEL}, {measured['count']} test images. "
            "Differences of a few images are noise; the MNIST reports repeat "
            "this at the size of the papers."
        ),
        "calibration": Text(
            "A network is calibrated if it is right in 90 of 100 cases of "
            "which it is 90 % sure. Bars below the dashed line are answers "
            "given too surely, bars above it too shyly. The expected "
            "calibration error (ECE) is the mean gap. Dividing the logits by "
            "one number T, fitted on other images, changes the confidence and "
            "never the answer.",
            "Does it know what it knows?",
        ),
        "projection": Text(
            "The vector before the last layer, seen in the plane of three "
            "classes' weights. Look at how tight the clusters are, and whether "
            "they form a regular triangle.",
            "What happens inside",
        ),
        "students": Text(
            "A small student is trained on the labels and on a teacher's "
            "logits. The paper finds that a smoothed teacher, better or not, "
            "teaches worse: what it erased inside the clusters was what the "
            "student could have learned.",
            "Who teaches better?",
        ),
    }


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data, texts = collect(records), _texts(records)
    diagrams, projections = draw(records)
    scores = {
        "accuracy, %": ".2f", "NLL": ".4f", "ECE": ".4f", "T": ".3f",
        "NLL at T": ".4f", "ECE at T": ".4f",
    }  # fmt: skip
    students = {
        "teacher, %": ".2f", "student, %": ".2f", "difference": "+.2f",
    }  # fmt: skip
    yield texts["start"]
    yield Table(
        data["scores"],
        "scores",
        f"Test images, {_LABEL}. NLL in nats, ECE as a fraction over 15 bins; "
        "T fitted on images that are neither trained nor reported on.",
        scores,
    )
    yield Text(
        "What the paper finds on larger data, and whether these runs agree:",
        "",
        _findings(data),
    )
    yield texts["calibration"]
    yield Picture(
        diagrams,
        "reliability",
        f"Reliability diagrams ({_LABEL}); empty bins are left out. "
        "Underneath, how many images each bin rests on (logarithmic).",
    )
    yield texts["projection"]
    yield Picture(
        projections,
        "penultimate",
        f"Classes 0, 1 and 2 ({_LABEL}); crosses are the classes' weights. The "
        "axes of a row are the same.",
    )
    yield texts["students"]
    yield Table(
        data["students"],
        "students",
        f"Test accuracy of teachers and students ({_LABEL}); the difference in "
        "percentage points.",
        students,
    )
