"""What every evaluator returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Measurement:
    """Numbers and arrays of one evaluation.

    ``count`` is the number of examples (or tokens) that the numbers are means
    over; it must equal the size of what was to be measured.
    """

    scalars: Mapping[str, float]
    count: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
