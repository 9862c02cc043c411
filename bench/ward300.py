"""A ward on one mosquitto and one processor: is anything lost, how late are alerts, what does a message cost?

Every bed sends MAP and pump once a second, and once in the run goes over the dose that alarms. Broker,
processor, publisher and station are processes of their own, the broker with the configuration that is
deployed. It passes no judgement: `tests/service/test_ward300.py` holds the promised bound against it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiomqtt

from bench.stage.broker import mosquitto
from bench.stage.figures import quantile, show
from bench.stage.processes import ANSWER_S, HOST, POLL_S, cpu_s
from bench.stage.service import processor, scraped
from streamproc.config import load

UNIT = "icu-a"
FOR_S = 1
"""How long the dose must hold before it alarms; the shortest that the rule takes."""
LOW_ML_PER_H, HIGH_ML_PER_H = 30.0, 90.0
"""0.10 and 0.30 ug/kg/min at 16 ug/mL and 80 kg."""
FIRST_STEP_S, LAST_STEP_S = 5, 7
"""The doses go up from this second on, and until so many before the end."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed; latencies in ms beyond hold-back and the rule's own wait, costs in us of CPU."""

    beds: int
    seconds: int
    published: int
    received: int
    accepted: int
    rejected: int
    duplicate: int
    late: int
    alerts_due: int
    alerts_heard: int
    latency_p50_ms: float
    latency_p99_ms: float
    latency_max_ms: float
    processor_us_per_message: float
    broker_us_per_message: float
    publisher_behind_max_ms: float


@dataclass(frozen=True, slots=True)
class Published:
    """What the publisher did: messages that the broker has, and when each bed's deciding one went."""

    messages: int
    decided_ms: dict[str, float]
    behind_max_ms: float


# --- the beds -----------------------------------------------------------------------------------


def bed_name(number: int) -> str:
    """Its name in topics."""
    return f"{UNIT}/bed-{number}"


def step_second(number: int, seconds: int) -> int:
    """When this bed's dose goes up: spread over the run, the same each time."""
    return FIRST_STEP_S + 7 * number % max(1, seconds - FIRST_STEP_S - LAST_STEP_S)


def stamp(device: str, seq: int) -> dict[str, Any]:
    """What opens every message of a device; its time is now."""
    now = datetime.now(UTC)
    return {"device": device, "boot": "1", "seq": seq, "time": f"{now:%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z"}


def map_message(number: int, second: int) -> tuple[str, dict[str, Any]]:
    """One arterial sample, well above the target."""
    sample = {"metric": "MDC_PRESS_BLD_ART_ABP_MEAN", "value": 72 + second % 5, "unit": "mm[Hg]"}
    return f"bedside/v1/{bed_name(number)}/map", stamp(f"MON-{number}", second) | sample


def pump_message(number: int, second: int, seconds: int) -> tuple[str, dict[str, Any]]:
    """What the pump runs at in this second."""
    rate = HIGH_ML_PER_H if second >= step_second(number, seconds) else LOW_ML_PER_H
    runs = {"status": "infusing", "drug": "norepinephrine", "form": "base"}
    bag = {"rate": {"value": rate, "unit": "mL/h"}, "concentration": {"value": 16, "unit": "ug/mL"}}
    return f"bedside/v1/{bed_name(number)}/pump/1", stamp(f"PMP-{number}", second) | runs | bag


def patient_message(number: int) -> tuple[str, dict[str, Any]]:
    """Who lies there, with the weight that the dose needs."""
    time_now = stamp("", 0)["time"]
    weight = {"value": 80, "unit": "kg"}
    return f"bedside/v1/{bed_name(number)}/patient", {"time": time_now, "session": "S-1", "weight": weight}


# --- the publisher, in a process of its own -----------------------------------------------------


def publish_ward(port: int, beds: int, seconds: int, report: Connection) -> None:
    """Publish the whole run at its pace, and report."""
    report.send(asyncio.run(_publish_ward(port, beds, seconds)))


async def _publish_ward(port: int, beds: int, seconds: int) -> Published:
    decided_ms, behind_max_ms, published = dict[str, float](), 0.0, 0
    client = aiomqtt.Client(
        HOST, port, protocol=aiomqtt.ProtocolVersion.V5, max_inflight_messages=1000, timeout=ANSWER_S
    )
    async with client, asyncio.TaskGroup() as under_way:
        client.pending_calls_threshold = 10_000
        for number in range(1, beds + 1):
            topic, message = patient_message(number)
            await client.publish(topic, json.dumps(message), qos=1, retain=True)
            published += 1
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for due_s, number, second, is_pump in schedule(beds, seconds):
            await asyncio.sleep(began_s + due_s - loop.time())
            behind_max_ms = max(behind_max_ms, 1000 * (loop.time() - began_s - due_s))
            topic, message = pump_message(number, second, seconds) if is_pump else map_message(number, second)
            if is_pump and second == step_second(number, seconds):
                decided_ms[bed_name(number)] = time.time_ns() / 1e6
            under_way.create_task(client.publish(topic, json.dumps(message), qos=1))
            published += 1
    return Published(published, decided_ms, behind_max_ms)


