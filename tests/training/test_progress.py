"""What a long training says of itself where there is no terminal."""

import io

from ls_tf.training import progress
from ls_tf.training.progress import Progress


def test_the_time_left_is_said_in_hours_and_minutes(monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    said = io.StringIO()
    shown = Progress("a run", 1000, 50_000, said)
    now = 140.0  # 200 steps in 40 s: 5 a second, 48,800 to go
    shown.advance(1200, 0.25)
    assert said.getvalue().splitlines() == [
        "a run: step 1000 of 50000",
        "a run: step 1200 of 50000, 5.0 steps/s, 2 h 43 min left, loss 0.2500",
    ]
