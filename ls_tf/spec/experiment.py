"""The dataclasses of an experiment, dotted overrides and the digest.

An experiment is data: a frozen dataclass says what to run, code elsewhere says
how. Only the standard library is imported here, so that the command line can
print or refuse a specification in a fraction of a second.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ls_tf.spec.changes import SHORT
from ls_tf.spec.values import (
    SpecError,
    Value,
    canonical_text,
    checked,
    default_of,
    frozen,
    groups,
    item_kind,
    nearest,
    parse,
)

# (field of the experiment, name of its part) -> option -> kind, or None if
# the options of such a part are not known here.
Signatures = Callable[[str, str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Part:
    """A module (or class) by name, and the arguments of its ``build``."""

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSpec:
    """Which data set, and which of its examples serve which role.

    Splits are written as TFDS writes them: ``train[:40000]``.
    """

    name: str
    train: str
    calibrate: str
    report: str
    augmentation: str = "none"
    # Temperature fitted and reported on the same examples needs a reason.
    same_split_reason: str = ""
    # Of texts: the user's own files; subwords to learn; longest pair trained
    # on, in subwords.
    source: str = ""
    vocabulary_size: int = 0
    max_length: int = 256


@dataclass(frozen=True)
class TrainSpec:
    """Length, batch, targets and regularisation of a training.

    Length is in steps or in epochs, one of them. A batch is over all devices,
    and counted in examples, or, of texts, in padded subwords of the longer
    side. ``alpha`` mixes the label with the uniform distribution:
    (1 - alpha) y + alpha / K.
    """

    alpha: float
    global_batch_size: int | None = None
    global_batch_tokens: int | None = None
    steps: int | None = None
    epochs: float | None = None
    # "uniform" alpha/K | "others" eps/(K-1) | "prior" class frequencies
    smoothing: str = "uniform"
    loss_scale: float = 1.0
    weight_decay: float = 0.0  # coupled: adds weight_decay * w to the gradient
    decay_exclude: tuple[str, ...] = ()
    clip_global_norm: float = 0.0  # 0: off
    ema_momentum: float = 0.0  # 0: no weight average
    log_every_steps: int = 100
    checkpoint_every_steps: int = 1000
    # Whether XLA gets the loop over the steps as one program; false suits
    # convolutions on a CPU. TensorFlow: no XLA then; JAX: step by step.
    xla: bool = True
    # "float32" | "tensorfloat32" (matrix products only) | "bfloat16" (mixed)
    precision: str = "float32"


@dataclass(frozen=True)
class EvaluatorSpec:
    """One measurement: which evaluator, on which role's split, how often.

    ``every_steps=0`` measures at the end only.
    """

    name: str
    role: str = "report"  # a field of DataSpec: train, calibrate or report
    every_steps: int = 0
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherSpec:
    """The run whose network teaches, and how its logits are used.

    The teacher is found through the run records. ``seed=None`` takes the
    student's own seed. ``matching`` is "soft" (cross-entropy of tempered
    probabilities) or "logits" (half the squared logit error). ``table`` says
    whether the teacher's logits on every view of the images are made once,
    kept in float16 and shared: "auto" where the views can be counted and are
    more than one, "always" (refused where they cannot), or "never": then the
    teacher runs beside the student.
    """

    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict)
    seed: int | None = None
    beta: float = 1.0
    matching: str = "soft"
    teacher_temperature: float = 1.0
    student_temperature: float = 1.0
    scale_by_temperature_squared: bool = False
    logit_reduction: str = "sum"
    table: str = "auto"  # an image of one view has its logits in memory


@dataclass(frozen=True)
class ExperimentSpec:
    """Everything that decides the numbers of a run."""

    task: str
    model: Part
    data: DataSpec
    train: TrainSpec
    optimizer: Part
    schedule: Part
    evaluators: tuple[EvaluatorSpec, ...]
    learning_rate: float
    seed: int = 0
    teacher: TeacherSpec | None = None
    # Overrides that shrink the run to seconds; applied by --smoke.
    smoke: Mapping[str, Value] = field(default_factory=dict)


def digest(spec: ExperimentSpec) -> str:
    """Names a specification by its content.

    Fields at their default value do not count, so that a field added later,
    with a default that means "as before", leaves old records valid.

    Args:
        spec: a resolved specification.

    Returns:
        str: 64 hexadecimal digits (SHA-256 of the canonical JSON).

    Source: ours.
    """
    return hashlib.sha256(canonical_text(spec).encode()).hexdigest()


def from_dict(data: Mapping[str, Any]) -> ExperimentSpec:
    """Rebuilds a specification from what ``as_dict`` gave.

    Raises:
        SpecError: a field is unknown, missing, of a wrong type or out of
            range.
    """
    spec: ExperimentSpec = _built(ExperimentSpec, data, "specification")
    check(spec)
    return spec


def _built(kind: Any, data: Any, path: str) -> Any:
    """Builds a field's value: dataclasses from dicts, tuples from lists."""
    group = groups(kind)
    if not group or data is None:
        return frozen(data)
    if isinstance(data, list | tuple) and item_kind(kind) is group[0]:
        return tuple(
            _built(group[0], d, f"{path}.{i}") for i, d in enumerate(data)
        )
    if not isinstance(data, Mapping):
        raise SpecError(f"{path}: wanted fields, got {data!r}")
    known = {f.name: f for f in dataclasses.fields(group[0])}
    for name in data:
        if name not in known:
            raise SpecError(f"no field '{path}.{name}'; {nearest(name, known)}")
    for name, f in known.items():
        if name not in data and default_of(f) is dataclasses.MISSING:
            raise SpecError(f"{path}: has no field '{name}'")
    return group[0](
        **{k: _built(known[k].type, v, f"{path}.{k}") for k, v in data.items()}
    )


