"""The pictures of a measurement, for TensorBoard."""

from ls_tf.pages.canvas import Arrays, Panel, own_style, png
from ls_tf.pages.projection import projection_figure
from ls_tf.pages.reliability import reliability_figure


@own_style()
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
        plain = Panel("as trained (T = 1)", arrays)
        scaled = Panel("after temperature scaling", arrays, "_scaled")
        figure = reliability_figure([plain, scaled])
        return {"reliability": png(figure, dpi=100)}
    if evaluator_name == "penultimate":
        figure = projection_figure([Panel("penultimate layer", arrays)])
        return {"projection": png(figure, dpi=100)}
    return {}
