"""The durable log: what was received, in the order in which it is applied. Recovery reads it again.

A batch is on disk before `append` returns, and a failed write is never taken for a success: after
the first one this journal takes nothing more. It knows bytes and positions, nothing clinical.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, Self, TypeVar

import structlog

from streamproc.core.frozen import frozen
from streamproc.shell.feed import Event, Told, read_skipped, sealed, unbroken, unsealed
from streamproc.shell.machine import REAL, Databases, to_read
from streamproc.shell.write_ahead import LogFile, damage_of, note_damage, noted_damage, read_log

JOURNAL = "journal.db"
"""Its file in the state folder."""
FORGOTTEN_MARK = "feed_forgotten"
"""Up to which number of the feed its events are no longer kept."""
SKIPPED_MARK = "feed_skipped"
"""Which numbers of the feed another program may have given out, and none of ours has."""
SCHEMA_VERSION = 4
_APPLICATION_ID = 0x57415244
_FRAMES_VERSION = 1
_SNAPSHOT_VERSION = 4
_SNAPSHOTS_KEPT = 3
_BASES_KEPT = 2
_ROWS_AT_A_TIME = 200
"""Rows read, or forgotten, between two chances for an append."""

_SEAL = struct.Struct(">BI")
"""Version of the encoding, and the CRC-32 of all that follows."""
_PLACE = struct.Struct(">qqI")
"""Position, received_ms, number of messages."""
_MESSAGE = struct.Struct(">BHI")
"""Flags, bytes of the topic, bytes of the payload; the two follow."""
_RETAINED = 1

_SCHEMA = """
CREATE TABLE batch (position INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, frames BLOB NOT NULL);
CREATE TABLE mark (name TEXT PRIMARY KEY, value NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE event (
    feed_seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, payload BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE snapshot (
    position INTEGER PRIMARY KEY, version INTEGER NOT NULL, base INTEGER, parts INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE part (
    position INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (position, number)
);
"""

_READ = (
    "SELECT position, received_ms, frames FROM batch WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?"
)
_RECEIVED_AT = "SELECT received_ms FROM batch WHERE position = ?"
_SET_MARK = "INSERT OR REPLACE INTO mark VALUES (?, ?, ?)"

_EVENTS = (
    "SELECT feed_seq, time_ms, payload, checksum FROM event WHERE feed_seq > ? ORDER BY feed_seq LIMIT ?"
)
_OLD_EVENTS = (
    "SELECT max(feed_seq) FROM (SELECT feed_seq, time_ms FROM event ORDER BY feed_seq LIMIT ?)"
    " WHERE time_ms < ?"
)
_FORGET_SNAPSHOTS = (
    "DELETE FROM snapshot"
    " WHERE position NOT IN (SELECT position FROM snapshot ORDER BY position DESC LIMIT ?)"
    " AND position NOT IN"
    " (SELECT position FROM snapshot WHERE base IS NULL ORDER BY position DESC LIMIT ?)"
)
_FORGET_PARTS = "DELETE FROM part WHERE position NOT IN (SELECT position FROM snapshot)"

Mark = str | int
_T = TypeVar("_T")
_log = structlog.stdlib.get_logger()


class JournalInUse(Exception):
    """Another process has this journal open; the message names it."""


class JournalTooNew(Exception):
    """A later version of this program has written the journal; this one can't read it safely."""


class JournalCorrupt(Exception):
    """What stands at `position` is not what was written, or is missing."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(f"journal position {position}: {why}")
        self.position = position


class JournalFailed(Exception):
    """A write or its sync has failed: nothing more is taken until the process has started anew."""


class Message(Protocol):
    """What is journaled of a message: enough to decode it again to the same event."""

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def retained(self) -> bool: ...


@frozen
class Recorded:
    """A message as it was read back."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What was taken over in one commit at `received_ms`; without messages it is a tick."""

    position: int
    received_ms: int
    messages: tuple[Recorded, ...]


class Journal(Protocol):
    """The port: an ordered log that survives us. Positions are 1, 2, 3 …"""

    @property
    def position(self) -> int:
        """The last durable position; 0 while there is none."""
        ...

    async def append(
        self, received_ms: int, messages: Sequence[Message], marks: Mapping[str, Mark] = ...
    ) -> int:
        """Return the batch's position once it is durable."""
        ...

    def read(self, from_position: int) -> Iterator[Batch]:
        """Every batch from this position on, in order, without a gap."""
        ...


def encode_frames(position: int, received_ms: int, messages: Sequence[Message]) -> bytes:
    """One batch as one blob. The checksum covers its place and time, too: rows can't be swapped."""
    place = _PLACE.pack(position, received_ms, len(messages))
    parts, pack = list[bytes](), _MESSAGE.pack
    for message in messages:
        topic, payload = message.topic.encode(), message.payload
        parts += (pack(_RETAINED if message.retained else 0, len(topic), len(payload)), topic, payload)
    body = b"".join(parts)
    return b"".join((_SEAL.pack(_FRAMES_VERSION, zlib.crc32(body, zlib.crc32(place))), place, body))


def decode_frames(position: int, received_ms: int, frames: object) -> Batch:
    """Read a batch back, or raise `JournalCorrupt`."""
    if not isinstance(frames, bytes) or len(frames) < _SEAL.size + _PLACE.size:
        raise JournalCorrupt(position, "no frames in the row")
    version, checksum = _SEAL.unpack_from(frames)
    if version != _FRAMES_VERSION:
        raise JournalCorrupt(position, f"frames of version {version}, known is {_FRAMES_VERSION}")
    if zlib.crc32(memoryview(frames)[_SEAL.size :]) != checksum:
        raise JournalCorrupt(position, "the checksum does not match")
    written_position, written_ms, count = _PLACE.unpack_from(frames, _SEAL.size)
    if (written_position, written_ms) != (position, received_ms):
        raise JournalCorrupt(position, f"the row was written as position {written_position} at {written_ms}")
    return Batch(position, received_ms, tuple(_messages(frames, count)))


def _messages(frames: bytes, count: int) -> Iterator[Recorded]:
    at, unpack = _SEAL.size + _PLACE.size, _MESSAGE.unpack_from
    for _ in range(count):
        flags, topic_bytes, payload_bytes = unpack(frames, at)
        payload_at = at + _MESSAGE.size + topic_bytes
        topic = frames[at + _MESSAGE.size : payload_at].decode()
        at = payload_at + payload_bytes
        yield Recorded(topic, frames[payload_at:at], bool(flags & _RETAINED))


class SqliteJournal:
    """The journal in one SQLite file, for one process at a time.

    One thread of its own writes, in the order of the calls, so that no sync ever holds the event
    loop; reading back, which recovery does before anything else, is done by the caller's thread.
    """

    def __init__(self, path: Path | str, databases: Databases = REAL.databases) -> None:
        self._path = Path(path).absolute()
        self._databases = databases
        self._lock = _take_lock(self._path)
        try:
            _refuse_what_was_found(self._path)
            log = read_log(self._path)
            self._database = _open(self._path, databases)
            self._file = _identity(self._path)
            self._position = self._last_position()
            self._begin_log_anew(log)
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, sqlite3.Error):
                raise JournalFailed(f"{self._path}: {error}") from error
            raise
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._asked = 0
        """So much is asked of the writer's thread now."""
        self._failure: str | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what was begun, then let go of the file and its lock; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._database.close)
        finally:
            self._writer.shutdown(wait=False)
            os.close(self._lock)

    @property
    def position(self) -> int:
        """The last durable position; 0 while there is none."""
        return self._position

    @property
    def failed(self) -> bool:
        """Whether a write has failed; nothing more is taken then."""
        return self._failure is not None

    @property
    def first_position(self) -> int:
        """The oldest position that can still be read; above `position` where there is none."""
        with self._reading() as database:
            (first,) = database.execute("SELECT min(position) FROM batch").fetchone()
        return self._position + 1 if first is None else int(first)

    @property
    def bytes_used(self) -> int:
        """How much of its file is in use; what was forgotten is written over first."""
        with self._reading() as database:
            (pages, free, size) = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    # --- the log -------------------------------------------------------------------------------

    async def append(
        self,
        received_ms: int,
        messages: Sequence[Message],
        marks: Mapping[str, Mark] | None = None,
        events: Sequence[Event] = (),
    ) -> int:
        """Return the batch's position once it, the marks and the feed's events with it, are durable."""
        return await self._write(lambda: self._append(received_ms, messages, marks or {}, events))

    def _append(
        self,
        received_ms: int,
        messages: Sequence[Message],
        marks: Mapping[str, Mark],
        events: Sequence[Event],
    ) -> int:
        position = self._position + 1
        frames = encode_frames(position, received_ms, messages)
        with self._commit() as database:
            database.execute("INSERT INTO batch VALUES (?, ?, ?)", (position, received_ms, frames))
            _set_marks(database, marks)
            database.executemany("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)", map(sealed, events))
        self._position = position
        return position

    def read(self, from_position: int) -> Iterator[Batch]:
        """Every batch from this position on, in order; a gap or a damaged row raises `JournalCorrupt`."""
        with self._reading() as database:
            database.text_factory = bytes  # what damage has turned into text is still to reach the checksum
            yield from _batches(database, from_position, self._position)

    async def forget_before(self, position: int) -> int:
        """Remove the batches before this one, save those that a kept snapshot needs; how many went."""
        forgotten = 0
        while removed := await self._write(lambda: self._forget_some(position)):
            forgotten += removed
        return forgotten

    def _forget_some(self, position: int) -> int:
        """A few rows in a commit of their own, so that appends come in between."""
        with self._commit() as database:
            return database.execute(
                "DELETE FROM batch WHERE position IN (SELECT position FROM batch WHERE position < ?"
                " AND position <= (SELECT min(position) FROM snapshot) ORDER BY position LIMIT ?)",
                (position, _ROWS_AT_A_TIME),
            ).rowcount

    def position_at(self, received_ms: int) -> int:
        """The first kept position that was received at or after this; one past the last if none was."""
        first, beyond = self.first_position, self._position + 1
        with self._reading() as database:
            while first < beyond:
                middle = (first + beyond) // 2
                row = database.execute(_RECEIVED_AT, (middle,)).fetchone()
                if row is None or row[0] < received_ms:
                    first = middle + 1
                else:
                    beyond = middle
        return first

    def events(self, after: int, limit: int, newest: Sequence[Told], last_seq: int) -> list[Told]:
        """The feed after a number (0: all that is kept) up to its last one, in order; from any thread.

        `newest` are those that are not durable yet. Raises `FeedDamaged` if one is damaged or missing."""
        with self._reading() as database:
            database.isolation_level = None
            database.execute("BEGIN")  # marks and events as of one moment
            after = after or int(_mark(database, FORGOTTEN_MARK, self._position) or 0)
            skipped = read_skipped(_mark(database, SKIPPED_MARK, self._position))
            database.text_factory = bytes  # what damage has turned into text is still to reach the checksum
            rows = database.execute(_EVENTS, (after, limit)).fetchall()
        return list(islice(unbroken(after, unsealed(rows), newest, last_seq, skipped), limit))

    async def forget_events_before(self, time_ms: int) -> None:
        """Remove the events of the feed that are older than this; they are the first of it."""
        while await self._write(partial(self._forget_some_events, time_ms)):
            pass

    def _forget_some_events(self, time_ms: int) -> bool:
        """And keep in mind up to where, for whoever still asks for them."""
        with self._commit() as database:
            (last,) = database.execute(_OLD_EVENTS, (_ROWS_AT_A_TIME, time_ms)).fetchone()
            if last is not None:
                database.execute("DELETE FROM event WHERE time_ms < ? AND feed_seq <= ?", (time_ms, last))
                _set_marks(database, {FORGOTTEN_MARK: last})
        return last is not None

    # --- marks and snapshots -------------------------------------------------------------------

    def mark(self, name: str) -> Mark | None:
        """A small durable fact, such as how far the feed has been acknowledged; damage raises
        `JournalCorrupt`."""
        with self._reading() as database:
            return _mark(database, name, self._position)

    async def set_marks(self, marks: Mapping[str, Mark]) -> None:
        """Set these, in a commit of their own."""

        def set_them() -> None:
            with self._commit() as database:
                _set_marks(database, marks)

        await self._write(set_them)

    async def save_snapshot(self, position: int, parts: Iterable[bytes], base: int | None = None) -> None:
        """Keep the state as of the batch at `position`, and the few newest snapshots beside it.

        Each part is asked for and written by the writer's thread, which goes on to the next unless something
        else is asked of it; only with the last of them there is a snapshot. `base` is the position of the one
        that it goes on from."""
        if not 0 < position <= self._position:
            raise ValueError(f"no batch {position} to take a snapshot of, the last is {self._position}")
        writing = self._parts_written(position, parts, base)
        while await self._write(lambda: self._until_somebody_waits(writing)):
            pass

    def _until_somebody_waits(self, writing: Iterator[None]) -> bool:
        """Go on with it; whether it was left for something else."""
        return any(self._asked > 1 for _ in writing)

    def _parts_written(self, position: int, parts: Iterable[bytes], base: int | None) -> Iterator[None]:
        """Write part after part, each in a commit of its own, and at last what makes a snapshot of them."""
        checksum, number = _manifest_checksum(position, base), 0
        for body in parts:
            with self._commit() as database:
                if number == 0:
                    database.execute(_FORGET_PARTS)  # of one that never came to be
                database.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", (position, number, body))
            checksum, number = zlib.crc32(body, checksum), number + 1
            yield
        row = (position, _SNAPSHOT_VERSION, base, number, checksum)
        with self._commit() as database:
            database.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?)", row)
            database.execute(_FORGET_SNAPSHOTS, (_SNAPSHOTS_KEPT, _BASES_KEPT))
            database.execute(_FORGET_PARTS)

    def newest_snapshot(self) -> Snapshot | None:
        """The newest sound snapshot; a damaged one is passed over, and said so."""
        with self._reading() as database:
            return next(_snapshots(database), None)

    # --- writing and reading -------------------------------------------------------------------

    async def _write(self, work: Callable[[], _T]) -> _T:
        """Have the writer's thread do it, after all that was asked of it before."""
        if self._closed:
            raise JournalFailed(f"{self._path} is closed")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        finally:
            self._asked -= 1

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        """One transaction. After a failure the disk's state is unknown, so nothing is ever tried again."""
        if self._failure is not None:
            raise JournalFailed(self._failure)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            if _identity(self._path) != self._file:
                raise sqlite3.OperationalError("the file has been removed or replaced under us")
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._failure = f"{self._path}: {error} ({getattr(error, 'sqlite_errorname', 'unknown')})"
            _log.critical("journal_failed", reason=self._failure)
            raise JournalFailed(self._failure) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._databases.to_read(self._path)) as database:
                yield database
        except sqlite3.Error as error:
            raise JournalFailed(f"{self._path}: {error}") from error

    def _begin_log_anew(self, log: LogFile) -> None:
        """Refuse a log whose middle is damaged; then take all of it over into the database.

        A torn commit is so gone for good: later it would look like damage."""
        (_, frames_taken, _) = self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        damage = log.damage(frames_taken)
        if damage is not None:
            note_damage(self._path, damage)
            self._database.close()
            raise JournalCorrupt(self._position + 1, damage)
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _last_position(self) -> int:
        (last,) = self._database.execute(
            "SELECT max(ifnull((SELECT max(position) FROM batch), 0),"
            " ifnull((SELECT max(position) FROM snapshot), 0))"
        ).fetchone()
        return int(last)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state as of the batch at `position`, in parts, and the parts of the one that it goes on from."""

    position: int
    parts: tuple[bytes, ...]
    base: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalView:
    """A journal as it stands at one moment, beside whoever holds it; nothing can be written through it."""

    database: sqlite3.Connection
    first_position: int
    position: int

    def read(self, from_position: int) -> Iterator[Batch]:
        """Every batch from this position on, in order; a gap or a damaged row raises `JournalCorrupt`."""
        return _batches(self.database, from_position, self.position)

    def snapshots(self) -> Iterator[Snapshot]:
        """The sound snapshots, the newest first."""
        return _snapshots(self.database)


@contextmanager
def read_only(path: Path | str) -> Iterator[JournalView]:
    """Open a journal without its lock, to look at while a service goes on writing to it."""
    path = Path(path).absolute()
    if not path.is_file():
        raise JournalFailed(f"{path}: no such journal")
    _refuse_what_was_found(path)
    with closing(to_read(path)) as database:
        try:
            _check_version(path, database)
            database.isolation_level, database.text_factory = None, bytes
            database.execute("BEGIN")  # one moment for all that is read
            first, last = database.execute(
                "SELECT (SELECT min(position) FROM batch), (SELECT max(position) FROM batch)"
            ).fetchone()
        except sqlite3.Error as error:
            raise JournalFailed(f"{path}: {error}") from error
        if (damage := damage_of(path)) is not None:
            raise JournalCorrupt((last or 0) + 1, damage)
        yield JournalView(database, first or 1, last or 0)


def _refuse_what_was_found(path: Path) -> None:
    """What was refused once stays refused, however sound it looks since."""
    if (found := noted_damage(path)) is not None:
        raise JournalCorrupt(0, f"an earlier start has found that {found}; right would be another state.dir")


def _snapshots(database: sqlite3.Connection) -> Iterator[Snapshot]:
    rows = database.execute("SELECT position, version, base FROM snapshot ORDER BY position DESC").fetchall()
    for position, version, base in rows:
        parts = _sound_parts(database, position)
        base_parts = () if base is None else _sound_parts(database, base)
        if parts is None or base_parts is None:
            _log.error("snapshot_found_corrupt", position=position, version=version)
        else:
            yield Snapshot(position, parts, base_parts)


def _sound_parts(database: sqlite3.Connection, position: int) -> tuple[bytes, ...] | None:
    """The parts of a snapshot as they were written, or None."""
    row = database.execute(
        "SELECT version, base, parts, checksum FROM snapshot WHERE position = ?", (position,)
    ).fetchone()
    if row is None or row[0] != _SNAPSHOT_VERSION:
        return None
    found = database.execute("SELECT body FROM part WHERE position = ? ORDER BY number", (position,))
    try:
        parts = tuple(body for (body,) in found)
    except sqlite3.DatabaseError:
        return None
    checksum = _manifest_checksum(position, row[1])
    for body in parts:
        checksum = zlib.crc32(body if isinstance(body, bytes) else b"", checksum)
    return parts if (len(parts), checksum) == (row[2], row[3]) and parts else None


def _batches(database: sqlite3.Connection, expected: int, last: int) -> Iterator[Batch]:
    while expected <= last:
        for position, received_ms, frames in _rows(database, expected, last):
            if position != expected:
                raise JournalCorrupt(expected, f"missing, the next is {position}")
            yield decode_frames(position, received_ms, frames)
            expected += 1


def _rows(database: sqlite3.Connection, expected: int, last: int) -> Iterator[tuple[int, int, bytes]]:
    """The next rows, one by one, so that damage is met at its place; at least one, or it is missing."""
    begun = expected
    try:
        for row in database.execute(_READ, (expected, last, _ROWS_AT_A_TIME)):
            expected += 1
            yield row
    except sqlite3.DatabaseError as error:
        raise JournalCorrupt(expected, str(error)) from error
    if expected == begun:
        raise JournalCorrupt(expected, f"missing, the last should be {last}")


def _mark(database: sqlite3.Connection, name: str, position: int) -> Mark | None:
    row = database.execute("SELECT value, checksum FROM mark WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    if row[1] != _mark_checksum(name, row[0]):
        raise JournalCorrupt(position, f"the checksum of mark {name} does not match")
    value: Mark = row[0]
    return value


def _set_marks(database: sqlite3.Connection, marks: Mapping[str, Mark]) -> None:
    rows = [(name, value, _mark_checksum(name, value)) for name, value in marks.items()]
    database.executemany(_SET_MARK, rows)


def _mark_checksum(name: str, value: object) -> int:
    return zlib.crc32(f"{name} {value!r}".encode(errors="replace"))


def _manifest_checksum(position: int, base: int | None) -> int:
    return zlib.crc32(f"{position} {base}".encode())


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _take_lock(path: Path) -> int:
    """Hold the side file for as long as we live; the kernel lets go of it however we end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        wrong = f"{path.parent}: {error.strerror}"
        raise JournalFailed(f"{wrong}; right would be a state.dir that can be written") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise JournalInUse(f"{path} is in use by process {holder}") from None
    try:
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    except OSError as error:
        os.close(lock)
        raise JournalFailed(f"{path.parent}: {error.strerror}") from None
    return lock


