"""The pictures of a measurement, for reports and for TensorBoard."""

from ls_tf.pages.canvas import Arrays, Panel, png
from ls_tf.pages.projection import projection_figure, projection_row
from ls_tf.pages.reliability import reliability, reliability_figure

__all__ = [
    "Panel",
    "pictures",
    "projection_figure",
    "projection_row",
    "reliability",
    "reliability_figure",
]


def pictures(evaluator_name: str, arrays: Arrays) -> dict[str, bytes]:
    """Draws what TensorBoard shows of a measurement.

    Args:
        evaluator_name: the evaluator that measured.
        arrays: its arrays.

    Returns:
        dict: name -> PNG; empty for an evaluator that has no picture.

    Source: ours.
    """
    if evaluator_name == "reliability":
        figure = reliability_figure(
            [
                Panel("as trained (T = 1)", arrays),
                Panel("after temperature scaling", arrays, "_scaled"),
            ]
        )
        return {"reliability": png(figure, dpi=100)}
    if evaluator_name == "penultimate":
        return {
            "projection": png(
                projection_figure([Panel("penultimate layer", arrays)]), dpi=100
            )
        }
    return {}
