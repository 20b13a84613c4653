"""Recipes for photographs, against slow formulas and Pillow."""

import colorsys
import math

import cv2
import numpy as np
import pytest
from PIL import Image

from ls_tf import seeds
from ls_tf.pipeline import augment, colour, jpeg, photographs, stand_in
from ls_tf.pipeline.draws import Draws


def chance(*purpose):
    return Draws(seeds.philox(1, *purpose))


@pytest.fixture(scope="module")
def picture():
    """A JPEG of 120 x 160 and its pixels."""
    encoded = jpeg.encode(stand_in.picture(3, 4, (120, 160)), 90)
    return encoded, jpeg.decode(encoded)


class Told:
    """Draws that a test chooses, one after the other."""

    def __init__(self, *numbers):
        self._numbers = list(numbers)

    def uniform(self, low, high):
        number = self._numbers.pop(0)
        assert low <= number <= high
        return number

    def integer(self, count):
        number = self._numbers.pop(0)
        assert 0 <= number < count
        return number


# --- Draws ------------------------------------------------------------------


def test_draws_are_uniform_and_repeat():
    units = np.array([chance("a", i).unit() for i in range(2000)])
    assert units.min() >= 0 and units.max() < 1
    assert abs(units.mean() - 0.5) < 4 * math.sqrt(1 / 12 / 2000)
    one = chance("b")
    counts = np.bincount([one.integer(5) for _ in range(5000)], minlength=5)
    assert (np.abs(counts - 1000) < 4 * math.sqrt(800)).all()
    assert [chance("c").uniform(2, 3) for _ in "ab"] == [
        chance("c").uniform(2, 3)
    ] * 2
    word = int(seeds.philox(1, "d").bit_generator.random_raw())
    assert chance("d").unit() == (word >> 11) / 2**53
    assert chance("d").integer(10) == ((word >> 32) * 10) >> 32


# --- JPEG -------------------------------------------------------------------


def test_decodes_as_pillow_does(picture):
    import io

    encoded, pixels = picture
    with Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(pixels, np.asarray(image))
    assert jpeg.size(encoded) == (120, 160)


def test_a_grey_picture_has_three_equal_channels():
    import io

    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(
        buffer, "JPEG"
    )
    pixels = jpeg.decode(buffer.getvalue())
    assert pixels.shape == (16, 16, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_a_large_picture_is_decoded_at_half_the_size():
    encoded = jpeg.encode(stand_in.picture(0, 0, (400, 600)), 90)
    assert jpeg.decode(encoded, (200, 300)).shape == (200, 300, 3)
    assert jpeg.decode(encoded, (201, 300)).shape == (400, 600, 3)
    assert jpeg.decode(encoded, (90, 80)).shape == (100, 150, 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-40],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:150],
        lambda whole: b"",
        lambda whole: b"\x89PNG" + whole,
    ],
)
def test_refuses_what_is_no_whole_jpeg(picture, damage):
    with pytest.raises(jpeg.DamagedImageError) as caught:
        jpeg.size(damage(picture[0]))
        jpeg.decode(damage(picture[0]))
    assert "\n" not in str(caught.value)


# --- Colours ----------------------------------------------------------------


def planes(image):
    return list(cv2.split(image.astype(np.float32)))


@pytest.fixture(scope="module")
def colours():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3)).astype(np.uint8)
    image[0, 0] = (0, 0, 0)
    image[0, 1] = (255, 255, 255)
    image[0, 2] = (90, 90, 90)
    return image


def in_hsv(image, change):
    """Applies a function of (hue, saturation, value) to each pixel."""
    out = np.empty(image.shape)
    for at in np.ndindex(image.shape[:2]):
        hsv = colorsys.rgb_to_hsv(*(image[at] / 255))
        out[at] = np.multiply(colorsys.hsv_to_rgb(*change(*hsv)), 255)
    return out


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3, 1.5])
def test_saturation_against_the_colour_circle(colours, factor):
    got = np.stack(colour.saturated(planes(colours), factor), axis=-1)
    wanted = in_hsv(colours, lambda h, s, v: (h, min(1, s * factor), v))
    np.testing.assert_allclose(got, wanted, atol=1e-3)


