"""The reports on Shen et al. 2021."""

import math

import pytest

from ls_tf.pages.blocks import Picture, Table
from ls_tf.spec import registry


def blocks(name):
    """Tables and figures of a report that needs no run."""
    made = list(registry.get("ls_tf.reports", name).build({}))
    tables = {b.name: b for b in made if isinstance(b, Table)}
    pictures = {b.name: b.figure for b in made if isinstance(b, Picture)}
    return tables, pictures


def test_the_logistic_loss_of_figure_3():
    tables, pictures = blocks("s_fig3")
    by_alpha = {row[0]: row[1:] for row in tables["minimum"].rows}
    assert by_alpha[0.0] == (math.inf, 0.0, math.inf, 0.0)
    # ln 9 and ln 19; the entropies of .1 and of .05.
    assert by_alpha[0.1] == pytest.approx(
        (2.1972, 0.3251, 2.9444, 0.1985), abs=5e-5
    )
    (axes,) = pictures["logistic_loss"].axes
    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    smoothed = curves["alpha = 0.1"]
    lowest = smoothed[smoothed[:, 1].argmin()]
    assert lowest == pytest.approx((2.1972, 0.3251), abs=0.02)
    hard = curves["alpha = 0"]
    assert hard[:, 1].argmin() == len(hard) - 1
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(dots) == 4
