"""Finds a student's teacher through the records, and what it has answered."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_tf.protocols import Classifier, Task, View
from ls_tf.records import runs
from ls_tf.records.arrays import digest
from ls_tf.running.session import Session
from ls_tf.spec import DataSpec, ExperimentSpec, SpecError, registry
from ls_tf.spec.resolve import RunIdentity, teacher_of

if TYPE_CHECKING:
    from ls_tf.measuring.translator import ModelTranslator
    from ls_tf.pipeline.corpus import Corpus
    from ls_tf.tasks.distillation import Teacher


# A teacher's folder, and the seed that chooses the images that it answers to.
Taught = tuple[str, int | None]


class MissingRunError(SpecError):
    """A run that another one needs is not there; says how to make it."""


def run_of(identity: RunIdentity) -> RunIdentity | None:
    """Finds the run whose network teaches, if the run has a teacher.

    Raises:
        SpecError: it has other classes or another vocabulary; said before
            anybody trains it.
    """
    teacher = teacher_of(identity)
    if teacher is None:
        return None
    if identity.spec.task == "translation":
        _check_translation(identity.spec, teacher.spec)
        return teacher
    if teacher.spec.task == "translation":
        raise SpecError(
            "teacher: wanted a classification as the student, got task "
            "'translation'"
        )
    data = [run.spec.data for run in (identity, teacher)]
    names = [one.name for one in data]
    ours, theirs = map(_num_classes, data)
    if data[0].classes != data[1].classes and names[0] == names[1]:
        raise SpecError(
            "teacher: wanted data.classes as the student's, "
            f"{list(data[0].classes) or 'all'}, got "
            f"{list(data[1].classes) or 'all'}"
        )
    if (names[0], data[0].source) == (names[1], data[1].source):
        _check_own(*data)
    if None not in (ours, theirs) and ours != theirs:
        raise SpecError(
            f"teacher: wanted {ours} classes as the student's ({names[0]}), "
            f"got {theirs} ({names[1]})"
        )
    return teacher


def _check_own(student: DataSpec, teacher: DataSpec) -> None:
    """Refuses another reading of the same set, as one that is held out from.

    What a student is measured on its teacher has not seen either.
    """
    for field in ("label_column", "held_out", "held_out_seed"):
        ours, theirs = getattr(student, field), getattr(teacher, field)
        if ours != theirs:
            raise SpecError(
                f"teacher: wanted data.{field} as the student's, "
                f"{_named(ours)}, got {_named(theirs)}; "
                f"teacher.changes.data.{field} says it"
            )


def _named(value: object) -> str:
    return "none named" if value == "" else str(value)


def _num_classes(data: DataSpec) -> int | None:
    """How many classes are used; None where the user's own data says."""
    if data.classes:
        return len(data.classes)
    module = registry.get("ls_tf.data", data.name)
    if hasattr(module, "opened"):
        return None
    return int(getattr(module.INFO, "num_classes", 0))


def _check_translation(spec: ExperimentSpec, teacher: ExperimentSpec) -> None:
    """Refuses a teacher that answers in another vocabulary, or has a table."""
    if teacher.task != "translation":
        raise SpecError(
            "teacher: wanted a translation as the student, got task "
            f"'{teacher.task}'"
        )
    if spec.teacher is not None and spec.teacher.table == "always":
        raise SpecError(
            "teacher.table: wanted auto or never, a translation's teacher "
            "runs beside its student, got always"
        )
    ours, theirs = (
        f"{s.data.vocabulary_size} subwords of {s.data.name}/{s.data.train}"
        + (f" ({s.data.source})" if s.data.source else "")
        for s in (spec, teacher)
    )
    if ours != theirs:
        raise SpecError(
            f"teacher: wanted the student's vocabulary, {ours}, got {theirs}"
        )


