"""Becomes another program, as a job's child must be.

    python -I -S child.py PARENT SIGNALS PROGRAM WORD...

It is a session of its own, which no terminal signals, asked to stop (SIGINT)
when its parent dies, deaf to the named signals, and hears all others. All of
this survives the exec; to do it between a fork and an exec is not safe in a
parent with threads.
"""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def main(parent: str, deaf_to: str, *words: str) -> None:
    """Becomes the program; see above.

    Args:
        parent: number of the process that started this one.
        deaf_to: numbers of signals, with commas.
        *words: the program and its arguments.
    """
    os.setsid()
    for number in deaf_to.split(","):
        signal.signal(int(number), signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(signal.SIGINT))
        if os.getppid() != int(parent):
            return  # it died before
    os.execv(words[0], words)


if __name__ == "__main__":
    main(*sys.argv[1:])
