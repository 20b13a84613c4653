"""Image classification with hard or smoothed targets."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import kernels, seeds
from ls_tf.layers import label_memory
from ls_tf.layers.recomputed import Recomputed
from ls_tf.measuring.classifier import ModelClassifier
from ls_tf.objective import label_smoothing, learnt_targets
from ls_tf.objective import loss as objective
from ls_tf.pipeline import (
    augment,
    class_subset,
    own,
    plan,
)
from ls_tf.pipeline.labelled_images import LabelledImages
from ls_tf.pipeline.stream import Stream
from ls_tf.protocols import (
    Classifier,
    Inference,
    Sums,
    Tensor,
)
from ls_tf.spec import (
    ExperimentSpec,
    Part,
    SpecError,
    TrainSpec,
    bounds,
    registry,
)


def build_model(
    spec: ExperimentSpec, data_dir: str | None = None
) -> keras.Model:
    """Builds the network of a specification, freshly initialised.

    Args:
        spec: the experiment; its data set gives the classes, and with the
            augmentation the image shape.
        data_dir: where TFDS data lies; for a data set of the user's own.

    Returns:
        keras.Model: images [B, H, W, C] -> ``logits`` and ``penultimate``.

    Raises:
        ValueError: an option out of range.

    Source: ours.
    """
    info = class_subset.info(spec.data, own.of(spec.data, data_dir).INFO)
    before = keras.config.dtype_policy()
    if spec.train.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = registry.get("ls_tf.models", spec.model.name).build(
            **spec.model.options,
            num_classes=info.num_classes,
            image_shape=augment.augmentation(
                spec.data.augmentation
            ).output_shape(info.image_shape),
            seed=seeds.derive(spec.seed, "model"),
        )
    finally:
        keras.config.set_dtype_policy(before)
    if not isinstance(model, keras.Model):
        raise TypeError(f"model '{spec.model.name}' built a {type(model)}")
    return _remembering(model, spec, info.num_classes)


def _remembering(
    model: keras.Model, spec: ExperimentSpec, num_classes: int
) -> keras.Model:
    """The model, with what a loss has to keep of it."""
    if spec.loss is None:
        return model
    loss = registry.get("ls_tf.losses", spec.loss.name, "loss").Loss
    if not objective.learns_targets(loss):
        return model
    return label_memory.remembering(model, num_classes)


def answering(model: keras.Model) -> keras.Model:
    """The part of a network that inference computes; it shares the layers.

    Args:
        model: of ``build_model``.

    Returns:
        The model itself, or the same less its auxiliary head.

    Source: ours.
    """
    outputs = model.output
    if "auxiliary" not in outputs:
        return model
    kept = {name: outputs[name] for name in ("logits", "penultimate")}
    return keras.Model(model.input, kept, name=model.name)


def num_steps(spec: ExperimentSpec, num_examples: int) -> int:
    """The run's length in steps; a last part of a batch counts as a step."""
    train = spec.train
    if train.steps is not None:
        return train.steps
    if train.epochs is None:
        raise SpecError("train: wanted steps or epochs, got neither")
    steps = math.ceil(train.epochs * num_examples / batch_size(spec))
    bounds.check_steps(steps)
    return steps


def batch_size(spec: ExperimentSpec) -> int:
    """Examples of a batch, over all devices.

    Raises:
        SpecError: the specification counts in subwords.
    """
    size = spec.train.global_batch_size
    if size is None:
        raise SpecError(
            "train.global_batch_size: wanted a number, images are not counted "
            "in tokens"
        )
    return size


