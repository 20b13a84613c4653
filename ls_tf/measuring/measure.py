"""Checks and runs evaluators, for every task alike."""

import inspect
from typing import Any

from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Translator, View
from ls_tf.spec import EvaluatorSpec, SpecError, registry


def _module(evaluator: EvaluatorSpec, view: View) -> Any:
    kind = "translators" if isinstance(view, Translator) else "classifiers"
    module = registry.get("ls_tf.evaluators", evaluator.name)
    wanted = getattr(module, "MEASURES", "classifiers")
    if wanted != kind:
        raise SpecError(
            f"evaluators: {evaluator.name} measures {wanted}, this experiment "
            f"trains {kind}"
        )
    return module


def check(evaluator: EvaluatorSpec, view: View) -> None:
    """Refuses, before the training, an evaluator that would fail after.

    Args:
        evaluator: what the experiment asks for.
        view: what the task's evaluators see of its network.

    Raises:
        SpecError: of another kind of task, or an unknown option.
        ValueError: the evaluator's own refusal.
    """
    module = _module(evaluator, view)
    options = {"role": evaluator.role, **evaluator.options}
    try:
        inspect.signature(module.evaluate).bind(view, **options)
    except TypeError as error:
        raise SpecError(f"evaluators: {evaluator.name}: {error}") from None
    if hasattr(module, "check"):
        module.check(view, **options)


def measure(evaluator: EvaluatorSpec, view: View) -> Measurement:
    """Runs an evaluator; see ``check`` for the arguments."""
    found: Measurement = _module(evaluator, view).evaluate(
        view, role=evaluator.role, **evaluator.options
    )
    return found
