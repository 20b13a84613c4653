"""Reports of label noise: the exact ones, by printed values and by hand."""

import numpy as np
import pytest

from ls_tf.pages.blocks import Picture, Table
from ls_tf.spec import registry


def blocks(name):
    made = list(registry.get("ls_tf.reports", name).build({}))
    tables = {b.name: b for b in made if isinstance(b, Table)}
    pictures = {b.name: b.figure for b in made if isinstance(b, Picture)}
    return tables, pictures


def by_rate(table):
    return {
        row[0]: dict(zip(table.headings, row, strict=True))
        for row in table.rows
    }


def test_the_landscapes_of_two_classes():
    tables, pictures = blocks("g_fig1")
    rows = by_rate(tables["best"])
    assert rows[0.9]["loss, alpha, M = 2"] == pytest.approx(0.32508, abs=5e-6)
    assert rows[0.9]["loss, beta, M = 2"] == pytest.approx(0.47139, abs=5e-6)
    alpha, beta, gamma, bar = pictures["landscapes"].axes
    assert bar.get_ylabel() == "loss, nats"
    shown = alpha.collections[0].get_array().reshape(101, 101)
    p, a = 0.7, 0.2
    expected = -a * np.log(p) - (1 - a) * np.log(1 - p)
    assert shown[70, 20] == pytest.approx(expected)
    # A white line below a dark one: alpha has one best p, gamma two.
    lines = [len(axes.lines) for axes in (alpha, beta, gamma)]
    assert lines == [2, 2, 4]
    upper, lower = gamma.lines[0].get_ydata(), gamma.lines[2].get_ydata()
    np.testing.assert_allclose(upper + lower, 1)


def test_the_best_p_of_three_types():
    tables, pictures = blocks("g_fig2")
    rows = by_rate(tables["best"])
    assert rows[0.8]["best p, gamma, M = 2"] == pytest.approx(0.835, abs=5e-4)
    (axes,) = pictures["best_p"].axes
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert curves["alpha type"][700] == pytest.approx(0.7)
    assert curves["beta type"][900] == pytest.approx(0.82)
    assert curves["gamma type"][740] == 0.5


def test_beta_over_the_square():
    tables, pictures = blocks("g_fig3")
    (axes,) = pictures["best_p"].axes
    assert len(axes.lines) == 6
    row = by_rate(tables["over_square"])[0.7]
    assert row["M = 10"] == pytest.approx(0.3**2 / 9)


def test_the_jumps_of_gamma():
    tables, pictures = blocks("g_fig4")
    jumps = {row[0]: row[1:] for row in tables["jumps"].rows}
    assert jumps[10] == pytest.approx((0.47682, 0.1, 0.4827), abs=6e-5)
    (axes,) = pictures["best_p"].axes
    curve = axes.lines[3].get_ydata()  # M = 10, a in steps of .001
    assert curve[476] == pytest.approx(0.1)
    assert curve[477] > 0.48


def test_the_landscape_of_ten_classes():
    tables, pictures = blocks("g_fig5_theory")
    row = by_rate(tables["best"])[0.8]
    assert row["loss, alpha, M = 10"] == pytest.approx(0.93985, abs=5e-6)
    line = pictures["landscape"].axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata())
