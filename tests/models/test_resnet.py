"""Tests of ls_tf.models.resnet."""

import inspect
import math

import both
import keras
import numpy as np
import pytest

from ls_tf import optimizers
from ls_tf.models import resnet

SMALL = {
    "num_classes": 3,
    "image_shape": (8, 8, 2),
    "block": "pre_activation",
    "blocks": (1, 2),
    "widths": (4, 6),
    "stem_width": 4,
    "stem_kernel": 3,
    "stem_downsampling": False,
    "shortcut": "projection",
    "init": "t2t",
    "seed": 0,
}
BASIC = {"block": "basic", "init": "he"}
BOTTLENECK = {"block": "bottleneck", "init": "he"}
# Of width 4: 2 groups of 48 / 64 * 4 = 3 channels.
GROUPED = {"groups": 2, "group_width": 48}
WIDE = {"group_width": 128}
NEXT = {"groups": 32, "group_width": 4}
IMAGENET = {
    "num_classes": 1000,
    "image_shape": (224, 224, 3),
    "widths": (64, 128, 256, 512),
    "stem_width": 64,
    "stem_kernel": 7,
    "stem_downsampling": True,
}
T2T = {**resnet.REFERENCE[0].options, "seed": 0}


def build(**changes):
    return resnet.build(**{**SMALL, **changes})


def images(count=2, shape=(8, 8, 2), seed=0):
    draw = np.random.default_rng(seed)
    return draw.standard_normal((count, *shape)).astype("float32")


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


@pytest.fixture
def no_draws(monkeypatch):
    """Zeros for initial weights, where only their shapes count."""
    zeros = keras.initializers.Zeros()
    for name in ("kernel", "last_kernel"):
        monkeypatch.setattr(resnet._Style, name, lambda *_: zeros)


# --- counts


def t2t_count(widths, num_classes, blocks=9, stem=16):
    """The arithmetic of the paper's network."""
    total, before = 3 * 9 * stem + 2 * stem, stem
    for width in widths:
        first = 9 * before * width + 2 * before  # convolution, norm_1
        first += 9 * width * width + 2 * width
        first += before * width + 2 * width  # projection
        rest = 2 * (9 * width * width + 2 * width)
        total += first + (blocks - 1) * rest
        before = width
    return total + (before + 1) * num_classes


@pytest.mark.parametrize(
    ("changes", "printed"),
    [
        ({"num_classes": 100}, 3_419_284),
        ({"widths": (16, 32, 64)}, 855_962),
    ],
)
def test_counts_of_the_network_of_the_paper(changes, printed, no_draws):
    options = {**T2T, **changes}
    assert t2t_count(options["widths"], options["num_classes"]) == printed
    assert count(resnet.build(**options)) == printed


def test_the_arithmetic_of_the_other_sizes():
    assert t2t_count((32, 64, 128), 10) == resnet.REFERENCE[0].parameters
    assert t2t_count((32, 64, 128), 10) == 3_407_674
    assert t2t_count((16, 32, 64), 100) == 861_812


@pytest.mark.parametrize(
    ("block", "blocks", "options", "printed"),
    [
        ("basic", (2, 2, 2, 2), {}, 11_689_512),
        ("basic", (3, 4, 6, 3), {}, 21_797_672),
        ("bottleneck", (3, 4, 6, 3), {}, 25_557_032),
        ("bottleneck", (3, 4, 23, 3), {}, 44_549_160),
        ("bottleneck", (3, 4, 6, 3), WIDE, 68_883_240),
        ("bottleneck", (3, 4, 6, 3), NEXT, 25_028_904),
        ("bottleneck", (3, 4, 23, 3), {**NEXT, "group_width": 8}, 88_791_336),
    ],
)
def test_counts_on_imagenet(block, blocks, options, printed, no_draws):
    changes = {"block": block, "blocks": blocks, **options}
    model = build(**{**BASIC, **IMAGENET, **changes})
    assert count(model) == printed
    # A 3 x 3 stem for small images, the same groups.
    small = {"stem_kernel": 3, "stem_downsampling": False}
    if blocks == (2, 2, 2, 2):
        model = build(**{**BASIC, **IMAGENET, "blocks": blocks, **small})
        assert count(model) == printed - (49 - 9) * 3 * 64


