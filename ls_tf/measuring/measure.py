"""Checks and runs evaluators, for every task alike."""

import inspect
from typing import Any, get_type_hints

from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier, Translator, View
from ls_tf.spec import EvaluatorSpec, SpecError, registry

# What an evaluator may take, and the word for it in a message.
KINDS = {Classifier: "classifiers", Translator: "translators"}


def _built(evaluator: EvaluatorSpec, view: View) -> Any:
    """The evaluator with its options; refuses a network of another kind."""
    part = registry.get("ls_tf.evaluators", evaluator.name).Evaluator
    wanted = get_type_hints(part.__call__)["network"]
    if not isinstance(view, wanted):
        trained = [w for kind, w in KINDS.items() if isinstance(view, kind)]
        raise SpecError(
            f"evaluators: {evaluator.name} measures {KINDS[wanted]}, this "
            f"experiment trains {' and '.join(trained) or type(view)}"
        )
    try:
        bound = inspect.signature(part).bind(
            evaluator.role, **evaluator.options
        )
    except TypeError as error:
        raise SpecError(f"evaluators: {evaluator.name}: {error}") from None
    return part(*bound.args, **bound.kwargs)


def check(evaluator: EvaluatorSpec, view: View) -> None:
    """Refuses, before the training, an evaluator that would fail after.

    Args:
        evaluator: what the experiment asks for.
        view: what the task's evaluators see of its network.

    Raises:
        SpecError: for another kind of network, an unknown option, or the
            evaluator's own refusal.
    """
    built = _built(evaluator, view)
    if hasattr(built, "check"):
        built.check(view)


def measure(evaluator: EvaluatorSpec, view: View) -> Measurement:
    """Runs an evaluator; see ``check`` for the arguments.

    Raises:
        SpecError: this network cannot be measured so, as where its templates
            lie on one line; one line.
    """
    built = _built(evaluator, view)
    try:
        measurement: Measurement = built(view)
    except SpecError:
        raise
    except ValueError as error:
        if "\n" in str(error):
            raise
        raise SpecError(
            f"evaluators: {evaluator.name} on {evaluator.role} cannot measure "
            f"the network as it is: {error}"
        ) from error
    return measurement
