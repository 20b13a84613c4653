"""sacreBLEU's paired bootstrap between runs: a table and sentences.

Read from what translations were counted as when they were scored, so that a
page needs neither the test set nor a tokeniser.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ls_tf.pages import declared, tables
from ls_tf.pages.blocks import Block, Text
from ls_tf.pages.declared import Column, Runs
from ls_tf.pages.networks import Network
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
NO_COUNTS = "no counts kept"
_OLD = (
    "a record is from before the counts of each sentence were kept; "
    "--mode=eval measures it again"
)


@dataclass(frozen=True)
class Pair:
    """Two kinds of runs, seed by seed on one test set.

    Attributes:
        title: of both; "" where there are no others on the page.
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

    def head(self, *words: str) -> str:
        """What a sentence on it begins with."""
        return ", ".join(filter(None, (self.title, *words)))


def against_first(
    runs: Sequence[tuple[str, Runs]], title: str = ""
) -> list[Pair]:
    """Pairs kinds of runs with the first of them.

    Args:
        runs: what each kind is called, and seed -> record; the first one is
            the baseline.
        title: of all of them.

    Returns:
        list: of the others, in their order.

    Source: ours.
    """
    (first, baseline), *others = runs
    return [
        Pair(title, (first, name), baseline, system) for name, system in others
    ]


def over_alpha(
    runs: Mapping[Network, Mapping[float, Runs]],
    title: Callable[[Network], str],
) -> Iterator[Pair]:
    """Pairs each amount of smoothing with the first, hard targets.

    Args:
        runs: network -> alpha -> seed -> record.
        title: the name of a network.

    Yields:
        Pair: network by network.

    Source: ours.
    """
    for network, of_network in runs.items():
        named = [(f"alpha = {a:g}", of) for a, of in of_network.items()]
        yield from against_first(named, title(network))


@dataclass(frozen=True)
class _Compared:
    """One score of one seed of a pair.

    Attributes:
        pair: which.
        seed: of both runs.
        score: one of ``SCORES``.
        plain: both scores, as the records have them.
        result: of the test; None if no counts were kept.
    """

    pair: Pair
    seed: int
    score: str
    plain: tuple[float, float]
    result: "Paired | None"

    @property
    def rise(self) -> float:
        """The system's score less the baseline's."""
        return self.plain[1] - self.plain[0]

    @property
    def p(self) -> float | str:
        """The p-value, or in a word why there is none."""
        return NO_COUNTS if self.result is None else self.result.p_value

    @property
    def sentence(self) -> str:
        """What the test says; "" where there is none."""
        if self.result is None:
            return ""
        baseline, system = self.pair.names
        p, apart = self.result.p_value, self.result.difference
        known = "more" if p < _LEVEL else "no more"
        head = self.pair.head(f"seed {self.seed}", SCORES[self.score])
        rise = tables.cell(self.rise, "+.2f")
        return (
            f"{head}: {system} less {baseline}: {rise} "
            f"(95 % interval {_ends(apart).shown('+.2f')}), p = {p:.3f}: "
            f"{known} than chance among these sentences explains."
        )


def _counts(record: Record, score: str) -> np.ndarray | None:
    """What was counted in each sentence; None in a record of before."""
    return record.arrays(*_MEASURE).get(f"counts_{score}")


def _notes(record: Record) -> Mapping[str, str]:
    notes: Mapping[str, str] = record.measurement(*_MEASURE).get("notes", {})
    return notes


def interval(runs: Runs, score: str) -> Interval | str:
    """The 95 % interval of the first seed's score, over its sentences.

    Args:
        runs: seed -> record.
        score: one of ``SCORES``.

    Returns:
        Interval: without ends where there is no run; ``NO_COUNTS`` if its
        counts were not kept.

    Source: sacreBLEU's bootstrap.
    """
    if not runs:
        return Interval(None, None)
    record = runs[min(runs)]
    counts = _counts(record, score)
    if counts is None:
        return NO_COUNTS
    from ls_tf.analysis import translation_bootstrap

    found = translation_bootstrap.alone(score, counts, _notes(record)[score])
    return Interval(found.low, found.high)


@dataclass(frozen=True)
class _Side:
    """One score of a run.

    Attributes:
        score: as the record has it.
        counts: int [N, n]; None in a record of before there were any.
        sentences: N.
        notes: of the measurement.
    """

    score: float
    counts: np.ndarray | None
    sentences: int
    notes: Mapping[str, str]


def _side(record: Record, score: str) -> _Side:
    counts = _counts(record, score)
    number = record.measurement(*_MEASURE)["count"]
    return _Side(
        record.scalars(*_MEASURE)[score],
        counts,
        number if counts is None else len(counts),
        _notes(record),
    )


