"""Accuracy and last layer of classes with many, some and few examples."""

import math
from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import outputs, ranks
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError


@dataclass(frozen=True)
class Evaluator:
    """Measures each class, and groups of them by their training examples.

    Many-shot classes have more than ``many`` examples in the training split
    as it is used, few-shot classes fewer than ``few``, medium-shot classes
    the rest.

    Attributes:
        role: which split is answered.
        many: see above.
        few: see above.

    Source: Liu et al. 2019 (arXiv 1904.05160) for the groups, as the sets of
    Shen et al. 2021, table 3, are divided; the norms are those of its
    conjecture 1.
    """

    role: str
    many: int = 100
    few: int = 20

    def __post_init__(self) -> None:
        """Refuses groups that overlap.

        Raises:
            SpecError: one line.
        """
        checks.positive("long_tail", "few", self.few)
        if self.many < self.few:
            raise SpecError(
                f"long_tail: many: wanted {self.few}, which is few, or more, "
                f"got {self.many}"
            )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``accuracy_GROUP``, ``classes_GROUP`` (how
            many) and ``weight_norm_GROUP`` (mean Euclidean norm of the last
            layer's weights of a class, without its bias) for ``many``,
            ``medium`` and ``few``; ``accuracy_balanced`` (the mean of the
            classes), ``weight_norm`` and ``weight_norm_order``, Spearman's
            correlation of norms and training examples. NaN where there is no
            such class or order. Arrays by class: ``class_counts`` int64 [K],
            of the training split, ``class_accuracy`` and ``weight_norms``
            float64 [K].

        Raises:
            ValueError: logits that are not finite.
        """
        classes = len(network.class_names)
        # Refused where they are not finite: NaN is the largest to argmax.
        logits, labels, _ = outputs.check_scores(
            network.outputs(self.role)["logits"],
            network.labels(self.role),
            None,
        )
        answers = logits.argmax(axis=-1)
        right = np.bincount(labels, answers == labels, classes)
        asked = np.bincount(labels, minlength=classes)
        accuracy = np.divide(
            right, asked, out=np.full(classes, math.nan), where=asked > 0
        )
        kernel = np.asarray(network.model.get_layer("logits").kernel)  # [D, K]
        norms = np.linalg.norm(kernel.astype(np.float64), axis=0)
        counts = np.bincount(network.labels("train"), minlength=classes)
        order = ranks.correlation(norms, counts)
        scalars = {
            "accuracy_balanced": _ratio(np.nansum(accuracy), (asked > 0).sum()),
            "weight_norm": float(norms.mean()),
            "weight_norm_order": math.nan if order is None else order,
        }
        for group, members in self._groups(counts).items():
            scalars |= {
                f"accuracy_{group}": _ratio(
                    right[members].sum(), asked[members].sum()
                ),
                f"classes_{group}": float(members.sum()),
                f"weight_norm_{group}": _ratio(
                    norms[members].sum(), members.sum()
                ),
            }
        return Measurement(
            scalars,
            len(labels),
            {
                "class_counts": counts.astype(np.int64),
                "class_accuracy": accuracy,
                "weight_norms": norms,
            },
        )

    def _groups(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Which classes are of each group: bool [K]."""
        many, few = counts > self.many, counts < self.few
        return {"many": many, "medium": ~(many | few), "few": few}


def _ratio(part: np.ndarray | float, whole: np.ndarray | int) -> float:
    return float(part / whole) if whole else math.nan
