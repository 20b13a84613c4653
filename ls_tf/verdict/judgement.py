"""A verdict in words: what changed, and whether a network may teach."""

import math
from collections.abc import Mapping

from ls_tf.verdict.measures import Estimate, Measured, Numbers

HOW_TEACHERS_ARE_JUDGED = (
    "How “may serve as a teacher” is judged: by the information that its "
    "logits hold on classes other than its answer. Where the network is "
    "wrong, its answer is taken away; what is left of its softmax, at the "
    "temperature of least NLL of the other half of these examples, is a "
    "forecast of the label among the K − 1 other classes. The information is "
    "how much better that is than an even guess: log(K − 1) less its NLL, in "
    "nats. A network may serve if the interval of it lies above 0 and, where "
    "a hard and a smoothed network are compared, the interval of the "
    "difference does not lie below 0; the temperature is that of least NLL. "
    "This is a statement on these examples, those that are answered wrongly: "
    "how much the targets of right answers teach is not measured, no student "
    "was trained, and a student learns from other examples."
)

_MEASURES = (
    ("accuracy", "accuracy", 100, ".2f", " points"),
    ("nll", "NLL", 1, ".4f", " nats"),
    ("ece", "ECE", 1, ".4f", ""),
    ("ece_scaled", "ECE at the fitted temperature", 1, ".4f", ""),
    ("nll_scaled", "NLL at the fitted temperature", 1, ".4f", " nats"),
    ("aurc", "area under the risk-coverage curve", 1, ".4f", ""),
    ("class_separation", "class separation of the features", 1, ".3f", ""),
    ("tightness", "width of three projected clusters", 1, ".3f", ""),
)


def _signed(number: float, form: str) -> str:
    shown = plain(number, form)
    is_above = number > 0 and float(format(number, form)) != 0
    return f"+{shown}" if is_above else shown


def plain(number: float, form: str) -> str:
    """A number in words; one that is shown as 0 has no sign."""
    if math.isnan(number):
        return "not defined"
    shown = format(number, form)
    if float(shown) == 0:
        shown = format(0.0, form)
    return shown.replace("-", "−")


def between(estimate: Estimate, form: str) -> str:
    """An interval in words; "" where there is none."""
    if not estimate.has_interval:
        return ""
    low, high = estimate.low, estimate.high
    return f"{plain(low, form)} to {plain(high, form)}"


def _change(estimate: Estimate, form: str) -> str:
    """What changed; what is shown as 0 to 0 did not, whatever its bits."""
    if not estimate.has_interval:
        return "changed"
    shown = (float(format(end, form)) for end in (estimate.low, estimate.high))
    if estimate.low <= 0 <= estimate.high or not any(shown):
        return "no change can be seen"
    return "rose" if estimate.low > 0 else "fell"


def changes(numbers: Numbers, level: float, is_pair: bool) -> list[str]:
    """Says what smoothing did, one sentence for each measure.

    Args:
        numbers: of a hard and a smoothed network and their difference.
        level: of the intervals.
        is_pair: whether they are of the same examples.

    Returns:
        Sentences: smoothed less hard, with intervals.
    """
    lines = []
    for name, words, scale, form, unit in _MEASURES:
        difference = numbers["difference"].get(name)
        if difference is None or math.isnan(difference.value):
            continue
        difference = difference.times(scale)
        value = _signed(difference.value, form)
        interval = between(difference, form)
        ends = f" ({level:.0%} interval {interval})" if interval else ""
        change = _change(difference, form)
        lines.append(f"{words}: {change}; difference {value}{unit}{ends}")
    first, second = (
        numbers[name]["temperature"].value for name in ("hard", "smoothed")
    )
    lines.append(
        f"fitted temperature: {first:.3g} of the hard network, {second:.3g} of "
        "the smoothed one (above 1 it was over-confident)"
    )
    if not is_pair:
        lines.append(
            "the two networks were not given the same labels in the same "
            "order: the differences are of two samples, not of a pair"
        )
    return lines


def may_teach(
    name: str, numbers: Numbers, *, num_wrong: int, at_bound: bool
) -> tuple[str, str]:
    """Judges a network as a teacher.

    Args:
        name: "hard" or "smoothed".
        numbers: of the networks, and of their difference if there are two.
        num_wrong: how many examples it answers wrongly.
        at_bound: whether the temperature is a bound of the search.

    Returns:
        ("yes", "no" or "cannot be said"; a sentence); see
        ``HOW_TEACHERS_ARE_JUDGED``.
    """
    told = numbers[name].get("information")
    if told is None:
        return "cannot be said", (
            f"its {num_wrong} wrong answers are too few, or there are no other "
            "classes"
        )
    t = numbers[name]["teacher_temperature"].value
    tells = (
        f"its logits hold {plain(told.value, '.3f')} nats on other classes "
        f"({between(told, '.3f')}), by {num_wrong} wrong answers at "
        f"temperature {t:.3g}"
    )
    if at_bound:
        tells += ", a bound of the search"
    if not told.low > 0:
        return "cannot be said", f"{tells}: it may be none"
    other = numbers.get("difference", {}).get("information")
    if other is None:
        return "yes", (
            f"{tells}; whether another network holds more, these arrays do not "
            "say"
        )
    less = other if name == "smoothed" else other.times(-1)
    against = "hard" if name == "smoothed" else "smoothed"
    compared = (
        f"{_signed(less.value, '.3f')} against the {against} network "
        f"({between(less, '.3f')})"
    )
    if less.high < 0:
        return "no", f"{tells}, {compared}: it holds less"
    return "yes", f"{tells}, {compared}"


def teachers(
    numbers: Numbers, measured: Mapping[str, Measured]
) -> dict[str, tuple[str, str]]:
    """Judges each network: name -> see ``may_teach``."""
    return {
        name: may_teach(
            name,
            numbers,
            num_wrong=int(m.others.wrong.sum()),
            at_bound=m.others.at_bound,
        )
        for name, m in measured.items()
    }
