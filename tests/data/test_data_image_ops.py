"""Augmentation on the device against a slow loop."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats

from ls_tf import seeds
from ls_tf.data import _image_ops

OFFSETS = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
# What a byte becomes; 255 must give 1 exactly.
SCALE = np.float32(1 / 255)


def _images(count=6, height=5, width=7, channels=1):
    rng = np.random.default_rng(0)
    shape = (count, height, width, channels)
    # No zeros, so that a pixel of the margin cannot pass for one inside.
    return rng.integers(1, 256, shape).astype(np.uint8)


def _slow_shift(image, dy, dx):
    height, width, _ = image.shape
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                out[y, x] = image[y + dy, x + dx]
    return out.astype(np.float32) * SCALE


def _apply(images, index, shift, jit=None):
    shift2 = _image_ops.augmentation("shift2")
    resident = tf.constant(shift2.prepare(images))
    index = tf.constant(index, tf.int32)
    shift = tf.constant(shift, tf.int32)

    def function(resident, index, shift):
        return shift2.apply(resident, index, {"shift": shift})

    if jit is not None:
        function = tf.function(function, jit_compile=jit)
    return ops.convert_to_numpy(function(resident, index, shift))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("jit", [None, False, True])
def test_all_offsets_equal_the_slow_loop(channels, jit):
    images = _images(channels=channels)
    index = [i for i in range(len(images)) for _ in OFFSETS]
    shift = [offset for _ in images for offset in OFFSETS]
    # Mixed, so that neighbours in the batch differ in image and offset.
    order = np.random.default_rng(1).permutation(len(index))
    index, shift = np.array(index)[order], np.array(shift)[order]
    out = _apply(images, index, shift, jit)
    assert out.dtype == np.float32
    assert out.shape == (len(index), 5, 7, channels)
    expected = [
        _slow_shift(images[i], dy, dx)
        for i, (dy, dx) in zip(index, shift, strict=True)
    ]
    np.testing.assert_array_equal(out, np.stack(expected))


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_batch_of_one(offset):
    images = _images()
    np.testing.assert_array_equal(
        _apply(images, [4], [offset])[0], _slow_shift(images[4], *offset)
    )


def test_the_batch_size_may_be_unknown():
    shift2 = _image_ops.augmentation("shift2")
    images = _images()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 2], tf.int32),
        ]
    )
    def function(index, shift):
        resident = tf.constant(shift2.prepare(images))
        return shift2.apply(resident, index, {"shift": shift})

    for size in (1, 4):
        index = np.arange(size, dtype=np.int32)
        shift = np.full((size, 2), -1, np.int32)
        np.testing.assert_array_equal(
            function(index, shift),
            np.stack([_slow_shift(images[i], -1, -1) for i in index]),
        )


def test_no_shift_is_the_evaluation_image():
    images = _images()
    out = _apply(images, range(6), [(0, 0)] * 6)
    np.testing.assert_array_equal(out, _image_ops.evaluation_images(images))


def test_offsets_are_uniform():
    shift2 = _image_ops.augmentation("shift2")
    draws = shift2.draw(seeds.philox(5, "augment", 0), 50_000)["shift"]
    assert draws.dtype == np.int32
    assert draws.min() == -2 and draws.max() == 2
    cells = (draws[:, 0] + 2) * 5 + draws[:, 1] + 2
    counts = np.bincount(cells, minlength=25)
    assert stats.chisquare(counts).pvalue > 1e-3
    # Neighbours in the stream do not depend on each other.
    pairs = np.bincount(cells[:-1:2] * 25 + cells[1::2], minlength=625)
    assert stats.chisquare(pairs).pvalue > 1e-3


def test_prepare_pads_with_zeros():
    images = _images(channels=2)
    padded = _image_ops.augmentation("shift2").prepare(images)
    assert padded.dtype == np.uint8
    assert padded.shape == (6, 9, 11, 2)
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], images)
    assert padded.sum() == images.sum()


def test_none_takes_the_images_as_they_are():
    none = _image_ops.augmentation("none")
    images = _images(channels=3)
    assert none.draw(seeds.philox(0), 5) == {}
    out = none.apply(tf.constant(none.prepare(images)), tf.constant([3, 0]), {})
    np.testing.assert_array_equal(
        out, images[[3, 0]].astype(np.float32) * SCALE
    )


def test_evaluation_images_span_zero_to_one():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    out = ops.convert_to_numpy(_image_ops.evaluation_images(levels))
    assert out.dtype == np.float32
    assert out.min() == 0.0 and out.max() == 1.0
    np.testing.assert_allclose(
        out.ravel(), [value / 255 for value in range(256)], rtol=2**-23
    )


@pytest.mark.parametrize("name", ["none", "shift2"])
def test_images_of_another_kind_are_refused(name):
    with pytest.raises(ValueError, match="uint8 images"):
        _image_ops.augmentation(name).prepare(np.zeros((2, 3, 3, 1)))
    with pytest.raises(ValueError, match="uint8 images"):
        _image_ops.augmentation(name).prepare(np.zeros((2, 3, 3), np.uint8))


def test_an_unknown_augmentation_lists_what_exists():
    with pytest.raises(ValueError, match="'flip'; exist: none, shift2$"):
        _image_ops.augmentation("flip")
