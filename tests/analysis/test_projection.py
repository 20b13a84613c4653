"""The plane of three templates: isometry, orientation, cluster shapes."""

import math

import numpy as np
import pytest
from scipy.spatial import distance

from ls_tf.analysis import projection


def _templates(seed=0, size=20):
    return np.random.default_rng(seed).normal(size=(3, size))


def test_basis_by_hand():
    templates = np.array([[1, 1, 7], [4, 1, 7], [2, -1, 7]], float)
    np.testing.assert_allclose(
        projection.plane_basis(templates),
        np.array([[1, 0, 0], [0, -1, 0]]).T,
        atol=1e-15,
    )


@pytest.mark.parametrize("size", [2, 3, 20, 1000])
def test_basis_is_orthonormal_and_isometric(size):
    templates = _templates(1, size) + 5.0
    basis = projection.plane_basis(templates)
    assert basis.shape == (size, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-14)
    flat = projection.project(templates, basis)
    np.testing.assert_allclose(
        distance.pdist(flat), distance.pdist(templates), rtol=1e-12
    )


def test_orientation():
    templates = _templates(2)
    x, y = projection.project(
        templates, projection.plane_basis(templates), templates[0]
    ).T
    np.testing.assert_allclose([x[0], y[0], y[1]], 0, atol=1e-14)
    assert x[1] > 0 and y[2] > 0


def test_same_plane_as_singular_vectors():
    templates = _templates(3)
    basis = projection.plane_basis(templates)
    centred = templates - templates.mean(axis=0)
    axes = np.linalg.svd(centred)[2][:2]
    np.testing.assert_allclose(basis @ basis.T, axes.T @ axes, atol=1e-12)


def test_same_plane_whichever_template_is_subtracted():
    templates = _templates(4)
    first = projection.plane_basis(templates)
    last = projection.plane_basis(templates[::-1])
    np.testing.assert_allclose(first @ first.T, last @ last.T, atol=1e-12)


def test_basis_ignores_offset_and_scale():
    templates = _templates(5)
    np.testing.assert_allclose(
        projection.plane_basis(3e-5 * templates + 0.01),
        projection.plane_basis(templates),
        atol=1e-9,
    )


@pytest.mark.parametrize(
    "templates",
    [
        [[0, 0, 0], [1, 2, 3], [2, 4, 6]],
        [[1, 1, 1], [1, 1, 1], [2, 0, 5]],
        [[1, 1, 1], [2, 0, 5], [1, 1, 1]],
        [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
        [[0, 0, 0], [1, 1, 1], [1, 1, 1]],
        np.float32([[0.1, 0.7], [0.2, 1.4], [0.3, 2.1]]),
    ],
)
def test_templates_on_one_line_are_refused(templates):
    with pytest.raises(ValueError, match="on one line"):
        projection.plane_basis(templates)


def test_nearly_flat_triangle_is_kept():
    basis = projection.plane_basis([[0, 0], [1, 0], [0.5, 1e-4]])
    np.testing.assert_allclose(basis, np.eye(2), atol=1e-12)


def test_flat_triangle_keeps_its_axes_perpendicular():
    base, along, away = _templates(10, 500)
    basis = projection.plane_basis(
        [base, base + along, base + along / 3 + 1e-4 * away]
    )
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-15)


@pytest.mark.parametrize(
    "templates", [np.eye(4), np.ones((3, 1)), np.ones(3), np.ones((2, 5))]
)
def test_basis_refuses_shapes(templates):
    with pytest.raises(ValueError, match="wanted templates"):
        projection.plane_basis(templates)


def test_project_drops_what_is_perpendicular():
    templates = _templates(6)
    basis = projection.plane_basis(templates)
    rng = np.random.default_rng(7)
    points = rng.normal(size=(5, 20))
    away = rng.normal(size=(5, 20))
    away -= away @ basis @ basis.T
    np.testing.assert_allclose(
        projection.project(points + away, basis),
        projection.project(points, basis),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        projection.project(points, basis, templates[1]),
        projection.project(points, basis)
        - projection.project(templates[1:2], basis),
    )
    np.testing.assert_array_equal(
        projection.project(np.zeros((1, 20)), basis), [[0, 0]]
    )