def schedule(beds: int, seconds: int) -> Iterator[tuple[float, int, int, bool]]:
    """When which bed sends what: each at its own place in the second, its pump half a second later."""
    for second in range(seconds):
        for half in (False, True):
            for number in range(1, beds + 1):
                yield second + half / 2 + number / beds / 2, number, second, half


# --- the run -------------------------------------------------------------------------------------


async def listen(port: int, arrived_ms: dict[str, float]) -> None:
    """A station: when each bed's alert came in."""
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("alerts/v1/feed", qos=1)
        async for message in client.messages:
            now_ms = time.time_ns() / 1e6
            event = json.loads(message.payload)
            if (event["data"]["rule"], event["data"]["phase"]) == ("ESC-THRESHOLD", "start"):
                arrived_ms.setdefault(event["subject"], now_ms)


def measure(beds: int, seconds: int) -> Figures:
    """One run from start to end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ward-")))
        broker, port = stack.enter_context(mosquitto(folder))
        roster = [bed_name(number) for number in range(1, beds + 1)]
        waits = [f"rules.ESC-THRESHOLD.for_s={FOR_S}"]
        service, metrics = stack.enter_context(processor(folder, port, roster, waits))
        before_s = cpu_s(service), cpu_s(broker)
        published, counts, arrived_ms = asyncio.run(watched(port, metrics, beds, seconds))
        used_s = cpu_s(service) - before_s[0], cpu_s(broker) - before_s[1]
    return figures(beds, seconds, published, counts, arrived_ms, used_s)


async def watched(
    port: int, metrics: str, beds: int, seconds: int
) -> tuple[Published, dict[str, int], dict[str, float]]:
    """The load, with a station that listens meanwhile; what was published, counted and heard when."""
    arrived_ms = dict[str, float]()
    station = asyncio.create_task(listen(port, arrived_ms))
    published = await asyncio.to_thread(published_by_another, port, beds, seconds)
    counts = await settled(metrics, published, arrived_ms)
    station.cancel()
    return published, counts, arrived_ms


def published_by_another(port: int, beds: int, seconds: int) -> Published:
    """Have another process publish, so that its work delays nobody here."""
    processes = get_context("spawn")
    ours, theirs = processes.Pipe(duplex=False)
    publisher = processes.Process(target=publish_ward, args=(port, beds, seconds, theirs))
    publisher.start()
    theirs.close()
    published = ours.recv()
    publisher.join()
    assert isinstance(published, Published)
    return published


async def settled(metrics: str, published: Published, arrived_ms: dict[str, float]) -> dict[str, int]:
    """The counts once everything has come in and every alert has gone out, or nothing more seems to come."""
    deadline_s = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline_s:
        counts = await asyncio.to_thread(scraped, metrics)
        if counts["received"] >= published.messages and arrived_ms.keys() >= published.decided_ms.keys():
            return counts
        await asyncio.sleep(POLL_S)
    return counts


def figures(
    beds: int,
    seconds: int,
    published: Published,
    counts: dict[str, int],
    arrived_ms: dict[str, float],
    used_s: tuple[float, float],
) -> Figures:
    """What the run showed."""
    hold_back_ms = 1000 * load().event_time.hold_back_s
    late_by_ms = sorted(
        arrived_ms[bed] - decided_ms - 1000 * FOR_S - hold_back_ms
        for bed, decided_ms in published.decided_ms.items()
        if bed in arrived_ms
    )
    return Figures(
        beds=beds,
        seconds=seconds,
        published=published.messages,
        **counts,
        alerts_due=len(published.decided_ms),
        alerts_heard=len(arrived_ms),
        latency_p50_ms=quantile(late_by_ms, 0.5),
        latency_p99_ms=quantile(late_by_ms, 0.99),
        latency_max_ms=quantile(late_by_ms, 1),
        processor_us_per_message=1e6 * used_s[0] / published.messages,
        broker_us_per_message=1e6 * used_s[1] / published.messages,
        publisher_behind_max_ms=published.behind_max_ms,
    )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--beds", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    asked = parser.parse_args()
    show(asdict(measure(asked.beds, asked.seconds)), asked.json)


if __name__ == "__main__":
    main()
