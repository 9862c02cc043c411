"""Configurations are read one after the other: what was read last is what counts."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from streamproc.config import Settings, load
from streamproc.shell.service import Service


async def test_two_reloads_in_a_hurry_end_with_what_was_read_last(tmp_path: Path) -> None:
    """The first reading takes longer than the second would: it must not come out of it as the newer."""
    older, newer = load(None, ["roster=[icu-a/bed-1]"]), load(None, ["roster=[icu-a/bed-2]"])
    service, second_is_over = Service(load(None, [f"state.dir={tmp_path}"])), threading.Event()

    def read_slowly() -> Settings:
        second_is_over.wait(0.2)
        return older

    first = asyncio.create_task(service.reload(read_slowly))
    second = asyncio.create_task(service.reload(lambda: newer))
    second.add_done_callback(lambda _: second_is_over.set())
    await asyncio.gather(first, second)
    assert service.watch.wanted is not None
    assert service.watch.wanted.roster == newer.roster
