"""Tests of ls_tf.spec."""

import dataclasses
import hashlib
import json
import math
import re

import pytest
from specifications import BASE

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    SpecError,
    TeacherSpec,
    TrainSpec,
    as_dict,
    changes,
    check,
    digest,
    from_dict,
    kind_of,
    nearest,
    override,
    registry,
)
from ls_tf.spec.values import default_of

TAUGHT = dataclasses.replace(
    BASE,
    task="distillation",
    teacher=TeacherSpec("fc_digits", changes={"alpha": 0.0}, beta=0.6),
)
EXPERIMENTS = registry.names("ls_tf.experiments")


def declared(name):
    return registry.get("ls_tf.experiments", name).SPEC


def refused(*, base=BASE, **paths):
    """The message of an override that is refused; paths with __ for dots."""
    found = {k.replace("__", "."): v for k, v in paths.items()}
    with pytest.raises(SpecError) as caught:
        override(base, found)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- names


def test_nearest_lists_and_suggests():
    assert nearest("resnt", ["resnet", "alexnet"]) == (
        "existing: alexnet, resnet; did you mean 'resnet'?"
    )
    assert nearest("xyz", ["resnet"]) == "existing: resnet"
    assert nearest("xyz", []) == "existing: none"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trian.alpha", "no field 'trian'; existing: data, .*mean 'train'"),
        ("train.alhpa", "no field 'train.alhpa'; .*mean 'alpha'"),
        ("train.", "no field 'train.'; existing: alpha,"),
        ("train.alpha.x", "no field 'train.alpha.x': 'train.alpha' has no f"),
        ("train", "'train' is a group of fields, wanted one of train.alpha"),
        (
            "model.options",
            "group of fields, wanted one of model.options.hidden",
        ),
        ("schedule.options", "wanted one of schedule.options.NAME"),
        ("evaluators", "wanted one of evaluators.0, evaluators.1"),
        ("evaluators.1", "wanted one of evaluators.1.name"),
        ("evaluators.2.name", "no field 'evaluators.2'; existing: 0 to 1"),
        ("evaluators.x.name", "no field 'evaluators.x'; existing: 0 to 1"),
        ("evaluators.0.rol", "did you mean 'role'"),
        ("train.decay_exclude.0", "'train.decay_exclude' has no fields"),
        ("teacher", "'teacher' is a group of fields"),
        ("teacher.beta", "no field 'teacher.beta': this experiment has no tea"),
        ("smoke.x", "no field 'smoke'"),
        ("model.options.hidden.2", "existing: 0 to 1"),
        ("optimizer.options.momentum.x", "has no fields"),
    ],
)
def test_a_field_that_is_not_there(path, message):
    assert re.search(message, refused(**{path: "1"}))


def test_a_group_of_a_teacher_is_a_group():
    assert "is a group" in refused(base=TAUGHT, teacher="none")
    assert "is a group" in refused(base=TAUGHT, teacher__changes="{}")


def test_kind_of():
    assert kind_of(BASE, "alpha") is float
    assert kind_of(BASE, "train.alpha") is float
    assert kind_of(BASE, "train.steps") == int | None
    assert kind_of(BASE, "evaluators.0.every_steps") is int
    assert kind_of(BASE, "model.options.hidden") is tuple
    assert kind_of(BASE, "model.options.hidden.1") is int
    assert kind_of(BASE, "schedule.options.new") is None
    assert kind_of(BASE, "optimizer.options.learning_rate_multipliers") is dict

    def signatures(field, name):
        known = {
            ("model", "fully_connected"): {"hidden": tuple[int, ...]},
            ("evaluators", "penultimate"): {"per_class": int},
        }
        return known.get((field, name))

    def kind(path):
        return kind_of(BASE, path, signatures)

    assert kind("model.options.hidden") == tuple[int, ...]
    assert kind("model.options.hidden.0") is int
    assert kind("evaluators.1.options.per_class") is int
    assert kind("optimizer.options.anything") is None
    with pytest.raises(SpecError, match="did you mean 'hidden'"):
        kind("model.options.hiden")
    with pytest.raises(SpecError, match="did you mean 'per_class'"):
        kind("evaluators.1.options.per_clas")


# --- overrides


def test_override_changes_one_field_and_not_the_original():
    before = as_dict(BASE)
    found = override(BASE, {"alpha": "0.25", "model.options.hidden": "4"})
    assert found.train.alpha == 0.25
    assert found.model.options["hidden"] == (4,)
    assert found.model.options["init_std"] == 0.1
    assert found.optimizer == BASE.optimizer
    assert as_dict(BASE) == before


