"""A rival: aiomqtt, json and two rules, as it is written first: the window is summed up at each sample.

It checks nothing that it is told, and keeps nothing on disk; the client acknowledges on receipt.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from datetime import datetime
from typing import Any

import aiomqtt

from bench.rivals.feed import (
    CLEAR_MCG_PER_KG_MIN,
    FEED,
    MAP_TOPIC,
    MIN_PER_H,
    PUMP_TOPIC,
    RECOVERED_MMHG,
    TARGET_MMHG,
    THRESHOLD_MCG_PER_KG_MIN,
    WINDOW_MS,
    Task,
    alert,
    task,
)
from bench.stage.processes import HOST
from bench.stage.telemetry import bed_name, history_of_map

pressures: dict[str, deque[tuple[int, float]]] = defaultdict(deque)
high_since_ms: dict[str, int] = {}
told_low: set[str] = set()
told_high: set[str] = set()


def take_map(bed: str, at_ms: int, message: dict[str, Any]) -> bytes | None:
    """One pressure: the mean of the window anew."""
    window = pressures[bed]
    window.append((at_ms, message["value"]))
    from_ms = at_ms - WINDOW_MS
    while len(window) > 1 and window[1][0] <= from_ms:
        window.popleft()
    if window[0][0] > from_ms:
        return None
    area, last_ms, last = 0.0, from_ms, window[0][1]
    for then_ms, mmhg in window:
        if then_ms > from_ms:
            area += last * (then_ms - last_ms)
            last_ms = then_ms
        last = mmhg
    mean = area / WINDOW_MS
    if bed in told_low and mean >= RECOVERED_MMHG:
        told_low.remove(bed)
    if bed in told_low or mean >= TARGET_MMHG:
        return None
    told_low.add(bed)
    return alert("MAP-LOW", bed, "high", at_ms)


def take_pump(bed: str, at_ms: int, message: dict[str, Any], hold_ms: int) -> bytes | None:
    """One pump status: since when the dose is high."""
    infused = message["rate"]["value"] if message["status"] == "infusing" else 0
    dose = infused * message["concentration"]["value"] / MIN_PER_H / message["weight"]["value"]
    if dose < (CLEAR_MCG_PER_KG_MIN if bed in told_high else THRESHOLD_MCG_PER_KG_MIN):
        high_since_ms.pop(bed, None)
        told_high.discard(bed)
        return None
    if bed in told_high or at_ms - high_since_ms.setdefault(bed, at_ms) < hold_ms:
        return None
    told_high.add(bed)
    return alert("ESC-THRESHOLD", bed, "medium", at_ms)


def take(topic: str, payload: bytes, hold_ms: int) -> bytes | None:
    """One message; what is to be told of it."""
    _, _, unit, bed, kind, *_ = topic.split("/")
    message = json.loads(payload)
    at_ms = round(1000 * datetime.fromisoformat(message["time"]).timestamp())
    if kind == "map":
        return take_map(f"{unit}/{bed}", at_ms, message)
    return take_pump(f"{unit}/{bed}", at_ms, message, hold_ms)


def remember(given: Task) -> None:
    """The quarter of an hour before."""
    for number in range(1, given.ward.beds + 1):
        pressures[bed_name(number)].extend(
            (given.until_ms + before_ms, mmhg) for before_ms, mmhg in history_of_map(given.ward, number)
        )


async def serve(given: Task) -> None:
    """Subscribe, then message after message."""
    remember(given)
    async with aiomqtt.Client(HOST, given.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe([(MAP_TOPIC, 1), (PUMP_TOPIC, 1)])
        print("ready", flush=True)
        async for received in client.messages:
            told = take(received.topic.value, received.payload, given.hold_ms)
            if told is not None:
                await client.publish(FEED, told, qos=1)


if __name__ == "__main__":
    asyncio.run(serve(task()))
