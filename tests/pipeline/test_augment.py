"""Augmentation on the device against a slow loop."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats

from ls_tf import seeds
from ls_tf.pipeline import augment, photographs
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.crop import StandardizedCrop
from ls_tf.pipeline.plan import EpochPlan

BACKEND = keras.backend.backend()
only_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="about functions of TensorFlow"
)
OFFSETS = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
# What a byte becomes; 255 must give 1 exactly.
SCALE = np.float32(1 / 255)
NAMES = ["none", "shift2", "t2t_cifar", "tutorial_24", "tutorial_24_plain"]


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


def _run(augmentation, images, index, draws, jit=None):
    """Applies an augmentation: at once, as a graph, or compiled by XLA."""
    arrays = [augmentation.prepare(images), np.asarray(index, np.int32)]
    arrays += [np.asarray(value, np.int32) for value in draws.values()]

    def function(resident, index, *values):
        return augmentation.apply(
            resident, index, dict(zip(draws, values, strict=True))
        )

    if jit is not None:
        function = _compiled(function, jit)
    return ops.convert_to_numpy(
        function(*(ops.convert_to_tensor(array) for array in arrays))
    )


def _compiled(function, jit):
    if BACKEND == "tensorflow":
        return tf.function(function, jit_compile=jit)
    if BACKEND != "jax" or not jit:
        pytest.skip("no such way to run it")
    import jax

    return jax.jit(function)


def _apply(images, index, shift, jit=None):
    shift2 = augment.augmentation("shift2")
    return _run(shift2, images, index, {"shift": shift}, jit)


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


@only_tensorflow
def test_the_batch_size_may_be_unknown():
    shift2 = augment.augmentation("shift2")
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
    shift2 = augment.augmentation("shift2")
    np.testing.assert_array_equal(
        out, ops.convert_to_numpy(shift2.evaluate(images))
    )


def test_offsets_are_uniform():
    shift2 = augment.augmentation("shift2")
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
    padded = augment.augmentation("shift2").prepare(images)
    assert padded.dtype == np.uint8
    assert padded.shape == (6, 9, 11, 2)
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], images)
    assert padded.sum() == images.sum()


def test_none_takes_the_images_as_they_are():
    none = augment.augmentation("none")
    images = _images(channels=3)
    assert none.draw(seeds.philox(0), 5) == {}
    np.testing.assert_array_equal(
        _run(none, images, [3, 0], {}),
        images[[3, 0]].astype(np.float32) * SCALE,
    )


def test_evaluation_images_span_zero_to_one():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    out = ops.convert_to_numpy(augment.evaluation_images(levels))
    assert out.dtype == np.float32
    assert out.min() == 0.0 and out.max() == 1.0
    np.testing.assert_allclose(
        out.ravel(), [value / 255 for value in range(256)], rtol=2**-23
    )


@pytest.mark.parametrize("name", ["none", "shift2"])
def test_evaluation_and_shape_of_what_is_only_scaled(name):
    augmentation = augment.augmentation(name)
    images = _images(channels=3)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(augmentation.evaluate(images)),
        images.astype(np.float32) * SCALE,
    )
    assert augmentation.output_shape((5, 7, 3)) == (5, 7, 3)


@pytest.mark.parametrize("name", NAMES)
def test_images_of_another_kind_are_refused(name):
    with pytest.raises(ValueError, match="uint8 images"):
        augment.augmentation(name).prepare(np.zeros((2, 3, 3, 1)))
    with pytest.raises(ValueError, match="uint8 images"):
        augment.augmentation(name).prepare(np.zeros((2, 3, 3), np.uint8))


def test_an_unknown_augmentation_lists_what_exists():
    crops = ["replication_cifar10", "replication_cifar100"]
    every = ", ".join(sorted([*NAMES, *crops, *photographs.RECIPES]))
    with pytest.raises(ValueError, match=f"'flip'; exist: {every}$"):
        augment.augmentation("flip")


# --- Standardized crops -----------------------------------------------------

# Small ones for every choice, and those of the experiments.
SMALL = {
    "padded": StandardizedCrop(side=6, padding=2, size=6),
    "inside": StandardizedCrop(side=6, padding=0, size=4),
    "contrast": StandardizedCrop(
        side=6, padding=0, size=4, contrast=(0.2, 1.8)
    ),
    "both": StandardizedCrop(side=6, padding=2, size=5, contrast=(0.5, 1.5)),
}
CROPS = ["t2t_cifar", "tutorial_24", "tutorial_24_plain"]
GRAIN = 2**24
GOLDEN = {
    "crop": [[8, 6], [6, 8], [2, 7], [4, 4], [4, 6]],
    "flip": [0, 0, 0, 1, 0],
    "contrast": [7247690, 11942001, 3557863, 6114057, 9943509],
}


def _standardized(image):
    image = np.asarray(image, np.float64)
    return (image - image.mean()) / max(image.std(), image.size**-0.5)


@pytest.mark.parametrize(
    ("name", "size", "padding", "mean", "std"),
    [
        ("replication_cifar10", 24, 0, (0.4923172, 0.48307145, 0.4474483),
         (0.24041407, 0.23696952, 0.25565723)),
        ("replication_cifar100", 32, 4, (0.5071, 0.4865, 0.4409),
         (0.2673, 0.2564, 0.2761)),
    ],
)  # fmt: skip
def test_a_crop_by_the_means_of_the_channels(name, size, padding, mean, std):
    crop = augment.augmentation(name)
    images = _images(count=3, height=32, width=32, channels=3)
    draws = crop.draw(seeds.philox(5), 4)
    index = [2, 0, 0, 1]
    found = _run(crop, images, index, draws)
    margin = (padding, padding)
    for i, number in enumerate(index):
        padded = np.pad(images[number], (margin, margin, (0, 0)))
        y, x = draws["crop"][i] + padding
        want = padded[y : y + size, x : x + size] / 255.0
        want = want[:, ::-1] if draws["flip"][i] else want
        want = (want - np.array(mean)) / np.array(std)
        np.testing.assert_allclose(found[i], want, atol=1e-5)
    first = (32 - size) // 2
    middle = images[:, first : first + size, first : first + size] / 255.0
    np.testing.assert_allclose(
        ops.convert_to_numpy(crop.evaluate(ops.convert_to_tensor(images))),
        (middle - np.array(mean)) / np.array(std),
        atol=1e-5,
    )
    assert crop.views == 162


def _slow_crop(crop, image, top, left, flip, grain=None, brightness=0.0):
    """One image, step after step as the sources have them, in float64."""
    margin = (crop.padding, crop.padding)
    padded = np.pad(image, (margin, margin, (0, 0)))
    y, x = top + crop.padding, left + crop.padding
    out = padded[y : y + crop.size, x : x + crop.size].astype(np.float64)
    assert out.shape[:2] == (crop.size, crop.size)
    if flip:
        out = out[:, ::-1]
    out = out + brightness
    if grain is not None:
        low, high = crop.contrast
        mean = out.mean(axis=(0, 1))
        out = (out - mean) * (low + (high - low) * grain / GRAIN) + mean
    return _standardized(out)


def _slow_crops(crop, images, index, draws):
    return np.stack(
        [
            _slow_crop(
                crop,
                images[index[i]],
                *draws["crop"][i],
                draws["flip"][i],
                draws["contrast"][i] if "contrast" in draws else None,
            )
            for i in range(len(index))
        ]
    )


def _close(found, expected, atol=2e-6):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=atol)


def _photos(count, side=32, channels=3, seed=0):
    """Smooth images of unequal brightness and contrast."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, side // 4 + 1, side // 4 + 1, channels))
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :side, :side]
    fine = fine + 0.2 * rng.normal(size=fine.shape)
    level = rng.uniform(40, 215, (count, 1, 1, channels))
    swing = rng.uniform(1, 60, (count, 1, 1, 1))
    return np.clip(np.rint(level + swing * fine), 0, 255).astype(np.uint8)


