"""The blocks of a Transformer.

Each sublayer normalises its input, or, as Vaswani et al. 2017 have it, the
sum of its input and its output.

Everything is position by position but attention, so that the same layers
serve all positions of B sequences in training, [B, T, D], and one position of
the hypotheses of B sources in decoding, [B, beams, D].

Source: T2T's ``transformer_base`` v3: ``layer_preprocess_sequence`` "n" and
``layer_postprocess_sequence`` "da".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ls_tf import kernels, seeds
from ls_tf.layers.attention import Earlier, MemoryAttention, SelfAttention
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import PhiloxGlorotUniform, PhiloxNormal

Tensor = Any

EPSILON = 1e-6  # of the layer normalisation; T2T's norm_epsilon


@dataclass(frozen=True)
class Sizes:
    """What all blocks of a model share; see ``transformer.build``."""

    hidden_size: int
    filter_size: int
    num_heads: int
    layer_dropout: float
    attention_dropout: float
    relu_dropout: float
    seed: int
    norm_first: bool = True


def layer_norm(size: int, name: str, **options: Any) -> Any:
    """Keras's layer normalisation with its variables made.

    Args:
        size: D.
        name: the layer's.
        **options: of every layer, such as ``dtype``.

    Returns:
        keras.layers.LayerNormalization: with a scale that starts at 1 and a
        bias that starts at 0; its statistics are float32 under any policy.

    Source: T2T's ``layer_norm``.
    """
    layer = keras.layers.LayerNormalization(
        axis=-1, epsilon=EPSILON, name=name, **options
    )
    layer.build((None, None, size))
    layer.built = True
    return layer


class SharedEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """The table of the source, of the target and of the last layer."""

    def __init__(
        self, vocabulary_size: int, hidden_size: int, *, seed: int, name: str
    ) -> None:
        """Makes the table.

        Args:
            vocabulary_size: V.
            hidden_size: D.
            seed: the model's.
            name: the layer's.
        """
        super().__init__(name=name)
        self._size = hidden_size
        self.table = self.add_weight(
            name="table",
            shape=(vocabulary_size, hidden_size),
            initializer=PhiloxNormal(
                stddev=hidden_size**-0.5, seed=seeds.derive(seed, "init", name)
            ),
            autocast=False,  # the logits need all its bits
        )
        self.built = True

    def call(self, ids: Tensor) -> Tensor:
        """Looks tokens up.

        Args:
            ids: int [B, T].

        Returns:
            float [B, T, D]: rows times sqrt(D); zeros for padding.

        Source: T2T's ``symbol_bottom`` with ``multiply_embedding_mode``
        "sqrt_depth".
        """
        rows = ops.take(ops.convert_to_tensor(self.table), ids, axis=0)
        rows = ops.cast(rows, self.compute_dtype)
        scale = ops.where(ops.equal(ids, 0), 0.0, math.sqrt(self._size))
        return ops.multiply(rows, ops.cast(scale, rows.dtype)[..., None])

    def columns(self) -> Tensor:
        """The table as the logits' product takes it.

        Decoding makes it once: without XLA, TensorFlow takes longer for a
        product with the transposed table than with this one.

        Returns:
            float32 [D, V].
        """
        return ops.transpose(ops.cast(self.table, "float32"))

    def logits(self, x: Tensor, columns: Tensor | None = None) -> Tensor:
        """Compares activations with every token's row.

        Args:
            x: float [..., D].
            columns: what ``columns`` made; default: it is made now.

        Returns:
            float32 [..., V]: no bias, and no sqrt(D). The product is float32
            whatever the policy: the losses need the full precision.

        Source: T2T's ``symbol_top``.
        """
        if columns is None:
            columns = self.columns()
        return kernels.product(ops.cast(x, "float32"), columns)


class FeedForward(keras.layers.Layer):  # type: ignore[misc]
    """Two products with a ReLU and its dropout between them."""

    def __init__(self, sizes: Sizes, *, name: str) -> None:
        """Makes the variables.

        Args:
            sizes: of the model.
            name: the layer's.
        """
        super().__init__(name=name)
        inner, outer = sizes.filter_size, sizes.hidden_size

        def kernel(what: str, rows: int, columns: int) -> Any:
            seed = seeds.derive(sizes.seed, "init", name, what)
            return self.add_weight(
                name=what,
                shape=(rows, columns),
                initializer=PhiloxGlorotUniform(seeds=[seed]),
            )

        def bias(what: str, size: int) -> Any:
            return self.add_weight(
                name=what, shape=(size,), initializer="zeros"
            )

        self.inner_kernel = kernel("inner_kernel", outer, inner)
        self.inner_bias = bias("inner_bias", inner)
        self.outer_kernel = kernel("outer_kernel", inner, outer)
        self.outer_bias = bias("outer_bias", outer)
        self.dropout = Dropout(
            sizes.relu_dropout,
            seed=seeds.derive(sizes.seed, "dropout", name),
            name=f"{name}_dropout",
        )
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Transforms every position by itself.

        Args:
            x: float [B, T, D].
            training: whether to drop.

        Returns:
            float [B, T, D].

        Source: T2T's ``dense_relu_dense``.
        """

        def affine(x: Tensor, kernel: Any, bias: Any) -> Tensor:
            product = kernels.product(x, ops.cast(kernel, x.dtype))
            return ops.add(product, ops.cast(bias, x.dtype))

        x = ops.relu(affine(x, self.inner_kernel, self.inner_bias))
        x = self.dropout(x, training=training)
        return affine(x, self.outer_kernel, self.outer_bias)


