"""The other processes of a run: met before the first step, watched to the last.

Worker 0 listens on the address that it has anyway, before its engine does,
until all have come; the connections of this meeting stay open, and the address
is then the engine's. So the meeting wants no port of its own, knows nothing of
an engine, and sees at once when a process dies: the kernel closes what the
process had open, and asks a machine that says nothing for half a minute.

Messages are lines of JSON. Workers talk to worker 0 alone, which passes on
what concerns the others.
"""

import collections
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ls_tf import exit_codes, stopping, streams
from ls_tf.running import connections
from ls_tf.running.connections import (
    Clock,
    Connection,
    Message,
    PeerError,
)
from ls_tf.running.meeting import Meeting
from ls_tf.running.places import Place
from ls_tf.spec import SpecError

_KEPT = "; the last checkpoint is intact"

# So long an engine may take to notice that a peer is lost, and to unwind.
_GRACE_SECONDS = 10.0


def _silence() -> None:
    """Drops what an engine has to say of a loss that has been told."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class Peers:
    """The processes of a run as one of them sees them; also of a run alone."""

    def __init__(
        self,
        index: int = 0,
        addresses: Sequence[str] = ("",),
        source: str = "TF_CONFIG",
    ):
        """Knows who should be there; ``meet`` finds them.

        Args:
            index: of this process; 0 is the one that writes.
            addresses: ``host:port`` of each; that of process 0 will do.
            source: what says so, for messages.
        """
        self.index, self.addresses = index, tuple(addresses)
        self._meeting = Meeting(index, addresses, source)
        # The engine would wait at the end for those that have ended before.
        self.ends_at_once = False
        self._left: set[int] = set()
        self._told: dict[int, collections.deque[Any]] = {}
        self._changed = threading.Condition()
        self._relaying = threading.Lock()
        self._is_closing = False
        self._at_loss: Callable[[str], None] | None = None
        self._stderr = -1
        self.lost = ""  # who, in one line

    def name(self, index: int) -> str:
        """A process in words."""
        return self._meeting.name(index)

    # --- The meeting --------------------------------------------------------

    def meet(self, seconds: float) -> None:
        """Waits for all others; says each half minute for whom.

        Args:
            seconds: how long.

        Raises:
            PeerError: one did not come, or has refused; one line.
            SpecError: two processes disagree about who is who.
            StoppedError: a signal came.
        """
        if len(self.addresses) == 1:
            return
        with stopping.doing("waiting for the other workers"):
            self._meeting.hold(seconds)
        self._stderr = streams.copy_of_messages()
        for index, line in self._meeting.lines.items():
            self._told[index] = collections.deque()
            threading.Thread(
                target=self._read, args=(index, line), daemon=True
            ).start()

    # --- While they work ----------------------------------------------------

    def gather(
        self, about: Message, is_same: Callable[[Sequence[Message]], bool]
    ) -> list[Message]:
        """Tells all what each says, in their order.

        Args:
            about: what this one says; JSON.
            is_same: whether all may go on together; if not, nobody is missed
                who goes now.

        Raises:
            PeerError: one is lost, or has ended.
            StoppedError: a signal came.
        """
        if len(self.addresses) == 1:
            return [about]
        if self.index:
            self._meeting.lines[0].send({"about": about})
            answer: list[Message] = self._await(0)
            return answer
        all_of = [about, *(self._await(i) for i in sorted(self._meeting.lines))]
        self._is_closing = not is_same(all_of)
        with self._relaying:
            part = "all_about" if not self._is_closing else "different"
            self._meeting.broadcast({part: all_of})
        return all_of

    def _await(self, index: int) -> Any:
        clock = Clock(float("inf"))
        while True:
            stopping.look()
            with self._changed:
                if self._told[index]:
                    return self._told[index].popleft()
                self.look()
                if index in self._left:
                    raise PeerError(
                        f"{self.name(index)} has ended its work, this process "
                        "has not"
                    )
                self._changed.wait(connections.POLL_SECONDS)
            if line := clock.line(self.name(index)):
                streams.say(line)

    def look(self) -> None:
        """Breaks off the work if another process is lost.

        Raises:
            PeerError: it is; one line.
        """
        if self.lost:
            raise PeerError(self.lost)

    @contextlib.contextmanager
    def watched(self, at_loss: Callable[[str], None]) -> Iterator[None]:
        """Within it, the loss of a peer is written down.

        Whatever an engine makes of the loss is told as what it is. An engine
        that waits for the lost one all the same is not waited for: the process
        ends.

        Args:
            at_loss: called once, with the line; perhaps from another thread.

        Raises:
            PeerError: a peer is lost; one line.
        """
        self._at_loss = at_loss
        try:
            yield
        except Exception as error:
            if len(self.addresses) > 1 and not isinstance(error, SpecError):
                self._await_loss(error)
            if not self.lost:
                raise
            self._write_loss()
            raise PeerError(self.lost) from None
        finally:
            self._at_loss = None

    def _await_loss(self, error: Exception) -> None:
        """An engine may know of a loss before the kernel has told us."""
        is_jax = "Gloo" in str(error)  # a ValueError of no module of JAX's
        if is_jax or type(error).__module__.startswith(("tensorflow", "jax")):
            with self._changed:
                self._changed.wait_for(lambda: self.lost, _GRACE_SECONDS)

    def _write_loss(self) -> None:
        with self._changed:
            at_loss, self._at_loss = self._at_loss, None
        if at_loss is not None:
            with contextlib.suppress(Exception):
                at_loss(self.lost)

    def _read(self, index: int, line: Connection) -> None:
        """Hears one process until it ends; a thread."""
        while True:
            try:
                message = line.receive()
            except TimeoutError:
                message, gone = None, "no answer for 30 s"
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None)
                message, gone = None, str(reason or error)
            else:
                gone = "its connection was closed"
            if message is None:
                if index not in self._left:
                    self._lose(f"{self.name(index)} is lost ({gone})")
                return
            self._hear(index, message)

    def _hear(self, index: int, message: Message) -> None:
        with self._changed:
            for kind in ("about", "all_about", "different"):
                if kind in message:
                    self._told[index].append(message[kind])
            if "different" in message:
                self._is_closing = True
            if "bye" in message:
                self._left.add(index)
            self._changed.notify_all()
        if "left" in message:
            self._left.add(index)
            line = f"{self.name(index)} ended: {message['left']}"
            # All may be about to end, stopped or refused for one reason.
            time.sleep(_GRACE_SECONDS / 2)
            self._lose(line)
        if "lost" in message:
            self._lose(str(message["lost"]))

    def _lose(self, line: str) -> None:
        """Says that a peer is lost; the process has to end."""
        with self._changed:
            if self.lost or self._is_closing:
                return
            # Said before anybody knows of it, who would say it too.
            streams.say_to(self._stderr, f"{line}{_KEPT}")
            with contextlib.suppress(OSError):
                _silence()
            self.lost = line
            self._changed.notify_all()
        if self.index == 0:
            with self._relaying:
                self._meeting.broadcast({"lost": line})
        time.sleep(_GRACE_SECONDS)
        self._write_loss()
        os._exit(exit_codes.LOST)

    def leave(self, reason: str = "") -> None:
        """Takes leave of the others.

        Args:
            reason: why this process does not finish; default: it has.
        """
        with self._changed:
            self._is_closing = True
        self._meeting.broadcast({"left": reason} if reason else {"bye": True})
        self._meeting.close()


_present: list[Peers] = []


def meet(place: Place, seconds: float) -> Peers:
    """Meets the other processes, once in a process; see ``Peers.meet``."""
    peers = Peers(place.index, place.addresses, place.source)
    peers.meet(seconds)
    _present[:] = [peers]
    return peers


def has_met() -> bool:
    """Whether this process works with others."""
    return any(len(peers.addresses) > 1 for peers in _present)


def leave(reason: str = "") -> bool:
    """Takes leave of whom this process has met; see ``Peers.leave``.

    Returns:
        bool: whether the process has to end without its engine's leave.
    """
    ends_at_once = any(peers.ends_at_once for peers in _present)
    for peers in _present:
        peers.leave(reason)
    _present.clear()
    return ends_at_once
