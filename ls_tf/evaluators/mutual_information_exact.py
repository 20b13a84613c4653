"""The information of ``mutual_information``, over every view there is."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import mutual_information
from ls_tf.measuring import information
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_ROWS = 16_000  # views that are made at once


@dataclass(frozen=True)
class Evaluator:
    """Measures the information on all views of the examples, none drawn.

    The examples are those of ``mutual_information``. Means and sigma are then
    those of the augmentation itself.

    Attributes:
        role: which split's examples.
        classes: two classes, each by its id or its name in the data set.
        per_class: examples of each.

    Source: Mueller et al. 2019, section 4; the views one by one: ours.
    """

    role: str
    classes: tuple[int | str, ...] = (0, 5)
    per_class: int = 300

    def check(self, network: Classifier) -> None:
        """Refuses views that cannot be counted, and too few examples.

        Raises:
            SpecError: one line.
        """
        information.refuse_one_view(network)
        if network.num_views is None:
            raise SpecError(
                "mutual_information_exact: wanted views that can be counted, "
                f"got data.augmentation={network.spec.data.augmentation}, "
                "whose are continuous"
            )
        self._examples(network)

    def _examples(
        self, network: Classifier
    ) -> tuple[tuple[int, ...], np.ndarray]:
        return information.examples(
            network, self.role, self.classes, self.per_class
        )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: the scalars of ``information.scalars`` without a
            bias; arrays, by example: ``means`` and ``deviations`` float32 [N]
            of Y over the views, ``labels`` int32 [N], ``index`` int32 [N];
            ``count`` is N.

        Raises:
            SpecError: see ``check``.
        """
        ids, index = self._examples(network)
        views = network.num_views or 0
        step = max(1, _ROWS // views)
        parts = []
        for start in range(0, len(index), step):
            part = index[start : start + step]
            logits = network.views(
                self.role,
                np.repeat(part, views),
                np.tile(np.arange(views), len(part)),
            )
            difference = mutual_information.logit_difference(logits, *ids)
            parts.append(difference.reshape(len(part), views))
        samples = np.concatenate(parts)
        labels = network.labels(self.role)[index]
        return Measurement(
            information.scalars(samples, labels, every_view=True),
            len(index),
            {
                "means": samples.mean(axis=1).astype(np.float32),
                "deviations": samples.std(axis=1).astype(np.float32),
                "labels": labels.astype(np.int32),
                "index": index.astype(np.int32),
            },
        )
