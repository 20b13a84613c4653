"""What a network's activations know of another data set's classes."""

from dataclasses import dataclass

from ls_tf.analysis import transfer
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.pipeline import fitting
from ls_tf.protocols import Arrays, Classifier
from ls_tf.spec import SpecError

_NAME = "linear_transfer"


@dataclass(frozen=True)
class Evaluator:
    """Measures logistic regression on penultimate activations elsewhere.

    Attributes:
        role: not read: the images are those of the other set.
        data: the other data set; its images are scaled to the network's. The
            user's own has its source behind a colon: ``npz:mine.npz``.
        count: at most so many of its training images, and of its test images.
        strength: the inverse of the penalty's weight; one for all networks.

    Source: Kornblith et al. 2021 (arXiv 2010.16402): networks of better
    losses, smoothed labels among them, transfer less well.
    """

    role: str
    data: str = "digits"
    count: int = 2000
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Refuses bad options.

        Raises:
            SpecError: one line.
        """
        checks.positive(_NAME, "count", self.count)
        if not self.strength > 0:
            raise SpecError(
                f"{_NAME}: strength: wanted more than 0, got {self.strength}"
            )
        fitting.named(self.data)

    def check(self, network: Classifier) -> None:
        """Refuses a data set that is not there.

        Raises:
            SpecError: one line.
        """
        for split in ("train", "test"):
            network.other_data(self.data, split)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model.

        Returns:
            Measurement: scalars ``accuracy``, of the other set's test split,
            and ``accuracy_of_pixels``, of the same regression on the images
            themselves. ``count`` is the number of its test images.
        """
        train, test = (self._part(network, s) for s in ("train", "test"))
        found = {}
        for name, features in (
            (
                "accuracy",
                lambda a: network.outputs_of(a["image"])["penultimate"],
            ),
            (
                "accuracy_of_pixels",
                lambda a: a["image"].reshape(len(a["image"]), -1),
            ),
        ):
            found[name] = transfer.probe_accuracy(
                (features(train), train["label"]),
                (features(test), test["label"]),
                strength=self.strength,
            )
        return Measurement(found, len(test["label"]))

    def _part(self, network: Classifier, split: str) -> Arrays:
        data = network.other_data(self.data, split)
        return {k: v[: self.count] for k, v in data.items()}
