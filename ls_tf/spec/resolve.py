"""From an experiment's name and a few changes to the run they mean.

Resolution order, later wins: the experiment's specification, its ``smoke``
overrides (if asked), the changes, the seed.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ls_tf import started
from ls_tf.spec import registry
from ls_tf.spec.changes import changes, changes_name
from ls_tf.spec.checks import check_loss
from ls_tf.spec.experiment import (
    LOSS_NUMBERS,
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    digest,
)
from ls_tf.spec.overrides import kind_of, override
from ls_tf.spec.updates import ELSEWHERE, OPTIMIZERS, SCHEDULES, Options
from ls_tf.spec.values import (
    SpecError,
    Value,
    canonical_text,
    checked,
    kind_name,
    nearest,
    shown,
    text_of,
)

EXPERIMENTS = "ls_tf.experiments"

# Field of the experiment -> package of its parts, the function or class that
# takes the options, and the arguments that are none: a task gives those.
_PARTS = {
    "model": (
        "ls_tf.models",
        "build",
        ("num_classes", "image_shape", "vocabulary_size", "seed"),
    ),
    "evaluators": ("ls_tf.evaluators", "Evaluator", ("role",)),
    "loss": ("ls_tf.losses", "Loss", tuple(LOSS_NUMBERS)),
}
# Fields that only data sets of the user's own images take.
_OWN = ("image_size", "channels", "held_out", "held_out_seed", "label_column")


# The same of parts whose functions are Keras's, or hold to its form.
_TABLES: Mapping[str, Mapping[str, Options]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}


@dataclass(frozen=True)
class RunIdentity:
    """One run: its experiment, what differs from it, and the resolved spec.

    ``place`` is the folder of a record that lies elsewhere than its name says.
    """

    experiment: str
    spec: ExperimentSpec
    changes: Mapping[str, Value]
    smoke: bool
    place: str = ""

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.spec.seed

    @property
    def digest(self) -> str:
        """The digest of the resolved specification."""
        return digest(self.spec)

    @property
    def folder(self) -> str:
        """The run's directory below the runs directory."""
        if self.place:
            return self.place
        name = changes_name(self.changes)
        if self.smoke:
            name = "smoke" if name == "paper" else f"smoke,{name}"
        return f"{self.experiment}/{name}/seed={self.seed}"

    @property
    def title(self) -> str:
        """A short name for a line of progress."""
        words = [f"{k}={v}" for k, v in self.changes.items()]
        return " ".join([self.experiment, *words, f"seed={self.seed}"])

    def flags(self) -> list[str]:
        """The flags that mean this run, and no other."""
        words = [f"--experiment={self.experiment}"]
        if self.smoke:
            words.append("--smoke")
        base = _base(self.experiment, self.smoke)
        for path, value in self.changes.items():
            # The kind that the field has when the command is read.
            field = path.split(".")[0]
            spec = self.spec if field in _PARTS else base
            if field in _TABLES:
                spec = _renamed(base, field, getattr(self.spec, field).name)
            text = text_of(value, kind_of(spec, path, _signatures))
            words.append(
                f"--alpha={text}" if path == "alpha" else f"--set={path}={text}"
            )
        words.append(f"--seed={self.seed}")
        return words

    def command(self) -> str:
        """The command line that makes this run."""
        return started.command(self.flags())


def _options(field: str, name: str) -> dict[str, tuple[Any, bool]]:
    """The options that a part takes: type, and whether it has a default."""
    if field in _TABLES:
        if name not in _TABLES[field]:
            existing = nearest(name, _TABLES[field])
            raise SpecError(f"no {field} {shown(name)}; {existing}")
        return dict(_TABLES[field][name])
    package, function, given = _PARTS[field]
    found = registry.arguments(package, name, function)
    return {k: v for k, v in found.items() if k not in given}


def _signatures(field: str, name: str) -> Mapping[str, Any] | None:
    """The types of the options that a part takes, if they are known here."""
    if field not in (*_PARTS, *_TABLES):
        return None
    return {k: kind for k, (kind, _) in _options(field, name).items()}


def _check_options(field: str, path: str, part: Part | EvaluatorSpec) -> None:
    """Refuses options that the part's function would not take."""
    known = _options(field, part.name)
    for name, value in part.options.items():
        if name not in known:
            raise SpecError(
                f"no field '{path}.options.{name}' for '{part.name}'; "
                f"{nearest(name, known)}"
            )
        checked(value, known[name][0], f"{path}.options.{name}")
    for name, (kind, has_default) in known.items():
        if not has_default and name not in part.options:
            raise SpecError(
                f"{path}.options.{name}: '{part.name}' wants "
                f"{kind_name(kind)}, got nothing"
            )


def _refuse_elsewhere(changed: Iterable[str]) -> None:
    """Refuses options of Keras's optimizers that stand in another field."""
    for path in changed:
        name = path.removeprefix("optimizer.options.")
        if path != name and name in ELSEWHERE:
            raise SpecError(f"{path} is not taken; set {ELSEWHERE[name]}")


def _parts(
    spec: ExperimentSpec,
) -> Iterator[tuple[str, str, Part | EvaluatorSpec]]:
    """The parts that have options: their field, their path and they."""
    yield "model", "model", spec.model
    yield "optimizer", "optimizer", spec.optimizer
    yield "schedule", "schedule", spec.schedule
    for i, evaluator in enumerate(spec.evaluators):
        yield "evaluators", f"evaluators.{i}", evaluator
    if spec.loss is not None:
        yield "loss", "loss", spec.loss


