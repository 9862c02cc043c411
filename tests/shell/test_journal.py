"""What the journal promises: what it has taken is there after any death, and what is wrong is said."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import shutil
import sqlite3
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streamproc.shell.journal import (
    SCHEMA_VERSION,
    Batch,
    Journal,
    JournalCorrupt,
    JournalFailed,
    JournalInUse,
    JournalTooNew,
    Recorded,
    Snapshot,
    SqliteJournal,
    decode_frames,
    encode_frames,
    read_only,
)
from streamproc.shell.write_ahead import read_log

SOON_S = 20.0
MESSAGE = Recorded("bedside/v1/icu-a/bed-7/map", b'{"value":63}', False)
MESSAGES = st.lists(st.builds(Recorded, st.text(st.characters(codec="utf-8")), st.binary(), st.booleans()))
TIMES_MS = st.integers(0, 2**60)
POSITIONS = st.integers(1, 2**60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def filled(path: Path, count: int) -> None:
    """A journal of this many batches of one message each, closed again."""
    async with SqliteJournal(path) as journal:
        for number in range(1, count + 1):
            await journal.append(number, [replace(MESSAGE, payload=b"%d" % number)])


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def damage(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute(statement, values).rowcount


# --- the encoding ------------------------------------------------------------------------------


@given(POSITIONS, TIMES_MS, MESSAGES)
def test_a_batch_is_read_as_it_was_written(position: int, received_ms: int, messages: list[Recorded]) -> None:
    frames = encode_frames(position, received_ms, messages)
    assert decode_frames(position, received_ms, frames) == Batch(position, received_ms, tuple(messages))


@given(MESSAGES, st.data())
def test_any_changed_byte_is_found(messages: list[Recorded], data: st.DataObject) -> None:
    frames = bytearray(encode_frames(7, 1000, messages))
    frames[data.draw(st.integers(0, len(frames) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(JournalCorrupt, match="position 7:"):
        decode_frames(7, 1000, bytes(frames))


@given(MESSAGES, st.data())
def test_any_cut_is_found(messages: list[Recorded], data: st.DataObject) -> None:
    frames = encode_frames(7, 1000, messages)
    with pytest.raises(JournalCorrupt, match="position 7:"):
        decode_frames(7, 1000, frames[: data.draw(st.integers(0, len(frames) - 1))])


def test_the_encoding_of_version_1_does_not_change() -> None:
    """A journal on a disk outlives the program that wrote it: a new encoding is a new version."""
    messages = [Recorded("a/b", b"x", False), Recorded("", b"", True)]
    assert encode_frames(3, 1_700_000_000_000, messages).hex() == (
        "01" "ce2bcc29" "0000000000000003" "0000018bcfe56800" "00000002"
        "00" "0003" "00000001" "612f62" "78"
        "01" "0000" "00000000"
    )  # fmt: skip


# --- the log -----------------------------------------------------------------------------------


async def test_positions_count_from_one_and_go_on_after_a_restart(path: Path) -> None:
    async with SqliteJournal(path) as opened:
        journal: Journal = opened
        assert journal.position == 0
        assert list(journal.read(1)) == []
        assert [await journal.append(10 * number, [MESSAGE]) for number in (1, 2)] == [1, 2]
    async with SqliteJournal(path) as journal:
        assert journal.position == 2
        assert await journal.append(30, []) == 3
        read = list(journal.read(2))
    assert read == [Batch(2, 20, (MESSAGE,)), Batch(3, 30, ())]


async def test_a_batch_without_messages_is_kept_as_a_tick(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        await journal.append(1234, [])
        assert list(journal.read(1)) == [Batch(1, 1234, ())]


async def test_appends_are_written_in_the_order_of_the_calls(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        positions = await asyncio.gather(*(journal.append(number, []) for number in range(1, 301)))
        assert list(positions) == list(range(1, 301))
        assert [batch.received_ms for batch in journal.read(1)] == list(range(1, 301))


async def test_an_append_does_not_hold_the_loop(path: Path) -> None:
    """While another writer has the database, the append waits in its own thread and the loop turns."""
    async with SqliteJournal(path) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            appending = asyncio.create_task(journal.append(1, [MESSAGE]))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not appending.done()
            other.execute("ROLLBACK")
        async with asyncio.timeout(SOON_S):
            assert await appending == 1


async def test_every_commit_is_synced(path: Path) -> None:
    """WAL with synchronous NORMAL would survive our death, and not the machine's."""
    async with SqliteJournal(path) as journal:
        database = journal._database
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)


