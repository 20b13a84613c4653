"""How much the logits tell of which training example was shown."""

from dataclasses import dataclass

import numpy as np

from ls_tf import seeds
from ls_tf.analysis import mutual_information
from ls_tf.measuring import information
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError


@dataclass(frozen=True)
class Evaluator:
    """Estimates the information from a few augmented views of each example.

    X is one of the examples, Y the difference of the logits of the two
    classes on a view of it. Examples and views are drawn once for a run, so
    that measurements during the training are of the same ones.

    Attributes:
        role: which split's examples; the paper's are training examples.
        classes: two classes, each by its id or its name in the data set.
        per_class: examples of each.
        mc_samples: L, views of each example; 2 or more.

    Source: Mueller et al. 2019, section 4 and figure 6.
    """

    role: str
    classes: tuple[int | str, ...] = (0, 5)
    per_class: int = 300
    mc_samples: int = 5

    def __post_init__(self) -> None:
        """Refuses a single view.

        Raises:
            SpecError: one line.
        """
        if self.mc_samples < 2:
            raise SpecError(
                "mutual_information: mc_samples: wanted 2 or more views of "
                f"each example, got {self.mc_samples}"
            )

    def check(self, network: Classifier) -> None:
        """Refuses no augmentation, and classes that do not suffice.

        Raises:
            SpecError: one line.
        """
        information.refuse_one_view(network)
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
            Measurement: the scalars of ``information.scalars``; arrays
            ``samples`` float32 [N, L], ``labels`` int32 [N], ``index`` int32
            [N]; ``count`` is N.

        Raises:
            SpecError: see ``check``.
        """
        ids, index = self._examples(network)
        rng = seeds.philox(
            network.spec.seed, "mutual_information", self.role, "views"
        )
        logits = network.views(
            self.role, np.repeat(index, self.mc_samples), rng
        )
        samples = mutual_information.logit_difference(logits, *ids)
        samples = samples.reshape(len(index), self.mc_samples)
        labels = network.labels(self.role)[index]
        return Measurement(
            information.scalars(samples, labels),
            len(index),
            {
                "samples": samples.astype(np.float32),
                "labels": labels.astype(np.int32),
                "index": index.astype(np.int32),
            },
        )
