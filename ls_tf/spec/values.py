"""Values of fields: read from text, written as text, checked against a type.

A value is a JSON scalar, a tuple of values or a mapping from names to values.
A kind is the type a field has; None means that any value will do.
"""

import ast
import dataclasses
import difflib
import functools
import json
import types
import typing
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

Value = Any  # a JSON scalar, or a tuple or mapping of them

_LONGEST = 200  # characters of a value in a message
_CONSTANTS = {"true": True, "false": False, "none": None}


class SpecError(ValueError):
    """A specification that cannot be run; the message is one line."""


def shown(value: Any) -> str:
    """Shows a value in a message, a long one by its beginning."""
    try:
        words = f"'{value}'" if isinstance(value, str) else repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    if len(words) <= _LONGEST:
        return words
    return f"{words[:_LONGEST]}... ({len(words)} characters)"


def nearest(wanted: str, existing: Iterable[str]) -> str:
    """Says what exists, and which existing name was probably meant.

    Args:
        wanted: the name that was given.
        existing: the names there are.

    Returns:
        str: the end of a one-line message.

    Source: ours.
    """
    names = sorted(existing)
    same = [name for name in names if name.lower() == wanted.lower()]
    close = same or difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"existing: {', '.join(names) or 'none'}{hint}"


def frozen(value: Any) -> Any:
    """Turns lists into tuples, at every depth."""
    if isinstance(value, Mapping):
        return {k: frozen(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return tuple(frozen(v) for v in value)
    return value


def _is_any(kind: Any) -> bool:
    return kind in (None, type(None), Any)


def _is_mapping(kind: Any) -> bool:
    kind = typing.get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, Mapping)


def may_be_mapping(kind: Any) -> bool:
    """Whether a mapping is a value of the kind, beside others."""
    return any(map(_is_mapping, _union(kind)))


def _is_tuple(kind: Any) -> bool:
    return kind is tuple or typing.get_origin(kind) is tuple


def _union(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union without None; the kind itself if it is none."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return tuple(k for k in typing.get_args(kind) if k is not type(None))
    return (kind,)


def item_kind(kind: Any) -> Any:
    """The kind of a tuple's items; None if any."""
    return (typing.get_args(kind) or (None,))[0] if _is_tuple(kind) else None


def optional(kind: Any) -> bool:
    """Whether None is a value of the kind."""
    return type(None) in typing.get_args(kind) and not _is_tuple(kind)


def groups(kind: Any) -> list[Any]:
    """The dataclasses that a kind allows, also as items of a tuple."""
    kinds = [item_kind(k) if _is_tuple(k) else k for k in _union(kind)]
    return [k for k in kinds if dataclasses.is_dataclass(k)]


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) for k in value) and all(
            _is_plain(v) for v in value.values()
        )
    if isinstance(value, tuple):
        return all(_is_plain(v) for v in value)
    if isinstance(value, int | float):
        return _is_number(value)
    return value is None or isinstance(value, str)


def _is_number(value: int | float) -> bool:
    # Whole numbers of 64 bits are what arrays and file formats hold.
    return abs(value) < 2**63 if isinstance(value, int) else isfinite(value)


def fits(value: Value, kind: Any) -> bool:
    """Whether a value is of a kind; a whole number is also a number."""
    if _is_any(kind):
        return _is_plain(value)
    if value is None:
        return optional(kind)
    kinds = _union(kind)
    if len(kinds) > 1:
        return any(fits(value, k) for k in kinds)
    (kind,) = kinds
    if kind in (int, float):
        return (
            isinstance(value, int if kind is int else int | float)
            and not isinstance(value, bool)
            and _is_number(value)
        )
    if _is_tuple(kind):
        of = item_kind(kind)
        return isinstance(value, tuple) and all(fits(v, of) for v in value)
    if _is_mapping(kind):
        return isinstance(value, Mapping) and _is_plain(value)
    return isinstance(value, kind)


def kind_name(kind: Any) -> str:
    """Says in words what values a kind has."""
    if _is_any(kind):
        return "a value"
    kinds = _union(kind)
    if len(kinds) > 1 or optional(kind):
        words = [kind_name(k) for k in kinds]
        return " or ".join([*words, "none"] if optional(kind) else words)
    if _is_tuple(kind):
        items = {
            int: "whole numbers",
            float: "numbers",
            str: "words",
            int | str: "whole numbers or names",
        }
        return f"{items.get(item_kind(kind), 'values')} between commas"
    if _is_mapping(kind):
        return "{'NAME': VALUE, ...}"
    words_of = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        str: "text",
    }
    return words_of.get(kind, getattr(kind, "__name__", str(kind)))


