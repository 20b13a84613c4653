"""A trained classifier as evaluators see it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ls_tf.protocols import Arrays, Batches, Inference
from ls_tf.spec import ExperimentSpec

if TYPE_CHECKING:
    import keras


class ClassificationModel(Protocol):
    """What a task of classification gives: its images, labels and views."""

    spec: ExperimentSpec
    model: "keras.Model"
    class_names: tuple[str, ...]

    @property
    def num_views(self) -> int | None:
        """See ``Classifier.num_views``."""

    def image_shape(self) -> tuple[int, ...]:
        """See ``Classifier.image_shape``."""

    def other_data(self, name: str, split: str) -> Arrays:
        """See ``Classifier.other_data``."""

    def labels(self, role: str) -> np.ndarray:
        """See ``Classifier.labels``."""

    def examples(
        self, role: str, index: np.ndarray | None = None
    ) -> Arrays | Batches:
        """What ``Inference.predict`` takes, of a role's split or a part."""

    def augmented(
        self,
        role: str,
        index: np.ndarray,
        view: np.ndarray | np.random.Generator,
    ) -> Arrays:
        """What ``Task.predict`` takes to see augmented views."""

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        """See ``Classifier.teacher_logits``."""


class ModelClassifier:
    """Labels and outputs of a trained model, computed once for each split."""

    def __init__(self, task: ClassificationModel, network: Inference) -> None:
        """Takes the task and what computes with its model's weights."""
        self.spec, self.model = task.spec, task.model
        self._task, self._network = task, network
        self._outputs: dict[str, Mapping[str, np.ndarray]] = {}
        self._others: dict[tuple[str, str], Arrays] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """See ``Classifier.class_names``."""
        return tuple(self._task.class_names)

    def labels(self, role: str) -> np.ndarray:
        """See ``Classifier.labels``."""
        return self._task.labels(role)

    def outputs(
        self, role: str, index: np.ndarray | None = None
    ) -> Mapping[str, np.ndarray]:
        """See ``Classifier.outputs``."""
        if index is not None:
            return self._network.predict(self._task.examples(role, index))
        split = getattr(self.spec.data, role)
        if split not in self._outputs:
            self._outputs[split] = self._network.predict(
                self._task.examples(role)
            )
        return self._outputs[split]

    def image_shape(self) -> tuple[int, ...]:
        """See ``Classifier.image_shape``."""
        return self._task.image_shape()

    def outputs_of(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """See ``Classifier.outputs_of``."""
        return self._network.predict({"image": images})

    def other_data(self, name: str, split: str) -> Arrays:
        """See ``Classifier.other_data``."""
        if (name, split) not in self._others:
            self._others[name, split] = self._task.other_data(name, split)
        return self._others[name, split]

    @property
    def num_views(self) -> int | None:
        """See ``Classifier.num_views``."""
        return self._task.num_views

    def views(
        self,
        role: str,
        index: np.ndarray,
        view: np.ndarray | np.random.Generator,
    ) -> np.ndarray:
        """See ``Classifier.views``."""
        batch = self._task.augmented(role, index, view)
        return self._network.predict(batch)["logits"]

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        """See ``Classifier.teacher_logits``."""
        return self._task.teacher_logits(every_view=every_view)
