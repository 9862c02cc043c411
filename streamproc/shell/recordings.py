"""Recordings as files: opened as their names end, and every complaint names the file and the line.

Must never take a torn file for a whole one.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from streamproc.wire import BadLine, Received
from streamproc.wire.compared import Lines
from streamproc.wire.recorded import Known

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


UNREADABLE = (BadLine, OSError, EOFError, zstandard.ZstdError)


class Unreadable(Exception):
    """A recording cannot be read to its end; the message names the file, and the line where it is one."""


def read_files(paths: Iterable[str], known: Mapping[str, Known] | None = None) -> Iterator[Received]:
    """The messages of several recordings, one after the other; `-` is standard input.

    Those of topics of which it is known what their last message was like are compared with it."""
    lines = Lines({} if known is None else known)
    for path in paths:
        try:
            with _opened(path) as file:
                yield from lines.read(file)
        except UNREADABLE as error:
            raise Unreadable(f"{path}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as file:
        if path.endswith(".gz"):
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, unpacked)
        elif path.endswith(".zst"):
            yield io.BufferedReader(_Unpacked(file))
        else:
            yield file


class _Unpacked(io.RawIOBase):
    """The content of zstd frames in a row; zstandard's own reader takes a torn one for the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packed = b""
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._content = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As much as there is room for, and at least one byte until the end."""
        while not self._content:
            self._packed = self._packed or self._file.read(io.DEFAULT_BUFFER_SIZE)
            if not self._packed:
                return self._end()
            self._unpack()
        room = memoryview(buffer).cast("B")
        size = min(len(room), len(self._content))
        room[:size], self._content = self._content[:size], self._content[size:]
        return size

    def _unpack(self) -> None:
        self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
        self._content = memoryview(self._frame.decompress(self._packed))
        self._packed = b""
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None

    def _end(self) -> int:
        if self._frame is not None:
            raise EOFError("the compressed file ends in the middle")
        return 0
