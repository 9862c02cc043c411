"""What a killed processor leaves on disk, read before anyone has repaired it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from streamproc.shell.journal import read_only

from .life import Message

_WAL_HEADER = struct.Struct(">IIII8sII")
"""Magic, version, page size, checkpoint, both salts, checksums (SQLite file format, section 4)."""
_FRAME_HEADER = struct.Struct(">II8sII")
"""Page, size of the database after a commit or 0, both salts, checksums."""


def unfinished_frames(wal: Path) -> int:
    """Head and frames of the write-ahead log that belong to a commit which was never finished."""
    log = wal.read_bytes() if wal.exists() else b""
    if len(log) < _WAL_HEADER.size:
        return 0
    _, _, page_bytes, _, salts, _, _ = _WAL_HEADER.unpack_from(log)
    at, unfinished = _WAL_HEADER.size, 1  # a log's head is written, and synced, with its first commit
    while at + _FRAME_HEADER.size <= len(log):
        _, committed, own_salts, _, _ = _FRAME_HEADER.unpack_from(log, at)
        if own_salts != salts:  # of the log's round before
            break
        unfinished = 0 if committed else unfinished + 1
        at += _FRAME_HEADER.size + page_bytes
    return unfinished


UNFINISHED = "SELECT max(position) FROM part WHERE position NOT IN (SELECT position FROM snapshot)"


@dataclass(slots=True)
class Remains:
    """The journal as it stands after each crash; what was read once is not read again."""

    state: Path
    journaled: set[Message] = field(default_factory=set)
    fresh: set[Message] = field(default_factory=set)
    """What the last run has committed."""
    position: int = 0
    snapshot_position: int = 0
    torn_frames: int = 0
    """Of a commit that the last run has not finished."""
    unfinished_snapshot: bool = False
    """Whether the last run has left parts of one that never came to be."""
    _written_ns: int = 0

    def read_on(self) -> None:
        """Take in what the last run has left; the write-ahead log first, as reading may repair it."""
        wal = self.state / "journal.db-wal"
        written_ns = wal.stat().st_mtime_ns if wal.exists() else 0
        self.torn_frames = unfinished_frames(wal) if written_ns != self._written_ns else 0
        self._written_ns = written_ns
        self.fresh.clear()
        with read_only(self.state / "journal.db") as view:
            (part,) = view.database.execute(UNFINISHED).fetchone()
            self.unfinished_snapshot = part is not None and part > self.position
            for batch in view.read(max(self.position + 1, view.first_position)):
                self.fresh.update((message.topic, message.payload) for message in batch.messages)
            self.position = view.position
            self.snapshot_position = next((kept.position for kept in view.snapshots()), 0)
        self.journaled |= self.fresh
