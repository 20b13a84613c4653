"""Checkpoints that do not stall the training: written by a thread.

The training gives a copy of its state on the host and goes on; one checkpoint
is written at a time, and the next one waits for it. What the main thread does
after a checkpoint, and an error that the writing met, wait until it looks. So
everything but the checkpoint's own files is written by one thread.

The state is whole in the process that writes, however many devices and
processes train: nothing is gathered, and nothing is written in parts.
"""

import contextlib
import threading
from collections.abc import Callable

import numpy as np
from etils.epath import Path

from ls_tf.training import checkpoints
from ls_tf.training.checkpoints import Checkpoint

# Of the runs of a stack, too, one writes at a time.
_writing = threading.Lock()


class Saver:
    """Writes the checkpoints of a run."""

    def __init__(self, folder: Path) -> None:
        """Takes the run's folder of checkpoints."""
        self._folder = folder
        self._looking = threading.RLock()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._then: Callable[[], None] = lambda: None

    def save(self, checkpoint: Checkpoint, then: Callable[[], None]) -> None:
        """Begins to write a checkpoint; waits for the one before it.

        Args:
            checkpoint: its arrays are copied.
            then: called by who looks when it is written.

        Raises:
            OSError: the one before could not be written.
        """
        self.wait()
        # What the engine gives may lie in memory that its next step uses.
        arrays = {k: np.array(v) for k, v in checkpoint.arrays.items()}
        copy = Checkpoint(checkpoint.step, arrays, dict(checkpoint.extra))
        with self._looking:
            self._then = then
            self._thread = threading.Thread(
                target=self._write, args=(copy,), name="checkpoint"
            )
            self._thread.start()

    def _write(self, checkpoint: Checkpoint) -> None:
        try:
            with _writing:
                checkpoints.save(self._folder, checkpoint)
        except BaseException as error:
            self._error = error

    def look(self) -> None:
        """Does what comes after a checkpoint that is written by now.

        Raises:
            OSError: it could not be written; the checkpoints that were there
                are untouched.
        """
        thread = self._thread
        if thread is not None and not thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """As ``look``, but waits for what is being written."""
        with self._looking:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            thread.join()
            error, self._error = self._error, None
            if error is not None:
                raise error
            self._then()

    def close(self) -> None:
        """Waits, where another error has ended the run."""
        with contextlib.suppress(Exception):
            self.wait()