@pytest.mark.parametrize("turns", [-0.2, 0.07, 0.2])
def test_hue_against_the_colour_circle(colours, turns):
    got = np.stack(colour.turned(planes(colours), turns), axis=-1)
    wanted = in_hsv(colours, lambda h, s, v: ((h + turns) % 1, s, v))
    np.testing.assert_allclose(got, wanted, atol=1e-3)


def test_contrast_and_brightness(colours):
    values = colours.astype(np.float64)
    mean = values.mean(axis=(0, 1))
    got = np.stack(colour.contrasted(planes(colours), 1.4), axis=-1)
    np.testing.assert_allclose(got, (values - mean) * 1.4 + mean, atol=1e-3)
    got = np.stack(colour.brighter(planes(colours), -17.5), axis=-1)
    np.testing.assert_allclose(got, values - 17.5, atol=1e-4)


def test_a_negative_value_is_not_saturated():
    """As TensorFlow: a pixel whose largest value is below 0 becomes grey."""
    dark = [np.full((1, 1), v, np.float32) for v in (-30.0, -20.0, -25.0)]
    got = colour.saturated(dark, 1.5)
    assert [float(p[0, 0]) for p in got] == [-20.0] * 3


def test_fast_colours_are_brightness_then_saturation(colours):
    got = colour.distorted(colours, Told(20.0, 1.5), full=False)
    brighter = colour.brighter(planes(colours), 20.0)
    wanted = np.stack(colour.saturated(brighter, 1.5), axis=-1)
    np.testing.assert_array_equal(got, np.rint(np.clip(wanted, 0, 255)))
    assert got.dtype == np.uint8


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (0, "brighter saturated turned contrasted"),
        (1, "saturated brighter contrasted turned"),
        (2, "contrasted turned brighter saturated"),
        (3, "turned saturated contrasted brighter"),
    ],
)
def test_full_colours_come_in_one_of_four_orders(colours, order, names):
    numbers = {
        "brighter": -20.0,
        "saturated": 1.4,
        "turned": 0.1,
        "contrasted": 0.6,
    }
    steps = names.split()
    told = Told(order, *(numbers[name] for name in steps))
    wanted = planes(colours)
    for name in steps:
        wanted = getattr(colour, name)(wanted, numbers[name])
    got = colour.distorted(colours, told, full=True)
    wanted = np.rint(np.clip(np.stack(wanted, axis=-1), 0, 255))
    np.testing.assert_array_equal(got, wanted)


# --- Boxes ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(375, 500), (500, 333), (40, 300)])
def test_a_distorted_box_keeps_its_bounds(shape):
    height, width = shape
    area = height * width
    boxes = [
        photographs.distorted_box(*shape, chance("box", i)) for i in range(2000)
    ]
    shares, aspects = [], []
    for top, left, high, wide in boxes:
        assert 0 <= top <= top + high <= height
        assert 0 <= left <= left + wide <= width
        shares.append(high * wide / area)
        aspects.append(wide / high)
    assert min(shares) >= 0.1 and max(shares) <= 1.01
    drawn = [a for a, s in zip(aspects, shares, strict=True) if s < 0.95]
    # A width is rounded to a pixel.
    assert min(drawn) > 0.73 and max(drawn) < 1.36
    if shape == (375, 500):
        # Sizes are drawn by height, evenly from the least to the most.
        heights = np.array([b[2] for b in boxes])
        assert heights.min() < 160 and heights.max() == 375
        tops = np.array([b[0] / max(375 - b[2], 1) for b in boxes])
        assert abs(tops.mean() - 0.5) < 0.05


def test_a_distorted_box_by_hand():
    # 100 x 200, aspect 1: heights of sqrt(0.05 * 20000) = 32 to 100.
    told = Told(1.0, 18, 30, 100)
    assert photographs.distorted_box(100, 200, told) == (30, 100, 50, 50)
    # A tenth of the area is wanted: 40 x 40 is less, so it is drawn again.
    told = Told(1.0, 8, 0, 0, 1.0, 68, 0, 7)
    assert photographs.distorted_box(100, 200, told) == (0, 7, 100, 100)


