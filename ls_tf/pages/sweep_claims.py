"""What figure 4 claims of hard and of smoothed targets, yes or no."""

import math
import operator
from dataclasses import dataclass

import numpy as np

from ls_tf.pages import declared, sweep_lines, tables
from ls_tf.pages.declared import Number, Runs
from ls_tf.pages.sweep_lines import LOWER_IS_BETTER, Sweep
from ls_tf.pages.tables import Verdict

# What counts as near the best: BLEU points, and a fraction.
NEAR = {"bleu_uncased": 0.2, "ece": 0.01}
_NAMES = {"bleu_uncased": "BLEU", "ece": "ECE"}


@dataclass(frozen=True)
class Claim:
    """A claim, the two numbers that it compares, and whether it holds.

    Attributes:
        text: the claim.
        hard: the number of the network with hard targets, if it is of it.
        smoothed: that of the smoothed one.
        what: what the numbers are.
        holds: yes, no or that it cannot be said, for the means over seeds.
        seeds_for: for how many single seeds.
        seeds: of how many.
    """

    text: str
    hard: float | None
    smoothed: float | None
    what: str | None
    holds: str
    seeds_for: int
    seeds: int

    @property
    def verdict(self) -> Verdict:
        """Whether it holds, and in how many seeds."""
        return Verdict(self.holds, self.seeds_for, self.seeds)


def claims(hard: Runs, smoothed: Runs) -> list[Claim]:
    """Tests the claims that the runs at hand allow.

    Args:
        hard: seed -> record, alpha 0.
        smoothed: seed -> record of the smoothed network.

    Returns:
        list: those of both networks if they share a seed, those of each.

    Source: Mueller et al. 2019, section 3 and figure 4.
    """
    tested = []
    left, right = sweep_lines.of(hard), sweep_lines.of(smoothed)
    if left is not None and right is not None and set(hard) & set(smoothed):
        tested += [_ece(hard, smoothed), _nll(left, right), _bleu(left, right)]
    if right is not None:
        tested += [_near(right, "bleu_uncased"), _near(right, "ece")]
    if left is not None:
        tested += [_raising(left, "ece"), _raising(left, "bleu_uncased")]
    return tested


def _ece(hard: Runs, smoothed: Runs) -> Claim:
    ece = Number("token_calibration", "ece")
    judged = declared.Claim("", ece.of(smoothed), ece.of(hard))
    text = "smoothing lowers the ECE at T = 1"
    seeds = (judged.seeds_for, judged.seeds)
    return Claim(text, judged.high, judged.low, "ECE", judged.holds, *seeds)


def _bleu(hard: Sweep, smoothed: Sweep) -> Claim:
    name = "bleu_uncased"
    first, second = (
        float(s.temperatures[s.best(name)]) for s in (hard, smoothed)
    )
    judged = declared.Claim(
        "", hard.by_seed(name, first), smoothed.by_seed(name, second)
    )
    text = "smoothing has the better BLEU, each at its best T"
    what = f"BLEU at T = {first:.3g} and at T = {second:.3g}"
    seeds = (judged.seeds_for, judged.seeds)
    return Claim(text, judged.low, judged.high, what, judged.holds, *seeds)


def _nll(hard: Sweep, smoothed: Sweep) -> Claim:
    """The numbers are those of the T that favours smoothing most."""
    at = {
        t: declared.Claim(t, hard.by_seed("nll", t), smoothed.by_seed("nll", t))
        for t in hard.temperatures.tolist()
    }
    closest = min(at.values(), key=lambda claim: claim.rise or 0.0)
    better = [claim.holds for claim in at.values()].count("yes")
    everywhere = [
        all(claim.lower[s] < claim.higher[s] for claim in at.values())
        for s in set(hard.seeds) & set(smoothed.seeds)
    ]
    return Claim(
        "hard targets have the better NLL at every T",
        closest.low,
        closest.high,
        f"NLL at T = {closest.of:.3g}, the one that favours smoothing most; "
        f"hard targets are better at {better} of {len(at)} temperatures",
        tables.yes_no(better == len(at)),
        sum(everywhere),
        len(everywhere),
    )


def _near(smoothed: Sweep, name: str) -> Claim:
    """T = 1 of the smoothed network beside the best T of the grid."""
    at_one, best = smoothed.by_seed(name, 1.0), smoothed.best_by_seed(name)
    value = float(np.mean(list(at_one.values())))
    place = smoothed.best(name)
    lowest = float(smoothed.mean(name)[place])
    near = [abs(at_one[s] - best[s]) <= NEAR[name] for s in best]
    is_near = abs(value - lowest) <= NEAR[name]
    return Claim(
        f"smoothing: T = 1 is near the best T, {_NAMES[name]}",
        None,
        value,
        f"{_NAMES[name]} at T = 1; the best is {lowest:#.4g} at T = "
        f"{smoothed.temperatures[place]:.3g}",
        tables.yes_no(None if math.isnan(value) else is_near),
        sum(near),
        len(near),
    )


def _raising(hard: Sweep, name: str) -> Claim:
    """The best T above 1 beside T = 1, with hard targets."""
    text = f"hard targets: a T above 1 improves the {_NAMES[name]}"
    is_above = hard.temperatures > 1
    at_one = hard.by_seed(name, 1.0)
    value = float(np.mean(list(at_one.values())))
    if not is_above.any() or math.isnan(value):
        what = "T = 1 or a T above it is not on the grid"
        return Claim(text, None, None, what, tables.yes_no(None), 0, 0)
    values = {name: hard.values[name][:, is_above]}
    above = Sweep(hard.temperatures[is_above], values, hard.seeds)
    place = above.best(name)
    number = float(above.mean(name)[place])
    is_better = operator.lt if name in LOWER_IS_BETTER else operator.gt
    better = [
        is_better(best, at_one[seed])
        for seed, best in above.best_by_seed(name).items()
    ]
    return Claim(
        text,
        number,
        None,
        f"{_NAMES[name]} at T = {above.temperatures[place]:.3g}; at T = 1 it "
        f"is {value:#.4g}",
        tables.yes_no(is_better(number, value)),
        sum(better),
        len(better),
    )
