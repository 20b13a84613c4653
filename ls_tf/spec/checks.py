"""Whether a specification can be run: the types and ranges of its fields.

A record's plain data becomes a specification here too, checked alike.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

from ls_tf.spec.bounds import check_bounds
from ls_tf.spec.changes import SHORT_OF
from ls_tf.spec.experiment import (
    LOSS_NUMBERS,
    LOSS_STANDS_FOR,
    WEIGHTS,
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    TeacherSpec,
    TrainSpec,
)
from ls_tf.spec.values import (
    SpecError,
    checked,
    default_of,
    fields_of,
    frozen,
    groups,
    item_kind,
    nearest,
    shown,
)

_SUM_TOLERANCE = 1e-6  # of probabilities, as they are typed
_LARGEST_SIDE = 4096  # of an image in memory, in pixels
# Fields of a teacher that say how it translates, and what is learnt from its
# probabilities.
_SEARCH = ("beam_size", "length_penalty", "extra_length")
_OF_ANSWERS = (
    "matching",
    "teacher_temperature",
    "student_temperature",
    "scale_by_temperature_squared",
    "logit_reduction",
    "table",
)


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


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise SpecError(message)


def _require_name(name: str, existing: tuple[str, ...], where: str) -> None:
    """Refuses a name that does not exist; looks for a near one only then."""
    if name not in existing:
        raise SpecError(f"{where}{nearest(name, existing)}")


def _check_kinds(value: Any, prefix: str) -> None:
    """Refuses a field whose value is not of its type."""
    for name, kind in fields_of(value).items():
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
    _require(
        0 <= d.allow_left_out <= 1,
        f"data.allow_left_out: wanted 0 to 1, got {d.allow_left_out}",
    )
    _check_label_noise(d)
    _check_long_tail(d)
    _check_classes(d)
    _check_own(d)
    _check_evaluators(spec.evaluators)
    if spec.teacher is not None:
        _check_teacher(spec.teacher)
        _check_targets(spec.teacher, spec.task)
    if spec.loss is not None:
        _check_stood_for(spec, spec.loss.name)
    _check_weights(spec)
    check_bounds(spec)


def _check_label_noise(data: DataSpec) -> None:
    """Refuses changes of labels that no chance can make."""
    path, rows = "data.label_transition", data.label_transition
    _require(
        0 <= data.label_kept <= 1,
        f"data.label_kept: wanted 0 to 1, got {data.label_kept}",
    )
    _require(
        not rows or data.label_kept == 1,
        f"{path}: wanted none beside data.label_kept={data.label_kept}",
    )
    for number, row in enumerate(rows):
        _require(
            len(row) == len(rows),
            f"{path}.{number}: wanted {len(rows)} probabilities, one for each "
            f"row, got {len(row)}",
        )
        _require(
            min(row) >= 0 and abs(math.fsum(row) - 1) <= _SUM_TOLERANCE,
            f"{path}.{number}: wanted probabilities that sum to 1, got "
            f"{shown(row)}",
        )
    name = "data.noisy_labels"
    _require_name(
        data.noisy_labels,
        ("train", "all"),
        f"{name}: got {shown(data.noisy_labels)}; ",
    )
    _require(
        data.has_label_noise or data.noisy_labels == DataSpec.noisy_labels,
        f"{name}: wanted {DataSpec.noisy_labels}, no label is changed, got "
        f"{data.noisy_labels}",
    )


def _check_long_tail(data: DataSpec) -> None:
    """Refuses tails that no data has."""
    power, largest = data.tail_power, data.tail_largest
    least, default = data.tail_smallest, DataSpec.tail_smallest
    _require(
        power is None or power > 0,
        f"data.tail_power: wanted more than 0, got {power}",
    )
    _require(
        least >= 1,
        "data.tail_smallest: wanted 1 or more, no class is left without "
        f"examples, got {least}",
    )
    _require(
        largest is None or largest >= least,
        f"data.tail_largest: wanted data.tail_smallest={least} or more, got "
        f"{largest}",
    )
    _require(
        power is not None or (largest is None and least == default),
        "data.tail_power: wanted a number beside data.tail_largest and "
        "data.tail_smallest, got none",
    )


def _check_classes(data: DataSpec) -> None:
    """Refuses classes that are too few, or named twice."""
    path, classes = "data.classes", data.classes
    _require(
        len(classes) != 1,
        f"{path}: wanted 2 classes or more, got {shown(classes)}",
    )
    _require(
        len(set(classes)) == len(classes) and min(classes, default=0) >= 0,
        f"{path}: wanted different ids of 0 or more, got {shown(classes)}",
    )
    _require(
        not classes
        or not (data.has_label_noise or data.tail_power is not None),
        f"{path}: wanted none beside changed labels or a long tail, got "
        f"{shown(classes)}",
    )


def _check_own(data: DataSpec) -> None:
    """Refuses sizes and shares that no images have."""
    size, share, seed = data.image_size, data.held_out, data.held_out_seed
    _require(
        not size
        or (len(size) == 2 and 1 <= min(size) <= max(size) <= _LARGEST_SIDE),
        "data.image_size: wanted a height and a width of 1 to "
        f"{_LARGEST_SIDE}, got {shown(size)}",
    )
    _require(
        data.channels in (0, 1, 3),
        "data.channels: wanted 1, 3 or 0 (as the images are), got "
        f"{data.channels}",
    )
    _require(
        0 <= share < 1,
        f"data.held_out: wanted 0 or more, below 1, got {share}",
    )
    _require(
        seed == 0 or (seed > 0 and share > 0),
        "data.held_out_seed: wanted 0 or more, and data.held_out beside it, "
        f"got {seed}",
    )


def _check_weights(spec: ExperimentSpec) -> None:
    """Refuses weights of what has none, and a file of no known form."""
    for name in ("optimizer", "schedule", "loss"):
        part = getattr(spec, name)
        _require(
            part is None or not part.weights,
            f"{name}.weights: wanted nothing, a model alone starts from "
            f"weights, got {shown(part and part.weights)}",
        )
    weights = spec.model.weights
    _require(
        not weights or weights.endswith(WEIGHTS),
        f"model.weights: wanted a file named {', '.join(WEIGHTS)}, got "
        f"{shown(weights)}",
    )


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
    for name in ("weight_decay", "clip_global_norm", "auxiliary_weight"):
        value = getattr(t, name)
        _require(value >= 0, f"train.{name}: wanted 0 or more, got {value}")
    _require(
        0 <= t.ema_momentum < 1,
        f"train.ema_momentum: wanted 0 or more, below 1, got {t.ema_momentum}",
    )
    for name, existing in (
        ("smoothing", ("uniform", "others", "prior")),
        ("precision", ("float32", "tensorfloat32", "bfloat16")),
        ("decay_of", ("square", "norm")),
    ):
        value = getattr(t, name)
        _require_name(value, existing, f"train.{name}: got {shown(value)}; ")


def _check_evaluators(evaluators: tuple[EvaluatorSpec, ...]) -> None:
    roles = ("train", "calibrate", "report")
    seen = set()
    for e in evaluators:
        _require_name(e.role, roles, f"evaluators: no role {shown(e.role)}; ")
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
    for name, existing in (
        ("matching", ("soft", "logits")),
        ("logit_reduction", ("sum", "mean")),
        ("table", ("auto", "always", "never")),
        ("targets", ("labels", "translations")),
    ):
        value = getattr(teacher, name)
        _require_name(value, existing, f"teacher.{name}: got {shown(value)}; ")
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


def _check_targets(teacher: TeacherSpec, task: str) -> None:
    """Refuses translations of no translation, and fields without a use."""
    idle: tuple[str, ...] = _SEARCH
    if not teacher.translates:
        why = "teacher.targets=labels takes no translations"
    else:
        _require(
            task == "translation",
            f"teacher.targets: wanted labels, task '{task}' translates "
            f"nothing, got {teacher.targets}",
        )
        for name, least in (
            ("beam_size", 1),
            ("length_penalty", 0),
            ("extra_length", 1),
        ):
            value = getattr(teacher, name)
            _require(
                value >= least,
                f"teacher.{name}: wanted {least} or more, got {value}",
            )
        idle = () if teacher.answers else _OF_ANSWERS
        why = "teacher.beta=0 takes the teacher's translations alone"
    for name in idle:
        value, default = getattr(teacher, name), getattr(TeacherSpec, name)
        _require(
            value == default,
            f"teacher.{name}: wanted {default}, {why}, got {value}",
        )


def _at(spec: ExperimentSpec, path: str) -> Any:
    """The value of a field; None of a teacher that is not there."""
    group, name = path.split(".")
    return getattr(getattr(spec, group), name, None)


def _check_stood_for(spec: ExperimentSpec, loss: str) -> None:
    """Refuses a field that a named loss would not read."""
    for path, default in LOSS_STANDS_FOR.items():
        value = _at(spec, path)
        _require(
            value is None or value == default,
            f"{path}: wanted {default}, loss '{loss}' stands for it, got "
            f"{value}",
        )


def check_loss(
    spec: ExperimentSpec, takes: Collection[str], *, needs_teacher: bool
) -> None:
    """Refuses a named loss that does not go with the rest of an experiment.

    Args:
        spec: the experiment; one that names no loss is let through.
        takes: the fields of the loss.
        needs_teacher: whether it is one of a student.

    Raises:
        SpecError: one line: a teacher is missing or has no use, or a number
            has none.

    Source: ours.
    """
    if spec.loss is None:
        return
    name, teacher = spec.loss.name, spec.teacher
    _require(
        not needs_teacher or teacher is not None,
        f"loss.name: '{name}' is a student's loss, and task '{spec.task}' has "
        "no teacher; wanted task 'distillation' with one",
    )
    is_told = teacher is None or teacher.answers
    _require(
        not needs_teacher or is_told,
        f"loss.name: '{name}' learns from a teacher's probabilities; wanted "
        f"teacher.beta above 0, got {_at(spec, 'teacher.beta')}",
    )
    _require(
        needs_teacher or teacher is None or not teacher.answers,
        f"loss.name: '{name}' has no use for a teacher, and task "
        f"'{spec.task}' has one"
        + (
            f"; wanted teacher.beta=0, got {teacher.beta}"
            if teacher is not None and teacher.translates
            else ""
        ),
    )
    for number, (path, without) in LOSS_NUMBERS.items():
        # Of a teacher that only translates they are what they are.
        value = _at(spec, path) if is_told or path == "train.alpha" else None
        _require(
            number in takes or value is None or value == without,
            f"{SHORT_OF.get(path, path)}: wanted {without}, loss '{name}' "
            f"takes no {number}, got {value}",
        )
