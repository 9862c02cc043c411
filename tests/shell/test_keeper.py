"""The state folder stays as small as it is configured, and a restart has all that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streamproc.config import load
from streamproc.shell.journal import SqliteJournal
from streamproc.shell.keeper import BYTES_PER_MB, Keeper
from streamproc.wire import Received

MB = 2
BATCH_BYTES, BATCHES, SNAPSHOT_EVERY = 20_000, 400, 20


def a_snapshot(base_ms: int | None) -> Iterable[bytes]:
    return [b"all beds"]


async def test_a_journal_that_grows_too_large_forgets_its_start_and_nothing_that_is_needed(
    tmp_path: Path,
) -> None:
    """Four times as much as may be kept was written: the file is within its bound, the suffix of the oldest
    snapshot is whole."""
    settings = load(None, [f"state.journal_max_mb={MB}", "state.snapshot_every_messages=100"])
    steady_s = iter(range(0, 10**9, 3600)).__next__
    async with SqliteJournal(tmp_path / "journal.db") as journal:
        keeper = Keeper(journal, settings.state, steady_s)
        for number in range(1, BATCHES + 1):
            batch = [Received(number, "bedside/v1/icu-a/bed-1/map", bytes(BATCH_BYTES))]
            position = await journal.append(number, batch)
            if number % SNAPSHOT_EVERY == 0:
                await keeper.finish(position, number, a_snapshot)
                assert journal.bytes_used <= MB * BYTES_PER_MB + SNAPSHOT_EVERY * 3 * BATCH_BYTES
        first = journal.first_position
        assert 1 < first <= BATCHES - SNAPSHOT_EVERY
        assert journal.bytes_used <= MB * BYTES_PER_MB
        assert [batch.position for batch in journal.read(first)] == list(range(first, BATCHES + 1))
        kept = journal.newest_snapshot()
        assert kept is not None
        assert kept.position + 1 >= first


async def test_a_small_journal_forgets_nothing(tmp_path: Path) -> None:
    settings = load(None, [f"state.journal_max_mb={MB}"])
    async with SqliteJournal(tmp_path / "journal.db") as journal:
        keeper = Keeper(journal, settings.state, lambda: 0.0)
        for number in range(1, 51):
            await journal.append(number, [Received(number, "t", bytes(BATCH_BYTES))])
        await keeper.finish(50, 50, a_snapshot)
        assert journal.first_position == 1
