"""Events a second on one core: a broker that only serves floods the processor, with QoS 0 and with QoS 1.

Everything is on: durable journal, validation, all rules over full windows, bed states, metrics. Counted is
the CPU of all its threads, so that a busy machine makes it slower and not worse.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.stage.fake_broker import fake_broker
from bench.stage.figures import table
from bench.stage.processes import cpu_s
from bench.stage.programs import watching
from bench.stage.service import scraped
from bench.stage.telemetry import Ward

WARM_S = 2.0
AFTER_S = 1.0
BEATS = 13
"""As many different pressures as a bed has; then they come again."""


@dataclass(frozen=True, slots=True)
class Flood:
    """What was taken in within the measured time, by the wall and by the CPU."""

    qos: int
    taken: int
    late: int
    wall_s: float
    cpu_s: float

    @property
    def per_core(self) -> float:
        """Events a second if a core were its own."""
        return self.taken / self.cpu_s

    @property
    def per_s(self) -> float:
        """Events a second that this machine gave it."""
        return self.taken / self.wall_s


def flood(beds: int, seconds: float, qos: int) -> Flood:
    """One flood; measured from when it is warm until shortly before it ends."""
    ward = Ward(beds, BEATS, boot=2, quiet=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flood-")))
        port, told = stack.enter_context(fake_broker(ward, qos))
        pid, metrics = stack.enter_context(watching(folder, port, ward))
        told.send(WARM_S + seconds + AFTER_S)
        time.sleep(WARM_S)
        before, began_s, used_s = scraped(metrics), time.monotonic(), cpu_s(pid)
        time.sleep(seconds)
        after, ended_s, in_all_s = scraped(metrics), time.monotonic(), cpu_s(pid)
        sent = told.recv()
        if qos:
            last = scraped(metrics)
            assert last["received"] == sent, f"{last} of {sent}"
        assert not after["rejected"] + after["duplicate"], after
    taken = after["received"] - before["received"]
    return Flood(qos, taken, after["late"] - before["late"], ended_s - began_s, in_all_s - used_s)


def report(floods: list[Flood]) -> str:
    """A line a flood."""
    rows = [
        (f"QoS {each.qos}", each.per_core, 1e6 / each.per_core, each.per_s, each.taken, each.late)
        for each in floods
    ]
    return table(
        ("flood", "events/s a core", "us of CPU", "events/s by the wall", "taken", "of them late"), rows
    )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench flood", description=__doc__)
    parser.add_argument("--beds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8)
    asked = parser.parse_args()
    print(report([flood(asked.beds, asked.seconds, qos) for qos in (0, 1)]))


if __name__ == "__main__":
    main()
