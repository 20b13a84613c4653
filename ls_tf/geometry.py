"""The geometry of a last layer: projections, and how far it has collapsed.

Arrays may be of NumPy, PyTorch, JAX or TensorFlow. The weights of the last
layer may be [D, K], as Keras has them, or [K, D], as PyTorch has: which of
the two follows from the features, unless D is K.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ls_tf.analysis import given, outputs
from ls_tf.analysis import neural_collapse as _collapse
from ls_tf.analysis import projection as _projection
from ls_tf.analysis.outputs import Array

__all__ = ["Projection", "collapse", "distances", "kernel", "project"]

Order = Literal["features_first", "classes_first"]


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Activations on the plane of three classes' templates.

    Attributes:
        classes: the three class ids.
        points: float64 [n, 2], of the examples of these classes.
        labels: int64 [n].
        templates: float64 [3, 2].
        measures: how tight and regular the clusters are: scale,
            template_scale, tightness, tightness_by_centres, side_spread.
    """

    classes: tuple[int, ...]
    points: Array
    labels: Array
    templates: Array
    measures: dict[str, float]


def kernel(
    weights: Any, num_features: int, order: Order | None = None
) -> Array:
    """Gives the weights of a last layer as [D, K].

    Args:
        weights: float [D, K] or [K, D].
        num_features: D.
        order: "features_first" for [D, K] (Keras), "classes_first" for
            [K, D] (PyTorch); None to tell by D.

    Returns:
        float [D, K].

    Raises:
        ValueError: no side is D, or both are and no order is given; NaN,
            infinity or a number beyond 1e100.

    Source: ours.
    """
    matrix = given.array(weights, "weights")
    if order not in (None, "features_first", "classes_first"):
        raise ValueError(
            f"wanted an order of features_first or classes_first, got {order!r}"
        )
    if matrix.ndim != 2 or num_features not in matrix.shape:
        raise ValueError(
            f"wanted weights with a side of {num_features} features, got "
            f"shape {matrix.shape}"
        )
    if order is None:
        if matrix.shape[0] == matrix.shape[1]:
            raise ValueError(
                f"weights of shape {matrix.shape} may be either way round: "
                "say order='features_first' (Keras) or 'classes_first' "
                "(PyTorch)"
            )
        is_first = matrix.shape[0] == num_features
        order = "features_first" if is_first else "classes_first"
    turned = matrix if order == "features_first" else matrix.T
    if turned.shape[0] != num_features:
        raise ValueError(
            f"wanted weights of {num_features} features, {order}, got shape "
            f"{matrix.shape}"
        )
    _check_finite(turned, "weights")
    return turned


def distances(
    features: Any,
    weights: Any,
    *,
    bias: Any = None,
    order: Order | None = None,
) -> Array:
    """Gives how far each activation lies from the template of each class.

    Smoothed labels ask for an activation that is near to the template of its
    own class and equally far from all others.

    Args:
        features: float [N, D], what the last layer multiplies.
        weights: float [D, K] or [K, D].
        bias: float [K], which becomes the last entry of each template, as 1
            does of each activation; None to leave it out.
        order: of the weights, see ``kernel``.

    Returns:
        float64 [N, K], Euclidean.

    Raises:
        ValueError: shapes or values that are not as above.

    Source: Mueller et al. 2019, section 2: the square of it is x' x -
    2 x' w_k + w_k' w_k.
    """
    points = given.array(features, "features")
    if points.ndim != 2:
        raise ValueError(f"wanted features [N, D], got shape {points.shape}")
    matrix = kernel(weights, points.shape[1], order).astype(np.float64)
    # Seen from the middle of the templates: far from the origin the squares
    # would leave few digits to the differences.
    middle = matrix.mean(axis=1)
    squares = _projection.squared_distances(
        points - middle, matrix - middle[:, None]
    )
    if bias is not None:
        squares += (1 - _bias(bias, matrix.shape[1])) ** 2
    return np.sqrt(squares)


