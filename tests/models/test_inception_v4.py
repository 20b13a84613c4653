"""Tests of ls_tf.models.inception_v4."""

import math

import keras
import numpy as np
import pytest
from both import quick

from ls_tf import optimizers
from ls_tf.models import inception_v4

SMALL = {"num_classes": 3, "image_shape": (75, 75, 3), "seed": 0}
THIN = {"width_multiplier": 0.0625}


def build(**changes):
    return inception_v4.build(**{**SMALL, **changes})


@pytest.fixture
def no_draws(monkeypatch):
    """Zeros for initial weights, where only their shapes count."""
    zeros = keras.initializers.Zeros()
    for name in ("PhiloxTruncatedNormal", "PhiloxVarianceScaling"):
        monkeypatch.setattr(inception_v4, name, lambda **_: zeros)


@pytest.fixture(scope="module")
def thin():
    """A sixteenth of the width; nobody changes it."""
    return build(**THIN)


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


# --- counts


class Count:
    """The arithmetic of the paper's figures 3 to 9, at a share of the width."""

    def __init__(self, share=1.0, per_channel=2):
        self.share, self.per_channel, self.total = share, per_channel, 0

    def __call__(self, channels, *steps):
        """Adds a sequence of (kernel positions, filters); gives its width."""
        for positions, filters in steps:
            filters = round(filters * self.share)
            self.total += positions * channels * filters
            self.total += self.per_channel * filters
            channels = filters
        return channels

    def network(self, num_classes):
        x = self(3, (9, 32), (9, 32), (9, 64))
        x += self(x, (9, 96))  # beside a pool
        x = self(x, (1, 64), (9, 96)) + self(
            x, (1, 64), (7, 64), (7, 64), (9, 96)
        )
        x += self(x, (9, 192))
        for _ in range(4):
            x = (
                self(x, (1, 96))
                + self(x, (1, 64), (9, 96))
                + self(x, (1, 64), (9, 96), (9, 96))
                + self(x, (1, 96))
            )
        x += self(x, (9, 384)) + self(x, (1, 192), (9, 224), (9, 256))
        for _ in range(7):
            x = (
                self(x, (1, 384))
                + self(x, (1, 192), (7, 224), (7, 256))
                + self(x, (1, 192), (7, 192), (7, 224), (7, 224), (7, 256))
                + self(x, (1, 128))
            )
        more = self(x, (1, 256), (7, 256), (7, 320), (9, 320))
        x += more + self(x, (1, 192), (9, 192))
        for _ in range(3):
            one = self(x, (1, 384))
            two = self(x, (1, 384), (3, 448), (3, 512))
            x = self(x, (1, 256)) + self(x, (1, 256))
            x += sum(self(n, (3, 256)) for n in (one, one, two, two))
        return x, self.total + (x + 1) * num_classes


@pytest.mark.parametrize(
    ("options", "arithmetic", "printed"),
    [
        ({}, Count(), 42_679_816),
        ({"batch_norm_scale": False}, Count(per_channel=1), 42_648_232),
    ],
)
def test_counts_on_imagenet(options, arithmetic, printed, no_draws):
    assert arithmetic.network(1000) == (1536, printed)
    model = build(**options, num_classes=1000)
    assert count(model) == printed
    biases = [v.path for v in model.trainable_variables if v.name == "bias"]
    assert biases == ["logits/bias"]
    # 149 convolutions, each with its normalization.
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    norms = [x for x in model.layers if isinstance(x, inception_v4.BatchNorm)]
    assert len(kernels) == len(norms) + 1 == 150
    assert {(x.momentum, x.epsilon) for x in norms} == {(0.9997, 0.001)}
    assert {x.center for x in norms} == {True}


def test_repeats_are_blocks_of_each_kind(no_draws):
    shape = {"image_shape": (107, 107, 3)}
    model = build(**THIN | shape, repeats=(1, 2, 1), auxiliary_head=True)
    blocks = [
        x.name.removeprefix("mixed_")
        for x in model.layers
        if x.name.startswith("mixed_") and x.name.count("_") == 1
    ]
    assert blocks == ["3a", "4a", "5a", "5b", "6a", "6b", "6c", "7a", "7b"]
    # The head is on the last block before the reduction.
    head = model.get_layer("auxiliary_mean")
    assert head.input is model.get_layer("mixed_6c").output