def test_project_refuses():
    basis = projection.plane_basis(_templates(8))
    with pytest.raises(ValueError, match="basis \\[19, 2\\]"):
        projection.project(np.zeros((4, 19)), basis)
    with pytest.raises(ValueError, match="origin \\[20\\]"):
        projection.project(np.zeros((4, 20)), basis, np.zeros(19))
    with pytest.raises(ValueError, match="matrix"):
        projection.project(np.zeros(20), basis)
    with pytest.raises(ValueError, match="finite points"):
        projection.project(np.full((1, 20), math.nan), basis)


def test_templates_are_columns():
    kernel = np.arange(12.0).reshape(3, 4)
    bias = np.array([10.0, 20.0, 30.0, 40.0])
    plain = projection.templates(kernel, bias, (2, 0, 3), use_bias=False)
    np.testing.assert_array_equal(plain, [[2, 6, 10], [0, 4, 8], [3, 7, 11]])
    np.testing.assert_array_equal(
        projection.templates(kernel, bias, (2, 0, 3), use_bias=True),
        [[2, 6, 10, 30], [0, 4, 8, 10], [3, 7, 11, 40]],
    )


def test_templates_with_bias_give_the_logits():
    rng = np.random.default_rng(9)
    kernel, bias = rng.normal(size=(6, 5)), rng.normal(size=5)
    points = rng.normal(size=(8, 6))
    wanted = [4, 1, 2]
    template = projection.templates(kernel, bias, wanted, use_bias=True)
    np.testing.assert_allclose(
        projection.append_one(points) @ template.T,
        (points @ kernel + bias)[:, wanted],
    )


def test_templates_refuse():
    kernel, bias = np.ones((6, 5)), np.ones(5)
    with pytest.raises(ValueError, match="use_bias=True"):
        projection.templates(kernel, None, (0, 1, 2), use_bias=True)
    with pytest.raises(ValueError, match="from 0 to 4"):
        projection.templates(kernel, bias, (0, 1, 5), use_bias=False)
    with pytest.raises(ValueError, match="from 0 to 4"):
        projection.templates(kernel, bias, (0, 1, -1), use_bias=False)
    with pytest.raises(ValueError, match="three different"):
        projection.templates(kernel, bias, (0, 1, 1), use_bias=False)
    with pytest.raises(ValueError, match="three different"):
        projection.templates(kernel, bias, (0, 1), use_bias=False)
    with pytest.raises(ValueError, match="kernel \\[D, K\\]"):
        projection.templates(bias, bias, (0, 1, 2), use_bias=False)
    with pytest.raises(ValueError, match="bias \\[5\\]"):
        projection.templates(kernel, np.ones(4), (0, 1, 2), use_bias=True)


