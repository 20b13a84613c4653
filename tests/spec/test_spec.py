"""Tests of ls_tf.spec."""

import dataclasses
import hashlib
import itertools
import json
import math
import random
import re

import pytest

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
    changes_name,
    check,
    digest,
    from_dict,
    kind_of,
    nearest,
    override,
    registry,
)
from ls_tf.spec.values import default_of, parse, text_of

BASE = ExperimentSpec(
    task="classification",
    model=Part("fully_connected", {"hidden": (16, 8), "init_std": 0.1}),
    data=DataSpec("digits", train="train", calibrate="a", report="b"),
    train=TrainSpec(global_batch_size=50, alpha=0.1, epochs=2),
    optimizer=Part(
        "Momentum",
        {"momentum": 0.9, "learning_rate_multipliers": {"logits": 0.1}},
    ),
    schedule=Part("linear_to_zero"),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=5),
        EvaluatorSpec("penultimate", "report", options={"per_class": 20}),
    ),
    learning_rate=1.0,
)
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


# --- values from text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", int, 12),
        ("-3", int, -3),
        ("0.5", float, 0.5),
        ("1e-9", float, 1e-9),
        ("-2", float, -2.0),
        ("true", bool, True),
        ("False", bool, False),
        ("none", str, "none"),
        ("train[:400]", str, "train[:400]"),
        ("", str, ""),
        ("1", str, "1"),
        ("none", int | None, None),
        ("None", float | None, None),
        ("7", int | None, 7),
        ("16,8", tuple[int, ...], (16, 8)),
        ("(16, 8)", tuple[int, ...], (16, 8)),
        ("[16, 8]", tuple[int, ...], (16, 8)),
        ("16", tuple[int, ...], (16,)),
        ("16,", tuple[int, ...], (16,)),
        ("", tuple[int, ...], ()),
        ("()", tuple[int, ...], ()),
        ("1,2.5", tuple[float, ...], (1.0, 2.5)),
        ("bias,logits", tuple[str, ...], ("bias", "logits")),
        ("('a', 'b')", tuple[str, ...], ("a", "b")),
        ("3", None, 3),
        ("true", None, True),
        ("none", None, None),
        ("word", None, "word"),
        ("{'a': [1, 2]}", None, {"a": (1, 2)}),
        ("{'a': 1}", dict, {"a": 1}),
        ("32,48", tuple, (32, 48)),
    ],
)
def test_parse(text, kind, value):
    found = parse(text, kind, "field")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("1.5", int, "a whole number"),
        ("1e3", int, "a whole number"),
        ("", int, "a whole number"),
        ("true", int, "a whole number"),
        ("none", int, "a whole number"),
        ("9" * 30, int, "a whole number"),
        ("x", float, "a finite number"),
        ("nan", float, "a finite number"),
        ("inf", float, "a finite number"),
        ("-1e999", float, "a finite number"),
        ("none", float, "a finite number"),
        ("1", bool, "true or false"),
        ("yes", bool, "true or false"),
        ("x", int | None, "a whole number or none"),
        ("", float | None, "a finite number or none"),
        ("16,x", tuple[int, ...], "whole numbers between commas"),
        ("1.5", tuple[int, ...], "whole numbers between commas"),
        ("none", tuple[int, ...], "whole numbers between commas"),
        ("1,nan", tuple[float, ...], "numbers between commas"),
        ("3", dict, "{'NAME': VALUE, ...}"),
    ],
)
def test_parse_says_what_was_wanted(text, kind, wanted):
    with pytest.raises(SpecError) as caught:
        parse(text, kind, "some.field")
    assert str(caught.value) == f"some.field: wanted {wanted}, got '{text}'"


@pytest.mark.parametrize(
    "text",
    ["1j", "b'x'", "{1, 2}", "{[]: 1}", "...", "1e999", "(" * 300, "9" * 99],
)
def test_what_is_no_value_stays_text(text):
    assert parse(text, None, "field") == text


def random_value(rng, depth=2):
    """A value of any kind, from a seeded generator."""
    pick = rng.randrange(9 if depth else 6)
    if pick == 0:
        return rng.choice([None, True, False])
    if pick == 1:
        return rng.choice([0, 1, -1, 7, -(10**6), 2**53 + 1])
    if pick in (2, 3):
        numbers = [0.0, -0.5, 1e-9, 1e6, -1e-30, 0.1 + 0.2, 3.0, 1e17]
        return rng.choice(numbers)
    if pick in (4, 5):
        words = [
            "",
            "a",
            "2",
            "true",
            "None",
            "1x2",
            "a,b",
            "(1,)",
            "x=y",
            "ä '\"",
        ]
        return rng.choice(words)
    if pick in (6, 7):
        count = rng.randrange(4)
        return tuple(random_value(rng, depth - 1) for _ in range(count))
    names = rng.sample(
        ["a", "b", "c.d", "logits/bias", "e=f"], rng.randrange(3)
    )
    return {name: random_value(rng, depth - 1) for name in names}