def _words(path: str) -> list[str]:
    """Takes a path apart; what a teacher's changes name is one word."""
    path = SHORT.get(path, path)
    head = "teacher.changes."
    if path.startswith(head):
        return ["teacher", "changes", path.removeprefix(head)]
    return path.split(".")


def _fields(value: Any) -> dict[str, Any]:
    """The names and kinds of a dataclass's fields."""
    return {
        f.name: f.type for f in dataclasses.fields(value) if f.name != "smoke"
    }


def _child(value: Any, kind: Any, word: str, path: str) -> tuple[Any, Any]:
    """The value and kind of one field; what is not there yet is None."""
    if dataclasses.is_dataclass(value):
        known = _fields(value)
        if word not in known:
            raise SpecError(f"no field '{path}'; {nearest(word, known)}")
        return getattr(value, word), known[word]
    if isinstance(value, Mapping):
        found = value.get(word)
        return found, None if found is None else type(found)
    if isinstance(value, tuple) and value:
        if not word.isdecimal() or int(word) >= len(value):
            raise SpecError(
                f"no field '{path}'; existing: 0 to {len(value) - 1}"
            )
        return value[int(word)], item_kind(kind) or type(value[int(word)])
    before = path.rpartition(".")[0]
    if value is None and kind is None:
        return None, None
    if value is None and groups(kind):
        raise SpecError(f"no field '{path}': this experiment has no {before}")
    raise SpecError(f"no field '{path}': '{before}' has no fields")


def _refuse_group(value: Any, kind: Any, words: list[str]) -> None:
    path = ".".join(words)
    if dataclasses.is_dataclass(value) or groups(kind):
        if isinstance(value, tuple):
            names = [str(i) for i in range(len(value))]
        else:
            names = list(_fields(groups(kind)[0]))
    elif words[-1] in ("options", "changes") and isinstance(value, Mapping):
        names = list(value) or ["NAME"]
    else:
        return
    raise SpecError(
        f"'{path}' is a group of fields, wanted one of "
        f"{', '.join(f'{path}.{name}' for name in names)}"
    )


