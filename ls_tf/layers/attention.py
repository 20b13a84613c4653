"""Multi-head attention without biases, over a sequence or over a cache.

Keras's own layer keeps a kernel for each of query, key and value, and has no
cache. Here one product makes the three, and the same ``attend`` serves a
whole sequence in training and one position of several hypotheses in decoding.

Shapes: B batch, T queries, S keys, H heads, D hidden size, d = D / H.

Source: Vaswani et al. 2017, section 3.2.2; T2T's ``multihead_attention`` with
its default ``dot_product_attention``.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import kernels, seeds
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import PhiloxGlorotUniform

Tensor = Any

# Whether a cache is full, what hides some of its keys, and its keys and values.
Earlier = tuple[Tensor, Tensor, dict[str, Tensor]]

# Subtracted from a score that must not count; T2T adds its negative. A sum
# after a product of batches is fused by TensorFlow into one operation for
# oneDNN that, inside a loop, makes a whole function come back empty.
MASKED = 1e9


def split_heads(x: Tensor, num_heads: int, parts: int) -> list[Tensor]:
    """Cuts the last axis in parts and each part in heads.

    Args:
        x: float [B, T, parts * D].
        num_heads: H; a head's channels lie together.
        parts: 1 for queries, 2 for keys and values, 3 for all.

    Returns:
        ``parts`` tensors, float [B, H, T, d].

    Source: T2T's ``split_heads``.
    """
    batch, length, width = x.shape
    if batch is None or length is None:
        batch, length = ops.shape(x)[:2]
    size = width // (parts * num_heads)
    x = ops.reshape(x, (batch, length, parts, num_heads, size))
    x = ops.transpose(x, (2, 0, 3, 1, 4))
    # Not by index: the gradient of each part would be a whole of zeros, added.
    return list(ops.unstack(x, parts))


def merge_heads(x: Tensor) -> Tensor:
    """Undoes ``split_heads`` of one part.

    Args:
        x: float [B, H, T, d].

    Returns:
        float [B, T, D].

    Source: T2T's ``combine_heads``.
    """
    batch, heads, length, size = x.shape
    if batch is None or length is None:
        batch, _, length, _ = ops.shape(x)
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, length, heads * size))


def _transposed(keys: Tensor) -> Tensor:
    """As the product with the queries takes them.

    A cache holds them so: every step would transpose them all again.
    """
    return ops.transpose(keys, (0, 1, 3, 2))


def padding_bias(ids: Tensor) -> Tensor:
    """What to subtract from the scores so that padding is not attended to.

    Args:
        ids: int [B, S]; 0 is padding.

    Returns:
        float32 [B, 1, 1, S]: 0 or 1e9.

    Source: T2T's ``attention_bias_ignore_padding``.
    """
    return ops.where(ops.equal(ids, 0), MASKED, 0.0)[:, None, None, :]


def causal_bias(length: Any) -> Tensor:
    """What to subtract from the scores so that no position sees a later one.

    Args:
        length: T.

    Returns:
        float32 [1, 1, T, T]: 1e9 above the diagonal, else 0.

    Source: T2T's ``attention_bias_lower_triangle``.
    """
    at = ops.arange(length, dtype="int32")
    later = ops.greater(at[None, :], at[:, None])
    return ops.where(later, MASKED, 0.0)[None, None]


def _part(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention to some of the keys, to be put together with the rest.

    Args:
        queries: float [B, H, T, d], scaled.
        keys: float [B, H, d, S].
        values: float [B, H, S, d].
        bias: float32, broadcast to [B, H, T, S].

    Returns:
        float32: the largest score [B, H, T, 1], the sum of the weights
        relative to its own [B, H, T, 1], and the sum of the values times these
        weights [B, H, T, d].

    Source: Milakov and Gimelshein 2018, arXiv 1805.02867, section 3.
    """
    scores = ops.matmul(queries, keys)
    scores = ops.subtract(ops.cast(scores, "float32"), bias)
    top = ops.max(scores, axis=-1, keepdims=True)
    weights = ops.exp(scores - top)
    total = ops.sum(weights, axis=-1, keepdims=True)
    summed = ops.matmul(ops.cast(weights, values.dtype), values)
    return top, total, ops.cast(summed, "float32")


