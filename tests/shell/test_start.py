"""What the program does not read when it starts: each start would take the longer."""

from __future__ import annotations

import subprocess
import sys

READ = "import sys, streamproc.__main__; print(*[name for name in sys.argv[1:] if name in sys.modules])"


def test_it_starts_without_the_screen_of_the_demo_which_finds_it_when_asked() -> None:
    command = [sys.executable, "-c", READ, "structlog", "rich", "rich.traceback", "streamproc.shell.demo"]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert read.split() == ["structlog"]
    demo = [sys.executable, "-c", "import streamproc.__main__, streamproc.shell.demo as demo; demo.Console()"]
    subprocess.run(demo, capture_output=True, check=True)
