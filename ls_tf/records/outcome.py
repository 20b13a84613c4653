"""What came of a run, in one line."""

from collections.abc import Iterator

from ls_tf.records.record import Record

# (evaluator, scalar, how it is shown), all of the split that is reported.
_SHOWN = (
    ("classification", "accuracy", "accuracy {:.2%}"),
    ("classification", "nll", "NLL {:.4f}"),
    ("reliability", "ece", "ECE {:.4f}"),
    ("reliability", "temperature", "T {:.3g}"),
    ("reliability", "ece_scaled", "ECE at T {:.4f}"),
    ("translation", "bleu", "BLEU {:.2f}"),
    ("translation", "chrf", "chrF {:.2f}"),
    ("token_calibration", "nll", "NLL of a subword {:.4f}"),
    ("token_calibration", "ece", "ECE {:.4f}"),
)


def sentence(record: Record) -> str:
    """The numbers that are looked for first.

    Args:
        record: of a run.

    Returns:
        str: accuracy or BLEU, likelihood and calibration, as far as they were
        measured; "nothing was measured" otherwise.

    Raises:
        RunError: the record is damaged; one line.
    """
    return ", ".join(_words(record)) or "nothing was measured"


def _words(record: Record) -> Iterator[str]:
    existing = set(record.existing())
    for evaluator, name, form in _SHOWN:
        if f"{evaluator}_report" in existing:
            scalars = record.measurement(evaluator, "report")["scalars"]
            if name in scalars:
                yield form.format(float(scalars[name])).replace("%", " %")
