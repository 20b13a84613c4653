"""Runs the command line, and asks it to stop as a phase begins.

    python stopped_at.py PHASE SIGNAL FLAG...

A phase is what ``stopping.doing`` is told. The process signals itself, so that
the phase is certain and nothing is waited for. The signal 0 stands for a time
limit, in a phase in which JAX would compile for ever, -1 for one behind the
first steps, where it would so compile all further programs; the phase "between
two runs" for one that leaves less time than the first run took to its first
steps.
"""

import os
import sys
import threading

from ls_tf import cli, stopping
from ls_tf.running.session import Session
from ls_tf.stopping import imports


def main(phase, number, *flags):
    entered = stopping.doing

    def limited(before):
        from jax import stages

        from ls_tf.running.run import Run

        compiled, take = stages.Lowered.compile, Run.take
        made, trained = [], threading.Event()

        def compile_at_most(lowered, options):
            made.append(lowered)
            if len(made) <= before:
                return compiled(lowered, options)
            if before:
                trained.wait()
            stopping.limit(0.0, "COMMAND")
            threading.Event().wait()

        def taken(*arguments):
            take(*arguments)
            trained.set()

        stages.Lowered.compile, Run.take = compile_at_most, taken

    def doing(what):
        if what == phase and int(number) <= 0:
            limited(-int(number))
        elif what == phase:
            os.kill(os.getpid(), int(number))
        return entered(what)

    def started(session, began, reached):
        session._slowest_start = 1000.0
        stopping.limit(600.0, "COMMAND")

    # The package's own module has it by name.
    stopping.doing = imports.doing = doing
    if phase == "between two runs":
        Session.started = started
    sys.argv = ["stopped_at.py", *flags]
    cli.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
