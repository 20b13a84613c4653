"""The smoothness gamma: how much a teacher's answers smooth its student."""

import numpy as np

from ls_tf.analysis import smoothness
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_GRID = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)


def evaluate(
    trained: Classifier,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
) -> Measurement:
    """Measures gamma of a student's teacher, or of a network as a teacher.

    Args:
        trained: the model and its data. Where it has a teacher, that one is
            measured, on the training images as the student sees them and at
            the temperature that the student takes; else the network itself,
            at temperature 1.
        role: which split; train for a student.
        temperatures: of the curve on images without augmentation; positive,
            each greater than the one before.

    Returns:
        Measurement: scalars ``gamma``, the exact mean over every view of
        every image (left out where the views are not stored),
        ``gamma_unaugmented`` and ``temperature``, at which both are; arrays
        ``temperatures`` and ``gamma_unaugmented``, float64.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, section 4 and figure 5.
    """
    teacher, labels = trained.spec.teacher, trained.labels(role)
    at = 1.0 if teacher is None else teacher.teacher_temperature
    scalars = {"temperature": at}
    plain = trained.teacher_logits(every_view=False)
    if plain is None:
        plain = trained.outputs(role)["logits"]
    else:
        every = trained.teacher_logits(every_view=True)
        if every is not None:
            scalars["gamma"] = smoothness.gamma(every, labels, temperature=at)
    scalars["gamma_unaugmented"] = smoothness.gamma(
        plain, labels, temperature=at
    )
    curve = [
        smoothness.gamma(plain, labels, temperature=t) for t in temperatures
    ]
    arrays = {
        "temperatures": np.asarray(temperatures, np.float64),
        "gamma_unaugmented": np.asarray(curve, np.float64),
    }
    return Measurement(scalars, len(labels), arrays)


def check(
    trained: Classifier,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
) -> None:
    """Refuses a student's other splits, and a bad grid.

    Raises:
        ValueError: one line.
    """
    if trained.spec.teacher is not None and role != "train":
        raise SpecError(
            "smoothness: wanted role train, for a teacher is asked about the "
            f"training images, got {role}"
        )
    checks.temperatures("smoothness", temperatures)