def test_the_auxiliary_head_adds_its_count(no_draws):
    size = {"num_classes": 1000, "image_shape": (299, 299, 3)}
    head = build(**size, auxiliary_head=True)
    more = 1024 * 128 + 2 * 128  # 1 x 1
    more += 25 * 128 * 768 + 2 * 768  # 5 x 5
    more += (768 + 1) * 1000
    assert more == 3_359_464
    assert count(head) == 42_679_816 + more
    assert head.get_layer("auxiliary_2_conv").kernel.shape[:2] == (5, 5)
    assert set(head.output) == {"logits", "penultimate", "auxiliary"}


def test_the_count_of_the_small_reference():
    reference = inception_v4.REFERENCE[0]
    assert reference.options["width_multiplier"] == 0.125
    assert Count(share=0.125).network(10) == (192, reference.parameters)


# --- shapes


SHAPES = {
    "stem_1_relu": (149, 149, 32),
    "stem_2_relu": (147, 147, 32),
    "stem_3_relu": (147, 147, 64),
    "mixed_3a": (73, 73, 160),
    "mixed_4a": (71, 71, 192),
    "mixed_5a": (35, 35, 384),
    **{f"mixed_5{letter}": (35, 35, 384) for letter in "bcde"},
    "mixed_6a": (17, 17, 1024),
    **{f"mixed_6{letter}": (17, 17, 1024) for letter in "bcdefgh"},
    "mixed_7a": (8, 8, 1536),
    **{f"mixed_7{letter}": (8, 8, 1536) for letter in "bcd"},
    "pool": (1536,),
    "logits": (1000,),
}


def test_shapes_of_every_block_on_imagenet(no_draws):
    model = build(num_classes=1000, image_shape=(299, 299, 3))
    shapes = {x.name: x.output.shape[1:] for x in model.layers[1:]}
    assert {name: shapes[name] for name in SHAPES} == SHAPES
    blocks = {x.name for x in model.layers if x.name.count("_") == 1}
    assert blocks == {name for name in SHAPES if name.startswith("mixed")}


def test_blocks_are_the_only_way_through(thin):
    """What is computed after a block sees nothing from before it."""
    names = ["stem_3_relu", *(n for n in SHAPES if n.startswith("mixed"))]
    for before, after in zip(names, names[1:], strict=False):
        # Keras refuses a part whose input does not lead to all of it.
        part = keras.Model(
            thin.get_layer(before).output, thin.get_layer(after).output
        )
        assert any(x.name.startswith(after) for x in part.layers)


# --- the forward pass once more, in NumPy