def test_pick_examples():
    labels = np.random.default_rng(0).integers(0, 5, 300)
    picked = projection.pick_examples(
        labels, (4, 0, 2), 20, np.random.default_rng(1)
    )
    assert labels[picked].tolist() == [4] * 20 + [0] * 20 + [2] * 20
    assert len(set(picked.tolist())) == 60
    again = projection.pick_examples(
        labels, (4, 0, 2), 20, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(picked, again)
    other = projection.pick_examples(
        labels, (4, 0, 2), 20, np.random.default_rng(2)
    )
    assert picked.tolist() != other.tolist()


def test_pick_all_examples_of_a_class():
    picked = projection.pick_examples(
        [1, 0, 1, 1], np.array([1]), 3, np.random.default_rng(0)
    )
    assert sorted(picked.tolist()) == [0, 2, 3]


@pytest.mark.parametrize(
    ("classes", "per_class", "message"),
    [
        ((0, 7), 1, "wanted class 7, got labels of the classes 0, 1"),
        ((0, 1), 3, "wanted 3 examples of class 1, got 2"),
        ((0, 0), 1, "different classes"),
        ((), 1, "different classes"),
        ((0,), 0, "per_class"),
    ],
)
def test_pick_refuses(classes, per_class, message):
    with pytest.raises(ValueError, match=message):
        projection.pick_examples(
            [0, 0, 0, 1, 1], classes, per_class, np.random.default_rng(0)
        )


def test_pick_refuses_labels():
    with pytest.raises(ValueError, match="integer labels"):
        projection.pick_examples([0.0], (0,), 1, np.random.default_rng(0))


def test_geometry_by_hand():
    # Clusters of two points, each 1 from its centre; the centres are the
    # corners of a 3-4-5 triangle, the templates of one twice as large.
    centres = np.array([[0, 0], [3, 0], [0, 4]], float)
    points = np.concatenate([centres + [0, 1], centres - [0, 1]])
    got = projection.cluster_geometry(
        points, [5, 6, 7] * 2, (5, 6, 7), 2 * centres + 9
    )
    mean = (3 + 4 + 5) / 3
    spread = math.sqrt(
        ((3 - mean) ** 2 + (4 - mean) ** 2 + (5 - mean) ** 2) / 3
    )
    assert got == pytest.approx(
        {
            "tightness": 1 / (2 * mean),
            "tightness_by_centres": 1 / mean,
            "side_spread": spread / mean,
            "scale": mean,
            "template_scale": 2 * mean,
        }
    )


def test_spread_is_root_mean_square():
    # Distances 0, 0, 3, 3 (two on each side): rms sqrt(18/4), mean 1.5.
    line = np.array([[-3, 0], [0, 0], [0, 0], [3, 0]], float)
    corners = np.array([[0, 0], [10, 0], [0, 10]], float)
    points = np.concatenate([line + corner for corner in corners])
    got = projection.cluster_geometry(
        points, np.repeat([0, 1, 2], 4), (0, 1, 2), corners
    )
    mean = (10 + 10 + math.sqrt(200)) / 3
    assert got["tightness"] == pytest.approx(math.sqrt(18 / 4) / mean)


def test_regular_triangle_of_points():
    angles = 2 * np.pi * np.arange(3) / 3
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    got = projection.cluster_geometry(corners, [0, 1, 2], (0, 1, 2), corners)
    assert got["side_spread"] == pytest.approx(0, abs=1e-15)
    assert got["tightness"] == got["tightness_by_centres"] == 0
    assert got["scale"] == pytest.approx(math.sqrt(3))


def test_geometry_ignores_position_rotation_and_other_classes():
    rng = np.random.default_rng(3)
    points, labels = rng.normal(size=(60, 2)), np.arange(60) % 4
    corners = rng.normal(size=(3, 2))
    got = projection.cluster_geometry(points, labels, (0, 1, 2), corners)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    keep = labels != 3
    moved = projection.cluster_geometry(
        points[keep] @ turn + 4, labels[keep], (2, 0, 1), corners @ turn - 1
    )
    assert moved == pytest.approx(got)
    large = projection.cluster_geometry(
        7 * points, labels, (0, 1, 2), 7 * corners
    )
    for name in ("tightness", "tightness_by_centres", "side_spread"):
        assert large[name] == pytest.approx(got[name])
    assert large["scale"] == pytest.approx(7 * got["scale"])


def test_collapsed_clusters_have_no_shape():
    got = projection.cluster_geometry(
        np.zeros((3, 2)), [0, 1, 2], (0, 1, 2), [[0, 0], [1, 0], [0, 1]]
    )
    assert got["scale"] == got["tightness"] == 0
    assert math.isnan(got["side_spread"])
    assert math.isnan(got["tightness_by_centres"])


def test_geometry_refuses():
    points, corners = np.ones((3, 2)), np.eye(3)[:, :2]
    with pytest.raises(ValueError, match="points of class 9"):
        projection.cluster_geometry(points, [0, 1, 2], (0, 1, 9), corners)
    with pytest.raises(ValueError, match="points2d \\[N, 2\\]"):
        projection.cluster_geometry(points, [0, 1], (0, 1, 2), corners)
    with pytest.raises(ValueError, match="points2d \\[N, 2\\]"):
        projection.cluster_geometry(np.eye(3), [0, 1, 2], (0, 1, 2), corners)
    with pytest.raises(ValueError, match="templates2d \\[3, 2\\]"):
        projection.cluster_geometry(points, [0, 1, 2], (0, 1, 2), corners[:2])
    with pytest.raises(ValueError, match="three different"):
        projection.cluster_geometry(points, [0, 1, 2], (0, 1), corners)