def _open(path: Path, databases: Databases) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # telemetry is for its owner only
    try:
        databases.write_log_again(path)
    except OSError as error:
        raise JournalFailed(f"{path.parent}: {error.strerror}") from None
    database = databases.to_write(path)
    try:
        _check_schema(path, database)
        if database.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise JournalFailed(f"{path}: this file system allows no write-ahead log")
        database.execute("PRAGMA synchronous = FULL")
    except BaseException as error:
        database.close()
        if isinstance(error, sqlite3.Error):
            raise JournalFailed(f"{path}: {error}") from error
        raise
    return database


def _check_version(path: Path, database: sqlite3.Connection, *, may_be_empty: bool = False) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION_ID and (tables or not may_be_empty):
        raise JournalFailed(f"{path} is not a journal")
    if version > SCHEMA_VERSION:
        raise JournalTooNew(f"{path} has schema version {version}, this program knows {SCHEMA_VERSION}")
    if tables and version < SCHEMA_VERSION:
        wrong = f"{path} has schema version {version}, this program needs {SCHEMA_VERSION}"
        raise JournalFailed(f"{wrong}; right would be another state.dir")


def _check_schema(path: Path, database: sqlite3.Connection) -> None:
    _check_version(path, database, may_be_empty=True)
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        database.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            f"{_SCHEMA} COMMIT;"
        )
