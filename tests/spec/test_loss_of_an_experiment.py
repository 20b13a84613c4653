"""A run's loss by name: options, folders, commands, and what is refused."""

import dataclasses
import json
import pathlib
import random
import shlex

import pytest

from ls_tf import cli
from ls_tf.records import runs
from ls_tf.spec import (
    LOSS_STANDS_FOR,
    Part,
    SpecError,
    as_dict,
    changes,
    digest,
    from_dict,
    override,
    registry,
)
from ls_tf.spec.resolve import loss_numbers, resolve

ROOT = pathlib.Path(__file__).parents[2]
STUDENT = "fc_digits_student"
LOSSES = registry.names("ls_tf.losses")


def refused(experiment="fc_digits", **arguments):
    with pytest.raises(SpecError) as caught:
        resolve(experiment, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loss_is_named_where_there_was_none():
    plain = resolve("fc_digits")
    assert plain.spec.loss is None
    named = resolve("fc_digits", changed={"loss.name": "label_smoothing"})
    assert named.spec.loss == Part("label_smoothing")
    assert named.changes == {"loss.name": "label_smoothing"}
    assert named.folder == "fc_digits/loss.name=label_smoothing/seed=0"
    assert named.digest != plain.digest
    assert dataclasses.replace(named.spec, loss=None) == plain.spec
    again = dataclasses.replace(named.spec, smoke={})
    assert from_dict(as_dict(named.spec)) == again


def test_options_may_stand_before_the_name():
    option = {"loss.options.spread": "others"}
    name = {"loss.name": "label_smoothing"}
    first = resolve("fc_digits", changed={**name, **option})
    assert first.spec.loss == Part("label_smoothing", {"spread": "others"})
    assert resolve("fc_digits", changed={**option, **name}) == first
    assert first.folder == (
        "fc_digits/loss.name=label_smoothing,loss.options.spread=others/seed=0"
    )


def test_a_named_loss_stands_for_the_fields_that_chose_one():
    plain = resolve(STUDENT).spec.teacher
    assert (plain.matching, plain.logit_reduction) == ("logits", "mean")
    changed = {"loss.name": "soft_targets"}
    named = resolve(STUDENT, changed=changed)
    teacher = named.spec.teacher
    assert (teacher.matching, teacher.logit_reduction) == ("soft", "sum")
    assert named.changes == changed
    # In whatever order: what the loss would not read is refused.
    for path, value in (
        ("teacher.matching", "logits"),
        ("teacher.logit_reduction", "mean"),
        ("teacher.scale_by_temperature_squared", "true"),
        ("train.smoothing", "others"),
    ):
        assert path in LOSS_STANDS_FOR
        for given in ({**changed, path: value}, {path: value, **changed}):
            assert "loss 'soft_targets' stands for it" in refused(
                STUDENT, changed=given
            )


def test_another_loss_than_the_experiment_names():
    spec = resolve(
        STUDENT,
        changed={
            "loss.name": "logit_matching",
            "loss.options.reduction": "mean",
        },
    ).spec
    other = override(spec, {"loss.options.reduction": "sum"})
    assert changes(other, spec) == {"loss.options.reduction": "sum"}
    other = override(spec, {"loss.name": "soft_targets"})
    assert changes(other, spec) == {"loss.name": "soft_targets"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"loss.name": "label_smoothin"},
            f"no loss 'label_smoothin'; existing: {', '.join(LOSSES)}; did "
            "you mean 'label_smoothing'?",
        ),
        ({"loss": "label_smoothing"}, "wanted one of loss.name, loss.options"),
        ({"loss.nam": "x"}, "no field 'loss.nam'; existing: name, options"),
        (
            {"loss.options.spread": "others"},
            "no field 'loss.options': this experiment names no loss; wanted "
            "loss.name before",
        ),
        (
            {"loss.name": "label_smoothing", "loss.options.spred": "x"},
            "no field 'loss.options.spred'; existing: spread",
        ),
        # The run's own numbers are no options.
        (
            {"loss.name": "label_smoothing", "loss.options.alpha": "0.1"},
            "no field 'loss.options.alpha'; existing: spread",
        ),
        (
            {"loss.name": "logit_matching"},
            "loss.options.reduction: 'logit_matching' wants text, got nothing",
        ),
        (
            {
                "loss.name": "soft_targets",
                "loss.options.scale_by_temperature_squared": "yes",
            },
            "scale_by_temperature_squared: wanted true or false, got 'yes'",
        ),
    ],
)
def test_a_loss_that_cannot_be(changed, message):
    for experiment in ("fc_digits", STUDENT):
        assert message in refused(experiment, changed=changed)


def test_a_loss_for_another_task():
    assert refused(changed={"loss.name": "soft_targets"}) == (
        "loss.name: 'soft_targets' is a student's loss, and task "
        "'classification' has no teacher; wanted task 'distillation' with one"
    )
    name = {"loss.name": "label_smoothing"}
    assert refused(STUDENT, changed=name) == (
        "loss.name: 'label_smoothing' has no use for a teacher, and task "
        "'distillation' has one"
    )
    assert "task 'translation' has no teacher" in refused(
        "transformer_numbers", changed={"loss.name": "soft_targets"}
    )