def test_override_reaches_into_tuples_and_nested_options():
    found = override(
        BASE,
        {
            "evaluators.1.options.per_class": "7",
            "evaluators.1.options.classes": "3,4,5",
            "model.options.hidden.1": "9",
            "optimizer.options.learning_rate_multipliers.logits": "1e-9",
            "optimizer.options.new.deeper": "(1, 'a')",
        },
    )
    assert found.evaluators[1].options == {"per_class": 7, "classes": (3, 4, 5)}
    assert found.evaluators[0] == BASE.evaluators[0]
    assert found.model.options["hidden"] == (16, 9)
    assert found.optimizer.options["learning_rate_multipliers"] == {
        "logits": 1e-9
    }
    assert found.optimizer.options["new"] == {"deeper": (1, "a")}


def test_an_unknown_option_may_be_a_constant():
    found = override(BASE, {"optimizer.options.nesterov": "true"})
    assert found.optimizer.options["nesterov"] is True


def test_a_whole_number_becomes_the_number_that_the_field_holds():
    found = override(BASE, {"alpha": 1, "train.epochs": "3"})
    assert type(found.train.alpha) is float
    assert type(found.train.epochs) is float


def test_changes_of_a_teacher_are_paths_themselves():
    found = override(
        TAUGHT,
        {"teacher.changes.train.steps": "5", "teacher.changes.alpha": "0.2"},
    )
    assert found.teacher.changes == {"alpha": 0.2, "train.steps": 5}


def test_steps_and_epochs_exclude_each_other():
    assert BASE.train.epochs == 2
    found = override(BASE, {"train.steps": "10"}).train
    assert (found.steps, found.epochs) == (10, None)
    found = override(BASE, {"train.steps": 10, "train.epochs": 3}).train
    assert (found.steps, found.epochs) == (None, 3.0)
    found = override(BASE, {"train.epochs": "none", "train.steps": "4"}).train
    assert (found.steps, found.epochs) == (4, None)
    found = override(BASE, {"train.steps": 10, "train.epochs": "none"}).train
    assert (found.steps, found.epochs) == (10, None)
    assert "wanted steps or epochs, one of them" in refused(
        train__epochs="none"
    )
    both = dataclasses.replace(BASE.train, steps=1)
    with pytest.raises(
        SpecError, match="one of them, got steps=1 and epochs=2"
    ):
        check(dataclasses.replace(BASE, train=both))


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("train.steps", 2.5, "a whole number or none"),
        ("train.steps", True, "a whole number or none"),
        ("train.steps", "2.5", "a whole number or none"),
        ("train.xla", 1, "true or false"),
        ("train.xla", None, "true or false"),
        ("alpha", None, "a finite number"),
        ("alpha", "", "a finite number"),
        ("alpha", "high", "a finite number"),
        ("alpha", math.inf, "a finite number"),
        ("alpha", True, "a finite number"),
        ("alpha", (0.1,), "a finite number"),
        ("seed", 1.0, "a whole number"),
        ("data.train", 3, "text"),
        ("train.decay_exclude", 3, "words between commas"),
        ("train.decay_exclude", (1, 2), "words between commas"),
        ("optimizer.options.momentum", "fast", "a finite number"),
        ("optimizer.options.learning_rate_multipliers", "1", "{'NAME': VALUE"),
        ("optimizer.options.new", {1: 2}, "a value"),
        ("optimizer.options.new", math.nan, "a value"),
        ("optimizer.options.new", object(), "a value"),
        ("evaluators.0.every_steps", "often", "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(path, value, wanted):
    assert f"{path.split('.')[-1]}: wanted {wanted}" in refused(**{path: value})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("alpha", -0.1, "alpha: wanted 0 to 1, got -0.1"),
        ("alpha", "1.0001", "alpha: wanted 0 to 1, got 1.0001"),
        ("data.allow_left_out", -0.1, "allow_left_out: wanted 0 to 1, got -0"),
        ("data.allow_left_out", 1.5, "allow_left_out: wanted 0 to 1, got 1.5"),
        ("alpha", "nan", "wanted a finite number, got 'nan'"),
        ("alpha", math.nan, "wanted a finite number, got nan"),
        ("train.steps", -5, "train.steps: wanted 1 or more, got -5"),
        ("train.steps", "0", "train.steps: wanted 1 or more, got 0"),
        ("train.epochs", "-1", "train.epochs: wanted more than 0, got -1.0"),
        ("train.global_batch_size", 0, "wanted 1 or more, got 0"),
        ("train.log_every_steps", 0, "wanted 1 or more, got 0"),
        ("train.checkpoint_every_steps", -1, "wanted 1 or more, got -1"),
        ("train.loss_scale", 0.0, "wanted more than 0, got 0.0"),
        ("train.auxiliary_weight", -0.1, "wanted 0 or more, got -0.1"),
        ("train.weight_decay", -1e-9, "wanted 0 or more, got -1e-09"),
        ("train.clip_global_norm", -1.0, "wanted 0 or more, got -1.0"),
        ("train.ema_momentum", 1.0, "wanted 0 or more, below 1, got 1.0"),
        ("train.smoothing", "unifrom", "did you mean 'uniform'"),
        ("seed", -1, "seed: wanted 0 or more, got -1"),
        ("learning_rate", 0, "learning_rate: wanted more than 0, got 0.0"),
        (
            "evaluators.0.role",
            "tset",
            "no role 'tset'; existing: calibrate, re",
        ),
        ("evaluators.0.every_steps", -1, "wanted 0 or more, got -1"),
        ("evaluators.0.name", "penultimate", "stands twice"),
        ("data.report", "a", "say why in data.same_split_reason"),
    ],
)
def test_a_value_out_of_range_is_refused(path, value, message):
    assert message in refused(**{path: value})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("beta", 1.1, "teacher.beta: wanted 0 to 1, got 1.1"),
        ("beta", "nan", "teacher.beta: wanted a finite number"),
        ("matching", "sotf", "did you mean 'soft'"),
        ("logit_reduction", "max", "existing: mean, sum"),
        ("teacher_temperature", 0, "wanted more than 0, got 0.0"),
        ("student_temperature", -1, "wanted more than 0, got -1.0"),
        ("seed", -1, "teacher.seed: wanted 0 or more, got -1"),
    ],
)
def test_a_teacher_out_of_range_is_refused(path, value, message):
    assert message in refused(base=TAUGHT, **{f"teacher.{path}": value})


