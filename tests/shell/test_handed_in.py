"""What is handed in is answered once it is durable, and never for another."""

from __future__ import annotations

import asyncio

import pytest

from streamproc.shell import handed_in
from streamproc.shell.handed_in import HandedIn, NotTaken
from streamproc.wire import Reason, Rejected

TOPIC = "alerts/v1/ack/http"
REFUSED = Rejected(Reason.ACK_OUTDATED, "before its onset", "ack", None)


async def entered(counter: HandedIn, payload: bytes) -> asyncio.Task[Rejected | None]:
    """Handed in, and waiting."""
    task = asyncio.create_task(counter.enter(TOPIC, payload))
    await asyncio.sleep(0)
    return task


async def test_each_is_answered_by_the_round_that_takes_it_and_not_before() -> None:
    """Two that say the same are two: one may be refused, and the other count."""
    counter = HandedIn()
    first, second = await entered(counter, b"{}"), await entered(counter, b"{}")
    taken = counter.take()
    third = await entered(counter, b"{}")
    counter.refuse(taken[1], REFUSED)
    await asyncio.sleep(0)
    assert (first.done(), third.done()) == (False, False)
    counter.settle()
    assert (await first, await second) == (None, REFUSED)
    assert not third.done()
    counter.take()
    counter.settle()
    assert await third is None


async def test_without_a_further_round_all_who_wait_are_told_so() -> None:
    counter = HandedIn()
    waiting = await entered(counter, b"{}")
    counter.take()
    counter.close("the disk fails")
    for late in (waiting, counter.enter(TOPIC, b"{}")):
        with pytest.raises(NotTaken, match="the disk fails"):
            await late


async def test_a_disk_that_hangs_is_told_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the round that then comes has nobody to answer."""
    monkeypatch.setattr(handed_in, "ANSWERED_WITHIN_S", 0.01)
    counter = HandedIn()
    with pytest.raises(NotTaken, match="may still count"):
        await counter.enter(TOPIC, b"{}")
    assert len(counter.take()) == 1
    counter.settle()
