"""The door where everything is checked: bytes to facts on the way in, models to bytes on the way out.

Nothing behind it looks at a payload again, and nothing from outside may raise past it.
"""

from __future__ import annotations

from streamproc.core.reason import Reason
from streamproc.wire.decode import Decoder
from streamproc.wire.digest import digest
from streamproc.wire.encode import TOMBSTONE, WILL, dead_letter, encode
from streamproc.wire.instant import rfc3339
from streamproc.wire.recorded import BadLine, Received, read_line, read_lines, write_line
from streamproc.wire.rejected import Rejected
from streamproc.wire.topics import Topics

__all__ = [
    "TOMBSTONE",
    "WILL",
    "BadLine",
    "Decoder",
    "Reason",
    "Received",
    "Rejected",
    "Topics",
    "dead_letter",
    "digest",
    "encode",
    "read_line",
    "read_lines",
    "rfc3339",
    "write_line",
]
