"""The penultimate layer on the plane through three classes' templates."""

import keras
import numpy as np

from ls_tf import seeds
from ls_tf.analysis import projection
from ls_tf.evaluators._measurement import Measurement
from ls_tf.spec import SpecError, nearest
from ls_tf.tasks._protocol import Trained


def evaluate(
    trained: Trained,
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
    ids = _ids(trained, classes)
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
        index = _pick(trained, name, ids, per_class)
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
    trained: Trained,
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
    ids = _ids(trained, classes)
    if len(set(ids)) != 3 or len(ids) != 3:
        raise SpecError(
            f"penultimate: wanted three different classes, got {classes}"
        )
    for name in ("train", role):
        _pick(trained, name, ids, per_class)


def _ids(trained: Trained, classes: tuple[int | str, ...]) -> tuple[int, ...]:
    """The ids of classes that are given by id or by name."""
    found = []
    for wanted in classes:
        if isinstance(wanted, str):
            names = trained.class_names
            if wanted not in names:
                raise SpecError(
                    f"penultimate: no class '{wanted}' in "
                    f"{trained.spec.data.name}; {nearest(wanted, names)}"
                )
            wanted = names.index(wanted)
        found.append(wanted)
    return tuple(found)


def _pick(
    trained: Trained, role: str, classes: tuple[int, ...], per_class: int
) -> np.ndarray:
    rng = seeds.philox(trained.spec.seed, "penultimate", role)
    try:
        found: np.ndarray = projection.pick_examples(
            trained.labels(role), classes, per_class, rng
        )
    except ValueError as error:
        split = getattr(trained.spec.data, role)
        raise SpecError(
            f"penultimate: {trained.spec.data.name}/{split}: {error}"
        ) from error
    return found


def _last_layer(model: keras.Model) -> tuple[np.ndarray, np.ndarray | None]:
    layer = model.get_layer("logits")
    bias = None if layer.bias is None else np.asarray(layer.bias.numpy())
    return np.asarray(layer.kernel.numpy()), bias
