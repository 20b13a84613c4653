"""Tests of ls_tf.schedules."""

import inspect
import math

import keras
import numpy as np
import pytest
from both import compiled
from keras import ops

from ls_tf import schedules
from ls_tf.spec.updates import SCHEDULES


def build(name, base=0.1, total_steps=100, **options):
    return schedules.build(
        name, options, base_learning_rate=base, total_steps=total_steps
    )


def curve(schedule, steps):
    return [float(schedule(step)) for step in steps]


EVERY = {
    "exponential_with_warmup": {
        "warmup_steps": 10,
        "decay_rate": 0.975,
        "decay_steps": 7,
    },
    "linear_to_zero": {},
    "piecewise_constant": {"boundaries": (32, 48), "factors": (0.1, 0.01)},
    "rsqrt_with_warmup": {"warmup_steps": 10, "hidden_size": 16},
}


def test_constant_is_a_float():
    assert build("constant", base=1) == 1.0
    assert isinstance(build("constant", base=1), float)


def test_linear_to_zero():
    schedule = build("linear_to_zero", base=1, total_steps=60_000)
    np.testing.assert_allclose(
        curve(schedule, [0, 15_000, 30_000, 59_999, 60_000, 70_000]),
        [1, 1 - 1 / 4, 1 - 1 / 2, 1 / 60_000, 0, 0],
        rtol=1e-6,
        # One float32 unit at 1, from which the line is subtracted.
        atol=2**-24,
    )


def test_piecewise_constant_changes_at_the_boundary():
    # App. A.2: .1, divided by 10 at 32k and at 48k, 64k updates in all.
    schedule = build(
        "piecewise_constant",
        total_steps=64_000,
        boundaries=(32_000, 48_000),
        factors=(0.1, 0.01),
    )
    steps = [0, 31_999, 32_000, 32_001, 47_999, 48_000, 63_999]
    np.testing.assert_allclose(
        curve(schedule, steps),
        [0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001],
        rtol=1e-6,
    )


def test_piecewise_constant_makes_as_many_updates_at_each_rate_as_said():
    schedule = build("piecewise_constant", **EVERY["piecewise_constant"])
    rates = np.round(curve(schedule, range(64)), 6).tolist()
    assert [rates.count(rate) for rate in (0.1, 0.01, 0.001)] == [32, 16, 16]


def test_keras_would_change_one_update_later():
    # The reason for our shift; fails if Keras changes its convention.
    keras_schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [32], [0.1, 0.01]
    )
    assert float(keras_schedule(32)) == pytest.approx(0.1)


def test_exponential_with_warmup():
    schedule = build(
        "exponential_with_warmup",
        base=1.6,
        **dict(warmup_steps=100, decay_rate=0.975, decay_steps=10),
    )
    np.testing.assert_allclose(
        curve(schedule, [0, 1, 50, 100, 105, 110, 200]),
        [
            0,
            1.6 / 100,
            1.6 / 2,
            1.6,
            1.6 * 0.975**0.5,
            1.6 * 0.975,
            1.6 * 0.975**10,
        ],
        rtol=1e-6,
    )


def test_exponential_without_warmup_is_that_of_keras():
    schedule = build(
        "exponential_with_warmup",
        warmup_steps=0,
        decay_rate=0.5,
        decay_steps=20,
    )
    reference = keras.optimizers.schedules.ExponentialDecay(0.1, 20, 0.5)
    steps = [0, 1, 7, 20, 55]
    np.testing.assert_allclose(
        curve(schedule, steps), curve(reference, steps), rtol=1e-6
    )


def test_rsqrt_as_tabulated():
    # constant 2.0, 8000 warm-up steps, width 512.
    schedule = build(
        "rsqrt_with_warmup", base=2.0, warmup_steps=8000, hidden_size=512
    )
    assert float(schedule(0)) == 0
    for step, printed in [
        (8000, 9.882e-4),
        (100_000, 2.795e-4),
        (300_000, 1.614e-4),
    ]:
        assert float(schedule(step)) == pytest.approx(printed, abs=6e-8)
    # The single-GPU variant has no width in it.
    schedule = build("rsqrt_with_warmup", base=0.1, warmup_steps=16_000)
    for step, printed in [(16_000, 7.906e-4), (300_000, 1.826e-4)]:
        assert float(schedule(step)) == pytest.approx(printed, abs=6e-8)


