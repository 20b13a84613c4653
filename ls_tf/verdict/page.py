"""The page of a verdict: the words, one table, three pictures."""

from collections.abc import Mapping

import numpy as np

from ls_tf.analysis import calibration, selective
from ls_tf.pages import builder
from ls_tf.pages.blocks import Block, Picture, Table, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.projection import projection_figure
from ls_tf.pages.reliability import reliability_figure
from ls_tf.pages.risk_coverage import risk_coverage_figure
from ls_tf.pages.tables import AsPrinted, Interval
from ls_tf.verdict import judgement
from ls_tf.verdict.measures import Measured
from ls_tf.verdict.rows import Row, Rows


def write(
    folder: str,
    *,
    measured: Mapping[str, Measured],
    rows: Rows,
    words: Mapping[str, tuple[str, ...]],
    seed: int,
) -> str:
    """Writes the page.

    Args:
        folder: where to.
        measured: name of a network -> what is computed of it.
        rows: the table.
        words: heading -> sentences.
        seed: of the draws, for the caption.

    Returns:
        str: the path of the page.

    Raises:
        ReportError: it cannot be written; one line.
    """
    names = " and ".join(measured)
    blocks: list[Block] = [
        Text("", heading, tuple(lines)) for heading, lines in words.items()
    ]
    blocks.append(Text(judgement.HOW_TEACHERS_ARE_JUDGED))
    caption = (
        f"Measures of the {names} network, with intervals by drawing the "
        f"examples again (basic bootstrap, seed {seed}); those of all "
        "examples at once have none. At the fitted temperature: each half "
        "of the examples is divided by the temperature of least NLL of "
        "the other half. An interval takes off the bias that drawing "
        "again adds, which a binned error has: such a number may lie "
        "outside its own."
    )
    blocks.append(
        Table(
            "verdict",
            caption,
            _told_apart(rows.headings),
            ("",) * len(rows.headings),
            tuple(map(_cells, rows.rows)),
        )
    )
    blocks += _pictures(measured)
    return builder.write(
        folder,
        "Hard and smoothed labels"
        if len(measured) == 2
        else "A network's verdict",
        blocks,
        _origin(measured),
    )


def _cells(row: Row) -> tuple[object, ...]:
    """Shows a row as the terminal does; its numbers keep all their digits."""

    def number(value: float) -> AsPrinted:
        return AsPrinted(judgement.plain(value, row.form), value)

    cells: list[object] = [row.heading]
    for of in row.estimates:
        cells.append(of and number(of.value))
        cells.append(
            Interval(number(of.low), number(of.high))
            if of and of.has_interval
            else None
        )
    return tuple(cells)


def _told_apart(headings: tuple[str, ...]) -> tuple[str, ...]:
    """Names of each interval also what it is of, for the table's files."""
    first, *others = headings
    pairs = zip(others[::2], others[1::2], strict=True)
    return (
        first,
        *(h for of, between in pairs for h in (of, f"{of}, {between}")),
    )


def _pictures(measured: Mapping[str, Measured]) -> list[Block]:
    panels = []
    for name, m in measured.items():
        for suffix, confidence, t in (
            ("as trained", m.confidence, ""),
            ("at fitted T", m.confidence_scaled, f" {m.fit.temperature:.3g}"),
        ):
            bins = calibration.bins(confidence, m.correct)
            arrays = {
                f"bin_{part}": getattr(bins, part)
                for part in ("edges", "count", "confidence", "accuracy")
            }
            panels.append(Panel(f"{name}, {suffix}{t}", arrays))
    curves = {
        name: selective.curve(m.score, m.correct)
        for name, m in measured.items()
    }
    pictures: list[Block] = [
        Picture(
            reliability_figure(panels, columns=2),
            "reliability",
            "Reliability: accuracy by confidence, 15 bins.",
        ),
        Picture(
            risk_coverage_figure(curves),
            "risk_coverage",
            "Risk of the answers by coverage, the surest first.",
        ),
    ]
    planes = {n: m.projection for n, m in measured.items() if m.projection}
    if planes:
        pictures.append(
            Picture(
                projection_figure(
                    [
                        Panel(
                            name,
                            {
                                "classes": np.asarray(plane.classes),
                                "templates": plane.templates,
                                "examples_points": plane.points,
                                "examples_labels": plane.labels,
                            },
                        )
                        for name, plane in planes.items()
                    ]
                ),
                "projection",
                "Features on the plane of three classes' templates.",
            )
        )
    return pictures


def _origin(measured: Mapping[str, Measured]) -> Table:
    rows = []
    for name, m in measured.items():
        count, classes = m.network.logits.shape
        rows.append((name, m.network.source, m.network.digest, count, classes))
    return Table(
        "arrays",
        "The arrays behind this page.",
        ("network", "file", "SHA-256", "examples", "classes"),
        ("",) * 5,
        tuple(rows),
    )
