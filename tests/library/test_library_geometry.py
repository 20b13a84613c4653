"""Tests of ls_tf.geometry."""

import math

import numpy as np
import pytest
from arrays_of_frameworks import Tensor

from ls_tf import geometry
from ls_tf.analysis import neural_collapse


def layer(count=60, width=7, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    kernel = generator.normal(size=(width, classes))
    labels = np.arange(count) % classes
    features = kernel.T[labels] + 0.3 * generator.normal(size=(count, width))
    return features, labels, kernel


def test_a_projection_keeps_the_distances_of_templates():
    features, labels, kernel = layer()
    found = geometry.project(features, labels, kernel, classes=(0, 1, 3))
    columns = kernel[:, [0, 1, 3]].T
    for i in range(3):
        np.testing.assert_allclose(
            np.linalg.norm(found.templates[i] - found.templates[i - 1]),
            np.linalg.norm(columns[i] - columns[i - 1]),
        )
    assert found.points.shape == (45, 2)
    assert set(found.labels.tolist()) == {0, 1, 3}
    # A point's distance along the first side, by hand.
    side = (columns[1] - columns[0]) / np.linalg.norm(columns[1] - columns[0])
    chosen = features[np.isin(labels, (0, 1, 3))]
    np.testing.assert_allclose(found.points[:, 0], chosen @ side)


def test_distances_to_templates():
    features, _, kernel = layer()
    bias = np.array([0.5, -1.0, 0.0, 2.0])
    templates = np.hstack([kernel.T, bias[:, None]])
    rows = np.pad(features, ((0, 0), (0, 1)), constant_values=1)
    for given, x, w in (
        (None, features, kernel.T),
        (Tensor(bias), rows, templates),
    ):
        wanted = np.linalg.norm(x[:, None] - w, axis=-1)
        found = geometry.distances(Tensor(features), kernel, bias=given)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        turned = geometry.distances(features, kernel.T, bias=given)
        np.testing.assert_array_equal(turned, found)
    # A template lies on itself, whatever is lost by rounding.
    np.testing.assert_allclose(
        np.diag(geometry.distances(kernel.T, kernel)), 0, atol=1e-6
    )


def test_smoothing_wants_one_distance_to_all_other_templates():
    # The minimum of the smoothed loss, and one of its activations off it.
    kernel, means = neural_collapse.minimiser(
        4, 0.1, templates_decay=1e-3, activations_decay=1e-3, per_class=5
    )
    found = geometry.distances(means, kernel, order="features_first")
    others = found[~np.eye(4, dtype=bool)].reshape(4, 3)
    np.testing.assert_allclose(others, others[0, 0])
    assert (np.diag(found) < 0.9 * others[0, 0]).all()
    # |x - w_j|^2 - |x - w_k|^2 = 2 (z_k - z_j) where templates have one norm.
    gap = 2 * neural_collapse.logit_gap(
        4, 0.1, templates_decay=1e-3, activations_decay=1e-3, per_class=5
    )
    np.testing.assert_allclose(others**2 - np.diag(found)[:, None] ** 2, gap)


def test_templates_in_either_order_give_the_same():
    features, labels, kernel = layer()
    keras = geometry.project(features, labels, kernel, classes=(0, 1, 2))
    torch = geometry.project(
        Tensor(features), Tensor(labels), Tensor(kernel.T), classes=(0, 1, 2)
    )
    np.testing.assert_array_equal(keras.points, torch.points)
    assert geometry.collapse(features, labels, kernel) == (
        geometry.collapse(features, labels, kernel.T)
    )


def test_a_square_of_weights_wants_its_order_said():
    features, labels, kernel = layer(width=4)
    with pytest.raises(ValueError, match="either way round"):
        geometry.collapse(features, labels, kernel)
    first = geometry.collapse(features, labels, kernel, order="features_first")
    turned = geometry.collapse(
        features, labels, kernel.T, order="classes_first"
    )
    assert first == turned
    # Features and weights of 0 change nothing, and tell the sides apart.
    wider = np.pad(features, ((0, 0), (0, 1)))
    assert first == pytest.approx(
        geometry.collapse(wider, labels, np.pad(kernel, ((0, 1), (0, 0))))
    )
    wrong = geometry.collapse(features, labels, kernel, order="classes_first")
    assert wrong["nc3"] != pytest.approx(first["nc3"])


def test_a_bias_is_the_last_entry_of_a_template():
    features, labels, kernel = layer()
    bias = np.array([0.0, 3.0, 1.0, 2.0])
    found = geometry.project(
        features, labels, kernel, classes=(0, 1, 2), bias=bias
    )
    wanted = np.hypot(np.linalg.norm(kernel[:, 1] - kernel[:, 0]), 3.0)
    assert np.linalg.norm(found.templates[1] - found.templates[0]) == (
        pytest.approx(wanted)
    )


def test_a_collapsed_layer_measures_zero():
    centre = np.concatenate([np.eye(3) - 1 / 3, np.zeros((3, 2))], axis=1)
    labels = np.array([0, 1, 2, 0, 1, 2])
    found = geometry.collapse(centre[labels], labels, centre)
    for name in ("nc1", "nc2_means", "nc2_templates", "nc3"):
        assert found[name] == pytest.approx(0, abs=1e-12)
    assert found["class_separation"] == pytest.approx(1)


def test_classes_without_examples_are_left_out():
    features, labels, kernel = layer()
    some = labels != 2
    found = geometry.collapse(features[some], labels[some], kernel)
    renumbered = np.where(labels[some] == 3, 2, labels[some])
    assert found == geometry.collapse(
        features[some], renumbered, kernel[:, [0, 1, 3]]
    )


def test_what_is_not_defined_is_nan():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = geometry.collapse(features, [0, 1, 1])
    assert math.isnan(found["class_separation"])
    assert found["nc1"] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": np.ones((3, 3))}, "side of 7 features"),
        ({"order": "sideways"}, "features_first or classes_first"),
        ({"order": "classes_first"}, "7 features, classes_first"),
        ({"features": np.ones(3)}, r"features \[N, D\]"),
        ({"features": np.full((60, 7), np.nan)}, "finite"),
        ({"labels": np.arange(60)}, "labels from 0 to 3"),
        ({"labels": -np.ones(60, int)}, "from 0 on"),
    ],
)
def test_bad_arrays_are_refused_in_one_line(change, said):
    features, labels, kernel = layer()
    given = {"features": features, "labels": labels, "weights": kernel}
    with pytest.raises(ValueError, match=said) as error:
        geometry.collapse(**(given | change))
    assert "\n" not in str(error.value)
