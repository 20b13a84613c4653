"""The words for pictures carry the numbers that are drawn."""

import numpy as np
from matplotlib.figure import Figure

from ls_tf.pages import alternative, canvas, dot_plot
from ls_tf.pages.tables import Spread


def test_a_curve_is_named_by_the_legend_that_has_its_look():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.plot([0, 0.5, 1], [3, 1, np.nan], "--", color=canvas.BLUE)
    left.plot([0.5], [1], "o")  # a ring around a point
    left.axvline(0.5)
    left.set(title="a = 0.5", xlabel="p", ylabel="loss,\nnats")
    x = np.linspace(0, 2, 101)
    right.plot(x, (x - 1.5) ** 2 - 1, color=canvas.INK, label="_nolegend_")
    canvas.legend_below(
        figure,
        2,
        [
            canvas.key("measured", color=canvas.INK),
            canvas.key("expected", color=canvas.BLUE, linestyle="--"),
        ],
    )
    assert alternative.text(figure, "Caption.") == (
        "Caption. a = 0.5, loss, nats over p: expected 3 at 0, 1 at 0.5. "
        "measured from 1.25 at 0 to −0.75 at 2, lowest −1 at 1.5, highest "
        "1.25 at 0."
    )


def test_the_numbers_of_named_rows_stand_together():
    lines = [
        dot_plot.Line("teacher", 0.67, 0.81, Spread(0.8333, 0.78, 0.88, 3)),
        dot_plot.Line("student", None, 0.93, Spread(0.9, 0.9, 0.9, 1)),
    ]
    figure = dot_plot.figure(lines, "test error, %")
    canvas.png(figure, dpi=20)
    assert alternative.text(figure, "The same.") == (
        "The same. test error, %: teacher: Müller et al. 2019 0.67, Wagner et "
        "al. 2023 (1 run) 0.81, range 0.78 to 0.88, ours 0.8333; student: "
        "Wagner et al. 2023 (1 run) 0.93, ours 0.9."
    )


def test_bars_clouds_grids_and_words_are_told():
    figure = Figure()
    bars, cloud, grid = figure.subplots(1, 3)
    bars.bar([0, 0.5], [10, 20], 0.5, align="edge", color=canvas.GREY)
    bars.text(0, 0, "ECE 0.0123\naccuracy 97 %")
    cloud.scatter([0, 2], [1, 3], label="class 0")
    cloud.scatter([5], [7])
    grid.imshow([[1.0, np.nan], [2.0, -3.0]])
    assert alternative.text(figure, "C.") == (
        "C. bars 10 at 0, 20 at 0.5; “ECE 0.0123 accuracy 97 %”. class 0 2 "
        "points around (1, 2); a point at (5, 7). 2 by 2 values from −3 to 2."
    )


def test_steps_are_told_in_full():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([999.5, 46875, 390_000], [-12345.6, 0.00027, 2.0])
    assert alternative.text(figure, "C.") == (
        "C. −12346 at 999.5, 0.00027 at 46875, 2 at 390000."
    )


def test_a_long_text_ends_with_a_whole_number():
    figure = Figure()
    axes = figure.subplots()
    for number in range(200):
        axes.plot([0, 1], [number, number])
    told = alternative.text(figure, "C.")
    assert told.endswith("; 94 at 0, 94 at 1. The picture shows more.")
    assert len(told) < 1800  # what a text of a page may have is 2,000
