"""What a processor has taken over, read from its journal once it has ended, and judged anew by `replay`."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from streamproc.shell.journal import SqliteJournal
from streamproc.wire import Received, write_line

from .processor import ROOT, STREAMPROC, Processor


class Taken:
    """Every message of devices in a journal, in the order and at the time of its being taken over."""

    def __init__(self, state: Path, messages: list[Received]) -> None:
        self.state = state
        self.messages = messages

    @property
    def contents(self) -> list[tuple[str, bytes]]:
        """Topics and payloads, as they were published."""
        return [(message.topic, message.payload) for message in self.messages]


async def taken_over(processor: Processor) -> Taken:
    """The journal of a processor that has ended."""
    assert not processor.running
    async with SqliteJournal(processor.state / "journal.db") as journal:
        batches = list(journal.read(journal.first_position))
    messages = [
        Received(batch.received_ms, message.topic, message.payload, message.retained)
        for batch in batches
        for message in batch.messages
        if not message.topic.startswith("$")
    ]
    return Taken(processor.state, messages)


async def replayed(file: Path, *arguments: str, overrides: tuple[str, ...] = ()) -> tuple[list[bytes], Any]:
    """The alert events that `streamproc replay` makes of a recording or a state folder; its own account."""
    settings = [part for setting in ("log.format=json", *overrides) for part in ("--set", setting)]
    process = await asyncio.create_subprocess_exec(
        *(*STREAMPROC, "replay", str(file), *arguments, *settings), stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.splitlines(), json.loads(err.splitlines()[-1])


def write_recording(file: Path, messages: list[Received]) -> None:
    """The messages as recorded lines."""
    file.write_bytes(b"".join(write_line(message) for message in messages))
