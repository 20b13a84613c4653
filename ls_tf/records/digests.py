"""The digests of a record's files, in a small file beside ``run.json``.

``digests.json`` says of each file in which state it may be found. Before a file
changes, its next state is entered beside the present one, so that a kill at any
instant leaves a file in a state that is named. The entries' own text is
checked too: they are what their encoding says, byte for byte, and hold the
digest of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from etils.epath import Path

from ls_tf.records.files import (
    VERSION,
    RunError,
    json_bytes,
    parse_json,
    read,
)
from ls_tf.records.reading import reading

NAME = "digests.json"
_AGAIN = "put back what was written, or "
_MOVE = "move the run directory away and make the run again"
_MEASURE = "measure again with --mode=eval"


@dataclass(frozen=True)
class State:
    """What a file holds; of one that grows, what its beginning is."""

    sha256: str
    size: int  # bytes

    @classmethod
    def of(cls, data: bytes) -> "State":
        """The state of a file of these bytes."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


_States = tuple[State | None, ...]  # None: the file is not there


class Digests:
    """The states in which each file of a record may be found.

    Files have their path below the run directory. One without an entry is not
    there.
    """

    def __init__(self, states: Mapping[str, _States] | None = None) -> None:
        """Takes the entries; of a new record there are none."""
        self._states = dict(states or {})

    @property
    def names(self) -> list[str]:
        """The files that may be there."""
        return list(self._states)

    @classmethod
    def read(cls, folder: Path) -> "Digests | None":
        """Reads the entries of a run directory; None if there are none.

        Raises:
            RunError: they are damaged, or of a newer version.
        """
        file = folder / NAME
        data = read(file, "list of digests")
        if data is None:
            return None
        content = parse_json(data, file, "list of digests")
        with reading(file, "list of digests", RunError):
            entries = cls(
                {
                    name: tuple(
                        None if s is None else State(s["sha256"], s["bytes"])
                        for s in some
                    )
                    for name, some in content["files"].items()
                }
            )
            is_whole = entries.encoded() == data
        if not is_whole:
            raise RunError(f"{file} is not what was written; {_AGAIN}{_MOVE}")
        return entries

    def encoded(self) -> bytes:
        """The entries as the bytes of their file."""
        files = {
            name: [
                None if s is None else {"sha256": s.sha256, "bytes": s.size}
                for s in some
            ]
            for name, some in self._states.items()
        }
        content = {"version": VERSION, "files": files}
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return json_bytes({**content, "digest": digest}) + b"\n"

    def announce(self, changes: Mapping[str, State | None]) -> None:
        """Enters the next states of files, before these are written."""
        for name, state in changes.items():
            some = self._states.get(name, (None,))
            self._states[name] = tuple(dict.fromkeys((*some, state)))

    def settle(self, changes: Mapping[str, State | None]) -> None:
        """Keeps one state of each file, after these were written."""
        for name, state in changes.items():
            if state is None:
                self._states.pop(name, None)
            else:
                self._states[name] = (state,)

    def found(
        self, name: str, data: bytes | None, *, is_growing: bool = False
    ) -> State | None:
        """The state that a file is in.

        Args:
            name: of the file.
            data: what is in it; None if it is not there.
            is_growing: whether there may be more than was entered.

        Raises:
            LookupError: none of those that it may be in; words to follow the
                file's name.
        """
        some = self._states.get(name, (None,))
        if data is None:
            if None in some:
                return None
            raise LookupError(f"is missing; {remedy(name)}")
        for state in filter(None, some):
            end = state.size if is_growing else len(data)
            if State.of(data[:end]) == state:
                return state
        sizes = [state.size for state in some if state is not None]
        if not sizes:
            raise LookupError(f"is no file of this record; {remedy(name)}")
        if len(data) < min(sizes):
            words = f"is cut: wanted {min(sizes)} bytes, got {len(data)}"
        else:
            words = f"is not what was written, {NAME} has another SHA-256 of it"
        raise LookupError(f"{words}; {remedy(name)}")


def remedy(name: str) -> str:
    """What to do about a file that is not as it must be."""
    return _AGAIN + (_MEASURE if "/" in name else _MOVE)
