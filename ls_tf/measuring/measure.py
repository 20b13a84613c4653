"""Checks and runs evaluators, for every task alike."""

import inspect
from typing import Any

from ls_tf.measuring.measurement import Measurement
from ls_tf.spec import EvaluatorSpec, SpecError, registry


def _module(evaluator: EvaluatorSpec, kind: str) -> Any:
    module = registry.get("ls_tf.evaluators", evaluator.name)
    wanted = getattr(module, "MEASURES", "classifiers")
    if wanted != kind:
        raise SpecError(
            f"evaluators: {evaluator.name} measures {wanted}, this experiment "
            f"trains {kind}"
        )
    return module


def check(evaluator: EvaluatorSpec, trained: Any, kind: str) -> None:
    """Refuses, before the training, an evaluator that would fail after.

    Args:
        evaluator: what the experiment asks for.
        trained: what evaluators of this kind of task take.
        kind: "classifiers" or "translators"; an evaluator's ``MEASURES``
            names the other one, if it is not for classifiers.

    Raises:
        SpecError: of another kind of task, or an unknown option.
        ValueError: the evaluator's own refusal.
    """
    module = _module(evaluator, kind)
    options = {"role": evaluator.role, **evaluator.options}
    try:
        inspect.signature(module.evaluate).bind(trained, **options)
    except TypeError as error:
        raise SpecError(f"evaluators: {evaluator.name}: {error}") from None
    if hasattr(module, "check"):
        module.check(trained, **options)


def measure(evaluator: EvaluatorSpec, trained: Any, kind: str) -> Measurement:
    """Runs an evaluator; see ``check`` for the arguments."""
    found: Measurement = _module(evaluator, kind).evaluate(
        trained, role=evaluator.role, **evaluator.options
    )
    return found
