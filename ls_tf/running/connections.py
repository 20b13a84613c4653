"""Lines of JSON between two processes, and how they find each other."""

import contextlib
import errno
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from ls_tf import stopping
from ls_tf.durations import spoken
from ls_tf.spec import SpecError

SAY_SECONDS = 30.0
POLL_SECONDS = 0.25
HELLO_SECONDS = 5.0
_LONGEST = 4 << 20  # bytes of a message

Message = dict[str, Any]


class PeerError(Exception):
    """Another process of the run is lost, has refused or never came."""


class Connection:
    """Lines of JSON over a socket."""

    def __init__(self, connected: socket.socket) -> None:
        """Takes a socket; the kernel notices if its other end is gone."""
        self._socket = connected
        self._buffer = b""
        self._sending = threading.Lock()
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", 10),
            ("TCP_KEEPINTVL", 5),
            ("TCP_KEEPCNT", 4),
            ("TCP_USER_TIMEOUT", 30_000),
            ("TCP_NODELAY", 1),
        ):
            if hasattr(socket, name):
                option = getattr(socket, name)
                connected.setsockopt(socket.IPPROTO_TCP, option, value)

    def send(self, message: Message) -> None:
        """Sends a message; one that cannot arrive is dropped."""
        data = json.dumps(message).encode() + b"\n"
        with self._sending, contextlib.suppress(OSError):
            self._socket.settimeout(None)
            self._socket.sendall(data)

    def receive(self, seconds: float | None = None) -> Message | None:
        """The next message.

        Returns:
            The message; None if the other side has closed.

        Raises:
            TimeoutError: there is none yet.
            OSError: the connection is broken.
            ValueError: the other side is no worker.
        """
        while b"\n" not in self._buffer:
            self._socket.settimeout(seconds)
            more = self._socket.recv(1 << 16)
            if not more:
                return None
            self._buffer += more
            if len(self._buffer) > _LONGEST:
                raise ValueError("too long")
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except RecursionError as error:
            raise ValueError("no message") from error
        if not isinstance(message, dict):
            raise ValueError("no message")
        return message

    def push_back(self, message: Message) -> None:
        """Gives a message to ``receive`` once more."""
        self._buffer = json.dumps(message).encode() + b"\n" + self._buffer

    def close(self) -> None:
        """Ends the connection; what was sent arrives."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Clock:
    """Says how long one waits already, each half minute."""

    def __init__(self, seconds: float) -> None:
        """Starts; takes how long may be waited."""
        self.seconds = seconds
        self._began = self._said = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether that is over."""
        return time.monotonic() - self._began > self.seconds

    def line(self, names: str) -> str:
        """What to say of who is waited for; empty if it was just said."""
        now = time.monotonic()
        if now - self._said < SAY_SECONDS:
            return ""
        self._said = now
        return f"waiting for {names}, {spoken(now - self._began)}"


@contextlib.contextmanager
def listening(address: str, source: str) -> Iterator[socket.socket]:
    """Listens on an address of this machine, on all its interfaces.

    Args:
        address: ``host:port``.
        source: what says so, for messages.

    Raises:
        SpecError: it cannot, or for half a minute another program does.
    """
    clock = Clock(SAY_SECONDS)
    while True:
        try:
            server = _server(int(address.rpartition(":")[2]))
            break
        except (OSError, OverflowError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            if not in_use or clock.is_over:
                reason = getattr(error, "strerror", None) or error
                raise SpecError(
                    f"{source}: worker 0 cannot listen on {address}: {reason}"
                ) from None
        stopping.wait(POLL_SECONDS)  # a run that was lost may be ending
    with server:
        server.settimeout(POLL_SECONDS)
        yield server


def _server(port: int) -> socket.socket:
    with contextlib.suppress(OSError):
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True
            )
    return socket.create_server(("", port))


def connected(address: str, hello: Message) -> Connection:
    """Connects to an address, says hello and hears the first answer.

    Raises:
        OSError, ValueError: nobody is there, or something else.
    """
    host, _, port = address.rpartition(":")
    opened = socket.create_connection(
        (host.strip("[]"), int(port)), HELLO_SECONDS
    )
    line = Connection(opened)
    try:
        line.send(hello)
        message = line.receive(HELLO_SECONDS)
        if message is None or not message.keys() & {
            "welcome",
            "refused",
            "left",
            "told",
        }:
            raise ValueError("no worker")
    except BaseException:
        line.close()
        raise
    # Heard again by who waits for the answer.
    line.push_back(message)
    return line
