"""Translation scores: corpus BLEU in the study's form and in today's, chrF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF


@dataclass(frozen=True)
class Scores:
    """Scores of one set of translations.

    Attributes:
        values: name -> score, 0 to 100; ``length_ratio`` is words of the
            hypotheses over words of the references, as ``bleu`` splits them.
        signatures: name -> sacreBLEU's own description of how it was made.
    """

    values: Mapping[str, float]
    signatures: Mapping[str, str]


def scores(hypotheses: Sequence[str], references: Sequence[str]) -> Scores:
    """Scores translations against one reference each.

    * ``bleu_uncased``: lower-cased, international tokenisation: what the
      paper's t2t_bleu prints as uncased;
    * ``bleu``: cased, tokenisation 13a: what papers report today;
    * ``chrf``: chrF2.

    Args:
        hypotheses: N translations, plain text.
        references: N references.

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
    metrics = {
        "bleu_uncased": BLEU(tokenize="intl", lowercase=True),
        # Hypotheses are raw text; one that looks tokenised is the model's.
        "bleu": BLEU(tokenize="13a", force=True),
        "chrf": CHRF(),
    }
    values: dict[str, float] = {}
    signatures: dict[str, str] = {}
    for name, metric in metrics.items():
        found = metric.corpus_score(list(hypotheses), [list(references)])
        values[name] = float(found.score)
        signatures[name] = str(metric.get_signature())
        if name == "bleu":
            values["length_ratio"] = found.sys_len / max(found.ref_len, 1)
    return Scores(values, signatures)
