"""Tests of ls_tf.models.reactnet."""

import math

import numpy as np
import pytest

from ls_tf.models import reactnet

SMALL = {
    "num_classes": 3,
    "image_shape": (8, 12, 2),
    "block": "resnet",
    "blocks": (1, 2),
    "widths": (4, 8),
    "stem_width": 4,
    "stem_kernel": 3,
    "stem_downsampling": False,
    "seed": 0,
}
MOBILENET = {"block": "mobilenet", "widths": (4, 8)}


def build(**changes):
    return reactnet.build(**{**SMALL, **changes})


def images(count=2, shape=(8, 12, 2)):
    draw = np.random.default_rng(0)
    return draw.standard_normal((count, *shape)).astype("float32")


def array(x):
    return np.asarray(x, np.float64)


class Numpy:
    """The network once more, layer by layer, in float64."""

    def __init__(self, model):
        self.layer = model.get_layer

    def conv(self, x, name, stride=1, *, is_binary):
        kernel = array(self.layer(f"{name}_conv").kernel)
        border = len(kernel) // 2
        if is_binary:
            scale = np.abs(kernel).mean((0, 1, 2))
            kernel = scale * np.where(kernel >= 0, 1, -1)
        x = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
        view = np.lib.stride_tricks.sliding_window_view(
            x, kernel.shape[:2], (1, 2)
        )[:, ::stride, ::stride]
        y = np.einsum("bhwcij,ijco->bhwo", view, kernel)
        norm = self.layer(f"{name}_norm")
        y = (y - array(norm.moving_mean)) / np.sqrt(
            array(norm.moving_variance) + 1e-5
        )
        return y * array(norm.gamma) + array(norm.beta)

    def sign(self, x, name):
        return np.where(x >= array(self.layer(name).threshold), 1.0, -1.0)

    def prelu(self, x, name):
        kink, slope, rise = map(array, self.layer(f"{name}_prelu").weights)
        y = x - kink
        return np.where(y > 0, y, slope * y) + rise

    def halved(self, x):
        b, h, w, c = x.shape
        # [b, h, w, c] to [b, h/2, 2, w/2, 2, c]
        return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))

    def resnet(self, x, name, width, stride):
        y = self.sign(x, f"{name}_sign")
        y = self.conv(y, name, stride, is_binary=True)
        if stride == 2:
            x = self.halved(x)
        if stride == 2 or x.shape[-1] != width:
            x = self.conv(x, f"{name}_shortcut", is_binary=False)
        return self.prelu(x + y, name)

    def mobilenet(self, x, name, width, stride):
        y = self.sign(x, f"{name}_sign_1")
        y = self.conv(y, f"{name}_3x3", stride, is_binary=True)
        y = self.prelu(
            y + (self.halved(x) if stride == 2 else x), f"{name}_3x3"
        )
        signs = self.sign(y, f"{name}_sign_2")
        if width == x.shape[-1]:
            z = y + self.conv(signs, f"{name}_1x1", is_binary=True)
        else:
            z = np.concatenate(
                [
                    y + self.conv(signs, f"{name}_1x1_{half}", is_binary=True)
                    for half in (1, 2)
                ],
                axis=-1,
            )
        return self.prelu(z, f"{name}_1x1")

    def __call__(self, x, block, blocks, widths):
        x = self.conv(x.astype(np.float64), "stem", is_binary=False)
        make = getattr(self, block)
        for group, (count, width) in enumerate(
            zip(blocks, widths, strict=True), start=1
        ):
            for number in range(1, count + 1):
                stride = 2 if number == 1 and group > 1 else 1
                name = f"group_{group}_block_{number}"
                x = make(x, name, width, stride)
        return x.mean(axis=(1, 2))


@pytest.mark.parametrize("block", ["resnet", "mobilenet"])
@pytest.mark.parametrize("stem_width", [4, 2])
def test_forward_pass_equals_numpy(block, stem_width):
    model = build(block=block, stem_width=stem_width)
    draw = np.random.default_rng(1)
    for variable in model.variables:
        if len(variable.shape) == 1:  # else shifts are 0 and norms idle
            variable.assign(draw.uniform(0.1, 0.9, variable.shape))
    x = images()
    expected = Numpy(model)(x, block, SMALL["blocks"], SMALL["widths"])
    found = model(x, training=False)
    np.testing.assert_allclose(
        np.asarray(found["penultimate"]), expected, rtol=1e-4, atol=1e-4
    )