class Numpy:
    """The network's layers by name, on arrays [B, H, W, C]."""

    def __init__(self, model):
        self.values = {
            v.path: np.asarray(v, np.float64) for v in model.variables
        }

    def conv(self, x, name, stride=1, valid=False):
        """A convolution, its normalization and its ReLU."""
        kernel = self.values[f"{name}_conv/kernel"]
        size = kernel.shape[:2]
        if not valid:
            high, wide = (n // 2 for n in size)
            x = np.pad(x, [(0, 0), (high, high), (wide, wide), (0, 0)])
        view = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))
        x = np.tensordot(
            view[:, ::stride, ::stride], kernel, ([3, 4, 5], [2, 0, 1])
        )
        mean, variance, gamma, beta = (
            self.values[f"{name}_norm/{what}"]
            for what in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        x = (x - mean) / np.sqrt(variance + 0.001) * gamma + beta
        return np.maximum(x, 0)

    def path(self, x, name, steps=1, first=1):
        """Convolutions at stride 1 that keep the size, numbered."""
        for number in range(first, first + steps):
            x = self.conv(x, f"{name}_{number}")
        return x

    def largest(self, x):
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
        return view[:, ::2, ::2].max(axis=(4, 5))

    def mean(self, x):
        """3 x 3 means of the pixels that are there."""

        def total(x):
            x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
            view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
            return view.sum(axis=(4, 5))

        return total(x) / total(np.ones_like(x))

    def stem(self, x, _):
        x = self.conv(x, "stem_1", 2, valid=True)
        x = self.conv(x, "stem_2", valid=True)
        return self.conv(x, "stem_3")

    def mixed_3a(self, x, name):
        return np.concatenate(
            [
                self.largest(x),
                self.conv(x, f"{name}_branch_1_1", 2, valid=True),
            ],
            3,
        )

    def mixed_4a(self, x, name):
        one = self.path(x, f"{name}_branch_0")
        two = self.path(x, f"{name}_branch_1", 3)
        return np.concatenate(
            [
                self.conv(one, f"{name}_branch_0_2", valid=True),
                self.conv(two, f"{name}_branch_1_4", valid=True),
            ],
            3,
        )

    def mixed_5a(self, x, name):
        return np.concatenate(
            [
                self.conv(x, f"{name}_branch_0_1", 2, valid=True),
                self.largest(x),
            ],
            3,
        )

    def inception(self, x, name, steps):
        """A block of A or B: sequences, the last behind a mean."""
        parts = [
            self.path(x, f"{name}_branch_{i}", n) for i, n in enumerate(steps)
        ]
        last = f"{name}_branch_{len(steps)}"
        return np.concatenate(
            [*parts, self.path(self.mean(x), last, 1, first=2)], 3
        )

    def inception_a(self, x, name):
        return self.inception(x, name, (1, 2, 3))

    def inception_b(self, x, name):
        return self.inception(x, name, (1, 3, 5))

    def reduction_a(self, x, name):
        two = self.path(x, f"{name}_branch_1", 2)
        return np.concatenate(
            [
                self.conv(x, f"{name}_branch_0_1", 2, valid=True),
                self.conv(two, f"{name}_branch_1_3", 2, valid=True),
                self.largest(x),
            ],
            3,
        )

    def reduction_b(self, x, name):
        one = self.path(x, f"{name}_branch_0")
        two = self.path(x, f"{name}_branch_1", 3)
        return np.concatenate(
            [
                self.conv(one, f"{name}_branch_0_2", 2, valid=True),
                self.conv(two, f"{name}_branch_1_4", 2, valid=True),
                self.largest(x),
            ],
            3,
        )

    def inception_c(self, x, name):
        one = self.path(x, f"{name}_branch_1")
        two = self.path(x, f"{name}_branch_2", 3)
        return np.concatenate(
            [
                self.path(x, f"{name}_branch_0"),
                self.conv(one, f"{name}_branch_1_2_branch_0_1"),
                self.conv(one, f"{name}_branch_1_2_branch_1_1"),
                self.conv(two, f"{name}_branch_2_4_branch_0_1"),
                self.conv(two, f"{name}_branch_2_4_branch_1_1"),
                self.path(self.mean(x), f"{name}_branch_3", 1, first=2),
            ],
            3,
        )

    def auxiliary(self, x, name):
        view = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (1, 2))
        x = view[:, ::3, ::3].mean(axis=(4, 5))
        x = self.conv(self.path(x, name), f"{name}_2", valid=True)
        return self.dense(x.reshape(len(x), -1), f"{name}_logits")

    def head(self, x, _):
        return self.dense(x.mean(axis=(1, 2)), "logits")

    def dense(self, x, name):
        return x @ self.values[f"{name}/kernel"] + self.values[f"{name}/bias"]


