"""What evaluators that translate refuse before the training."""

import math

from ls_tf.protocols import Decoding
from ls_tf.spec import SpecError


def check(evaluator: str, how: Decoding) -> None:
    """Refuses a search that cannot be.

    Args:
        evaluator: for the message.
        how: the search.

    Raises:
        SpecError: one line.
    """
    for name, value, holds, wanted in (
        ("beam_size", how.beam_size, how.beam_size >= 1, "1 or more"),
        (
            "length_penalty",
            how.length_penalty,
            math.isfinite(how.length_penalty) and how.length_penalty >= 0,
            "0 or more",
        ),
        (
            "temperature",
            how.temperature,
            math.isfinite(how.temperature) and how.temperature > 0,
            "more than 0",
        ),
        ("extra_length", how.extra_length, how.extra_length >= 1, "1 or more"),
    ):
        if not holds:
            raise SpecError(
                f"{evaluator}: {name}: wanted {wanted}, got {value}"
            )
