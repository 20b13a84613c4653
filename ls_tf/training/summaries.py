"""TensorBoard files, of TensorBoard's own records: no engine needed.

Of TensorBoard only modules that import no TensorFlow are used.
"""

import itertools
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from etils import epath
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import (
    api_pb2,
    metadata,
    plugin_data_pb2,
    summary_v2,
)
from tensorboard.summary.writer.record_writer import RecordWriter

from ls_tf.spec import Value

FINAL = (
    "report/accuracy",
    "report/nll",
    "report/ece",
    "report/reliability/temperature",
)


_FLUSH_SECONDS = 30.0
_numbers = itertools.count()


class Summaries:
    """Writes one run's scalars, images and hyper-parameters."""

    def __init__(self, folder: str | None, start: int) -> None:
        """Opens an event file.

        Args:
            folder: where; None writes nothing.
            start: the step to begin with; what an earlier process wrote for
                later steps is hidden by TensorBoard.
        """
        self._writer: RecordWriter | None = None
        if folder is not None:
            self._writer = RecordWriter(_new_file(epath.Path(folder)))
            self._add(Event(file_version="brain.Event:2"))
        self._flushed = 0.0
        session = SessionLog(status=SessionLog.START)
        self._add(Event(step=start, session_log=session))
        self._flush()

    def _add(self, event: Event) -> None:
        if self._writer is None:
            return
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())

    def _flush(self) -> None:
        if self._writer is None:
            return
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self._writer.flush()
            self._flushed = time.monotonic()

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
        plain = {
            k: v if isinstance(v, bool | int | float | str) else str(v)
            for k, v in values.items()
        }
        columns = [summary_v2.HParam(k) for k in plain]
        metrics = [summary_v2.Metric(k) for k in FINAL]
        for proto in (
            summary_v2.hparams_config_pb(hparams=columns, metrics=metrics),
            summary_v2.hparams_pb(plain, trial_id=group),
        ):
            self._add(Event(summary=proto))
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


def _new_file(folder: epath.Path) -> Any:
    """Opens an event file by the name that TensorBoard looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    words = (int(time.time()), socket.gethostname(), os.getpid())
    name = ".".join(str(word) for word in (*words, next(_numbers)))
    return (folder / f"events.out.tfevents.{name}").open("wb")
