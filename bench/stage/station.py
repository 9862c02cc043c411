"""A central station: hears every alert of the feed, and when it came."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiomqtt

from bench.stage.processes import HOST


@dataclass(frozen=True, slots=True)
class Heard:
    """The beginning or worsening of an alert: of what event time, and when it arrived."""

    rule: str
    bed: str
    priority: str
    time_ms: int
    arrived_ms: float


@asynccontextmanager
async def station(port: int) -> AsyncIterator[list[Heard]]:
    """What has been heard so far, growing as long as the block lasts."""
    heard = list[Heard]()
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("alerts/v1/feed", qos=1)
        listening = asyncio.create_task(_listen(client, heard))
        yield heard
        listening.cancel()


async def _listen(client: aiomqtt.Client, heard: list[Heard]) -> None:
    async for message in client.messages:
        told = heard_in(message.payload, time.time_ns() / 1e6)
        if told is not None:
            heard.append(told)


def heard_in(payload: bytes, arrived_ms: float) -> Heard | None:
    """An event of the feed, where it is the beginning or worsening of an alert."""
    event = json.loads(payload)
    told = event["data"]
    if told["phase"] not in ("start", "escalate"):
        return None
    at_ms = round(1000 * datetime.fromisoformat(event["time"]).timestamp())
    return Heard(told["rule"], event["subject"], told["priority"], at_ms, arrived_ms)
