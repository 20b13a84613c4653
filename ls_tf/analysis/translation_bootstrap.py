"""Whether two systems translate one test set differently: sacreBLEU's test.

The paired bootstrap is sacreBLEU's own, and so are the intervals. It is given
what sacreBLEU counted in each sentence when the translations were scored, so
that neither the texts nor the packages of a tokeniser are needed again.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Signature
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, estimate_ci

from ls_tf import stopping

RESAMPLES = 1000
SEED = 12345  # Both are sacreBLEU's own.
_SEED_VARIABLE = "SACREBLEU_SEED"


@dataclass(frozen=True)
class Interval:
    """A number and the 95 % interval of a bootstrap over the sentences.

    Attributes:
        score: of the whole test set, 0 to 100; or of two, their difference.
        mean: of the resamples.
        half: half of the interval's width, around ``mean``.
    """

    score: float
    mean: float
    half: float

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half


@dataclass(frozen=True)
class Paired:
    """Two systems on one test set.

    Attributes:
        baseline: the one.
        system: the other.
        difference: the system less the baseline, over the same resamples.
        p_value: two-sided, of their being equally good; 1 where they are so
            in each resample, of which sacreBLEU says 1 / 1001: that their
            difference of 0 is no chance.
        signature: sacreBLEU's, with the number of resamples and the seed.
    """

    baseline: Interval
    system: Interval
    difference: Interval
    p_value: float
    signature: str


class _Again:
    """A metric of sacreBLEU whose counts are there already.

    It keeps the scores that it gives: PairedTest tells their intervals, and
    not that of their difference.
    """

    def __init__(self, *, like: str, **options: Any) -> None:
        super().__init__(**options)
        self._like = like
        self.given: list[float] = []

    def _compute_score_from_stats(self, stats: Any) -> Any:
        score = super()._compute_score_from_stats(stats)  # type: ignore[misc]
        self.given.append(score.score)
        return score

    def _extract_corpus_statistics(self, hypotheses: Any, _: Any) -> Any:
        return hypotheses

    def get_signature(self) -> Signature:
        """That of when the translations were scored."""
        signature = Signature({"num_refs": 1})
        for entry in self._like.split("|"):
            key, _, value = entry.partition(":")
            signature.update(key, value)
        return signature


class _BLEU(_Again, BLEU):
    pass


class _CHRF(_Again, CHRF):
    pass


def alone(score: str, counts: np.ndarray, signature: str) -> Interval:
    """Draws the sentences of one system again and again.

    Args:
        score: ``bleu_uncased``, ``bleu`` or ``chrf``.
        counts: int [N, n], of N sentences, see ``bleu.Scores``.
        signature: of the score.

    Returns:
        Interval: the same as beside any other system.

    Source: sacreBLEU's bootstrap, 1,000 resamples.
    """
    tested = stopping.aside(lambda: _Test(score, [counts], signature))
    return tested.intervals[0]


def paired(
    score: str, baseline: np.ndarray, system: np.ndarray, signature: str
) -> Paired:
    """Tests whether two systems' scores differ.

    Args:
        score: ``bleu_uncased``, ``bleu`` or ``chrf``.
        baseline: int [N, n], the counts of N sentences, see ``bleu.Scores``.
        system: int [N, n], the other's, of the same sentences.
        signature: of the scores, which both have.

    Returns:
        Paired.

    Raises:
        ValueError: the counts are of other numbers of sentences, or of fewer
            than two, of which one resample is like the next.

    Source: Koehn 2004 as sacreBLEU does it (Post 2018), 1,000 resamples; the
    interval of the difference, ours, is formed as sacreBLEU's of a score.
    """
    if baseline.shape != system.shape or len(baseline) < 2:
        raise ValueError(
            "wanted counts of the same sentences, two or more; got "
            f"{list(baseline.shape)} and {list(system.shape)}"
        )
    tested = stopping.aside(lambda: _Test(score, [baseline, system], signature))
    first, second = tested.intervals
    # [2, RESAMPLES]: those of the one are scored before those of the other.
    scores = np.array(tested.given[-2 * RESAMPLES :], np.float64)
    resampled = scores.reshape(2, RESAMPLES)
    apart = resampled[1] - resampled[0]
    mean, half = estimate_ci(apart)
    return Paired(
        first,
        second,
        Interval(second.score - first.score, float(mean), float(half)),
        tested.p_value if tested.p_value and apart.any() else 1.0,
        tested.signature,
    )


class _Test:
    """sacreBLEU's test, done.

    Attributes:
        signature: with the number of resamples and the seed.
        intervals: of the scores of all systems.
        p_value: of the last one against the first; None of one alone.
        given: all scores of whole test sets and of resamples, in their order.
    """

    def __init__(
        self, score: str, systems: Sequence[np.ndarray], signature: str
    ) -> None:
        metric = (
            _CHRF(like=signature)
            if score == "chrf"
            else _BLEU(like=signature, tokenize="none")
        )
        with _seeded():
            made = PairedTest(
                [(str(n), c.tolist()) for n, c in enumerate(systems)],
                {score: metric},
                references=None,
                test_type="bs",
                n_samples=RESAMPLES,
            )
        signatures, by_name = made()
        ((name, signed),) = signatures.items()
        results: list[Any] = by_name[name]
        self.signature = str(signed)
        self.intervals = [
            Interval(float(r.score), float(r.mean), float(r.ci))
            for r in results
        ]
        self.p_value: float | None = results[-1].p_value
        self.given = metric.given


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Lets sacreBLEU read our seed, whatever the user has set."""
    before = os.environ.get(_SEED_VARIABLE)
    os.environ[_SEED_VARIABLE] = str(SEED)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SEED_VARIABLE]
        else:
            os.environ[_SEED_VARIABLE] = before
