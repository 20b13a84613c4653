"""Initial weights that are equal on every backend.

Keras draws its initial weights from the backend's generator, so that one seed
gives other weights on TensorFlow than on JAX. Here NumPy's Philox draws them.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import seeds, stopping

# Standard deviation of a standard normal variable cut at -2 and 2:
# sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT_STD = 0.8796256610342398

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


def _as_tensor(values: np.ndarray, dtype: Any) -> Any:
    stopping.look()  # a large network takes a while to build
    values = values.astype(np.float32)
    return ops.cast(ops.convert_to_tensor(values), dtype or "float32")


def _cut_normal(seed: int, shape: Sequence[int]) -> np.ndarray:
    """Standard normal values; those beyond 2 are drawn again."""
    draw = seeds.philox(seed, "truncated_normal")
    values = draw.standard_normal(math.prod(shape))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = draw.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(tuple(shape))


class PhiloxNormal(keras.initializers.Initializer):  # type: ignore[misc]
    """Gaussian weights from a seed, drawn on the host."""

    def __init__(self, *, stddev: float, seed: int) -> None:
        """Takes the standard deviation and the seed of one variable."""
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draws the weights.

        Args:
            shape: of the variable.
            dtype: of the variable; default float32.

        Returns:
            Tensor of that shape: mean 0, the given standard deviation.
        """
        draw = seeds.philox(self.seed, "normal").standard_normal(shape)
        return _as_tensor(self.stddev * draw, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {"stddev": self.stddev, "seed": self.seed}


class PhiloxTruncatedNormal(keras.initializers.Initializer):  # type: ignore[misc]
    """Gaussian weights without the tails, from a seed, drawn on the host.

    Values beyond two standard deviations are drawn again. ``stddev`` is that
    of the Gaussian before the cut: what is left has 0.8796 of it.

    Source: TensorFlow 1's truncated_normal_initializer.
    """

    def __init__(self, *, stddev: float, seed: int) -> None:
        """Takes the standard deviation before the cut and the seed."""
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draws the weights.

        Args:
            shape: of the variable.
            dtype: of the variable; default float32.

        Returns:
            Tensor of that shape: mean 0, all within two ``stddev``.
        """
        return _as_tensor(self.stddev * _cut_normal(self.seed, shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {"stddev": self.stddev, "seed": self.seed}


class PhiloxVarianceScaling(keras.initializers.Initializer):  # type: ignore[misc]
    """Weights of variance ``scale / n``, from a seed, drawn on the host.

    n is the number of inputs of a unit (``fan_in``), of outputs (``fan_out``)
    or their mean (``fan_avg``); positions of a convolution's kernel count.
    The variance is that of the weights as drawn: the truncated normal is
    widened by what its cut at two deviations takes away.

    Source: He et al. 2015, arXiv 1502.01852, section 2.2; TensorFlow 1's
    variance_scaling_initializer.
    """

    def __init__(
        self, *, scale: float, mode: str, distribution: str, seed: int
    ) -> None:
        """Sets the distribution.

        Args:
            scale: variance times n, positive.
            mode: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
            distribution: ``"truncated_normal"``, ``"normal"``, ``"uniform"``.
            seed: of one variable.

        Raises:
            ValueError: if a value is out of range or unknown.
        """
        if not scale > 0:
            raise ValueError(f"wanted a positive scale, got {scale}")
        if mode not in _MODES:
            raise ValueError(f"wanted a mode of {_MODES}, got {mode!r}")
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"wanted a distribution of {_DISTRIBUTIONS}, "
                f"got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draws the weights.

        Args:
            shape: [..., inputs, outputs] of a kernel.
            dtype: of the variable; default float32.

        Returns:
            Tensor of that shape: mean 0, variance ``scale / n``.
        """
        positions = math.prod(shape[:-2])
        fan_in, fan_out = positions * shape[-2], positions * shape[-1]
        n = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
        }[self.mode]
        return _as_tensor(math.sqrt(self.scale / n) * self._unit(shape), dtype)

    def _unit(self, shape: Sequence[int]) -> np.ndarray:
        """Values of mean 0 and variance 1."""
        if self.distribution == "truncated_normal":
            return _cut_normal(self.seed, shape) / _CUT_STD
        draw = seeds.philox(self.seed, self.distribution)
        if self.distribution == "normal":
            return draw.standard_normal(tuple(shape))
        limit = math.sqrt(3)
        return draw.uniform(-limit, limit, tuple(shape))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class PhiloxGlorotUniform(keras.initializers.Initializer):  # type: ignore[misc]
    """Uniform weights of variance ``2 / (inputs + outputs)``.

    Several matrices that multiply one input may stand side by side in one
    variable, so that one product does the work of all. Each of them is drawn
    as it would be alone: with its own seed and its own number of outputs.

    Source: Glorot and Bengio 2010, equation 16; T2T's
    ``uniform_unit_scaling`` with gain 1.
    """

    def __init__(self, *, seeds: Sequence[int]) -> None:
        """Takes the seed of each matrix, left to right.

        Args:
            seeds: one for each of the matrices.

        Raises:
            ValueError: if there is none.
        """
        if not seeds:
            raise ValueError("wanted one seed or more, got none")
        self.seeds = tuple(seeds)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draws the weights.

        Args:
            shape: [inputs, matrices * outputs].
            dtype: of the variable; default float32.

        Returns:
            Tensor of that shape, within sqrt(6 / (inputs + outputs)).

        Raises:
            ValueError: if the columns do not divide evenly.
        """
        inputs, columns = shape
        outputs, rest = divmod(columns, len(self.seeds))
        if rest:
            raise ValueError(
                f"wanted columns for {len(self.seeds)} matrices, got {columns}"
            )
        parts = [
            PhiloxVarianceScaling(
                scale=1.0, mode="fan_avg", distribution="uniform", seed=seed
            )((inputs, outputs), dtype)
            for seed in self.seeds
        ]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {"seeds": list(self.seeds)}
