"""Distillation: a student trained on labels and on a teacher's logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf.losses import distillation
from ls_tf.spec import ExperimentSpec, SpecError, TeacherSpec
from ls_tf.tasks._protocol import Sums, Tensor
from ls_tf.tasks.classification import Classification, build_model

_TEACHER_BATCH = 1000


@dataclass(frozen=True)
class Teacher:
    """A trained teacher: its specification, and how to load its weights."""

    spec: ExperimentSpec
    load: Callable[[keras.Model], None]


class Distillation(Classification):
    """A student of a frozen teacher; both see the same augmented view.

    Without augmentation every example has one view, so the teacher's logits
    are computed once and stay on the device beside the labels; with it, the
    teacher runs beside the student, in inference mode.

    Source: Mueller et al. 2019, section 4 and App. A.5.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        data_dir: str | None,
        teacher: Teacher,
        like: "Distillation | None" = None,
    ) -> None:
        """Builds student and teacher.

        Args:
            spec: the student's experiment.
            data_dir: see ``Classification``.
            teacher: the trained teacher.
            like: see ``Classification``.

        Raises:
            ValueError: see ``Classification``; or teacher and student have
                not the same classes.
        """
        if spec.teacher is None:
            raise SpecError("task 'distillation' needs a teacher")
        if spec.train.alpha:
            raise SpecError(
                "alpha: wanted 0, a distilled student's labels are hard, got "
                f"{spec.train.alpha}"
            )
        super().__init__(spec, data_dir, like)
        self._how: TeacherSpec = spec.teacher
        self.hyperparameters = {
            "beta": self._how.beta,
            "teacher_temperature": self._how.teacher_temperature,
            "student_temperature": self._how.student_temperature,
        }
        self._teacher = build_model(teacher.spec)
        teacher.load(self._teacher)
        self._teacher.trainable = False
        ours, theirs = (
            m.output["logits"].shape[-1] for m in (self.model, self._teacher)
        )
        if ours != theirs:
            raise SpecError(
                f"teacher: wanted {ours} classes as the student's, got {theirs}"
            )
        ours, theirs = (m.input_shape for m in (self.model, self._teacher))
        if ours != theirs:
            raise SpecError(
                "teacher: wanted images of the student's shape "
                f"{ours[1:]}, got {theirs[1:]}"
            )
        if spec.data.augmentation == "none":
            logits = self._logits_of(self.examples("train")["image"])
            self.resident["teacher_logits"] = logits
            self.own_resident = ("teacher_logits",)

    def _logits_of(self, images: np.ndarray) -> np.ndarray:
        parts = [
            ops.convert_to_numpy(
                self._teacher(
                    self._augmentation.evaluate(
                        ops.convert_to_tensor(images[i : i + _TEACHER_BATCH])
                    ),
                    training=False,
                )["logits"]
            )
            for i in range(0, len(images), _TEACHER_BATCH)
        ]
        return np.concatenate(parts).astype(np.float32)

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """See ``Task.batch``: the teacher's logits stand beside the labels."""
        batch = super().batch(resident, draws)
        if "teacher_logits" in resident:
            logits = ops.take(
                resident["teacher_logits"], draws["index"], axis=0
            )
        else:
            logits = self._teacher(batch["image"], training=False)["logits"]
        return {**batch, "teacher_logits": ops.cast(logits, "float32")}

    def loss(
        self, batch: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
    ) -> Sums:
        """See ``Task.loss``: (1 - beta) H(labels) + beta x the match."""
        outputs = self.model(batch["image"], training=True)
        logits = ops.cast(outputs["logits"], "float32")
        how, beta = self._how, hyperparameters["beta"]
        if how.matching == "logits":
            losses = distillation.logit_matching_loss(
                batch["label"],
                logits,
                batch["teacher_logits"],
                beta=beta,
                reduction=how.logit_reduction,
            )
        else:
            squared = how.scale_by_temperature_squared
            student = hyperparameters["student_temperature"]
            teacher = hyperparameters["teacher_temperature"]
            losses = distillation.distillation_loss(
                batch["label"],
                logits,
                batch["teacher_logits"],
                beta=beta,
                # One temperature where its square scales: the specification
                # has checked that they are equal.
                teacher_temperature=student if squared else teacher,
                student_temperature=student,
                scale_by_temperature_squared=squared,
            )
        return self._sums(batch, logits, losses)

    def check_stack(self) -> None:
        """See ``Task.check_stack``: not if the teachers run beside.

        Raises:
            SpecError: with augmentation each student needs its own teacher.
        """
        if "teacher_logits" not in self.resident:
            raise SpecError(
                "--stack: students of augmented images run their teacher "
                "beside them and cannot share one program; wanted "
                "data.augmentation=none"
            )


def build(
    spec: ExperimentSpec,
    *,
    data_dir: str | None,
    teacher: Teacher | None,
    like: Distillation | None = None,
) -> Distillation:
    """Builds the task; see ``Distillation``."""
    if teacher is None:
        raise SpecError("task 'distillation' needs a trained teacher")
    return Distillation(spec, data_dir, teacher, like)
