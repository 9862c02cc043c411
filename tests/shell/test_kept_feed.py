"""The feed that is kept: whoever asks for all after a number gets all of it, or is told what is missing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streamproc.shell.feed import FeedDamaged, with_skipped
from streamproc.shell.journal import FORGOTTEN_MARK, SKIPPED_MARK, JournalFailed, SqliteJournal

LAST = 12
EVENTS = [(number, number * 1000, b'{"feed_seq":%d}' % number) for number in range(1, LAST + 1)]
DURABLE = 9
NEWEST = [(number, payload) for number, _, payload in EVENTS[DURABLE:]]


async def kept_at(path: Path, damage: str = "", skipped: str | None = None) -> SqliteJournal:
    """Nine events on disk; three more are known and not durable yet."""
    async with SqliteJournal(path) as journal:
        await journal.append(1, [], {}, EVENTS[:DURABLE])
        if skipped is not None:
            await journal.set_marks({SKIPPED_MARK: skipped})
    if damage:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(damage)
    return SqliteJournal(path)


def numbers(journal: SqliteJournal, after: int, limit: int = 100) -> list[int]:
    found = journal.events(after, limit, NEWEST, LAST)
    assert all(payload == EVENTS[number - 1][2] for number, payload in found)
    return [number for number, _ in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize("after", [0, 1, 8, 9, 11, 12])
async def test_all_after_a_number_is_told_durable_or_not(path: Path, after: int) -> None:
    async with await kept_at(path) as journal:
        assert numbers(journal, after) == list(range(after + 1, LAST + 1))
        assert numbers(journal, after, 4) == list(range(after + 1, min(after + 4, LAST) + 1))


DAMAGES = {
    "a flipped bit": ("UPDATE event SET payload = '{\"feed_seq\":7}' WHERE feed_seq = 5", 5, 5),
    "a byte less": ("UPDATE event SET payload = substr(payload, 2) WHERE feed_seq = 5", 5, 5),
    "another type": ("UPDATE event SET payload = 7 WHERE feed_seq = 5", 5, 5),
    "another time": ("UPDATE event SET time_ms = time_ms + 1 WHERE feed_seq = 5", 5, 5),
    "another number": ("UPDATE event SET feed_seq = 40 WHERE feed_seq = 9", 9, 40),
    "a missing one": ("DELETE FROM event WHERE feed_seq = 5", 5, 5),
    "some missing": ("DELETE FROM event WHERE feed_seq IN (3, 4)", 3, 4),
    "the first missing": ("DELETE FROM event WHERE feed_seq = 1", 1, 1),
    "the last durable ones missing": ("DELETE FROM event WHERE feed_seq > 7", 8, 9),
    "all missing": ("DELETE FROM event", 1, 9),
}


@pytest.mark.parametrize(("damage", "first", "last"), DAMAGES.values(), ids=DAMAGES)
async def test_damage_is_met_at_its_place_and_never_passed_over(
    path: Path, damage: str, first: int, last: int
) -> None:
    """What stands before it is told; who asks from there is told what is missing, and where to go on."""
    async with await kept_at(path, damage) as journal:
        if first > 1:
            assert numbers(journal, 0) == list(range(1, first))
        with pytest.raises(FeedDamaged, match=f"right would be after={last}"):
            numbers(journal, first - 1)
        assert numbers(journal, last) == list(range(last + 1, LAST + 1))


async def test_what_is_missing_at_the_end_is_missed(path: Path) -> None:
    """Also where nothing stands behind it that could show the gap."""
    async with await kept_at(path, "DELETE FROM event WHERE feed_seq = 9") as journal:
        assert [number for number, _ in journal.events(7, 100, [], DURABLE)] == [8]
        with pytest.raises(FeedDamaged, match="event 9 of the feed"):
            journal.events(8, 100, [], DURABLE)


async def test_numbers_that_no_program_has_given_out_are_no_gap(path: Path) -> None:
    """After another program the feed goes on above all that may have been given out."""
    skipped = with_skipped(with_skipped(None, 5, 6, None), LAST + 1, 30, None)
    async with await kept_at(path, "DELETE FROM event WHERE feed_seq IN (5, 6)", skipped) as journal:
        assert numbers(journal, 0) == [1, 2, 3, 4, *range(7, LAST + 1)]
        assert numbers(journal, 4) == list(range(7, LAST + 1))
        assert [number for number, _ in journal.events(LAST, 9, NEWEST, 30)] == []
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM event WHERE feed_seq = 7")
    async with SqliteJournal(path) as journal:
        with pytest.raises(FeedDamaged, match="events 5 to 7"):
            numbers(journal, 4)


async def test_a_damaged_event_among_skipped_numbers_is_damage(path: Path) -> None:
    damage = "UPDATE event SET payload = x'00' WHERE feed_seq = 5"
    async with await kept_at(path, damage, with_skipped(None, 5, 6, None)) as journal:
        with pytest.raises(FeedDamaged, match="event 5 of the feed"):
            numbers(journal, 4)


async def test_what_was_forgotten_is_no_gap_for_who_asks_for_all_that_is_kept(path: Path) -> None:
    async with await kept_at(path) as journal:
        await journal.forget_events_before(4000)
        assert journal.mark(FORGOTTEN_MARK) == 3
        assert numbers(journal, 0) == list(range(4, LAST + 1))
        with pytest.raises(FeedDamaged, match="events 2 to 3"):  # 410 comes first; this is against a race
            numbers(journal, 1)


def test_stretches_that_are_forgotten_anyway_are_not_kept() -> None:
    assert with_skipped(with_skipped(None, 5, 6, None), 20, 30, 6) == "[[20, 30]]"


async def test_a_feed_without_checksums_is_of_an_older_format(path: Path) -> None:
    await (await kept_at(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 3")
    with pytest.raises(JournalFailed, match="schema version 3, this program needs 4"):
        SqliteJournal(path)


def test_numbers_skipped_twice_with_nothing_in_between_are_one_stretch() -> None:
    assert with_skipped(with_skipped(None, 3, 10, None), 11, 20, None) == "[[3, 20]]"
    assert with_skipped(with_skipped(None, 3, 10, None), 12, 20, None) == "[[3, 10], [12, 20]]"
    assert with_skipped("[[3, 10], [15, 20]]", 5, 18, None) == "[[3, 20]]"
