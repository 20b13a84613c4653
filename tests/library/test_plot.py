"""Tests of ls_tf.plot."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import ls_tf

matplotlib.use("agg")


@pytest.fixture
def axes():
    return Figure().subplots()


def answers(count=200):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, count)
    logits = 2 * generator.normal(size=(count, 4))
    logits[np.arange(count), labels] += 2
    return logits, labels


def test_a_reliability_diagram_has_the_points_of_its_bins(axes):
    both = answers()
    assert ls_tf.plot.reliability(*both, ax=axes, bins=7) is axes
    bins = ls_tf.calibration.reliability(*both, bins=7)
    some = bins.count > 0
    points = [
        line.get_xydata() for line in axes.lines if line.get_marker() == "o"
    ]
    np.testing.assert_allclose(
        points[0], np.stack([bins.confidence, bins.accuracy], 1)[some]
    )
    ece = ls_tf.calibration.ece(*both, bins=7)
    assert f"ECE {ece:.4f}" in axes.texts[0].get_text()


def test_risk_coverage_ends_at_the_error(axes):
    logits, labels = answers()
    networks = {"a": (logits, labels), "b": (-logits, labels)}
    assert ls_tf.plot.risk_coverage(networks, ax=axes) is axes
    for line, (z, y) in zip(axes.lines, networks.values(), strict=True):
        assert line.get_ydata()[-1] == pytest.approx(
            1 - ls_tf.calibration.accuracy(z, y)
        )
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "b"]
    with pytest.raises(ValueError, match="got none"):
        ls_tf.plot.risk_coverage({})


def test_a_projection_shows_each_class(axes):
    kernel = np.random.default_rng(1).normal(size=(6, 4))
    labels = answers()[1]
    plane = ls_tf.geometry.project(
        kernel.T[labels] + 0.1, labels, kernel, classes=(0, 1, 3)
    )
    assert ls_tf.plot.projection(plane, ax=axes, names={0: "cat"}) is axes
    drawn = axes.collections[0].get_offsets()
    np.testing.assert_allclose(drawn, plane.points[plane.labels == 0])
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["cat", "class 1", "class 3", "template"]


def test_new_axes_are_made_where_none_are_given():
    from matplotlib import pyplot

    axes = ls_tf.plot.reliability(*answers())
    assert axes.figure in map(pyplot.figure, pyplot.get_fignums())
    pyplot.close(axes.figure)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: ls_tf.plot.reliability(*answers(), ax=3), "axes.*got int"),
        (lambda: ls_tf.plot.risk_coverage([answers()]), "dict.*got list"),
        (lambda: ls_tf.plot.risk_coverage({"a": 3}), "of 'a', got int"),
        (lambda: ls_tf.plot.projection(np.ones(3)), "project.*got ndarray"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(draw, said):
    with pytest.raises(ValueError, match=said):
        draw()