class _Attention(keras.layers.Layer):  # type: ignore[misc]
    """What attention to a sequence itself and to a memory share."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        *,
        dropout_rate: float,
        seed: int,
        name: str,
    ) -> None:
        """Sets the sizes.

        Args:
            hidden_size: D, a multiple of the number of heads.
            num_heads: H.
            dropout_rate: fraction of the attention weights that is dropped.
            seed: the model's; each kernel and the dropout derive their own.
            name: the layer's.
        """
        super().__init__(name=name)
        self._size = hidden_size
        self.num_heads = num_heads
        self._seed = seed
        self.dropout = Dropout(
            dropout_rate,
            seed=seeds.derive(seed, "dropout", name),
            name=f"{name}_dropout",
        )
        self.built = True

    def _kernel(self, *matrices: str) -> Any:
        """One variable of square matrices side by side."""
        return self.add_weight(
            name="_".join(matrices),
            shape=(self._size, len(matrices) * self._size),
            initializer=PhiloxGlorotUniform(
                seeds=[
                    seeds.derive(self._seed, "init", self.name, matrix)
                    for matrix in matrices
                ]
            ),
        )

    def _scaled(self, queries: Tensor) -> Tensor:
        scale = 1 / math.sqrt(self._size // self.num_heads)
        return ops.multiply(queries, ops.cast(scale, queries.dtype))

    def _times(self, x: Tensor, kernel: Any) -> Tensor:
        return kernels.product(x, ops.cast(kernel, x.dtype))

    def _heads(self, x: Tensor, kernel: Any, parts: int) -> list[Tensor]:
        return split_heads(self._times(x, kernel), self.num_heads, parts)

    def attend(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        bias: Tensor,
        training: bool = False,
    ) -> Tensor:
        """Takes for every query the weighted mean of the values.

        Args:
            queries: float [B, H, T, d], not scaled yet.
            keys: float [B, H, S, d].
            values: float [B, H, S, d].
            bias: float32, broadcast to [B, H, T, S], subtracted.
            training: whether to drop weights.

        Returns:
            float [B, T, D], before the last projection. Scores and their
            softmax are float32 whatever the policy.
        """
        scores = ops.matmul(self._scaled(queries), keys)
        scores = ops.subtract(ops.cast(scores, "float32"), bias)
        weights = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
        weights = self.dropout(weights, training=training)
        return merge_heads(ops.matmul(weights, values))


class SelfAttention(_Attention):
    """Attention of a sequence to itself."""

    def __init__(self, *sizes: int, **options: Any) -> None:
        """Takes the arguments of every attention: sizes, rate, seed, name."""
        super().__init__(*sizes, **options)
        self.query_key_value = self._kernel("query", "key", "value")
        self.output_kernel = self._kernel("output")

    def call(self, x: Tensor, bias: Tensor, training: bool = False) -> Tensor:
        """Attends to the whole sequence.

        Args:
            x: float [B, T, D].
            bias: float32, broadcast to [B, H, T, T].
            training: whether to drop weights.

        Returns:
            float [B, T, D].
        """
        queries, keys, values = self._heads(x, self.query_key_value, 3)
        attended = self.attend(
            queries, _transposed(keys), values, bias, training
        )
        return self._times(attended, self.output_kernel)

    def step(
        self,
        x: Tensor,
        bias: Tensor,
        at: Tensor,
        cache: dict[str, Tensor],
        earlier: Sequence[Earlier] = (),
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Attends to what a cache holds and to the queries' own keys.

        Args:
            x: float [B, T, D]: T queries, each with a key of its own.
            bias: float32, broadcast to [B, H, T, S]: which of the cache's
                keys a query sees.
            at: int scalar: where in the cache the T new keys are written.
            cache: ``keys``, float [B, H, d, S], and ``values``, float
                [B, H, S, d].
            earlier: caches that are full, or still empty; no step writes there.

        Returns:
            float [B, T, D], and the cache with the new keys and values.
        """
        queries, keys, values = self._heads(x, self.query_key_value, 3)
        keys = ops.slice_update(cache["keys"], (0, 0, 0, at), _transposed(keys))
        values = ops.slice_update(cache["values"], (0, 0, at, 0), values)
        if earlier:
            attended = self._attend_in_parts(
                queries, keys, values, bias, earlier
            )
        else:
            attended = self.attend(queries, keys, values, bias)
        x = self._times(attended, self.output_kernel)
        return x, {"keys": keys, "values": values}

    def _attend_in_parts(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        bias: Tensor,
        earlier: Sequence[Earlier],
    ) -> Tensor:
        """Attends to one cache and to those earlier ones that are full.

        What is empty is not read. It is ``attend`` of all keys side by side,
        but for rounding: the softmax is put together from the parts.

        Args:
            queries: float [B, H, T, d].
            keys: as in ``attend``; every query sees at least one of them.
            values: as in ``attend``.
            bias: as in ``attend``.
            earlier: see ``step``.

        Returns:
            float [B, T, D].
        """
        queries = self._scaled(queries)
        none = ops.zeros_like(ops.cast(queries, "float32"))

        def empty() -> tuple[Tensor, Tensor, Tensor]:
            return none[..., :1] + float("-inf"), none[..., :1], none

        parts = [
            ops.cond(
                is_full,
                lambda full=full, bias=bias: _part(
                    queries, full["keys"], full["values"], bias
                ),
                empty,
            )
            for is_full, bias, full in earlier
        ]
        parts.append(_part(queries, keys, values, bias))
        # Stacked and then summed: see MASKED for sums after products.
        tops, totals, sums = (
            ops.stack(part) for part in zip(*parts, strict=True)
        )
        shares = ops.exp(tops - ops.max(tops, axis=0))
        attended = ops.sum(shares * sums, axis=0)
        attended = attended / ops.sum(shares * totals, axis=0)
        return merge_heads(ops.cast(attended, values.dtype))


