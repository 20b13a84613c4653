"""Text as lines, read in one way wherever it comes from.

Corpora, standard input and files of flags are read here, so that the same
bytes are the same text in training and in use. Text is UTF-8; a byte order
mark at its beginning is passed over. A line ends with a line feed, or with a
carriage return and a line feed; where the whole text has no line feed, with a
carriage return alone, as old Macs wrote it. No other character ends a line,
as U+2028 or a form feed would in Python. White space around a line is no part
of it, and nothing is normalised: a composed and a decomposed letter are two.
"""

import codecs
from collections.abc import Iterator

# Bytes of one line: what never ends is no text.
_LONGEST = 1 << 28


class Reader:
    """Cuts bytes into lines as they come."""

    def __init__(self, name: str, error: type[Exception]) -> None:
        """Stands before the first byte.

        Args:
            name: what to call the text in a message.
            error: class of the error to raise, whose message is one line.
        """
        self._name, self._error = name, error
        self._rest = bytearray()
        self._count = 0  # lines given

    def feed(self, data: bytes) -> Iterator[str]:
        """Gives the lines that end in some more bytes.

        Args:
            data: what follows the bytes before.

        Yields:
            Lines without their ends and the white space around them.

        Raises:
            error: if a line is not UTF-8 or does not end; names it. The lines
                before it were given.
        """
        *ended, rest = data.split(b"\n")
        for raw in ended:
            if self._rest:
                raw = bytes(self._rest) + raw
                self._rest.clear()
            yield self._text(raw)
        self._rest += rest
        if len(self._rest) > _LONGEST:
            raise self._error(
                f"{self._name}, line {self._count + 1}: wanted a line of at "
                f"most {_LONGEST} bytes, got no end of it"
            )

    def many(self, data: bytes) -> list[str]:
        """Gives what ``feed`` does, decoded at once: of much text faster.

        Raises:
            error: as ``feed``; the lines before it are not given.
        """
        head, feed, rest = data.rpartition(b"\n")
        try:
            text = (bytes(self._rest) + head).decode()
        except UnicodeDecodeError:
            return list(self.feed(data))  # It knows where.
        if not feed:
            return list(self.feed(data))
        if not self._count:
            text = text.removeprefix("\ufeff")
        lines = list(map(str.strip, text.split("\n")))
        self._count += len(lines)
        self._rest.clear()
        return lines + list(self.feed(rest))

    def finish(self) -> Iterator[str]:
        """Gives the lines that the end of the text ends.

        Yields and raises as ``feed``. A line end at the end of the text begins
        no further line.
        """
        rest = bytes(self._rest)
        self._rest.clear()
        # Without a line feed before, this is the whole text.
        ended = [rest] if self._count else rest.split(b"\r")
        if not ended[-1]:
            ended.pop()
        for raw in ended:
            yield self._text(raw)

    def _text(self, raw: bytes) -> str:
        if not self._count:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        self._count += 1
        try:
            return raw.decode().strip()
        except UnicodeDecodeError as error:
            raise self._error(
                f"{self._name}, line {self._count}: wanted UTF-8, got byte "
                f"0x{raw[error.start]:02x} at position {error.start + 1} of "
                f"the line ({error.reason})"
            ) from None


def lines(data: bytes, name: str, error: type[Exception]) -> list[str]:
    """Cuts a whole text into lines.

    Args:
        data: all of it.
        name: what to call it in a message.
        error: class of the error to raise, whose message is one line.

    Returns:
        The lines, without their ends and the white space around them.

    Raises:
        error: if a line is not UTF-8; names it.

    Source: the stripping is tensor2tensor's.
    """
    reader = Reader(name, error)
    return [*reader.many(data), *reader.finish()]
