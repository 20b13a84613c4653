"""The Transformer that two modules of tests share."""

import keras
import pytest
from tiny_transformer import moved


@pytest.fixture(scope="module")
def model():
    return moved()


@pytest.fixture(scope="module")
def replication():
    """Normalised after each sublayer, and the logits have a bias."""
    return moved(norm_first=False, output_bias=True)


@pytest.fixture
def mixed():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)
