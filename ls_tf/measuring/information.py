"""What both measurements of the mutual information share."""

import math

import numpy as np

from ls_tf.analysis import mutual_information
from ls_tf.measuring import class_choice
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

# The examples and their views are the same whichever evaluator asks.
_NAME = "mutual_information"


def examples(
    network: Classifier,
    role: str,
    classes: tuple[int | str, ...],
    per_class: int,
) -> tuple[tuple[int, ...], np.ndarray]:
    """Finds the two classes and draws their examples.

    Returns:
        (ids of the classes, int64 [N] positions in the role's split).

    Raises:
        SpecError: classes that do not exist or have too few examples.
    """
    ids = class_choice.ids(_NAME, network, classes, 2)
    return ids, class_choice.pick(_NAME, network, role, ids, per_class)


def refuse_one_view(network: Classifier) -> None:
    """Refuses a run that is trained without augmentation.

    Raises:
        SpecError: one line.
    """
    if network.num_views == 1:
        raise SpecError(
            "mutual_information: wanted an augmentation, got "
            f"data.augmentation={network.spec.data.augmentation}: views of an "
            "example that are all alike have a sigma of 0"
        )


def scalars(
    samples: np.ndarray, labels: np.ndarray, *, every_view: bool = False
) -> dict[str, float]:
    """The estimates from the views of some examples of two classes.

    Args:
        samples: float [N, L], differences of two logits.
        labels: int [N], of two classes.
        every_view: whether L views are all there are; means and sigma are then
            exact and have no bias.

    Returns:
        dict of floats, nats but for the last three, which are logits:

        * ``information``, averaged over all views, and
          ``information_one_view``, over the first of each example;
        * ``bias`` of both, and ``information_less_bias``; neither of every
          view;
        * ``information_sigma_by_class``, with a sigma for each class;
        * ``information_as_printed``: the paper's formula, letter by letter;
        * ``limit``, log N;
        * ``sigma``; ``sigma_first`` and ``sigma_second`` of the classes.

        NaN where there is none: the network gives all views of an example,
        or all examples of a class, one answer, or no finite one.
    """
    how = mutual_information
    measures = {"limit": math.log(len(samples))}
    first = labels == labels[0]
    for name, measure in (
        ("information", lambda: how.estimate(samples)),
        ("information_one_view", lambda: how.estimate(samples, averaged="one")),
        (
            "information_sigma_by_class",
            lambda: how.estimate(samples, groups=labels),
        ),
        ("information_as_printed", lambda: how.estimate_as_printed(samples)),
        ("sigma", lambda: how.noise(samples)[0]),
        ("sigma_first", lambda: how.noise(samples[first])[0]),
        ("sigma_second", lambda: how.noise(samples[~first])[0]),
    ):
        try:
            measures[name] = float(measure())
        except ValueError:
            measures[name] = math.nan
    if not every_view:
        measures["bias"] = bias = how.bias(samples.shape[1])
        measures["information_less_bias"] = measures["information"] - bias
    return measures
