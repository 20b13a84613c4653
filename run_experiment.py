"""The command line of ls_tf; see ``--help``."""

import sys

from ls_tf.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
