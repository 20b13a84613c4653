"""``python -m ls_tf``: the command line, as ``run_experiment.py`` starts it."""

from ls_tf import stopping, streams

if __name__ == "__main__":
    streams.open_closed()
    with stopping.listening(program=True, last=True):
        from ls_tf.cli import run

        run()
