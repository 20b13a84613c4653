"""Stability of the answers to a class, and distances of similar classes."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import probabilities, projection, stability
from ls_tf.measuring import class_choice
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_READINGS: tuple[stability.Reading, ...] = ("std", "variance", "vector")


@dataclass(frozen=True)
class Evaluator:
    """Measures the spread of probabilities within and between classes.

    Attributes:
        role: which split.
        classes: three classes, by id or by name: two that are alike and one
            that is not; their distances are measured on the plane of
            ``penultimate``.
        use_bias: as in ``penultimate``.

    Source: Shen et al. 2021, equations 2 and 5 to 7, algorithm 1, figures 1
        and 4, tables 1 and 10.
    """

    role: str
    classes: tuple[int | str, ...] = (0, 1, 2)
    use_bias: bool = False

    def check(self, network: Classifier) -> None:
        """Refuses classes that do not exist or have too few examples.

        Raises:
            SpecError: one line.
        """
        ids = class_choice.ids("stability", network, self.classes, 3)
        counts = np.bincount(
            network.labels(self.role), minlength=len(network.class_names)
        )
        data = network.spec.data
        where = f"{data.name}/{getattr(data, self.role)}"
        for k, count in enumerate(counts):
            if count == 1 or (count == 0 and k in ids):
                raise SpecError(
                    f"stability: wanted 2 or more examples of class {k} in "
                    f"{where}, got {count}"
                )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``intra_std``, ``intra_variance``,
            ``intra_vector`` and the same with ``inter_``: 1 less the
            stability in each reading; ``d1``, ``d2``, ``dc``,
            ``d1_minus_d2``, ``dc_relative``. Arrays: ``mean_probs`` and
            ``variance_probs`` float64 [K, K], row by label; ``class_std``
            float64, the spread of each class that occurs; ``classes`` int32
            [3].

        Raises:
            SpecError: see ``check``.
        """
        labels, outputs = network.labels(self.role), network.outputs(self.role)
        probs = probabilities.softmax(outputs["logits"], 1.0)
        scalars: dict[str, float] = {}
        for reading in _READINGS:
            for name, measure in (
                ("intra", stability.intra_class_spread),
                ("inter", stability.inter_class_spread),
            ):
                scalars[f"{name}_{reading}"] = measure(
                    probs, labels, reading=reading
                )
        mean, variance = stability.class_moments(probs, labels)
        ids = class_choice.ids("stability", network, self.classes, 3)
        points = self._projected(network, outputs["penultimate"], ids)
        scalars.update(stability.pair_distances(points, labels, ids))
        return Measurement(
            scalars,
            len(labels),
            {
                "mean_probs": mean,
                "variance_probs": variance,
                "class_std": stability.class_spreads(probs, labels),
                "classes": np.asarray(ids, np.int32),
            },
        )

    def _projected(
        self,
        network: Classifier,
        activations: np.ndarray,
        classes: tuple[int, ...],
    ) -> np.ndarray:
        """Activations on the plane through the templates of three classes."""
        layer = network.model.get_layer("logits")
        bias = None if layer.bias is None else np.asarray(layer.bias.numpy())
        kernel = np.asarray(layer.kernel.numpy())
        templates = projection.templates(
            kernel, bias, classes, use_bias=self.use_bias
        )
        if self.use_bias:
            activations = projection.append_one(activations)
        points: np.ndarray = projection.project(
            activations, projection.plane_basis(templates)
        )
        return points
