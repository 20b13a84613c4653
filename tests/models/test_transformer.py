"""Tests of ls_tf.models.transformer."""

import inspect
import math

import keras
import numpy as np
import pytest
from keras import ops
from tiny_transformer import SOURCE, TARGET, build, by_path, outputs

from ls_tf.layers.attention import SelfAttention, sinusoids
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import PhiloxGlorotUniform
from ls_tf.models import transformer

# The variables


def counted(model):
    """Parameters by the first words of their path."""
    found = {}
    for variable in model.trainable_variables:
        words = variable.path.split("/")[-2].split("_")
        block = len(words) > 1 and words[1].isdigit()
        key = "_".join(words[:2]) if block else words[0]
        key = "target_space" if "target_space" in variable.path else key
        found[key] = found.get(key, 0) + math.prod(variable.shape)
    return found


def test_parameters_of_the_base_size_layer_by_layer():
    options = dict(transformer.REFERENCE[-1].options)
    assert options["vocabulary_size"] == 33_708
    options |= {"num_encoder_layers": 1, "num_decoder_layers": 1}
    found = counted(
        transformer.build(**{**options, "vocabulary_size": 10}, seed=0)
    )
    assert found == {
        "embedding": 10 * 512,
        "target_space": 32 * 512,
        "encoder_1": 3_150_336,
        "decoder_1": 4_199_936,
        "encoder": 2 * 512,
        "decoder": 2 * 512,
    }
    whole = 6 * (3_150_336 + 4_199_936) + 32 * 512 + 4 * 512 + 33_708 * 512
    assert whole == 61_378_560 == transformer.REFERENCE[-1].parameters


def test_variables_of_a_block():
    model = build(num_encoder_layers=1, num_decoder_layers=1)
    shapes = {v.path: tuple(v.shape) for v in model.trainable_variables}
    norm = {"gamma": (8,), "beta": (8,)}
    dense = {
        "inner_kernel": (8, 12),
        "inner_bias": (12,),
        "outer_kernel": (12, 8),
        "outer_bias": (8,),
    }
    self_attention = {"query_key_value": (8, 24), "output": (8, 8)}
    memory_attention = {"query": (8, 8), "key_value": (8, 16)}
    layers = {
        "transformer": {"target_space": (32, 8)},
        "embedding": {"table": (11, 8)},
        "encoder_1_attention_norm": norm,
        "encoder_1_self_attention": self_attention,
        "encoder_1_feed_forward_norm": norm,
        "encoder_1_dense": dense,
        "encoder_norm": norm,
        "decoder_1_attention_norm": norm,
        "decoder_1_self_attention": self_attention,
        "decoder_1_memory_norm": norm,
        "decoder_1_memory_attention": {**memory_attention, "output": (8, 8)},
        "decoder_1_feed_forward_norm": norm,
        "decoder_1_dense": dense,
        "decoder_norm": norm,
    }
    assert shapes == {
        f"{layer}/{name}": shape
        for layer, variables in layers.items()
        for name, shape in variables.items()
    }


def test_every_variable_is_trained_and_only_noise_is_not():
    model = build()
    others = [v.path for v in model.non_trainable_variables]
    assert all("seed_generator" in path for path in others)
    # One for each attention, feed-forward layer and sublayer, and two inputs.
    assert len(others) == 2 * 4 + 2 * 6 + 2


def test_initial_weights():
    model = build(hidden_size=64, filter_size=256, vocabulary_size=500)
    found = by_path(model)
    # Square matrices side by side have the limit of one of them.
    square = math.sqrt(6 / (64 + 64))
    limits = {
        "encoder_1_self_attention/query_key_value": square,
        "encoder_1_self_attention/output": square,
        "decoder_2_memory_attention/query": square,
        "decoder_2_memory_attention/key_value": square,
        "decoder_1_dense/inner_kernel": math.sqrt(6 / (64 + 256)),
        "decoder_1_dense/outer_kernel": math.sqrt(6 / (64 + 256)),
        "transformer/target_space": math.sqrt(6 / (32 + 64)),
    }
    for path, limit in limits.items():
        values = found[path]
        assert 0.98 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
        # Uniform: standard deviation limit / sqrt(3).
        assert values.std() * math.sqrt(3) / limit == pytest.approx(1, 0.05)
    table = found["embedding/table"]
    assert table.std() == pytest.approx(64**-0.5, 0.02)
    assert np.abs(table).max() > 3 * 64**-0.5  # not truncated
    for path, values in found.items():
        if path.endswith(("bias", "beta")):
            assert not values.any(), path
        if path.endswith("gamma"):
            assert (values == 1).all(), path


