"""TensorBoard files, of TensorBoard's own records: no engine needed.

Of TensorBoard only modules that import no TensorFlow are used.

Whoever goes on at some step begins by writing the events up to it into one
new file, in the order of steps, and removes the older files: what a killed
process wrote of later steps is then in no file, whatever reads them and
whatever the clocks said.
"""

import io
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping

from etils import epath
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams import (
    api_pb2,
    metadata,
    plugin_data_pb2,
    summary_v2,
)
from tensorboard.summary.writer.record_writer import RecordWriter

from ls_tf import streams
from ls_tf.records import files
from ls_tf.records.local import plain
from ls_tf.records.reading import reading
from ls_tf.spec import Value

_FLUSH_SECONDS = 30.0
_PREFIX = "events.out.tfevents."
_VERSION = "brain.Event:2"


class _DamagedError(ValueError):
    """An event file that cannot be read to its end; one line."""


class Summaries:
    """Writes one run's scalars, images and hyper-parameters."""

    def __init__(self, folder: str | None, start: int) -> None:
        """Opens an event file.

        Args:
            folder: where; None writes nothing.
            start: the step to begin with; what earlier processes wrote of
                later steps is removed, and said again by those who make them.
        """
        self._writer: RecordWriter | None = None
        self._start, self._wall, self._flushed = start, 0.0, 0.0
        if folder is not None:
            self._open(epath.Path(folder))

    def _open(self, folder: epath.Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        older = sorted(
            p for p in folder.iterdir() if p.name.startswith(_PREFIX)
        )
        number = max([int(time.time()), *(_number(p) + 1 for p in older)])
        self._kept = folder / _name(number)
        self._events = _up_to(self._start, older)
        self._write_kept()
        for path in older:
            if not path.is_dir():
                path.unlink()
        file = (folder / _name(number + 1)).open("wb")
        self._writer = RecordWriter(file)
        self._add(Event(file_version=_VERSION))
        self.flush()

    def _write_kept(self) -> None:
        """Writes what stays of earlier processes, or nothing if that is it."""
        if not self._events:
            self._kept.unlink(missing_ok=True)
            return
        # A TensorBoard that runs has read the older files: START makes it
        # forget them.
        start = SessionLog(status=SessionLog.START)
        head = [Event(file_version=_VERSION), Event(session_log=start)]
        self._wall = max(event.wall_time for event in self._events)
        for event in head:
            event.wall_time = self._events[0].wall_time
        content = io.BytesIO()
        writer = RecordWriter(content)
        for event in (*head, *self._events):
            writer.write(event.SerializeToString())
        files.write_bytes(self._kept, content.getvalue())

    def _add(self, event: Event) -> None:
        if self._writer is None:
            return
        self._forget(event)
        # A clock that was set back must not part a curve.
        self._wall = event.wall_time = max(time.time(), self._wall)
        self._writer.write(event.SerializeToString())

    def _forget(self, event: Event) -> None:
        """Drops what stays of the first step where it is said again."""
        tags = {value.tag for value in event.summary.value}
        if event.step != self._start or not tags:
            return
        before = [e.summary.value[0].tag for e in self._events]
        self._events = [
            e
            for e, tag in zip(self._events, before, strict=True)
            if e.step != self._start or tag not in tags
        ]
        if len(self._events) < len(before):
            self._write_kept()

    def flush(self) -> None:
        """Gives everything to the file, as before a checkpoint."""
        if self._writer is not None:
            self._writer.flush()
            self._flushed = time.monotonic()

    def _flush(self) -> None:
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to each curve."""
        summary = Summary(
            value=[
                Summary.Value(tag=name, simple_value=float(value))
                for name, value in values.items()
            ]
        )
        self._add(Event(step=step, summary=summary))
        self._flush()

    def image(self, step: int, name: str, png: bytes) -> None:
        """Adds a picture, given as the bytes of a PNG file."""
        # A PNG's width and height stand big-endian at bytes 16 and 20.
        width, height = (int.from_bytes(png[i : i + 4]) for i in (16, 20))
        picture = Summary.Image(
            height=height, width=width, colorspace=4, encoded_image_string=png
        )
        summary = Summary(value=[Summary.Value(tag=name, image=picture)])
        self._add(Event(step=step, summary=summary))

    def hparams(self, values: Mapping[str, Value], group: str) -> None:
        """Says what the run varies, so that a sweep is one table.

        Args:
            values: e.g. experiment, alpha and seed.
            group: runs of one group differ in the seed alone.
        """
        if self._writer is None:
            return
        # No list of columns: of several runs TensorBoard takes the first one,
        # and without one it shows the fields of all.
        plain = {
            k: v if isinstance(v, bool | int | float) else _text(str(v))
            for k, v in values.items()
        }
        self._add(
            Event(summary=summary_v2.hparams_pb(plain, trial_id=_text(group)))
        )
        self._flush()

    def finish(self, succeeded: bool) -> None:
        """Ends the HParams session and the file."""
        if self._writer is None:
            return
        ended = plugin_data_pb2.SessionEndInfo(
            status=api_pb2.STATUS_SUCCESS
            if succeeded
            else api_pb2.STATUS_FAILURE,
            end_time_secs=time.time(),
        )
        value = Summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(
                plugin_data_pb2.HParamsPluginData(session_end_info=ended)
            ),
            tensor=metadata.NULL_TENSOR,
        )
        self._add(Event(summary=Summary(value=[value])))
        self.close()

    def close(self) -> None:
        """Ends the file, whatever became of the run."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _text(words: str) -> str:
    """Gives text that a record can hold: half a character cannot."""
    return words.encode("utf-8", "backslashreplace").decode()


def _name(number: int) -> str:
    """Names an event file; TensorBoard reads them in the order of names."""
    return f"{_PREFIX}{number:010d}.{socket.gethostname()}.{os.getpid()}"


def _number(path: epath.Path) -> int:
    """Gives the number in an event file's name; 0 for another name."""
    word = path.name.removeprefix(_PREFIX).partition(".")[0]
    plain = word.isascii() and word.isdigit() and len(word) <= 10
    return int(word) if plain else 0


def _stored(path: epath.Path) -> Iterator[Event]:
    """Reads the events of a file.

    Raises:
        _DamagedError: when it comes to where the file is damaged or cut.
    """
    with reading(path, "event file", _DamagedError):
        content = plain(path).read_bytes()
        place = 0
        while place < len(content):
            header = content[place : place + 8]
            size, check = struct.unpack("<QI", content[place : place + 12])
            data = content[place + 12 : place + 12 + size]
            end = place + 16 + size
            (sum_of_data,) = struct.unpack("<I", content[end - 4 : end])
            if (check, sum_of_data) != (
                masked_crc32c(header),
                masked_crc32c(data),
            ):
                raise ValueError(f"wrong checksum at byte {place}")
            yield Event.FromString(data)
            place = end


def _up_to(start: int, paths: list[epath.Path]) -> list[Event]:
    """Gives what stays of earlier processes: each tag and step once.

    Args:
        start: the last step that stays; of step 0 there is nothing.
        paths: event files, older ones first.

    Returns:
        Events of one value each, by rising step; those of the HParams table
        are left out, for the run says them again.
    """
    stays: dict[tuple[int, str], Event] = {}
    for path in paths if start else ():
        try:
            for event in _stored(path):
                for value in event.summary.value:
                    plugin = value.metadata.plugin_data.plugin_name
                    if event.step > start or plugin == metadata.PLUGIN_NAME:
                        continue
                    stays[event.step, value.tag] = Event(
                        step=event.step,
                        wall_time=event.wall_time,
                        summary=Summary(value=[value]),
                    )
        except _DamagedError as error:
            streams.say(f"tensorboard: {error}; the curves lack what followed")
    events = sorted(stays.values(), key=lambda event: event.step)
    wall = 0.0
    for event in events:
        wall = event.wall_time = max(wall, event.wall_time)
    return events