def test_a_resized_crop_by_hand():
    # Area 0.25 * 20000 = 5000, aspect 1: 71 x 71.
    told = Told(0.25, 0.0, 10, 20)
    assert photographs.resized_crop_box(100, 200, told) == (10, 20, 71, 71)
    # Ten that do not fit: the middle of the widest allowed shape.
    told = Told(*(1.0, 0.0) * 10)
    assert photographs.resized_crop_box(100, 200, told) == (0, 33, 100, 133)


# --- Recipes ----------------------------------------------------------------


def test_inception_cuts_resizes_flips_and_distorts(picture):
    encoded, pixels = picture
    recipe = photographs.Inception(size=50)
    # Aspect 1, heights 31 to 120: 49 + 31 = 80; top 10, left 20; no method
    # to choose; flipped; brightness and saturation left alone.
    told = Told(1.0, 49, 10, 20, 0, 1, 0.0, 1.0)
    got = recipe.train(encoded, told)
    cut = pixels[10:90, 20:100]
    wanted = bilinear(cut, 50)[:, ::-1]
    assert np.abs(got.astype(float) - wanted).max() <= 1
    assert got.dtype == np.uint8


def bilinear(image, size):
    """Bilinear resizing with pixel centres at halves, slowly."""
    height, width, _ = image.shape
    out = np.empty((size, size, 3))
    for y in range(size):
        for x in range(size):
            v = min(max((y + 0.5) * height / size - 0.5, 0), height - 1)
            u = min(max((x + 0.5) * width / size - 0.5, 0), width - 1)
            i, j = int(v), int(u)
            k, m = min(i + 1, height - 1), min(j + 1, width - 1)
            a, b = v - i, u - j
            out[y, x] = (1 - a) * (
                (1 - b) * image[i, j] + b * image[i, m]
            ) + a * ((1 - b) * image[k, j] + b * image[k, m])
    return out


def test_inception_evaluates_the_central_seven_eighths(picture):
    encoded, pixels = picture
    got = photographs.Inception(size=60).evaluate(encoded)
    # 120 / 16 = 7.5, cut to 7; 160 / 16 = 10.
    wanted = bilinear(pixels[7:113, 10:150], 60)
    assert np.abs(got.astype(float) - wanted).max() <= 1


def test_inception_shrinks_a_large_box_in_the_frequencies():
    encoded = jpeg.encode(stand_in.picture(1, 1, (480, 640)), 95)
    recipe = photographs.Inception(size=60)
    got = recipe.evaluate(encoded).astype(float)
    # Against a mean over areas: blocks of four are averaged first.
    cut = jpeg.decode(encoded)[30:450, 40:600]
    wanted = cv2.resize(cut, (60, 60), interpolation=cv2.INTER_AREA)
    assert np.abs(got - wanted).mean() < 3


