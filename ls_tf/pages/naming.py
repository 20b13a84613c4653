"""What the rows of a comparison are called: by what their runs differ in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ls_tf.spec import Value
from ls_tf.spec.changes import SHORT, SHORT_OF

_TEACHERS = "teacher.changes."


def value_at(run: Mapping[str, Any], path: str) -> Value:
    """A field of a record's specification; None where there is none."""
    if path == "experiment":
        return run["experiment"]
    path = SHORT.get(path, path)
    words = path.split(".")
    if path.startswith(_TEACHERS):
        words = ["teacher", "changes", path.removeprefix(_TEACHERS)]
    value: Any = run["spec"]
    for word in words:
        if isinstance(value, list) and word.isdecimal():
            value = dict(enumerate(value)).get(int(word))
        else:
            value = value.get(word) if isinstance(value, Mapping) else None
    return value


def names(
    runs: Sequence[Mapping[str, Any]],
    fields: Iterable[str],
    otherwise: Sequence[str],
) -> list[str]:
    """Names rows by what they differ in.

    Args:
        runs: ``run.json`` of each.
        fields: paths that may differ.
        otherwise: names of rows that differ in none of them.

    Returns:
        list: such as "alpha = 0.1".

    Source: ours.
    """
    values = {path: [value_at(run, path) for run in runs] for path in fields}
    differing = {
        SHORT_OF.get(path, path): of_runs
        for path, of_runs in values.items()
        if any(value != of_runs[0] for value in of_runs)
    }
    found = [
        ", ".join(f"{p} = {_shown(of[i])}" for p, of in differing.items())
        for i in range(len(runs))
    ]
    return [
        name if name and found.count(name) == 1 else _both(name, other)
        for name, other in zip(found, otherwise, strict=True)
    ]


def _both(name: str, other: str) -> str:
    return f"{name} ({other})" if name else other


def _shown(value: Value) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
