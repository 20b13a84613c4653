"""What XLA makes of a Transformer's training step."""

import keras
import pytest
from keras import ops
from tiny_transformer import SOURCE, TARGET, build


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="TensorFlow stores nothing"
)
def test_a_layers_gradient_does_not_compute_those_behind_it_again():
    """Each layer adds as much to the program as the one before."""
    import jax

    from ls_tf.training import jax_programs

    def operations(depth):
        model = build(
            num_encoder_layers=depth, num_decoder_layers=1, layer_dropout=0.1
        )
        trained = model.trainable_variables
        others = model.non_trainable_variables
        batch = {"source": SOURCE, "target": TARGET}

        def loss(values, rest):
            mapping = [
                *zip(trained, values, strict=True),
                *zip(others, rest, strict=True),
            ]
            with keras.StatelessScope(state_mapping=mapping):
                return ops.sum(model(batch, training=True)["logits"])

        program = jax_programs.begin(
            jax.grad(loss),
            [v.value for v in trained],
            [v.value for v in others],
        ).program()
        return program.as_text().count(" = ")

    one, two, three = (operations(depth) for depth in (1, 2, 3))
    assert three - two < 1.05 * (two - one)