@pytest.mark.parametrize(("depth", "printed"), [(20, 269_722), (56, 853_018)])
def test_counts_of_he_on_cifar(depth, printed, no_draws):
    n = (depth - 2) // 6
    options = {
        **T2T,
        **BASIC,
        "blocks": (n, n, n),
        "widths": (16, 32, 64),
        "shortcut": "padding",
    }
    assert count(resnet.build(**options)) == printed
    if depth == 20:
        # Option B: two projections of 1 x 1 with their normalization.
        more = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
        options["shortcut"] = "projection"
        assert count(resnet.build(**options)) == printed + more


# --- shapes and names


def test_shapes_of_the_network_of_the_paper(no_draws):
    model = resnet.build(**T2T)
    shapes = {x.name: x.output.shape[1:] for x in model.layers[1:]}
    assert shapes["stem_norm_relu"] == (32, 32, 16)
    for group, shape in enumerate(
        [(32, 32, 32), (16, 16, 64), (8, 8, 128)], start=1
    ):
        for number in range(1, 10):
            name = f"group_{group}_block_{number}"
            assert shapes[f"{name}_add"] == shape
            projects = f"{name}_shortcut_conv" in shapes
            assert projects == (number == 1)
    assert shapes["pool"] == (128,)
    assert shapes["logits"] == (10,)
    assert "stem_pool" not in shapes
    # 1 + 3 * 9 * 2 + 1 layers; three projections beside them.
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 56 + 3
    # Two for each block, one for each projection and one in the stem.
    norms = [x for x in model.layers if isinstance(x, resnet.BatchNorm)]
    assert len(norms) == 2 * 27 + 3 + 1
    assert {(x.momentum, x.epsilon) for x in norms} == {(0.9, 1e-5)}
    assert {x.center and x.scale for x in norms} == {True}
    biases = [v.path for v in model.trainable_variables if v.name == "bias"]
    assert biases == ["logits/bias"]


def test_shapes_on_imagenet(no_draws):
    options = {**BOTTLENECK, **IMAGENET, "blocks": (1, 1, 1, 1)}
    model = build(**options)
    shapes = {x.name: x.output.shape[1:] for x in model.layers[1:]}
    assert shapes["stem_conv"] == (112, 112, 64)
    assert shapes["stem_pool"] == (56, 56, 64)
    assert shapes["group_1_block_1_relu"] == (56, 56, 256)
    assert shapes["group_2_block_1_conv_1"] == (56, 56, 128)
    assert shapes["group_2_block_1_conv_2"] == (28, 28, 128)
    assert shapes["group_4_block_1_relu"] == (7, 7, 2048)
    assert shapes["pool"] == (2048,)


def test_a_basic_block_that_keeps_its_shape_has_no_projection():
    names = {x.name for x in build(**BASIC).layers}
    assert "group_1_block_1_shortcut_conv" not in names
    assert "group_2_block_1_shortcut_conv" in names
    names = {x.name for x in build(**BASIC, stem_width=3).layers}
    assert "group_1_block_1_shortcut_conv" in names
    names = {x.name for x in build(**BASIC, shortcut="padding").layers}
    assert not any("shortcut" in name for name in names)


# --- the forward pass once more, in NumPy