def project(
    features: Any,
    labels: Any,
    weights: Any,
    *,
    classes: Any,
    bias: Any = None,
    order: Order | None = None,
    per_class: int | None = None,
    seed: int = 0,
) -> Projection:
    """Projects activations onto the plane of three classes' templates.

    Args:
        features: float [N, D], what the last layer multiplies.
        labels: int [N].
        weights: float [D, K] or [K, D].
        classes: three different class ids, [3] of any kind.
        bias: float [K], which becomes the last entry of each template; None
            to leave it out.
        order: of the weights, see ``kernel``.
        per_class: how many examples of each class, drawn; None for all.
        seed: of the draw.

    Returns:
        Projection.

    Raises:
        ValueError: shapes, classes or values that are not as above, or three
            templates on one line.

    Source: Mueller et al. 2019, section 2; Wagner et al. 2023 leave the bias
    out.
    """
    points, ids = _features(features, labels)
    matrix = kernel(weights, points.shape[1], order)
    offsets = None if bias is None else _bias(bias, matrix.shape[1])
    classes = _ids(classes)
    templates = _projection.templates(
        matrix, offsets, classes, use_bias=offsets is not None
    )
    if per_class is None:
        chosen = np.flatnonzero(np.isin(ids, classes))
    else:
        generator = np.random.default_rng(seed)
        chosen = _projection.pick_examples(ids, classes, per_class, generator)
    points, ids = points[chosen], ids[chosen]
    if offsets is not None:
        points = _projection.append_one(points)
    basis = _projection.plane_basis(templates)
    plane = _projection.project(points, basis)
    corners = _projection.project(templates, basis)
    return Projection(
        tuple(int(k) for k in classes),
        plane,
        ids,
        corners,
        _projection.cluster_geometry(plane, ids, classes, corners),
    )


def collapse(
    features: Any,
    labels: Any,
    weights: Any = None,
    *,
    order: Order | None = None,
) -> dict[str, float]:
    """How far activations have collapsed to one point for each class.

    Args:
        features: float [N, D].
        labels: int [N]; classes without examples are left out.
        weights: float [D, K] or [K, D] of the last layer, or None.
        order: of the weights, see ``kernel``.

    Returns:
        dict: ``nc1`` (scatter within classes by that between), ``nc2_means``
        (distance of the class means from a regular simplex),
        ``class_separation``; with weights ``nc2_templates`` and ``nc3``
        (distance of templates from pointing to the means). NC is 0 at the
        collapse; a measure that is not defined is NaN.

    Raises:
        ValueError: shapes or values that are not as above.

    Source: Papyan et al. 2020; Guo et al. 2024 (arXiv 2402.03979); Kornblith
    et al. 2021 (class separation).
    """
    points, ids = _features(features, labels)
    present, ids = np.unique(ids, return_inverse=True)
    means = _collapse.class_means(points, ids)
    measures: dict[str, Callable[[], float]] = {
        "nc1": lambda: _collapse.nc1(points, ids),
        "nc2_means": lambda: _collapse.nc2(means),
        "class_separation": lambda: _collapse.class_separation(points, ids),
    }
    if weights is not None:
        matrix = kernel(weights, points.shape[1], order)
        if present[-1] >= matrix.shape[1]:
            raise ValueError(
                f"wanted labels from 0 to {matrix.shape[1] - 1}, got "
                f"{present[-1]}"
            )
        templates = matrix.T[present].astype(np.float64)
        measures["nc2_templates"] = lambda: _collapse.nc2(templates)
        measures["nc3"] = lambda: _collapse.nc3(means, templates)
    found = {}
    for name, measure in measures.items():
        try:
            found[name] = measure()
        except ValueError:  # an activation of 0, or one mean for all
            found[name] = math.nan
    return found


def _bias(bias: Any, count: int) -> Array:
    offsets = given.array(bias, "a bias").astype(np.float64)
    if offsets.shape != (count,):
        raise ValueError(f"wanted a bias [{count}], got shape {offsets.shape}")
    if not np.isfinite(offsets).all():
        raise ValueError("wanted a finite bias, got NaN or infinity")
    return offsets


def _ids(classes: Any) -> list[Any]:
    """Class ids as a list, of a set or an array of any framework too."""
    if isinstance(classes, list | tuple | set | frozenset | range):
        return list(classes)
    ids: list[Any] = given.array(classes, "classes").reshape(-1).tolist()
    return ids


def _features(features: Any, labels: Any) -> tuple[Array, Array]:
    points, ids = (
        given.array(features, "features"),
        given.array(labels, "labels"),
    )
    if points.ndim != 2 or ids.shape != points.shape[:1] or not points.size:
        raise ValueError(
            "wanted features [N, D] and labels [N], got shapes "
            f"{points.shape} and {ids.shape}"
        )
    if ids.dtype.kind not in "iu" or ids.min() < 0:
        raise ValueError("wanted labels of integers from 0 on")
    _check_finite(points, "features")
    return points.astype(np.float64), ids.astype(np.int64)


def _check_finite(values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"wanted finite {name}, got NaN or infinity")
    if max(-float(values.min()), float(values.max())) > outputs.LARGEST:
        raise ValueError(f"wanted {name} of {outputs.LARGEST:g} or less")
