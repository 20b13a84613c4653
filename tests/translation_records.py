"""Made-up measurements of translation runs, as their evaluators write them.

Small expressions, so that tests can redo them. With x = log2 T and the best
T of hard targets at x = 0.5, of smoothed ones at 0:

* BLEU, uncased: 36 + 10 alpha + seed / 10 - 4 (x - best)^2
* NLL: 1.2 + 1.1 alpha + seed / 100 + 0.2 (x - best)^2
* ECE: 0.01 + 0.05 |x - 2 best| + seed / 1000
"""

import zlib

import numpy as np

from ls_tf.analysis import bleu, calibration

GRID = 2.0 ** (np.arange(-4, 5) / 4)
SIGNATURES = {
    "bleu_uncased": "nrefs:1|case:lc|tok:intl",
    "bleu": "nrefs:1|case:mixed|tok:13a",
    "chrf": "nrefs:1|case:mixed|nc:6",
}
PIECES = {261: "▁ein", 267: "▁mann", 262: "▁und"}


def alpha_of(need):
    taught = need.changes.get("teacher.changes.alpha", 0.1)
    return need.changes.get("alpha", taught)


def _best(need):
    return 0.5 if alpha_of(need) == 0 else 0.0


def sweep(need):
    x, best = np.log2(GRID), _best(need)
    alpha, seed = alpha_of(need), need.seed
    uncased = 36 + 10 * alpha + seed / 10 - 4 * (x - best) ** 2
    return {
        "temperatures": GRID,
        "bleu_uncased": uncased,
        "bleu": uncased - 0.5,
        "chrf": uncased + 20,
        "nll": 1.2 + 1.1 * alpha + seed / 100 + 0.2 * (x - best) ** 2,
        "ece": 0.01 + 0.05 * np.abs(x - 2 * best) + seed / 1000,
        "finished": np.full(len(x), 0.995),
    }


def drawn(need):
    """As the replication's code measures; 0.45 - alpha at T = 1."""
    x, alpha = np.log2(GRID), alpha_of(need)
    return {
        "temperatures": GRID,
        "bleu": 20 + x,
        "bleu_same_tokens": 25 + x,
        "ece": 0.45 - alpha + np.where(alpha > 0.2, 0.1, -0.1) * x,
        "nll": 2.5 + 0.1 * x,
    }


def curve(need):
    """What German to English has on its way: step, values."""
    if "deen" in need.experiment:
        for step in (500, 1000):
            bleu = 20 + step / 100 + 10 * alpha_of(need) + need.seed
            yield step, {"calibrate/translation/bleu": bleu}
        _, validation = scores(need)
        yield 60000, {"calibrate/translation/bleu": validation["bleu"]}


def scores(need):
    """At T = 1; 2 BLEU more on the validation split."""
    at_one = {k: float(v[4]) for k, v in sweep(need).items()}
    names = ("bleu_uncased", "bleu", "chrf", "finished")
    found = {k: at_one[k] for k in names} | {"length_ratio": 0.98}
    validation = found | {"bleu": found["bleu"] + 2}
    return found, validation


def tokens(need):
    """All subwords, and with ``_first`` 0.001 more of each error."""
    at_one = {k: float(v[4]) for k, v in sweep(need).items()}
    gap = at_one["ece"] if alpha_of(need) == 0 else -at_one["ece"]
    plain = {
        "nll": at_one["nll"],
        "accuracy": 0.7,
        "confidence": 0.7 + gap,
        "ece": at_one["ece"],
        "signed_ece": gap,
    }
    found = dict(plain)
    for by, ece in (("", 0.013), ("_by_nll", 0.013), ("_by_ece", 0.012)):
        scaled = plain | {"ece": ece, "signed_ece": ece}
        found |= {f"{k}_scaled{by}": v for k, v in scaled.items()}
    found |= {f"{k}_first": v + 0.001 * ("ece" in k) for k, v in found.items()}
    return found | {
        "temperature": 1.13,
        "temperature_by_nll": 1.13,
        "temperature_by_ece": 1.2,
        "temperature_at_bound": 0.0,
        "num_tokens_first": 10_012.0,
        "ece_padding_counted": 0.45 - alpha_of(need),
        "accuracy_padding_counted": 0.3,
        "confidence_padding_counted": 0.75 - alpha_of(need),
        "padding": 0.54,
    }


