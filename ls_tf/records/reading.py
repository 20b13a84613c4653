"""Reading files that may be damaged, cut short, another's or not there.

A damaged file makes its reader raise nearly anything: zlib, tokenize, key,
type, overflow and recursion errors, and errors of libraries' own. Readers
therefore catch no list of types: within ``reading`` whatever is raised becomes
the reader's own error, in one line that names the file.
"""

import contextlib
import os
import re
from collections.abc import Iterator

_LONGEST = 200  # characters of another library's message


def line(error: BaseException) -> str:
    """Shortens an error of another library to one line."""
    # TensorFlow adds where in its graph it was.
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]( name:)?", "", str(error))
    words = " ".join(text.split())
    if len(words) > _LONGEST:
        words = words[:_LONGEST] + " ..."
    return f"{type(error).__name__}: {words}"


@contextlib.contextmanager
def reading(
    file: str | os.PathLike[str], what: str, error: type[Exception]
) -> Iterator[None]:
    """Turns whatever reading a file raises into one line.

    Errors of the wanted class are one line already and pass unchanged. A
    request to stop and an interrupt are no ``Exception`` and pass too.

    Args:
        file: what is read, for the message.
        what: what it should be, in the singular: "run record".
        error: class of the error to raise, whose message is one line.

    Raises:
        error: "FILE cannot be read: REASON" where the system refused; "FILE is
            damaged, it is no WHAT: REASON" for all else.

    Source: ours.
    """
    try:
        yield
    except error:
        raise
    except OSError as reason:
        text = reason.strerror or line(reason)
        raise error(f"{file} cannot be read: {text}") from None
    except Exception as reason:
        raise error(
            f"{file} is damaged, it is no {what}: {line(reason)}"
        ) from None