def checked(value: Value, kind: Any, path: str) -> Value:
    """Gives a value back as its kind, a whole number as a number.

    Raises:
        SpecError: if it is not of the kind.
    """
    if kind in (bool, str) and type(value) is kind:
        return value
    value = frozen(value)
    if not fits(value, kind):
        wanted = kind_name(kind)
        raise SpecError(f"{path}: wanted {wanted}, got {shown(value)}")
    if kind is float or (optional(kind) and _union(kind) == (float,)):
        # 0.0 more makes -0.0 the 0.0 that it is meant as.
        return None if value is None else float(value) + 0.0
    return value


def literal(text: str) -> Value:
    """Reads text as Python writes values; what is none stays text.

    ``true``, ``false`` and ``none`` are constants in any case.
    """
    word = text.strip().lower()
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    try:
        value = frozen(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value if _is_plain(value) else text


def _tuple(text: str, kind: Any, path: str) -> Value:
    value = literal(text)
    if isinstance(value, tuple) and fits(value, kind):
        return value
    words = text.strip().removeprefix("(").removeprefix("[")
    words = words.removesuffix(")").removesuffix("]")
    items = [w.strip() for w in words.split(",") if w.strip()]
    return tuple(parse(w, item_kind(kind), path) for w in items)


def parse(text: str, kind: Any, path: str) -> Value:
    """Reads the text of an override as a value of the field's type.

    Args:
        text: what stands behind the ``=``.
        kind: the type of the field, e.g. ``int`` or ``tuple[int, ...]``; None
            reads it as Python writes values.
        path: the field's dotted path, for the message.

    Returns:
        The value.

    Raises:
        SpecError: if the text is not such a value.

    Source: ours.
    """
    kinds = _union(kind)
    if optional(kind) and text.strip().lower() == "none":
        return None
    if len(kinds) > 1:
        for one in kinds:
            try:
                return parse(text, one, path)
            except SpecError:
                continue
    (one, *_) = kinds
    if one is str and len(kinds) == 1:
        return text
    value: Value = text
    try:
        if one in (int, float):
            # isascii: both also read the digits of other scripts.
            value = one(text) if text.isascii() else text
        elif _is_tuple(one):
            value = _tuple(text, one, path)
        else:
            value = literal(text)
    except (SpecError, ValueError):
        value = text
    if len(kinds) == 1 and fits(value, one):
        return value
    raise SpecError(f"{path}: wanted {kind_name(kind)}, got {shown(text)}")


def text_of(value: Value, kind: Any) -> str:
    """Writes a value so that ``parse`` with the same kind reads it back."""
    value = frozen(value)
    if isinstance(value, str):
        as_is = str in _union(kind) and not (
            optional(kind) and value.lower() == "none"
        )
        return value if as_is or literal(value) == value else repr(value)
    if isinstance(value, tuple) and value:
        if all(isinstance(v, int | float) for v in value):
            return ",".join(str(v) for v in value) + "," * (len(value) == 1)
        return repr(value)
    return str(value)


def as_dict(value: Any) -> Any:
    """Turns a specification into nested dicts and lists of JSON scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: as_dict(getattr(value, name)) for name in fields_of(value)
        }
    if isinstance(value, Mapping):
        return {str(k): as_dict(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [as_dict(v) for v in value]
    return value


def default_of(of: "dataclasses.Field[Any]") -> Any:
    """The default value of a dataclass's field; MISSING if it has none."""
    if of.default_factory is not dataclasses.MISSING:
        return of.default_factory()
    return of.default


def fields_of(value: Any) -> dict[str, Any]:
    """The names and kinds of a dataclass's fields, less the smoke overrides."""
    return _fields_of(value if isinstance(value, type) else type(value))


@functools.cache
def _fields_of(kind: Any) -> dict[str, Any]:
    return {
        f.name: f.type for f in dataclasses.fields(kind) if f.name != "smoke"
    }


def _canonical(value: Any) -> Any:
    """As ``as_dict``, less every field that has its default value.

    1.0 becomes 1: a rate written either way is the same rate.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _canonical(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.name != "smoke" and getattr(value, f.name) != default_of(f)
        }
    if isinstance(value, Mapping):
        return {str(k): _canonical(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_canonical(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def canonical_text(value: Any) -> str:
    """Writes a value as canonical JSON, less what has its default value."""
    return json.dumps(_canonical(value), sort_keys=True)
