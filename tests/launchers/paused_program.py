"""``run_experiment.py``, of whose runs one pauses before its last step.

It is the first that comes there in a process with PAUSE_IN_RUN=1; it makes the
file ``paused`` in the working directory, and goes on when it is asked to stop
or when there is a file ``go``.
"""

import os
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from ls_tf import stopping  # noqa: E402
from ls_tf.cli import run  # noqa: E402
from ls_tf.running.session import Session  # noqa: E402


def pause():
    """Changes the class of runs, which wants an engine that is chosen."""
    from ls_tf.running.run import Run

    take = Run.take

    def paused(self, *given, **more):
        result = take(self, *given, **more)
        if 0 < self.step < self.task.total_steps:
            try:
                os.close(os.open("paused", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return result
            while not (stopping.requested() or os.path.exists("go")):
                time.sleep(0.05)
        return result

    Run.take = paused


def main():
    begin = Session.__init__

    def begun(self, *given, **more):
        begin(self, *given, **more)
        pause()

    Session.__init__ = begun


if __name__ == "__main__":
    if os.environ.get("PAUSE_IN_RUN") == "1":
        main()
    run()