def load(
    identity: RunIdentity,
    session: Session,
    known: "dict[Taught, Teacher]",
) -> "Teacher | None":
    """Loads the trained teacher of a run, if it has one.

    Args:
        identity: the run.
        session: the process's devices.
        known: the teachers of the runs that are trained in the same program;
            added to. The runs all have the same data, or tails of it.

    Returns:
        The teacher, with its table where the student uses one, or with its
        translations.

    Raises:
        MissingRunError: the teacher's run is missing or unfinished.
        SpecError: it has other classes, images or subwords.
        RunError: its table, or its translations, cannot be used.
        StoppedError: a signal came; what there is of these is kept.

    Source: ours.
    """
    taught_by = run_of(identity)
    if taught_by is None:
        return None
    tail = identity.spec.data.tail_power is not None
    taught = taught_by.folder, identity.spec.seed if tail else None
    if taught in known:
        return known[taught]
    from ls_tf.tasks import distillation
    from ls_tf.training import checkpoints
    from ls_tf.training.naming import assign_model

    runs_dir = session.machine.runs_dir
    record = runs.find(runs_dir, taught_by)
    if record is None:
        raise MissingRunError(
            f"the teacher's run is missing or unfinished; make it with: "
            f"{taught_by.command()} --runs_dir={runs_dir} "
            "(or add --run_missing)"
        )
    if session.worker[0] == 0:
        # Nobody else opens it again after a kill behind its end.
        runs.tidy(runs_dir, taught_by)
    folder = runs.checkpoint_folder(runs_dir, taught_by)
    checkpoint = checkpoints.latest(folder)
    if checkpoint is None:
        raise MissingRunError(
            f"the teacher's record {record.path} has no checkpoint; make it "
            f"with: {taught_by.command()} --runs_dir={runs_dir}"
        )
    steps = record.run.get("steps", checkpoint.step)
    if checkpoint.step != steps:
        raise MissingRunError(
            f"the teacher's record {record.path} has no whole checkpoint of "
            f"its last step, {steps}, but of step {checkpoint.step}; remove "
            f"the folder and make it with: {taught_by.command()} "
            f"--runs_dir={runs_dir}"
        )
    is_text = identity.spec.task == "translation"
    if not is_text:
        distillation.check_teacher(
            identity.spec, taught_by.spec, session.machine.data_dir
        )
    used = record.run.get("data", {}).get("subwords", {})
    teacher = distillation.Teacher(
        taught_by.spec,
        lambda model: assign_model(model, checkpoint.arrays),
        subwords=str(used.get("sha256", "")),
    )
    if not is_text and distillation.uses_table(identity.spec):
        table = _table(
            identity.spec,
            teacher,
            record,
            checkpoint.sha256,
            session,
        )
        teacher = dataclasses.replace(teacher, table=table)
    how = identity.spec.teacher
    if is_text and how is not None and how.translates:
        teacher = _with_translations(
            identity.spec, teacher, record, checkpoint.sha256, session
        )
    known[taught] = teacher
    return teacher


