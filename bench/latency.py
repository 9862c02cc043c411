"""From the deciding sample to the alert at a station, hold-back apart: at rising rates, until it breaks.

The decided moment is when the pump message was due, so that a publisher that falls behind hides nothing.
Every rate has a processor of its own, with the past of all its beds, at a mosquitto as it is deployed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.stage.broker import mosquitto
from bench.stage.figures import quantile, table
from bench.stage.processes import POLL_S, peak_mb
from bench.stage.programs import BEGIN_MS, HOLD_S, leave_session, now_ms, watching
from bench.stage.publisher import Published, publisher
from bench.stage.service import scraped
from bench.stage.station import station
from bench.stage.telemetry import Ward
from streamproc.config import load

RATES = (2_000, 4_000, 8_000, 12_000)
SETTLE_S = HOLD_S + 3
RISING_ONE_IN = 4
BROKEN_MS = 2_000.0
"""An alert that is later than the hold-back once more; messages are late by then."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One rate: how late alerts were in ms, how many of those due were heard, and what came too late."""

    per_s: int
    p50_ms: float
    p99_ms: float
    heard: int
    due: int
    late: int
    behind_max_ms: float
    peak_mb: float

    @property
    def broken(self) -> bool:
        """Whether this rate is more than it can carry."""
        return self.heard < self.due or self.p99_ms > BROKEN_MS or self.late > 0


def latency(ward: Ward) -> Latency:
    """One rate, from an empty broker on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latency-")))
        _, port = stack.enter_context(mosquitto(folder))
        told = stack.enter_context(publisher(port, ward, SETTLE_S))
        asyncio.run(leave_session(port, load().mqtt.client_id))
        pid, metrics = stack.enter_context(watching(folder, port, ward))
        start_ms = now_ms() + BEGIN_MS
        told.send(start_ms)
        late_ms = asyncio.run(heard_late(port, ward, start_ms))
        published: Published = told.recv()
        counts, most_mb = scraped(metrics), peak_mb(pid)
    return Latency(
        per_s=2 * ward.beds * ward.per_second,
        p50_ms=quantile(late_ms, 0.5),
        p99_ms=quantile(late_ms, 0.99),
        heard=len(late_ms),
        due=len(rising(ward)),
        late=counts["late"],
        behind_max_ms=published.behind_max_ms,
        peak_mb=most_mb,
    )


def rising(ward: Ward) -> dict[str, int]:
    """The beds whose dose will alarm, and when that is decided, in ms after the start."""
    return {
        name: ward.decided_ms(number, ward.seconds - SETTLE_S) + 1000 * HOLD_S
        for number, name in enumerate(ward.names, start=1)
        if ward.rises(number)
    }


async def heard_late(port: int, ward: Ward, start_ms: int) -> list[float]:
    """How late each alert came, in ascending order."""
    decided_ms, hold_back_ms = rising(ward), 1000 * load().event_time.hold_back_s
    async with station(port) as heard:
        deadline_s = start_ms / 1000 + ward.seconds + BROKEN_MS / 1000
        while time.time() < deadline_s:  # noqa: ASYNC110 - there is no event to wait for but the time itself
            await asyncio.sleep(POLL_S)
    return sorted(
        each.arrived_ms - start_ms - decided_ms[each.bed] - hold_back_ms
        for each in heard
        if each.rule == "ESC-THRESHOLD" and each.bed in decided_ms
    )


def rising_rates(beds: int, seconds: int, rates: tuple[int, ...]) -> list[Latency]:
    """Rate after rate until one is more than it can carry."""
    measured = list[Latency]()
    for rate in rates:
        ward = Ward(beds, seconds, max(1, rate // (2 * beds)), rising_one_in=RISING_ONE_IN)
        measured.append(latency(ward))
        if measured[-1].broken:
            break
    return measured


def report(measured: list[Latency]) -> str:
    """A line a rate."""
    rows = [
        (
            f"{each.per_s:,} messages/s",
            each.p50_ms,
            each.p99_ms,
            f"{each.heard} of {each.due}",
            each.late,
            round(each.behind_max_ms),
            round(each.peak_mb),
            "breaks" if each.broken else "holds",
        )
        for each in measured
    ]
    head = ("rate", "p50 ms", "p99 ms", "alerts heard", "messages late", "sent late, ms", "peak MB", "")
    return table(head, rows)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench latency", description=__doc__)
    parser.add_argument("--beds", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="messages a second, rising")
    asked = parser.parse_args()
    print(report(rising_rates(asked.beds, asked.seconds, tuple(asked.rates))))


if __name__ == "__main__":
    main()
