"""SQLite on the simulated disk, in the clothes of `sqlite3` as far as the journal wears them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from streamproc.shell.machine import Databases

from .disk import Disk


def databases(disk: Disk) -> Databases:
    """How the service opens its databases on this disk."""
    writing = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE

    def to_write(path: Path) -> Any:
        return Database(_translated(lambda: disk.connect(path, writing)))

    def to_read(path: Path) -> Any:
        return Database(_translated(lambda: disk.connect(path, apsw.SQLITE_OPEN_READONLY)), disk)

    return Databases(disk.write_log_again, to_write, to_read)


class Database:
    """A connection. Errors are those of `sqlite3`, by the name of what went wrong."""

    def __init__(self, connection: apsw.Connection, reads: Disk | None = None) -> None:
        self._connection, self._reads = connection, reads
        self.text_factory: Any = str

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return Rows(self._connection, _translated(lambda: self._connection.execute(sql, parameters)))

    def executemany(self, sql: str, many: Iterable[Sequence[Any]]) -> None:
        _translated(lambda: self._connection.executemany(sql, many))

    def executescript(self, script: str) -> None:
        _translated(lambda: self._connection.execute(script))

    def close(self) -> None:
        if self._reads is not None and self._connection in self._reads.connections:
            self._reads.connections.remove(self._connection)
        with contextlib.suppress(apsw.Error):  # as sqlite3_close_v2 has it: a failed checkpoint is no error
            self._connection.close()


class Rows:
    """What a statement gives."""

    def __init__(self, connection: apsw.Connection, cursor: apsw.Cursor) -> None:
        self._connection, self._cursor = connection, cursor

    @property
    def rowcount(self) -> int:
        return self._connection.changes()

    def fetchone(self) -> Any:
        return _translated(lambda: next(self._cursor, None))

    def fetchall(self) -> list[Any]:
        return list(self)

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


def _translated(ask: Any) -> Any:
    try:
        return ask()
    except (apsw.Error, UnicodeDecodeError) as error:
        code = getattr(error, "extendedresult", apsw.SQLITE_CORRUPT)
        kind = sqlite3.DatabaseError if isinstance(error, _DAMAGE) else sqlite3.OperationalError
        translated = kind(str(error))
        translated.sqlite_errorname = apsw.mapping_extended_result_codes.get(
            code, apsw.mapping_result_codes.get(code, str(code))
        )
        raise translated from error


_DAMAGE = (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError)