# Each block, what is before it, and the kernels of its convolutions.
CHECKED = [
    ("stem", "image", "stem_3_relu"),
    ("mixed_3a", "stem_3_relu", "mixed_3a"),
    ("mixed_4a", "mixed_3a", "mixed_4a"),
    ("mixed_5a", "mixed_4a", "mixed_5a"),
    ("inception_a", "mixed_5a", "mixed_5b"),
    ("inception_a", "mixed_5d", "mixed_5e"),
    ("reduction_a", "mixed_5e", "mixed_6a"),
    ("inception_b", "mixed_6a", "mixed_6b"),
    ("inception_b", "mixed_6g", "mixed_6h"),
    ("reduction_b", "mixed_6h", "mixed_7a"),
    ("inception_c", "mixed_7a", "mixed_7b"),
    ("inception_c", "mixed_7c", "mixed_7d"),
    ("head", "mixed_7d", "logits"),
]


@pytest.fixture(scope="module")
def wide():
    """A thin network of images that are wider than high, and its outputs."""
    shape = (139, 155, 3)
    model = build(**THIN, image_shape=shape, auxiliary_head=True)
    draw = np.random.default_rng(1)
    for v in model.variables:
        if v.name != "kernel":
            # Positive, so that a variance can be.
            v.assign(draw.uniform(0.5, 1.5, v.shape))
    names = {n for _, *both in CHECKED for n in both}
    names |= {"auxiliary_logits"}
    inside = keras.Model(
        model.input, {n: model.get_layer(n).output for n in sorted(names)}
    )
    images = draw.standard_normal((2, *shape)).astype("float32")
    found = quick(lambda x: inside(x))(images)
    outputs = {k: np.asarray(v) for k, v in found.items()}
    return Numpy(model), outputs


@pytest.mark.parametrize(
    ("block", "before", "after"), CHECKED, ids=[c[2] for c in CHECKED]
)
def test_a_block_equals_numpy(wide, block, before, after):
    plain, outputs = wide
    wanted = getattr(plain, block)(outputs[before].astype(np.float64), after)
    assert outputs[after].shape == wanted.shape
    assert min(wanted.shape[1:3]) > 1 or after == "logits"
    np.testing.assert_allclose(outputs[after], wanted, rtol=1e-4, atol=1e-4)


def test_the_auxiliary_head_equals_numpy(wide):
    plain, outputs = wide
    np.testing.assert_allclose(
        outputs["auxiliary_logits"],
        plain.auxiliary(outputs["mixed_6h"].astype(np.float64), "auxiliary"),
        rtol=1e-4,
        atol=1e-4,
    )


def test_kernels_are_high_and_wide_as_in_the_figures(thin):
    def kernels(block, branch, count):
        return [
            thin.get_layer(
                f"mixed_{block}_branch_{branch}_{i}_conv"
            ).kernel.shape[:2]
            for i in range(1, count + 1)
        ]

    one, square, flat, tall = (1, 1), (3, 3), (1, 7), (7, 1)
    assert kernels("4a", 1, 4) == [one, flat, tall, square]
    assert kernels("5b", 2, 3) == [one, square, square]
    assert kernels("6b", 1, 3) == [one, flat, tall]
    assert kernels("6b", 2, 5) == [one, tall, flat, tall, flat]
    assert kernels("7a", 1, 4) == [one, flat, tall, square]
    assert kernels("7b", 2, 3) == [one, (3, 1), (1, 3)]
    assert kernels("7b", "1_2_branch_0", 1) == [(1, 3)]
    assert kernels("7b", "1_2_branch_1", 1) == [(3, 1)]
    assert kernels("7b", "2_4_branch_0", 1) == [(1, 3)]
    assert kernels("7b", "2_4_branch_1", 1) == [(3, 1)]


# --- what the outputs are, initial weights, decay


def test_outputs_stay_float32_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(**THIN, dropout_rate=0.2)
    finally:
        keras.config.set_dtype_policy(before)
    for value in model.output.values():
        assert value.dtype == "float32"
    assert model.get_layer("stem_1_conv").compute_dtype == "bfloat16"
    assert {
        v.dtype for v in model.variables if "seed_generator" not in v.path
    } == {"float32"}


