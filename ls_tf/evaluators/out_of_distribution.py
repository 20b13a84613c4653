"""Whether a classifier's confidence tells foreign images from its own."""

from dataclasses import dataclass

import numpy as np

from ls_tf import seeds
from ls_tf.analysis import selective, transfer
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.pipeline import fitting, own
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_NAME = "out_of_distribution"
_NOISE = "noise"


@dataclass(frozen=True)
class Evaluator:
    """Measures how well two scores part a split from other images.

    Attributes:
        role: which split is the network's own.
        others: data sets, of which the test split is taken, the user's own
            with their source (``npz:mine.npz``), and "noise", pixels drawn
            evenly from 0 to 255.
        count: at most so many images of each.

    Source: Hendrycks and Gimpel 2017 (largest probability); Liu et al. 2020
    (energy).
    """

    role: str
    others: tuple[str, ...] = ("digits", _NOISE)
    count: int = 2000

    def __post_init__(self) -> None:
        """Refuses no images, the same ones twice, and names of none.

        Raises:
            SpecError: one line.
        """
        checks.positive(_NAME, "count", self.count)
        shown = {own.shown(name) for name in self.others}
        if not self.others or len(shown) != len(self.others):
            raise SpecError(
                f"{_NAME}: others: wanted different data sets, got "
                f"{', '.join(self.others) or 'none'}"
            )
        for name in self.others:
            if name != _NOISE:
                fitting.named(name)

    def check(self, network: Classifier) -> None:
        """Refuses a data set that is not there.

        Raises:
            SpecError: one line.
        """
        for name in self.others:
            self._images(network, name)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: for each of ``others`` the scalars
            ``auroc_confidence_<name>`` and ``auroc_energy_<name>``: how often
            an own image has the higher largest probability, or the lower
            energy. ``count`` is the number of own images.
        """
        mine = network.outputs(self.role)["logits"]
        scalars = {}
        for name in self.others:
            foreign = network.outputs_of(self._images(network, name))["logits"]
            for score, of in (
                ("confidence", selective.confidence),
                ("energy", transfer.energy),
            ):
                scalars[f"auroc_{score}_{own.shown(name)}"] = transfer.auroc(
                    of(mine), of(foreign)
                )
        return Measurement(scalars, len(mine))

    def _images(self, network: Classifier, name: str) -> np.ndarray:
        if name == _NOISE:
            rng = seeds.philox(network.spec.seed, _NAME, _NOISE)
            shape = (self.count, *network.image_shape())
            return rng.integers(0, 256, shape, np.uint8)
        return network.other_data(name, "test")["image"][: self.count]
