"""Numbers without a bound are refused before anything is built."""

import time

import numpy as np
import pytest

from ls_tf.running import stack
from ls_tf.spec import SpecError, override, registry
from ls_tf.spec.resolve import resolve

SPECS = {
    name: resolve(name).spec
    for name in ("fc_digits", "fc_digits_student", "transformer_numbers")
}
DIGITS = 5_000 * "9"
BAD = [
    ("fc_digits", "train.steps", DIGITS),
    ("fc_digits", "train.steps", str(2**31)),
    ("fc_digits", "train.epochs", "1e300"),
    ("fc_digits", "train.epochs", "nan"),
    ("fc_digits", "train.epochs", "-0.0"),
    ("fc_digits", "train.global_batch_size", "2000000000"),
    ("fc_digits", "seed", DIGITS),
    ("fc_digits", "seed", "٣"),
    ("fc_digits", "alpha", "٠"),
    ("fc_digits", "model.options.hidden", (2_000_000_000,)),
    ("fc_digits", "model.options.hidden", (1_000_000, 1_000_000)),
    ("fc_digits", "model.options.hidden", (1,) * 10_001),
    ("fc_digits", "evaluators.0.options.num_bins", 10**12),
    ("fc_digits", "model.options.dropout_rate", "1e300"),
    ("fc_digits", "model.options.init_std", "1e300"),
    ("fc_digits", "optimizer.options.momentum", "1e30"),
    ("fc_digits", "learning_rate", "1e300"),
    ("fc_digits", "train.loss_scale", "1e300"),
    ("fc_digits", "train.auxiliary_weight", "1e300"),
    ("fc_digits", "train.weight_decay", "1e300"),
    ("fc_digits", "train.clip_global_norm", "1e300"),
    ("fc_digits", "evaluators.0.role", DIGITS),
    ("transformer_numbers", "model.options.layer_dropout", "1.5"),
    ("transformer_numbers", "optimizer.options.beta_1", "1e300"),
    ("transformer_numbers", "optimizer.options.epsilon", "1e300"),
    ("fc_digits", f"evaluators.{DIGITS}.role", "train"),
    ("fc_digits_student", "teacher.matching", DIGITS),
    ("fc_digits_student", "teacher.teacher_temperature", "1e300"),
    ("fc_digits_student", "teacher.student_temperature", "1e-300"),
    ("transformer_numbers", "data.vocabulary_size", 2**40),
    ("transformer_numbers", "data.max_length", 2**40),
    ("transformer_numbers", "train.global_batch_tokens", 2**40),
    ("transformer_numbers", "model.options.num_encoder_layers", 2_000_000_000),
    ("transformer_numbers", "evaluators.0.options.beam_size", 1_000_000),
    # In single precision these are 0, and the last one is 1.
    ("fc_digits", "learning_rate", "1e-320"),
    ("fc_digits", "alpha", "1e-46"),
    ("fc_digits", "train.loss_scale", "1e-44"),
    ("fc_digits", "train.weight_decay", "1e-300"),
    ("fc_digits", "train.clip_global_norm", "1e-300"),
    ("transformer_numbers", "optimizer.options.epsilon", "1e-50"),
    ("fc_digits", "train.ema_momentum", "0.9999999999999999"),
]


@pytest.mark.parametrize(("name", "path", "value"), BAD)
def test_a_field(name, path, value):
    with pytest.raises(SpecError) as caught:
        override(SPECS[name], {path: value})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert path.split(".")[0] in message


@pytest.mark.parametrize(
    ("path", "value"),
    [("learning_rate", 1.2e-38), ("train.ema_momentum", 0.99999994)],
)
def test_what_single_precision_just_holds(path, value):
    assert 0 < np.float32(value) < 1
    override(SPECS["fc_digits"], {path: value})


def test_a_long_name_is_shown_by_its_beginning():
    with pytest.raises(SpecError, match="no evaluator '999") as caught:
        registry.check("ls_tf.evaluators", DIGITS)
    assert len(str(caught.value)) < 700


def test_the_kind_of_0():
    spec = override(SPECS["fc_digits"], {"alpha": "-0.0"})
    assert str(spec.train.alpha) == "0.0"


@pytest.mark.parametrize(
    "text", ["seed:0..999999999999", f"seed:0..{DIGITS}", "seed:0..١"]
)
def test_a_range_of_a_stack(text):
    began = time.monotonic()
    with pytest.raises(SpecError, match="--stack: wanted"):
        stack.parse([text])
    assert time.monotonic() - began < 1


def test_a_product_of_a_stack():
    alphas = ",".join(str(i / 1000) for i in range(1000))
    stacked = stack.parse(["seed:0..999", f"alpha:{alphas}"])
    with pytest.raises(SpecError, match="10000 runs or fewer, got 1000000"):
        stack.identities("fc_digits", stacked, changed={})
    with pytest.raises(SpecError, match="whole seeds"):
        stack.identities("fc_digits", {"seed": [DIGITS]}, changed={})
