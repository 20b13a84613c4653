"""sacreBLEU's paired bootstrap between runs: a table and sentences.

Read from what translations were counted as when they were scored, so that a
page needs neither the test set nor a tokeniser.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ls_tf.pages import declared, tables
from ls_tf.pages.blocks import Block, Text
from ls_tf.pages.declared import Runs
from ls_tf.pages.tables import Interval
from ls_tf.records.runs import Record

if TYPE_CHECKING:  # sacreBLEU is wanted where there is something to test.
    from ls_tf.analysis.translation_bootstrap import Interval as _Ends
    from ls_tf.analysis.translation_bootstrap import Paired

SCORES = {
    "bleu_uncased": "BLEU, uncased",
    "bleu": "BLEU, cased",
    "chrf": "chrF",
}
_LEVEL = 0.05
_MEASURE = "translation", "report"


@dataclass(frozen=True)
class Pair:
    """Two kinds of runs, seed by seed on one test set.

    Attributes:
        title: of both.
        names: of the baseline and of the system.
        baseline: seed -> record.
        system: seed -> record of the other.
    """

    title: str
    names: tuple[str, str]
    baseline: Runs
    system: Runs

    @property
    def seeds(self) -> list[int]:
        """Those that both have."""
        return sorted(set(self.baseline) & set(self.system))


@dataclass(frozen=True)
class _Tested:
    """One score of one seed of a pair."""

    pair: Pair
    seed: int
    score: str
    result: "Paired"

    @property
    def rise(self) -> float:
        """The system's score less the baseline's."""
        return self.result.system.score - self.result.baseline.score

    def __str__(self) -> str:
        baseline, system = self.pair.names
        head = f"{self.pair.title}, seed {self.seed}, {SCORES[self.score]}: "
        p = self.result.p_value
        if p is None:
            return f"{head}{system} and {baseline}: the same translations."
        known = "more" if p < _LEVEL else "no more"
        return (
            f"{head}{system} less {baseline}: "
            f"{tables.cell(self.rise, '+.2f')}, p = {p:.3f}: {known} than "
            "chance among these sentences explains."
        )


def _counts(record: Record, score: str) -> np.ndarray | None:
    """What was counted in each sentence; None in a record of before."""
    return record.arrays(*_MEASURE).get(f"counts_{score}")


def _notes(record: Record) -> Mapping[str, str]:
    notes: Mapping[str, str] = record.measurement(*_MEASURE).get("notes", {})
    return notes


def interval(runs: Runs, score: str) -> Interval:
    """The 95 % interval of the first seed's score, over its sentences.

    Args:
        runs: seed -> record.
        score: one of ``SCORES``.

    Returns:
        Interval: without ends where there is no run, or none whose counts
        were kept.

    Source: sacreBLEU's bootstrap.
    """
    if not runs:
        return Interval(None, None)
    record = runs[min(runs)]
    counts = _counts(record, score)
    if counts is None:
        return Interval(None, None)
    from ls_tf.analysis import translation_bootstrap

    found = translation_bootstrap.alone(score, counts, _notes(record)[score])
    return Interval(found.low, found.high)


def _counts_of_both(
    first: Record, second: Record, score: str
) -> tuple[np.ndarray, np.ndarray] | str:
    """What was counted of two runs, or why they cannot be compared."""
    counts = _counts(first, score), _counts(second, score)
    if counts[0] is None or counts[1] is None:
        return (
            "a record is from before the counts of each sentence were kept; "
            "--mode=eval measures it again"
        )
    for note, what in (
        ("references", "test sets"),
        (score, "signatures of sacreBLEU"),
    ):
        if _notes(first).get(note) != _notes(second).get(note):
            return f"their {what} differ"
    return counts[0], counts[1]


def _tested(
    pair: Pair, scores: Iterable[str], lacking: dict[str, list[str]]
) -> Iterator[_Tested]:
    for seed in pair.seeds:
        first, second = pair.baseline[seed], pair.system[seed]
        for score in scores:
            counts = _counts_of_both(first, second, score)
            if isinstance(counts, str):
                lacking.setdefault(counts, []).append(f"seed {seed}")
                break
            from ls_tf.analysis import translation_bootstrap

            result = translation_bootstrap.paired(
                score, *counts, _notes(first)[score]
            )
            yield _Tested(pair, seed, score, result)


def blocks(pairs: Iterable[Pair], scores: Iterable[str]) -> Iterable[Block]:
    """Tests each seed that two kinds of runs share.

    Args:
        pairs: of runs.
        scores: some of ``SCORES``.

    Yields:
        A sentence for each test, or why it is not possible; and a table, if
        there is a test.

    Source: Koehn 2004, as sacreBLEU does it.
    """
    tested: list[_Tested] = []
    hindered: list[str] = []
    scores = list(scores)
    for pair in pairs:
        lacking: dict[str, list[str]] = {}
        tested += _tested(pair, scores, lacking)
        hindered += [
            f"{pair.title}, {', '.join(seeds)}: no paired test: {reason}."
            for reason, seeds in lacking.items()
        ]
    lines = (*map(str, tested), *hindered)
    yield Text(
        "" if lines else "No two runs of one seed can be compared.",
        "Paired bootstrap",
        lines,
    )
    if tested:
        yield _table(tested)


def _table(tested: list[_Tested]) -> Block:
    signatures = dict.fromkeys(
        f"{SCORES[t.score]} {t.result.signature}" for t in tested
    )
    return declared.table(
        "bootstrap",
        "sacreBLEU's paired bootstrap over the sentences of the test set, "
        "seed by seed: the 95 % interval of each score, and the p-value of "
        "both systems being equally good. "
        "It knows of the sentences alone: what another seed of the training "
        f"changes is not in it. {'; '.join(signatures)}.",
        tested,
        ("compared", lambda t: t.pair.title, ""),
        ("seed", lambda t: t.seed, ""),
        ("score", lambda t: SCORES[t.score], ""),
        ("baseline", lambda t: t.pair.names[0], ""),
        ("its score", lambda t: t.result.baseline.score, ".2f"),
        ("its 95 %", lambda t: _ends(t.result.baseline), ".2f"),
        ("system", lambda t: t.pair.names[1], ""),
        ("the system's score", lambda t: t.result.system.score, ".2f"),
        ("the system's 95 %", lambda t: _ends(t.result.system), ".2f"),
        ("difference", lambda t: t.rise, "+.2f"),
        ("p", lambda t: t.result.p_value, ".4f"),
    )


def _ends(of: "_Ends") -> Interval:
    return Interval(of.low, of.high)
