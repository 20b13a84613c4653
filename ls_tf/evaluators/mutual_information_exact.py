"""The information of ``mutual_information``, over every view there is."""

import numpy as np

from ls_tf.analysis import mutual_information
from ls_tf.measuring import information
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_ROWS = 16_000  # views that are made at once


def evaluate(
    trained: Classifier,
    *,
    role: str,
    classes: tuple[int | str, ...] = (0, 5),
    per_class: int = 300,
) -> Measurement:
    """Measures the information on all views of the examples, none drawn.

    The examples are those of ``mutual_information``. Means and sigma are then
    those of the augmentation itself.

    Args:
        trained: the model and its data.
        role: which split's examples.
        classes: two classes, each by its id or its name in the data set.
        per_class: examples of each.

    Returns:
        Measurement: the scalars of ``_information.scalars``; arrays, by
        example: ``means`` and ``deviations`` float32 [N] of Y over the views,
        ``labels`` int32 [N], ``index`` int32 [N]; ``count`` is N.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, section 4; the views one by one: ours.
    """
    ids, index = information.examples(trained, role, classes, per_class)
    views = trained.num_views or 0
    step = max(1, _ROWS // views)
    parts = []
    for start in range(0, len(index), step):
        some = index[start : start + step]
        logits = trained.views(
            role, np.repeat(some, views), np.tile(np.arange(views), len(some))
        )
        difference = mutual_information.logit_difference(logits, *ids)
        parts.append(difference.reshape(len(some), views))
    samples = np.concatenate(parts)
    labels = trained.labels(role)[index]
    return Measurement(
        information.scalars(samples, labels),
        len(index),
        {
            "means": samples.mean(axis=1).astype(np.float32),
            "deviations": samples.std(axis=1).astype(np.float32),
            "labels": labels.astype(np.int32),
            "index": index.astype(np.int32),
        },
    )


def check(
    trained: Classifier,
    *,
    role: str,
    classes: tuple[int | str, ...] = (0, 5),
    per_class: int = 300,
) -> None:
    """Refuses views that cannot be counted, and classes that do not suffice.

    Raises:
        ValueError: one line.
    """
    information.refuse_one_view(trained)
    if trained.num_views is None:
        raise SpecError(
            "mutual_information_exact: wanted views that can be counted, got "
            f"data.augmentation={trained.spec.data.augmentation}, whose are "
            "continuous"
        )
    information.examples(trained, role, classes, per_class)
