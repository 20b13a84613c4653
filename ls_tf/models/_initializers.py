"""Initial weights that are equal on every backend.

Keras draws its initial weights from the backend's generator, so that one seed
gives other weights on TensorFlow than on JAX. Here NumPy's Philox draws them.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import seeds


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
        values = (self.stddev * draw).astype(np.float32)
        return ops.cast(ops.convert_to_tensor(values), dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, for ``from_config``."""
        return {"stddev": self.stddev, "seed": self.seed}
