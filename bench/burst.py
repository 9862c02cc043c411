"""More than it can carry, for a while: losses are counted and alarmed, memory is bounded, all is well after.

The broker is mosquitto as it is deployed but for a shorter queue, so that the burst need not last a minute to
overrun it. Then the ward goes on at one message a device and second, and alerts must be as prompt as ever.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

import aiomqtt

from bench.latency import RISING_ONE_IN, SETTLE_S, heard_late
from bench.stage.broker import mosquitto
from bench.stage.figures import quantile, table
from bench.stage.processes import HOST, POLL_S, resident_mb
from bench.stage.programs import BEGIN_MS, leave_session, now_ms, watching
from bench.stage.publisher import Published, publisher
from bench.stage.service import FATES, fetched, is_ready, summed
from bench.stage.telemetry import Ward
from streamproc.config import load

QUEUE = 20_000
DROPPED = "$SYS/broker/publish/messages/dropped"
SYS_S = 6.0
"""The deployed broker tells its own figures every five seconds."""
DRAIN_S = 120.0
GAP_ALERTS = 'rule="TECH-GAP"'


@dataclass(frozen=True, slots=True)
class Burst:
    """What was sent and what became of it, memory before, during and after, and the calm after the storm."""

    beds: int
    sent: int
    burst_s: float
    received: int
    late: int
    dropped_by_broker: int
    missing_by_sequence: int
    gap_alerts: int
    unaccounted: int
    memory_before_mb: float
    memory_most_mb: float
    memory_after_mb: float
    drained_s: float
    ready_after: bool
    calm_p50_ms: float
    calm_p99_ms: float
    calm_heard: int
    calm_due: int


@dataclass(slots=True)
class Peak:
    """The most memory that a process was seen to hold."""

    mb: float = 0.0


def burst(beds: int, seconds: int, per_second: int, queue: int) -> Burst:
    """The storm, the drain, and the calm, with one processor."""
    storm = Ward(beds, seconds, per_second, boot=2, quiet=True)
    calm = Ward(beds, 2 * SETTLE_S, boot=2, before=seconds * per_second, rising_one_in=RISING_ONE_IN)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="burst-")))
        _, port = stack.enter_context(mosquitto(folder, max_queued_messages=queue))
        stormy = stack.enter_context(publisher(port, storm, 0))
        quiet = stack.enter_context(publisher(port, calm, SETTLE_S))
        asyncio.run(leave_session(port, load().mqtt.client_id))
        pid, metrics = stack.enter_context(watching(folder, port, storm))
        before_mb = resident_mb(pid)
        with watched_memory(pid) as peak:
            began_s = time.monotonic()
            stormy.send(now_ms() + BEGIN_MS)
            published: Published = stormy.recv()
            burst_s = time.monotonic() - began_s
            drained_s = drained(metrics)
        start_ms = now_ms() + BEGIN_MS
        quiet.send(start_ms)
        late_ms = asyncio.run(heard_late(port, calm, start_ms))
        last: Published = quiet.recv()
        text, dropped = fetched(metrics), asyncio.run(told(port, DROPPED))
        after_mb, ready = resident_mb(pid), is_ready(metrics)
    return Burst(
        beds=beds,
        sent=published.messages + last.messages,
        burst_s=burst_s,
        **counted(text),
        dropped_by_broker=dropped,
        memory_before_mb=before_mb,
        memory_most_mb=peak.mb,
        memory_after_mb=after_mb,
        drained_s=drained_s,
        ready_after=ready,
        calm_p50_ms=quantile(late_ms, 0.5),
        calm_p99_ms=quantile(late_ms, 0.99),
        calm_heard=len(late_ms),
        calm_due=sum(calm.rises(number) for number in range(1, beds + 1)),
    )


def counted(text: str) -> dict[str, int]:
    """What the processor itself says of all that."""
    fates = {fate: round(summed(text, f"messages_{fate}_total")) for fate in FATES}
    return {
        "received": fates["received"],
        "late": fates["late"],
        "missing_by_sequence": round(summed(text, "telemetry_gap_messages_total")),
        "gap_alerts": round(summed(text, "alerts_total", GAP_ALERTS)),
        "unaccounted": 2 * fates["received"] - sum(fates.values()),
    }


@contextmanager
def watched_memory(pid: int) -> Iterator[Peak]:
    """The most that the process holds while the block lasts."""
    peak, over = Peak(), Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            peak.mb = max(peak.mb, resident_mb(pid))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def drained(metrics: str) -> float:
    """How long until nothing of the burst comes any more."""
    began_s, before = time.monotonic(), -1.0
    while time.monotonic() - began_s < DRAIN_S:
        received = summed(fetched(metrics), "messages_received_total")
        if received == before:
            break
        before = received
        time.sleep(1)
    return time.monotonic() - began_s


async def told(port: int, topic: str) -> int:
    """The broker's own figure."""
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await asyncio.sleep(SYS_S)  # it is retained, and as old as that at most
        await client.subscribe(topic)
        async for message in client.messages:
            return int(message.payload)
    raise AssertionError("the broker has closed the connection")


def report(storm: Burst) -> str:
    """A line a figure."""
    return table(("burst", ""), asdict(storm).items())


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="bench burst", description=__doc__)
    parser.add_argument("--beds", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=6, help="how much telemetry comes in the burst")
    parser.add_argument(
        "--per-second", type=int, default=10, help="messages a device and second in the burst"
    )
    parser.add_argument("--queue", type=int, default=QUEUE, help="max_queued_messages of the broker")
    asked = parser.parse_args()
    print(report(burst(asked.beds, asked.seconds, asked.per_second, asked.queue)))


if __name__ == "__main__":
    main()
