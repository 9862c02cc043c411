"""SQLite's write-ahead log as a file: whether SQLite has taken from it all that was committed to it.

SQLite takes the log for ended where a checksum fails, as after a torn write, and says nothing. Only
the last commit can be torn; whatever was committed behind the damage was synced, and is lost.
Layout: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")
"""Magic, version, page size, checkpoint number, two salts, two checksums."""
_FRAME = struct.Struct(">4I8x")
"""Page, size of the database after a commit or 0, two salts; two checksums follow, then the page."""
_SUMMED_OF_FRAME = 8
_SUMS = struct.Struct(">2I")
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""The two kinds of log, by the order of bytes in which checksums are computed."""
_WORD = 0xFFFFFFFF
_LIKELY_PAGE_BYTES = 4096
_TORN_AT_MOST = 1
_LOOKS, _BETWEEN_LOOKS_S = 3, 0.1
"""Damage stays; what somebody was just writing is whole at the next look."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """What the frames' heads say, whatever became of their pages."""

    header_sound: bool
    commits: tuple[int, ...]
    """The numbers of the frames that end a commit, from 1."""
    pages: tuple[int, ...] = ()
    """The page of each frame; 0 for one of another round."""

    def damage(self, frames_taken: int) -> str | None:
        """What is wrong with the log if SQLite took so many frames of it."""
        if not self.header_sound and self.commits:
            return "the head of the write-ahead log is damaged"
        behind = [number for number in self.commits if number > frames_taken]
        if len(behind) > _TORN_AT_MOST:
            return f"the write-ahead log is damaged, and {len(behind)} commits stand behind the damage"
        if behind and self._more_than_one(frames_taken, behind[-1]):
            return "the write-ahead log is damaged, and the end of a commit with it"
        return None

    def _more_than_one(self, frames_taken: int, last: int) -> bool:
        """Whether a page comes twice: each commit writes one once, and all of ours write the marks' page."""
        pages = [page for page in self.pages[frames_taken:last] if page]
        return len(set(pages)) < len(pages)


def read_log(path: Path) -> LogFile:
    """Look at the log of a database that nobody writes to now."""
    try:
        with _beside(path, "-wal").open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                return LogFile(True, ())
            sound = _is_sound(head)
            _, _, page_bytes, _, *salts, _, _ = _HEADER.unpack(head)
            if not sound:  # neither size nor salts are to be believed
                return _read_frames(file, _LIKELY_PAGE_BYTES, None)
            return _read_frames(file, page_bytes, salts)
    except FileNotFoundError:
        return LogFile(True, ())


def _read_frames(file: BinaryIO, page_bytes: int, salts: list[int] | None) -> LogFile:
    """The frames of the log's present round; one of a round that was overwritten has other salts."""
    commits, pages = list[int](), list[int]()
    while len(frame := file.read(_FRAME.size)) == _FRAME.size:
        page, size, *salted = _FRAME.unpack(frame)
        ours = salts in (None, salted)
        pages.append(page if ours else 0)
        if size and ours:
            commits.append(len(pages))
        file.seek(page_bytes, os.SEEK_CUR)
    return LogFile(salts is not None, tuple(commits), tuple(pages))


def damage_of(path: Path) -> str | None:
    """What is wrong with the log of a database that somebody may be writing to now."""
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_LOOKS_S)
        if (damage := read_log(path).damage(_frames_sound(path))) is None:
            return None
    return damage


def _frames_sound(path: Path) -> int:
    """How many frames SQLite will take: up to the first whose checksum does not fit."""
    try:
        log = _beside(path, "-wal").read_bytes()
    except FileNotFoundError:
        return 0
    if len(log) < _HEADER.size or not _is_sound(log[: _HEADER.size]):
        return 0
    magic, _, page_bytes, _, *salts, one, other = _HEADER.unpack_from(log)
    order, sums, taken, at = _MAGIC[magic], (one, other), 0, _HEADER.size
    while at + _FRAME.size + page_bytes <= len(log):
        page_at = at + _FRAME.size
        sums = _summed(order, log[at : at + _SUMMED_OF_FRAME], sums)
        sums = _summed(order, log[page_at : page_at + page_bytes], sums)
        ours = list(_FRAME.unpack_from(log, at)[2:]) == salts
        if not ours or sums != _SUMS.unpack_from(log, page_at - _SUMS.size):
            break
        taken, at = taken + 1, page_at + page_bytes
    return taken


def _is_sound(head: bytes) -> bool:
    """Whether the head's own checksum fits."""
    magic, *_ = _HEADER.unpack(head)
    order = _MAGIC.get(magic)
    return order is not None and _summed(order, head[:24], (0, 0)) == _HEADER.unpack(head)[6:]


def _summed(order: str, content: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    """The running checksums with some more content."""
    one, other = sums
    words = iter(struct.unpack(f"{order}{len(content) // 4}I", content))
    for first, second in zip(words, words, strict=True):
        one = (one + first + other) & _WORD
        other = (other + second + one) & _WORD
    return one, other


def note_damage(journal: Path, damage: str) -> None:
    """Keep the log, and word of its damage: SQLite removes it, and what it leaves behind looks sound."""
    log = _beside(journal, "-wal")
    with contextlib.suppress(OSError):  # a disk that takes no note is told of all the same
        if log.is_file():
            shutil.copyfile(log, _beside(journal, "-wal.damaged"))
        with _beside(journal, ".damaged").open("w", encoding="utf-8") as note:
            note.write(damage)
            note.flush()
            os.fsync(note.fileno())


def noted_damage(journal: Path) -> str | None:
    """What an earlier start has found wrong with the log, if it did."""
    note = _beside(journal, ".damaged")
    return note.read_text(encoding="utf-8") if note.is_file() else None


def _beside(journal: Path, ending: str) -> Path:
    return journal.with_name(journal.name + ending)
