"""Lines about a stop, from threads, on a standard error of their own."""

import contextlib
import os
import select


def copy_of_standard_error() -> int:
    """A copy: others may turn standard error away for a while."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def tell(descriptor: int, line: str) -> None:
    """Writes a line where nothing can fail, nor wait for a reader."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):
        if poll.poll(0):
            # A progress bar stands on the terminal's present line.
            start = "\n" if os.isatty(descriptor) else ""
            os.write(descriptor, f"{start}ls_tf: {line}\n".encode())
