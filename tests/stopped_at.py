"""Runs the command line, and asks it to stop as a phase begins.

    python stopped_at.py PHASE SIGNAL FLAG...

A phase is what ``stopping.doing`` is told. The process signals itself, so that
the phase is certain and nothing is waited for.
"""

import os
import sys

from ls_tf import cli, stopping


def main(phase, number, *flags):
    entered = stopping.doing

    def doing(what):
        if what == phase:
            os.kill(os.getpid(), int(number))
        return entered(what)

    stopping.doing = doing
    sys.argv = ["stopped_at.py", *flags]
    cli.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
