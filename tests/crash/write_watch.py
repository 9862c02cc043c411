"""Tells of a write to a file as soon as the kernel does, from a thread that does nothing else."""

from __future__ import annotations

import ctypes
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

_IN_MODIFY = 0x2
_EVENTS_BYTES = 4096
_libc = ctypes.CDLL(None, use_errno=True)


class WriteWatch:
    """Calls `then` once, at about the n-th write after `arm`: the kernel may tell of several as of one."""

    def __init__(self, file: Path, then: Callable[[], None], nth: int = 1) -> None:
        self._then, self._nth = then, nth
        self._events = _libc.inotify_init1(os.O_CLOEXEC)
        if self._events < 0 or _libc.inotify_add_watch(self._events, os.fsencode(file), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {file}")
        self._stop_reading, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._wait, daemon=True)

    def arm(self) -> None:
        """From now on; what was written before is forgotten."""
        if self._thread.ident is not None:
            return
        while select.select([self._events], [], [], 0)[0]:
            os.read(self._events, _EVENTS_BYTES)
        self._thread.start()

    def _wait(self) -> None:
        for _ in range(self._nth):
            ready, _, _ = select.select([self._events, self._stop_reading], [], [])
            if self._events not in ready:
                return
            os.read(self._events, _EVENTS_BYTES)
        self._then()

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._stop)
        if self._thread.ident is not None:
            self._thread.join()
        for file in (self._events, self._stop_reading):
            os.close(file)
