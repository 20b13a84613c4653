"""The paired bootstrap is the one of sacreBLEU's command line."""

import random
import re
import subprocess
import sys

import numpy as np
import pytest

from ls_tf.analysis import bleu
from ls_tf.analysis import translation_bootstrap as bootstrap

WORDS = ["ein", "mann", "fährt", "auf", "einem", "roten", "rad", "im", "schnee"]


def sentences(count):
    draw = random.Random(7)
    return [" ".join(draw.choices(WORDS, k=9)) for _ in range(count)]


def spoilt(texts, share, seed):
    """Puts another word for some of the words."""
    draw = random.Random(seed)
    return [
        " ".join(
            "haus" if draw.random() < share else word for word in text.split()
        )
        for text in texts
    ]


REFERENCES = sentences(80)
HARD = spoilt(REFERENCES, 0.25, 1)
SMOOTHED = spoilt(REFERENCES, 0.22, 2)
WORSE = spoilt(REFERENCES, 0.29, 3)


def compared(score, hard, smoothed, references=REFERENCES):
    both = [bleu.scores(texts, references) for texts in (hard, smoothed)]
    return bootstrap.paired(
        score,
        *(found.counts[score] for found in both),
        both[0].signatures[score],
    )


# What is asked of sacreBLEU, and which of our scores these are.
COMMANDS = (
    (["-m", "bleu", "chrf"], ["bleu", "chrf"]),
    (["-m", "bleu", "-lc", "-tok", "intl"], ["bleu_uncased"]),
)


@pytest.mark.parametrize(("options", "names"), COMMANDS)
def test_equals_the_command_line(tmp_path, monkeypatch, options, names):
    others = {"smoothed": SMOOTHED, "worse": WORSE}
    texts = {"reference": REFERENCES, "hard": HARD, **others}
    for name, lines in texts.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "sacrebleu", "reference", "-i", "hard"]
    command += [*others, *options, "--paired-bs", "-f", "text", "-w", "6"]
    said = subprocess.check_output(
        command, cwd=tmp_path, stderr=subprocess.DEVNULL, text=True
    )
    # Score, mean and half width: a row for each system, a column a score.
    numbers = re.findall(r"([\d.]+) \(([\d.]+) ± ([\d.]+)\)", said)
    p_values = re.findall(r"\(p = ([\d.]+)\)", said)
    width = len(names)
    assert len(numbers) - width == len(p_values) == width * len(others)
    # What the user has set moves their command line, not our pages.
    monkeypatch.setenv("SACREBLEU_SEED", "5")
    for column, score in enumerate(names):
        for place, system in enumerate(others.values()):
            found = compared(score, HARD, system)
            row = column + width * (1 + place)
            for side, stated in (
                (found.baseline, numbers[column]),
                (found.system, numbers[row]),
            ):
                ours = (side.score, side.mean, side.half)
                wanted = [float(n) for n in stated]
                assert ours == pytest.approx(wanted, abs=1e-6)
            p = float(p_values[row - width])
            assert found.p_value == pytest.approx(p, abs=5e-5)
            assert 0.001 < found.p_value < 0.5  # neither of the two ends
            # Each is drawn alike, so that means differ as we say; chrF is
            # summed in float32.
            apart = float(numbers[row][1]) - float(numbers[column][1])
            assert found.difference.mean == pytest.approx(apart, abs=2e-5)
            assert found.signature in said
            assert "|bs:1000|seed:12345|" in found.signature


def by_hand(texts, drawn):
    """BLEU of test sets that are drawn: float [number of them]."""
    sums = bleu.scores(texts, REFERENCES).counts["bleu"][drawn].sum(axis=1)
    words, wanted = sums[:, 0], sums[:, 1]
    precision = sums[:, 2:6] / sums[:, 6:]
    shortness = np.exp(np.minimum(0, 1 - wanted / words))
    return 100 * shortness * np.exp(np.log(precision).mean(axis=1))


def test_the_interval_of_the_difference_is_over_the_same_resamples():
    drawn = np.random.default_rng(12345).choice(80, (1000, 80))
    apart = by_hand(SMOOTHED, drawn) - by_hand(HARD, drawn)
    low, high = np.sort(apart)[[25, 974]]  # a fortieth at each end
    found = compared("bleu", HARD, SMOOTHED).difference
    everything = np.arange(80)[None]
    (whole,) = by_hand(SMOOTHED, everything) - by_hand(HARD, everything)
    assert found.score == pytest.approx(whole, rel=1e-9)
    assert found.mean == pytest.approx(apart.mean(), rel=1e-6)
    assert found.high - found.low == pytest.approx(high - low, rel=1e-6)


@pytest.mark.parametrize("score", ["bleu", "chrf"])
def test_the_same_translations_differ_by_nothing(score):
    found = compared(score, HARD, HARD)
    assert found.p_value == 1  # sacreBLEU would say 1 / 1001
    assert found.baseline == found.system
    assert found.baseline.low < found.baseline.score < found.baseline.high
    apart = found.difference
    assert apart.score == apart.low == apart.high == 0


def test_others_that_are_both_wrong_throughout_differ_by_nothing():
    found = compared("bleu", ["x"] * 80, ["x y"] * 80)
    assert found.baseline.score == found.system.score == 0
    assert found.p_value == 1


def test_others_that_are_as_good_differ_by_chance():
    half = len(REFERENCES) // 2
    good, bad = REFERENCES[:half], HARD[:half]
    # Each is spoilt in the other half of the same sentences.
    found = compared("bleu", good + bad, bad + good, good + good)
    assert found.baseline.score == found.system.score
    assert found.p_value > 0.4


def test_one_that_is_always_better_is_better():
    found = compared("bleu", spoilt(REFERENCES, 0.6, 1), REFERENCES)
    # No resample is as far from the mean difference: (0 + 1) / (1000 + 1).
    assert found.p_value == pytest.approx(1 / 1001)
    assert found.system.low == found.system.high == pytest.approx(100)


def test_counts_by_hand():
    found = bleu.scores(["a b c d"], ["a b x d e"])
    # Words, those of the reference, n-grams that are right, those there are.
    assert found.counts["bleu"].tolist() == [[4, 5, 3, 1, 0, 0, 4, 3, 2, 1]]
    assert found.counts["bleu"].dtype == np.int32
    assert found.counts["chrf"].shape == (1, 18)
    other = bleu.scores(["a"], ["a b x d"])
    assert found.references != other.references
    assert found.references == bleu.scores(["?"], ["a b x d e"]).references


@pytest.mark.parametrize("shapes", [((3, 10), (4, 10)), ((1, 10), (1, 10))])
def test_refuses_other_sentences_and_one_alone(shapes):
    counts = [np.ones(shape, int) for shape in shapes]
    with pytest.raises(ValueError, match="counts of the same sentences, two"):
        bootstrap.paired("bleu", *counts, "nrefs:1")
