"""What a run says of itself: where it goes on, what it is compared by."""

import dataclasses
import types

from ls_tf.running import execute
from ls_tf.running.run import hyper_parameters, tagged
from ls_tf.spec import EvaluatorSpec
from ls_tf.spec.resolve import resolve


def test_a_run_says_from_which_step_it_goes_on():
    def said(step):
        task = types.SimpleNamespace(total_steps=50_000)
        return execute._resumed(types.SimpleNamespace(step=step, task=task))

    assert said(1200) == ["resumes from step 1,200 of 50,000"]
    assert said(0) == said(50_000) == []


def test_what_tensorboard_compares_runs_by():
    student = "fc_digits_student"
    assert hyper_parameters(resolve(student, seed=3)) == {
        "experiment": student,
        "alpha": 0.0,
        "seed": 3,
        "teacher.experiment": "fc_digits",
        "teacher.changes.alpha": 0.0,
    }
    changed = {
        "teacher.changes.alpha": 0.2,
        "teacher.changes.train.steps": 9,
        "model.options.hidden": (8, 8),
        "optimizer.options.momentum": 0.5,
    }
    found = hyper_parameters(resolve(student, changed=changed))
    assert found.items() >= (changed | {"model.options.hidden": [8, 8]}).items()
    assert hyper_parameters(resolve("fc_digits")) == {
        "experiment": "fc_digits",
        "alpha": 0.1,
        "seed": 0,
    }


def test_a_teacher_whose_alpha_is_not_named_has_its_experiments():
    student = resolve("fc_digits_student")
    teacher = dataclasses.replace(student.spec.teacher, changes={})
    spec = dataclasses.replace(student.spec, teacher=teacher)
    found = hyper_parameters(dataclasses.replace(student, spec=spec))
    assert found["teacher.changes.alpha"] == 0.1


def test_bleu_is_a_curve_of_its_own():
    evaluator = EvaluatorSpec("translation", "report")
    assert tagged(evaluator, {"bleu": 25.0}) == {
        "report/translation/bleu": 25.0
    }
