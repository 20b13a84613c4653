"""Standard streams that may be closed, full or without a reader.

A program is started by scripts, services and pipes: any of its three streams
may not be there, and any write to the other two may fail. What it says on
standard error is a courtesy, of which nothing depends: what cannot be said is
dropped. What it gives on standard output was asked for: what cannot be given
ends in ``OutputError``.
"""

import contextlib
import errno
import os
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO


def say(line: str) -> None:
    """Says something on standard error, as what this program says.

    Args:
        line: one line, without an end.

    Source: ours.
    """
    print(f"ls_tf: {line}", file=sys.stderr, flush=True)


def copy_of_messages() -> int:
    """A copy of standard error: others may turn that away for a while.

    Returns:
        int: its number, to be closed by who asked for it.

    Source: ours.
    """
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def say_to(descriptor: int, line: str) -> None:
    """Says something where nothing can fail, nor wait for a reader.

    Args:
        descriptor: what ``copy_of_messages`` gave.
        line: as in ``say``.

    Source: ours.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):
        if poll.poll(0):
            # A progress bar stands on the terminal's present line.
            start = "\n" if os.isatty(descriptor) else ""
            os.write(descriptor, f"{start}ls_tf: {line}\n".encode())


class OutputError(Exception):
    """Standard output cannot be written; the message is one line.

    Attributes:
        has_no_reader: who read it, such as ``head``, has gone: no fault.
    """

    def __init__(self, reason: str, *, has_no_reader: bool = False) -> None:
        """Takes the reason, in the system's words."""
        super().__init__(f"standard output cannot be written: {reason}")
        self.has_no_reader = has_no_reader


class _Stream:
    """A stream of text that writes in a way of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output: says why it cannot be written."""

    def write(self, text: str) -> int:
        with _output_errors():
            try:
                return self._stream.write(text)
            except UnicodeEncodeError:
                return self._write_bytes(text)

    def _write_bytes(self, text: str) -> int:
        """Writes what the stream's encoding lacks, as in a path.

        A path is given as its own bytes, so that who reads it finds the file.
        """
        encoding = self._stream.encoding
        try:
            data = os.fsencode(text)
        except UnicodeEncodeError:
            data = text.encode(encoding, "backslashreplace")
        self._stream.flush()
        self._stream.buffer.write(data)
        return len(text)

    def flush(self) -> None:
        with _output_errors():
            self._stream.flush()


class _Closed(_Stream):
    """Standard output that was closed when the program began."""

    def write(self, text: str) -> int:
        raise OutputError("it is closed")


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            error.strerror or str(error),
            has_no_reader=error.errno == errno.EPIPE,
        ) from None


class _Messages(_Stream):
    """Standard error: drops what cannot be written."""

    def write(self, text: str) -> int:
        # ValueError: closed by who owns it.
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def open_closed() -> None:
    """Opens nothing where a standard stream is closed.

    Else the next file that is opened would have its number, and what a
    library says on standard error would go into that file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free: this one.
            os.open(os.devnull, os.O_RDWR)


@contextlib.contextmanager
def quiet(*streams_too: int) -> Iterator[None]:
    """Drops what a library's C++ writes to standard error.

    TensorFlow speaks of CUDA and of rounding on every start, before any
    setting of its own is read, and Ray of each try to reach a cluster; errors
    come as exceptions all the same.

    Args:
        *streams_too: numbers of further streams.
    """
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    sink = os.open(os.devnull, os.O_WRONLY)
    kept = {number: os.dup(number) for number in (2, *streams_too)}
    for number in kept:
        os.dup2(sink, number)
    try:
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(sink)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Within it, standard output and error fail in one way, or not at all.

    Raises:
        OutputError: what was printed cannot be written.

    Source: ours.
    """
    open_closed()
    output, messages = before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nothing:
        guarded: Any = _Output(output) if output else _Closed(nothing)
        dropping: Any = _Messages(messages or nothing)
        sys.stdout, sys.stderr = guarded, dropping
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            for stream in before:
                _let_go(stream)


def is_output_closed() -> bool:
    """Whether standard output was closed when the program began."""
    return isinstance(sys.stdout, _Closed)


def _let_go(stream: TextIO | None) -> None:
    """Drops what is left to write of a stream that cannot be written.

    Python would try again at its end, and give its own message and code.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except ValueError:
        return  # closed by who owns it
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
        stream.flush()
