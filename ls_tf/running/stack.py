"""Stacks: runs that differ in a few numbers and train in one program.

``alpha:0,.05,.1`` lists values, ``seed:0..4`` a range of whole numbers, both
ends included; several stacks multiply. A report that compares runs lists them
the same way, of any field.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from ls_tf.spec import (
    LOSS_NUMBERS,
    SpecError,
    Value,
    bounds,
    digest,
    nearest,
    override,
)
from ls_tf.spec.changes import SHORT_OF
from ls_tf.spec.resolve import (
    RunIdentity,
    dropped_options,
    loss_numbers,
    resolve,
)
from ls_tf.spec.values import shown

# What may differ inside one program: numbers that the loss takes as
# arguments, the labels, and the seed, which chooses weights, data order and
# teacher.
FIELDS = tuple(
    sorted(
        ["seed", "teacher.seed", "data.label_kept"]
        + [SHORT_OF.get(path, path) for path, _ in LOSS_NUMBERS.values()]
    )
)
_TEACHERS = "teacher.changes."  # what is said of the teacher's own run
_OPTIONS = "loss.options."  # those of type float: see ``objective.loss``
_EVERY = (*FIELDS, f"{_TEACHERS}NAME", f"{_OPTIONS}NUMBER")


def parse(texts: Sequence[str]) -> dict[str, list[str]]:
    """Reads the values of each stacked field.

    Args:
        texts: e.g. ``["alpha:0,.05,.1", "seed:0..4"]``.

    Returns:
        field -> texts of its values.

    Raises:
        SpecError: malformed, a field that cannot be stacked, or a value or
            field that stands twice.

    Source: ours.
    """
    stacked = listed(texts, "--stack")
    for name in stacked:
        if name not in FIELDS and not name.startswith((_TEACHERS, _OPTIONS)):
            raise SpecError(
                f"--stack: networks of one program cannot differ in '{name}'; "
                f"{nearest(name, _EVERY)}"
            )
    return stacked


def listed(texts: Sequence[str], flag: str) -> dict[str, list[str]]:
    """Reads the values of some fields, whichever they are.

    Args:
        texts: as of ``parse``; a value with commas stands in brackets.
        flag: which says so, for messages.

    Returns:
        field -> texts of its values.

    Raises:
        SpecError: malformed, or a field that stands twice.

    Source: ours.
    """
    fields: dict[str, list[str]] = {}
    for text in texts:
        name, colon, values = text.partition(":")
        name = SHORT_OF.get(name, name)
        if not name or not colon or not values:
            raise SpecError(
                f"{flag}: wanted FIELD:VALUE,VALUE,... or FIELD:FIRST..LAST, "
                f"got {shown(text)}"
            )
        if name in fields:
            raise SpecError(f"{flag}: {shown(name)} stands twice")
        fields[name] = _listed_values(text, values, flag)
    return fields


def _listed_values(text: str, values: str, flag: str) -> list[str]:
    first, dots, last = values.partition("..")
    if dots and "/" not in values:  # else it is of a path
        if not (_is_whole(first) and _is_whole(last)):
            raise SpecError(
                f"{flag}: wanted whole numbers FIRST..LAST, got {shown(text)}"
            )
        if int(first) > int(last):
            raise SpecError(f"{flag}: wanted FIRST..LAST to rise, got '{text}'")
        _refuse_more(int(last) - int(first) + 1, flag)
        return [str(n) for n in range(int(first), int(last) + 1)]
    # Not at the commas within brackets.
    return re.split(r",(?![^(\[]*[)\]])", values)


def _is_whole(text: str) -> bool:
    """Whether text is a whole number of at most 19 digits, as of 64 bits."""
    return text.isascii() and text.isdecimal() and len(text) <= 19


def _refuse_more(count: int, flag: str) -> None:
    if count > bounds.RUNS:
        raise SpecError(
            f"{flag}: wanted {bounds.RUNS} runs or fewer, got {count}"
        )


def identities(
    experiment: str,
    stacked: Mapping[str, Sequence[str]],
    *,
    changed: Mapping[str, Value],
    seed: int | None = None,
    smoke: bool = False,
    flag: str = "--stack",
) -> list[RunIdentity]:
    """Resolves every run of a stack.

    Args:
        experiment: see ``resolve``.
        stacked: of ``parse``, or of ``listed``.
        changed: what all of them change; see ``resolve``.
        seed: of all of them, unless the seed is stacked.
        smoke: see ``resolve``.
        flag: which names the fields, for messages.

    Returns:
        The runs, the last field's values changing quickest.

    Raises:
        SpecError: see ``resolve``; a field stacked and set, or two values
            that mean the same run.

    Source: ours.
    """
    for name in stacked:
        if name in changed or (name == "seed" and seed is not None):
            done = "stacked" if flag == "--stack" else "varied"
            raise SpecError(f"{flag}: '{name}' is {done} and set")
    _refuse_more(math.prod(len(values) for values in stacked.values()), flag)
    by_folder: dict[str, RunIdentity] = {}
    for values in itertools.product(*stacked.values()):
        chosen = dict(zip(stacked, values, strict=True))
        mine = _seed(chosen.pop("seed", None), seed, flag)
        identity = resolve(
            experiment, changed={**changed, **chosen}, seed=mine, smoke=smoke
        )
        if identity.folder in by_folder:
            raise SpecError(f"{flag}: run {identity.title} stands twice")
        by_folder[identity.folder] = identity
    return list(by_folder.values())


def dropped(wanted: Iterable[RunIdentity]) -> list[str]:
    """Says which options of their experiment runs do without.

    Args:
        wanted: the runs.

    Returns:
        list: a line for each part that is not the experiment's own.

    Source: ours.
    """
    lines = {
        f"{path}.name={name}: dropped {', '.join(names)}, which the "
        f"experiment's own {path} took": None
        for identity in wanted
        for path, (name, names) in dropped_options(identity).items()
    }
    return list(lines)


def _seed(text: str | None, seed: int | None, flag: str) -> int | None:
    if text is None:
        return seed
    if not _is_whole(text):
        raise SpecError(f"{flag}: wanted whole seeds, got {shown(text)}")
    return int(text)


def _kind(identity: RunIdentity) -> str:
    """What the runs of one stack have in common."""
    spec = override(identity.spec, {"train.alpha": 0.0, "seed": 0})
    clean = dataclasses.replace(spec.data, label_kept=1.0)
    spec = dataclasses.replace(spec, data=clean)
    if spec.loss is not None:
        numbers = loss_numbers(spec)
        rest = {k: v for k, v in spec.loss.options.items() if k not in numbers}
        loss = dataclasses.replace(spec.loss, options=rest)
        spec = dataclasses.replace(spec, loss=loss)
    if spec.teacher is None:
        return digest(spec)
    # Only the teacher's logits matter, and each network has its own.
    teacher = dataclasses.replace(
        spec.teacher,
        experiment="",
        changes={},
        seed=None,
        beta=1.0,
        teacher_temperature=1.0,
        student_temperature=1.0,
    )
    return digest(dataclasses.replace(spec, teacher=teacher))


def groups(wanted: Sequence[RunIdentity]) -> list[list[RunIdentity]]:
    """Puts runs together that can share a program, in their order.

    Source: ours.
    """
    by_kind: dict[str, list[RunIdentity]] = {}
    for identity in wanted:
        by_kind.setdefault(_kind(identity), []).append(identity)
    return list(by_kind.values())


def check(
    wanted: Sequence[RunIdentity], engine: str, processes: int = 1
) -> None:
    """Refuses runs that cannot share a program.

    Args:
        wanted: the runs.
        engine: which.
        processes: how many train them.

    Raises:
        SpecError: another engine than JAX, several processes, or runs that
            differ in more than ``FIELDS``.

    Source: ours.
    """
    if len(wanted) == 1:
        return
    if engine != "jax":
        raise SpecError(f"--stack wants --engine=jax, got {engine}")
    if processes > 1:
        raise SpecError(f"--stack wants one process, got {processes}")
    if len(groups(wanted)) > 1:
        raise SpecError(
            "--stack: networks of one program may differ in "
            f"{', '.join(_EVERY)} only"
        )