class MemoryAttention(_Attention):
    """Attention of a sequence to another one."""

    def __init__(self, *sizes: int, **options: Any) -> None:
        """Takes the arguments of every attention: sizes, rate, seed, name."""
        super().__init__(*sizes, **options)
        self.query = self._kernel("query")
        self.key_value = self._kernel("key", "value")
        self.output_kernel = self._kernel("output")

    def memorise(self, memory: Tensor) -> dict[str, Tensor]:
        """Makes the keys and values, once for all queries to come.

        Args:
            memory: float [B, S, D].

        Returns:
            dict: ``keys``, float [B, H, d, S], and ``values``, float
            [B, H, S, d].
        """
        keys, values = self._heads(memory, self.key_value, 2)
        return {"keys": _transposed(keys), "values": values}

    def call(
        self,
        x: Tensor,
        memory: dict[str, Tensor],
        bias: Tensor,
        training: bool = False,
    ) -> Tensor:
        """Attends to a memory.

        Args:
            x: float [B, T, D].
            memory: what ``memorise`` made.
            bias: float32, broadcast to [B, H, T, S].
            training: whether to drop weights.

        Returns:
            float [B, T, D].
        """
        (queries,) = self._heads(x, self.query, 1)
        attended = self.attend(
            queries, memory["keys"], memory["values"], bias, training
        )
        return self._times(attended, self.output_kernel)


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """The signal that tells positions apart.

    The wavelengths go from 2 pi to 20,000 pi, both ends included; first all
    sines, then all cosines.

    Args:
        positions: int [...], counted from 0.
        size: D, even, 4 or more.

    Returns:
        float32 [..., D].

    Source: T2T's ``get_timing_signal_1d``. Vaswani et al. 2017, section 3.5,
    interleave the two and stop short of the longest wave.
    """
    count = size // 2
    rates = np.exp(-math.log(10_000) * np.arange(count) / (count - 1))
    angles = ops.multiply(
        ops.expand_dims(ops.cast(positions, "float32"), -1),
        ops.convert_to_tensor(rates.astype(np.float32)),
    )
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
