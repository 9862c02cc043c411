"""A disk that keeps for certain only what was synced, under the real SQLite, through a VFS of our own.

The files are real, so that SQLite's locks and its shared memory are; what a power cut leaves of
them is decided here: each write since the last sync is kept, dropped or torn.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw

from streamproc.shell.write_ahead import read_log

SECTOR_BYTES = 512
LOG_HEAD_BYTES, FRAME_BYTES = 32, 24 + 4096
_VFS = "simulated-disk"


@dataclass(slots=True)
class Kept:
    """One file: what a power cut cannot take, and what was written since."""

    durable: bytearray | None = None
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and bytes of a write; with None, the size that the file was cut to."""

    def sync(self) -> None:
        """All that was written is there to stay."""
        image = self.durable if self.durable is not None else bytearray()
        for change in self.unsynced:
            _apply(image, *change)
        self.durable = image
        self.unsynced.clear()

    def after_power_cut(self, fate: Fate) -> bytes | None:
        """What is left of the file, as fate has it."""
        if self.durable is None and not self.unsynced:
            return None
        image = bytearray(self.durable or b"")
        for offset, written in self.unsynced:
            for at, part in fate(offset, written):
                _apply(image, at, part)
        return bytes(image)


def _apply(image: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(written)] = written


Fate = Callable[[int, "bytes | None"], "list[tuple[int, bytes | None]]"]
"""What becomes of one unsynced change: the changes that reach the disk in its place."""


def whole(offset: int, written: bytes | None) -> list[tuple[int, bytes | None]]:
    """All of it had got through."""
    return [(offset, written)]


def dropped(offset: int, written: bytes | None) -> list[tuple[int, bytes | None]]:
    """The power went, and nothing had got through."""
    return []


def torn(chance: random.Random) -> Fate:
    """The power went while the disk wrote: of each write some sectors, all or none, in no order."""

    def fate(offset: int, written: bytes | None) -> list[tuple[int, bytes | None]]:
        whole = chance.random()
        if written is None or whole < 0.5:  # number: as often in one piece as not
            return [(offset, written)] if chance.random() < 0.5 else []
        first = SECTOR_BYTES - offset % SECTOR_BYTES
        cuts = [0, *range(first, len(written), SECTOR_BYTES), len(written)]
        sectors = [(offset + a, written[a:b]) for a, b in pairwise(cuts)]
        return [sector for sector in sectors if chance.random() < 0.5]

    return fate


