"""What every evaluator returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Measurement:
    """Numbers and arrays of one evaluation.

    ``count`` is the number of examples (or tokens) that the numbers are means
    over; it must equal the size of what was to be measured. ``notes`` are
    words that belong to the numbers, such as a score's signature.
    """

    scalars: Mapping[str, float]
    count: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
