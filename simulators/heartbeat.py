"""A station's watch over the processor: it alarms when nobody watches the beds. An example to write one by.

    python -m simulators.heartbeat --broker mqtt://127.0.0.1:1883

It believes a heartbeat only if it comes live and its position has moved on: a retained one is old, and a
process whose work hangs may still send. What it can't hear, it takes for dead: the broker's loss, too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt

from simulators.publish import Broker, parse_broker

STATUS = "alerts/v1/status"
SILENT_S = 12.0
"""Two heartbeats of 5 s that never came, and a little: the alarm is there within 15 s."""
LOOK_S = 0.25
RUNNING = "running"


@dataclass(slots=True)
class Heartbeat:
    """What was heard of the processor. Times are seconds of a clock that never goes back."""

    since_s: float
    """The last sign of life, or when we began to listen."""
    position: int = -1
    state: str = "not heard yet"

    def hear(self, payload: bytes, retained: bool, now_s: float) -> None:
        """A message on the status topic; what cannot be read is no sign of life."""
        try:
            told = json.loads(payload)
            state, position = str(told["state"]), int(told.get("position") or 0)
        except (ValueError, KeyError, TypeError):
            return
        if state == RUNNING and retained:
            return
        self.state = state
        if state == RUNNING and position != self.position:
            self.position, self.since_s = position, now_s

    def look(self, now_s: float) -> str | None:
        """Why the beds count as not watched; None while they are."""
        silent_s = now_s - self.since_s
        if silent_s >= SILENT_S:
            return f"no heartbeat for {silent_s:.0f} s, the last word was: {self.state}"
        if self.state != RUNNING and self.position >= 0:
            return f"the processor is {self.state}"
        return None


async def watch(broker: Broker, tell: Callable[[str | None], None]) -> None:
    """Tell each change: why nobody watches, or None once somebody does again."""
    heartbeat = Heartbeat(time.monotonic())
    watched: bool | None = None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_listen(broker, heartbeat))
        while True:
            why = heartbeat.look(time.monotonic())
            known = why is not None or heartbeat.position >= 0
            if known and watched is not (why is None):
                watched = why is None
                tell(why)
            await asyncio.sleep(LOOK_S)


async def _listen(broker: Broker, heartbeat: Heartbeat) -> None:
    while True:
        with contextlib.suppress(aiomqtt.MqttError):
            async with aiomqtt.Client(
                broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5, keepalive=5
            ) as client:
                await client.subscribe(STATUS, qos=1)
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    heartbeat.hear(message.payload, message.retain, time.monotonic())
        await asyncio.sleep(1)


def main() -> None:
    """Say each change as a line, with the alarm's tone where the terminal has one."""
    parser = argparse.ArgumentParser(prog="python -m simulators.heartbeat", description=__doc__)
    parser.add_argument("--broker", type=parse_broker, default=Broker("127.0.0.1", 1883))
    broker = parser.parse_args().broker

    def tell(why: str | None) -> None:
        tone = "\a" if sys.stdout.isatty() and why else ""
        print(f"{tone}ALARM, nobody watches: {why}" if why else "the beds are watched", flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch(broker, tell))


if __name__ == "__main__":
    main()
