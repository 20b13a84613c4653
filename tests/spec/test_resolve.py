"""Tests of ls_tf.spec.resolve."""

import dataclasses
import json
import random
import shlex

import pytest

from ls_tf import cli
from ls_tf.spec import SpecError, as_dict, digest, from_dict, registry
from ls_tf.spec import resolve as resolving
from ls_tf.spec.resolve import (
    Resolver,
    RunIdentity,
    dropped_options,
    resolve,
    teacher_of,
)

EXPERIMENTS = registry.names("ls_tf.experiments")


def printed(command, capsys):
    """What ``--mode=print`` says about a command line."""
    words = shlex.split(command)
    assert words[:2] == ["python", "run_experiment.py"]
    with pytest.MonkeyPatch.context() as patch:
        # Of odd values parts would refuse some.
        patch.setattr("ls_tf.running.checking.check", lambda *given: None)
        code = cli.main([*words[1:], "--mode=print"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return json.loads(out)


def refused(experiment="fc_digits", **arguments):
    with pytest.raises(SpecError) as caught:
        resolve(experiment, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- identity


def test_an_experiment_as_declared():
    found = resolve("fc_digits")
    assert found.experiment == "fc_digits"
    assert found.spec == registry.get("ls_tf.experiments", "fc_digits").SPEC
    assert found.changes == {}
    assert found.seed == 0
    assert found.folder == "fc_digits/paper/seed=0"
    assert found.title == "fc_digits seed=0"
    assert found.digest == digest(found.spec)


def test_changes_and_seed():
    found = resolve(
        "fc_digits", changed={"alpha": "0.05", "train.steps": 7}, seed=3
    )
    assert found.spec.train.alpha == 0.05
    assert (found.spec.train.steps, found.spec.train.epochs) == (7, None)
    assert found.seed == 3
    assert found.changes == {"alpha": 0.05, "train.steps": 7}
    assert found.folder == "fc_digits/alpha=0.05,train.steps=7/seed=3"
    assert found.title == "fc_digits alpha=0.05 train.steps=7 seed=3"


def test_a_change_to_what_it_was_is_none():
    base = registry.get("ls_tf.experiments", "fc_digits").SPEC
    found = resolve(
        "fc_digits",
        changed={
            "alpha": str(base.train.alpha),
            "train.epochs": int(base.train.epochs),
            "learning_rate": 1,
        },
    )
    assert found.changes == {}
    assert found.digest == digest(base)


def test_the_seed_changes_the_digest_and_not_the_changes():
    zero, one = resolve("fc_digits", seed=0), resolve("fc_digits", seed=1)
    assert zero.changes == one.changes == {}
    assert zero.digest != one.digest


def test_smoke_comes_first_and_changes_win():
    plain = resolve("fc_digits", smoke=True)
    assert plain.spec.train.steps == 4
    assert plain.changes == {}
    assert plain.folder == "fc_digits/smoke/seed=0"
    found = resolve(
        "fc_digits",
        changed={"train.steps": 6, "alpha": 0.0},
        smoke=True,
    )
    assert found.spec.train.steps == 6
    assert found.spec.model.options["hidden"] == (16, 16)
    assert found.folder == "fc_digits/smoke,alpha=0,train.steps=6/seed=0"


def test_folders_of_different_runs_differ():
    runs = [
        resolve("fc_digits", smoke=smoke, seed=seed, changed=changed)
        for smoke in (False, True)
        for seed in (0, 1)
        for changed in (
            {},
            {"alpha": 0.0},
            {"train.steps": 4},
            {"train.xla": False},
        )
    ]
    # The same specification stands in one smoke folder: steps are 4 there.
    assert len({r.folder for r in runs}) == len(
        {(r.digest, r.smoke) for r in runs}
    )


# --- bad input


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"model.name": "fully_conected"},
            "no model 'fully_conected'; existing",
        ),
        ({"data.name": "digts"}, "no data set 'digts'; existing: cifar10, "),
        ({"task": "clasification"}, "did you mean 'classification'"),
        ({"evaluators.0.name": "reliabilty"}, "did you mean 'reliability'"),
        ({"model.options.hiden": "3"}, "did you mean 'hidden'"),
        ({"model.options.seed": "3"}, "no field 'model.options.seed'"),
        ({"model.options.num_classes": "3"}, "no field 'model.options.num_c"),
        ({"model.options.hidden": "a"}, "wanted whole numbers between commas"),
        (
            {"model.options.dropout_rate": "a"},
            "wanted a finite number, got 'a'",
        ),
        ({"model.options.init_is_variance": "1"}, "wanted true or false"),
        ({"evaluators.2.options.per_clas": "3"}, "did you mean 'per_class'"),
        ({"evaluators.2.options.per_class": "x"}, "wanted a whole number"),
        (
            {"evaluators.2.options.role": "x"},
            "no field 'evaluators.2.options.rol",
        ),
        ({"evaluators.0.options.per_class": "3"}, "no field 'evaluators.0.opt"),
        ({"alpha": "2"}, "alpha: wanted 0 to 1, got 2.0"),
    ],
)
def test_bad_changes(changed, message):
    assert message in refused(changed=changed)


