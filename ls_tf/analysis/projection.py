"""The picture of the penultimate layer: three classes in a plane.

The template of a class is the vector of last-layer weights that gives its
logit. Three templates span a plane; the activations that the last layer
multiplies are projected onto it. The basis is that of the *differences* of
the templates: the templates themselves span a three-dimensional space.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs

Array = npt.NDArray[Any]

_RELATIVE_FLATNESS = 1e-6  # above the rounding of float32 weights


def templates(
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    classes: Sequence[int],
    *,
    use_bias: bool,
) -> Array:
    """Picks the templates of three classes from the last layer.

    Args:
        kernel: float [D, K], weights of the last layer.
        bias: float [K], or None if the layer has none.
        classes: three different class ids.
        use_bias: whether the bias is the last entry of a template; project
            activations through `append_one` then.

    Returns:
        float64 [3, D], or [3, D + 1] with the bias.

    Raises:
        ValueError: on bad shapes, class ids that repeat or do not exist, or
            if the bias is wanted and there is none.

    Source: Mueller et al. 2019, section 1.1 (x is concatenated with 1 and
        w_k contains the bias); Wagner et al. 2023, algorithm 1, leaves the
        bias out.
    """
    if np.ndim(kernel) != 2:
        raise ValueError(
            f"wanted a kernel [D, K], got shape {np.shape(kernel)}"
        )
    weights = _matrix(kernel, "kernel")
    num_classes = weights.shape[1]
    ids = _three_classes(classes)
    if min(ids) < 0 or max(ids) >= num_classes:
        raise ValueError(
            f"wanted classes from 0 to {num_classes - 1}, got {ids}"
        )
    columns = weights[:, ids].T
    if not use_bias:
        return columns
    if bias is None:
        raise ValueError("wanted a bias for use_bias=True, got None")
    offsets = np.asarray(bias, np.float64)
    if offsets.shape != (num_classes,):
        raise ValueError(
            f"wanted a bias [{num_classes}], got shape {offsets.shape}"
        )
    return np.concatenate([columns, offsets[ids][:, None]], axis=1)


def append_one(points: npt.ArrayLike) -> Array:
    """Appends the constant 1 that the bias multiplies.

    Args:
        points: float [N, D], activations.

    Returns:
        float64 [N, D + 1].

    Raises:
        ValueError: if the points are no matrix.

    Source: Mueller et al. 2019, section 1.1.
    """
    rows = _matrix(points, "points")
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def squared_distances(
    points: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
) -> Array:
    """Gives how far activations lie from the template of each class.

    ``x' x`` is the same for all classes; where all templates have one norm,
    the nearest is that of the largest logit.

    Args:
        points: float [N, D], activations x.
        kernel: float [D, K], templates w_k as columns.
        bias: float [K]; then it is the last entry of a template, and 1 that
            of an activation. None to leave both out.

    Returns:
        float64 [N, K], ``x' x - 2 x' w_k + w_k' w_k``.

    Raises:
        ValueError: on bad shapes.

    Source: Mueller et al. 2019, section 2.
    """
    rows, weights = _matrix(points, "points"), _matrix(kernel, "kernel")
    if rows.shape[1] != len(weights):
        raise ValueError(
            f"wanted a kernel [{rows.shape[1]}, K], got shape {weights.shape}"
        )
    if bias is not None:
        offsets = np.asarray(bias, np.float64)
        if offsets.shape != weights.shape[1:]:
            raise ValueError(
                f"wanted a bias [{weights.shape[1]}], got shape {offsets.shape}"
            )
        rows, weights = append_one(rows), np.vstack([weights, offsets])
    found: Array = (
        (rows**2).sum(axis=1)[:, None]
        - 2 * rows @ weights
        + (weights**2).sum(axis=0)
    )
    return np.maximum(found, 0)  # rounding


def plane_basis(templates: npt.ArrayLike) -> Array:
    """Gives an orthonormal basis of the plane through three templates.

    The first axis points from template 0 to template 1; the second is
    perpendicular to it and template 2 lies on its positive side. So the
    picture has no free sign or rotation and repeats exactly.

    Args:
        templates: float [3, D], D of 2 or more.

    Returns:
        float64 [D, 2], orthonormal columns.

    Raises:
        ValueError: on a bad shape or if the templates lie on one line.

    Source: Mueller et al. 2019, section 2 (orthonormal basis of the plane
        through the templates); the orientation is ours.
    """
    points = _matrix(templates, "templates")
    if points.shape[0] != 3 or points.shape[1] < 2:
        raise ValueError(
            f"wanted templates [3, D] with D of 2 or more, "
            f"got shape {points.shape}"
        )
    sides = points[1:] - points[0]
    longest, thickness = np.linalg.svd(sides, compute_uv=False)
    rounding = 4 * np.finfo(np.float64).eps * np.abs(points).max()
    least = max(_RELATIVE_FLATNESS * longest, rounding, 1 / outputs.LARGEST)
    if thickness <= least:
        raise ValueError(
            "wanted three templates that span a plane, got three on one line "
            f"(singular values {longest} and {thickness})"
        )
    first = sides[0] / np.linalg.norm(sides[0])
    second = sides[1] - (sides[1] @ first) * first
    second = second - (second @ first) * first  # takes the rounding off
    return np.stack([first, second / np.linalg.norm(second)], axis=1)


def project(
    points: npt.ArrayLike,
    basis: npt.ArrayLike,
    origin: npt.ArrayLike | None = None,
) -> Array:
    """Projects points orthogonally onto a plane.

    Args:
        points: float [N, D].
        basis: float [D, 2], from `plane_basis`.
        origin: float [D], the point that gets the coordinates (0, 0); None
            for the zero vector.

    Returns:
        float64 [N, 2]. Distances within the plane are preserved.

    Raises:
        ValueError: on shapes that do not fit.

    Source: Mueller et al. 2019, section 2.
    """
    rows, axes = _matrix(points, "points"), _matrix(basis, "basis")
    if axes.shape != (rows.shape[1], 2):
        raise ValueError(
            f"wanted a basis [{rows.shape[1]}, 2] for points of shape "
            f"{rows.shape}, got shape {axes.shape}"
        )
    if origin is not None:
        zero = np.asarray(origin, np.float64)
        if zero.shape != (rows.shape[1],):
            raise ValueError(
                f"wanted an origin [{rows.shape[1]}], got shape {zero.shape}"
            )
        rows = rows - zero
    result: Array = rows @ axes
    return result


def pick_examples(
    labels: npt.ArrayLike,
    classes: Sequence[int],
    per_class: int,
    generator: np.random.Generator,
) -> Array:
    """Draws the same number of examples of each class, none twice.

    Args:
        labels: int [N].
        classes: ids of different classes.
        per_class: how many of each, 1 or more.
        generator: draws the examples.

    Returns:
        int64 [len(classes) * per_class], positions in ``labels``, class by
        class in the order of ``classes``.

    Raises:
        ValueError: on bad shapes, or if a class repeats, is absent or has
            too few examples.

    Source: Mueller et al. 2019, section 2 (100 examples per class).
    """
    ids = np.asarray(labels)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"wanted integer labels [N], got {ids.dtype} of shape {ids.shape}"
        )
    if len(set(classes)) != len(classes) or not len(classes):
        raise ValueError(f"wanted different classes, got {list(classes)}")
    if per_class < 1:
        raise ValueError(f"wanted per_class of 1 or more, got {per_class}")
    picked = []
    for wanted in classes:
        (places,) = np.nonzero(ids == wanted)
        if places.size == 0:
            raise ValueError(
                f"wanted class {wanted}, got labels of the classes "
                f"{_abbreviate(np.unique(ids))}"
            )
        if places.size < per_class:
            raise ValueError(
                f"wanted {per_class} examples of class {wanted}, "
                f"got {places.size}"
            )
        picked.append(generator.choice(places, per_class, replace=False))
    return np.concatenate(picked).astype(np.int64)


def cluster_geometry(
    points2d: npt.ArrayLike,
    labels: npt.ArrayLike,
    classes: Sequence[int],
    templates2d: npt.ArrayLike,
) -> dict[str, float]:
    """Measures how tight and how regular three projected clusters are.

    The spread of a cluster is the root mean square distance of its points to
    their mean; a side is the distance between two cluster means.

    Args:
        points2d: float [N, 2]; points of other classes are left out.
        labels: int [N].
        classes: three different class ids.
        templates2d: float [3, 2], the templates in the same plane.

    Returns:
        dict of floats: scale (mean side), template_scale (mean distance
        between templates), tightness (mean spread / template_scale),
        tightness_by_centres (mean spread / scale), side_spread (standard
        deviation, ddof=0, of the sides / scale; 0 for a regular triangle).
        A ratio to a length of 0 is NaN: collapsed clusters have no shape.

    Raises:
        ValueError: on bad shapes or if a class has no point.

    Source: ours.
    """
    corners = _matrix(templates2d, "templates2d")
    if corners.shape != (3, 2):
        raise ValueError(
            f"wanted templates2d [3, 2], got shape {corners.shape}"
        )
    clusters = _clusters(points2d, labels, classes)
    spreads = []
    for cluster in clusters:
        squares = np.sum((cluster - cluster.mean(axis=0)) ** 2, axis=1)
        spreads.append(math.sqrt(squares.mean()))
    centres = [cluster.mean(axis=0) for cluster in clusters]
    sides = _sides(np.stack(centres))
    spread, scale = float(np.mean(spreads)), float(np.mean(sides))
    template_scale = float(np.mean(_sides(corners)))
    return {
        "tightness": _ratio(spread, template_scale),
        "tightness_by_centres": _ratio(spread, scale),
        "side_spread": _ratio(float(np.std(sides)), scale),
        "scale": scale,
        "template_scale": template_scale,
    }


def cluster_centres(
    points2d: npt.ArrayLike, labels: npt.ArrayLike, classes: Sequence[int]
) -> Array:
    """Gives the means of three projected clusters.

    Args:
        points2d: float [N, 2]; points of other classes are left out.
        labels: int [N].
        classes: three different class ids.

    Returns:
        float64 [3, 2], in the order of ``classes``.

    Raises:
        ValueError: on bad shapes or if a class has no point.

    Source: ours.
    """
    clusters = _clusters(points2d, labels, classes)
    return np.stack([cluster.mean(axis=0) for cluster in clusters])


def _clusters(
    points2d: npt.ArrayLike, labels: npt.ArrayLike, classes: Sequence[int]
) -> list[Array]:
    """Parts points by class; see `cluster_centres`."""
    points, ids = _matrix(points2d, "points2d"), np.asarray(labels)
    if points.shape[1] != 2 or ids.shape != points.shape[:1]:
        raise ValueError(
            "wanted points2d [N, 2] and labels [N], "
            f"got shapes {points.shape} and {ids.shape}"
        )
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"wanted integer labels, got {ids.dtype}")
    found = []
    for wanted in _three_classes(classes):
        found.append(points[ids == wanted])
        if not len(found[-1]):
            raise ValueError(f"wanted points of class {wanted}, got none")
    return found


def _three_classes(classes: Sequence[int]) -> list[int]:
    for wanted in classes:
        outputs.check_whole(wanted, "class ids")
    ids = [int(wanted) for wanted in classes]
    if len(ids) != 3 or len(set(ids)) != 3:
        raise ValueError(f"wanted three different classes, got {ids}")
    return ids


def _matrix(values: npt.ArrayLike, name: str) -> Array:
    array = outputs.real(values, name).astype(np.float64, copy=False)
    if array.ndim != 2:
        raise ValueError(f"wanted {name} as a matrix, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"wanted finite {name}, got NaN or infinity")
    if array.size and np.abs(array).max() > outputs.LARGEST:
        raise ValueError(f"wanted {name} of {outputs.LARGEST:g} or less")
    return array


def _sides(corners: Array) -> Array:
    result: Array = np.linalg.norm(
        corners - np.roll(corners, 1, axis=0), axis=1
    )
    return result


def _ratio(length: float, unit: float) -> float:
    return length / unit if unit > 0 else math.nan


def _abbreviate(ids: Array) -> str:
    words = [str(value) for value in ids[:10]]
    return ", ".join(words + ["..."] * (len(ids) > 10)) or "none"