def test_the_ends_of_a_range_belong_to_it():
    for alpha in (0, 1, 0.0, 1.0):
        check(override(BASE, {"alpha": alpha}))
    check(override(BASE, {"train.steps": 1, "train.ema_momentum": 0.999}))


def test_a_declared_field_of_the_wrong_type_is_refused():
    for field, value in (
        ("seed", "0"),
        ("model", "fully_connected"),
        ("teacher", "fc_digits"),
        ("evaluators", ("classification",)),
        ("model", Part("fully_connected", {"hidden": {1, 2}})),
    ):
        with pytest.raises(SpecError, match=f"^{field}"):
            check(dataclasses.replace(BASE, **{field: value}))


# --- records of a specification


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_survives_its_record(name):
    spec = declared(name)
    found = from_dict(json.loads(json.dumps(as_dict(spec))))
    assert found == dataclasses.replace(spec, smoke={})
    assert digest(found) == digest(spec)
    assert changes(found, spec) == {}


def test_the_smallest_and_the_fullest_specification_survive():
    for spec in (BASE, TAUGHT, override(BASE, {"train.decay_exclude": "a,b"})):
        assert from_dict(json.loads(json.dumps(as_dict(spec)))) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("task"), "has no field 'task'"),
        (lambda d: d.update(tsak="x"), "no field .*tsak.*mean 'task'"),
        (lambda d: d["train"].update(alfa=1), "train.alfa.*mean 'alpha'"),
        (lambda d: d["train"].update(alpha=2), "alpha: wanted 0 to 1"),
        (lambda d: d["train"].update(alpha="2"), "train.alpha: wanted a fin"),
        (lambda d: d.update(train=3), "train: wanted fields, got 3"),
        (lambda d: d.update(evaluators=3), "evaluators: wanted fields, got 3"),
        (lambda d: d["evaluators"][0].pop("name"), "evaluators.0: has no fie"),
    ],
)
def test_a_damaged_record_is_refused(change, message):
    data = json.loads(json.dumps(as_dict(BASE)))
    change(data)
    with pytest.raises(SpecError, match=message):
        from_dict(data)


def test_a_record_without_a_later_field_takes_its_default():
    data = as_dict(BASE)
    del data["train"]["ema_momentum"]
    del data["teacher"]
    assert from_dict(data) == BASE


def test_the_digest_is_the_documented_hash():
    # By hand: sorted keys, no field that has its default, 1.0 and 2.0 as 1, 2.
    text = (
        '{"data": {"calibrate": "a", "name": "digits", "report": "b", "train":'
        ' "train"}, "evaluators": [{"every_steps": 5, "name": "classification"'
        '}, {"name": "penultimate", "options": {"per_class": 20}}], '
        '"learning_rate": 1, "model": {"name": "fully_connected", "options": '
        '{"hidden": [16, 8], "init_std": 0.1}}, "optimizer": {"name": '
        '"Momentum", "options": {"learning_rate_multipliers": {"logits": 0.1},'
        ' "momentum": 0.9}}, "schedule": {"name": "linear_to_zero"}, "task": '
        '"classification", "train": {"alpha": 0.1, "epochs": 2, '
        '"global_batch_size": 50}}'
    )
    assert digest(BASE) == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_ignores_how_a_number_is_written():
    assert digest(override(BASE, {"train.epochs": 2.0})) == digest(BASE)
    assert digest(override(BASE, {"train.epochs": "2"})) == digest(BASE)
    one = override(BASE, {"optimizer.options.x": 1})
    assert digest(one) == digest(override(BASE, {"optimizer.options.x": 1.0}))
    true = override(BASE, {"optimizer.options.x": True})
    assert digest(one) != digest(true)


