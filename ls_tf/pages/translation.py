"""The Transformers of the reports, and words that go with them."""

from collections.abc import Mapping

from ls_tf.pages import canvas, diagrams
from ls_tf.pages.blocks import Need
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record
from ls_tf.spec import registry

ENDE = Network("EN-DE Transformer", "transformer_ende")
MULTI30K = Network("Multi30k Transformer", "transformer_multi30k")
MULTI30K_BASE = Network(
    "Multi30k Transformer", "transformer_multi30k_base", "base"
)
MULTI30K_RE = Network(
    "Multi30k Transformer", "transformer_multi30k_re", "the replication's"
)
NUMBERS = Network("numbers Transformer", "transformer_numbers")

# What each stands for in Mueller et al.'s table and figures.
PLACES = {
    ENDE: "the paper's",
    MULTI30K: "substitute",
    MULTI30K_BASE: "substitute",
    NUMBERS: "ours, needs no download",
}
ALPHAS = (0.0, 0.1)
HEADLINE = {MULTI30K: ALPHAS}  # what ``--run_missing`` trains

# Colour and marker of an alpha; blue and orange are BLEU and ECE elsewhere.
STYLES = {
    0.0: (canvas.GREEN, "o"),
    0.05: (canvas.SKY, "v"),
    0.1: (canvas.VERMILION, "^"),
    0.15: (canvas.ORANGE, "D"),
    0.3: (canvas.BLUE, "s"),
}

SUBSTITUTE = (
    "The paper has the WMT corpus alone: Multi30k, 29,000 captions, is a "
    "substitute whose numbers are not to be compared with printed ones."
)
SPLIT = (
    "Measured on newstest2013 (EN-DE), test_2016_flickr (Multi30k) or the test "
    "split (numbers)."
)
_NEXT = (
    "the next subword, given the right ones before it; the end mark counts, "
    "padding does not."
)
TOKENS = f"Of {_NEXT}"
# Of tables with numbers of images too.
AMONG = f"Translations: of {_NEXT}"
FITTED = (
    "T minimizes the NLL of the first 10,000 subwords of the validation split, "
    "which for EN-DE is newstest2013 itself; how the paper chose T is not said."
)

# Where the numbers of a reliability diagram stand in a record.
DIAGRAMS = diagrams.Kind(
    "token_calibration",
    {
        "ECE": ("ece{}", ".4f"),
        "ECE, first 10,000": ("ece{}_first", ".4f"),
        "confidence − accuracy": ("signed_ece{}", "+.4f"),
        "NLL, nats": ("nll{}", ".4f"),
        "accuracy, %": ("accuracy{}", ".2f"),
    },
)

_SCORES = {
    "bleu_uncased": "BLEU, uncased",
    "bleu": "BLEU, cased",
    "chrf": "chrF",
}


def title(network: Network) -> str:
    """The network's name and what it stands for."""
    return f"{network.label} ({PLACES[network]})"


def is_measured(network: Network, evaluator: str, role: str) -> bool:
    """Whether an experiment measures something on one of its splits."""
    spec = registry.get("ls_tf.experiments", network.experiment).SPEC
    return any(e.name == evaluator and e.role == role for e in spec.evaluators)


def signatures(records: Mapping[Need, Record], evaluator: str) -> str:
    """Says how sacreBLEU made the scores, for a caption; "" without a run."""
    measured = [r.measurement(evaluator, "report") for r in records.values()]
    notes = [measurement.get("notes", {}) for measurement in measured]
    words = []
    for name, score in _SCORES.items():
        ways = dict.fromkeys(note[name] for note in notes if name in note)
        if ways:
            words.append(f"{score} {' or '.join(ways)}")
    return f"sacreBLEU: {'; '.join(words)}." if words else ""