class Residual(keras.layers.Layer):  # type: ignore[misc]
    """What stands around a sublayer, with the normalisation first or last.

    ``x + dropout(sublayer(norm(x)))``, or ``norm(x + dropout(sublayer(x)))``.
    """

    def __init__(self, sizes: Sizes, *, name: str) -> None:
        """Makes the normalisation and the dropout.

        Args:
            sizes: of the model.
            name: the layer's.
        """
        super().__init__(name=name)
        self.norm = layer_norm(sizes.hidden_size, f"{name}_norm")
        self._norm_first = sizes.norm_first
        self.dropout = Dropout(
            sizes.layer_dropout,
            seed=seeds.derive(sizes.seed, "dropout", name),
            name=f"{name}_dropout",
        )
        self.built = True

    def seen(self, x: Tensor) -> Tensor:
        """What the sublayer sees of x, float [B, T, D]."""
        return self.norm(x) if self._norm_first else x

    def call(self, x: Tensor, change: Tensor, training: bool = False) -> Tensor:
        """Adds what the sublayer made of ``seen(x)``.

        Args:
            x: float [B, T, D].
            change: float [B, T, D].
            training: whether to drop.

        Returns:
            float [B, T, D].
        """
        if training:
            change = self.dropout(kernels.stored(change), training=True)
        x = ops.add(x, change)
        if training:
            x = kernels.stored(x)
        return x if self._norm_first else self.norm(x)


class EncoderBlock(keras.layers.Layer):  # type: ignore[misc]
    """Attention of the source to itself, then the feed-forward layer."""

    def __init__(self, sizes: Sizes, *, name: str) -> None:
        """Makes the sublayers.

        Args:
            sizes: of the model.
            name: the block's; that of every sublayer begins with it.
        """
        super().__init__(name=name)
        self.around_attention = Residual(sizes, name=f"{name}_attention")
        self.attention = SelfAttention(
            sizes.hidden_size,
            sizes.num_heads,
            dropout_rate=sizes.attention_dropout,
            seed=sizes.seed,
            name=f"{name}_self_attention",
        )
        self.around_feed_forward = Residual(sizes, name=f"{name}_feed_forward")
        self.feed_forward = FeedForward(sizes, name=f"{name}_dense")
        self.built = True

    def call(self, x: Tensor, bias: Tensor, training: bool = False) -> Tensor:
        """Runs the block.

        Args:
            x: float [B, S, D].
            bias: float32 [B, 1, 1, S], the padding's.
            training: whether to drop.

        Returns:
            float [B, S, D].
        """
        around = self.around_attention
        change = self.attention(around.seen(x), bias, training=training)
        x = around(x, change, training=training)
        around = self.around_feed_forward
        change = self.feed_forward(around.seen(x), training=training)
        return around(x, change, training=training)


class DecoderBlock(keras.layers.Layer):  # type: ignore[misc]
    """Attention to the target, attention to the source, feed-forward."""

    def __init__(self, sizes: Sizes, *, name: str) -> None:
        """Makes the sublayers.

        Args:
            sizes: of the model.
            name: the block's; that of every sublayer begins with it.
        """
        super().__init__(name=name)
        attention = {
            "dropout_rate": sizes.attention_dropout,
            "seed": sizes.seed,
        }
        shape = (sizes.hidden_size, sizes.num_heads)
        self.around_attention = Residual(sizes, name=f"{name}_attention")
        self.attention = SelfAttention(
            *shape, name=f"{name}_self_attention", **attention
        )
        self.around_memory = Residual(sizes, name=f"{name}_memory")
        self.memory_attention = MemoryAttention(
            *shape, name=f"{name}_memory_attention", **attention
        )
        self.around_feed_forward = Residual(sizes, name=f"{name}_feed_forward")
        self.feed_forward = FeedForward(sizes, name=f"{name}_dense")
        self.built = True

    def call(
        self,
        x: Tensor,
        bias: Tensor,
        memory: dict[str, Tensor],
        memory_bias: Tensor,
        training: bool = False,
    ) -> Tensor:
        """Runs the block over whole targets.

        Args:
            x: float [B, T, D].
            bias: float32 [1, 1, T, T], the causal one.
            memory: keys and values of the source, see ``memorise``.
            memory_bias: float32 [B, 1, 1, S], the source's padding.
            training: whether to drop.

        Returns:
            float [B, T, D].
        """
        around = self.around_attention
        change = self.attention(around.seen(x), bias, training=training)
        x = around(x, change, training=training)
        return self._rest(x, memory, memory_bias, training)

    def step(
        self,
        x: Tensor,
        bias: Tensor,
        at: Tensor,
        cache: dict[str, Tensor],
        memory: dict[str, Tensor],
        memory_bias: Tensor,
        earlier: Sequence[Earlier] = (),
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Runs the block over one position; see ``SelfAttention.step``.

        Args:
            x: float [B, beams, D].
            bias: float32, broadcast to [B, H, beams, slots].
            at: int scalar.
            cache: keys and values of the target.
            memory: as in ``call``; all beams share it.
            memory_bias: as in ``call``.
            earlier: see ``SelfAttention.step``.

        Returns:
            float [B, beams, D], and the new cache.
        """
        around = self.around_attention
        change, cache = self.attention.step(
            around.seen(x), bias, at, cache, earlier
        )
        x = around(x, change)
        return self._rest(x, memory, memory_bias, False), cache

    def _rest(
        self,
        x: Tensor,
        memory: dict[str, Tensor],
        memory_bias: Tensor,
        training: bool,
    ) -> Tensor:
        around = self.around_memory
        change = self.memory_attention(
            around.seen(x), memory, memory_bias, training=training
        )
        x = around(x, change, training=training)
        around = self.around_feed_forward
        change = self.feed_forward(around.seen(x), training=training)
        return around(x, change, training=training)