def test_a_number_without_use():
    matching = {
        "loss.name": "logit_matching",
        "loss.options.reduction": "mean",
    }
    resolve(STUDENT, changed=matching)
    for path in ("teacher.teacher_temperature", "teacher.student_temperature"):
        name = path.removeprefix("teacher.")
        assert refused(STUDENT, changed={**matching, path: 4}) == (
            f"{path}: wanted 1.0, loss 'logit_matching' takes no {name}, got "
            "4.0"
        )
    assert refused(STUDENT, changed={**matching, "alpha": 0.1}) == (
        "alpha: wanted 0.0, loss 'logit_matching' takes no alpha, got 0.1"
    )


def test_a_file_is_a_loss(two_losses_more):
    penalty = {"loss.name": "poly1", "loss.options.weight": "1"}
    found = resolve("fc_digits", changed={**penalty, "alpha": 0})
    assert found.spec.loss == Part("poly1", {"weight": 1.0})
    assert loss_numbers(found.spec) == {"weight"}
    assert "takes no alpha, got 0.1" in refused(changed=penalty)
    angle = {"loss.name": "angle", "loss.options.centred": "false"}
    found = resolve(STUDENT, changed=angle)
    assert found.spec.loss == Part("angle", {"centred": False})
    assert loss_numbers(found.spec) == {"strength"}
    assert loss_numbers(resolve(STUDENT).spec) == set()
    assert "existing: centred, strength" in refused(
        STUDENT, changed={**angle, "loss.options.beta": 1}
    )


ODD = "it's; {}"  # a spread that no loss has, and no shell may split


def random_loss(rng):
    """Changes that name a loss, and the experiment they are of."""
    spread = rng.choice(["uniform", "others", "prior", ODD])
    experiment, name, options, beside = rng.choice(
        [
            ("fc_digits", "label_smoothing", {"spread": spread}, "alpha"),
            ("fc_digits", "smoothed_targets", {}, "alpha"),
            ("fc_digits", "poly1", {"weight": 1e-9}, None),
            (STUDENT, "soft_targets", {}, "teacher.student_temperature"),
            (
                STUDENT,
                "soft_targets",
                {"scale_by_temperature_squared": rng.random() < 0.5},
                "teacher.changes.alpha",
            ),
            (STUDENT, "logit_matching", {"reduction": "mean"}, "teacher.beta"),
            (STUDENT, "angle", {"strength": 2, "centred": False}, None),
            (STUDENT, "angle", {}, "teacher.beta"),
            ("transformer_numbers", "label_smoothing", {}, "alpha"),
        ]
    )
    changed = {"loss.name": name}
    changed |= {f"loss.options.{k}": v for k, v in options.items()}
    if beside and rng.random() < 0.5:
        changed[beside] = 1
    if name == "poly1":
        changed["alpha"] = 0
    return experiment, changed


def test_the_command_of_a_run_with_a_loss_is_that_run(two_losses_more, capsys):
    rng = random.Random(3)
    folders = {}
    for _ in range(60):
        experiment, changed = random_loss(rng)
        one = resolve(experiment, changed=changed, smoke=rng.random() < 0.3)
        words = shlex.split(one.command())[1:]
        code = cli.main([*words, "--mode=print"])
        out, err = capsys.readouterr()
        if changed.get("loss.options.spread") == ODD:
            # It came as it was, and is refused as training would.
            assert (code, out) == (2, "") and err.endswith(f"got {ODD!r}\n")
            continue
        assert code == 0
        found = json.loads(out)
        assert found["digest"] == one.digest, (changed, one.command())
        assert found["folder"] == one.folder
        assert found["changes"] == as_dict(one.changes)
        assert digest(from_dict(found["spec"])) == one.digest
        assert folders.setdefault(one.folder, one.digest) == one.digest
        again = resolve(experiment, changed=one.changes, smoke=one.smoke)
        assert again == one
    assert len(folders) > 20
    assert len(set(folders.values())) == len(folders)


RUNS = ROOT / "results" / "runs"
RECORDS = sorted(RUNS.glob("*/*/*/run.json"))


def test_every_record_made_before_is_valid():
    assert len(RECORDS) > 100
    for path in RECORDS:
        run = json.loads(path.read_text())
        spec = from_dict(run["spec"])
        assert digest(spec) == run["digest"], path
        assert "loss" in run["spec"] or spec.loss is None


def test_every_finished_record_is_found():
    found = 0
    for path in RECORDS:
        run = json.loads(path.read_text())
        identity = resolve(
            run["experiment"],
            changed=run["changes"],
            seed=run["seed"],
            smoke=run.get("smoke", False),
        )
        assert identity.digest == run["digest"], path
        assert identity.folder == str(path.parent.relative_to(RUNS))
        record = runs.find(str(RUNS), identity)
        assert (record is not None) == (run["outcome"] == "finished"), path
        found += record is not None
    assert found > 100
