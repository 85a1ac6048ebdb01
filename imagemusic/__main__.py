"""`python -m imagemusic`: the command line, where the `imagemusic` command is not on the path."""

import sys

from imagemusic.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
