"""A report's table between two markers of a text file, and nothing else."""

import re

from ls_tf.pages.blocks import ReportError
from ls_tf.records import files, local
from ls_tf.records.runs import Path, RunError

_MARKER = re.compile(rb"<!-- (/?)report:(\w+(?:/\w+)?) -->")


class Marked:
    """A file with a report's two markers, whose other bytes stay."""

    def __init__(self, file: str, name: str) -> None:
        """Reads the file and finds the markers.

        Args:
            file: its path; a link stays one, its target is written.
            name: the report's, or REPORT/TABLE.

        Raises:
            ReportError: it cannot be read or written, or has not one opening
                marker and one closing marker behind it, apart from those of
                other reports; one line.
        """
        self._path, self._name = Path(file), name
        self._split()
        if not local.may_write(local.target(self._path).parent):
            raise ReportError(f"{file} cannot be written: Permission denied")

    def _split(self) -> tuple[bytes, bytes, bytes]:
        """What is before the block, with its marker, in it, and behind it."""
        content = _read(self._path)
        markers = list(_MARKER.finditer(content))
        name = self._name.encode()
        own = [i for i, m in enumerate(markers) if m[2] == name]
        if [markers[i][1] for i in own] != [b"", b"/"]:
            raise ReportError(
                f"{self._path}: wanted one line '<!-- report:{self._name} -->' "
                f"and behind it one line '<!-- /report:{self._name} -->'"
            )
        first, last = own
        is_within = first > 0 and not markers[first - 1][1]
        if last != first + 1 or is_within:
            raise ReportError(
                f"{self._path}: wanted the block of report {self._name} apart "
                "from other reports' markers"
            )
        opened, closed = markers[first].end(), markers[last].start()
        return content[:opened], content[opened:closed], content[closed:]

    def write(self, text: str) -> None:
        """Puts text between the markers, with the line ends of the file.

        The file is read again: what was written to it meanwhile stays.

        Raises:
            ReportError: it lost its markers meanwhile.
            OSError: the file system refused; the file is as it was.
        """
        before, inner, after = self._split()
        marker = before.rfind(b"<!--")
        end = _line_end(before[:marker]) or _line_end(inner + after) or b"\n"
        block = text.encode().replace(b"\n", end)
        files.rewrite(self._path, before + block + after)


def names(file: str) -> list[str]:
    """The reports, or REPORT/TABLE, that a file has opening markers of.

    Args:
        file: its path.

    Raises:
        ReportError: it cannot be read; one line.
    """
    markers = _MARKER.finditer(_read(Path(file)))
    return [marker[2].decode() for marker in markers if not marker[1]]


def _read(file: Path) -> bytes:
    try:
        content = files.read(file, "text")
    except RunError as error:
        raise ReportError(str(error)) from None
    if content is None:
        raise ReportError(f"{file} cannot be read: No such file or directory")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ReportError(
            f"{file} cannot be read: wanted UTF-8, got byte "
            f"0x{content[error.start]:02x} at position {error.start + 1}"
        ) from None
    return content


def _line_end(content: bytes) -> bytes | None:
    """Gives the line end nearest before the end of some bytes, if any."""
    place = max(content.rfind(b"\n"), content.rfind(b"\r"))
    if place < 0:
        return None
    if content[place - 1 : place + 1] == b"\r\n" and place:
        return b"\r\n"
    return content[place : place + 1]
