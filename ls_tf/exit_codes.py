"""With what the program ends, and what that means.

A child's code is read as it is written, by the launchers too. 1 is Python's
own, for a traceback: a defect.
"""

OK = 0
BAD_INPUT = 2
STOPPED = 3
NOT_FINITE = 4
NO_SPACE = 5
LOST = 6

MEANINGS = {
    OK: "done",
    BAD_INPUT: "bad input (one line says what)",
    STOPPED: (
        "stopped by SIGTERM, SIGINT, SIGHUP or --time_limit with the state "
        "saved (the same command resumes; a second signal does not wait for "
        "that, nor does a limit for more than some seconds; the last "
        "checkpoint is intact)"
    ),
    NOT_FINITE: "the loss was not finite",
    NO_SPACE: (
        "no space left, or the disk failed (what was written before is "
        "whole), or standard output cannot be written (a finished run "
        "stays finished)"
    ),
    LOST: (
        "another process of --strategy=multi_worker is lost, was refused or "
        "did not come (the last checkpoint is intact), or a job of --launcher "
        "is lost"
    ),
}