def test_the_digest_ignores_the_order_of_options_and_smoke():
    options = dict(reversed(BASE.optimizer.options.items()))
    other = dataclasses.replace(
        BASE, optimizer=Part("Momentum", options), smoke={"train.steps": 1}
    )
    assert digest(other) == digest(BASE)


def test_a_field_added_later_leaves_old_digests_valid():
    @dataclasses.dataclass(frozen=True)
    class LaterTrain(TrainSpec):
        added: float = 0.5
        more: tuple[str, ...] = ()
        options: dict = dataclasses.field(default_factory=dict)

    old = {
        f.name: getattr(BASE.train, f.name)
        for f in dataclasses.fields(TrainSpec)
    }
    later = dataclasses.replace(BASE, train=LaterTrain(**old))
    assert digest(later) == digest(BASE)
    changed = dataclasses.replace(BASE, train=LaterTrain(**old, added=0.6))
    assert digest(changed) != digest(BASE)


def test_every_field_counts_in_the_digest():
    given = {
        "alpha": 0.2,
        "train.steps": 5,
        "train.smoothing": "others",
        "train.loss_scale": 2,
        "train.auxiliary_weight": 0.3,
        "train.weight_decay": 1e-9,
        "train.decay_exclude": ("bias",),
        "train.xla": False,
        "train.remat": True,
        "data.augmentation": "shift2",
        "data.same_split_reason": "none",
        "evaluators.0.role": "train",
        "evaluators.1.options.per_class": 21,
        "model.weights": "others.npz",
        "optimizer.name": "SGD",
        "learning_rate": 0.5,
        "seed": 1,
        "task": "other",
    }
    found = [digest(override(BASE, {k: v})) for k, v in given.items()]
    teachers = [TAUGHT, override(TAUGHT, {"teacher.seed": 0})]
    found += [digest(s) for s in [BASE, *teachers]]
    assert len(set(found)) == len(given) + 3


DEFAULTS = {
    Part: {"options": {}, "weights": ""},
    DataSpec: {
        "augmentation": "none",
        "same_split_reason": "",
        "source": "",
        "vocabulary_size": 0,
        "max_length": 256,
        "allow_left_out": 0.5,
        "skip_damaged": False,
        "label_kept": 1.0,
        "label_transition": (),
        "noisy_labels": "train",
        "tail_power": None,
        "tail_largest": None,
        "tail_smallest": 1,
        "classes": (),
        "image_size": (),
        "channels": 0,
        "held_out": 0.0,
        "held_out_seed": 0,
        "label_column": "",
    },
    TrainSpec: {
        "global_batch_size": None,
        "global_batch_tokens": None,
        "steps": None,
        "epochs": None,
        "smoothing": "uniform",
        "loss_scale": 1.0,
        "auxiliary_weight": 0.4,
        "weight_decay": 0.0,
        "decay_exclude": (),
        "decay_of": "square",
        "clip_global_norm": 0.0,
        "ema_momentum": 0.0,
        "log_every_steps": 100,
        "checkpoint_every_steps": 1000,
        "xla": True,
        "precision": "float32",
        "remat": False,
    },
    EvaluatorSpec: {"role": "report", "every_steps": 0, "options": {}},
    TeacherSpec: {
        "changes": {},
        "seed": None,
        "beta": 1.0,
        "matching": "soft",
        "teacher_temperature": 1.0,
        "student_temperature": 1.0,
        "scale_by_temperature_squared": False,
        "logit_reduction": "sum",
        "table": "auto",
        "targets": "labels",
        "beam_size": 4,
        "length_penalty": 0.6,
        "extra_length": 50,
    },
    ExperimentSpec: {"seed": 0, "teacher": None, "loss": None, "smoke": {}},
}


@pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
def test_what_a_field_is_when_nothing_is_said(kind):
    # A digest does not see a default: another one would be another experiment
    # under the same digest.
    found = {
        f.name: default_of(f)
        for f in dataclasses.fields(kind)
        if default_of(f) is not dataclasses.MISSING
    }
    assert found == DEFAULTS[kind]
