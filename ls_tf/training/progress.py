"""What a person sees of a long work: a bar on a terminal, lines elsewhere."""

import sys
import time
from typing import TextIO

from tqdm import tqdm

from ls_tf.durations import spoken

_LINE_SECONDS = 15.0


class Progress:
    """Steps done, steps per second and the time left."""

    def __init__(
        self,
        title: str,
        start: int,
        total: int,
        stream: TextIO | None = None,
        *,
        unit: str = "step",
    ) -> None:
        """Starts at a step.

        Args:
            title: what is trained.
            start: the step to begin with.
            total: the last step.
            stream: default: standard error.
            unit: what is counted, in the singular.
        """
        # None: there is no standard error, and nobody sees it.
        self._stream = sys.stderr if stream is None else stream
        self._title, self._total, self._unit = title, total, unit
        self._start = self._step = start
        self._began = self._shown = time.monotonic()
        self._bar = (
            tqdm(
                total=total,
                initial=start,
                desc=title,
                unit=unit,
                file=self._stream,
                dynamic_ncols=True,
            )
            if self._stream is not None and self._stream.isatty()
            else None
        )
        if self._bar is None:
            self._say(f"{title}: {unit} {start} of {total}")

    def advance(self, step: int, loss: float | None = None) -> None:
        """Shows that a step is reached."""
        if self._bar is not None:
            if loss is not None:
                self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self._bar.update(step - self._step)
        self._step = step
        time_now = time.monotonic()
        if self._bar is None and (
            time_now - self._shown >= _LINE_SECONDS or step == self._total
        ):
            self._shown = time_now
            rate = (step - self._start) / max(time_now - self._began, 1e-9)
            left = (self._total - step) / max(rate, 1e-9)
            after = "" if loss is None else f", loss {loss:.4f}"
            self._say(
                f"{self._title}: {self._unit} {step} of {self._total}, "
                f"{rate:.1f} {self._unit}s/s, {spoken(left)} left{after}"
            )

    def _say(self, line: str) -> None:
        if self._stream is not None:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()