def test_another_part_drops_the_options_that_it_does_not_take():
    # In whichever order the fields are named.
    changed = {
        "evaluators.2.role": "train",
        "evaluators.2.name": "classification",
        "optimizer.options.beta_1": 0.5,
        "optimizer.name": "Adam",
    }
    one = resolve("fc_digits", changed=changed)
    assert one.spec.evaluators[2].options == {}
    assert one.spec.optimizer.options == {"beta_1": 0.5}
    assert one.changes == dict(sorted(changed.items()))
    assert dropped_options(one) == {
        "evaluators.2": ("classification", ("per_class",)),
        "optimizer": (
            "Adam",
            ("momentum", "dampening", "learning_rate_multipliers"),
        ),
    }
    # A mapping that the experiment has none of may be begun.
    path = "optimizer.options.learning_rate_multipliers.logits"
    begun = resolve("resnet50_imagenet", changed={path: 0.5})
    assert begun.spec.optimizer.options["learning_rate_multipliers"] == {
        "logits": 0.5
    }
    assert f"--set={path}=0.5" in begun.flags()
    # What both take is the experiment's still, and the name says all.
    one = resolve("fc_digits", changed={"optimizer.name": "SGD"})
    assert one.spec.optimizer.options == {"momentum": 0.9}
    assert one.folder == "fc_digits/optimizer.name=SGD/seed=0"
    again = resolve("fc_digits", changed=one.changes)
    assert again == one and digest(from_dict(as_dict(one.spec))) == one.digest
    # Options that are given stay foreign.
    assert refused(changed=changed | {"optimizer.options.dampening": 0.1}) == (
        "no field 'optimizer.options.dampening'; existing: amsgrad, beta_1, "
        "beta_2, epsilon"
    )


def test_another_model_keeps_what_fits_and_says_what_it_lacks():
    changed = {"model.name": "lenet", "model.options.filters": (4, 8)}
    # Of the same name, but of another type: one number, not one a layer.
    assert refused(changed=changed) == (
        "model.options.hidden: 'lenet' wants a whole number, got nothing"
    )
    changed["model.options.hidden"] = 30
    one = resolve("fc_digits", changed=changed)
    assert one.spec.model.options == {"filters": (4, 8), "hidden": 30}
    (name, lost) = dropped_options(one)["model"]
    assert name == "lenet" and set(lost) == {
        *("dropout_rate", "input_dropout_rate", "init_std"),
        "init_is_variance",
    }
    assert resolve("fc_digits", changed=one.changes).digest == one.digest


def test_what_the_training_does_itself_is_no_option():
    assert refused(changed={"optimizer.options.clipnorm": 1}) == (
        "optimizer.options.clipnorm is not taken; set train.clip_global_norm"
    )


def test_an_unknown_experiment():
    message = refused("fc_digit")
    assert message.startswith(
        "no experiment 'fc_digit'; existing: alexnet_cifar10, "
    )
    assert message.endswith("; did you mean 'fc_digits'?")


def test_a_negative_seed():
    assert refused(seed=-1) == "seed: wanted 0 or more, got -1"


def test_a_missing_option_is_named(monkeypatch):
    module = registry.get("ls_tf.experiments", "fc_digits")
    options = {
        k: v for k, v in module.SPEC.model.options.items() if k != "hidden"
    }
    model = dataclasses.replace(module.SPEC.model, options=options)
    spec = dataclasses.replace(module.SPEC, model=model)
    monkeypatch.setattr(module, "SPEC", spec)
    assert refused() == (
        "model.options.hidden: 'fully_connected' wants whole numbers between "
        "commas, got nothing"
    )


