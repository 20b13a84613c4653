"""Distillation: a student trained on labels and on a teacher's logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from ls_tf.pipeline import augment, own
from ls_tf.protocols import Tensor
from ls_tf.spec import ExperimentSpec, Part, SpecError, TeacherSpec
from ls_tf.tasks.classification import (
    Classification,
    answering,
    build_model,
)

if TYPE_CHECKING:
    from ls_tf.pipeline.corpus import Corpus
    from ls_tf.pipeline.ragged import Ragged

_TEACHER_BATCH = 1000


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained teacher: its specification and how to load its weights.

    Attributes:
        spec: the teacher's experiment.
        load: gives a model of that experiment the trained weights.
        table: float16 [N, V, K], its logits on every view of the student's
            training images, where ``uses_table`` wants them. Students of one
            teacher in one program are given the same object.
        subwords: SHA-256 of a translation's vocabulary, "" where its record
            does not say.
        corpus: what a translation's student learns from, where it is open
            already; else the student opens it.
        translations: N sentences as subwords: what the student's training
            sources are to be translated to, where the teacher says that.
    """

    spec: ExperimentSpec
    load: Callable[[keras.Model], None]
    table: np.ndarray | None = None
    subwords: str = ""
    corpus: "Corpus | None" = None
    translations: "Ragged | None" = None


def uses_table(spec: ExperimentSpec) -> bool:
    """Tells whether a student takes its teacher's logits from a stored table.

    Args:
        spec: the student's experiment, with a teacher.

    Returns:
        False where the teacher runs beside the student, and where the logits
        of images that have one view are made at the start, in memory.

    Raises:
        SpecError: a table is asked for and the views cannot be counted.

    Source: ours.
    """
    how = spec.teacher
    views = augment.augmentation(spec.data.augmentation).views
    if how is None or how.table == "never":
        return False
    if views is None and how.table == "always":
        raise SpecError(
            "teacher.table: wanted auto or never, got always: the views of "
            f"data.augmentation '{spec.data.augmentation}' are continuous "
            "and cannot be stored"
        )
    return views is not None and views > 1


def check_teacher(
    spec: ExperimentSpec,
    teacher: ExperimentSpec,
    data_dir: str | None = None,
) -> None:
    """Refuses a teacher of other images, before it is built.

    Args:
        spec: the student's experiment.
        teacher: the teacher's.
        data_dir: see ``build_model``.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    infos = [own.of(network.data, data_dir).INFO for network in (spec, teacher)]
    _same_images(
        *(
            augment.augmentation(network.data.augmentation).output_shape(
                info.image_shape
            )
            for network, info in zip((spec, teacher), infos, strict=True)
        )
    )


def own_loss(spec: ExperimentSpec) -> Part:
    """Says which loss a student has whose experiment names none.

    Args:
        spec: the student's experiment.

    Returns:
        Part: what ``teacher.matching`` means.

    Raises:
        SpecError: there is no teacher, or the labels are not hard.

    Source: ours.
    """
    how = spec.teacher
    if how is None:
        raise SpecError(f"task '{spec.task}' needs a teacher")
    if spec.loss is None and spec.train.alpha:
        raise SpecError(
            "alpha: wanted 0, a distilled student's labels are hard, got "
            f"{spec.train.alpha}"
        )
    if how.matching == "logits":
        return Part("logit_matching", {"reduction": how.logit_reduction})
    squared = how.scale_by_temperature_squared
    return Part("soft_targets", {"scale_by_temperature_squared": squared})


def _same_classes(ours: int, theirs: int) -> None:
    if ours != theirs:
        raise SpecError(
            f"teacher: wanted {ours} classes as the student's, got {theirs}"
        )


def _same_images(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    if ours != theirs:
        raise SpecError(
            f"teacher: wanted images of the student's shape {ours}, got "
            f"{theirs}"
        )


def same_subwords(ours: str, theirs: str) -> None:
    """Refuses a teacher that answers in other subwords.

    Args:
        ours: SHA-256 of the student's vocabulary.
        theirs: of the teacher's; "" where its record does not say.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    if theirs not in ("", ours):
        raise SpecError(
            f"teacher: wanted the student's subwords ({ours[:12]}), got others "
            f"({theirs[:12]})"
        )


