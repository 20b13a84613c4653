"""What a report needs, and what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from ls_tf.spec import Value

NO_RUN = "no run"  # a cell whose optional run is not there


class ReportError(ValueError):
    """A report that cannot be built; the message is one line."""


@dataclass(frozen=True)
class Need:
    """A run that a report reads: experiment, changes and seed.

    Without an ``optional`` one the report is built all the same; its cells
    say so. ``row`` names the row it fills, above its command where the run is
    missing.
    """

    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict, hash=False)
    seed: int = 0
    optional: bool = False
    row: str = field(default="", compare=False)


class Command(str):
    """A cell with a command line, which a page folds; "" is an empty one."""


@dataclass(frozen=True)
class Text:
    """A paragraph, with a heading and a list where wanted."""

    body: str
    heading: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """A table: its cells keep all their digits.

    ``formats`` say how to show the floats of each column, e.g. ``.2f``; whole
    numbers and text are shown as they are, None as a dash.
    """

    name: str
    caption: str
    headings: tuple[str, ...]
    formats: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, with the name of its files and its caption."""

    figure: Figure
    name: str
    caption: str


Block = Text | Table | Picture
