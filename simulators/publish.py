"""Publishes a stream of messages over MQTT 5, QoS 1, in the order of the stream and at its pace.

The only part of the simulators that knows the wall clock and the network. What the broker has not
acknowledged is sent again after a reconnect: a message may come twice, and none is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiomqtt

from simulators.messages import Message

GROUP_MESSAGES = 100
"""Publishes under way at once; waiting for each one's acknowledgement alone is what makes it slow."""

LINGER_S = 0.02
"""How long a message may wait for company; none is sent before its time."""

ANSWER_S = 5.0
"""A broker that has not acknowledged by then counts as gone."""

SEND_AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""Else small packets wait for the broker's acknowledgements, and those for ours: 40 ms a group."""

PATIENCE_S = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"mqtt://{self.host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """From `mqtt://host:port`; a ValueError says what would be right."""
    parts = urlsplit(url)
    try:
        port = parts.port or 1883
    except ValueError:
        port = 0
    if parts.scheme != "mqtt" or not parts.hostname or not port or parts.path.strip("/"):
        raise ValueError(f"{url!r} is not a broker; mqtt://host:port was expected")
    return Broker(parts.hostname, port)


class Pace:
    """When a moment of event time is due by the wall: `speed` times as fast as it happened."""

    def __init__(self, start_ms: int, speed: float) -> None:
        self._start_ms, self._speed = start_ms, speed
        self._began_s = asyncio.get_running_loop().time()

    def due_in_s(self, time_ms: int) -> float:
        """Seconds from now, by the wall; negative when overdue."""
        due_s = self._began_s + (time_ms - self._start_ms) / 1000 / self._speed
        return due_s - asyncio.get_running_loop().time()


class Publisher:
    """Keeps one connection, and what the broker has not acknowledged."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pending: list[Message] = []
        self.acknowledged = 0
        self.connections_lost = 0

    async def publish(self, messages: Iterator[Message], pace: Pace) -> None:
        """Publish all of the stream and come back when the broker has all of it."""
        groups = _due_groups(messages, pace)
        refusals = 0
        while True:
            before = self.acknowledged
            try:
                await self._publish_while_connected(groups)
                return
            except aiomqtt.MqttError as error:
                print(f"simulate: {self._broker} is out of reach ({error}); trying again", file=sys.stderr)
            self.connections_lost += 1
            refusals = 0 if self.acknowledged > before else refusals + 1
            await asyncio.sleep(PATIENCE_S[min(refusals, len(PATIENCE_S) - 1)])

    async def _publish_while_connected(self, groups: AsyncIterator[list[Message]]) -> None:
        async with self._client() as client:
            client.pending_calls_threshold = GROUP_MESSAGES
            await self._publish_pending(client)
            async for group in groups:
                self._pending = group
                await self._publish_pending(client)

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=ANSWER_S,
            socket_options=(SEND_AT_ONCE,),
        )

    async def _publish_pending(self, client: aiomqtt.Client) -> None:
        """Hand all of the group over in order, then wait for its acknowledgements together."""
        calls = (client.publish(m.topic, m.payload, qos=1, retain=m.retain) for m in self._pending)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        failures = [answer for answer in answers if answer is not None]
        self.acknowledged += len(answers) - len(failures)
        self._pending = [m for m, answer in zip(self._pending, answers, strict=True) if answer is not None]
        for failure in failures:
            raise failure


async def _due_groups(messages: Iterator[Message], pace: Pace) -> AsyncIterator[list[Message]]:
    """The stream in order, cut into groups of what is due by now."""
    group: list[Message] = []
    for message in messages:
        wait_s = pace.due_in_s(message.time_ms)
        if group and (wait_s > 0 or len(group) == GROUP_MESSAGES):
            yield group
            group = []
            wait_s = pace.due_in_s(message.time_ms)
        if wait_s > 0:
            await asyncio.sleep(wait_s + LINGER_S)
        group.append(message)
    if group:
        yield group


async def publish_until_told(
    messages: Iterator[Message], broker: Broker, start_ms: int, speed: float
) -> Publisher:
    """Publish until the stream ends, or SIGTERM or SIGINT comes; either is a clean end."""
    publisher = Publisher(broker)
    work = asyncio.ensure_future(publisher.publish(messages, Pace(start_ms, speed)))
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work
    return publisher
