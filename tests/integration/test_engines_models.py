"""Every model takes the same first steps in both engines, however split."""

import json
import os
from pathlib import Path

import numpy as np
import programs
import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("engine_steps.py")

SMALL = {
    "train.global_batch_size": 16,
    "train.log_every_steps": 20,
    # As in test_engines: a rate at which rounding does not grow.
    "learning_rate": 0.01,
}
CASES = {
    "fc_mnist": {**SMALL, "model.options.hidden": [64, 64]},
    "alexnet_cifar10": SMALL,
    "alexnet_cifar10_24": SMALL,
    # Batches of 16 make batch normalization steep: a lower rate still.
    "resnet56_cifar10": {
        **SMALL,
        "learning_rate": 0.001,
        "model.options.blocks": [1, 2, 1],
        "model.options.widths": [8, 16, 16],
    },
    "inception_v4": {
        **SMALL,
        "learning_rate": 0.001,
        "train.decay_exclude": [],
        "data.augmentation": "none",
        "image_shape": [107, 107, 3],
        "model": {
            "name": "inception_v4",
            "width_multiplier": 0.0625,
            "repeats": [1, 1, 1],  # each kind of block
            "auxiliary_head": True,
        },
    },
    # Batches of several shapes, without the noise that differs.
    "transformer_numbers": {
        "data.train": "train[:150]",
        "data.report": "test[:20]",
        "data.vocabulary_size": 400,
        "model.options.hidden_size": 16,
        "model.options.filter_size": 32,
        "model.options.num_heads": 2,
        "model.options.num_encoder_layers": 1,
        "model.options.num_decoder_layers": 1,
        "model.options.layer_dropout": 0.0,
        "model.options.attention_dropout": 0.0,
        "model.options.relu_dropout": 0.0,
        "train.global_batch_tokens": 512,
        "train.log_every_steps": 20,
        # Adam divides by the root of what may be nothing but rounding.
        "optimizer.options.epsilon": 0.001,
    },
}
# Those that stand in for an experiment of their own.
BASES = {"inception_v4": "alexnet_cifar10"}
STEPS = 20
FEW = 1


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Runs the first steps in a process; remembers what it ran."""
    folder = tmp_path_factory.mktemp("steps")
    known = {}

    def run(engine, experiment, devices=1, parts=1):
        key = (engine, experiment, devices, parts)
        if key not in known:
            out = folder / f"{len(known)}.npz"
            changes = json.dumps(CASES[experiment])
            base = BASES.get(experiment, experiment)
            count = FEW if experiment in BASES else STEPS
            words = [engine, str(devices), str(parts), base, changes]
            programs.run(
                PROGRAM,
                *words,
                str(count),
                str(out),
                engine=engine,
                env={**os.environ, "KERAS_BACKEND": engine},
            )
            with np.load(out) as arrays:
                known[key] = dict(arrays)
        return known[key]

    return run


# The rounding of one step flips ReLUs of the next, and gradients feel it most.
# What is wrong by a factor, or by a batch's statistics, is off by far more.
TOLERANCE = {
    "log": 1e-4,
    "state/model": 1e-4,
    "state/optimizer": 5e-3,
    "output": 1e-3,
    "batch": 1e-5,
}


def assert_close(a, b, *, exact=False):
    assert a.keys() == b.keys()
    for name in a:
        if name.startswith("batch/") and exact:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        (atol,) = (v for k, v in TOLERANCE.items() if name.startswith(k))
        scale = 1 + np.abs(a[name]).max(initial=0)
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=atol * scale, err_msg=name
        )


@pytest.mark.parametrize("experiment", [c for c in CASES if c not in BASES])
def test_the_engines_agree(steps, experiment):
    one, two = (steps(e, experiment) for e in ("tensorflow", "jax"))
    # Standardising divides by a root, which backends round differently; what
    # is gathered and shifted is equal bit for bit.
    exact = experiment in ("fc_mnist", "transformer_numbers")
    assert_close(one, two, exact=exact)
    assert len(one["log/loss"]) == STEPS


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
@pytest.mark.parametrize(
    "experiment",
    ["alexnet_cifar10_24", "resnet56_cifar10", "transformer_numbers"],
)
def test_two_devices_are_one(steps, engine, experiment):
    # Batch normalization takes its statistics over both.
    one, two = (steps(engine, experiment, n) for n in (1, 2))
    assert_close(one, two)


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_micro_batches_are_one(steps, engine):
    one = steps(engine, "alexnet_cifar10_24")
    parts = steps(engine, "alexnet_cifar10_24", 1, 4)
    assert_close(one, parts)


@pytest.mark.xdist_group("inception_v4")
@pytest.mark.parametrize("devices", [1, 2])
def test_the_engines_begin_a_deep_network_alike(steps, devices):
    """A difference of 1e-7 grows to 1e-3 in its fresh blocks, so no more."""
    one = steps("tensorflow", "inception_v4")
    two = steps("jax", "inception_v4", devices)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert np.isfinite(value).all(), name
        assert np.isfinite(two[name]).all(), name
        if name.startswith("batch/"):
            np.testing.assert_allclose(value, two[name], rtol=1e-6)
    first, second = (x["log/loss"][0] for x in (one, two))
    np.testing.assert_allclose(first, second, rtol=1e-3)
    # Two heads, the second counting 0.4 times; all of it counts 3 times.
    np.testing.assert_allclose(first, 3 * 1.4 * np.log(10), rtol=0.3)
