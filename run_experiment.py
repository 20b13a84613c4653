"""The command line of ls_tf; see ``--help``."""

from ls_tf.cli import run

if __name__ == "__main__":
    run()
