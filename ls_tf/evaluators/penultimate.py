"""The penultimate layer on the plane through three classes' templates."""

import keras
import numpy as np

from ls_tf.analysis import projection
from ls_tf.measuring import class_choice
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier

_NAME = "penultimate"


def evaluate(
    trained: Classifier,
    *,
    role: str,
    classes: tuple[int | str, ...] = (0, 1, 2),
    per_class: int = 100,
    use_bias: bool = False,
) -> Measurement:
    """Projects examples of three classes, from train and from a role's split.

    Args:
        trained: the model and its data.
        role: the split beside the training split.
        classes: three classes, each by its id or its name in the data set.
        per_class: examples of each.
        use_bias: whether a template includes its class's bias, as the paper's
            formula does, with a constant 1 appended to the activations.

    Returns:
        Measurement: arrays of points; scalars: tightness of the clusters,
        regularity of the triangle and its scale, for both splits.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, section 2; the numbers: ours.
    """
    ids = class_choice.ids(_NAME, trained, classes, 3)
    kernel, bias = _last_layer(trained.model)
    templates = projection.templates(kernel, bias, ids, use_bias=use_bias)
    basis = projection.plane_basis(templates)
    flat = projection.project(templates, basis)
    scalars: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {
        "templates": flat,
        "classes": np.asarray(ids, np.int32),
    }
    count = 0
    for name in ("train", role):
        labels = trained.labels(name)
        index = class_choice.pick(_NAME, trained, name, ids, per_class)
        points = trained.outputs(name, index)["penultimate"]
        if use_bias:
            points = projection.append_one(points)
        points = projection.project(points, basis)
        geometry = projection.cluster_geometry(points, labels[index], ids, flat)
        scalars.update({f"{name}_{k}": v for k, v in geometry.items()})
        arrays[f"{name}_points"] = points.astype(np.float32)
        arrays[f"{name}_labels"] = labels[index]
        count += len(index)
    return Measurement(scalars, count, arrays)


def check(
    trained: Classifier,
    *,
    role: str,
    classes: tuple[int | str, ...] = (0, 1, 2),
    per_class: int = 100,
    use_bias: bool = False,
) -> None:
    """Refuses classes that do not exist or have too few examples.

    Raises:
        ValueError: one line.
    """
    del use_bias
    ids = class_choice.ids(_NAME, trained, classes, 3)
    for name in ("train", role):
        class_choice.pick(_NAME, trained, name, ids, per_class)


def _last_layer(model: keras.Model) -> tuple[np.ndarray, np.ndarray | None]:
    layer = model.get_layer("logits")
    bias = None if layer.bias is None else np.asarray(layer.bias.numpy())
    return np.asarray(layer.kernel.numpy()), bias