def _hindrance(first: _Side, second: _Side, score: str) -> str:
    """Why two scores have no difference to be tested; "" if they do."""
    if first.sentences != second.sentences:
        return (
            "their numbers of sentences differ, "
            f"{first.sentences:,} and {second.sentences:,}"
        )
    if first.sentences < 2:
        return "one sentence cannot be drawn in another way"
    for note, what in (
        ("references", "test sets"),
        (score, "signatures of sacreBLEU"),
    ):
        found = first.notes.get(note), second.notes.get(note)
        # Records of before have no note of their references.
        if None not in found and found[0] != found[1]:
            return f"their {what} differ"
    return ""


def _compared(
    pair: Pair, scores: Iterable[str], lacking: dict[str, list[int]]
) -> Iterator[_Compared]:
    for seed in pair.seeds:
        for score in scores:
            first = _side(pair.baseline[seed], score)
            second = _side(pair.system[seed], score)
            if hindrance := _hindrance(first, second, score):
                lacking.setdefault(hindrance, []).append(seed)
                break
            result = None
            if first.counts is None or second.counts is None:
                lacking.setdefault(_OLD, []).append(seed)
            else:
                from ls_tf.analysis import translation_bootstrap

                result = translation_bootstrap.paired(
                    score, first.counts, second.counts, first.notes[score]
                )
            plain = first.score, second.score
            yield _Compared(pair, seed, score, plain, result)


def blocks(pairs: Iterable[Pair], scores: Iterable[str]) -> Iterable[Block]:
    """Tests each seed that two kinds of runs share.

    Args:
        pairs: of runs that measured their translations.
        scores: some of ``SCORES``.

    Yields:
        A sentence for each test, or why it is not possible; and a table, if
        there are two runs that may be compared. Where a record is from before
        sentences were counted, it says so and has no p-value.

    Source: Koehn 2004, as sacreBLEU does it.
    """
    compared: list[_Compared] = []
    hindered: list[str] = []
    scores = list(scores)
    for pair in pairs:
        lacking: dict[str, list[int]] = {}
        compared += _compared(pair, scores, lacking)
        for reason, seeds in lacking.items():
            names = f"{pair.names[1]} less {pair.names[0]}"
            head = pair.head(names, _seeds(seeds))
            hindered.append(f"{head}: no paired test: {reason}.")
    lines = (*filter(None, (one.sentence for one in compared)), *hindered)
    yield Text(
        "" if lines else "No two runs of one seed can be compared.",
        "Paired bootstrap: is the difference more than chance?",
        lines,
    )
    if compared:
        yield _table(compared)


def _seeds(seeds: Iterable[int]) -> str:
    words = [str(seed) for seed in dict.fromkeys(seeds)]
    return f"seed{'s'[: len(words) > 1]} {', '.join(words)}"


def _table(compared: list[_Compared]) -> Block:
    signatures = dict.fromkeys(
        f"{SCORES[one.score]} {one.result.signature}"
        for one in compared
        if one.result is not None
    )
    signed = f" {'; '.join(signatures)}." if signatures else ""
    title: Column[_Compared] = "compared", lambda c: c.pair.title, ""
    return declared.table(
        "bootstrap",
        "sacreBLEU's paired bootstrap over the sentences of the test set, "
        "seed by seed: the 95 % intervals of each score and of the system's "
        "less the baseline's, and the p-value of both being equally good. "
        "It knows of the sentences alone: what another seed of the training "
        f"changes is not in it.{signed}",
        compared,
        *([title] if any(c.pair.title for c in compared) else []),
        ("seed", lambda c: c.seed, ""),
        ("score", lambda c: SCORES[c.score], ""),
        ("baseline", lambda c: c.pair.names[0], ""),
        ("the baseline's score", lambda c: c.plain[0], ".2f"),
        (
            "the baseline's 95 %",
            lambda c: _ends(c.result.baseline if c.result else None),
            ".2f",
        ),
        ("system", lambda c: c.pair.names[1], ""),
        ("the system's score", lambda c: c.plain[1], ".2f"),
        (
            "the system's 95 %",
            lambda c: _ends(c.result.system if c.result else None),
            ".2f",
        ),
        ("difference", lambda c: c.rise, "+.2f"),
        (
            "difference, 95 %",
            lambda c: _ends(c.result.difference if c.result else None),
            "+.2f",
        ),
        ("p", lambda c: c.p, ".4f"),
    )


def _ends(of: "_Ends | None") -> Interval:
    return Interval(of.low, of.high) if of else Interval(None, None)
