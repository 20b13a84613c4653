"""The fields of label noise: refused where no chance can be as they say."""

import pytest

from ls_tf.experiments import fc_digits
from ls_tf.spec import SpecError, digest, override
from ls_tf.spec.resolve import resolve

ROWS = "data.label_transition"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data.label_kept": 1.2}, "data.label_kept: wanted 0 to 1, got 1.2"),
        ({"data.label_kept": -0.1}, "data.label_kept: wanted 0 to 1"),
        ({ROWS: "((.5,.5),(1,))"}, f"{ROWS}.1: wanted 2 probabilities"),
        ({ROWS: "((.5,.4),(0,1))"}, f"{ROWS}.0: wanted probabilities that sum"),
        ({ROWS: "((1.5,-.5),(0,1))"}, f"{ROWS}.0: wanted probabilities"),
        ({ROWS: "half"}, f"{ROWS}: wanted "),
        (
            {ROWS: "((1,0),(0,1))", "data.label_kept": 0.5},
            f"{ROWS}: wanted none beside data.label_kept=0.5",
        ),
        (
            {"data.label_kept": 0.5, "data.noisy_labels": "tset"},
            "existing: all, train",
        ),
        ({"data.noisy_labels": "all"}, "no label is changed, got all"),
    ],
)
def test_noise_that_cannot_be(changes, says):
    with pytest.raises(SpecError) as caught:
        override(fc_digits.SPEC, changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_with_noise_is_another_run_and_its_command_means_it():
    flip = "((.7,.3),(.3,.7))"
    runs = [
        resolve("fc_digits", changed=changed)
        for changed in (
            {},
            {"data.label_kept": 0.5},
            {"data.label_kept": 0.5, "data.noisy_labels": "all"},
            {ROWS: flip},
        )
    ]
    assert len({run.digest for run in runs}) == 4
    assert len({run.folder for run in runs}) == 4
    kept = override(fc_digits.SPEC, {"data.label_kept": 1.0})
    assert digest(kept) == runs[0].digest
    (_, value) = runs[3].flags()[1].removeprefix("--set=").split("=", 1)
    again = resolve("fc_digits", changed={ROWS: value})
    assert again.folder == runs[3].folder