def targets(
    spec: ExperimentSpec, teacher: Teacher, labels: "Ragged"
) -> "Ragged":
    """Gives what a student learns to say of each training source.

    Args:
        spec: the student's experiment.
        teacher: its teacher.
        labels: N sentences: the targets of the data set.

    Returns:
        Ragged: these, or the teacher's translations where the student's are
        those.

    Raises:
        SpecError: the teacher has not as many; one line.

    Source: Kim and Rush 2016, section 3.2.
    """
    if spec.teacher is None or not spec.teacher.translates:
        return labels
    found = teacher.translations
    if found is None or len(found) != len(labels):
        raise SpecError(
            f"teacher: wanted {len(labels)} translations of the training "
            f"split, got {0 if found is None else len(found)}"
        )
    return found


class Distillation(Classification):
    """A student of a frozen teacher; both see the same augmented view.

    Where the views of an image can be counted, the teacher's logits on all
    of them are made once and stay on the device beside the labels; else the
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
        super().__init__(spec, data_dir, like)
        self._how: TeacherSpec = spec.teacher
        self._taught_by = teacher
        taught_by = build_model(teacher.spec, data_dir)
        teacher.load(taught_by)
        self._teacher = answering(taught_by)
        self._teacher.trainable = False
        _same_classes(
            *(m.output["logits"].shape[-1] for m in (self.model, self._teacher))
        )
        _same_images(*(m.input_shape[1:] for m in (self.model, self._teacher)))
        logits = self._stored_logits(like)
        if logits is not None:
            self.resident = {**self.resident, "teacher_logits": logits}
            self.own_resident = (*self.own_resident, "teacher_logits")

    def _stored_logits(self, like: "Distillation | None") -> np.ndarray | None:
        """The teacher's logits on all views; None if it runs beside.

        Returns:
            float16 [N, V, K], or float32 [N, K] where there is one view.
        """
        if uses_table(self.spec):
            table = self._taught_by.table
            wanted = (self._num_examples, self.num_views, self._num_classes)
            if table is None or table.shape != wanted:
                raise SpecError(
                    f"teacher: wanted a table {list(wanted)} of its logits, "
                    f"got {None if table is None else list(table.shape)}"
                )
            return table
        if self._how.table == "never" or self.num_views != 1:
            return None
        if like is not None and like._taught_by is self._taught_by:
            return like.resident["teacher_logits"]
        return self._logits_of(self.in_memory("train")["image"])

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

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        """See ``Classifier.teacher_logits``."""
        logits = self.resident.get("teacher_logits")
        if logits is None:
            if every_view:
                return None
            logits = self._logits_of(self.in_memory("train")["image"])
        if logits.ndim == 2:
            return logits[:, None]
        if every_view:
            return logits
        central = self._augmentation.central
        return logits[:, central : central + 1]

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """See ``Task.batch``: the teacher's logits stand beside the labels."""
        batch = super().batch(resident, draws)
        if "teacher_logits" in resident:
            stored, row = resident["teacher_logits"], draws["index"]
            if len(stored.shape) == 3:
                _, views, classes = stored.shape
                row = row * views + self._augmentation.view_of(draws)
                stored = ops.reshape(stored, (-1, classes))
            logits = ops.take(stored, row, axis=0)
        else:
            logits = self._teacher(batch["image"], training=False)["logits"]
        return {**batch, "teacher_logits": ops.cast(logits, "float32")}

    @staticmethod
    def own_loss(spec: ExperimentSpec) -> Part:
        """The loss of an experiment that names none."""
        return own_loss(spec)

    def check_stack(self) -> None:
        """See ``Task.check_stack``: not if the teachers run beside.

        Raises:
            SpecError: beside the student each needs its own teacher, or see
                ``Classification``.
        """
        super().check_stack()
        if "teacher_logits" not in self.resident:
            raise SpecError(
                "--stack: students that run their teacher beside them cannot "
                "share one program; wanted views that can be counted and "
                "teacher.table=auto, got data.augmentation="
                f"{self.spec.data.augmentation}, teacher.table="
                f"{self._how.table}"
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
