"""The targets of a translation's student: options, digests, refusals."""

import pytest

from ls_tf.spec import SpecError, as_dict, from_dict
from ls_tf.spec.resolve import resolve

STUDENT = "transformer_numbers_student"
TRANSLATED = {"teacher.targets": "translations"}
ALONE = {**TRANSLATED, "teacher.beta": 0}


def refused(experiment=STUDENT, **changed):
    with pytest.raises(SpecError) as caught:
        resolve(experiment, changed=changed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_default_is_as_before():
    plain = resolve(STUDENT)
    named = resolve(
        STUDENT,
        changed={
            "teacher.targets": "labels",
            "teacher.beam_size": 4,
            "teacher.length_penalty": 0.6,
            "teacher.extra_length": 50,
        },
    )
    assert (named.digest, named.folder) == (plain.digest, plain.folder)
    assert not plain.spec.teacher.translates and plain.spec.teacher.answers
    # A record from before there was the field is read.
    data = as_dict(plain.spec)
    for name in ("targets", "beam_size", "length_penalty", "extra_length"):
        del data["teacher"][name]
    assert from_dict(data).teacher == plain.spec.teacher


def test_each_search_is_another_run():
    runs = [
        resolve(STUDENT, changed=changed)
        for changed in (
            {},
            TRANSLATED,
            ALONE,
            {**ALONE, "teacher.beam_size": 1},
            {**ALONE, "teacher.length_penalty": 1.0},
            {**ALONE, "teacher.extra_length": 9},
        )
    ]
    assert len({run.digest for run in runs}) == len(runs)
    assert len({run.folder for run in runs}) == len(runs)
    assert runs[2].folder == (
        f"{STUDENT}/teacher.beta=0,teacher.targets=translations/seed=0"
    )
    again = resolve(STUDENT, changed=ALONE).flags()
    assert "--set=teacher.targets=translations" in again
    assert [run.spec.teacher.answers for run in runs[:3]] == [True, True, False]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"teacher.targets": "translation"},
            "teacher.targets: got 'translation'; existing: labels, "
            "translations; did you mean 'translations'?",
        ),
        (
            {"teacher.beam_size": 2},
            "teacher.beam_size: wanted 4, teacher.targets=labels takes no "
            "translations, got 2",
        ),
        (
            {**TRANSLATED, "teacher.beam_size": 0},
            "teacher.beam_size: wanted 1 or more, got 0",
        ),
        (
            {**TRANSLATED, "teacher.length_penalty": -0.1},
            "teacher.length_penalty: wanted 0 or more, got -0.1",
        ),
        (
            {**TRANSLATED, "teacher.extra_length": 0},
            "teacher.extra_length: wanted 1 or more, got 0",
        ),
        (
            {**TRANSLATED, "teacher.beam_size": 10**6},
            "teacher.beam_size: wanted 1000 or less, got 1000000",
        ),
        (
            {**TRANSLATED, "teacher.extra_length": 10**9},
            "teacher.extra_length: wanted 1000000 or less, got 1000000000",
        ),
        (
            {**TRANSLATED, "teacher.length_penalty": 1e-300},
            "teacher.length_penalty: wanted 0, or 1.2e-38 or more, got 1e-300",
        ),
        # A number that nothing would read.
        (
            {**ALONE, "teacher.teacher_temperature": 2.0},
            "teacher.teacher_temperature: wanted 1.0, teacher.beta=0 takes "
            "the teacher's translations alone, got 2.0",
        ),
        (
            {**ALONE, "teacher.table": "never"},
            "teacher.table: wanted auto, teacher.beta=0 takes the teacher's "
            "translations alone, got never",
        ),
        (
            {**ALONE, "loss.name": "soft_targets"},
            "loss.name: 'soft_targets' learns from a teacher's "
            "probabilities; wanted teacher.beta above 0, got 0.0",
        ),
        (
            {**TRANSLATED, "loss.name": "confidence_penalty"},
            "loss.name: 'confidence_penalty' has no use for a teacher, and "
            "task 'translation' has one; wanted teacher.beta=0, got 0.5",
        ),
    ],
)
def test_what_cannot_be_is_one_line(changed, message):
    assert refused(**changed) == message


def test_only_translations_have_translations():
    assert refused("fc_digits_student", **TRANSLATED) == (
        "teacher.targets: wanted labels, task 'distillation' translates "
        "nothing, got translations"
    )


def test_translations_alone_go_with_any_loss_on_labels():
    named = resolve(
        STUDENT, changed={**ALONE, "loss.name": "confidence_penalty"}
    )
    assert named.spec.loss.name == "confidence_penalty"
    smoothed = resolve(STUDENT, changed={**ALONE, "alpha": 0.1})
    assert smoothed.spec.train.alpha == 0.1
