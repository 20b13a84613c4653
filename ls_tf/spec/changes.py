"""What differs between two specifications, and its name as a folder."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ls_tf.spec.experiment import LOSS_STANDS_FOR, EvaluatorSpec, Part
from ls_tf.spec.values import Value, as_dict, canonical_text, fields_of

# Fields that have a short name beside their path.
SHORT = {"alpha": "train.alpha"}
SHORT_OF = {path: name for name, path in SHORT.items()}


def _can_be_named(value: Mapping[str, Any], path: str) -> bool:
    """Whether each item of a mapping has a path of its own."""
    if path == "teacher.changes.":
        return True
    return all(key and not set(key) & set(".=") for key in value)


def _leaves(value: Any, path: str) -> dict[str, Value]:
    if isinstance(value, Mapping) and value and _can_be_named(value, path):
        leaves: dict[str, Value] = {}
        for key, item in value.items():
            leaves |= _leaves(item, f"{path}{key}.")
        return leaves
    return {path[:-1]: value}


def _opened(value: Any) -> Any:
    """As ``as_dict``, but no deeper than one level."""
    if dataclasses.is_dataclass(value):
        return {name: getattr(value, name) for name in fields_of(value)}
    return list(value) if isinstance(value, tuple) else value


def _differences(new: Any, old: Any, path: str) -> dict[str, Value]:
    if new is old:  # most of a specification is its experiment's own
        return {}
    if isinstance(new, Part | EvaluatorSpec) and type(old) is type(new):
        old = _without_foreign(new, old)
    new, old = _opened(new), _opened(old)
    differences: dict[str, Value] = {}
    if (
        isinstance(new, Mapping)
        and isinstance(old, Mapping)
        and old.keys() <= new.keys()
        and _can_be_named(new, path)
    ):
        for key, item in new.items():
            below = f"{path}{key}."
            if key in old:
                differences |= _differences(item, old[key], below)
            else:
                differences |= _leaves(as_dict(item), below)
        return differences
    if (
        isinstance(new, list)
        and isinstance(old, list)
        and len(new) == len(old)
        and all(isinstance(_opened(item), Mapping) for item in [*new, *old])
    ):
        for i, (item, was) in enumerate(zip(new, old, strict=True)):
            differences |= _differences(item, was, f"{path}{i}.")
        return differences
    return {} if _is_same(new, old) else {path[:-1]: as_dict(new)}


def _without_foreign(new: Any, old: Any) -> Any:
    """What is left of a part's options where another takes its place.

    That this one does not take the others is said by its name.
    """
    if new.name == old.name:
        return old
    kept = {k: v for k, v in old.options.items() if k in new.options}
    return dataclasses.replace(old, options=kept)


def _is_same(new: Any, old: Any) -> bool:
    # Equal scalars of one type have one text: most fields need not be written.
    is_scalar = isinstance(new, str | int | float | None)
    if is_scalar and type(new) is type(old) and new == old:
        return True
    return canonical_text(new) == canonical_text(old)


def _first_loss(part: Mapping[str, Any]) -> dict[str, Value]:
    """The changes that name a loss where the experiment names none."""
    options = part["options"]
    leaves = _leaves(options, "loss.options.") if options else {}
    return {"loss.name": part["name"], **leaves}


def changes(spec: Any, base: Any) -> dict[str, Value]:
    """Lists the fields of a specification that differ from its experiment's.

    Args:
        spec: a resolved specification.
        base: the experiment as declared.

    Returns:
        dict: path -> value in canonical (sorted) order, ``alpha`` by its
        short name; the seed is left out.

    Source: ours.
    """
    differences = _differences(spec, base, "")
    differences.pop("seed", None)
    # Giving one length unsets the other: naming the first is enough.
    for path in ("train.steps", "train.epochs"):
        if path in differences and differences[path] is None:
            del differences[path]
    if differences.get("loss") is not None:
        differences |= _first_loss(differences.pop("loss"))
        # Naming a loss unsets what it stands for.
        for path in LOSS_STANDS_FOR:
            differences.pop(path, None)
    return dict(sorted((SHORT_OF.get(p, p), v) for p, v in differences.items()))


# Words that a value which is no text is written as.
_RESERVED = ("none", "true", "false", "nan", "inf", "infinity")


def _short_text(value: Value) -> str | None:
    """Writes a value for a folder's name; None if that could be misread."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        # As in the digest, 1.0 is 1.
        return str(int(value) if value == int(value) else value)
    if isinstance(value, str):
        is_word = value[:1].isalpha() and value.lower() not in _RESERVED
        return value if is_word and value.isascii() else None
    if isinstance(value, list | tuple) and len(value) > 1:
        are_numbers = all(
            isinstance(v, int | float) and not isinstance(v, bool)
            for v in value
        )
        return (
            "x".join(map(str, map(_short_text, value))) if are_numbers else None
        )
    return None


def changes_name(changed: Mapping[str, Value]) -> str:
    """Names a set of changes as a folder: ``alpha=0.05``, or ``paper``.

    Different changes have different names: what has no short unambiguous form
    adds a hash. Only letters, digits and ``.+-_=,%~`` are used.

    Args:
        changed: what ``changes`` gave.

    Returns:
        str of at most 160 characters.

    Source: ours.
    """
    if not changed:
        return "paper"
    words, is_exact = [], True
    for path, value in sorted(changed.items()):
        text = _short_text(value)
        is_exact = is_exact and text is not None
        text = canonical_text(value) if text is None else text
        words.append(f"{_quoted(path)}={_quoted(text)}")
    name = ",".join(words)
    if is_exact and len(name) <= 150:
        return name
    tail = hashlib.sha256(canonical_text(changed).encode()).hexdigest()[:12]
    return f"{name[:130]}~{tail}"


def _quoted(text: str) -> str:
    return quote(text, safe="+").replace("~", "%7E")
