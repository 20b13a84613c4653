"""Classes by name or id, and examples of them."""

import numpy as np

from ls_tf import seeds
from ls_tf.analysis import projection
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError, nearest


def ids(
    evaluator: str,
    network: Classifier,
    classes: tuple[int | str, ...],
    count: int,
) -> tuple[int, ...]:
    """Finds the ids of classes that are given by id or by name.

    Args:
        evaluator: for the message.
        network: the trained model and its data.
        classes: ids, or names in the data set.
        count: how many are wanted.

    Returns:
        Their ids, in order.

    Raises:
        SpecError: another number, one that does not exist or stands twice.
    """
    names, chosen = network.class_names, []
    for wanted in classes:
        if isinstance(wanted, str):
            if wanted not in names:
                raise SpecError(
                    f"{evaluator}: no class '{wanted}' in "
                    f"{network.spec.data.name}; {nearest(wanted, names)}"
                )
            wanted = names.index(wanted)
        if not 0 <= wanted < len(names):
            raise SpecError(
                f"{evaluator}: wanted classes from 0 to {len(names) - 1}, got "
                f"{wanted}"
            )
        chosen.append(wanted)
    if len(chosen) != count or len(set(chosen)) != count:
        raise SpecError(
            f"{evaluator}: wanted {count} different classes, got {classes}"
        )
    return tuple(chosen)


def pick(
    evaluator: str,
    network: Classifier,
    role: str,
    classes: tuple[int, ...],
    per_class: int,
) -> np.ndarray:
    """Draws examples of some classes, the same ones throughout a run.

    Args:
        evaluator: for the message; others draw other examples.
        network: the trained model and its data.
        role: train, calibrate or report.
        classes: of ``ids``.
        per_class: how many of each.

    Returns:
        int64 [len(classes) * per_class], positions in the role's split.

    Raises:
        SpecError: a class has too few.
    """
    rng = seeds.philox(network.spec.seed, evaluator, role)
    try:
        index: np.ndarray = projection.pick_examples(
            network.labels(role), classes, per_class, rng
        )
    except ValueError as error:
        split = getattr(network.spec.data, role)
        raise SpecError(
            f"{evaluator}: {network.spec.data.name}/{split}: {error}"
            f"{_fewer(evaluator, network, role, classes)}"
        ) from error
    return index


def _fewer(
    evaluator: str, network: Classifier, role: str, classes: tuple[int, ...]
) -> str:
    """The flag with which a split has enough examples, where there are any."""
    labels = np.asarray(network.labels(role))
    most = min(int(np.count_nonzero(labels == k)) for k in classes)
    names = [part.name for part in network.spec.evaluators]
    if not most or names.count(evaluator) != 1:
        return ""
    option = f"evaluators.{names.index(evaluator)}.options.per_class"
    return f"; there are enough for --set={option}={most}"
