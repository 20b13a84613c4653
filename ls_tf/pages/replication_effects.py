"""What the departures of the replication's code change, in words.

An effect takes what gives the runs of a name, and returns a sentence with the
numbers of their records. They are those of ``reports.replication_audit``.
"""

import math
import statistics
from collections.abc import Callable

from ls_tf.analysis import bleu
from ls_tf.pages import tables
from ls_tf.pages.declared import Number, Runs
from ls_tf.records.arrays import Form

Of = Callable[[str], Runs]  # the name of a run -> seed -> record

ACCURACY = Number("classification", "accuracy", "%")
ERROR = Number("classification", "error", "%")
SWAPPED = ((0.0, 0.45), (0.15, 0.6), (0.3, 0.75))
_TEST_IMAGES = 10_000


def derived(words: str) -> Callable[[Of], str]:
    """An effect that follows by arithmetic: the same words of any runs."""
    return lambda of: words


def _mean(number: Number, runs: Runs) -> float:
    mean = number.mean(runs)
    return math.nan if mean is None else mean


def _token(name: str, unit: str = "") -> Number:
    return Number("token_calibration", name, unit)


def _curve(
    name: str, runs: Runs, evaluator: str = "replication_sweep"
) -> list[float]:
    """The first seed's curve over T; that of the replication's code."""
    record = next(iter(runs.values()))
    forms = {"temperatures": Form("temperatures"), name: Form("temperatures")}
    arrays = record.arrays(evaluator, "report", forms)
    values: list[float] = arrays[name].tolist()
    return values


def padding(*names: str) -> Callable[[Of], str]:
    """Calibration and accuracy of subwords, without padding and with it."""
    numbers = (
        _token("ece"),
        _token("ece_padding_counted"),
        _token("accuracy", "%"),
        _token("accuracy_padding_counted", "%"),
        _token("padding", "%"),
    )

    def words(name: str, runs: Runs) -> str:
        ece, padded, right, counted, share = (_mean(n, runs) for n in numbers)
        return (
            f"{name}: ECE {ece:.3f} without padding, {padded:.3f} with it "
            f"({share:.1f} % of the positions); accuracy {right:.1f} and "
            f"{counted:.1f} %"
        )

    return lambda of: "; ".join(words(name, of(name)) for name in names)


def over_positions(of: Of) -> str:
    """The NLL with a softmax over positions, and over the vocabulary."""
    runs = of("its network, alpha 0")
    drawn = _curve("nll", runs)
    at_one = _curve("temperatures", runs).index(1.0)
    meant = _mean(_token("nll"), runs)
    return (
        f"at T = 1: {drawn[at_one]:.3f} nats over positions, {meant:.3f} over "
        "the vocabulary"
    )


def hidden(of: Of) -> str:
    """What a temperature does that divides the hidden state, greedily."""
    runs = of("its network, alpha 0")
    scores = _curve("bleu_same_tokens", runs)
    changed = _mean(
        Number("replication_sweep", "changed_by_temperature", "%"), runs
    )
    return (
        f"T from 0.5 to 2 changes {changed:.1f} % of the greedy translations "
        f"and BLEU by {max(scores) - min(scores):.2f}"
    )


def beam(*names: str) -> Callable[[Of], str]:
    """What a temperature does that divides logits, with a beam of 4."""

    def words(name: str, runs: Runs) -> str:
        scores = _curve("bleu", runs, "translation_sweep")
        return f"{name}: by {max(scores) - min(scores):.2f} BLEU"

    def effect(of: Of) -> str:
        each = "; ".join(words(name, of(name)) for name in names)
        return f"with a beam of 4, T from 0.5 to 2 moves it ({each})"

    return effect


def glued(of: Of) -> str:
    """BLEU of translations against themselves, split in two ways."""
    record = next(iter(of("alpha 0").values()))
    arrays = record.arrays("translation", "report")
    texts = [str(text) for text in arrays["hypotheses"]]
    score = bleu.against_raw_words(texts, texts)
    return (
        f"our translations against themselves, which is what a perfect "
        f"translation gets: {score:.1f} in place of 100"
    )


def pair(
    number: Number, left: str, right: str, form: str = ".2f"
) -> Callable[[Of], str]:
    """Two networks and one number, in %: the mean where there are seeds."""

    def of_runs(of: Of) -> str:
        one, other = _mean(number, of(left)), _mean(number, of(right))
        count = len(of(left))
        seeds = f", {count} seeds" if count > 1 else ""
        return (
            f"{number.name}{seeds}: {left} {one:{form}} %, "
            f"{right} {other:{form}} % "
            f"({tables.cell(other - one, f'+{form}')})"
        )

    return of_runs


def overwritten(of: Of) -> str:
    """Teachers and students of one alpha that are another's."""
    words = []
    for right, wrong in SWAPPED:
        for who in ("teacher", "student"):
            one, other = (
                _mean(ACCURACY, of(f"{who}, alpha {a:g}"))
                for a in (right, wrong)
            )
            words.append(f"{who} {one:.2f} → {other:.2f} %")
    return (
        "reading alpha 0, 0.15, 0.3 and getting 0.45, 0.6, 0.75: "
        + "; ".join(words)
    )


def binomial(of: Of) -> str:
    """The binomial standard error beside the deviation over seeds."""
    words = []
    for name in ("alpha 0", "alpha 0.1"):
        errors = list(ERROR.of(of(name)).values())
        if len(errors) < 2:
            return "one seed"
        p = statistics.fmean(errors) / 100
        binomial = 100 * math.sqrt(p * (1 - p) / _TEST_IMAGES)
        words.append(
            f"{name}: binomial {binomial:.3f} points, over "
            f"{len(errors)} seeds {statistics.stdev(errors):.3f}"
        )
    return "; ".join(words)


def fitted(of: Of) -> str:
    """ECE by temperatures that are fitted in three ways."""
    numbers = {
        name: _mean(Number("reliability", name), of("MNIST, alpha 0"))
        for name in (
            "temperature_by_ece",
            "ece_scaled_by_ece",
            "temperature_by_nll",
            "ece_scaled_by_nll",
            "ece_held_out_scaled",
        )
    }
    return (
        "MNIST, alpha 0: by the ECE of the test images T = "
        "{temperature_by_ece:.3f}, ECE {ece_scaled_by_ece:.4f}; by their NLL "
        "T = {temperature_by_nll:.3f}, {ece_scaled_by_nll:.4f}; fitted on one "
        "half, measured on the other {ece_held_out_scaled:.4f}"
    ).format(**numbers)


def information(of: Of) -> str:
    """Mutual information as the formula is printed, and as it is meant."""
    name = "alpha 0"
    printed, right = (
        _mean(Number("mutual_information", n, role="train"), of(name))
        for n in ("information_as_printed", "information")
    )
    return (
        f"ResNet-20, {name}: {tables.cell(printed, '+.3f')} nats as printed, "
        f"whatever the network, and {right:.3f} with the sum over all examples "
        "inside"
    )
