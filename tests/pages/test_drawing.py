import ast
import pathlib
import struct

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_tf.pages import canvas, drawing
from ls_tf.pages.projection import projection_figure
from ls_tf.pages.reliability import reliability, reliability_figure

EDGES = np.arange(6) / 5


def diagram(suffix=""):
    nan = np.nan
    return {
        f"bin_edges{suffix}": EDGES,
        f"bin_count{suffix}": np.array([0.0, 2.0, 0.0, 8.0, 90.0]),
        f"bin_confidence{suffix}": np.array([nan, 0.3, nan, 0.7, 0.9]),
        f"bin_accuracy{suffix}": np.array([nan, 0.5, nan, 0.25, 0.9]),
    }


def projection(scale=1.0):
    labels = np.repeat([4, 7, 9], 5)
    points = np.arange(30, dtype=np.float32).reshape(15, 2) * scale
    return {
        "templates": np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 40.0]]),
        "classes": np.array([4, 7, 9], np.int32),
        "train_points": points,
        "train_labels": labels,
        "report_points": -points,
        "report_labels": labels,
    }


def header(png):
    """Width, height, bits and colour type of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">IIBB", png[16:26])


def test_empty_bins_are_skipped_and_gaps_run_from_accuracy_to_confidence():
    top, strip = Figure().subplots(2, 1)
    reliability(diagram("_x"), (top, strip), "_x")
    accuracy, gaps = top.patches[:3], top.patches[3:]
    assert [p.get_x() for p in accuracy] == pytest.approx([0.2, 0.6, 0.8])
    heights = [p.get_height() for p in accuracy]
    assert heights == pytest.approx([0.5, 0.25, 0.9])
    assert [(p.get_y(), p.get_y() + p.get_height()) for p in gaps] == [
        pytest.approx((0.5, 0.3)),
        pytest.approx((0.25, 0.7)),
        pytest.approx((0.9, 0.9)),
    ]
    assert [p.get_height() for p in strip.patches] == [2, 8, 90]
    lines = [line.get_xydata().tolist() for line in top.lines]
    assert [[0.0, 0.0], [1.0, 1.0]] in lines


def test_the_diagram_shows_its_own_error_and_accuracy():
    axes = Figure().subplots(2, 1)
    reliability(diagram(), tuple(axes), "")
    ece = (2 * 0.2 + 8 * 0.45 + 90 * 0.0) / 100
    accuracy = 100 * (2 * 0.5 + 8 * 0.25 + 90 * 0.9) / 100
    (text,) = axes[0].texts
    assert text.get_text() == f"ECE {ece:.4f}\naccuracy {accuracy:.2f} %"


def test_counts_of_a_single_example_can_be_drawn():
    one = {
        "bin_edges": EDGES,
        "bin_count": np.array([0.0, 0, 0, 0, 1.0]),
        "bin_confidence": np.array([np.nan] * 4 + [1.0]),
        "bin_accuracy": np.array([np.nan] * 4 + [0.0]),
    }
    figure = reliability_figure([canvas.Panel("one", one)])
    assert header(canvas.png(figure))[2:] == (8, 6)


def test_a_projection_has_the_same_axes_in_a_row_and_shows_every_point():
    panels = [
        canvas.Panel("a", projection()),
        canvas.Panel("b", projection(9)),
    ]
    figure = projection_figure(panels, {"train": "seen"})
    axes = figure.axes
    assert len(axes) == 4
    for left, right in (axes[:2], axes[2:]):
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()
    assert axes[0].get_xlim() != axes[2].get_xlim()
    assert [a.get_title() for a in axes[:2]] == ["seen", "report"]
    shown = [c.get_offsets() for c in axes[1].collections]
    assert [len(c) for c in shown] == [5, 5, 5, 1, 1, 1]
    low, high = axes[0].get_ylim()
    assert low < -29 and high > 40  # the templates lie inside too
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ["class 4", "class 7", "class 9", "template"]


def test_the_titles_of_a_single_row_are_not_cut_off():
    figure = projection_figure([canvas.Panel("a", projection())])
    canvas.png(figure)
    for axes in figure.axes:
        top = axes.title.get_window_extent().y1
        assert axes.bbox.y1 < top < figure.bbox.y1


def test_points_that_have_collapsed_can_be_drawn():
    arrays = projection(0.0) | {"templates": np.zeros((3, 2))}
    figure = projection_figure([canvas.Panel("a", arrays)])
    assert figure.axes[0].get_xlim() == (-1.0, 1.0)


def test_pictures_for_tensorboard_are_rgba_of_eight_bits():
    found = drawing.pictures("reliability", diagram() | diagram("_scaled"))
    assert list(found) == ["reliability"]
    width, height, bits, colour = header(found["reliability"])
    assert (bits, colour) == (8, 6) and width > 400 and height > 300
    found = drawing.pictures("penultimate", projection())
    assert list(found) == ["projection"]
    assert header(found["projection"])[2:] == (8, 6)
    assert drawing.pictures("classification", {}) == {}


def test_files_hold_no_date_and_no_program_and_repeat():
    def draw():
        return reliability_figure([canvas.Panel("a", diagram())])

    png, pdf = canvas.png(draw()), canvas.pdf(draw())
    assert b"Software" not in png and b"CreationDate" not in pdf
    assert (canvas.png(draw()), canvas.pdf(draw())) == (png, pdf)


def test_no_report_imports_a_training_library_or_pyplot():
    package = pathlib.Path(drawing.__file__).parents[1]
    files = [*package.glob("pages/*.py"), *package.glob("reports/*.py")]
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                assert name.split(".")[0] not in ("tensorflow", "keras"), file
                assert "pyplot" not in name, file


def test_a_users_style_changes_no_picture():
    before = drawing.pictures("reliability", diagram() | diagram("_scaled"))
    users = {"lines.linewidth": 20, "font.size": 30, "savefig.dpi": 20}
    with mpl.rc_context(users):
        after = drawing.pictures("reliability", diagram() | diagram("_scaled"))
        assert mpl.rcParams["font.size"] == 30
    assert after == before