def test_any_value_is_read_back_from_its_text():
    rng = random.Random(0)
    for _ in range(3000):
        value = random_value(rng)
        found = parse(text_of(value, None), None, "field")
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("none", str),
        ("2", str),
        ("'quoted'", str),
        (None, int | None),
        ((), tuple[int, ...]),
        ((5,), tuple[int, ...]),
        ((1e-9, -2.0), tuple[float, ...]),
        (("bias",), tuple[str, ...]),
        (("a,b", "(c)", "none"), tuple[str, ...]),
        ({"logits": 1e-9}, dict),
        (True, bool),
        (1e-9, float),
    ],
)
def test_a_value_of_a_kind_is_read_back_from_its_text(value, kind):
    found = parse(text_of(value, kind), kind, "field")
    assert found == value
    assert type(found) is type(value)


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


# --- changes and their names


def test_changes_are_what_differs_in_sorted_order():
    found = override(
        BASE,
        {
            "train.steps": 5,
            "seed": 3,
            "alpha": 0.05,
            "learning_rate": 1,  # as it was
            "optimizer.options.nesterov": True,
            "evaluators.1.options.per_class": 7,
        },
    )
    assert list(changes(found, BASE).items()) == [
        ("alpha", 0.05),
        ("evaluators.1.options.per_class", 7),
        ("optimizer.options.nesterov", True),
        ("train.steps", 5),
    ]


def test_no_change_is_the_paper():
    assert changes(BASE, BASE) == {}
    assert changes_name({}) == "paper"


def test_a_first_option_is_one_change():
    found = override(BASE, {"schedule.options.end": 0.1})
    assert changes(found, BASE) == {"schedule.options.end": 0.1}


def test_what_has_no_path_of_its_own_is_changed_as_a_whole():
    path = "optimizer.options.learning_rate_multipliers"
    for value in ({}, {"hidden_1": 0.5}, {"logits": 0.1, "a.b": 1.0}):
        found = override(BASE, {path: value})
        assert changes(found, BASE) == {path: value}
        assert digest(override(BASE, changes(found, BASE))) == digest(found)
    more = override(BASE, {path: {"logits": 0.1, "hidden_1": 0.5}})
    assert changes(more, BASE) == {f"{path}.hidden_1": 0.5}


def test_changes_do_not_depend_on_the_order_of_overrides():
    given = {
        "alpha": 0.2,
        "train.weight_decay": 1e-9,
        "optimizer.options.nesterov": True,
        "model.options.hidden": (4, 4),
    }
    found = set()
    for order in itertools.permutations(given):
        spec = override(BASE, {path: given[path] for path in order})
        found.add((changes_name(changes(spec, BASE)), digest(spec)))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ({"alpha": 0.05}, "alpha=0.05"),
        ({"alpha": 0.0}, "alpha=0"),
        ({"alpha": 1.0, "train.steps": 10}, "alpha=1,train.steps=10"),
        ({"x": 1e-9}, "x=1e-09"),
        ({"x": -0.5}, "x=-0.5"),
        ({"x": None, "y": True}, "x=none,y=true"),
        ({"model.options.hidden": [16, 8]}, "model.options.hidden=16x8"),
        ({"data.train": "train[:9]"}, "data.train=train%5B%3A9%5D"),
        ({"a/b": "../c"}, "a%2Fb=%22..%2Fc%22~"),
        ({"x": []}, "x=%5B%5D~"),
        ({"x": "1x2"}, "x=%221x2%22~"),
        ({"x": "none"}, "x=%22none%22~"),
        ({"x": {"a": 1}}, "x=%7B%22a%22%3A%201%7D~"),
    ],
)
def test_changes_name(found, name):
    made = changes_name(found)
    assert made == name or (name.endswith("~") and made.startswith(name))
    assert (len(made) - len(name)) in (0, 12)


def test_a_long_name_is_cut_and_stays_different():
    found = {f"model.options.option_{i}": i for i in range(20)}
    one, other = changes_name(found), changes_name({**found, "z": 1})
    assert one != other
    assert len(one) == len(other) == 130 + 1 + 12


def test_names_are_safe_and_different_for_different_changes():
    rng = random.Random(1)
    made = {}
    for _ in range(4000):
        names = rng.sample(
            ["alpha", "a.b", "c", "x=y", "ü/~"], rng.randrange(1, 3)
        )
        found = {name: random_value(rng) for name in names}
        name = changes_name(found)
        assert re.fullmatch(r"[A-Za-z0-9_.+=,%~-]{1,160}", name), name
        assert name not in (".", "..", "paper", "smoke")
        # As in the digest: 1 and 1.0 are the same value, 1 and True are not.
        same = json.dumps(as_dict(found), sort_keys=True)
        same = re.sub(r"(?<=[0-9])\.0\b", "", same).replace(
            "1e+17", "1" + 17 * "0"
        )
        assert made.setdefault(name, same) == same
