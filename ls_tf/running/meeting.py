"""How the processes of a run meet before the first step.

Worker 0 listens on the address that it has anyway, before its engine does,
until all have come. The others ask there until it answers.
"""

import contextlib
import socket
import time
from collections.abc import Sequence
from typing import Any

from ls_tf import stopping, streams
from ls_tf.running import connections
from ls_tf.running.connections import (
    Clock,
    Connection,
    Message,
    PeerError,
    connected,
    listening,
)
from ls_tf.running.places import Place
from ls_tf.spec import SpecError

# How long a process that was refused, or has nothing to do, tells the others.
REFUSED_SECONDS = 20.0
IDLE_SECONDS = 5.0


class Meeting:
    """The connections of one process to those that it has met."""

    def __init__(
        self, index: int, addresses: Sequence[str], source: str
    ) -> None:
        """Knows who should be there; see ``Peers``.

        Args:
            index: of this process.
            addresses: of each.
            source: what says so, for messages.
        """
        self.index, self.addresses = index, tuple(addresses)
        self._source = source
        self.lines: dict[int, Connection] = {}

    def name(self, index: int) -> str:
        """A process in words."""
        address = self.addresses[index]
        return f"worker {index} at {address}" if address else f"worker {index}"

    def hold(self, seconds: float) -> None:
        """Waits for all others; says each half minute for whom.

        Args:
            seconds: how long.

        Raises:
            PeerError: one did not come, or has refused; one line.
            SpecError: two processes disagree about who is who.
            StoppedError: a signal came.
        """
        if self.index == 0:
            self._gather_workers(Clock(seconds))
        else:
            self._find_chief(Clock(seconds))

    def broadcast(self, message: Message) -> None:
        """Tells all that have been met."""
        for line in list(self.lines.values()):
            line.send(message)

    def close(self) -> None:
        """Ends the connections."""
        for line in self.lines.values():
            line.close()

    def _hello(self) -> Message:
        return {"hello": self.index, "workers": list(self.addresses)}

    def _gather_workers(self, clock: Clock) -> None:
        missing = set(range(1, len(self.addresses)))
        try:
            with listening(self.addresses[0], self._source) as server:
                while missing:
                    stopping.look()
                    self._accept(server, missing)
                    self._drop_gone(missing)
                    if missing:
                        self._say_missing(clock, missing)
        except BaseException as error:
            reason = str(error) or "stopped by a signal"
            self.broadcast({"lost": reason})
            self.close()
            raise
        self.broadcast({"all": True})

    def _say_missing(self, clock: Clock, missing: set[int]) -> None:
        names = ", ".join(self.name(i) for i in sorted(missing))
        if clock.is_over:
            raise PeerError(
                f"{names} did not come within {clock.seconds:g} s "
                "(--worker_timeout)"
            )
        if line := clock.line(names):
            streams.say(line)
            self.broadcast({"say": line})

    def _accept(self, server: socket.socket, missing: set[int]) -> None:
        """Takes one that comes, if one comes soon."""
        try:
            line = Connection(server.accept()[0])
        except TimeoutError:
            return
        try:
            hello = line.receive(connections.HELLO_SECONDS) or {}
            index = int(hello.get("hello", -1))
            workers, reason = hello.get("workers"), hello.get("reason")
        except (OSError, ValueError, TypeError):
            line.close()
            return
        # One that went and came again at once is no second one.
        self._drop_gone(missing)
        try:
            is_one = self._greet(line, index, workers, reason, missing)
        except BaseException:
            line.close()
            raise
        if not is_one:
            line.close()
            return
        self.lines[index] = line
        missing.discard(index)

    def _greet(
        self,
        line: Connection,
        index: int,
        workers: Any,
        reason: Any,
        missing: set[int],
    ) -> bool:
        """Answers who has said hello; whether it is one that was missing."""
        if not isinstance(workers, list):
            return False  # a stranger
        if workers != list(self.addresses):
            other = (
                f"{self._source} names the workers {_short(self.addresses)} "
                f"for worker 0 and {_short(workers)} for worker {index}"
            )
            line.send({"refused": other})
            raise SpecError(other)
        if reason is not None and 0 < index < len(self.addresses):
            line.send({"told": True})
            raise PeerError(f"{self.name(index)} ended: {reason}")
        if index in missing:
            line.send({"welcome": True})
            return True
        if 0 <= index < len(self.addresses):
            other = f"{self.name(index)} is there already"
            line.send({"refused": f"{self._source}: {other}"})
        return False

    def _drop_gone(self, missing: set[int]) -> None:
        """Waits again for one that has gone, unless it says why it went."""
        for index, line in list(self.lines.items()):
            try:
                message = line.receive(0.001)
            except TimeoutError:
                continue
            except (OSError, ValueError):
                message = None
            if message is not None and "left" in message:
                raise PeerError(f"{self.name(index)} ended: {message['left']}")
            self.lines.pop(index).close()
            missing.add(index)

    def _find_chief(self, clock: Clock) -> None:
        while True:
            stopping.look()
            if clock.is_over:
                raise PeerError(
                    f"{self.name(0)} did not come within {clock.seconds:g} s "
                    "(--worker_timeout)"
                )
            if said := clock.line(self.name(0)):
                streams.say(said)
            try:
                line = connected(self.addresses[0], self._hello())
            except (OSError, ValueError):
                stopping.wait(connections.POLL_SECONDS)
                continue
            is_met = False
            try:
                is_met = self._is_welcome(line)
            finally:
                if not is_met:
                    line.close()
            if is_met:
                self.lines[0] = line
                return

    def _is_welcome(self, line: Connection) -> bool:
        """Waits until worker 0 has all; False if it goes away before."""
        while True:
            stopping.look()
            try:
                message = line.receive(connections.POLL_SECONDS)
            except TimeoutError:
                continue
            except (OSError, ValueError):
                return False
            if message is None:
                return False
            if "refused" in message:
                raise SpecError(str(message["refused"]))
            if "left" in message:
                raise PeerError(f"{self.name(0)} ended: {message['left']}")
            if "lost" in message:
                raise PeerError(str(message["lost"]))
            if "say" in message:
                streams.say(str(message["say"]))
            if "all" in message:
                return True


def _short(addresses: Sequence[Any]) -> str:
    if addresses and not all(addresses[1:]):
        return f"{addresses[0]} and {len(addresses) - 1} more"
    text = str(list(addresses))
    return text if len(text) < 80 else f"{text[:77]}..."


def tell_absence(place: Place, reason: str, seconds: float) -> None:
    """Tells those that would wait for this process that it will not come.

    Worker 0 answers each that asks for it, the others tell worker 0.

    Args:
        place: of this process.
        reason: one line.
        seconds: how long to wait for those who have to be told.
    """
    index, addresses = place.index, place.addresses
    until = time.monotonic() + seconds
    hello = {"hello": index, "workers": list(addresses), "reason": reason}
    with contextlib.suppress(SpecError, stopping.StoppedError):
        if index:
            while time.monotonic() < until:
                with contextlib.suppress(OSError, ValueError):
                    connected(addresses[0], hello).close()
                    return
                stopping.wait(connections.POLL_SECONDS)
            return
        with listening(addresses[0], place.source) as server:
            told = 0
            while told < len(addresses) - 1 and time.monotonic() < until:
                stopping.look()
                with contextlib.suppress(OSError, ValueError):
                    line = Connection(server.accept()[0])
                    line.receive(connections.HELLO_SECONDS)
                    line.send({"left": reason})
                    line.close()
                    told += 1
