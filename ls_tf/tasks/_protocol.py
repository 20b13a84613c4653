"""What a task gives to an engine, and what an engine gives to an evaluator.

A task says what to compute: a pure loss over a batch, as sums. An engine says
how: it holds the variables, runs the steps and returns host arrays. Neither
knows the other's insides, so that one task runs on every engine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from ls_tf.spec import EvaluatorSpec, ExperimentSpec

Tensor = Any
Sums = dict[str, Tensor]
Arrays = Mapping[str, np.ndarray]
Computation = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Trained(Protocol):
    """A trained model as evaluators see it: arrays on the host."""

    spec: ExperimentSpec
    model: keras.Model

    def labels(self, role: str) -> np.ndarray:
        """int32 [N]: the labels of a role's split."""

    def outputs(
        self, role: str, index: np.ndarray | None = None
    ) -> Mapping[str, np.ndarray]:
        """The model's outputs on a role's split, or on some examples of it.

        Returns:
            dict: ``logits`` [N, K] and ``penultimate`` [N, D], float32, in
            the split's order, every example once.
        """

    def compute(
        self, function: "Computation", batches: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        """Applies a pure function of the model's variables to batches.

        Args:
            function: arrays by name -> arrays by name, in ``keras.ops``;
                compiled once for each set of shapes. The same object should
                come each time.
            batches: host arrays of static shapes.

        Returns:
            What the function made of each batch, on the host.
        """


class Task(Protocol):
    """A model, its data and its loss."""

    spec: ExperimentSpec
    model: keras.Model
    total_steps: int
    # Examples of every size of batch that `plan` gives.
    batch_sizes: tuple[int, ...]
    # Whether all batches have one shape: one program can run many steps.
    one_shape: bool
    logged: tuple[str, ...]  # the sums of `loss`, less the weight
    # What stays on the device through the run: name -> [N, ...].
    resident: Mapping[str, np.ndarray]
    # Those of `resident` that another alpha, seed or teacher would change.
    own_resident: tuple[str, ...]
    # Numbers that the loss takes as arguments, so that one compiled step can
    # serve networks that differ in them.
    hyperparameters: Mapping[str, float]

    def plan(self, start: int, count: int) -> Mapping[str, np.ndarray]:
        """What the batches of steps start..start+count-1 are made of.

        Returns:
            dict of integer arrays [count, batch, ...]; ``index`` holds the
            example ids. Where not all batches have one shape, as many of the
            first steps as have the same one.
        """

    def epoch(self, step: int) -> float:
        """How often the training split has been seen after some steps."""

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Makes one batch from resident data and one step's draws."""

    def loss(
        self, batch: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
    ) -> Sums:
        """Sums over a batch, in training mode.

        Args:
            batch: what ``batch`` made.
            hyperparameters: the task's own as numbers, or float32 scalars in
                their place.

        Returns:
            dict of float32 scalars: ``loss`` (what is minimised) and
            ``weight`` (what to divide by) at least; the others are logged
            divided by ``weight``.
        """

    def check_stack(self) -> None:
        """Refuses to be trained in one program with others of its kind.

        Raises:
            ValueError: something beside ``own_resident`` and
                ``hyperparameters`` would differ.
        """

    def examples(self, role: str) -> Mapping[str, np.ndarray]:
        """Model inputs and labels of a role's split, as stored."""

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The model's outputs in inference mode on stored examples."""

    def check(self, evaluator: EvaluatorSpec, trained: Trained) -> None:
        """Refuses, before the training, an evaluator that would fail after.

        Raises:
            ValueError: an unknown option, or data that does not suffice.
        """

    def measure(self, evaluator: EvaluatorSpec, trained: Trained) -> Any:
        """Runs one evaluator; returns its ``Measurement``."""
