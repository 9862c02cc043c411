"""What beds cost by the clock and not by the message: a state shown, a snapshot, a scrape.

All beds have sent MAP and pump once a second. Each figure is the least of several rounds, in us of CPU a bed;
a scrape's in ms for all of them, read and rendered. It passes no judgement.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from bench.door import cpu_s, received
from bench.stage.figures import show
from bench.stage.history import nothing_waiting
from bench.stage.telemetry import bed_name
from streamproc.config import load
from streamproc.core.bed import Bed
from streamproc.shell.exposition import exposition
from streamproc.shell.intake import Intake
from streamproc.shell.metrics import Meters, gathered
from streamproc.shell.snapshot import snapshot_of
from streamproc.wire import encode
from streamproc.wire.announce import bed_state

SINCE_FULL_MS = 5_000


@dataclass(frozen=True, slots=True)
class Upkeep:
    """us of CPU a bed, and ms a scrape of all."""

    beds: int
    bed_state: float
    full_snapshot: float
    later_snapshot: float
    scrape_ms: float


def measure(beds: int, seconds: int, rounds: int) -> Upkeep:
    """Live through some time, then do each so many times."""
    roster = ",".join(map(bed_name, range(1, beds + 1)))
    settings = load(None, [f"roster=[{roster}]"])
    intake = Intake.from_settings(settings)
    for each in received(beds, seconds):
        intake.live_through(each.received_ms, [each])
    ward, outbox, service = intake.ward, nothing_waiting(settings), watched(intake)
    assert ward.clock_ms is not None
    base_ms = ward.clock_ms - SINCE_FULL_MS

    def least(part: Callable[[], object]) -> float:
        return min(cpu_s(part) for _ in range(rounds)) * 1e6 / beds

    return Upkeep(
        beds,
        bed_state=least(lambda: [state_of(bed) for bed in ward.beds.values()]),
        full_snapshot=least(lambda: list(snapshot_of(intake, outbox))),
        later_snapshot=least(lambda: list(snapshot_of(intake, outbox, base_ms))),
        scrape_ms=least(lambda: exposition(asyncio.run(gathered(service)), "")) * beds / 1000,
    )


def state_of(bed: Bed) -> bytes:
    """As of an instant for which nobody has asked anything yet."""
    bed.chart.move_to(bed.chart.now_ms + 1)
    return encode(bed_state(bed))


def watched(intake: Intake) -> Any:
    """A service, as far as a scrape looks at it."""
    counts = {"position": 1, "undelivered": 0, "last_step_s": 1.0, "ready": True, "connected": True}
    wrong = {"failure": None, "refused_configuration": (), "problems": []}
    return SimpleNamespace(ward=intake.ward, tally=intake.tally, meters=Meters(), **counts, **wrong)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="bench upkeep", description=__doc__)
    parser.add_argument("--beds", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    show(asdict(measure(asked.beds, asked.seconds, asked.rounds)), asked.json)


if __name__ == "__main__":
    main()