def test_dropout_acts_on_the_pooled_activations_in_training_alone():
    model = build(**THIN, dropout_rate=0.2)
    head = keras.Model(model.get_layer("pool").output, model.output["logits"])
    kernel, bias = (np.asarray(v) for v in model.get_layer("logits").variables)
    pooled = np.ones((4000, kernel.shape[0]), "float32")
    whole = pooled @ kernel + bias
    np.testing.assert_allclose(np.asarray(head(pooled)), whole, atol=1e-5)
    trained = np.asarray(head(pooled, training=True))
    # Kept with probability 0.8 and scaled by 1 / 0.8.
    np.testing.assert_allclose(trained.mean(0), whole[0], atol=0.05)
    variance = (kernel**2).sum(0) * 0.2 / 0.8
    np.testing.assert_allclose(trained.var(0), variance, rtol=0.1)


def test_by_default_there_is_neither_dropout_nor_an_auxiliary_head(thin):
    assert not any(x.name == "dropout" for x in thin.layers)
    assert set(thin.output) == {"logits", "penultimate"}


def test_initial_weights_are_slims(thin):
    name = "mixed_6b_branch_2_4"  # 7 x 1
    kernel = np.asarray(thin.get_layer(f"{name}_conv").kernel)
    assert kernel.shape == (7, 1, 14, 14)
    std = math.sqrt(1.3 * 2 / (7 * 14))  # before the cut at two of them
    assert 1.9 * std < np.abs(kernel).max() <= 2 * std
    cut = 0.87962566 * std
    assert abs(kernel.std() / cut - 1) < 5 / math.sqrt(2 * kernel.size)
    kernel = np.asarray(thin.get_layer("logits").kernel)
    limit = math.sqrt(6 / (96 + 3))
    assert 0.97 * limit < np.abs(kernel).max() <= limit


def test_the_seed_fixes_the_weights_and_every_layer_has_its_own(thin):
    same, other = build(**THIN), build(**THIN, seed=1)
    first, same, other = (
        [np.asarray(v) for v in model.trainable_variables]
        for model in (thin, same, other)
    )
    for a, b, c in zip(first, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.any(a == c)
    starts = {a.ravel()[:4].tobytes() for a in first if a.ndim == 4}
    assert len(starts) == 149


def test_weight_decay_can_leave_out_all_but_kernels():
    variables = build(**THIN, auxiliary_head=True, image_shape=(107, 107, 3))
    variables = variables.trainable_variables
    ones = [np.ones(v.shape, "float32") for v in variables]
    found = optimizers.decayed(
        [0 * one for one in ones],
        variables,
        weight_decay=1.0,
        exclude=("bias", "gamma", "beta"),
        values=ones,
    )
    decayed = {
        v.name
        for v, g in zip(variables, found, strict=True)
        if np.any(np.asarray(g))
    }
    assert decayed == {"kernel"}


# --- arguments


@pytest.mark.parametrize("least", [75, 107])
def test_the_smallest_image_that_leaves_something(least, no_draws):
    head = {"auxiliary_head": least == 107}
    model = build(**THIN, **head, image_shape=(least, least, 3))
    if not head["auxiliary_head"]:
        assert model.get_layer("mixed_7d").output.shape[1:3] == (1, 1)
    else:
        assert model.get_layer("auxiliary_mean").output.shape[1:3] == (1, 1)
    shape = (least, least - 1, 3)
    with pytest.raises(ValueError, match=f"from {least} on"):
        build(**THIN, **head, image_shape=shape)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes"),
        ({"image_shape": (75, 75)}, "image_shape"),
        ({"image_shape": (75, 75, 0)}, "image_shape"),
        ({"auxiliary_head": True}, "from 107 on with an auxiliary head"),
        ({"dropout_rate": 1.0}, "dropout_rate"),
        ({"width_multiplier": 0.0}, "width_multiplier above 0, up to 1"),
        ({"width_multiplier": 1.5}, "width_multiplier above 0, up to 1"),
        ({"batch_norm_momentum": 1.0}, "momentum"),
        ({"repeats": (4, 7)}, "repeats of three numbers"),
        ({"repeats": (4, 0, 3)}, "from 1 to 25"),
        ({"repeats": (4, 26, 3)}, "from 1 to 25"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**{**THIN, **changes})
    assert "\n" not in str(error.value)