def test_no_two_matrices_are_alike():
    model = build(filter_size=8, num_encoder_layers=3)
    squares = []
    for path, values in by_path(model).items():
        if values.ndim == 2 and values.shape[0] == 8:
            parts = np.split(values, values.shape[1] // 8, axis=1)
            squares += [(path, part) for part in parts]
    # 4 + 2 of each encoder block, 4 + 4 + 2 of each decoder block.
    assert len(squares) == 3 * 6 + 2 * 10
    for i, (_, a) in enumerate(squares):
        for path, b in squares[:i]:
            assert not np.isclose(a, b).any(), path


def test_matrices_side_by_side_are_drawn_one_by_one():
    both = PhiloxGlorotUniform(seeds=[3, 4])((6, 10))
    for i, seed in enumerate((3, 4)):
        alone = PhiloxGlorotUniform(seeds=[seed])((6, 5))
        np.testing.assert_array_equal(
            ops.convert_to_numpy(both)[:, 5 * i : 5 * i + 5],
            ops.convert_to_numpy(alone),
        )
    with pytest.raises(ValueError, match="2 matrices, got 5"):
        PhiloxGlorotUniform(seeds=[3, 4])((6, 5))
    with pytest.raises(ValueError, match="one seed"):
        PhiloxGlorotUniform(seeds=[])


# The forward pass


def test_sinusoids_by_hand():
    # Two waves: rates 1 and 10,000 ** -1, both ends included.
    np.testing.assert_allclose(
        sinusoids(np.array([0, 2]), 4),
        [
            [0, 0, 1, 1],
            [math.sin(2), math.sin(2e-4), math.cos(2), math.cos(2e-4)],
        ],
        atol=1e-6,
    )
    # Three: 1, 10,000 ** (-1 / 2), 10,000 ** -1.
    angles = np.array([50, 0.5, 0.005])
    np.testing.assert_allclose(
        sinusoids(np.array(50), 6),
        [*np.sin(angles), *np.cos(angles)],
        atol=1e-5,
    )


class Slow:
    """The network in float64, one position and one head at a time."""

    def __init__(self, model, heads, norm_first=True):
        self.norm_first = norm_first
        found = by_path(model)
        self.w = {k: v.astype(np.float64) for k, v in found.items()}
        self.heads = heads

    def norm(self, x, name):
        mean = x.sum() / len(x)
        variance = ((x - mean) ** 2).sum() / len(x)
        x = (x - mean) / math.sqrt(variance + 1e-6)
        return x * self.w[f"{name}/gamma"] + self.w[f"{name}/beta"]

    def attention(self, name, x, memory, sees):
        """x [T, D] to memory [S, D]; ``sees(t, s)`` says what counts."""
        size = x.shape[1]
        if f"{name}/query" in self.w:
            q = self.w[f"{name}/query"]
            k, v = np.split(self.w[f"{name}/key_value"], 2, axis=1)
        else:
            q, k, v = np.split(self.w[f"{name}/query_key_value"], 3, axis=1)
        width = size // self.heads
        out = np.zeros_like(x)
        for t in range(len(x)):
            for h in range(self.heads):
                cut = slice(h * width, (h + 1) * width)
                seen = [s for s in range(len(memory)) if sees(t, s)]
                query = x[t] @ q[:, cut]
                e = np.exp(
                    [
                        query @ (memory[s] @ k[:, cut]) / math.sqrt(width)
                        for s in seen
                    ]
                )
                for s, weight in zip(seen, e / e.sum(), strict=True):
                    out[t, cut] += weight * (memory[s] @ v[:, cut])
        return out @ self.w[f"{name}/output"]

    def dense(self, name, x):
        inner = x @ self.w[f"{name}/inner_kernel"]
        inner = np.maximum(inner + self.w[f"{name}/inner_bias"], 0)
        outer = inner @ self.w[f"{name}/outer_kernel"]
        return outer + self.w[f"{name}/outer_bias"]

    def placed(self, rows):
        """Adds sines, then cosines."""
        size = rows.shape[1]
        out = rows.copy()
        for t in range(len(rows)):
            for i in range(size // 2):
                angle = t * 10_000 ** (-i / (size // 2 - 1))
                out[t, i] += math.sin(angle)
                out[t, size // 2 + i] += math.cos(angle)
        return out

    def embedded(self, ids):
        table = self.w["embedding/table"]
        scale = math.sqrt(table.shape[1])
        return np.array([table[i] * scale * (i != 0) for i in ids])

    def block(self, name, x, sees, memory=None, sees_memory=None):
        def normed(what):
            return np.array(
                [self.norm(row, f"{name}_{what}_norm") for row in x]
            )

        if not self.norm_first:
            x = x + self.attention(f"{name}_self_attention", x, x, sees)
            x = normed("attention")
            if memory is not None:
                name_of = f"{name}_memory_attention"
                x = x + self.attention(name_of, x, memory, sees_memory)
                x = normed("memory")
            x = x + self.dense(f"{name}_dense", x)
            return normed("feed_forward")
        seen = normed("attention")
        x = x + self.attention(f"{name}_self_attention", seen, seen, sees)
        if memory is not None:
            x = x + self.attention(
                f"{name}_memory_attention",
                normed("memory"),
                memory,
                sees_memory,
            )
        return x + self.dense(f"{name}_dense", normed("feed_forward"))

    def __call__(self, source, target, layers):
        x = self.embedded(source) + self.w["transformer/target_space"][0]
        x = self.placed(x)

        def real(t, s):
            return source[s] != 0

        for number in range(1, layers[0] + 1):
            x = self.block(f"encoder_{number}", x, real)
        memory = np.array([self.norm(row, "encoder_norm") for row in x])
        x = self.embedded(target)
        x = self.placed(np.concatenate([np.zeros_like(x[:1]), x[:-1]]))
        for number in range(1, layers[1] + 1):
            x = self.block(
                f"decoder_{number}", x, lambda t, s: s <= t, memory, real
            )
        x = np.array([self.norm(row, "decoder_norm") for row in x])
        bias = self.w.get("transformer/output_bias", 0)
        return x @ self.w["embedding/table"].T + bias, x


def test_forward_pass_equals_a_slow_one(model):
    found = outputs(model)
    slow = Slow(model, heads=2)
    for b in range(2):
        logits, penultimate = slow(SOURCE[b], TARGET[b], layers=(2, 2))
        np.testing.assert_allclose(
            found["penultimate"][b], penultimate, atol=2e-5
        )
        np.testing.assert_allclose(found["logits"][b], logits, atol=5e-5)


def test_norm_last_and_a_bias_equal_a_slow_pass(replication):
    found = outputs(replication)
    slow = Slow(replication, heads=2, norm_first=False)
    for b in range(2):
        logits, penultimate = slow(SOURCE[b], TARGET[b], layers=(2, 2))
        np.testing.assert_allclose(
            found["penultimate"][b], penultimate, atol=2e-5
        )
        np.testing.assert_allclose(found["logits"][b], logits, atol=5e-5)


def test_the_model_is_fit_for_its_tests(model):
    # Attention is far from uniform and the outputs vary.
    found = outputs(model)
    assert found["logits"].std() > 0.5
    changed = outputs(model, source=SOURCE[:, ::-1].copy())
    assert np.abs(found["logits"] - changed["logits"]).max() > 0.1


def test_no_position_sees_a_later_token(model):
    before = outputs(model)["logits"]
    for t in range(TARGET.shape[1]):
        other = TARGET.copy()
        other[:, t:] = (other[:, t:] + 3) % 10 + 1
        after = outputs(model, target=other)["logits"]
        # Token t is predicted from those before it.
        np.testing.assert_array_equal(after[:, : t + 1], before[:, : t + 1])
        if t + 1 < TARGET.shape[1]:
            assert np.abs(after - before)[:, t + 1].max() > 1e-3


def test_more_padding_changes_nothing(model):
    before = outputs(model)
    after = outputs(
        model,
        source=np.pad(SOURCE, ((0, 0), (0, 3))),
        target=np.pad(TARGET, ((0, 0), (0, 2))),
    )
    real = TARGET != 0
    for name in ("logits", "penultimate"):
        np.testing.assert_allclose(
            after[name][:, :5][real], before[name][real], atol=1e-5
        )


def test_other_rows_change_nothing(model):
    both = outputs(model)["logits"]
    for b in range(2):
        alone = outputs(model, SOURCE[b : b + 1], TARGET[b : b + 1])["logits"]
        np.testing.assert_allclose(alone[0], both[b], atol=1e-5)


def test_a_row_of_padding_alone_is_finite(model):
    nothing = np.zeros_like(SOURCE)
    assert np.isfinite(outputs(model, source=nothing)["logits"]).all()


def test_the_last_layer_is_the_embedding(model):
    found = outputs(model)
    table = by_path(model)["embedding/table"]
    matrix = ops.convert_to_numpy(model.output_matrix())
    np.testing.assert_array_equal(matrix, table)
    np.testing.assert_allclose(
        found["logits"], found["penultimate"] @ table.T, atol=1e-5
    )


# Dropout


def test_dropout_stands_where_t2t_has_it():
    model = build(layer_dropout=0.1, attention_dropout=0.2, relu_dropout=0.3)
    found = {
        layer.name: layer.rate
        for layer in model._flatten_layers()
        if isinstance(layer, Dropout)
    }
    expected = {"encoder_dropout": 0.1, "decoder_dropout": 0.1}
    for side, around in (
        ("encoder", ("attention", "feed_forward")),
        ("decoder", ("attention", "memory", "feed_forward")),
    ):
        for number in (1, 2):
            name = f"{side}_{number}"
            expected |= {f"{name}_{a}_dropout": 0.1 for a in around}
            expected[f"{name}_self_attention_dropout"] = 0.2
            expected[f"{name}_dense_dropout"] = 0.3
            if side == "decoder":
                expected[f"{name}_memory_attention_dropout"] = 0.2
    assert found == expected
    seeds = {
        layer.seed
        for layer in model._flatten_layers()
        if isinstance(layer, Dropout)
    }
    assert len(seeds) == len(expected)


def test_without_dropout_training_is_inference(model):
    np.testing.assert_array_equal(
        outputs(model, training=True)["logits"], outputs(model)["logits"]
    )


@pytest.mark.parametrize(
    "which", ["layer_dropout", "attention_dropout", "relu_dropout"]
)
def test_each_dropout_acts_in_training_alone(which):
    without, model = build(), build(**{which: 0.5})
    plain = outputs(without)["logits"]
    np.testing.assert_array_equal(outputs(model)["logits"], plain)
    assert np.abs(outputs(model, training=True)["logits"] - plain).max() > 0.01


# Precision


def test_a_mixed_policy_keeps_variables_and_outputs_in_float32(mixed, model):
    found = build()
    for mine, theirs in zip(found.variables, model.variables, strict=True):
        if "seed" not in mine.path:
            assert keras.backend.standardize_dtype(mine.dtype) == "float32"
            mine.assign(theirs)
    exact, rounded = outputs(model), outputs(found)
    for name in exact:
        assert rounded[name].dtype == np.float32
        # bfloat16 has 8 bits; some tens of roundings one after the other.
        error = np.abs(exact[name] - rounded[name]).max()
        assert 0 < error < 0.05 * np.abs(exact[name]).max()
    # The last product is exact, not rounded once more.
    table = by_path(found)["embedding/table"]
    np.testing.assert_allclose(
        rounded["logits"], rounded["penultimate"] @ table.T, atol=1e-5
    )


def test_softmax_sums_in_float32_under_a_mixed_policy(mixed):
    layer = SelfAttention(4, 1, dropout_rate=0.0, seed=0, name="attention")
    # 1000 equal scores: a sum in bfloat16 would stop at 256.
    values = ops.ones((1, 1, 1000, 4), "bfloat16")
    keys = ops.zeros((1, 1, 4, 1000), "bfloat16")
    found = layer.attend(
        ops.zeros((1, 1, 1, 4), "bfloat16"),
        keys,
        values,
        ops.zeros((1, 1, 1, 1)),
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(found, "float32")), 1, rtol=0.01
    )


# Training


def test_it_learns_one_batch_by_heart():
    model = build(hidden_size=16, num_encoder_layers=1, num_decoder_layers=1)
    model.compile(
        keras.optimizers.Adam(0.03),
        loss={
            "logits": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, ignore_class=0
            ),
            "penultimate": None,
        },
        jit_compile=keras.backend.backend() == "jax",
    )
    batch = {"source": SOURCE, "target": TARGET}
    losses = [
        float(model.train_on_batch(batch, {"logits": TARGET}))
        for _ in range(40)
    ]
    assert losses[0] > 1.5
    assert losses[-1] < 0.1
    predicted = outputs(model)["logits"].argmax(-1)
    np.testing.assert_array_equal(predicted[TARGET != 0], TARGET[TARGET != 0])


# Refusals


def test_the_arguments_are_keyword_only_and_only_later_ones_have_a_default():
    for parameter in inspect.signature(transformer.build).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        later = {"norm_first": True, "output_bias": False}
        default = later.get(parameter.name, parameter.empty)
        assert parameter.default is default


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 9}, "multiple of num_heads"),
        ({"hidden_size": 2}, "hidden_size of 4 or more"),
        ({"hidden_size": 9, "num_heads": 3}, "even hidden_size"),
        ({"filter_size": 0}, "filter_size"),
        ({"num_heads": 0}, "num_heads"),
        ({"num_encoder_layers": 0}, "num_encoder_layers"),
        ({"num_decoder_layers": 0}, "num_decoder_layers"),
        ({"vocabulary_size": 1}, "vocabulary_size"),
        ({"layer_dropout": 1.0}, "layer_dropout"),
        ({"attention_dropout": -0.1}, "attention_dropout"),
        ({"relu_dropout": math.nan}, "relu_dropout"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**changes)
    assert "\n" not in str(error.value)