def _check_own_data(data: DataSpec) -> None:
    """Refuses fields of the user's own images for a set that is as it is."""
    given = [f for f in _OWN if getattr(data, f) != getattr(DataSpec, f)]
    if given and not registry.takes("ls_tf.data", data.name, "opened"):
        raise SpecError(
            f"data.{given[0]}: wanted nothing, data set '{data.name}' takes "
            f"none, got {shown(getattr(data, given[0]))}"
        )


def _check_loss(spec: ExperimentSpec, loss: Part) -> None:
    """Refuses a loss that is not of the kind that the run needs."""
    package, made, _ = _PARTS["loss"]
    check_loss(
        spec,
        registry.arguments(package, loss.name, made),
        needs_teacher=registry.constant(
            package, loss.name, made, "needs_teacher"
        ),
    )


def loss_numbers(spec: ExperimentSpec) -> set[str]:
    """The options of a run's named loss that its compiled step takes.

    Source: ours.
    """
    if spec.loss is None:
        return set()
    known = _options("loss", spec.loss.name)
    return {name for name, (kind, _) in known.items() if kind is float}


def _base(experiment: str, smoke: bool) -> ExperimentSpec:
    """An experiment as declared, shrunk if asked."""
    spec: ExperimentSpec = registry.get(EXPERIMENTS, experiment).SPEC
    return override(spec, spec.smoke, _signatures) if smoke else spec


def _renamed(spec: ExperimentSpec, field: str, name: str) -> ExperimentSpec:
    """A specification with another name for one of its parts."""
    part = dataclasses.replace(getattr(spec, field), name=name)
    changed: Any = {field: part}
    return dataclasses.replace(spec, **changed)


class Resolver:
    """Resolves several runs; what they share is read once.

    An experiment as declared and a run that teaches stand behind many runs of
    a report. A resolver keeps them for as long as it lives, and no longer: a
    file that changes is seen by the next one.
    """

    def __init__(self, *, smoke: bool = False) -> None:
        """Takes whether runs are shrunk to seconds."""
        self._smoke = smoke
        self._bases: dict[str, ExperimentSpec] = {}
        self._teachers: dict[tuple[str, str, int], RunIdentity] = {}
        # What was found good: names of modules; parts by field and id, kept
        # so that no other part can have the id.
        self._names: set[tuple[str, str]] = set()
        self._parts: dict[tuple[str, int], Part | EvaluatorSpec] = {}

    def resolve(
        self,
        experiment: str,
        changed: Mapping[str, Value] | None = None,
        seed: int | None = None,
    ) -> RunIdentity:
        """Finds one run; see the function ``resolve``."""
        if experiment not in self._bases:
            self._bases[experiment] = _base(experiment, self._smoke)
        base = self._bases[experiment]
        _refuse_elsewhere(changed or {})
        last = {} if seed is None else {"seed": seed}
        pairs = (*(changed or {}).items(), *last.items())
        spec = override(base, pairs, _signatures)
        self._check_parts(spec)
        identity = RunIdentity(
            experiment, spec, changes(spec, base), self._smoke
        )
        self.teacher_of(identity)  # one that cannot be is refused at once
        return identity

    def _check_parts(self, spec: ExperimentSpec) -> None:
        """Refuses names and options of parts that do not exist."""
        for named in (
            ("ls_tf.tasks", spec.task),
            ("ls_tf.data", spec.data.name),
        ):
            if named not in self._names:
                registry.check(*named)
                self._names.add(named)
        _check_own_data(spec.data)
        for field, path, part in _parts(spec):
            if (field, id(part)) not in self._parts:
                _check_options(field, path, part)
                self._parts[field, id(part)] = part
        if spec.loss is not None:
            _check_loss(spec, spec.loss)

    def teacher_of(self, identity: RunIdentity) -> RunIdentity | None:
        """Finds the run that teaches; see the function ``teacher_of``."""
        teacher = identity.spec.teacher
        if teacher is None:
            return None
        seed = identity.seed if teacher.seed is None else teacher.seed
        key = (teacher.experiment, canonical_text(teacher.changes), seed)
        if key not in self._teachers:
            self._teachers[key] = self.resolve(
                teacher.experiment, teacher.changes, seed
            )
        return self._teachers[key]


def resolve(
    experiment: str,
    *,
    changed: Mapping[str, Value] | None = None,
    seed: int | None = None,
    smoke: bool = False,
) -> RunIdentity:
    """Finds the run that an experiment's name and some changes mean.

    Args:
        experiment: a module of ``ls_tf.experiments``.
        changed: dotted path (or ``alpha``) -> value or its text.
        seed: None means as the experiment says.
        smoke: shrink the run to seconds.

    Returns:
        RunIdentity.

    Raises:
        SpecError: unknown experiment, part or field, wrong type, out of
            range; also of the teacher.

    Source: ours.
    """
    return Resolver(smoke=smoke).resolve(experiment, changed, seed)


def dropped_options(
    identity: RunIdentity,
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Which options of its experiment a run does without.

    Args:
        identity: the run.

    Returns:
        dict: path of a part that it has another one for -> this one's name,
        and those of the options that it does not take.

    Source: ours.
    """
    base = _base(identity.experiment, identity.smoke)
    before = {path: part for _, path, part in _parts(base)}
    lost: dict[str, tuple[str, tuple[str, ...]]] = {}
    for _, path, part in _parts(identity.spec):
        old = before.get(path)
        names = () if old is None else (*old.options,)
        gone = tuple(name for name in names if name not in part.options)
        if gone:
            lost[path] = part.name, gone
    return lost


def teacher_of(identity: RunIdentity) -> RunIdentity | None:
    """Finds the run whose network teaches, if the run has a teacher.

    A smoke run is taught by the smoke run of its teacher.
    """
    return Resolver(smoke=identity.smoke).teacher_of(identity)
