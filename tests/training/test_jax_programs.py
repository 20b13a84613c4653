"""Programs are shared where they compute the same, and only there."""

import jax
import numpy as np
import pytest

from ls_tf.training import jax_programs


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    monkeypatch.setattr(jax_programs, "_programs", jax_programs._Programs())


def compiled(function, *arguments, **options):
    return jax_programs.compiled(
        function, *(jax.device_put(a) for a in arguments), **options
    )


def scaled_by(values):
    """A function with an array inside, made anew each time."""
    inside = np.asarray(values, np.float32)
    return lambda numbers: numbers["a"] * inside


def test_the_same_sums_are_one_program():
    one = compiled(scaled_by([2, 3]), {"a": np.float32(1)})
    two = compiled(scaled_by([2, 3]), {"a": np.float32(7)})
    assert one is two
    np.testing.assert_array_equal(two({"a": jax.device_put(7.0)}), [14, 21])


@pytest.mark.parametrize(
    "other",
    [
        (scaled_by([2, 4]), {"a": np.float32(1)}),
        (scaled_by([2, 3]), {"a": np.ones(2, np.float32)}),
        (lambda n: n["b"] * np.float32([2, 3]), {"b": np.float32(1)}),
        (lambda n: {"c": scaled_by([2, 3])(n)}, {"a": np.float32(1)}),
    ],
    ids=["values inside", "shapes", "names", "names of results"],
)
def test_what_differs_is_another_program(other):
    function, arguments = other
    one = compiled(scaled_by([2, 3]), {"a": np.float32(1)})
    two = compiled(function, arguments)
    assert one is not two
    placed = jax.device_put(arguments)
    jax.tree.map(np.testing.assert_array_equal, two(placed), function(placed))


def test_arguments_that_are_not_used_are_told_apart():
    numbers = {"a": np.float32(2), "b": np.float32(3)}
    first = compiled(lambda n: n["a"] + 1, numbers)
    second = compiled(lambda n: n["b"] + 1, numbers)
    placed = jax.device_put(numbers)
    assert (float(first(placed)), float(second(placed))) == (3, 4)


def test_only_those_used_last_are_kept(monkeypatch):
    monkeypatch.setattr(jax_programs, "_KEPT", 2)
    one, two = {"a": np.float32(1)}, {"a": np.ones(2, np.float32)}
    kept, dropped = (
        compiled(scaled_by([1, 1]), one),
        compiled(scaled_by([2, 2]), one),
    )
    assert compiled(scaled_by([1, 1]), one) is kept
    compiled(scaled_by([1, 1]), two)
    assert compiled(scaled_by([1, 1]), one) is kept
    assert compiled(scaled_by([2, 2]), one) is not dropped