APPENDER = """
import asyncio, sys
from streamproc.shell.journal import Recorded, SqliteJournal
async def append():
    journal = SqliteJournal(sys.argv[1])
    while True:
        print(await journal.append(1, [Recorded("a/b", b"x" * 300, False)] * 20), flush=True)
asyncio.run(append())
"""


async def test_what_was_taken_is_there_after_a_kill(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", APPENDER, str(path), stdout=PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(SOON_S):
        for _ in range(50):
            await process.stdout.readline()
        process.kill()
        rest = (await process.stdout.read()).split()
        await process.wait()
    taken = int(rest[-1]) if rest else 50
    async with SqliteJournal(path) as journal:
        assert journal.position >= taken
        assert [batch.position for batch in journal.read(1)] == list(range(1, journal.position + 1))
        assert {len(batch.messages) for batch in journal.read(1)} == {20}


# --- one owner, one version --------------------------------------------------------------------


async def test_a_journal_that_was_removed_under_us_takes_nothing_more(path: Path) -> None:
    """SQLite goes on writing into a file without a name, which no start will ever find."""
    async with SqliteJournal(path) as journal:
        await journal.append(1, [])
        os.remove(path)
        with pytest.raises(JournalFailed, match="removed or replaced"):
            await journal.append(2, [])
        assert journal.failed


async def test_a_second_instance_is_refused_and_told_who_has_it(path: Path) -> None:
    async with SqliteJournal(path):
        with pytest.raises(JournalInUse, match=f"process {os.getpid()}$"):
            SqliteJournal(path)
    async with SqliteJournal(path) as again:
        assert again.position == 0


async def test_a_killed_owner_does_not_keep_the_journal(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", APPENDER, str(path), stdout=PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    with pytest.raises(JournalInUse, match=f"process {process.pid}$"):
        SqliteJournal(path)
    process.kill()
    await process.communicate()
    async with SqliteJournal(path) as journal:
        assert journal.position > 0


async def test_a_newer_journal_is_refused_and_left_alone(path: Path) -> None:
    await filled(path, 1)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = bytes_of(path)
    with pytest.raises(JournalTooNew, match=f"version {SCHEMA_VERSION + 1}"):
        SqliteJournal(path)
    assert bytes_of(path) == before


def another_programs_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE batch (x)")


def no_database(path: Path) -> None:
    path.write_bytes(b"hello, ward\n" * 100)


@pytest.mark.parametrize("make", [another_programs_database, no_database])
async def test_what_is_not_a_journal_is_refused_and_left_alone(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = bytes_of(path)
    with pytest.raises(JournalFailed):
        SqliteJournal(path)
    assert bytes_of(path) == before


async def test_a_journal_can_be_read_by_its_owner_only(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        await journal.append(1, [MESSAGE])
        modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    assert set(modes) >= {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite.lock"}
    assert set(modes.values()) == {0}


# --- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE batch SET frames = frames || x'00' WHERE position = 3", 3),
        ("UPDATE batch SET received_ms = received_ms + 1 WHERE position = 3", 3),
        ("UPDATE batch SET frames = (SELECT frames FROM batch WHERE position = 2) WHERE position = 3", 3),
        ("UPDATE batch SET frames = x'' WHERE position = 3", 3),
        ("UPDATE batch SET frames = 'a text' WHERE position = 3", 3),
        ("UPDATE batch SET frames = 5 WHERE position = 3", 3),
        ("DELETE FROM batch WHERE position = 3", 3),
        ("UPDATE batch SET position = 9 WHERE position = 5", 5),
    ],
)
async def test_a_damaged_or_missing_row_is_named(path: Path, statement: str, position: int) -> None:
    await filled(path, 5)
    damage(path, statement)
    async with SqliteJournal(path) as journal:
        read = journal.read(1)
        sound = [next(read).position for _ in range(position - 1)]
        assert sound == list(range(1, position))
        with pytest.raises(JournalCorrupt) as caught:
            next(read)
    assert caught.value.position == position


async def test_a_log_cut_short_is_found_by_its_snapshot(path: Path) -> None:
    await filled(path, 5)
    async with SqliteJournal(path) as journal:
        await journal.save_snapshot(5, [b"{}"])
    damage(path, "DELETE FROM batch WHERE position > 3")
    async with SqliteJournal(path) as journal:
        with pytest.raises(JournalCorrupt, match="position 4: missing"):
            list(journal.read(1))


async def test_a_damaged_page_is_named_as_damage(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        for number in range(200):
            await journal.append(number, [replace(MESSAGE, payload=b"x" * 3000)])
    overwrite_the_third_quarter(path)
    read: list[Batch] = []
    async with SqliteJournal(path) as journal:
        with pytest.raises(JournalCorrupt) as caught:
            read.extend(journal.read(1))
    assert caught.value.position == len(read) + 1
    assert 50 < len(read) < 150


@pytest.mark.parametrize("flipped", [1, 2, 3], ids=["the last", "the last but one", "the third last"])
async def test_a_log_whose_commit_has_lost_its_end_is_refused_unless_it_was_the_last(
    path: Path, tmp_path: Path, flipped: int
) -> None:
    """One flipped word joins two commits to one, which looks like a commit that was torn, and was synced."""
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    async with SqliteJournal(path) as journal:
        for number in range(1, 9):
            await journal.append(number, [MESSAGE], {"feed_acknowledged": number})
        for file in (path, path.with_name(path.name + "-wal")):
            shutil.copy(file, crashed.parent / file.name)
    log = crashed.with_name(path.name + "-wal")
    end = read_log(crashed).commits[-flipped]
    with log.open("r+b") as file:
        file.seek(32 + (end - 1) * (24 + 4096) + 4)
        file.write(bytes(4))
    if flipped == 1:  # nothing tells it from a commit that was torn
        with read_only(crashed) as view:
            assert view.position == 7
        async with SqliteJournal(crashed) as journal:
            assert journal.position == 7
        return
    with pytest.raises(JournalCorrupt, match="write-ahead log is damaged"), read_only(crashed):
        pass  # nobody has started on it yet
    for _ in range(2):  # SQLite removes the log that was refused: what it leaves must not pass for sound
        with pytest.raises(JournalCorrupt, match="write-ahead log is damaged"):
            SqliteJournal(crashed)
    with pytest.raises(JournalCorrupt, match="write-ahead log is damaged"), read_only(crashed):
        pass
    assert crashed.with_name(path.name + "-wal.damaged").is_file()


async def test_a_log_without_its_database_is_refused_at_every_start(path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    async with SqliteJournal(path) as journal:
        for number in range(1, 9):
            await journal.append(number, [MESSAGE])
        shutil.copy(path.with_name(path.name + "-wal"), crashed.parent)
    for _ in range(2):
        with pytest.raises(JournalCorrupt, match="commits stand behind the damage"):
            SqliteJournal(crashed)


async def test_a_log_that_is_being_written_is_no_damaged_one(path: Path) -> None:
    """Whoever looks while the service writes takes nothing half written for damage."""
    async with SqliteJournal(path) as journal:
        for number in range(1, 200):
            writing = asyncio.create_task(journal.append(number, [replace(MESSAGE, payload=b"x" * 9000)]))
            if number % 20 == 0:
                await asyncio.to_thread(seen, path, number - 1)
            await writing


def seen(path: Path, at_least: int) -> None:
    with read_only(path) as view:
        assert view.position >= at_least


def overwrite_the_third_quarter(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond this: the kernel's own full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_after_a_failed_write_nothing_more_is_taken(path: Path) -> None:
    """Not even when the disk has room again: what is on it then is unknown."""
    async with SqliteJournal(path) as journal:
        await journal.append(1, [MESSAGE])
        with largest_file(50_000), pytest.raises(JournalFailed, match="SQLITE_"):
            await journal.append(2, [replace(MESSAGE, payload=b"x" * 200_000)])
        with pytest.raises(JournalFailed):
            await journal.append(3, [MESSAGE])
        with pytest.raises(JournalFailed):
            await journal.set_marks({"feed_seq": 1})
        assert journal.position == 1
    async with SqliteJournal(path) as journal:
        assert list(journal.read(1)) == [Batch(1, 1, (MESSAGE,))]
        assert await journal.append(2, []) == 2


SYNC_CALLS = {"x86_64": (0xC000003E, 317, 74, 75), "aarch64": (0xC00000B7, 277, 82, 83)}
"""By machine: what the kernel calls it, and the numbers of seccomp, fsync and fdatasync."""
FAILING_SYNC = """
import asyncio, ctypes, struct, sys
from streamproc.shell.journal import JournalFailed, SqliteJournal
machine, seccomp, fsync, fdatasync = map(int, sys.argv[2:])

def fail_every_sync():
    code = b"".join(struct.pack("HBBI", *step) for step in [
        (0x20, 0, 0, 4), (0x15, 0, 3, machine),     # another architecture: allow
        (0x20, 0, 0, 0), (0x15, 2, 0, fsync), (0x15, 1, 0, fdatasync),
        (0x06, 0, 0, 0x7FFF0000),                   # allow
        (0x06, 0, 0, 0x00050000 | 5),               # fail with EIO
    ])
    steps = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.syscall(seccomp, 1, 1, program) == 0, ctypes.get_errno()

async def main():
    journal = SqliteJournal(sys.argv[1])
    await journal.append(1, [])
    fail_every_sync()
    for _ in range(2):
        try:
            await journal.append(2, [])
        except JournalFailed as error:
            print("FSYNC" if "SQLITE_IOERR_FSYNC" in str(error) else error, journal.position)
asyncio.run(main())
"""


async def test_a_failed_sync_is_never_a_success(path: Path) -> None:
    """The kernel may drop what it could not write, and call the next fsync a success."""
    if platform.machine() not in SYNC_CALLS:
        pytest.skip(
            f"no system call numbers for {platform.machine()}; a machine named in SYNC_CALLS mends it"
        )
    numbers = map(str, SYNC_CALLS[platform.machine()])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FAILING_SYNC, str(path), *numbers), stdout=PIPE, stderr=DEVNULL
    )
    output, _ = await process.communicate()
    said = [line for line in output.decode().splitlines() if "journal_failed" not in line]
    assert said == ["FSYNC 1", "FSYNC 1"]


async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.close()
    await journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        await journal.append(1, [])


# --- marks, snapshots, forgetting --------------------------------------------------------------


async def test_marks_are_set_with_their_batch_or_alone(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        assert journal.mark("feed_seq") is None
        await journal.append(1, [], {"feed_seq": 7, "instance": "ward-1"})
        await journal.set_marks({"feed_seq": 8})
    async with SqliteJournal(path) as journal:
        assert (journal.mark("feed_seq"), journal.mark("instance")) == (8, "ward-1")


async def test_a_damaged_mark_is_no_mark(path: Path) -> None:
    """A number that was flipped would hide undelivered alerts, or tell two under one number."""
    async with SqliteJournal(path) as journal:
        await journal.append(1, [], {"feed_seq": 7, "instance": "ward-1"})
    damage(path, "UPDATE mark SET value = 15 WHERE name = 'feed_seq'")
    async with SqliteJournal(path) as journal:
        with pytest.raises(JournalCorrupt, match="mark feed_seq"):
            journal.mark("feed_seq")
        assert journal.mark("instance") == "ward-1"


async def test_the_newest_sound_snapshot_counts_and_a_damaged_one_is_said(path: Path) -> None:
    await filled(path, 9)
    async with SqliteJournal(path) as journal:
        assert journal.newest_snapshot() is None
        for position in (2, 4, 6, 8):
            await journal.save_snapshot(position, [b'{"at":%d}' % position])
        assert journal.newest_snapshot() == Snapshot(8, (b'{"at":8}',))
    damage(path, "UPDATE part SET body = x'00' WHERE position = 8")
    damage(path, "UPDATE snapshot SET version = 99 WHERE position = 6")
    with capture_logs() as logs:
        async with SqliteJournal(path) as journal:
            assert journal.newest_snapshot() == Snapshot(4, (b'{"at":4}',))
    assert [(log["event"], log["position"]) for log in logs] == [
        ("snapshot_found_corrupt", 8),
        ("snapshot_found_corrupt", 6),
    ]


async def test_a_snapshot_is_written_while_the_loop_is_busy(path: Path) -> None:
    """In a flood a round takes long: were each part to wait for one, no snapshot would ever be done."""
    await filled(path, 1)
    last_is_asked_for = threading.Event()

    def parts() -> Iterator[bytes]:
        yield from (b"part %d" % number for number in range(50))
        last_is_asked_for.set()
        yield b"last"

    async with SqliteJournal(path) as journal:
        saving = asyncio.create_task(journal.save_snapshot(1, parts()))
        await asyncio.sleep(0)
        assert last_is_asked_for.wait(SOON_S)  # and nothing else turns the loop
        await saving
        kept = journal.newest_snapshot()
        assert kept is not None
        assert (len(kept.parts), kept.parts[-1]) == (51, b"last")


async def test_an_append_waits_for_one_part_of_a_snapshot_at_most(path: Path) -> None:
    await filled(path, 1)
    begun, append_is_asked_for = threading.Event(), threading.Event()
    appended = list[int]()

    def parts() -> Iterator[bytes]:
        begun.set()
        append_is_asked_for.wait(SOON_S)
        for _ in range(50):
            appended.append(journal.position)
            yield b"part"

    async with SqliteJournal(path) as journal:
        saving = asyncio.create_task(journal.save_snapshot(1, parts()))
        await asyncio.to_thread(begun.wait, SOON_S)
        appending = asyncio.create_task(journal.append(2, []))
        asyncio.get_running_loop().call_soon(append_is_asked_for.set)
        assert await appending == 2
        await saving
        assert appended == [1] + 49 * [2]
        kept = journal.newest_snapshot()
        assert kept is not None
        assert len(kept.parts) == 50


async def test_a_snapshot_moved_to_another_position_is_corrupt(path: Path) -> None:
    await filled(path, 5)
    async with SqliteJournal(path) as journal:
        await journal.save_snapshot(3, [b"{}"])
    damage(path, "UPDATE snapshot SET position = 5")
    async with SqliteJournal(path) as journal:
        assert journal.newest_snapshot() is None


@pytest.mark.parametrize("position", [0, 6])
async def test_there_is_no_snapshot_of_what_was_never_journaled(path: Path, position: int) -> None:
    await filled(path, 5)
    async with SqliteJournal(path) as journal:
        with pytest.raises(ValueError, match="no batch"):
            await journal.save_snapshot(position, [b"{}"])


async def test_forgetting_spares_what_a_kept_snapshot_needs(path: Path) -> None:
    """Should the newest snapshot be damaged, an older one and all that follows it must still do."""
    await filled(path, 700)
    async with SqliteJournal(path) as journal:
        assert await journal.forget_before(700) == 0
        for position in (500, 600, 690):
            await journal.save_snapshot(position, [b"{}"])
        assert await journal.forget_before(101) == 100
        assert journal.first_position == 101
        assert await journal.forget_before(700) == 400
        assert journal.first_position == 501
        assert [batch.position for batch in journal.read(501)] == list(range(501, 701))
        with pytest.raises(JournalCorrupt, match="position 500: missing"):
            list(journal.read(500))


async def test_positions_never_start_again_after_all_was_forgotten(path: Path) -> None:
    await filled(path, 5)
    async with SqliteJournal(path) as journal:
        await journal.save_snapshot(5, [b"{}"])
        assert await journal.forget_before(6) == 5
        assert journal.first_position == 6
    async with SqliteJournal(path) as journal:
        assert journal.position == 5
        assert list(journal.read(6)) == []
        assert await journal.append(6, []) == 6


async def test_appends_come_in_between_while_much_is_forgotten(path: Path) -> None:
    await filled(path, 1500)
    async with SqliteJournal(path) as journal:
        await journal.save_snapshot(1500, [b"{}"])
        forgetting = asyncio.create_task(journal.forget_before(1501))
        await asyncio.sleep(0)
        assert await journal.append(1501, []) == 1501
        assert journal.first_position < 1000
        assert await forgetting == 1500
