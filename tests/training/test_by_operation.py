"""TensorFlow without XLA: quicker forms of the same numbers, to the bit."""

import keras
import numpy as np
import pytest
from both import BACKEND, tensorflow_only
from small_translation import CHANGES

from ls_tf import kernels
from ls_tf.running import assembly
from ls_tf.spec.resolve import resolve

if BACKEND == "tensorflow":
    import tensorflow as tf

    from ls_tf.training.tensorflow_engine import TensorFlowEngine

pytestmark = tensorflow_only


def built(*, xla):
    """An engine with a small Transformer."""
    keras.backend.clear_session()  # names of variables are counted
    spec = resolve(
        "transformer_numbers",
        changed={
            **CHANGES,
            "train.xla": xla,
            "model.options.layer_dropout": 0.1,
        },
    ).spec
    engine = TensorFlowEngine(
        spec, tf.distribute.get_strategy(), assembly.transform(spec)
    )
    engine.build([assembly.recipe(spec, data_dir=None)])
    return engine


def trained(*, xla):
    """Weights and logs of some steps."""
    engine = built(xla=xla)
    (logs,) = engine.run(0, 3)
    return {**engine.state(), **logs}


@pytest.fixture
def looks(monkeypatch):
    """What layers and losses were told while they were traced."""
    found = []
    look = kernels.by_operation

    def noted():
        found.append(look())
        return found[-1]

    monkeypatch.setattr(kernels, "by_operation", noted)
    return found


def test_weights_and_logs_are_those_of_the_other_form(looks, monkeypatch):
    quick = trained(xla=False)
    assert looks
    assert all(looks)
    monkeypatch.setattr(kernels, "by_operation", lambda: False)
    other = trained(xla=False)
    assert quick.keys() == other.keys()
    for name, values in other.items():
        np.testing.assert_array_equal(quick[name], values, err_msg=name)


def test_a_program_of_xla_is_left_as_it_is(looks):
    trained(xla=True)
    assert looks
    assert not any(looks)


def test_the_logarithms_of_all_probabilities_are_taken_once():
    engine = built(xla=False)
    draws = {k: tf.constant(v) for k, v in engine.task.plan(0, 1).items()}
    graph = engine._compile(draws).graph.as_graph_def(add_shapes=True)
    found = [
        node
        for function in graph.library.function
        if "while_body" in function.signature.name
        for node in function.node_def
        if node.op == "LogSoftmax"
    ]
    # Equal operations on equal inputs are one when the program is run.
    assert len({tuple(node.input) for node in found}) == 1
    assert found
