"""TensorBoard files, through TensorBoard's own writer: no engine needed."""

import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams import summary as hparams_summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ls_tf.spec import Value

FINAL = (
    "report/accuracy",
    "report/nll",
    "report/ece",
    "report/reliability/temperature",
)


class Summaries:
    """Writes one run's scalars, images and hyper-parameters."""

    def __init__(self, folder: str | None, start: int) -> None:
        """Opens an event file.

        Args:
            folder: where; None writes nothing.
            start: the step to begin with; what an earlier process wrote for
                later steps is hidden by TensorBoard.
        """
        self._writer = None if folder is None else EventFileWriter(folder)
        session = SessionLog(status=SessionLog.START)
        self._add(Event(step=start, session_log=session))

    def _add(self, event: Event) -> None:
        if self._writer is not None:
            event.wall_time = time.time()
            self._writer.add_event(event)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to each curve."""
        summary = Summary(
            value=[
                Summary.Value(tag=name, simple_value=float(value))
                for name, value in values.items()
            ]
        )
        self._add(Event(step=step, summary=summary))

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
        columns = [hparams.HParam(k) for k in plain]
        metrics = [hparams.Metric(k) for k in FINAL]
        for proto in (
            hparams.hparams_config_pb(hparams=columns, metrics=metrics),
            hparams.hparams_pb(plain, trial_id=group),
        ):
            self._add(Event(summary=_as_summary(proto)))

    def finish(self, succeeded: bool) -> None:
        """Ends the HParams session and the file."""
        if self._writer is None:
            return
        from tensorboard.plugins.hparams import api_pb2

        status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
        ended = hparams_summary.session_end_pb(status)
        self._add(Event(summary=_as_summary(ended)))
        self._writer.close()


def _as_summary(proto: Any) -> Summary:
    """Copies a Summary of another generated class into this one's."""
    return Summary.FromString(proto.SerializeToString())