def test_rsqrt_by_hand():
    schedule = build("rsqrt_with_warmup", base=3.0, warmup_steps=100)
    np.testing.assert_allclose(
        curve(schedule, [0, 25, 100, 400]),
        [0, 3 * (25 / 100) / 10, 3 / 10, 3 / 20],
        rtol=1e-6,
    )


@pytest.mark.parametrize("name", sorted(EVERY))
def test_tensor_steps_inside_xla_agree_with_numbers(name):
    schedule = build(name, **EVERY[name])
    rate_at = compiled(schedule)
    for step in (0, 1, 9, 10, 11, 31, 32, 33, 48, 99, 100):
        rate = rate_at(ops.convert_to_tensor(step, "int32"))
        assert keras.backend.standardize_dtype(rate.dtype) == "float32"
        assert float(rate) == pytest.approx(
            float(schedule(step)), rel=1e-5, abs=1e-8
        )


@pytest.mark.parametrize("name", sorted(EVERY))
def test_serialisation(name):
    schedule = build(name, **EVERY[name])
    copy = keras.optimizers.schedules.deserialize(
        keras.optimizers.schedules.serialize(schedule)
    )
    assert type(copy) is type(schedule)
    steps = range(0, 100, 9)
    assert curve(copy, steps) == curve(schedule, steps)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_late_steps_stay_finite_and_small(name):
    schedule = build(name, **EVERY[name])
    rate = float(schedule(10_000_000))
    assert math.isfinite(rate)
    assert 0 <= rate < 0.01


@pytest.mark.parametrize("name", sorted(EVERY))
def test_the_base_rate_is_a_factor(name):
    single = build(name, **EVERY[name])
    double = build(name, base=0.2, **EVERY[name])
    steps = range(0, 100, 7)
    np.testing.assert_allclose(
        curve(double, steps), 2 * np.array(curve(single, steps)), rtol=1e-6
    )


def test_an_optimizer_takes_them():
    for name, options in EVERY.items():
        optimizer = keras.optimizers.SGD(learning_rate=build(name, **options))
        weight = keras.Variable([1.0])
        expected = 1.0
        for step in range(3):
            optimizer.apply([keras.ops.ones(1)], [weight])
            expected -= float(optimizer._learning_rate(step))
        assert float(weight[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", {}, "constant, exponential_with_warmup, linear_to_zero"),
        ("constant", {"power": 1}, "there are: none"),
        ("rsqrt_with_warmup", {"warmup": 5}, "warmup_steps, hidden_size"),
        ("rsqrt_with_warmup", {}, "wants the option 'warmup_steps'"),
        ("rsqrt_with_warmup", {"warmup_steps": 0}, "positive warmup_steps"),
        (
            "rsqrt_with_warmup",
            {"warmup_steps": 5, "hidden_size": 0},
            "hidden_size",
        ),
        (
            "piecewise_constant",
            {"boundaries": (5,), "factors": (1.0, 0.1)},
            "one factor for each",
        ),
        (
            "piecewise_constant",
            {"boundaries": (), "factors": ()},
            "one factor for each",
        ),
        (
            "piecewise_constant",
            {"boundaries": (5, 5), "factors": (0.1, 0.01)},
            "growing boundaries",
        ),
        (
            "piecewise_constant",
            {"boundaries": (0,), "factors": (0.1,)},
            "growing boundaries",
        ),
        (
            "exponential_with_warmup",
            {"warmup_steps": -1, "decay_rate": 0.9, "decay_steps": 5},
            "warmup_steps",
        ),
        (
            "exponential_with_warmup",
            {"warmup_steps": 1, "decay_rate": 1.9, "decay_steps": 5},
            "decay_rate",
        ),
        (
            "exponential_with_warmup",
            {"warmup_steps": 1, "decay_rate": 0.9, "decay_steps": 0},
            "decay_steps",
        ),
    ],
)
def test_refusals(name, options, message):
    with pytest.raises(ValueError, match=message) as error:
        build(name, **options)
    assert "\n" not in str(error.value)


def test_refuses_a_negative_rate_and_an_empty_run():
    with pytest.raises(ValueError, match="learning rate of 0 or more"):
        build("constant", base=-0.1)
    with pytest.raises(ValueError, match="total_steps"):
        build("linear_to_zero", total_steps=0)


def test_what_is_known_without_keras_is_what_they_take():
    makers = schedules._makers()
    assert makers.keys() == SCHEDULES.keys()
    for name, known in SCHEDULES.items():
        options = {
            key: parameter.default is not parameter.empty
            for key, parameter in inspect.signature(
                makers[name]
            ).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        assert options == {key: given for key, (_, given) in known.items()}