def _table(
    student: ExperimentSpec,
    teacher: "Teacher",
    record: runs.Record,
    weights: str,
    session: Session,
) -> np.ndarray:
    """The teacher's logits on every view of the student's training images."""
    from ls_tf.pipeline import augment, own
    from ls_tf.pipeline.in_memory import MemorySplits
    from ls_tf.training import tables

    module = own.of(student.data, session.machine.data_dir)
    splits = MemorySplits(
        module, student.data, session.machine.data_dir, student.seed
    )
    split = student.data.train
    images = splits.arrays(split)["image"]
    sha256 = digest(images)
    key = tables.Key(
        teacher=str(record.run["digest"]),
        weights=weights,
        data=student.data.name,
        split=f"{split}+{sha256[:12]}" if splits.cuts(split) else split,
        images=sha256,
        augmentation=student.data.augmentation,
        examples=len(images),
        views=augment.augmentation(student.data.augmentation).views or 0,
        classes=len(student.data.classes) or module.INFO.num_classes,
    )
    inference = _Inference(student, teacher, session)

    def logits_of(first: int, last: int) -> np.ndarray:
        rows = np.arange(first, last)
        return inference(rows // key.views, rows % key.views)

    return tables.obtain(
        tables.folder(record.path, key),
        key,
        logits_of,
        title=_title(record),
    )


def _title(record: runs.Record) -> str:
    return f"teacher {record.run['experiment']}, seed={record.run['seed']}"


def _with_translations(
    student: ExperimentSpec,
    teacher: "Teacher",
    record: runs.Record,
    weights: str,
    session: Session,
) -> "Teacher":
    """The teacher with its translations of the student's training sources."""
    from ls_tf.pipeline import usage
    from ls_tf.tasks import distillation, translation
    from ls_tf.training import translations

    if student.teacher is None:
        raise SpecError("wanted a student, it has no teacher")
    translation.checked_loss(student)  # before hours of work for nothing
    corpus = translation.open_corpus(student, session.machine.data_dir)
    distillation.same_subwords(corpus.digest, teacher.subwords)
    how = translations.search(student.teacher)
    sources = corpus.split(student.data.train).source
    key = translations.Key(
        teacher=str(record.run["digest"]),
        weights=weights,
        data=student.data.name,
        split=student.data.train,
        subwords=corpus.digest,
        sources=usage.digest(sources.tokens, sources.offsets),
        examples=len(sources),
        beam_size=how.beam_size,
        length_penalty=how.length_penalty,
        extra_length=how.extra_length,
    )
    # Built where something is missing, and once.
    translator = functools.cache(
        lambda: _translator(student, teacher, corpus, session)
    )
    found = translations.obtain(
        translations.folder(record.path, student, how),
        key,
        sources,
        lambda some: translator().translate(some, how),
        title=_title(record),
    )
    return dataclasses.replace(teacher, corpus=corpus, translations=found)


def _as_student(
    teacher: ExperimentSpec, student: ExperimentSpec, task: str
) -> ExperimentSpec:
    """A teacher's experiment on its student's data.

    Its batch is never trained on, but has to fit the data and the devices.
    """
    return dataclasses.replace(
        teacher,
        task=task,
        teacher=None,
        loss=None,
        data=student.data,
        seed=student.seed,
        train=dataclasses.replace(
            teacher.train,
            global_batch_size=student.train.global_batch_size,
            global_batch_tokens=student.train.global_batch_tokens,
        ),
    )


def _view(
    spec: ExperimentSpec,
    teacher: "Teacher",
    session: Session,
    make_task: Callable[[Task | None], Task],
) -> View:
    """What a teacher can be asked; in an engine, which has the devices."""
    import keras

    from ls_tf.training.engine import Recipe

    engine = session.engine(spec, lambda grads, *_: grads)
    engine.build([Recipe(make_task, lambda task: keras.optimizers.SGD())])
    (network,) = engine.networks
    teacher.load(network.task.model)
    return network.task.view(network)


def _translator(
    student: ExperimentSpec,
    teacher: "Teacher",
    corpus: "Corpus",
    session: Session,
) -> "ModelTranslator":
    """The teacher as a translator of the student's corpus."""
    from ls_tf.measuring.translator import ModelTranslator
    from ls_tf.tasks.translation import Translation

    spec = _as_student(teacher.spec, student, "translation")

    def make_task(like: Task | None) -> Task:
        data_dir = session.machine.data_dir
        made: Any = Translation(spec, data_dir, opened=corpus)
        task: Task = made
        return task

    view = _view(spec, teacher, session, make_task)
    if not isinstance(view, ModelTranslator):
        raise TypeError("task translation gives no translator")
    return view


class _Inference:
    """The teacher's plain inference on views of the student's images."""

    def __init__(
        self, student: ExperimentSpec, teacher: "Teacher", session: Session
    ) -> None:
        """Takes the parts; nothing is built before the first call."""
        # The teacher as a classifier of the student's images, of which a seed
        # may choose some.
        self._spec = _as_student(teacher.spec, student, "classification")
        self._teacher, self._session = teacher, session
        self._classifier: Classifier | None = None

    def __call__(self, index: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Float32 [n, K]: the logits of some views of training images."""
        if self._classifier is None:
            self._classifier = self._build()
        return self._classifier.views("train", index, view)

    def _build(self) -> Classifier:
        from ls_tf.tasks import classification

        spec, data_dir = self._spec, self._session.machine.data_dir

        def make_task(like: Task | None) -> Task:
            return classification.build(spec, data_dir=data_dir)

        view = _view(spec, self._teacher, self._session, make_task)
        if not isinstance(view, Classifier):
            raise TypeError(f"task {spec.task} gives no classifier")
        return view
