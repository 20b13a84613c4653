"""Files of a run directory: whole or not there, versioned, through epath."""

import contextlib
import datetime
import io
import json
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils.epath import Path

VERSION = 1  # of the record; a record of a newer version is refused


class RunError(ValueError):
    """A run directory that cannot be used; the message is one line."""


def _temporary(path: Path) -> Path:
    return path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file that is either wholly there or not at all.

    Raises:
        OSError: the file system refused; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes JSON through ``write_bytes``; floats keep all their digits."""
    text = json.dumps(value, indent=1, sort_keys=False, allow_nan=True)
    write_bytes(path, (text + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as one compressed ``.npz`` through ``write_bytes``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def now() -> str:
    """The time as ISO text, UTC, to the second."""
    time = datetime.datetime.now(datetime.UTC)
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def read_json(file: Path, what: str) -> dict[str, Any] | None:
    """Reads a versioned JSON file; None if it is not there.

    Raises:
        RunError: unreadable, damaged or of a newer version.
    """
    try:
        found = json.loads(file.read_text())
        version = int(found["version"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{file} is damaged, it is no {what}: "
            f"{type(error).__name__}: {error}"
        ) from None
    if version > VERSION:
        raise RunError(
            f"{file} has record version {version}; this program reads up to "
            f"{VERSION}: use a newer ls_tf"
        )
    return dict(found)
