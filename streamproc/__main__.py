"""`python -m streamproc`, and the entry point of the `streamproc` command."""

import signal
import sys

if sys.argv[1:2] == ["run"]:  # a reload that is asked for before we can take it is no reason to die
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

from streamproc.shell.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
