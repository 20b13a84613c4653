"""Finds a module of a package by its name; lists the names there are.

No decorator and no list to keep: a file in the folder is a part. Modules whose
name begins with an underscore are helpers and are skipped.
"""

import ast
import contextlib
import functools
import importlib
import importlib.util
import os
import pathlib
import re
import sys
from types import ModuleType
from typing import Any

from ls_tf import stopping
from ls_tf.spec.values import SpecError, nearest, shown

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
    "tuple[tuple[float, ...], ...]": tuple[tuple[float, ...], ...],
}
_KINDS |= {f"{name} | None": kind | None for name, kind in _KINDS.items()}
# What a part of a package is called, where it is not the singular.
_WORDS = {"data": "data set", "losses": "loss"}


def _folder(package: str) -> str:
    # What is imported need not be searched for again.
    imported = sys.modules.get(package)
    folders = getattr(imported, "__path__", None)
    if imported is None and (spec := importlib.util.find_spec(package)):
        folders = spec.submodule_search_locations
    if not folders:
        raise ValueError(f"no package '{package}'")
    return str(next(iter(folders)))


def names(package: str) -> list[str]:
    """Lists the parts of a package, e.g. of ``ls_tf.models``."""
    return sorted(
        file.removesuffix(".py")
        for file in os.listdir(_folder(package))
        if file.endswith(".py") and not file.startswith("_")
    )


def check(package: str, name: str, what: str = "") -> None:
    """Refuses a name that no module of the package has, without importing.

    Raises:
        SpecError: one line that lists what exists.
    """
    files = os.listdir(_folder(package))
    if f"{name}.py" not in files or name.startswith("_"):
        last = package.rsplit(".", 1)[-1]
        kind = what or _WORDS.get(last, last.removesuffix("s"))
        existing = nearest(name, names(package))
        raise SpecError(f"no {kind} {shown(name)}; {existing}")


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
        SpecError: no such module; lists what exists. Or it is no Python, or
            a module that it imports.
    """
    check(package, name, what)
    module = f"{package}.{name}"
    if module in sys.modules:
        return sys.modules[module]
    try:
        with stopping.importing(module):
            return importlib.import_module(module)
    except (SyntaxError, OSError) as error:
        file = error.filename or module
        raise SpecError(_damaged(str(file), error)) from None
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        # A folder, or a link to nothing, with the name of a file.
        raise SpecError(_damaged(module, error)) from None


def _body(package: str, name: str, definition: str) -> list[ast.stmt]:
    """Parses a part, or no more of it than the head of one definition."""
    file = f"{_folder(package)}/{name}.py"
    try:
        state = os.stat(file)
    except OSError as error:  # a link to nothing, say
        raise SpecError(_damaged(file, error)) from None
    return _parsed(file, definition, state.st_mtime_ns, state.st_size)


@functools.cache
def _parsed(
    file: str, definition: str, changed_ns: int, size: int
) -> list[ast.stmt]:
    """Parses once, and again if the file has changed."""
    del changed_ns, size  # they are there to be part of the key
    try:
        source = pathlib.Path(file).read_text("utf-8")
        # Most of the time of parsing goes into bodies, which say nothing here.
        with contextlib.suppress(SyntaxError):  # a string was cut in two
            return ast.parse(_head(source, definition)).body
        return ast.parse(source).body
    except Exception as error:  # also of null bytes, and of too deep a nesting
        raise SpecError(_damaged(file, error)) from None


def docstring(package: str, name: str) -> str:
    """What a part says of itself, read without importing it.

    Args:
        package: of the part.
        name: of the part.

    Returns:
        str: its docstring without quotes for code; "" if it has none.

    Raises:
        SpecError: there is none of that name, or it is damaged; one line.
    """
    check(package, name)
    file = f"{_folder(package)}/{name}.py"
    try:
        source = pathlib.Path(file).read_text("utf-8")
        text = ast.get_docstring(ast.parse(source))
    except Exception as error:  # as in _parsed
        raise SpecError(_damaged(file, error)) from None
    return (text or "").replace("``", "")


def summary(package: str, name: str) -> str:
    """The first line of ``docstring``; the same arguments and errors."""
    return docstring(package, name).partition("\n")[0]


def _damaged(file: str, error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{file} cannot be read as Python: {type(error).__name__}: {words}"


def _head(source: str, name: str) -> str:
    """Cuts the head of a definition out; gives all where that is not safe."""
    starts = re.findall(rf"^(?:def|class) {name}\b", source, re.MULTILINE)
    # A function up to its colon, a class up to what stands behind it.
    found = re.search(
        rf"^(?:def {name}\(.*?:$|class {name}\b.*?(?=^\S|\Z))",
        source,
        re.DOTALL | re.MULTILINE,
    )
    if len(starts) != 1 or found is None:
        return source
    # A class up to its first method, unless there are fields behind it.
    fields, *methods = re.split(
        r"^    (?=def |@)", found[0], flags=re.MULTILINE
    )
    if any(re.search(r"^    \w+ *:", m, re.MULTILINE) for m in methods):
        return source
    return f"{fields}\n    ...\n"


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
        SpecError: no such module, or the class says no such thing.
    """
    check(package, name)
    for node in _body(package, name, of):
        if isinstance(node, ast.ClassDef) and node.name == of:
            for line in node.body:
                if (
                    isinstance(line, ast.AnnAssign)
                    and ast.unparse(line.target) == attribute
                    and line.value is not None
                ):
                    return _plain(line.value, f"{package}.{name}: {attribute}")
    raise SpecError(f"{package}.{name}: {of} says no '{attribute}'")


def _plain(value: ast.expr, what: str) -> Any:
    try:
        return ast.literal_eval(value)
    except Exception:
        raise SpecError(
            f"{what}: wanted a plain value, got {ast.unparse(value)[:80]}"
        ) from None


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
        SpecError: no such module, or the module has no such function.
    """
    check(package, name)
    for node in _body(package, name, function):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return _parameters(node)
        if isinstance(node, ast.ClassDef) and node.name == function:
            return _fields(node)
    raise SpecError(f"{package}.{name} has no function '{function}'")


def takes(package: str, name: str, function: str) -> frozenset[str]:
    """The arguments of a function that a part may have; none without it."""
    check(package, name)
    for node in _body(package, name, function):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return frozenset(_parameters(node))
    return frozenset()


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