def _every_choice(crop):
    """Every place and orientation, with some of the contrasts."""
    places = range(-crop.padding, crop.side + crop.padding - crop.size + 1)
    rows = list(itertools.product(places, places, (0, 1)))
    draws = {
        "crop": np.array([row[:2] for row in rows], np.int32),
        "flip": np.array([row[2] for row in rows], np.int32),
    }
    if crop.contrast is not None:
        rng = np.random.default_rng(1)
        grain = rng.integers(0, GRAIN, len(rows)).astype(np.int32)
        grain[:2] = (0, GRAIN - 1)
        draws["contrast"] = grain
    return draws


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("jit", [None, False, True])
def test_every_crop_equals_the_slow_one(name, channels, jit):
    crop = SMALL[name]
    images = _images(5, 6, 6, channels)
    draws = _every_choice(crop)
    index = np.random.default_rng(2).integers(0, 5, len(draws["flip"]))
    found = _run(crop, images, index, draws, jit)
    assert found.shape[1:] == crop.output_shape((6, 6, channels))
    _close(found, _slow_crops(crop, images, index, draws))


@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("jit", [None, True])
def test_the_crops_of_the_experiments(name, jit):
    crop = augment.augmentation(name)
    images = _photos(20)
    draws = _every_choice(crop)
    index = np.random.default_rng(2).integers(0, 20, len(draws["flip"]))
    found = _run(crop, images, index, draws, jit)
    assert found.shape == (162, *crop.output_shape((32, 32, 3)))
    _close(found, _slow_crops(crop, images, index, draws), atol=1e-5)


