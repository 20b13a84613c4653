"""How far the last layers have collapsed, and how apart the classes are."""

import math
from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import neural_collapse
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError


@dataclass(frozen=True)
class Evaluator:
    """Measures the collapse of activations, class means and templates.

    Attributes:
        role: which split; the literature takes train.

    Source: Papyan et al. 2020; Guo et al. 2024 (arXiv 2402.03979); class
    separation: Kornblith et al. 2021 (arXiv 2010.16402).
    """

    role: str

    def check(self, network: Classifier) -> None:
        """Refuses a split in which a class has no examples.

        Raises:
            SpecError: one line.
        """
        counts = np.bincount(
            network.labels(self.role), minlength=len(network.class_names)
        )
        for k, count in enumerate(counts):
            if not count:
                data = network.spec.data
                raise SpecError(
                    "neural_collapse: wanted examples of every class in "
                    f"{data.name}/{getattr(data, self.role)}, got none of "
                    f"class {k}"
                )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``nc1``, ``nc2_means``, ``nc2_templates``,
            ``nc3``, ``class_separation``; ``logit_gap``, the mean of the
            label's logit less the mean of the others, and ``logit_gap_std``;
            of uniformly smoothed labels, ``logit_gap_at_minimum``.

        Raises:
            SpecError: see ``check``.
        """
        self.check(network)
        labels, outputs = network.labels(self.role), network.outputs(self.role)
        rows = outputs["penultimate"]
        templates = np.asarray(network.model.get_layer("logits").kernel).T
        means = neural_collapse.class_means(rows, labels)
        num_classes = len(means)
        logits = outputs["logits"].astype(np.float64)
        own = logits[np.arange(len(labels)), labels]
        gaps = own - (logits.sum(axis=-1) - own) / (num_classes - 1)
        scalars = {
            "nc1": neural_collapse.nc1(rows, labels),
            "nc2_means": neural_collapse.nc2(means),
            "nc2_templates": neural_collapse.nc2(templates),
            "nc3": neural_collapse.nc3(means, templates),
            "class_separation": _separation(rows, labels),
            "logit_gap": float(gaps.mean()),
            "logit_gap_std": float(gaps.std()),
        }
        spec = network.spec
        smooths = spec.teacher is None and spec.train.alpha > 0
        if smooths and spec.loss is None and spec.train.smoothing == "uniform":
            scalars["logit_gap_at_minimum"] = neural_collapse.logit_gap(
                num_classes, spec.train.alpha
            )
        return Measurement(scalars, len(labels))


def _separation(rows: np.ndarray, labels: np.ndarray) -> float:
    """NaN where an activation is 0, as of units that are all off."""
    try:
        return neural_collapse.class_separation(rows, labels)
    except ValueError:
        return math.nan