def kind_of(
    spec: ExperimentSpec, path: str, signatures: Signatures | None = None
) -> Any:
    """Gives the type of a field by its dotted path.

    Args:
        spec: an experiment.
        path: e.g. ``train.alpha`` or ``model.options.hidden``.
        signatures: callable (field, part name) -> {option: type} or None if
            unknown; it lets options be checked against the signature of the
            part's function.

    Returns:
        The annotation of the field, or None if anything is allowed.

    Raises:
        SpecError: if there is no such field; lists what exists.

    Source: ours.
    """
    words = _words(path)
    value: Any = spec
    kind: Any = ExperimentSpec
    known: Mapping[str, Any] | None = None
    for depth, word in enumerate(words):
        parent, here = value, ".".join(words[: depth + 1])
        value, kind = _child(parent, kind, word, here)
        if known is not None:
            if word not in known:
                raise SpecError(f"no field '{here}'; {nearest(word, known)}")
            kind = known[word]
        is_part = word == "options" and isinstance(parent, Part | EvaluatorSpec)
        known = (
            signatures(words[0], parent.name)
            if signatures and is_part
            else None
        )
    _refuse_group(value, kind, words)
    return kind


def override(
    spec: ExperimentSpec,
    changes: Mapping[str, Value],
    signatures: Signatures | None = None,
) -> ExperimentSpec:
    """Replaces fields by their dotted paths.

    A length in steps and one in epochs exclude each other: the later wins.

    Args:
        spec: an experiment.
        changes: path -> value; a value that is a str is parsed as the field's
            type.
        signatures: see ``kind_of``.

    Returns:
        A new specification, checked.

    Raises:
        SpecError: no such field, wrong type, or a value out of range.

    Source: ours.
    """
    for path, value in changes.items():
        kind = kind_of(spec, path, signatures)
        if isinstance(value, str):
            value = parse(value, kind, path)
        spec = _replaced(spec, _words(path), checked(value, kind, path))
        if value is not None and path in ("train.steps", "train.epochs"):
            other = "epochs" if path.endswith("steps") else "steps"
            spec = _replaced(spec, ["train", other], None)
    check(spec)
    return spec


def _replaced(value: Any, words: list[str], new: Value) -> Any:
    if not words:
        return new
    head, rest = words[0], words[1:]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = _replaced(getattr(value, head), rest, new)
        return dataclasses.replace(value, **{head: inner})
    if isinstance(value, tuple):
        items = list(value)
        items[int(head)] = _replaced(items[int(head)], rest, new)
        return tuple(items)
    value = value or {}
    return {**value, head: _replaced(value.get(head), rest, new)}


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise SpecError(message)


def _check_kinds(value: Any, prefix: str) -> None:
    """Refuses a field whose value is not of its type."""
    for name, kind in _fields(value).items():
        item, path = getattr(value, name), f"{prefix}{name}"
        if dataclasses.is_dataclass(item):
            checked(item, kind, path)
            _check_kinds(item, f"{path}.")
        elif isinstance(item, tuple) and groups(kind):
            for i, one in enumerate(item):
                checked(one, item_kind(kind), f"{path}.{i}")
                _check_kinds(one, f"{path}.{i}.")
        else:
            checked(item, kind, path)


def check(spec: ExperimentSpec) -> None:
    """Refuses values of a wrong type or out of range.

    Raises:
        SpecError: one line: the field, what was wanted, what came.
    """
    _check_kinds(spec, "")
    _check_train(spec.train)
    _require(spec.seed >= 0, f"seed: wanted 0 or more, got {spec.seed}")
    _require(
        spec.learning_rate > 0,
        f"learning_rate: wanted more than 0, got {spec.learning_rate}",
    )
    d = spec.data
    _require(
        d.calibrate != d.report or bool(d.same_split_reason),
        "data: calibrate and report are the same split "
        f"('{d.report}'); say why in data.same_split_reason",
    )
    _check_evaluators(spec.evaluators)
    if spec.teacher is not None:
        _check_teacher(spec.teacher)


