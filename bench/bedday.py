"""Replay of a bed-day, 172,800 messages from a recorded file; and of one file for each core with `--each`.

The command itself is run, as a user would run it; its start is counted, and the program is compiled before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import DEVNULL

from bench.memory import START_MS
from bench.stage.figures import show
from bench.stage.processes import AS_USERS, ROOT, compiled
from bench.stage.telemetry import Ward, interval
from streamproc.wire.recorded import Received, write_line

DAY_S = 86_400
TRANSIT_MS = 40


@dataclass(frozen=True, slots=True)
class Replayed:
    """One file alone, and as many as there are cores."""

    messages: int
    file_mb: float
    wall_s: float
    cpu_s: float
    us_a_message: float
    cores: int
    all_cores_wall_s: float
    all_cores_per_s: float
    speed_up: float


def record(path: Path, seconds: int) -> int:
    """One bed's telemetry at 1 Hz, as recorded lines; how many there are."""
    ward = Ward(1, 1, quiet=True)
    with path.open("wb") as file:
        for beat in range(seconds):
            for sent in interval(ward, 1, beat, 1_000):
                received_ms = START_MS + sent.due_ms + TRANSIT_MS
                file.write(write_line(Received(received_ms, sent.topic, sent.payload(START_MS))))
    return 2 * seconds


def replay(*words: str | Path) -> tuple[float, float]:
    """The command from its start to its end: by the wall, and the CPU of all its processes."""
    command = [sys.executable, "-m", "streamproc", "replay", *map(str, words)]
    before, began_s = os.times(), time.monotonic()
    subprocess.run(command, cwd=ROOT, env=AS_USERS, stdout=DEVNULL, stderr=DEVNULL, check=True)
    wall_s, after = time.monotonic() - began_s, os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return wall_s, used_s


def bedday(seconds: int) -> Replayed:
    """Record, replay once, replay on all cores."""
    cores = os.cpu_count() or 1
    compiled()
    with tempfile.TemporaryDirectory(prefix="bedday-") as name:
        path = Path(name) / "bed-day.jsonl"
        messages = record(path, seconds)
        wall_s, used_s = replay(path)
        all_wall_s, _ = replay("--each", *[path] * cores)
        file_mb = path.stat().st_size / 1e6
    return Replayed(
        messages=messages,
        file_mb=file_mb,
        wall_s=wall_s,
        cpu_s=used_s,
        us_a_message=1e6 * used_s / messages,
        cores=cores,
        all_cores_wall_s=all_wall_s,
        all_cores_per_s=cores * messages / all_wall_s,
        speed_up=cores * wall_s / all_wall_s,
    )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="bench bedday", description=__doc__)
    parser.add_argument("--seconds", type=int, default=DAY_S, help="how much of the day")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    show(asdict(bedday(asked.seconds)), asked.json)


if __name__ == "__main__":
    main()
