"""Finds a module of a package by its name; lists the names there are.

No decorator and no list to keep: a file in the folder is a part. Modules whose
name begins with an underscore are helpers and are skipped.
"""

import ast
import importlib
import importlib.util
import pathlib
from types import ModuleType
from typing import Any

from ls_tf.spec.values import SpecError, nearest

# Annotations that the signature of a `build` may use.
_KINDS: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": tuple[int, ...],
    "tuple[float, ...]": tuple[float, ...],
    "tuple[str, ...]": tuple[str, ...],
    "tuple[int | str, ...]": tuple[int | str, ...],
}
_KINDS |= {f"{name} | None": kind | None for name, kind in _KINDS.items()}
# What a part of a package is called, where it is not the singular.
_WORDS = {"data": "data set", "losses": "loss"}


def _folder(package: str) -> pathlib.Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"no package '{package}'")
    return pathlib.Path(next(iter(found.submodule_search_locations)))


def names(package: str) -> list[str]:
    """Lists the parts of a package, e.g. of ``ls_tf.models``."""
    return sorted(
        path.stem
        for path in _folder(package).glob("*.py")
        if not path.stem.startswith("_")
    )


def check(package: str, name: str, what: str = "") -> None:
    """Refuses a name that no module of the package has, without importing.

    Raises:
        SpecError: one line that lists what exists.
    """
    existing = names(package)
    if name not in existing:
        last = package.rsplit(".", 1)[-1]
        kind = what or _WORDS.get(last, last.removesuffix("s"))
        raise SpecError(f"no {kind} '{name}'; {nearest(name, existing)}")


def get(package: str, name: str, what: str = "") -> ModuleType:
    """Imports a part.

    Args:
        package: e.g. ``ls_tf.models``.
        name: the module's name in it.
        what: the word for such a part in the message; default: the package's
            name in the singular.

    Returns:
        The module.

    Raises:
        SpecError: no such module; lists what exists.
    """
    check(package, name, what)
    return importlib.import_module(f"{package}.{name}")


def _body(package: str, name: str) -> list[ast.stmt]:
    return ast.parse((_folder(package) / f"{name}.py").read_text("utf-8")).body


def constant(package: str, name: str, of: str, attribute: str) -> Any:
    """Reads what a part's class says of itself, without importing it.

    Args:
        package: e.g. ``ls_tf.losses``.
        name: the module's name in it.
        of: the class in the module.
        attribute: of the class; written there as a plain value.

    Returns:
        The value.

    Raises:
        SpecError: no such module.
        ValueError: the class says no such thing.
    """
    check(package, name)
    for node in _body(package, name):
        if isinstance(node, ast.ClassDef) and node.name == of:
            for line in node.body:
                if (
                    isinstance(line, ast.AnnAssign)
                    and ast.unparse(line.target) == attribute
                    and line.value is not None
                ):
                    return ast.literal_eval(line.value)
    raise ValueError(f"{package}.{name}: {of} says no '{attribute}'")


def arguments(
    package: str, name: str, function: str = "build"
) -> dict[str, tuple[Any, bool]]:
    """Reads the arguments of a part's function without importing it.

    Args:
        package: e.g. ``ls_tf.models``.
        name: the module's name in it.
        function: the function in the module, or a dataclass, whose fields
            are its arguments.

    Returns:
        dict: argument -> (its type, None where the annotation is not a plain
        one; whether it has a default).

    Raises:
        SpecError: no such module.
        ValueError: the module has no such function.
    """
    check(package, name)
    for node in _body(package, name):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return _parameters(node)
        if isinstance(node, ast.ClassDef) and node.name == function:
            return _fields(node)
    raise ValueError(f"{package}.{name} has no function '{function}'")


def _parameters(node: ast.FunctionDef) -> dict[str, tuple[Any, bool]]:
    args = node.args
    bare = len(args.args) - len(args.defaults)
    defaults = [None] * bare + args.defaults + args.kw_defaults
    every = [*args.args, *args.kwonlyargs]
    return {
        arg.arg: (_kind(arg.annotation), default is not None)
        for arg, default in zip(every, defaults, strict=True)
    }


def _fields(node: ast.ClassDef) -> dict[str, tuple[Any, bool]]:
    return {
        line.target.id: (_kind(line.annotation), line.value is not None)
        for line in node.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and not ast.unparse(line.annotation).startswith("ClassVar")
    }


def _kind(annotation: ast.expr | None) -> Any:
    return _KINDS.get(ast.unparse(annotation)) if annotation else None


def signature(
    package: str, name: str, function: str = "build"
) -> dict[str, Any]:
    """The types of the arguments of a part's function; see ``arguments``."""
    found = arguments(package, name, function)
    return {name: kind for name, (kind, _) in found.items()}
