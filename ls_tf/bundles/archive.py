"""The form of a bundle: a zip file that unpacks itself.

``python BUNDLE [FOLDER]`` runs ``main`` from within the archive, with nothing
but Python. The list ``bundle.json`` names the version of the form, the commit
of the package, the SHA-256 of each file, and the runs with their flags. What
is not in it, or is not as it says, is refused before anything is written.
"""

import hashlib
import json
import os
import shlex
import shutil
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ls_tf import streams
from ls_tf.spec import SpecError

VERSION = 1
LIST = "bundle.json"
RUNS, DATA = "runs", "data"
SCRIPT = "run"
_MAIN = "__main__.py"
# For any Python that can run it: an older one cannot read the package.
OLD_PYTHON = b"""\
if sys.version_info < (3, 11):
    sys.stderr.write(
        "ls_tf: wanted Python 3.11 or later, got %s\\n" % sys.version.split()[0]
    )
    sys.exit(2)
"""
_MAIN_TEXT = (
    b"import sys\n\n"
    + OLD_PYTHON
    + b"""
from ls_tf.bundles.archive import main

sys.exit(main(sys.argv))
"""
)
# Equal contents are equal bytes: no file has a time of its own.
_TIME = (1980, 1, 1, 0, 0, 0)


def write(path: Path, files: Mapping[str, bytes], about: Any) -> None:
    """Writes a bundle.

    Args:
        path: to a file; written as it goes.
        files: path within the bundle, with slashes -> content.
        about: what the list says beside version and digests.

    Raises:
        OSError: it cannot be written.

    Source: ours.
    """
    listed = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    text = json.dumps({"version": VERSION, **about, "files": listed}, indent=1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (
            (_MAIN, _MAIN_TEXT),
            (LIST, text.encode()),
            *files.items(),
        ):
            entry = zipfile.ZipInfo(name, _TIME)
            mode = 0o755 if name == SCRIPT else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            # Python imports from what is deflated, and from no better form.
            entry.compress_type = (
                zipfile.ZIP_LZMA
                if name.startswith(f"{DATA}/")
                else zipfile.ZIP_DEFLATED
            )
            archive.writestr(entry, data)


def parse(data: bytes, where: object) -> dict[str, Any]:
    """Reads the list of a bundle.

    Args:
        data: of ``bundle.json``.
        where: whose it is, for messages.

    Raises:
        SpecError: it is damaged, or of another version; one line.
    """
    try:
        listed = json.loads(data)
        version = listed["version"]
        files = listed["files"].items()
        known = {str(name): str(digest) for name, digest in files}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SpecError(
            f"{where} is no bundle, or its list is damaged"
        ) from None
    if version != VERSION:
        raise SpecError(
            f"{where} is a bundle of version {version!r}; wanted version "
            f"{VERSION}: make it anew with --mode=bundle"
        )
    for name in known:
        path = PurePosixPath(name)
        if (
            path.is_absolute()
            or ".." in path.parts
            or not path.parts
            or set(name) & set("\\:\0")
        ):
            raise SpecError(
                f"{where} holds a path outside itself: {name!r}; nothing is "
                "unpacked"
            )
    return dict(listed)


def read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Reads a whole bundle, and checks it.

    Returns:
        The list, and path -> content of all files that it names.

    Raises:
        SpecError: it is missing, damaged, of another version, or holds a path
            outside itself; one line.

    Source: ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            listed = parse(archive.read(LIST), path)
            odd = {*names} ^ {*listed["files"], LIST, _MAIN}
            if odd or len(names) != len({*names}):
                raise SpecError(
                    f"{path} is damaged: it holds other files than its list "
                    f"says: {sorted(odd)[:3]}"
                )
            files = {name: archive.read(name) for name in listed["files"]}
    except OSError as error:
        raise SpecError(
            f"bundle {path} cannot be read: {error.strerror or error}"
        ) from None
    except SpecError:
        raise
    except Exception as error:  # a damaged archive raises nearly anything
        words = " ".join(str(error).split())[:200]
        raise SpecError(f"{path} is damaged or no bundle: {words}") from None
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != listed["files"][name]:
            raise SpecError(f"{path} is damaged: {name} is not what was packed")
    return listed, files


def unpack(path: Path, folder: Path) -> None:
    """Unpacks a bundle into a new folder, which is whole or not there.

    Raises:
        SpecError: see ``read``; or there is such a folder already.
        OSError: the folder cannot be written.
    """
    listed, files = read(path)
    if folder.exists():
        raise SpecError(
            f"{folder} is there already; remove it, or name another folder: "
            f"python {path} FOLDER"
        )
    mine = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        for name, data in files.items():
            file = mine / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        (mine / SCRIPT).chmod(0o755)
        (mine / LIST).write_text(json.dumps(listed, indent=1))
        mine.rename(folder)
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def main(argv: Sequence[str]) -> int:
    """Unpacks the bundle that this runs from.

    Args:
        argv: the bundle, and where to unpack it; default: beside itself, under
            its name without an ending.

    Returns:
        int: exit code.
    """
    path = Path(argv[0])
    if len(argv) > 2 or any(word.startswith("-") for word in argv[1:]):
        got = shlex.join(argv[1:])
        streams.say(f"wanted python {path} [FOLDER], got {got}")
        return 2
    folder = Path(argv[1]) if len(argv) > 1 else path.with_suffix("")
    try:
        unpack(path, folder)
    except SpecError as error:
        streams.say(str(error))
        return 2
    except OSError as error:
        streams.say(f"{folder} cannot be written: {error}")
        return 5
    print(f"unpacked; train with: {folder / SCRIPT}")
    return 0
