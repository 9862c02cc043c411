"""Recorded lines of the contract: what would have arrived, and when, for a replay without a broker.

The same messages and seed give the same bytes, compressed or not. It never reads a clock.
"""

from __future__ import annotations

import gzip
import heapq
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import IO

import zstandard

from simulators.messages import Message
from streamproc.wire.recorded import Received, write_line

LATENCY_MS = (20, 200)


def recorded_lines(messages: Iterable[Message], seed: int) -> Iterator[bytes]:
    """One line a message, in order of receipt, which is its time and a small latency."""
    random = Random(f"{seed}/latency")
    on_the_way: list[tuple[int, int, Received]] = []
    for number, message in enumerate(messages):
        while on_the_way and on_the_way[0][0] < message.time_ms + LATENCY_MS[0]:
            yield write_line(heapq.heappop(on_the_way)[2])
        received_ms = message.time_ms + random.randint(*LATENCY_MS)
        received = Received(received_ms, message.topic, message.payload)
        heapq.heappush(on_the_way, (received_ms, number, received))
    while on_the_way:
        yield write_line(heapq.heappop(on_the_way)[2])


@contextmanager
def recording(path: str) -> Iterator[IO[bytes]]:
    """A file to write lines to, compressed as its name ends; `-` is standard output."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(path).open("wb") as plain:
        if path.endswith(".gz"):
            with gzip.GzipFile("", "wb", fileobj=plain, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        elif path.endswith(".zst"):
            with zstandard.ZstdCompressor().stream_writer(plain) as packed_zst:
                yield packed_zst
        else:
            yield plain