class Classification(LabelledImages):
    """One network trained on labels.

    Source: Mueller et al. 2019, section 1.1.
    """

    logged: tuple[str, ...] = ("loss", "nll", "accuracy")
    own_resident: tuple[str, ...] = ("label",)
    one_shape = True

    def __init__(
        self,
        spec: ExperimentSpec,
        data_dir: str | None,
        like: "Classification | None" = None,
    ) -> None:
        """Loads the training split and builds the network.

        Args:
            spec: the experiment.
            data_dir: where TFDS data lies, or a prepared file; None means
                TFDS's own default.
            like: a task on the same data, to share its arrays.

        Raises:
            ValueError: the data is missing or not as its contract says, the
                batch is larger than the data, or an option is out of range.
        """
        # First, since what does not fit is refused before data is read.
        self._loss = objective.build(spec, self.own_loss(spec))
        super().__init__(spec, data_dir, like)
        objective.check_classes(self._loss, self._num_classes)
        if self._streamed:
            self.own_resident = ()  # labels come with the photographs
        elif self._splits.cuts(spec.data.train):
            self.own_resident = ("image", "label")
        self._num_examples = (
            len(self._streamed.shards(spec.data.train))
            if self._streamed
            else len(self.labels("train"))
        )
        self.total_steps = num_steps(spec, self._num_examples)
        self.batch_sizes: tuple[int, ...] = (batch_size(spec),)
        self._augment = augment.compiled(self._augmentation.apply)
        self._plan = plan.EpochPlan(
            self._num_examples,
            batch_size(spec),
            spec.seed,
            None if self._streamed else self._augmentation,
            objective.num_draws(self._loss),
            objective.learns_targets(self._loss),
        )
        self._stream = self._training_stream()
        self.steps_at_once = (
            self._stream.steps_at_once if self._stream else None
        )
        self.resident: Mapping[str, np.ndarray] = (
            {} if self._streamed else self._resident(like)
        )
        self.hyperparameters: Mapping[str, float] = objective.hyperparameters(
            self._loss
        )
        self.model = build_model(spec, data_dir)
        self._answering = answering(self.model)
        self._forward: Callable[[Tensor], Mapping[str, Tensor]] = (
            Recomputed(self.model)
            if spec.train.remat
            else functools.partial(self.model, training=True)
        )
        self._check_auxiliary()
        self._prior = self._class_frequencies()

    def _check_auxiliary(self) -> None:
        """Refuses a weight of what is not there.

        Raises:
            SpecError: one line.
        """
        weight = self.spec.train.auxiliary_weight
        unread = TrainSpec.auxiliary_weight
        if "auxiliary" not in self.model.output and weight != unread:
            raise SpecError(
                f"train.auxiliary_weight: wanted {unread}, model "
                f"'{self.spec.model.name}' has no auxiliary head, got {weight}"
            )

    def _training_stream(self) -> Stream | None:
        if self._streamed is None:
            return None
        return self._streamed.training(
            self.spec.data.train,
            self._plan,
            seed=self.spec.seed,
            steps=self.total_steps,
        )

    def _resident(
        self, like: "Classification | None"
    ) -> Mapping[str, np.ndarray]:
        train = self.in_memory("train")
        # Of another tail the images are others.
        shares = like and like.in_memory("train")["image"] is train["image"]
        return {
            "image": like.resident["image"]
            if like and shares
            else self._augmentation.prepare(train["image"]),
            "label": train["label"],
        }

    def _class_frequencies(self) -> np.ndarray:
        """How often each class is a label of the training split; float32 [K].

        To count streamed labels takes a pass over the records: where the loss
        has no use for them, they are no numbers.
        """
        if self._streamed and not objective.needs_frequencies(self._loss):
            return np.full(self._num_classes, np.nan, np.float32)
        counts = np.bincount(self.labels("train"), minlength=self._num_classes)
        frequencies: np.ndarray = counts / self._num_examples
        return frequencies.astype(np.float32)

    def plan(self, start: int, count: int) -> Mapping[str, np.ndarray]:
        """See ``Task.plan``."""
        return self._plan.steps(start, count)

    def feed(
        self, start: int, count: int, part: tuple[int, int] = (0, 1)
    ) -> Mapping[str, np.ndarray]:
        """See ``Task.feed``: of photographs, ``image`` and ``label`` too."""
        if self._stream is None:
            return plan.part_of(self.plan(start, count), part)
        batches = self._stream.batches(start, count, part)
        steps = self.plan(start, len(batches["label"]))
        return {**plan.part_of(steps, part), **batches}

    def epoch(self, step: int) -> float:
        """See ``Task.epoch``."""
        return step * self.batch_sizes[0] / self._num_examples

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """See ``Task.batch``: ``image``, ``label``, ``weight``, draws."""
        index = draws["index"]
        if self._streamed:
            label = draws["label"]
            image = self._augmentation.evaluate(draws["image"])
        else:
            label = ops.take(resident["label"], index, axis=0)
            image = self._augment(resident["image"], index, draws)
        batch = {
            "image": image,
            "label": label,
            "weight": ops.ones(ops.shape(label), "float32"),
        }
        told = ("loss_draws", "epoch")
        return batch | {k: draws[k] for k in told if k in draws}

    @staticmethod
    def own_loss(spec: ExperimentSpec) -> Part:
        """The loss of an experiment that names none."""
        spread = spec.train.smoothing
        if spread == "uniform":
            return Part("smoothed_targets")
        return Part("label_smoothing", {"spread": spread})

    def loss(
        self, batch: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
    ) -> Sums:
        """See ``Task.loss``: also the plain NLL and the correct answers.

        An auxiliary head learns from what the logits learn from; its loss
        counts ``train.auxiliary_weight`` times.
        """
        outputs = self._forward(batch["image"])
        logits = ops.cast(outputs["logits"], "float32")
        answers = objective.Answers(
            labels=batch["label"],
            logits=logits,
            prior=self._prior,
            teacher_logits=batch.get("teacher_logits"),
            draws=batch.get("loss_draws"),
            learnt=self._learnt(batch, logits),
        )
        loss = objective.with_numbers(self._loss, hyperparameters)
        losses = loss(answers)
        if "auxiliary" in outputs:
            auxiliary = ops.cast(outputs["auxiliary"], "float32")
            losses += self.spec.train.auxiliary_weight * loss(
                dataclasses.replace(answers, logits=auxiliary)
            )
        return self._sums(batch, logits, losses)

    def _learnt(self, batch: Mapping[str, Tensor], logits: Tensor) -> Tensor:
        """The targets of the epoch before; adds the batch to this one's."""
        if not objective.learns_targets(self._loss):
            return None
        memory = self.model.get_layer(label_memory.NAME)
        memory.begin(batch["epoch"][0])
        memory.add(learnt_targets.seen(batch["label"], logits))
        return memory.targets.value

    def _sums(
        self, batch: Mapping[str, Tensor], logits: Tensor, losses: Tensor
    ) -> Sums:
        labels, weight = batch["label"], batch["weight"]
        correct = ops.cast(
            ops.equal(kernels.argmax(logits), labels),
            "float32",
        )
        scale = self.spec.train.loss_scale
        return {
            "loss": scale * ops.sum(weight * losses),
            "weight": ops.sum(weight),
            "nll": ops.sum(weight * label_smoothing.nll(labels, logits)),
            "accuracy": ops.sum(weight * correct),
        }

    def check_stack(self) -> None:
        """See ``Task.check_stack``: any two can that share their images.

        Raises:
            SpecError: each would be given photographs of its own.
        """
        if self._streamed:
            raise SpecError(
                f"--stack: wanted images in memory, which networks can share; "
                f"the photographs of {self.spec.data.name} are streamed"
            )

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See ``Task.predict``: float32 ``logits`` and ``penultimate``.

        Of a batch of ``augmented`` the images are changed as it says.
        """
        images = batch["image"]
        draws = {k: v for k, v in batch.items() if k not in ("image", "label")}
        if draws:
            places = ops.arange(ops.shape(images)[0], dtype="int32")
            images = self._augmentation.apply(images, places, draws)
        else:
            images = self._augmentation.evaluate(images)
        outputs = self._answering(images, training=False)
        return {
            name: ops.cast(outputs[name], "float32")
            for name in ("logits", "penultimate")
        }

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        """See ``Classifier.teacher_logits``: labels have no teacher."""
        return None

    def view(self, network: Inference) -> Classifier:
        """See ``Task.view``."""
        return ModelClassifier(self, network)


def build(
    spec: ExperimentSpec,
    *,
    data_dir: str | None,
    teacher: None = None,
    like: Classification | None = None,
) -> Classification:
    """Builds the task; see ``Classification``."""
    if spec.teacher is not None or teacher is not None:
        raise SpecError(
            "task 'classification' takes no teacher; use task 'distillation'"
        )
    return Classification(spec, data_dir, like)