def _check_train(t: TrainSpec) -> None:
    _require(0.0 <= t.alpha <= 1.0, f"alpha: wanted 0 to 1, got {t.alpha}")
    _require(
        (t.steps is None) != (t.epochs is None),
        "train: wanted steps or epochs, one of them, got "
        f"steps={t.steps} and epochs={t.epochs}",
    )
    _require(
        (t.global_batch_size is None) != (t.global_batch_tokens is None),
        "train: wanted global_batch_size or global_batch_tokens, one of them, "
        f"got global_batch_size={t.global_batch_size} and "
        f"global_batch_tokens={t.global_batch_tokens}",
    )
    for name in (
        "steps",
        "global_batch_size",
        "global_batch_tokens",
        "log_every_steps",
        "checkpoint_every_steps",
    ):
        count = getattr(t, name)
        _require(
            count is None or count > 0,
            f"train.{name}: wanted 1 or more, got {count}",
        )
    for name in ("epochs", "loss_scale"):
        value = getattr(t, name)
        _require(
            value is None or value > 0,
            f"train.{name}: wanted more than 0, got {value}",
        )
    for name in ("weight_decay", "clip_global_norm"):
        value = getattr(t, name)
        _require(value >= 0, f"train.{name}: wanted 0 or more, got {value}")
    _require(
        0 <= t.ema_momentum < 1,
        f"train.ema_momentum: wanted 0 or more, below 1, got {t.ema_momentum}",
    )
    kinds = ("uniform", "others", "prior")
    _require(
        t.smoothing in kinds,
        f"train.smoothing: got '{t.smoothing}'; {nearest(t.smoothing, kinds)}",
    )
    kinds = ("float32", "tensorfloat32", "bfloat16")
    _require(
        t.precision in kinds,
        f"train.precision: got '{t.precision}'; {nearest(t.precision, kinds)}",
    )


def _check_evaluators(evaluators: tuple[EvaluatorSpec, ...]) -> None:
    roles = ("train", "calibrate", "report")
    seen = set()
    for e in evaluators:
        _require(
            e.role in roles,
            f"evaluators: no role '{e.role}'; {nearest(e.role, roles)}",
        )
        _require(
            e.every_steps >= 0,
            f"evaluators: every_steps: wanted 0 or more, got {e.every_steps}",
        )
        # Their measurements would have the same file.
        _require(
            (e.name, e.role) not in seen,
            f"evaluators: '{e.name}' on '{e.role}' stands twice",
        )
        seen.add((e.name, e.role))


def _check_teacher(teacher: TeacherSpec) -> None:
    _require(
        0.0 <= teacher.beta <= 1.0,
        f"teacher.beta: wanted 0 to 1, got {teacher.beta}",
    )
    _require(
        teacher.seed is None or teacher.seed >= 0,
        f"teacher.seed: wanted 0 or more, got {teacher.seed}",
    )
    kinds = ("soft", "logits")
    _require(
        teacher.matching in kinds,
        f"teacher.matching: got '{teacher.matching}'; "
        f"{nearest(teacher.matching, kinds)}",
    )
    reductions = ("sum", "mean")
    _require(
        teacher.logit_reduction in reductions,
        f"teacher.logit_reduction: got '{teacher.logit_reduction}'; "
        f"{nearest(teacher.logit_reduction, reductions)}",
    )
    tables = ("auto", "always", "never")
    _require(
        teacher.table in tables,
        f"teacher.table: got '{teacher.table}'; "
        f"{nearest(teacher.table, tables)}",
    )
    for name in ("teacher_temperature", "student_temperature"):
        value = getattr(teacher, name)
        _require(value > 0, f"teacher.{name}: wanted more than 0, got {value}")
    _require(
        not teacher.scale_by_temperature_squared
        or teacher.teacher_temperature == teacher.student_temperature,
        "teacher.scale_by_temperature_squared: wanted one temperature, got "
        f"teacher {teacher.teacher_temperature} and student "
        f"{teacher.student_temperature}",
    )
