"""What code a process runs: its commit, its source files, its versions.

Git alone is no proof: the package may be installed without a repository, lie
in somebody else's, or hold modules that no commit has. So a record also has
the digest of the source files that were loaded.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "ls_tf"
# Beside the package in a copy without a repository; see ``ls_tf.bundles``.
BUNDLE = "bundle.json"

# Packages whose version can move a number, and which tasks use them; those of
# the engines are added by name.
_ALWAYS = ("keras", "numpy", "scipy", "scikit-learn")
_OF_TASK = {"translation": ("sentencepiece", "sacrebleu")}
_OF_ENGINE = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}

# It writes nothing and starts no program of the repository's choice.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false")
_HASH = re.compile(rb"[0-9a-f]{40,64}")

# Module -> SHA-256 of its source when it was first looked at. A file that is
# edited later is not what runs in this process.
_seen: dict[str, str] = {}
# What git said at the first look; later looks can only make it worse.
_first: dict[str, Any] = {}


def sources() -> dict[str, str]:
    """SHA-256 of the source of each module of the package that is loaded.

    Returns:
        dict: module name -> digest, sorted by name.

    Source: ours.
    """
    for name, module in _loaded().items():
        if name not in _seen:
            _seen[name] = hashlib.sha256(_content(module)).hexdigest()
    return dict(sorted(_seen.items()))


def files() -> dict[str, str]:
    """SHA-256 of every module of the package that has a file, loaded or not.

    Returns:
        dict: module name -> digest, sorted by name; without those of a package
        in an archive.

    Source: ours.
    """
    package = Path(sys.modules[PACKAGE].__file__ or "").parent
    found = {}
    for file in package.rglob("*.py"):
        parts = file.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        with contextlib.suppress(OSError):
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def digest(of: Mapping[str, str]) -> str:
    """One SHA-256 for all of ``sources``."""
    lines = "".join(f"{name} {value}\n" for name, value in sorted(of.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _loaded() -> dict[str, ModuleType]:
    """The modules of the package that have a file."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == PACKAGE
        and getattr(module, "__file__", None)
    }


def _content(module: ModuleType) -> bytes:
    """What a module was made of, also in an archive; empty if it is gone."""
    loader = getattr(module, "__loader__", None)
    try:
        content: bytes = loader.get_data(module.__file__)  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return b""
    return content


def git(*, whole: bool = False) -> dict[str, Any]:
    """The commit of the code that runs, and whether it was altered.

    It is the commit of the repository whose top folder holds the package and
    which tracks it: not that of a project in whose folder the package is
    installed. In a bundle it is the one that the bundle was made from, and a
    file that is not as it was then is an alteration. A module that no commit
    has, loaded from the package's folder or from elsewhere, counts as an
    alteration, and so does a commit that was changed under the running process.

    Args:
        whole: whether all files of the package count, as they do where it is
            copied, and not only what this process has loaded.

    Returns:
        dict: ``commit`` and ``dirty``, both None where there is no such
        repository, or none that git may or can read.

    Source: ours.
    """
    loaded = [Path(str(m.__file__)).resolve() for m in _loaded().values()]
    now = _ask(loaded)
    if not _first:
        _first.update(now)
    if _first["commit"] is None:
        return dict(_first)
    _first["dirty"] = (
        _first["dirty"] or now["dirty"] or now["commit"] != _first["commit"]
    )
    is_altered = _first["dirty"] or (whole and _ask(_files())["dirty"])
    return {**_first, "dirty": bool(is_altered)}


def package() -> dict[str, bytes]:
    """Every file of the package: path below the folder it lies in -> content.

    Source: ours.
    """
    files = _files()
    top = Path(sys.modules[PACKAGE].__file__ or "").resolve().parent.parent
    return {f.relative_to(top).as_posix(): f.read_bytes() for f in files}


def _files() -> list[Path]:
    """The files of the package, without those that systems leave hidden."""
    folder = Path(sys.modules[PACKAGE].__file__ or "").resolve().parent
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(
            part == "__pycache__" or part.startswith(".")
            for part in file.relative_to(folder).parts
        )
    ]


def of_files(contents: Mapping[str, bytes]) -> str:
    """One SHA-256 for the files of the package."""
    return digest(
        {k: hashlib.sha256(v).hexdigest() for k, v in contents.items()}
    )


def _ask(files: Sequence[Path]) -> dict[str, Any]:
    """What git says of files; of a bundle's copy, what the bundle says."""
    told = _ask_git(files)
    top = Path(sys.modules[PACKAGE].__file__ or "").resolve().parent.parent
    if told["commit"] is not None or not (top / BUNDLE).is_file():
        return told
    try:
        listed = json.loads((top / BUNDLE).read_bytes())
        commit, dirty = listed["commit"], listed["dirty"]
        is_altered = of_files(package()) != listed["package"]
    except (OSError, ValueError, KeyError, TypeError):
        return told
    if not _HASH.fullmatch(str(commit).encode()):
        return told
    is_foreign = any(not file.is_relative_to(top) for file in files)
    return {
        "commit": commit,
        "dirty": bool(dirty) or is_altered or is_foreign,
    }


def _ask_git(files: Sequence[Path]) -> dict[str, Any]:
    package = Path(sys.modules[PACKAGE].__file__ or "").resolve().parent
    top = package.parent
    # GIT_DIR and its like, as set within a git hook, name another repository.
    environment = {k: v for k, v in os.environ.items() if k[:4] != "GIT_"}

    def ask(*words: str) -> bytes:
        return subprocess.run(
            [*_GIT, *words],
            cwd=top,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=10,
        ).stdout

    unknown = {"commit": None, "dirty": None}
    try:
        if ask("rev-parse", "--show-prefix").strip(b"\n"):
            return unknown  # the repository's top is above us
        # What is marked as unchanged, or left out of the working tree, git
        # does not look at: it is not as good as tracked.
        listed = ask("ls-files", "-v", "-z", "--", PACKAGE).split(b"\0")
        tracked = {line[2:] for line in listed if line[:2] == b"H "}
        if os.fsencode(f"{PACKAGE}/__init__.py") not in tracked:
            return unknown
        commit = ask("rev-parse", "--verify", "HEAD^{commit}").strip()
        changed = ask("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return unknown
    if not _HASH.fullmatch(commit):
        return unknown
    is_foreign = any(
        not file.is_relative_to(top)
        or os.fsencode(file.relative_to(top).as_posix()) not in tracked
        for file in files
    )
    return {"commit": commit.decode(), "dirty": bool(changed) or is_foreign}


def versions(engine: str, task: str) -> dict[str, str]:
    """The versions of what can move a number.

    Args:
        engine: tensorflow or jax.
        task: of the experiment.

    Returns:
        dict: ``python`` and package -> version; what is not installed is left
        out.

    Source: ours.
    """
    found = {"python": platform.python_version()}
    for name in (*_OF_ENGINE[engine], *_ALWAYS, *_OF_TASK.get(task, ())):
        module = sys.modules.get(name)
        version = getattr(module, "__version__", None)
        try:
            found[name] = str(version or importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
