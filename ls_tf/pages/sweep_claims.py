"""What figure 4 claims of hard and of smoothed targets, yes or no."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ls_tf.pages import declared, sweep_lines, tables
from ls_tf.pages.declared import Number, Runs
from ls_tf.pages.sweep_lines import Sweep

# What counts as near the best: BLEU points, and a fraction.
NEAR = {"bleu_uncased": 0.2, "ece": 0.01}
_NAMES = {"bleu_uncased": "BLEU", "ece": "ECE"}
_ECE = Number("token_calibration", "ece")


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
    judged = declared.Claim("", _ECE.of(smoothed), _ECE.of(hard))
    text = "smoothing lowers the ECE at T = 1"
    seeds = (judged.seeds_for, judged.seeds)
    return Claim(text, judged.high, judged.low, "ECE", judged.holds, *seeds)


def _nll(hard: Sweep, smoothed: Sweep) -> Claim:
    """The numbers are those of the T that favours smoothing most."""
    at = {
        t: declared.Claim(
            "", hard.by_seed("nll", t), smoothed.by_seed("nll", t)
        )
        for t in hard.temperatures.tolist()
    }
    closest = min(at, key=lambda t: at[t].rise or 0.0)
    better = [t for t, claim in at.items() if claim.holds == "yes"]
    seeds = sorted(set(hard.seeds) & set(smoothed.seeds))
    everywhere = [
        s for s in seeds if all(c.lower[s] < c.higher[s] for c in at.values())
    ]
    return Claim(
        "hard targets have the better NLL at every T",
        at[closest].low,
        at[closest].high,
        f"NLL at T = {closest:.3g}, the one that favours smoothing most; hard "
        f"targets are better at {len(better)} of {len(at)} temperatures",
        tables.yes_no(len(better) == len(at)),
        len(everywhere),
        len(seeds),
    )


def _bleu(hard: Sweep, smoothed: Sweep) -> Claim:
    name = "bleu_uncased"
    judged = declared.Claim(
        "", hard.best_by_seed(name), smoothed.best_by_seed(name)
    )
    first, second = (s.temperatures[s.best(name)] for s in (hard, smoothed))
    return Claim(
        "smoothing has the better BLEU, each at its best T",
        judged.low,
        judged.high,
        f"BLEU at T = {first:.3g} and at T = {second:.3g}",
        judged.holds,
        judged.seeds_for,
        judged.seeds,
    )


def _mean(values: Mapping[int, float]) -> float:
    return float(np.mean(list(values.values())))


def _near(smoothed: Sweep, name: str) -> Claim:
    """T = 1 of the smoothed network beside the best T of the grid."""
    at_one, best = smoothed.by_seed(name, 1.0), smoothed.best_by_seed(name)
    value, place = _mean(at_one), smoothed.best(name)
    lowest = float(smoothed.mean(name)[place])
    near = [abs(at_one[s] - best[s]) <= NEAR[name] for s in best]
    is_near = abs(value - lowest) <= NEAR[name]
    return Claim(
        f"smoothing: T = 1 is near the best T, {_NAMES[name]}",
        None,
        value,
        f"{_NAMES[name]} at T = 1; the best is {lowest:.4g} at T = "
        f"{smoothed.temperatures[place]:.3g}",
        tables.yes_no(None if math.isnan(value) else is_near),
        sum(near),
        len(near),
    )


def _raising(hard: Sweep, name: str) -> Claim:
    """The best T above 1 beside T = 1, with hard targets."""
    text = f"hard targets: a T above 1 improves the {_NAMES[name]}"
    above = hard.temperatures > 1
    at_one = hard.by_seed(name, 1.0)
    value = _mean(at_one)
    if not above.any() or math.isnan(value):
        what = "T = 1 or a T above it is not on the grid"
        return Claim(text, None, None, what, tables.yes_no(None), 0, 0)
    sign = 1 if name in sweep_lines.LOWER_IS_BETTER else -1
    place = int(np.argmin(np.where(above, sign * hard.mean(name), np.inf)))
    best = (sign * hard.values[name][:, above]).min(axis=1)
    better = [
        low < sign * at for low, at in zip(best, at_one.values(), strict=True)
    ]
    number = float(hard.mean(name)[place])
    return Claim(
        text,
        number,
        None,
        f"{_NAMES[name]} at T = {hard.temperatures[place]:.3g}; at T = 1 it is "
        f"{value:.4g}",
        tables.yes_no(sign * number < sign * value),
        int(sum(better)),
        len(better),
    )
