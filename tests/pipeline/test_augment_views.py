"""The views of an image: counted, numbered, and as training sees them."""

import numpy as np
import pytest
from keras import ops

from ls_tf import seeds
from ls_tf.pipeline import augment
from ls_tf.pipeline.crop import StandardizedCrop

# What they are counted to, by hand: one; 5 x 5 offsets; 9 x 9 x 2 crops.
COUNTS = {"none": 1, "shift2": 25, "t2t_cifar": 162, "tutorial_24_plain": 162}


def _images(count=3, side=32, channels=3):
    rng = np.random.default_rng(0)
    shape = (count, side, side, channels)
    return rng.integers(0, 256, shape).astype(np.uint8)


def _applied(augmentation, images, index, draws):
    tensors = {k: ops.convert_to_tensor(v) for k, v in draws.items()}
    found = augmentation.apply(
        ops.convert_to_tensor(augmentation.prepare(images)),
        ops.convert_to_tensor(np.asarray(index, np.int32)),
        tensors,
    )
    return ops.convert_to_numpy(found)


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_views_are_counted_and_numbered(name, count):
    augmentation = augment.augmentation(name)
    assert augmentation.views == count
    every = np.arange(count)
    draws = augmentation.draws_of(every)
    assert draws.keys() == augmentation.draw(seeds.philox(0), 3).keys()
    for value in draws.values():
        assert value.dtype == np.int32 and len(value) == count
    np.testing.assert_array_equal(
        every, np.broadcast_to(augmentation.view_of(draws), count)
    )
    # No two views are the same image.
    found = _applied(augmentation, _images(1), np.zeros(count), draws)
    assert len(np.unique(found.reshape(count, -1), axis=0)) == count


@pytest.mark.parametrize("name", COUNTS)
def test_a_view_is_what_training_sees_bit_for_bit(name):
    augmentation = augment.augmentation(name)
    images = _images(5)
    drawn = augmentation.draw(seeds.philox(7), 64)
    index = np.arange(64) % 5
    views = np.broadcast_to(augmentation.view_of(drawn), 64)
    again = augmentation.draws_of(views)
    for key, value in drawn.items():
        np.testing.assert_array_equal(value, again[key])
    seen = _applied(augmentation, images, index, drawn)
    np.testing.assert_array_equal(
        seen, _applied(augmentation, images, index, again)
    )
    # In another batch too, where the image is the only one.
    for row in (0, 13, 63):
        alone = augmentation.draws_of(views[row : row + 1])
        np.testing.assert_array_equal(
            seen[row],
            _applied(augmentation, images[[index[row]]], [0], alone)[0],
        )


@pytest.mark.parametrize("name", COUNTS)
def test_the_central_view_is_the_evaluated_image(name):
    augmentation = augment.augmentation(name)
    images = _images(4)
    draws = augmentation.draws_of(np.full(4, augmentation.central))
    np.testing.assert_allclose(
        _applied(augmentation, images, np.arange(4), draws),
        ops.convert_to_numpy(augmentation.evaluate(images)),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["shift2", "t2t_cifar"])
def test_tensors_are_numbered_as_arrays_are(name):
    augmentation = augment.augmentation(name)
    draws = augmentation.draw(seeds.philox(1), 200)
    tensors = {k: ops.convert_to_tensor(v) for k, v in draws.items()}
    found = ops.convert_to_numpy(augmentation.view_of(tensors))
    np.testing.assert_array_equal(found, augmentation.view_of(draws))
    assert found.dtype == np.int32


def test_views_are_equally_likely():
    t2t = augment.augmentation("t2t_cifar")
    view = t2t.view_of(t2t.draw(seeds.philox(3), 162 * 1000))
    counts = np.bincount(view, minlength=162)
    # A thousand of each, with a standard deviation of 32.
    assert counts.min() > 1000 - 5 * 32 and counts.max() < 1000 + 5 * 32


def test_a_continuous_augmentation_is_not_counted():
    tutorial = augment.augmentation("tutorial_24")
    assert tutorial.views is None
    draws = tutorial.draw(seeds.philox(0), 2)
    for call in (
        lambda: tutorial.view_of(draws),
        lambda: tutorial.draws_of(np.zeros(2, int)),
        lambda: tutorial.central,
    ):
        with pytest.raises(ValueError, match="continuously") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (np.array([0, 162]), "views from 0 to 161, got 0 to 162"),
        (np.array([-1]), "got -1 to -1"),
        (np.array([0.0]), "integer views"),
        (np.zeros((2, 2), int), "integer views"),
    ],
)
def test_a_view_that_is_none_is_refused(view, says):
    with pytest.raises(ValueError, match=says):
        augment.augmentation("t2t_cifar").draws_of(view)


def test_the_places_of_a_small_crop_by_hand():
    # 3 x 3 images, no padding, crops of 2: begins (0, 0), (0, 1), (1, 0) and
    # (1, 1), each plain and mirrored.
    crop = StandardizedCrop(side=3, padding=0, size=2)
    assert crop.views == 8
    draws = crop.draws_of(np.arange(8))
    assert draws["crop"].tolist() == [
        [0, 0],
        [0, 0],
        [0, 1],
        [0, 1],
        [1, 0],
        [1, 0],
        [1, 1],
        [1, 1],
    ]
    assert draws["flip"].tolist() == [0, 1] * 4
