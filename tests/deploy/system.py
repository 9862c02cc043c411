"""Programs that run to their end, and servers that run for the length of a test.

Must never listen anywhere but on 127.0.0.1, nor on a port that was not free a moment ago.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10
POLL_S = 0.05


def output(command: Sequence[str | Path], **options: object) -> str:
    """Run to the end; a failure shows what the program said."""
    done = subprocess.run(  # type: ignore[call-overload]
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **options
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return str(done.stdout)


@contextlib.contextmanager
def server(command: Sequence[str | Path], log: Path, cwd: Path, answers: Callable[[], bool]) -> Iterator[int]:
    """Run a server until the block ends; enters once it answers, and yields its process id."""
    with log.open("ab") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, cwd=cwd) as process:
        try:
            eventually(lambda: process.poll() is not None or answers(), f"{command[0]} answers")
            assert process.poll() is None, f"{command[0]} ended by itself:\n{log.read_text()}"
            yield process.pid
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()


def accepts(port: int) -> bool:
    """Whether somebody listens on this port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def eventually(probe: Callable[[], bool], claim: str, within_s: float = 20) -> None:
    """Wait for what no event announces; the claim is what the failure says."""
    never = threading.Event()
    for _ in range(int(within_s / POLL_S)):
        if probe():
            return
        never.wait(POLL_S)
    raise AssertionError(f"not within {within_s} s: {claim}")
