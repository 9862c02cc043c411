"""Writes down what arrives on the broker, line by line, for `replay`.

A line is on disk before its message is acknowledged. It listens with a session of its own, so it
takes nothing away from the processor.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import structlog
import zstandard

from streamproc.config import Settings
from streamproc.shell.clock import Clock, clock_from, telemetry_of
from streamproc.shell.intake import decoder_from, times_ms, topics_from
from streamproc.shell.mqtt import Connection, Delivery
from streamproc.shell.service import mqtt_settings
from streamproc.wire import Decoder, Received, write_line

_log = structlog.stdlib.get_logger()


async def record_to(path: str, settings: Settings) -> None:
    """Record until told to stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    own = replace(mqtt_settings(settings, None), client_id=f"{settings.mqtt.client_id}-record")
    clock = clock_from(settings.clock.source, 0)
    filters = [*topics_from(settings).subscriptions(), *clock.topics]
    recorder = Recorder(clock, decoder_from(settings), settings.limits.message_bytes)
    with _output(path) as file:
        async with Connection(own, filters) as connection:
            while not stopping.is_set():
                deliveries = await connection.batch(settings.clock.tick_s)
                lines = recorder.lines(deliveries)
                if lines is None:
                    continue
                if lines:
                    file.write(b"".join(lines))
                    await asyncio.to_thread(_to_disk, file)
                connection.acknowledge(recorder.written())
    _log.info("recording_ended", file=path, lines=recorder.count)


@dataclass(slots=True)
class Recorder:
    """Turns what arrives into lines; in a simulated run nothing is written before the time is known."""

    clock: Clock
    decoder: Decoder
    max_bytes: int
    count: int = 0
    _waiting: list[Delivery] = field(default_factory=list)

    def lines(self, deliveries: Sequence[Delivery]) -> list[bytes] | None:
        """A line for each message, received now; None while nobody knows what time it is."""
        self._waiting += deliveries
        telemetry = telemetry_of(self.clock, self._waiting, lambda those: times_ms(self.decoder, those))
        received_ms = self.clock.read()
        if received_ms is None:
            return None
        self.count += len(telemetry)
        return [
            write_line(Received(received_ms, each.topic, each.payload, each.retained), self.max_bytes)
            for each in telemetry
        ]

    def written(self) -> list[Delivery]:
        """What may be acknowledged now that its lines are on disk."""
        done, self._waiting = self._waiting, []
        return done


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    if file.isatty() or file is sys.stdout.buffer:
        return
    os.fsync(file.fileno())


@contextmanager
def _output(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdout.buffer
        return
    with Path(path).open("xb") as file:
        if path.endswith(".gz"):
            with gzip.open(file, "wb") as packed:
                yield cast(BinaryIO, packed)
        elif path.endswith(".zst"):
            with zstandard.ZstdCompressor().stream_writer(file) as packed_zst:
                yield cast(BinaryIO, packed_zst)
        else:
            yield file
