"""The command line of ls_tf; see ``--help``."""

from ls_tf.__main__ import main

if __name__ == "__main__":
    main()
