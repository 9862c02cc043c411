"""The machine below us: its clocks, its chance and its databases. A simulation puts its own in their place.

Whatever in the service does not follow from its input is asked for here, and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BUSY_S = 5.0
_PIECE_BYTES = 1 << 20


def to_write(path: Path) -> sqlite3.Connection:
    """The one connection that writes; its transactions are begun and ended by hand, on any thread."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)


def to_read(path: Path) -> sqlite3.Connection:
    """A connection that can't write, beside the one that does."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)


def write_log_again(path: Path) -> None:
    """Make durable what a database's log shows, by writing each of its bytes again.

    After a sync that failed, Linux shows pages that are not on the disk and that no later sync will
    write. Whatever was appended behind such a hole would be lost with it at a power cut.
    """
    with contextlib.suppress(FileNotFoundError), path.with_name(path.name + "-wal").open("r+b") as log:
        while piece := log.read(_PIECE_BYTES):
            log.seek(-len(piece), os.SEEK_CUR)
            log.write(piece)
        log.flush()
        os.fsync(log.fileno())


@dataclass(frozen=True, slots=True)
class Databases:
    """How a database file is opened, and its log made sound before."""

    write_log_again: Callable[[Path], None] = write_log_again
    to_write: Callable[[Path], sqlite3.Connection] = to_write
    to_read: Callable[[Path], sqlite3.Connection] = to_read


@dataclass(frozen=True, slots=True)
class Machine:
    """What the service asks of the outside, the broker aside: that one is reached through the loop."""

    wall_s: Callable[[], float] = time.time
    """Seconds since 1970, as the machine's clock has them; it may be set back."""
    steady_s: Callable[[], float] = time.monotonic
    """Seconds since some instant; never goes back."""
    between: Callable[[float, float], float] = random.uniform
    """A number by chance."""
    databases: Databases = Databases()


REAL = Machine()
