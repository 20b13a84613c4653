"""A user's own NumPy file, read once as long as it stays as it is."""

import io
import os
import zipfile

import numpy as np
from etils import epath

from ls_tf.pipeline.contract import DataError
from ls_tf.records.arrays import decode_npz
from ls_tf.records.local import plain
from ls_tf.records.reading import reading

State = tuple[str, int, int]  # name, time of the last change, size


def state(source: str) -> State:
    """Tells one state of a file from another.

    Args:
        source: its name; may be ``gs://``.

    Returns:
        Full name, time of the last change and size.

    Raises:
        DataError: there is none, or it is no file; one line.

    Source: ours.
    """
    file = epath.Path(source).expanduser()
    with reading(file, "NumPy file", DataError):
        if not file.exists():
            raise DataError(f"data.source: there is no file {file}")
        if file.is_dir():
            raise DataError(
                f"data.source: wanted a NumPy file, {file} is a folder"
            )
        if "://" not in os.fspath(file):  # epath's is in whole seconds
            local = os.stat(file)
            return os.fspath(file), local.st_mtime_ns, local.st_size
        stat = file.stat()
        return os.fspath(file), stat.mtime, stat.length


def read(file: epath.Path, most_bytes: int) -> dict[str, np.ndarray]:
    """Reads all arrays of a file.

    Args:
        file: ``*.npz``.
        most_bytes: that they may have in memory, all together.

    Returns:
        Name -> array.

    Raises:
        DataError: damaged, too large, or with an array of objects, which
            would have to be unpickled; one line.

    Source: ours.
    """
    with reading(file, "NumPy file (*.npz)", DataError):
        data = plain(file).read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            whole = sum(member.file_size for member in archive.infolist())
        if whole > most_bytes:
            raise DataError(
                f"{file}: its arrays have {whole / 1e9:.1f} GB, wanted at most "
                f"{most_bytes / 1e9:.1f} in memory; write the images as files "
                "and stream them (docs/data.md)"
            )
        found = decode_npz(data)
        arrays: dict[str, np.ndarray] = {}
        for name in found:
            try:
                arrays[name] = found[name]
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
                raise DataError(
                    f"{file}: wanted numbers or text, array {name} holds "
                    "objects, which would have to be unpickled"
                ) from None
        return arrays
