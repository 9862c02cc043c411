"""Processes of their own for what is measured: started for a block, watched from outside, ended with it.

Must never measure from within: what a program costs is read from /proc.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
ANSWER_S, POLL_S = 30.0, 0.05
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
AS_USERS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Where that is set, as in many images, each start compiles the whole program anew."""


def compiled() -> None:
    """See that the program is compiled, as it is from its second start on: what follows measures a start."""
    compileall.compile_dir(ROOT / "streamproc", quiet=1)


@contextlib.contextmanager
def running(command: Sequence[str], cwd: Path, log: Path) -> Iterator[int]:
    """A process for the length of the block, and its id; what it says goes to a file."""
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, cwd=cwd, env=AS_USERS, stdout=sink, stderr=sink) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()


def eventually(answer: Callable[[], T | None], log: Path, within_s: float = ANSWER_S) -> T:
    """The answer as soon as there is one; else the log is shown."""
    deadline_s = time.monotonic() + within_s
    while (found := answer()) is None:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not up within {within_s:g} s:\n{log.read_text()[-2000:]}")
        time.sleep(POLL_S)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process of ours has not ended by itself."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def accepts(port: int) -> bool:
    """Whether somebody listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """What a process and its threads have used so far, in user and in kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def resident_mb(pid: int) -> float:
    """What a process holds in memory now."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most that it ever held."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/{pid}/status has no {name}")
