"""`python -m streamproc`, and the entry point of the `streamproc` command."""

import gc
import signal
import sys

if sys.argv[1:2] == ["run"]:  # a reload that is asked for before we can take it is no reason to die
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

gc.disable()  # what is made while the program is read stays: nothing to look through again and again
sys.modules["rich"] = None  # type: ignore[assignment]  # structlog reads it if it can, for a tenth of a second
import structlog  # noqa: E402, F401

del sys.modules["rich"]  # the demo's screen is made of it
from streamproc.shell.cli import app  # noqa: E402  (what comes before must come before)

gc.freeze()
gc.enable()


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