@dataclass(slots=True)
class Disk:
    """The files of one machine below a folder; `before_step` is told each thing that is done to them."""

    folder: Path
    before_step: Callable[[str], None] = lambda kind: None
    files: dict[str, Kept] = field(default_factory=dict)
    off: bool = False
    connections: list[apsw.Connection] = field(default_factory=list)
    _unlinked: dict[str, Kept] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _vfs().disks[str(self.folder)] = self

    def connect(self, path: Path, flags: int) -> apsw.Connection:
        """Open a database; the connection is closed with the process that opened it."""
        connection = apsw.Connection(str(path), flags=flags, vfs=_VFS)
        self.connections.append(connection)
        return connection

    def step(self, kind: str) -> bool:
        """Whether the process lives on after this step; it may be refused, or the last that is ever done.

        What a dead process still asks for is not done, and it is told nothing: it can't tell anybody.
        """
        if not self.off:
            self.before_step(kind)
        return not self.off

    def close(self) -> None:
        """Let go of what a dead process had open; SQLite's last writes then reach nothing."""
        self.off = True
        for connection in self.connections:
            with contextlib.suppress(apsw.Error):
                connection.close(True)
        self.connections.clear()

    def process_died(self) -> None:
        """The machine lives on: what was written is there for the next process, synced or not."""
        self.close()
        self.off = False

    def power_cut(self, fate: Fate, chance: random.Random) -> None:
        """The machine was off and is on again: the files are what fate has left of them."""
        self.close()
        for name, gone in self._unlinked.items():
            if chance.random() < 0.5:  # number: a removal may not have got through
                self.files.setdefault(name, gone)
        self._unlinked.clear()
        for path in self.folder.glob("*.db*"):
            if not path.name.endswith(".lock"):
                path.unlink()
        for name, file in sorted(self.files.items()):
            content = file.after_power_cut(fate)
            file.unsynced.clear()
            file.durable = None if content is None else bytearray(content)
            if content is not None:
                Path(name).write_bytes(content)
        self.off = False

    def flip(self, chance: random.Random) -> str:
        """While the machine is off, one bit of what it keeps turns; which, is told.

        Not in the log's last commit: damage there can't be told from a torn write."""
        self.power_cut(whole, chance)
        name = chance.choice(sorted(name for name, file in self.files.items() if file.durable))
        durable = self.files[name].durable
        assert durable
        at = chance.randrange(len(durable))
        if name.endswith("-wal"):
            commits = read_log(Path(name.removesuffix("-wal"))).commits
            at = chance.randrange(LOG_HEAD_BYTES + commits[-2] * FRAME_BYTES)
        durable[at] ^= 1 << chance.randrange(8)
        Path(name).write_bytes(durable)
        return f"{Path(name).name} byte {at} of {len(durable)}"

    def write_log_again(self, path: Path) -> None:
        """As the machine's own: the log as it is seen, written once more and synced."""
        log = path.with_name(path.name + "-wal")
        if log.exists():
            held = self.opened(str(log))
            held.unsynced.append((0, log.read_bytes()))
            try:
                if self.step("write") and self.step("sync"):
                    held.sync()
                    self.synced()
            except apsw.Error as error:
                held.unsynced.clear()
                raise OSError(errno.EIO, "simulated") from error

    # what the VFS tells us

    def opened(self, name: str) -> Kept:
        """A file's record; one that is new here begins empty."""
        return self.files.setdefault(name, Kept())

    def unlinked(self, name: str) -> None:
        """A file is removed; until something is synced, a power cut may bring it back."""
        gone = self.files.pop(name, None)
        if gone is not None:
            self._unlinked[name] = gone

    def synced(self) -> None:
        """What was removed before this sync stays removed."""
        self._unlinked.clear()


class _File(apsw.VFSFile):
    """One open file; reading is SQLite's own."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._kept = disk.opened(_text(name))

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._done("write", (offset, bytes(data))):
            super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        if self._done("truncate", (size, None)):
            super().xTruncate(size)

    def _done(self, kind: str, change: tuple[int, bytes | None]) -> bool:
        """Note a change, which the disk may refuse; the last one of a process is under way when it dies."""
        if self._disk.off:
            return False
        self._kept.unsynced.append(change)
        try:
            return self._disk.step(kind)
        except apsw.Error:
            self._kept.unsynced.pop()
            raise

    def xSync(self, flags: int) -> None:
        try:
            if not self._disk.step("sync"):
                return
        except apsw.Error:
            # As Linux does it: the pages count as clean from now on. Whoever reads still sees them, and
            # no later sync will write them.
            self._kept.unsynced.clear()
            raise
        self._kept.sync()
        self._disk.synced()


class _Disks(apsw.VFS):
    """SQLite's way to the disks of all worlds of this process; the folder says which."""

    def __init__(self) -> None:
        self.disks: dict[str, Disk] = {}
        super().__init__(_VFS, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _File(self.disks[str(Path(_text(name)).parent)], name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        disk = self.disks[str(Path(name).parent)]
        if disk.step("delete"):
            disk.unlinked(name)
            super().xDelete(name, sync)


def _text(name: Any) -> str:
    return name if isinstance(name, str) else str(name.filename())


_registered: list[_Disks] = []


def _vfs() -> _Disks:
    if not _registered:
        _registered.append(_Disks())
    return _registered[0]
