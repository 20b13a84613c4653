"""The penultimate layer on the plane through three classes' templates."""

from dataclasses import dataclass

import keras
import numpy as np

from ls_tf.analysis import projection
from ls_tf.measuring import class_choice
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_NAME = "penultimate"


@dataclass(frozen=True)
class Evaluator:
    """Projects examples of three classes, from train and from a role's split.

    Attributes:
        role: the split beside the training split.
        classes: three classes, each by its id or its name in the data set.
        per_class: examples of each.
        use_bias: whether a template includes its class's bias, as the paper's
            formula does, with a constant 1 appended to the activations.

    Source: Mueller et al. 2019, section 2; the numbers: ours.
    """

    role: str
    classes: tuple[int | str, ...] = (0, 1, 2)
    per_class: int = 100
    use_bias: bool = False

    def check(self, network: Classifier) -> None:
        """Refuses classes that do not exist or have too few examples.

        Also a layer without a plane.

        Raises:
            SpecError: one line.
        """
        ids = class_choice.ids(_NAME, network, self.classes, 3)
        width = _last_layer(network.model)[0].shape[0] + self.use_bias
        if width < 2:
            raise SpecError(
                f"{_NAME}: wanted a penultimate layer of 2 units or more, for "
                f"a plane, got {width}"
            )
        for role in ("train", self.role):
            class_choice.pick(_NAME, network, role, ids, self.per_class)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: arrays of points; scalars: tightness of the clusters,
            regularity of the triangle and its scale, for both splits.

        Raises:
            SpecError: see ``check``.
        """
        ids = class_choice.ids(_NAME, network, self.classes, 3)
        kernel, bias = _last_layer(network.model)
        templates = projection.templates(
            kernel, bias, ids, use_bias=self.use_bias
        )
        basis = projection.plane_basis(templates)
        flat = projection.project(templates, basis)
        scalars: dict[str, float] = {}
        arrays: dict[str, np.ndarray] = {
            "templates": flat,
            "classes": np.asarray(ids, np.int32),
        }
        count = 0
        for role in ("train", self.role):
            labels = network.labels(role)
            index = class_choice.pick(_NAME, network, role, ids, self.per_class)
            points = network.outputs(role, index)["penultimate"]
            if self.use_bias:
                points = projection.append_one(points)
            points = projection.project(points, basis)
            geometry = projection.cluster_geometry(
                points, labels[index], ids, flat
            )
            scalars.update({f"{role}_{k}": v for k, v in geometry.items()})
            arrays[f"{role}_points"] = points.astype(np.float32)
            arrays[f"{role}_labels"] = labels[index]
            count += len(index)
        return Measurement(scalars, count, arrays)


def _last_layer(model: keras.Model) -> tuple[np.ndarray, np.ndarray | None]:
    layer = model.get_layer("logits")
    bias = None if layer.bias is None else np.asarray(layer.bias.numpy())
    return np.asarray(layer.kernel.numpy()), bias