def test_the_settings_are_those_of_the_sources():
    t2t, tutorial, plain = map(augment.augmentation, CROPS)
    assert t2t == StandardizedCrop(side=32, padding=4, size=32)
    assert plain == StandardizedCrop(side=32, padding=0, size=24)
    assert tutorial.contrast == (0.2, 1.8)
    assert (tutorial.side, tutorial.padding, tutorial.size) == (32, 0, 24)
    shapes = [a.output_shape((32, 32, 3)) for a in (t2t, tutorial, plain)]
    assert shapes == [(32, 32, 3), (24, 24, 3), (24, 24, 3)]


def test_equals_the_functions_of_tf_image():
    crop = augment.augmentation("tutorial_24")
    images = _photos(12, seed=3)
    rng = np.random.default_rng(4)
    index = np.arange(12)
    draws = crop.draw(seeds.philox(6), 12)
    expected = []
    for i in index:
        top, left = draws["crop"][i]
        out = tf.constant(images[i], tf.float32)
        out = tf.image.crop_to_bounding_box(out, top, left, 24, 24)
        if draws["flip"][i]:
            out = tf.image.flip_left_right(out)
        # Standardization takes the brightness away again.
        out = tf.image.adjust_brightness(out, rng.uniform(-63, 63))
        factor = 0.2 + 1.6 * draws["contrast"][i] / GRAIN
        out = tf.image.adjust_contrast(out, factor)
        expected.append(tf.image.per_image_standardization(out).numpy())
    found = _run(crop, images, index, draws, True)
    # Theirs is float32 throughout, hence the wider bound.
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_pads_before_it_standardizes():
    crop = augment.augmentation("t2t_cifar")
    images = _photos(8, seed=5)
    draws = crop.draw(seeds.philox(7), 8)
    expected = []
    for image, place, flip in zip(images, *draws.values(), strict=True):
        out = tf.image.resize_with_crop_or_pad(image, 40, 40)
        top, left = place + 4
        out = tf.image.crop_to_bounding_box(out, top, left, 32, 32)
        out = tf.image.flip_left_right(out) if flip else out
        expected.append(tf.image.per_image_standardization(out).numpy())
    found = _run(crop, images, range(8), draws)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("brightness", [-63.0, -0.5, 62.9])