def test_a_declared_option_of_the_wrong_type_is_named(monkeypatch):
    module = registry.get("ls_tf.experiments", "fc_digits")
    options = {**module.SPEC.model.options, "init_std": "0.1"}
    model = dataclasses.replace(module.SPEC.model, options=options)
    monkeypatch.setattr(
        module, "SPEC", dataclasses.replace(module.SPEC, model=model)
    )
    assert refused() == (
        "model.options.init_std: wanted a finite number, got '0.1'"
    )


# --- teachers


def test_a_teacher_is_the_run_that_its_student_names():
    student = resolve("fc_digits_student", seed=2)
    teacher = teacher_of(student)
    named = student.spec.teacher
    assert teacher == resolve(named.experiment, changed=named.changes, seed=2)
    assert teacher_of(teacher) is None


def test_a_teacher_with_a_seed_of_its_own():
    student = resolve(
        "fc_digits_student", changed={"teacher.seed": "0"}, seed=2
    )
    assert teacher_of(student).seed == 0


def test_a_smoke_student_has_a_smoke_teacher():
    assert teacher_of(resolve("fc_digits_student", smoke=True)).smoke


def test_a_teacher_can_be_changed():
    student = resolve(
        "fc_digits_student",
        changed={
            "teacher.changes.alpha": "0.3",
            "teacher.changes.train.steps": 9,
        },
    )
    teacher = teacher_of(student)
    assert teacher.spec.train.alpha == 0.3
    assert teacher.spec.train.steps == 9


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"teacher.experiment": "fc_digit"}, "did you mean 'fc_digits'"),
        ({"teacher.changes.alpha": "3"}, "alpha: wanted 0 to 1, got 3"),
        ({"teacher.changes.alhpa": "0"}, "no field 'alhpa'"),
    ],
)
def test_a_teacher_that_cannot_be_is_refused_at_once(changed, message):
    assert message in refused("fc_digits_student", changed=changed)


# --- commands


def random_changes(rng, experiment):
    """Some changes that the experiment takes."""
    numbers = [1e-9, 0.5, 1.0, 3e-30, 0.1 + 0.2]
    words = [
        "2",
        "true",
        "none",
        "it's",
        "a b,c",
        "(1, 2)",
        "--x=y",
        "ä",
        "$HOME",
    ]
    possible = {
        "alpha": [0.0, 1.0, 1e-9, 0.15, "0.3"],
        "learning_rate": numbers,
        "train.weight_decay": [0.0, *numbers],
        "train.steps": [1, 10**6],
        "train.epochs": [1, 0.5, "3"],
        "train.xla": [True, False],
        "train.decay_exclude": [(), ("bias",), ("a,b", "none"), ("it's", "(")],
        "train.global_batch_size": [1, "7"],
        "data.train": ["train[:400]", "train[10%:]"],
        "data.same_split_reason": words,
        "model.options.hidden": [(), (5,), (5, 6, 7), "8"],
        "model.options.dropout_rate": [0, 0.5, 1e-9],
        "model.options.init_is_variance": [True, "true"],
        "evaluators.0.every_steps": [0, 9],
        "optimizer.options.momentum": [0, -0.5, 1e-9],
        "optimizer.options.nesterov": [True, "true", False],
        "optimizer.options.learning_rate_multipliers.odd": [
            (),
            (5,),
            (1, 2.5),
            ("a", None),
            (True,),
            *(True, None, "'2'", "2", "yes"),
            *(*numbers, "none"),
        ],
        "optimizer.options.learning_rate_multipliers.logits": [1e-9, -1, 0],
        "optimizer.options.learning_rate_multipliers.hidden_1": numbers,
        "optimizer.options.learning_rate_multipliers": [{}, {"x.y": (1, None)}],
        "optimizer.options.learning_rate_multipliers.deeper": [
            1,
            "word",
            {"k": ((1,), {"z": 2})},
        ],
    }
    spec = resolve(experiment).spec
    if spec.loss is not None:  # it takes no alpha
        del possible["alpha"]
    evaluators = spec.evaluators
    for index, evaluator in enumerate(evaluators):
        if evaluator.name == "penultimate":
            options = f"evaluators.{index}.options"
            possible[f"{options}.classes"] = [(3, 1, 2), "4,5,6"]
            possible[f"{options}.use_bias"] = [True, False]
    if "student" in experiment:
        possible |= {
            "teacher.beta": [0, 1, 0.25],
            "teacher.seed": [None, 5],
            "teacher.scale_by_temperature_squared": [True],
            "teacher.changes.alpha": [0, 0.3, "0.1"],
            "teacher.changes.train.steps": [5],
        }
        if spec.loss is not None or spec.teacher.translates:  # without a use
            del possible["teacher.scale_by_temperature_squared"]
    if experiment.startswith("transformer_"):
        possible["train.global_batch_tokens"] = possible.pop(
            "train.global_batch_size"
        )
        possible["data.source"] = words
    if not experiment.startswith("fc_"):
        possible = {k: v for k, v in possible.items() if ".options." not in k}
    paths = rng.sample(sorted(possible), rng.randrange(1, 5))
    return {path: rng.choice(possible[path]) for path in paths}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_command_of_a_run_is_that_run(experiment, capsys):
    rng = random.Random(experiment)
    for _ in range(40):
        changed = random_changes(rng, experiment)
        one = resolve(
            experiment,
            changed=changed,
            seed=rng.choice([None, 0, 4]),
            smoke=rng.random() < 0.3,
        )
        found = printed(one.command(), capsys)
        assert found["digest"] == one.digest, (changed, one.command())
        assert found["folder"] == one.folder
        assert found["changes"] == as_dict(one.changes)
        assert digest(from_dict(found["spec"])) == one.digest


