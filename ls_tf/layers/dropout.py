"""Dropout whose noise costs a few integer operations an element.

Keras's own draws from the backend's generator, which XLA compiles for a CPU to
some 60 ns an element: the masks of a fully connected network then take three
times as long as all its matrix products. Here an element's bits are a hash of
its position and of the key (seed, step) that a ``SeedGenerator`` hands out, so
that the noise is a pure function of both, on every backend.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import kernels

Tensor = Any

_GOLDEN = 0x9E3779B9  # 2**32 / the golden ratio: spreads successive keys


def _uint32(value: int) -> Tensor:
    return ops.convert_to_tensor(value, dtype="uint32")


def _mix(x: Tensor) -> Tensor:
    """Scrambles 32-bit words one to one.

    Source: the multiply-xorshift hash with constants found by C. Wellons,
    "Prospecting for hash functions" (2018), bias 0.17.
    """
    x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(16)))
    x = ops.multiply(x, _uint32(0x7FEB352D))
    x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(15)))
    x = ops.multiply(x, _uint32(0x846CA68B))
    return ops.bitwise_xor(x, ops.right_shift(x, _uint32(16)))


def random_words(key: Tensor, count: int | Tensor) -> Tensor:
    """Hashes positions to words.

    Args:
        key: integers [2]: seed and counter.
        count: number n of words.

    Returns:
        uint32 [n]; a pure function of the key.

    Source: ours.
    """
    key = ops.cast(key, "uint32")
    first = _mix(ops.add(_mix(key[0]), ops.multiply(key[1], _uint32(_GOLDEN))))
    second = _mix(ops.bitwise_xor(first, _uint32(_GOLDEN)))
    position = ops.cast(ops.arange(count, dtype="int32"), "uint32")
    # Two keys may start at near positions of one sequence; the second word
    # of the key tells their bits apart.
    words = _mix(ops.add(position, first))
    return _mix(ops.bitwise_xor(words, second))


def _kept(key: Tensor, count: int | Tensor, least: Tensor) -> Tensor:
    return ops.greater_equal(random_words(key, count), least)


# Powers of two, what lies halfway between them, and the longest of all.
_LENGTHS = np.array(
    [n for k in range(12, 31) for n in (2**k, 3 * 2 ** (k - 1))] + [2**31 - 1],
    np.int32,
)


def _length(count: int | Tensor) -> Tensor:
    """The next of a few lengths, for each of which a program is compiled."""
    lengths = ops.convert_to_tensor(_LENGTHS)
    return ops.take(lengths, ops.searchsorted(lengths, [count])[0])


class Dropout(keras.layers.Layer):  # type: ignore[misc]
    """Zeroes a fraction of the elements in training and scales the others."""

    def __init__(self, rate: float, *, seed: int, name: str) -> None:
        """Takes the fraction and the seed.

        Args:
            rate: fraction of the elements that is dropped, in [0, 1).
            seed: of the noise.
            name: the layer's.

        Raises:
            ValueError: if ``rate`` is out of range.
        """
        super().__init__(name=name)
        if not 0 <= rate < 1:
            raise ValueError(f"wanted a dropout rate in [0, 1), got {rate}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drops elements if ``training``.

        Args:
            inputs: float [...].
            training: whether to drop.

        Returns:
            float [...], the inputs or 0 and the inputs / (1 - rate).
        """
        if not training or self.rate == 0:
            return inputs
        shape = ops.shape(inputs)
        count = math.prod(shape) if _static(shape) else ops.size(inputs)
        least = _uint32(int(self.rate * 2**32))
        key = self.seed_generator.next()
        if kernels.by_operation():
            # Two dozen operations as one loop, a little longer than needed.
            kept = kernels.merged(_kept)(key, _length(count), least)[:count]
        else:
            kept = _kept(key, count, least)
        scale = ops.cast(1.0 / (1.0 - self.rate), inputs.dtype)
        zero = ops.zeros((), inputs.dtype)
        factor = ops.where(ops.reshape(kept, shape), scale, zero)
        return ops.multiply(inputs, factor)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {"name": self.name, "rate": self.rate, "seed": self.seed}


def _static(shape: Any) -> bool:
    return all(isinstance(size, int) for size in shape)