def test_the_full_mode_resizes_in_four_ways(picture):
    def made_of(size):
        recipe = photographs.Inception(size=size, full=True)
        told = (0, 0, 0.0, 1.0, 0.0, 1.0)  # no flip, no change of colours
        return [
            recipe.train(picture[0], Told(1.0, 49, 10, 20, method, *told))
            for method in range(4)
        ]

    assert len({image.tobytes() for image in made_of(30)}) == 4
    made = made_of(40)
    cut = picture[1][10:90, 20:100]
    # Nearest and area, exactly, where the size halves.
    np.testing.assert_array_equal(made[1], cut[::2, ::2])
    area = cut.reshape(40, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(made[3] - area).max() <= 1


def test_imagenet_224_is_what_pillow_makes(picture):
    encoded, pixels = picture
    recipe = photographs.ResizedCrop(size=32, shorter=36)
    image = Image.fromarray(pixels)
    # Area 0.25 * 19200, aspect 1: 69 x 69 at (10, 20); flipped.
    got = recipe.train(encoded, Told(0.25, 0.0, 10, 20, 1))
    wanted = image.crop((20, 10, 89, 79)).resize(
        (32, 32), Image.Resampling.BILINEAR
    )
    np.testing.assert_array_equal(got, np.asarray(wanted)[:, ::-1])
    # 120 x 160 at 36 is 36 x 48; the middle begins at 2 and 8.
    small = image.resize((48, 36), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(
        recipe.evaluate(encoded), np.asarray(small)[2:34, 8:40]
    )


def test_a_turned_picture_by_hand():
    # Turned by 90 degrees, a place is read from where it came from.
    a, b, c, d, e, f = photographs.affine_matrix(10, 10, 90.0, 0, 1.0)
    for x, y, wanted in ((5, 5, (5, 5)), (10, 5, (5, 0)), (5, 10, (10, 5))):
        place = (a * x + b * y + c, d * x + e * y + f)
        np.testing.assert_allclose(place, wanted, atol=1e-9)
    # Three down and twice as large: the middle is read three higher.
    a, b, c, d, e, f = photographs.affine_matrix(10, 20, 0.0, 3, 2.0)
    assert (a * 10 + b * 8 + c, d * 10 + e * 8 + f) == (10, 5)
    assert (a, b, d, e) == (0.5, 0, 0, 0.5)


def test_the_replication_moves_up_and_down_alone(picture):
    encoded, pixels = picture
    recipe = photographs.Affine(120, 45.0, 0.35, (0.65, 1.35))
    got = recipe.train(encoded, Told(0.0, 20.4, 1.0, 0))
    moved = np.zeros_like(pixels)
    moved[20:] = pixels[:100]
    wanted = Image.fromarray(moved).resize(
        (120, 120), Image.Resampling.BILINEAR
    )
    np.testing.assert_array_equal(got, np.asarray(wanted))
    plain = Image.fromarray(pixels).resize(
        (120, 120), Image.Resampling.BILINEAR
    )
    np.testing.assert_array_equal(recipe.evaluate(encoded), np.asarray(plain))


@pytest.mark.parametrize("name", photographs.RECIPES)
def test_every_recipe_makes_its_size_and_repeats(picture, name):
    recipe = photographs.recipe(name)
    shape = (recipe.size, recipe.size, 3)
    made = [recipe.train(picture[0], chance("x", i)) for i in (0, 0, 1)]
    for image in (*made, recipe.evaluate(picture[0])):
        assert image.shape == shape and image.dtype == np.uint8
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    how = augment.augmentation(name)
    assert how.output_shape((0, 0, 3)) == shape
    assert how.views is None


@pytest.mark.parametrize(
    ("name", "of_0", "of_255"),
    [
        ("inception", (-1,) * 3, (1,) * 3),
        ("replication_cub", (0,) * 3, (1,) * 3),
        (
            "imagenet_224",
            np.divide((-0.485, -0.456, -0.406), (0.229, 0.224, 0.225)),
            np.divide((0.515, 0.544, 0.594), (0.229, 0.224, 0.225)),
        ),
    ],
)
def test_the_device_scales(name, of_0, of_255):
    how = augment.augmentation(name)
    images = np.zeros((2, 1, 1, 3), np.uint8)
    images[1] = 255
    got = np.asarray(how.evaluate(images))
    np.testing.assert_allclose(got[0, 0, 0], of_0, atol=1e-6)
    np.testing.assert_allclose(got[1, 0, 0], of_255, atol=1e-6)


def test_photographs_have_nothing_resident():
    how = augment.augmentation("inception")
    for call in (
        lambda: how.central,
        lambda: how.view_of({}),
        lambda: how.draws_of(np.zeros(1, int)),
        lambda: how.prepare(np.zeros((1, 4, 4, 3), np.uint8)),
        lambda: how.draw(np.random.default_rng(0), 1),
        lambda: how.apply(None, None, {}),
    ):
        with pytest.raises(ValueError, match="photographs, which are stream"):
            call()
