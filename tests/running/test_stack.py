"""Tests of ls_tf.running.stack: which runs can share a program."""

import pytest

from ls_tf.running import stack
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve


def expand(*texts, experiment="fc_digits", **kwargs):
    kwargs.setdefault("changed", {})
    return stack.identities(experiment, stack.parse(texts), **kwargs)


def test_values_and_ranges_multiply():
    runs = expand("alpha:0,.05,.1", "seed:1..3")
    assert [(r.spec.train.alpha, r.seed) for r in runs] == [
        (alpha, seed) for alpha in (0.0, 0.05, 0.1) for seed in (1, 2, 3)
    ]
    # Each is the run that its own flags would name.
    alone = resolve("fc_digits", changed={"alpha": "0.05"}, seed=2)
    assert runs[4].folder == alone.folder
    assert runs[4].digest == alone.digest


def test_no_stack_is_one_run():
    (run,) = expand(changed={"train.steps": "7"}, seed=4, smoke=True)
    assert run == resolve(
        "fc_digits", changed={"train.steps": 7}, seed=4, smoke=True
    )
    stack.check([run], "tensorflow")


def test_what_a_student_takes_from_its_teacher_can_differ():
    runs = expand(
        "teacher.changes.alpha:0,0.1",
        "teacher.student_temperature:1,2",
        experiment="fc_digits_student",
    )
    assert len(runs) == 4
    stack.check(runs, "jax")
    assert len(stack.groups(runs)) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["alpha"], "wanted FIELD:VALUE"),
        (["alpha:"], "wanted FIELD:VALUE"),
        (["model.options.hidden:1,2"], "cannot differ in 'model.options.hid"),
        (["train.steps:1,2"], "cannot differ in 'train.steps'"),
        (["train.global_batch_size:50,100"], "cannot differ in"),
        (["alhpa:1,2"], "did you mean 'alpha'"),
        (["alpha:0", "train.alpha:1"], "'alpha' stands twice"),
        (["seed:4..1"], "to rise"),
        (["seed:a..b"], "whole numbers"),
        (["seed:0.5,1"], "wanted whole seeds, got '0.5'"),
        (["seed:1,,2"], "wanted whole seeds, got ''"),
        (["alpha:0,0.0"], "stands twice"),
        (["alpha:0,x"], "alpha"),
        (["alpha:0,2"], "alpha"),
        (["teacher.beta:0,1"], "teacher"),
    ],
)
def test_a_bad_stack_is_refused(texts, message):
    with pytest.raises(SpecError, match=message) as caught:
        expand(*texts)
    assert "\n" not in str(caught.value)


def test_a_field_stacked_and_set_is_refused():
    with pytest.raises(SpecError, match="'alpha' is stacked and set"):
        expand("alpha:0,.1", changed={"alpha": "0.2"})
    with pytest.raises(SpecError, match="'seed' is stacked and set"):
        expand("seed:0..2", seed=1)


def test_runs_that_differ_in_more_are_apart():
    steps = [resolve("fc_digits", changed={"train.steps": n}) for n in (5, 6)]
    other = resolve("fc_digits", changed={"alpha": 0.3, "train.steps": 5})
    assert stack.groups([*steps, other]) == [[steps[0], other], [steps[1]]]
    with pytest.raises(
        SpecError, match="may differ in alpha, data.label_kept, seed"
    ):
        stack.check(steps, "jax")
    with pytest.raises(SpecError, match="wants --engine=jax, got tensorflow"):
        stack.check([steps[0], other], "tensorflow")


def test_the_numbers_of_the_runs_loss_can_differ():
    assert set(stack.FIELDS) == {
        "alpha",
        "data.label_kept",
        "seed",
        "teacher.beta",
        "teacher.seed",
        "teacher.student_temperature",
        "teacher.teacher_temperature",
    }


def test_the_numbers_of_a_named_loss_can_differ(two_losses_more):
    runs = expand(
        "loss.options.strength:1,2",
        "teacher.beta:.5,1",
        experiment="fc_digits_student",
        changed={"loss.name": "angle"},
    )
    assert [
        (r.spec.loss.options["strength"], r.spec.teacher.beta) for r in runs
    ] == [(1, 0.5), (1, 1), (2, 0.5), (2, 1)]
    stack.check(runs, "jax")
    # What is no number makes another program, and so does another loss.
    for changed in (
        {"loss.name": "angle", "loss.options.centred": False},
        {"loss.name": "soft_targets"},
    ):
        other = resolve("fc_digits_student", changed=changed)
        assert len(stack.groups([*runs, other])) == 2
    mixed = expand(
        "loss.options.centred:true,false",
        experiment="fc_digits_student",
        changed={"loss.name": "angle"},
    )
    with pytest.raises(SpecError, match="loss.options.NUMBER only"):
        stack.check(mixed, "jax")
    with pytest.raises(SpecError, match="names no loss"):
        expand("loss.options.strength:1,2", experiment="fc_digits_student")
