"""The command line of ls_tf; see ``--help``."""

from ls_tf import stopping, streams

if __name__ == "__main__":
    # A signal is noted from here on: to import the rest takes a while.
    streams.open_closed()
    with stopping.listening(program=True, last=True):
        from ls_tf.cli import run

        run()
