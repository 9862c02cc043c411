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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import structlog
import zstandard

from streamproc.config import Settings
from streamproc.shell.intake import topics_from
from streamproc.shell.mqtt import Connection
from streamproc.shell.service import mqtt_settings
from streamproc.wire import Received, write_line

_log = structlog.stdlib.get_logger()


async def record_to(path: str, settings: Settings) -> None:
    """Record until told to stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    own = replace(mqtt_settings(settings, None), client_id=f"{settings.mqtt.client_id}-record")
    lines = 0
    with _output(path) as file:
        async with Connection(own, topics_from(settings).subscriptions()) as connection:
            while not stopping.is_set():
                deliveries = await connection.batch(settings.clock.tick_s)
                received_ms = time.time_ns() // 1_000_000
                for delivery in deliveries:
                    message = Received(received_ms, delivery.topic, delivery.payload, delivery.retained)
                    file.write(write_line(message, settings.limits.message_bytes))
                if deliveries:
                    await asyncio.to_thread(_to_disk, file)
                    connection.acknowledge(deliveries)
                lines += len(deliveries)
    _log.info("recording_ended", file=path, lines=lines)


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
