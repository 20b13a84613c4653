"""Fields of an experiment by their dotted paths: what they hold, and others.

``train.alpha`` is a field, ``model.options.hidden`` an option of a part.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ls_tf.spec.changes import SHORT
from ls_tf.spec.checks import check
from ls_tf.spec.experiment import (
    LOSS_STANDS_FOR,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
)
from ls_tf.spec.values import (
    SpecError,
    Value,
    checked,
    fields_of,
    fits,
    frozen,
    groups,
    item_kind,
    may_be_mapping,
    nearest,
    parse,
    shown,
)

# (field of the experiment, name of its part) -> option -> kind, or None if
# the options of such a part are not known here.
Signatures = Callable[[str, str], Mapping[str, Any] | None]

_LOSS = "loss.name"
# A part may be renamed: what is said of its options is of the new one.
_NAME = re.compile(r"(?:model|optimizer|schedule|loss|evaluators\.\d+)\.name")


def _words(path: str) -> list[str]:
    """Takes a path apart; what a teacher's changes name is one word."""
    path = SHORT.get(path, path)
    head = "teacher.changes."
    if path.startswith(head):
        return ["teacher", "changes", path.removeprefix(head)]
    return path.split(".")


def _child(value: Any, kind: Any, word: str, path: str) -> tuple[Any, Any]:
    """The value and kind of one field; what is not there yet is None."""
    if dataclasses.is_dataclass(value):
        known = fields_of(value)
        if word not in known:
            raise SpecError(f"no field '{path}'; {nearest(word, known)}")
        return getattr(value, word), known[word]
    if isinstance(value, Mapping):
        found = value.get(word)
        return found, None if found is None else type(found)
    if isinstance(value, tuple) and value:
        # Digits of other scripts are decimals too, and may be endless.
        whole = word.isascii() and word.isdecimal() and len(word) <= 19
        if not whole or int(word) >= len(value):
            raise SpecError(
                f"no field {shown(path)}; existing: 0 to {len(value) - 1}"
            )
        return value[int(word)], item_kind(kind) or type(value[int(word)])
    before = path.rpartition(".")[0]
    if value is None and (kind is None or may_be_mapping(kind)):
        return None, None
    if value is None and groups(kind) == [Part]:
        return None, _kind_of_first(word, path)
    if value is None and groups(kind):
        raise SpecError(f"no field '{path}': this experiment has no {before}")
    raise SpecError(f"no field '{path}': '{before}' has no fields")


def _kind_of_first(word: str, path: str) -> Any:
    """The kind of a field of a part that is not named yet: of its name."""
    known, part = fields_of(Part), path.rpartition(".")[0]
    if word not in known:
        raise SpecError(f"no field '{path}'; {nearest(word, known)}")
    if word != "name":
        raise SpecError(
            f"no field '{path}': this experiment names no {part}; wanted "
            f"{part}.name before"
        )
    return known[word]


def _refuse_group(value: Any, kind: Any, words: list[str]) -> None:
    path = ".".join(words)
    if dataclasses.is_dataclass(value) or groups(kind):
        if isinstance(value, tuple):
            names = [str(i) for i in range(len(value))]
        else:
            names = list(fields_of(groups(kind)[0]))
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
    changes: Mapping[str, Value] | Iterable[tuple[str, Value]],
    signatures: Signatures | None = None,
) -> ExperimentSpec:
    """Replaces fields by their dotted paths.

    A length in steps and one in epochs exclude each other: the later wins. The
    name of a part comes before all else; of the options that were there, those
    go that the new part does not take, or takes with values of another type.
    A first loss unsets what it stands for.

    Args:
        spec: an experiment.
        changes: path -> value, or such pairs, of which the later wins; a value
            that is a str is parsed as the field's type.
        signatures: see ``kind_of``.

    Returns:
        A new specification, checked.

    Raises:
        SpecError: no such field, wrong type, or a value out of range.

    Source: ours.
    """
    pairs = changes.items() if isinstance(changes, Mapping) else changes
    in_order = sorted(
        pairs,
        key=lambda pair: (pair[0] != _LOSS, not _NAME.fullmatch(pair[0])),
    )
    for path, value in in_order:
        kind = kind_of(spec, path, signatures)
        if isinstance(value, str):
            value = parse(value, kind, path)
        spec = _replaced(spec, _words(path), checked(value, kind, path))
        if signatures is not None and _NAME.fullmatch(path):
            spec = _without_foreign(spec, _words(path)[:-1], signatures)
        if value is not None and path in ("train.steps", "train.epochs"):
            other = "epochs" if path.endswith("steps") else "steps"
            spec = _replaced(spec, ["train", other], None)
        if path == _LOSS:
            spec = _without_stood_for(spec)
    check(spec)
    return spec


def _without_foreign(
    spec: ExperimentSpec, words: list[str], signatures: Signatures
) -> ExperimentSpec:
    """Drops the options that a part does not take."""
    part: Any = spec
    for word in words:
        part = part[int(word)] if word.isdecimal() else getattr(part, word)
    known = signatures(words[0], part.name)
    if known is None:
        return spec
    own = {
        name: value
        for name, value in part.options.items()
        if name in known and fits(frozen(value), known[name])
    }
    fitting: ExperimentSpec = _replaced(spec, [*words, "options"], own)
    return fitting


def _without_stood_for(spec: ExperimentSpec) -> ExperimentSpec:
    for path, default in LOSS_STANDS_FOR.items():
        group, name = path.split(".")
        if getattr(spec, group) is not None:
            spec = _replaced(spec, [group, name], default)
    return spec


def _replaced(value: Any, words: list[str], new: Value) -> Any:
    if not words:
        return new
    head, rest = words[0], words[1:]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        old = getattr(value, head)
        is_first = old is None and rest == ["name"]  # of a part
        inner = Part(new) if is_first else _replaced(old, rest, new)
        return dataclasses.replace(value, **{head: inner})
    if isinstance(value, tuple):
        items = list(value)
        items[int(head)] = _replaced(items[int(head)], rest, new)
        return tuple(items)
    value = value or {}
    return {**value, head: _replaced(value.get(head), rest, new)}
