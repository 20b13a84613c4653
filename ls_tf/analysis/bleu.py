"""Translation scores: corpus BLEU in the study's form and in today's, chrF."""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from ls_tf import stopping
from ls_tf.analysis import bleu_tokens

# Letters of scripts that put no spaces between words.
_SPACELESS = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Scores:
    """Scores of one set of translations.

    Attributes:
        values: name -> score, 0 to 100; ``length_ratio`` is words of the
            hypotheses over words of the references, as ``bleu`` splits them.
        signatures: name -> sacreBLEU's own description of how it was made;
            ``language``: a warning, where the scores can mean little;
            ``tokens``: what to install for the usual tokens.
        counts: name -> int32 [N, n], what sacreBLEU counts in each sentence
            and sums before it scores: n-grams that there are and that are
            right. What a bootstrap draws from, without the texts.
        references: SHA-256 of the references, hex: translations of one test
            set have the same.
    """

    values: Mapping[str, float]
    signatures: Mapping[str, str]
    counts: Mapping[str, np.ndarray] = field(compare=False)
    references: str


class _Counted(Metric):
    """A metric of sacreBLEU that keeps what it has counted."""

    counts: Any = ()

    def _extract_corpus_statistics(
        self, hypotheses: Sequence[str], references: Any
    ) -> Any:
        self.counts = super()._extract_corpus_statistics(hypotheses, references)
        return self.counts


class _BLEU(_Counted, BLEU):
    """BLEU that keeps its counts."""


class _CHRF(_Counted, CHRF):
    """The chrF that keeps its counts."""


def scores(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str = "",
) -> Scores:
    """Scores translations against one reference each.

    * ``bleu_uncased``: lower-cased, international tokenisation: what the
      paper's t2t_bleu prints as uncased;
    * ``bleu``: cased, tokenisation 13a: what papers report today;
    * ``chrf``: chrF2.

    Of a language without spaces between words both BLEU scores count other
    tokens: of Chinese those of sacreBLEU's ``zh``; of Japanese and Korean
    MeCab's, where it is installed; there otherwise, and of Thai, Lao, Khmer,
    Burmese, Tibetan and Dzongkha, characters.

    Args:
        hypotheses: N translations, plain text.
        references: N references.
        language: of both; a code of two or three letters, as in ``de``. If
            none is given, characters are counted where most of the
            references' letters are of scripts without spaces.

    Returns:
        Scores.

    Raises:
        ValueError: not as many hypotheses as references, or none.

    Source: Mueller et al. 2019, App. A.3 (uncased BLEU); Post 2018.
    """
    if len(hypotheses) != len(references) or not references:
        raise ValueError(
            "wanted as many hypotheses as references, at least one; got "
            f"{len(hypotheses)} and {len(references)}"
        )
    tokens = bleu_tokens.of(language)
    is_doubtful = tokens is None and _are_spaceless(references)
    if is_doubtful and not language:
        tokens = "char"
    metrics = {
        "bleu_uncased": _BLEU(tokenize=tokens or "intl", lowercase=True),
        # Hypotheses are raw text; one that looks tokenised is the model's.
        "bleu": _BLEU(tokenize=tokens or "13a", force=True),
        "chrf": _CHRF(),
    }
    values: dict[str, float] = {}
    signatures: dict[str, str] = {}
    counts: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        score = functools.partial(
            metric.corpus_score, list(hypotheses), [list(references)]
        )
        found = stopping.aside(score)
        values[name] = float(found.score)
        signatures[name] = str(metric.get_signature())
        counts[name] = np.array(metric.counts, np.int32)
        if name == "bleu":
            values["length_ratio"] = found.sys_len / max(found.ref_len, 1)
    if is_doubtful and language:
        signatures["language"] = (
            f"the references are no '{language}': most have no spaces between "
            "words, so that BLEU means little; data.source=prefix:en-zh names "
            "the languages"
        )
    if lacking := bleu_tokens.lacking(language):
        signatures["tokens"] = lacking
    digest = hashlib.sha256("\n".join(references).encode()).hexdigest()
    return Scores(values, signatures, counts, digest)


def against_raw_words(
    hypotheses: Sequence[str], references: Sequence[str]
) -> float:
    """Scores tokens of the hypotheses against words of the references.

    Punctuation stands by itself in the one and sticks to a word in the other,
    so that a perfect translation does not have 100.

    Args:
        hypotheses: N translations, plain text; split as 13a does.
        references: N references; split at spaces alone.

    Returns:
        float: cased BLEU, 0 to 100.

    Source: ours; the error is that of Wagner et al. 2023, whose hypotheses
    are spaCy's tokens.
    """
    metric = BLEU(tokenize="none", force=True)
    split = Tokenizer13a()  # type: ignore[no-untyped-call]
    tokens = [split(text) for text in hypotheses]
    score = functools.partial(
        metric.corpus_score, tokens, [[" ".join(r.split()) for r in references]]
    )
    return float(stopping.aside(score).score)


def _are_spaceless(texts: Sequence[str]) -> bool:
    """Whether most characters are of scripts without spaces between words."""
    text = "".join("".join(line.split()) for line in texts)
    return 2 * len(_SPACELESS.findall(text)) > len(text)