def test_the_changes_of_a_run_are_that_run():
    rng = random.Random(5)
    for _ in range(60):
        changed = random_changes(rng, "fc_digits_student")
        one = resolve("fc_digits_student", changed=changed)
        again = resolve("fc_digits_student", changed=one.changes)
        if not any(isinstance(v, str) for v in one.changes.values()):
            assert (again.digest, again.folder) == (one.digest, one.folder)


def test_a_command_reads_well():
    one = resolve(
        "fc_digits",
        changed={"alpha": 0.0, "model.options.hidden": (8, 8)},
        seed=1,
    )
    assert one.command() == (
        "python run_experiment.py --experiment=fc_digits --alpha=0.0 "
        "--set=model.options.hidden=8,8 --seed=1"
    )


def test_a_command_names_the_seed_where_the_experiment_has_another(
    monkeypatch, capsys
):
    module = registry.get("ls_tf.experiments", "fc_digits")
    monkeypatch.setattr(
        module, "SPEC", dataclasses.replace(module.SPEC, seed=3)
    )
    one = resolve("fc_digits", seed=0)
    assert one.seed == 0
    assert printed(one.command(), capsys)["digest"] == one.digest


def test_an_identity_is_a_value():
    assert resolve("fc_digits") == resolve("fc_digits", changed={})
    assert isinstance(resolve("fc_digits"), RunIdentity)
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve("fc_digits").smoke = True


def test_a_resolver_gives_what_resolve_gives_and_reads_what_is_shared_once(
    monkeypatch,
):
    declared = []
    base = resolving._base
    monkeypatch.setattr(
        resolving,
        "_base",
        lambda name, smoke: declared.append(name) or base(name, smoke),
    )
    resolver = Resolver(smoke=True)
    wanted = [
        ("fc_digits_student", {"teacher.beta": beta}, seed)
        for beta in (0.25, 0.5)
        for seed in (0, 1)
    ]
    runs = [resolver.resolve(*run) for run in wanted]
    assert declared == ["fc_digits_student", "fc_digits"]
    teachers = [resolver.teacher_of(run) for run in runs]
    assert teachers[0] is teachers[2] and teachers[1] is teachers[3]
    assert runs == [
        resolve(name, changed=changed, seed=seed, smoke=True)
        for name, changed, seed in wanted
    ]
    assert teachers == [teacher_of(run) for run in runs]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model.options.width": 3}, "no field 'model.options.width'"),
        ({"evaluators.0.name": "nothing"}, "no evaluator 'nothing'"),
        ({"data.name": "nothing"}, "no data set 'nothing'"),
        ({"task": "nothing"}, "no task 'nothing'"),
        ({"alpha": 2.0}, "alpha: wanted 0 to 1, got 2.0"),
    ],
)
def test_a_resolver_checks_what_differs_from_the_run_before(changed, message):
    resolver = Resolver()
    resolver.resolve("fc_digits")
    with pytest.raises(SpecError, match=message):
        resolver.resolve("fc_digits", changed)
