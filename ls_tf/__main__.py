"""``python -m ls_tf``: the command line, as ``run_experiment.py`` starts it."""

import sys

from ls_tf import extras, stopping, streams


def main() -> None:
    """Does what the flags say, and ends the process.

    Source: ours.
    """
    streams.open_closed()
    # A signal is noted from here on: to import the rest takes a while.
    with stopping.listening(program=True, last=True):
        try:
            from ls_tf.cli import run
        except ModuleNotFoundError as error:  # nothing was installed yet
            library = extras.missing(error)
            if library is None:
                raise
            said = extras.wanted("the command line", library)
            streams.say(f"{said}; in a clone: README.md")
            sys.exit(2)
        run()


if __name__ == "__main__":
    main()