def test_brightness_would_change_nothing(brightness):
    image = _photos(1)[0]
    crop = augment.augmentation("tutorial_24")
    np.testing.assert_allclose(
        _slow_crop(crop, image, 3, 5, 1, 10**7, brightness),
        _slow_crop(crop, image, 3, 5, 1, 10**7),
        atol=1e-12,
    )


@pytest.mark.parametrize("name", CROPS)
def test_images_of_hardly_any_contrast(name):
    crop = augment.augmentation(name)
    images = np.stack(
        [np.full((32, 32, 3), value, np.uint8) for value in (0, 7, 255, 255)]
    )
    images[3, 16, 16, 1] = 254  # a deviation below the least one
    images = np.concatenate([images, images[3:]])
    images[4] = 250
    images[4, ::2] = 251
    index = np.arange(5).repeat(20)
    draws = crop.draw(seeds.philox(8), 100)
    if name == "t2t_cifar":
        draws["crop"][::3] = 0  # without black of the margin
    expected = _slow_crops(crop, images, index, draws)
    _close(_run(crop, images, index, draws, True), expected, atol=1e-5)
    middle = slice(4, 28) if "24" in name else slice(None)
    _close(
        ops.convert_to_numpy(crop.evaluate(images)),
        [_standardized(image[middle, middle]) for image in images],
        atol=1e-5,
    )
    assert not ops.convert_to_numpy(crop.evaluate(images))[:3].any()


@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("jit", [None, True])
def test_evaluation_takes_the_middle(name, jit):
    crop = augment.augmentation(name)
    images = _photos(9, seed=9)
    function = crop.evaluate if jit is None else _compiled(crop.evaluate, jit)
    found = ops.convert_to_numpy(function(ops.convert_to_tensor(images)))
    part = tf.image.resize_with_crop_or_pad(images, *found.shape[1:3])
    _close(found, [_standardized(image) for image in part], atol=1e-5)
    np.testing.assert_allclose(
        found, tf.image.per_image_standardization(part), atol=2e-5
    )


@only_tensorflow
@pytest.mark.parametrize("name", CROPS)
def test_a_crop_of_batches_of_unknown_size(name):
    crop = augment.augmentation(name)
    images = _photos(6)
    draws = crop.draw(seeds.philox(1), 6)

    @tf.function(reduce_retracing=True)
    def function(index, draws):
        return crop.apply(tf.constant(crop.prepare(images)), index, draws)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.uint8)])
    def evaluate(images):
        return crop.evaluate(images)

    for size in (2, 3, 5):
        part = {key: value[:size] for key, value in draws.items()}
        _close(
            function(tf.range(size), part).numpy(),
            _slow_crops(crop, images, range(size), part),
            atol=1e-5,
        )
        assert evaluate(images[:size]).shape[0] == size


@pytest.mark.skipif(BACKEND != "jax", reason="stacks are JAX's")
@pytest.mark.parametrize("name", CROPS)
def test_several_batches_side_by_side(name):
    import jax

    crop = augment.augmentation(name)
    images = _photos(6)
    draws = {
        key: value.reshape(3, 4, *value.shape[1:])
        for key, value in crop.draw(seeds.philox(1), 12).items()
    }
    index = np.arange(12).reshape(3, 4) % 6
    resident = crop.prepare(images)
    found = jax.jit(
        jax.vmap(lambda index, draws: crop.apply(resident, index, draws))
    )(index, draws)
    for i in range(3):
        part = {key: value[i] for key, value in draws.items()}
        _close(
            np.asarray(found[i]),
            _slow_crops(crop, images, index[i], part),
            atol=1e-5,
        )