def _diagram(rng, shift, suffix):
    confidence = np.clip(rng.beta(1.4, 0.7, 14_000), 0.002, 1)
    correct = rng.random(14_000) < np.clip(confidence - shift, 0, 1)
    bins = calibration.bins(confidence, correct, num_bins=15)
    return {
        f"bin_{name}{suffix}": getattr(bins, name)
        for name in ("edges", "count", "confidence", "accuracy")
    }


def diagrams(need):
    rng = np.random.default_rng(zlib.crc32(need.experiment.encode()))
    shift = 0.06 if alpha_of(need) == 0 else 0.02 - 0.2 * alpha_of(need)
    return _diagram(rng, shift, "") | _diagram(rng, 0.0, "_scaled")


def geometry(need):
    factor = 1 if alpha_of(need) > 0 else 4
    base = {
        "tightness": 0.6,
        "tightness_by_centres": 0.5,
        "side_spread": 0.2,
        "scale": 2.5,
        "template_scale": 1.5,
    }
    return {
        f"{split}_{k}": factor * v
        for split in ("train", "report")
        for k, v in base.items()
    }


def points(need):
    rng = np.random.default_rng(need.seed)
    smoothed = alpha_of(need) > 0
    corners = np.array([[0.0, 0.0], [1.5, 0.0], [0.7, 1.3]])
    classes = np.array(list(PIECES), np.int32)
    labels = np.repeat([0, 1, 2], (100, 80, 100))
    arrays = {"templates": corners, "classes": classes}
    for split in ("train", "report"):
        noise = rng.standard_normal((len(labels), 2))
        cloud = corners[labels] * (3 if smoothed else 6)
        cloud = cloud + (0.4 if smoothed else 2.0) * noise
        arrays[f"{split}_points"] = cloud.astype(np.float32)
        arrays[f"{split}_labels"] = classes[labels]
    return arrays


def measurements(need, changed):
    """What a run holds: (evaluator, role) -> scalars, arrays, notes.

    Args:
        need: the run.
        changed: scalars by their name, arrays of the sweep by
            ``sweep/<name>``, to be put in place of the made-up ones;
            ``translated``: (translations, references), to be counted;
            ``old``: whether the counts are not kept.
    """
    found, validation = scores(need)
    names = {f"token_{i}": piece for i, piece in PIECES.items()}
    arrays = {k: changed.get(f"sweep/{k}", v) for k, v in sweep(need).items()}
    texts, notes = {"hypotheses": np.array(["a b c d e f."] * 3)}, SIGNATURES
    if "translated" in changed:
        counted = bleu.scores(*changed["translated"])
        notes = dict(counted.signatures)
        if not changed.get("old"):
            texts |= {f"counts_{k}": v for k, v in counted.counts.items()}
            notes["references"] = counted.references
        found = found | counted.values
    result = {
        ("translation", "report"): (found, texts, notes),
        ("token_calibration", "report"): (tokens(need), diagrams(need), {}),
        ("translation_sweep", "report"): ({}, arrays, SIGNATURES),
        ("token_projection", "report"): (geometry(need), points(need), names),
    }
    if need.experiment == "transformer_multi30k_re":
        one = {"bleu_of_references": 79.0, "changed_by_temperature": 0.3}
        result["replication_sweep", "report"] = (one, drawn(need), {})
    if need.experiment != "transformer_ende":
        result["translation", "calibrate"] = (validation, {}, SIGNATURES)
    return result