def test_real_weights_have_the_same_variables():
    """So that the second step of training may start from the first."""
    real, signs = build(binary_weights=False), build()
    for a, b in zip(real.variables, signs.variables, strict=True):
        assert (a.path, a.shape) == (b.path, b.shape)
    x = images()
    signs.set_weights(real.get_weights())
    assert not np.allclose(
        np.asarray(real(x)["logits"]), np.asarray(signs(x)["logits"])
    )


def test_the_pool_of_the_stem_takes_the_largest_of_both_signs():
    model = build(stem_downsampling=True, image_shape=(16, 24, 2))
    x = images(shape=(16, 24, 2))
    stem = model.get_layer("stem_norm").output
    pooled = model.get_layer("stem_pool").output
    before, found = map(
        np.asarray,
        type(model)(model.input, [stem, pooled])(x, training=False),
    )
    padded = np.pad(
        before,
        ((0, 0), (1, 1), (1, 1), (0, 0)),
        constant_values=-np.inf,
    )
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    np.testing.assert_array_equal(found, view[:, ::2, ::2].max(axis=(-2, -1)))
    assert found.min() < 0


def expected_count(block, blocks, widths, stem, classes, channels=3):
    """Counted from the shapes of the paper's layers."""
    stem_kernel, width = stem
    total = stem_kernel**2 * channels * width + 2 * width
    for count, b in zip(blocks, widths, strict=True):
        for number in range(count):
            a, width = width, b
            changes = number == 0 and b != widths[0]
            if block == "resnet":
                total += 9 * a * b + a + 2 * b + 3 * b
                total += (a * b + 2 * b) if changes else 0
            else:
                total += (9 * a * a + a + 2 * a + 3 * a) + a
                total += (a * b + 2 * b) + 3 * b
    return total + width * classes + classes


@pytest.mark.parametrize("reference", reactnet.REFERENCE)
def test_counts_are_those_of_the_shapes(reference):
    options = reference.options
    assert reference.parameters == expected_count(
        options["block"],
        options["blocks"],
        options["widths"],
        (options["stem_kernel"], options["stem_width"]),
        options["num_classes"],
    )


def test_each_group_after_the_first_halves_the_sides():
    """112 pixels in ReActNet-A's first group, 7 in its last."""
    model = reactnet.build(
        **{
            **reactnet.REFERENCE[2].options,
            "blocks": (1, 1, 1, 1, 1),
            "widths": (4, 8, 16, 32, 64),
            "stem_width": 2,
            "num_classes": 3,
        },
        seed=0,
    )
    sides = [
        model.get_layer(f"group_{g}_block_1_1x1_prelu").output.shape[1]
        for g in range(1, 6)
    ]
    assert sides == [112, 56, 28, 14, 7]


def test_initial_weights_are_he_normal_and_of_the_seed():
    wide = {"widths": (16, 32), "stem_width": 16}
    first, same, other = (
        build(**wide, seed=seed).trainable_variables for seed in (0, 0, 1)
    )
    for a, b, c in zip(first, same, other, strict=True):
        a, b, c = map(np.asarray, (a, b, c))
        np.testing.assert_array_equal(a, b)
        if a.ndim == 4:
            assert not np.any(a == c)
            std = math.sqrt(2 / (math.prod(a.shape[:2]) * a.shape[3]))
            assert a.std() == pytest.approx(std, rel=0.1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_classes": 1}, "num_classes of 2 or more, got 1"),
        ({"image_shape": (8, 12)}, "height, width and channels, got (8, 12)"),
        ({"image_shape": (8, 9, 3)}, "can be halved 1 times, got (8, 9, 3)"),
        ({"stem_downsampling": True}, "can be halved 3 times, got (8, 12, 2)"),
        ({"block": "vgg"}, "block of resnet, mobilenet, got 'vgg'"),
        ({"blocks": (1, 0)}, "1 or more in each group, got (1, 0)"),
        ({"widths": (4,)}, "each of 2 groups, got widths (4,)"),
        ({"stem_width": 0}, "stem_width of 1 or more, got 0"),
        ({"stem_kernel": 2}, "odd stem_kernel, got 2"),
        (
            {**MOBILENET, "widths": (4, 12)},
            "stay or double with block 'mobilenet', got 4 and (4, 12)",
        ),
        ({"derivative": "tanh"}, "derivative of polynomial, clipped"),
    ],
)
def test_bad_sizes_are_refused(changes, says):
    with pytest.raises(ValueError) as caught:
        build(**changes)
    assert says in str(caught.value)