class Numpy:
    """The network's layers by name, on arrays [B, H, W, C]."""

    def __init__(self, model, groups=1, bottleneck_stride="3x3", **_):
        self.values = {
            v.path: np.asarray(v, np.float64) for v in model.variables
        }
        self.groups, self.early = groups, bottleneck_stride == "1x1"

    def conv(self, x, name, stride=1, groups=1):
        kernel = self.values[f"{name}/kernel"]
        if groups > 1:
            parts = zip(
                np.split(x, groups, axis=3),
                np.split(kernel, groups, axis=3),
                strict=True,
            )
            return np.concatenate(
                [self.convolved(*part, stride) for part in parts], axis=3
            )
        return self.convolved(x, kernel, stride)

    def convolved(self, x, kernel, stride):
        size = kernel.shape[0]
        pad = size // 2  # on both sides, at every stride
        x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        view = np.lib.stride_tricks.sliding_window_view(
            x, (size, size), (1, 2)
        )[:, ::stride, ::stride]
        return np.einsum("bhwcij,ijco->bhwo", view, kernel)

    def norm(self, x, name):
        mean, variance, gamma, beta = (
            self.values[f"{name}/{what}"]
            for what in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def norm_relu(self, x, name):
        return np.maximum(self.norm(x, name), 0)

    def pre_activation(self, x, name, stride, first):
        active = self.norm_relu(x, f"{name}_norm_1")
        y = self.conv(active, f"{name}_conv_1", stride)
        y = self.norm_relu(y, f"{name}_norm_2")
        y = self.conv(y, f"{name}_conv_2")
        if first:
            # Of what is active, with its own normalization.
            x = self.conv(active, f"{name}_shortcut_conv", stride)
            x = self.norm(x, f"{name}_shortcut_norm")
        return x + y

    def shortcut(self, x, y, name, stride):
        if f"{name}_shortcut_conv/kernel" in self.values:
            x = self.conv(x, f"{name}_shortcut_conv", stride)
            return self.norm(x, f"{name}_shortcut_norm")
        zeros = np.zeros((*y.shape[:3], y.shape[3] - x.shape[3]))
        return np.concatenate([x[:, ::stride, ::stride], zeros], axis=3)

    def basic(self, x, name, stride, first):
        y = self.conv(x, f"{name}_conv_1", stride)
        y = self.norm_relu(y, f"{name}_norm_1")
        y = self.conv(y, f"{name}_conv_2")
        y = self.norm(y, f"{name}_norm_2")
        return np.maximum(y + self.shortcut(x, y, name, stride), 0)

    def bottleneck(self, x, name, stride, first):
        early, late = (stride, 1) if self.early else (1, stride)
        y = self.conv(x, f"{name}_conv_1", early)
        y = self.norm_relu(y, f"{name}_norm_1")
        y = self.conv(y, f"{name}_conv_2", late, self.groups)
        y = self.norm_relu(y, f"{name}_norm_2")
        y = self.conv(y, f"{name}_conv_3")
        y = self.norm(y, f"{name}_norm_3")
        return np.maximum(y + self.shortcut(x, y, name, stride), 0)

    def __call__(self, x, block, downsampling=False):
        x = self.conv(x, "stem_conv", 2 if downsampling else 1)
        x = self.norm_relu(x, "stem_norm")
        if downsampling:
            pad = [(0, 0), (1, 1), (1, 1), (0, 0)]
            x = np.pad(x, pad, constant_values=-np.inf)
            x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
            x = x[:, ::2, ::2].max(axis=(4, 5))
        for name, stride, first in (
            ("group_1_block_1", 1, True),
            ("group_2_block_1", 2, True),
            ("group_2_block_2", 1, False),
        ):
            x = getattr(self, block)(x, name, stride, first)
        pooled = x.mean(axis=(1, 2))
        kernel, bias = self.values["logits/kernel"], self.values["logits/bias"]
        return pooled, pooled @ kernel + bias


@pytest.mark.parametrize(
    ("changes", "side"),
    [
        ({}, 8),
        ({}, 7),
        ({"stem_kernel": 7}, 8),
        ({**BASIC, "stem_kernel": 7, "stem_downsampling": True}, 8),
        ({**BASIC, "stem_kernel": 7, "stem_downsampling": True}, 11),
        ({**BASIC, "shortcut": "padding"}, 7),
        (BOTTLENECK, 8),
        ({**BOTTLENECK, "shortcut": "padding"}, 8),
        ({**BOTTLENECK, "bottleneck_stride": "1x1"}, 7),
        ({**BOTTLENECK, "widths": (4, 8), **GROUPED}, 8),
    ],
)
def test_forward_pass_equals_numpy(changes, side):
    shape = (side, side, 2)
    model = build(**changes, image_shape=shape)
    draw = np.random.default_rng(1)
    for v in model.variables:
        if v.name != "kernel":
            # Positive, so that a variance can be.
            v.assign(draw.uniform(0.5, 1.5, v.shape))
    options = {**SMALL, **changes}
    x = images(shape=shape)
    pooled, logits = Numpy(model, **changes)(
        x, options["block"], options["stem_downsampling"]
    )
    out = model(x)
    np.testing.assert_allclose(
        np.asarray(out["penultimate"]), pooled, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        np.asarray(out["logits"]), logits, rtol=1e-4, atol=1e-4
    )


def test_groups_are_a_kernel_with_zeros_between_them():
    """Forward and backward: on a CPU each engine groups in its own way."""
    options = {**BOTTLENECK, "widths": (4, 8)}
    grouped = build(**options, **GROUPED)
    whole = build(**options, group_width=96)
    for ours, theirs in zip(grouped.variables, whole.variables, strict=True):
        value = np.asarray(ours)
        if value.shape != theirs.shape:
            _, _, inputs, outputs = value.shape
            zeros = np.zeros((3, 3, 2 * inputs, outputs), "float32")
            half = outputs // 2
            zeros[:, :, :inputs, :half] = value[..., :half]
            zeros[:, :, inputs:, half:] = value[..., half:]
            value = zeros
        theirs.assign(value)
    x = images()
    one, two = (
        both.gradient(lambda x, m=model: m(x, training=True)["logits"] ** 2, x)
        for model in (grouped, whole)
    )
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(
        one, two, rtol=1e-4, atol=1e-4 * np.abs(two).max()
    )


def test_padding_at_stride_2_is_the_same_on_both_sides():
    model = build()
    name = "group_2_block_1_conv_1"
    conv = keras.Model(
        model.get_layer(f"{name}_padding").input, model.get_layer(name).output
    )
    kernel = np.zeros((3, 3, 4, 6), "float32")
    kernel[1, 1] = np.eye(4, 6)  # the pixel in the middle of each window
    model.get_layer(name).kernel.assign(kernel)
    x = images(shape=(8, 8, 4))
    found = np.asarray(conv(x))[..., :4]
    np.testing.assert_array_equal(found, x[:, ::2, ::2])
    # "same" would take the pixels between these.
    between = keras.ops.conv(x, kernel, strides=2, padding="same")
    np.testing.assert_array_equal(
        np.asarray(between)[..., :4], x[:, 1::2, 1::2]
    )


# --- what the outputs are


def test_shapes_of_the_wide_and_the_grouped_bottlenecks(no_draws):
    for options, inner in ((WIDE, 128), (NEXT, 128)):
        few = {"blocks": (1, 1), "widths": (64, 128), **options}
        model = build(**BOTTLENECK, **few, image_shape=(8, 8, 2))
        shapes = {x.name: x.output.shape[1:] for x in model.layers[1:]}
        assert shapes["group_1_block_1_conv_1"] == (8, 8, inner)
        assert shapes["group_1_block_1_relu"] == (8, 8, 256)
        assert shapes["group_2_block_1_conv_2"] == (4, 4, 2 * inner)
    kernel = model.get_layer("group_2_block_1_conv_2").kernel
    assert kernel.shape == (3, 3, 8, 256)  # 8 of 256 channels in each group


@pytest.mark.parametrize(
    ("changes", "size"), [({}, 6), (BASIC, 6), (BOTTLENECK, 24)]
)
def test_penultimate_is_what_the_last_layer_multiplies(changes, size):
    model = build(**changes)
    out = model(images(8), training=True)
    kernel, bias = (np.asarray(v) for v in model.get_layer("logits").variables)
    pooled = np.asarray(out["penultimate"])
    assert pooled.shape == (8, size)
    np.testing.assert_allclose(
        np.asarray(out["logits"]), pooled @ kernel + bias, atol=1e-5
    )
    # No ReLU after the last sum of T2T's network.
    assert (pooled < 0).any() == (changes == {})


def test_outputs_stay_float32_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    out = model(images(), training=True)
    for value in out.values():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert {v.dtype for v in model.variables} == {"float32"}
    inside = model.get_layer("group_1_block_1_conv_1").compute_dtype
    assert inside == "bfloat16"


def test_training_moves_the_averages_and_inference_does_not():
    model = build()
    x = images()

    def averages():
        return [np.array(v.numpy()) for v in model.non_trainable_variables]

    before = averages()
    model(x)
    for a, b in zip(before, averages(), strict=True):
        np.testing.assert_array_equal(a, b)
    model(x, training=True)
    for a, b in zip(before, averages(), strict=True):
        assert not np.array_equal(a, b)


# --- initial weights


def test_initial_weights_of_t2t():
    model = build(blocks=(1,), widths=(64,), stem_width=32)
    for name, n in (("conv_1", 9 * 32), ("conv_2", 9 * 64)):
        kernel = np.asarray(model.get_layer(f"group_1_block_1_{name}").kernel)
        std = math.sqrt(1 / n)
        assert abs(kernel.std() / std - 1) < 5 / math.sqrt(2 * kernel.size)
        assert np.abs(kernel).max() <= 2 / 0.87962566 * std * (1 + 1e-6)
    kernel = np.asarray(
        build(blocks=(1,), widths=(400,), num_classes=200)
        .get_layer("logits")
        .kernel
    )
    std = math.sqrt(2 / 300)  # gain 2, mean of 400 and 200
    assert abs(kernel.std() / std - 1) < 5 / math.sqrt(2 * kernel.size)
    assert np.abs(kernel).max() <= 2 / 0.87962566 * std * (1 + 1e-6)


def test_initial_weights_of_he():
    model = build(**BASIC, blocks=(1,), widths=(64,), stem_width=32)
    for name, n in (("conv_1", 9 * 64), ("shortcut_conv", 64)):
        kernel = np.asarray(model.get_layer(f"group_1_block_1_{name}").kernel)
        std = math.sqrt(2 / n)  # outputs
        assert abs(kernel.std() / std - 1) < 5 / math.sqrt(2 * kernel.size)
        assert np.abs(kernel).max() > 2.5 * std
    kernel = np.asarray(model.get_layer("logits").kernel)
    assert 0.9 / 8 < np.abs(kernel).max() <= 1 / 8  # 1 / sqrt(64)
    assert not np.any(np.asarray(model.get_layer("logits").bias))


def test_the_seed_fixes_the_weights_and_every_layer_has_its_own():
    first, same, other = (
        [np.asarray(v) for v in build(seed=s).trainable_variables]
        for s in (0, 0, 1)
    )
    for a, b, c in zip(first, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.any(a == c)
    kernels = [a.ravel()[:16] for a in first if a.ndim == 4]
    for i, a in enumerate(kernels):
        assert not any(np.array_equal(a, b) for b in kernels[:i])


def test_weight_decay_can_leave_out_the_last_bias_alone():
    variables = build().trainable_variables
    ones = [np.ones(v.shape, "float32") for v in variables]
    found = optimizers.decayed(
        [0 * one for one in ones],
        variables,
        weight_decay=1.0,
        exclude=("logits/bias",),
        values=ones,
    )
    kept = [
        v.path
        for v, g in zip(variables, found, strict=True)
        if not np.any(np.asarray(g))
    ]
    assert kept == ["logits/bias"]


# --- arguments


def test_the_arguments_are_keyword_only_and_few_have_a_default():
    parameters = inspect.signature(resnet.build).parameters
    assert {p.kind for p in parameters.values()} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    # Those that experiments had no need to name keep what was there before.
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }
    assert defaults == {
        "bottleneck_stride": "3x3",
        "groups": 1,
        "group_width": 64,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes"),
        ({"image_shape": (8, 8)}, "image_shape"),
        ({"image_shape": (8, 0, 3)}, "image_shape"),
        ({"block": "plain"}, "block of pre_activation, basic, bottleneck"),
        ({"blocks": ()}, "blocks"),
        ({"blocks": (1, 0)}, "blocks"),
        ({"widths": (4,)}, "widths"),
        ({"widths": (4, 0)}, "widths"),
        ({"stem_width": 0}, "stem_width"),
        ({"stem_kernel": 4}, "stem_kernel"),
        ({"stem_kernel": -1}, "stem_kernel"),
        ({"shortcut": "none"}, "shortcut"),
        ({"init": "glorot"}, "init"),
        ({"shortcut": "padding"}, "projection"),
        ({**BASIC, "shortcut": "padding", "widths": (4, 3)}, "4 to 4 to 3"),
        ({**BASIC, "shortcut": "padding", "stem_width": 5}, "5 to 4 to 6"),
        ({**BOTTLENECK, "bottleneck_stride": "2x2"}, "3x3, 1x1, got '2x2'"),
        ({**BOTTLENECK, "groups": 0}, "groups .* got 0 and 64"),
        ({**BOTTLENECK, "group_width": 0}, "group_width .* got 1 and 0"),
        ({**BOTTLENECK, "group_width": 4}, "widths of 16 or more"),
        ({**BASIC, "groups": 2}, "'bottleneck' alone, got block 'basic'"),
        ({"bottleneck_stride": "1x1"}, "got block 'pre_activation'"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**changes)
    assert "\n" not in str(error.value)
