"""Files of flags: ``--flagfile=NAME`` stands for the flags in a file.

A line is a flag; a blank line and one that begins with ``#`` or ``//`` count
for nothing. A file may name another, relative to the working directory. absl
reads such files as well, but not as the program reads text elsewhere: a byte
order mark would be part of the first flag.
"""

import os
from collections.abc import Iterable

from ls_tf import text_lines
from ls_tf.records.reading import reading
from ls_tf.spec import SpecError

_NAMES = ("--flagfile", "-flagfile")
_COMMENTS = ("#", "//")
_MOST_BYTES = 1 << 20  # What is larger is something else.
_DEEPEST = 20


def expanded(words: Iterable[str]) -> list[str]:
    """Puts the flags of files where the files are named.

    Args:
        words: of a command line, without the program's name.

    Returns:
        Words without ``--flagfile``.

    Raises:
        SpecError: a file is missing, no text, too large or names itself; one
            line.

    Source: ours; the form of the files is absl's.
    """
    return _expanded(words, ())


def _expanded(words: Iterable[str], inside: tuple[str, ...]) -> list[str]:
    """Expands words of a file that others have named, the outermost first."""
    result: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*result, word, *rest]
        name, equals, file = word.partition("=")
        if name not in _NAMES:
            result.append(word)
            continue
        file = (file if equals else next(rest, "")).strip()
        if not file:
            raise SpecError("--flagfile: wanted the name of a file, got none")
        result += _flags(os.path.expanduser(file), inside)
    return result


def _flags(file: str, inside: tuple[str, ...]) -> list[str]:
    where = f"--flagfile={file}"
    with reading(where, "flag file", SpecError):
        path = os.path.realpath(file)
        if path in inside:
            raise SpecError(f"{where}: the file names itself")
        if len(inside) == _DEEPEST:
            raise SpecError(
                f"{where}: wanted files within files at most {_DEEPEST} deep"
            )
        with open(file, "rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise SpecError(
                f"{where}: wanted at most {_MOST_BYTES} bytes, got more"
            )
        words = [
            word.strip()
            for line in text_lines.lines(data, where, SpecError)
            # No flag has a carriage return within: here it ends a line also
            # beside line feeds.
            for word in line.split("\r")
        ]
    kept = (w for w in words if w and not w.startswith(_COMMENTS))
    return _expanded(kept, (*inside, path))
