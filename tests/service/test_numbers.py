"""The feed's numbers: one content each, whatever program gives them; and what is no longer kept is said."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from streamproc.shell.journal import SqliteJournal
from streamproc.shell.service import NUMBERED_MARK, NUMBERS_AHEAD, PROGRAM_MARK

from .bedside import Bedside
from .conftest import StartProcessor
from .processor import Processor
from .station import FEED, listening
from .telemetry import QUICK, now_ms

FIRST, SECOND, THIRD = "icu-a/bed-1", "icu-a/bed-2", "icu-a/bed-3"


async def killed_after_an_alert(processor: Processor, port: int, *beds: str) -> list[bytes]:
    await (await processor.start()).ready()
    async with listening(port, FEED) as station:
        for bed in beds:
            await station.publish(*Bedside(bed).pump(now_ms(), 0.3))
            await station.alert(bed, "ESC-THRESHOLD")
        await processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "all delivered")
        await processor.kill()
        return [one.payload for one in station.on(FEED)]


async def test_another_program_goes_on_above_all_numbers_that_may_have_been_given_out(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """It may make other events of the same journal: no number has two contents, and the gap is no loss."""
    processor = new_processor(mosquitto.port, *QUICK, "state.snapshot_every_s=3600")
    fed = await killed_after_an_alert(processor, mosquitto.port, FIRST)
    async with SqliteJournal(processor.state / "journal.db") as journal:
        numbered = journal.mark(NUMBERED_MARK)
        await journal.set_marks({PROGRAM_MARK: "0.0.0-another"})
    assert isinstance(numbered, int)
    assert numbered >= NUMBERS_AHEAD
    async with listening(mosquitto.port, FEED) as station:
        await (await processor.start()).ready()
        assert (await processor.said("program_changed"))["feed_goes_on_after"] == numbered
        await station.publish(*Bedside(SECOND).pump(now_ms(), 0.3))
        await station.alert(SECOND, "ESC-THRESHOLD")
        later = {one.content["data"]["feed_seq"] for one in station.on(FEED) if not one.retained}
        kept = await numbers(processor, 0)
    before = {json.loads(payload)["data"]["feed_seq"] for payload in fed}
    assert max(before) < numbered < min(later)
    assert sorted(later) == list(range(numbered + 1, numbered + 1 + len(later)))
    assert kept == sorted(before | later)


async def test_the_numbers_of_a_program_whose_first_snapshot_is_lost_hide_nothing(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """What is left is a snapshot of the program before: we must not count on from there, below our own."""
    processor = new_processor(mosquitto.port, *QUICK, "state.snapshot_every_s=3600")
    fed = await killed_after_an_alert(processor, mosquitto.port, FIRST)
    async with SqliteJournal(processor.state / "journal.db") as journal:
        before = journal.position
        await journal.set_marks({PROGRAM_MARK: "0.0.0-another"})
    fed += await killed_after_an_alert(processor, mosquitto.port, SECOND)
    with closing(sqlite3.connect(processor.state / "journal.db", isolation_level=None)) as database:
        assert database.execute("DELETE FROM snapshot WHERE position > ?", (before,)).rowcount
        assert database.execute("SELECT count(*) FROM snapshot").fetchone() > (0,)
    async with listening(mosquitto.port, FEED) as station:
        await (await processor.start()).ready()
        await station.publish(*Bedside(THIRD).pump(now_ms(), 0.3))
        await station.alert(THIRD, "ESC-THRESHOLD")
        later = {one.content["data"]["feed_seq"] for one in station.on(FEED) if not one.retained}
    assert max(json.loads(payload)["data"]["feed_seq"] for payload in fed) < min(later)


async def test_a_station_that_comes_too_late_is_told_what_is_no_longer_kept(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """410 from a number whose successors are forgotten, in the stream as well; 0 gets whatever is kept."""
    processor = new_processor(mosquitto.port, *QUICK)
    await killed_after_an_alert(processor, mosquitto.port, FIRST, SECOND)
    await (await processor.start()).ready()
    assert await processor.stop() == 0  # now its last snapshot knows that all of them are kept
    with closing(sqlite3.connect(processor.state / "journal.db", isolation_level=None)) as database:
        database.execute("UPDATE event SET time_ms = 1")
        (forgotten,) = database.execute("SELECT max(feed_seq) FROM event").fetchone()
    assert forgotten >= 2
    await (await processor.start()).ready()
    assert await processor.stop() == 0  # with its last snapshot it forgets
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside(THIRD).pump(now_ms(), 0.3))
        await station.alert(THIRD, "ESC-THRESHOLD")
    for after in (0, forgotten):
        assert min(await numbers(processor, after)) == forgotten + 1
    for path in ("alerts?after=1", "alerts/stream?after=1"):
        status, text = await processor.get(f"/api/v1/{path}")
        assert (status, f"the feed is kept from {forgotten + 1} on" in text) == (410, True)


async def numbers(processor: Processor, after: int) -> list[int]:
    """What the feed has after a number."""
    status, text = await processor.get(f"/api/v1/alerts?after={after}")
    assert status == 200, text
    return [event["data"]["feed_seq"] for event in json.loads(text)["events"]]
