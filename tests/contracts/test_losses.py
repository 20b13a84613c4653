"""Every loss keeps its contract, found by its file.

A loss that has options without a default says in ``EXAMPLE`` with which ones
it is tried.
"""

import dataclasses
import inspect

import numpy as np
import pytest
from both import compiled, gradient
from keras import ops

from ls_tf.objective import label_smoothing
from ls_tf.objective import loss as objective
from ls_tf.objective.loss import Answers
from ls_tf.spec import LOSS_NUMBERS, registry

NAMES = registry.names("ls_tf.losses")
NUMBERS = {
    "alpha": 0.1,
    "beta": 0.6,
    "teacher_temperature": 2.0,
    "student_temperature": 2.0,
}
PRIOR = np.array([0.4, 0.3, 0.1, 0.1, 0.1], np.float32)


def loss_class(name):
    return registry.get("ls_tf.losses", name).Loss


def fields(name):
    return {f.name: f for f in dataclasses.fields(loss_class(name))}


def make(name, **numbers):
    """A loss with some of the run's numbers."""
    given = {k: v for k, v in NUMBERS.items() if k in fields(name)}
    options = getattr(registry.get("ls_tf.losses", name), "EXAMPLE", {})
    return loss_class(name)(**options, **{**given, **numbers})


def answers(name, shape=(6,), seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, shape).astype(np.int32)
    student, teacher = rng.standard_normal((2, *shape, 5)).astype(np.float32)
    taught, draws = loss_class(name).needs_teacher, None
    if number := objective.num_draws(loss_class(name)):
        draws = rng.integers(0, 2**31, (*shape, number)).astype(np.int32)
    learnt = None
    if objective.learns_targets(loss_class(name)):
        learnt = rng.dirichlet(np.ones(5), 5).astype(np.float32)
    teacher = 2 * teacher if taught else None
    return Answers(labels, student, PRIOR, teacher, draws, learnt)


def replaced(a, **changes):
    return dataclasses.replace(a, **changes)


def with_(number):
    return [name for name in NAMES if number in fields(name)]


TAUGHT = [name for name in NAMES if loss_class(name).needs_teacher]


def test_the_numbers_are_those_of_a_run():
    assert NUMBERS.keys() == LOSS_NUMBERS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_a_frozen_dataclass_that_says_what_it_takes(name):
    made = loss_class(name)
    assert made.__dataclass_params__.frozen
    # What is read without importing is what is there.
    arguments = registry.arguments("ls_tf.losses", name, "Loss")
    assert {k: kind for k, (kind, _) in arguments.items()} == {
        k: f.type for k, f in fields(name).items()
    }
    says = registry.constant("ls_tf.losses", name, "Loss", "needs_teacher")
    assert made.needs_teacher is says
    assert isinstance(says, bool)
    for number in LOSS_NUMBERS:
        if number in fields(name):
            # Those of a run come from it, and can be stacked.
            assert fields(name)[number].type is float
            assert fields(name)[number].default is dataclasses.MISSING
    of_a_teacher = LOSS_NUMBERS.keys() - {"alpha"}
    assert says or not fields(name).keys() & of_a_teacher


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_documents_its_options(name):
    text = inspect.getdoc(loss_class(name))
    assert "Source:" in text
    for field in fields(name):
        assert f"    {field}: " in text, f"{name}: {field}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_a_loss_gives_a_float32_number_for_each_example(name, shape):
    a, loss = answers(name, shape), make(name)
    found = ops.convert_to_numpy(loss(a))
    assert found.shape == shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    # Each by itself: no example changes the loss of another.
    order = np.arange(shape[0])[::-1].copy()
    turned = {
        key: None if value is None else value[order]
        for key, value in (
            ("labels", a.labels),
            ("logits", a.logits),
            ("teacher_logits", a.teacher_logits),
            ("draws", a.draws),
        )
    }
    again = ops.convert_to_numpy(loss(replaced(a, **turned)))
    np.testing.assert_allclose(again, found[order], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_finite_and_leads_down(name):
    a, loss = answers(name), make(name)

    def value(logits):
        return loss(replaced(a, logits=logits))

    # Also where the softmax is certain.
    certain = 200 * np.eye(5, dtype=np.float32)[a.labels]
    for logits in (a.logits, certain, -certain):
        assert np.isfinite(gradient(value, logits)).all()
    slope = gradient(value, a.logits)
    assert np.abs(slope).max() > 0
    before, after = (
        float(ops.sum(value(z))) for z in (a.logits, a.logits - 1e-2 * slope)
    )
    assert after < before


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_may_be_tensors(name):
    a, loss = answers(name), make(name)
    numbers = objective.hyperparameters(loss)

    def value(numbers):
        return objective.with_numbers(loss, numbers)(a)

    tensors = {k: ops.convert_to_tensor(v) for k, v in numbers.items()}
    np.testing.assert_allclose(
        compiled(value)(tensors), loss(a), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", with_("alpha"))
def test_alpha_0_is_hard_labels(name):
    a = answers(name)
    found = make(name, **{"alpha": 0.0} | _without_teacher(name))(a)
    want = label_smoothing.nll(a.labels, a.logits)
    np.testing.assert_allclose(found, want, rtol=1e-5)


def _without_teacher(name):
    return {"beta": 0.0} if "beta" in fields(name) else {}


@pytest.mark.parametrize("name", with_("beta"))
def test_beta_is_the_weight_of_the_teacher(name):
    a = answers(name)
    hard = {"alpha": 0.0} if "alpha" in fields(name) else {}
    want = label_smoothing.nll(a.labels, a.logits)
    np.testing.assert_allclose(make(name, beta=0.0, **hard)(a), want, rtol=1e-5)
    # With all of the weight, the labels count no more.
    other = replaced(a, labels=(a.labels + 1) % 5)
    loss = make(name, beta=1.0)
    np.testing.assert_allclose(loss(a), loss(other), rtol=1e-6)


@pytest.mark.parametrize("name", TAUGHT)
def test_a_student_learns_from_a_teacher_that_does_not(name):
    a, loss = answers(name), make(name)
    other = replaced(a, teacher_logits=a.teacher_logits[::-1])
    assert not np.allclose(loss(a), loss(other))
    slope = gradient(
        lambda t: loss(replaced(a, teacher_logits=t)), a.teacher_logits
    )
    np.testing.assert_array_equal(slope, 0)
