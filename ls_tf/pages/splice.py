"""A report's table between two markers of a text file, and nothing else."""

from ls_tf.pages.blocks import ReportError
from ls_tf.records import local
from ls_tf.records.files import write_bytes
from ls_tf.records.runs import Path


class Marked:
    """A file with a report's two markers, whose other bytes stay."""

    def __init__(self, file: str, name: str) -> None:
        """Reads the file and finds the markers.

        Args:
            file: its path; a link stays one, its target is written.
            name: the report's.

        Raises:
            ReportError: it cannot be read, or has not one opening marker and
                one closing marker behind it; one line.
        """
        self._path = local.target(Path(file))
        try:
            content = self._path.read_bytes()
            content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ReportError(f"{file} cannot be read: {reason}") from None
        opening = f"<!-- report:{name} -->".encode()
        closing = f"<!-- /report:{name} -->".encode()
        before, opened, rest = content.partition(opening)
        inner, closed, after = rest.partition(closing)
        markers = content.count(opening) + content.count(closing)
        if not opened or not closed or markers > 2:
            raise ReportError(
                f"{file}: wanted one line '{opening.decode()}' and behind it "
                f"one line '{closing.decode()}'"
            )
        if b"<!-- report:" in inner or b"<!-- /report:" in inner:
            raise ReportError(
                f"{file}: wanted no other report's marker between "
                f"'{opening.decode()}' and '{closing.decode()}'"
            )
        self._before, self._after = before + opening, closing + after
        self._line_end = _line_end(before) or _line_end(rest) or b"\n"

    def write(self, text: str) -> None:
        """Puts text between the markers, with the line ends of the file.

        Raises:
            OSError: the file system refused; the file is as it was.
        """
        inner = text.encode().replace(b"\n", self._line_end)
        mode = local.permissions(self._path)
        write_bytes(self._path, self._before + inner + self._after)
        local.permit(self._path, mode)


def _line_end(content: bytes) -> bytes | None:
    """Gives the line end nearest before the end of some bytes, if any."""
    place = max(content.rfind(b"\n"), content.rfind(b"\r"))
    if place < 0:
        return None
    if content[place - 1 : place + 1] == b"\r\n" and place:
        return b"\r\n"
    return content[place : place + 1]
