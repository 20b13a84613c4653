"""The fields of a long tail: refused where no data can be as they say."""

import pytest

from ls_tf.experiments import fc_digits
from ls_tf.spec import SpecError, digest, override
from ls_tf.spec.resolve import resolve

POWER, LARGEST = "data.tail_power", "data.tail_largest"
SMALLEST = "data.tail_smallest"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({POWER: 0.0}, f"{POWER}: wanted more than 0, got 0.0"),
        ({POWER: -6.0}, f"{POWER}: wanted more than 0"),
        ({POWER: "steep"}, f"{POWER}: wanted"),
        ({POWER: 6.0, SMALLEST: 0}, f"{SMALLEST}: wanted 1 or more"),
        ({POWER: 6.0, LARGEST: 3, SMALLEST: 5}, f"{LARGEST}: wanted"),
        ({LARGEST: 100}, f"{POWER}: wanted a number beside"),
        ({SMALLEST: 2}, f"{POWER}: wanted a number beside"),
    ],
)
def test_a_tail_that_cannot_be(changes, says):
    with pytest.raises(SpecError) as caught:
        override(fc_digits.SPEC, changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_with_a_tail_is_another_run():
    runs = [
        resolve("fc_digits", changed=changed)
        for changed in (
            {},
            {POWER: 6.0},
            {POWER: 3.0},
            {POWER: 6.0, LARGEST: 50},
            {POWER: 6.0, SMALLEST: 2},
        )
    ]
    assert len({run.digest for run in runs}) == 5
    without = override(fc_digits.SPEC, {POWER: None, SMALLEST: 1})
    assert digest(without) == runs[0].digest