@pytest.mark.parametrize("name", CROPS)
def test_every_place_and_orientation_is_equally_likely(name):
    crop = augment.augmentation(name)
    draws = crop.draw(seeds.philox(5, "augment", 0), 100_000)
    assert {value.dtype for value in draws.values()} == {np.dtype(np.int32)}
    places = draws["crop"] + crop.padding
    assert places.min() == 0 and places.max() == 8
    assert set(draws["flip"].tolist()) == {0, 1}
    cells = (places[:, 0] * 9 + places[:, 1]) * 2 + draws["flip"]
    counts = np.bincount(cells, minlength=162)
    assert stats.chisquare(counts).pvalue > 1e-3
    # Neighbors in the stream do not depend on each other.
    pairs = np.bincount(cells[:-1:2] * 162 + cells[1::2], minlength=162**2)
    assert stats.chisquare(pairs).pvalue > 1e-3


def test_every_contrast_is_equally_likely():
    crop = augment.augmentation("tutorial_24")
    draws = crop.draw(seeds.philox(5, "augment", 0), 100_000)
    grain = draws["contrast"]
    assert grain.min() >= 0 and grain.max() < GRAIN
    assert stats.kstest(grain / GRAIN, "uniform").pvalue > 1e-3
    # Nor does it depend on the crop.
    bins = grain * 10 // GRAIN
    cells = draws["crop"][:, 0] * 2 + draws["flip"]
    table = np.bincount(cells * 10 + bins, minlength=180).reshape(18, 10)
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_crops_do_not_depend_on_the_contrast():
    tutorial, plain = map(augment.augmentation, CROPS[1:])
    with_contrast = tutorial.draw(seeds.philox(3), 50)
    without = plain.draw(seeds.philox(3), 50)
    assert with_contrast.keys() - without.keys() == {"contrast"}
    for key, value in without.items():
        np.testing.assert_array_equal(with_contrast[key], value)


def test_golden_draws():
    # A change of these changes every run: never do that silently.
    draws = augment.augmentation("tutorial_24").draw(seeds.philox(7), 5)
    assert {key: value.tolist() for key, value in draws.items()} == GOLDEN
    t2t = augment.augmentation("t2t_cifar").draw(seeds.philox(7), 5)
    np.testing.assert_array_equal(t2t["crop"], draws["crop"] - 4)
    np.testing.assert_array_equal(t2t["flip"], draws["flip"])


def test_a_plan_holds_the_draws():
    plan = EpochPlan(50, 8, 0, augment.augmentation("tutorial_24"))
    steps = plan.steps(4, 5)
    assert {key: value.shape for key, value in steps.items()} == {
        "index": (5, 8),
        "crop": (5, 8, 2),
        "flip": (5, 8),
        "contrast": (5, 8),
    }


@pytest.mark.parametrize("name", CROPS)
def test_a_crop_keeps_the_images_as_they_are(name):
    images = _photos(3)
    prepared = augment.augmentation(name).prepare(images)
    assert np.shares_memory(prepared, images)


@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 30, 3), (64, 32, 3)])
def test_images_of_another_size_are_refused(name, shape):
    crop = augment.augmentation(name)
    images = np.zeros((2, *shape), np.uint8)
    for act in (
        lambda: crop.output_shape(shape),
        lambda: crop.prepare(images),
        lambda: crop.evaluate(ops.convert_to_tensor(images)),
    ):
        with pytest.raises(DataError, match="images of 32 x 32 .* got") as e:
            act()
        assert "\n" not in str(e.value)


def test_more_pixels_than_can_be_counted_are_refused():
    one = np.zeros((1, 32, 32, 3), np.uint8)
    many = np.broadcast_to(one, (700_000, 32, 32, 3))
    with pytest.raises(ValueError, match=r"fewer than 2\*\*31 pixels"):
        augment.augmentation("t2t_cifar").prepare(many)
