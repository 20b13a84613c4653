"""What a model module states about itself, for the contract tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reference:
    """One size of a model and the parameter count it must have.

    Attributes:
        options: the arguments of the module's ``build``, without ``seed``.
        parameters: number of trainable parameters.
        source: where the size and the count come from.
    """

    options: Mapping[str, Any]
    parameters: int
    source: str
