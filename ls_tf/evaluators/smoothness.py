"""The smoothness gamma: how much a teacher's answers smooth its student."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import smoothness
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError


@dataclass(frozen=True)
class Evaluator:
    """Measures gamma of a student's teacher, or of a network as a teacher.

    Where the network has a teacher, that one is measured, on the training
    images as the student sees them and at the temperature that the student
    takes; else the network itself, at temperature 1.

    Attributes:
        role: which split; train for a student.
        temperatures: of the curve on images without augmentation; positive,
            each greater than the one before.

    Source: Mueller et al. 2019, section 4 and figure 5.
    """

    role: str
    temperatures: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)

    def __post_init__(self) -> None:
        """Refuses a bad grid.

        Raises:
            SpecError: one line.
        """
        checks.temperatures("smoothness", self.temperatures)

    def check(self, network: Classifier) -> None:
        """Refuses a student's other splits.

        Raises:
            SpecError: one line.
        """
        if network.spec.teacher is not None and self.role != "train":
            raise SpecError(
                "smoothness: wanted role train, for a teacher is asked about "
                f"the training images, got {self.role}"
            )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``gamma``, the exact mean over every view of
            every image (left out where the views are not stored),
            ``gamma_unaugmented`` and ``temperature``, at which both are;
            arrays ``temperatures`` and ``gamma_unaugmented``, float64.

        Raises:
            SpecError: see ``check``.
        """
        teacher, labels = network.spec.teacher, network.labels(self.role)
        at = 1.0 if teacher is None else teacher.teacher_temperature
        scalars = {"temperature": at}
        plain = network.teacher_logits(every_view=False)
        if plain is None:
            plain = network.outputs(self.role)["logits"]
        else:
            every = network.teacher_logits(every_view=True)
            if every is not None:
                scalars["gamma"] = smoothness.gamma(
                    every, labels, temperature=at
                )
        scalars["gamma_unaugmented"] = smoothness.gamma(
            plain, labels, temperature=at
        )
        curve = [
            smoothness.gamma(plain, labels, temperature=t)
            for t in self.temperatures
        ]
        arrays = {
            "temperatures": np.asarray(self.temperatures, np.float64),
            "gamma_unaugmented": np.asarray(curve, np.float64),
        }
        return Measurement(scalars, len(labels), arrays)
