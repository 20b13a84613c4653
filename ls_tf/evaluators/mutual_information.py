"""How much the logits tell of which training example was shown."""

import numpy as np

from ls_tf import seeds
from ls_tf.analysis import mutual_information
from ls_tf.measuring import information
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError


def evaluate(
    trained: Classifier,
    *,
    role: str,
    classes: tuple[int | str, ...] = (0, 5),
    per_class: int = 300,
    mc_samples: int = 5,
) -> Measurement:
    """Estimates the information from a few augmented views of each example.

    X is one of the examples, Y the difference of the logits of the two
    classes on a view of it. Examples and views are drawn once for a run, so
    that measurements during the training are of the same ones.

    Args:
        trained: the model and its data.
        role: which split's examples; the paper's are training examples.
        classes: two classes, each by its id or its name in the data set.
        per_class: examples of each.
        mc_samples: L, views of each example.

    Returns:
        Measurement: the scalars of ``_information.scalars``; arrays
        ``samples`` float32 [N, L], ``labels`` int32 [N], ``index`` int32
        [N]; ``count`` is N.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, section 4 and figure 6.
    """
    ids, index = information.examples(trained, role, classes, per_class)
    rng = seeds.philox(trained.spec.seed, "mutual_information", role, "views")
    logits = trained.views(role, np.repeat(index, mc_samples), rng)
    samples = mutual_information.logit_difference(logits, *ids)
    samples = samples.reshape(len(index), mc_samples)
    labels = trained.labels(role)[index]
    return Measurement(
        information.scalars(samples, labels),
        len(index),
        {
            "samples": samples.astype(np.float32),
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
    mc_samples: int = 5,
) -> None:
    """Refuses one view, no augmentation, and classes that do not suffice.

    Raises:
        ValueError: one line.
    """
    if mc_samples < 2:
        raise SpecError(
            "mutual_information: mc_samples: wanted 2 or more views of each "
            f"example, got {mc_samples}"
        )
    information.refuse_one_view(trained)
    information.examples(trained, role, classes, per_class)
