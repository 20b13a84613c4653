"""What figure 4 claims of hard and of smoothed targets, yes or no."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ls_tf.pages import sweep_lines, tables
from ls_tf.records.runs import Record

# What counts as near the best: BLEU points, and a fraction.
NEAR = {"bleu_uncased": 0.2, "ece": 0.01}
_NAMES = {"bleu_uncased": "BLEU", "ece": "ECE"}

Runs = Mapping[int, Record]


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
    what: str
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
    found = []
    left, right = sweep_lines.of(hard), sweep_lines.of(smoothed)
    if left is not None and right is not None and set(hard) & set(smoothed):
        found += [
            _ece(hard, smoothed),
            _nll(left, right),
            _bleu(left, right),
        ]
    if right is not None:
        found += [_near(right, "bleu_uncased"), _near(right, "ece")]
    if left is not None:
        found += [_raising(left, "ece"), _raising(left, "bleu_uncased")]
    return found


def _ece(hard: Runs, smoothed: Runs) -> Claim:
    low, high = (
        tables.scalar(runs, "ece", "token_calibration")
        for runs in (smoothed, hard)
    )
    found = tables.less_over_seeds(low, high)
    return Claim(
        "smoothing lowers the ECE at T = 1",
        found.right,
        found.left,
        "ECE",
        tables.verdict(found),
        found.seeds_for,
        found.seeds,
    )


def _nll(hard: sweep_lines.Sweep, smoothed: sweep_lines.Sweep) -> Claim:
    """The numbers are those of the T that favours smoothing most."""
    grid = hard.temperatures.tolist()
    found = [
        tables.less_over_seeds(
            hard.by_seed("nll", t), smoothed.by_seed("nll", t)
        )
        for t in grid
    ]
    closest = min(
        range(len(grid)), key=lambda i: found[i].right - found[i].left
    )
    seeds = sorted(set(hard.seeds) & set(smoothed.seeds))
    everywhere = [
        all(
            hard.by_seed("nll", t)[s] < smoothed.by_seed("nll", t)[s]
            for t in grid
        )
        for s in seeds
    ]
    count = sum(bool(one.holds) for one in found)
    return Claim(
        "hard targets have the better NLL at every T",
        found[closest].left,
        found[closest].right,
        f"NLL at T = {grid[closest]:.3g}, the one that favours smoothing most; "
        f"hard targets are better at {count} of {len(grid)} temperatures",
        tables.yes_no(count == len(grid)),
        sum(everywhere),
        len(seeds),
    )


def _bleu(hard: sweep_lines.Sweep, smoothed: sweep_lines.Sweep) -> Claim:
    name = "bleu_uncased"
    found = tables.less_over_seeds(
        hard.best_by_seed(name), smoothed.best_by_seed(name)
    )
    first, second = (
        f"T = {sweep.temperatures[sweep.best(name)]:.3g}"
        for sweep in (hard, smoothed)
    )
    return Claim(
        "smoothing has the better BLEU, each at its best T",
        found.left,
        found.right,
        f"BLEU at {first} and at {second}",
        tables.verdict(found),
        found.seeds_for,
        found.seeds,
    )


def _mean(values: Mapping[int, float]) -> float:
    return float(np.mean(list(values.values())))


def _near(smoothed: sweep_lines.Sweep, name: str) -> Claim:
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


def _raising(hard: sweep_lines.Sweep, name: str) -> Claim:
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
        low < sign * one for low, one in zip(best, at_one.values(), strict=True)
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
