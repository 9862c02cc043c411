"""Times on the wire: RFC 3339 in UTC with `Z`, to and from whole milliseconds since 1970.

Never guesses a zone: a time without `Z` is not a time. Digits beyond the millisecond are cut.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from streamproc.core.reason import Reason
from streamproc.wire.rejected import Refused, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
SECOND_MS = 1000
SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
PART = re.compile(r"(?:\.([0-9]{1,6}))?Z")
SECOND_CHARACTERS = len("2026-11-23T08:15:02")
RIGHT_TIME = "an existing time since 1970 in RFC 3339 with Z, such as 2026-11-23T08:15:02.000Z"


@lru_cache(maxsize=512)
def rfc3339(time_ms: int) -> str:
    """The time as every message of ours carries it: always three decimals, always `Z`."""
    second, part_ms = divmod(time_ms, SECOND_MS)
    return f"{_second(second)}.{part_ms:03}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return (EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def instant_ms(text: str, field: str = "time") -> int:
    """Milliseconds since 1970 of a text in the shape of `fields.Instant`; refuses any other.

    The second and its part are read apart: of either there are few, and what was read is remembered."""
    try:
        return _second_ms(text[:SECOND_CHARACTERS]) + _part_ms(text[SECOND_CHARACTERS:])
    except ValueError:
        raise Refused(Reason.BAD_TIME, _wrong(field, text)) from None


@lru_cache(maxsize=4096)
def _second_ms(second: str) -> int:
    if not SECOND.fullmatch(second):
        raise ValueError(second)
    time_ms = (datetime.fromisoformat(second + "Z") - EPOCH) // MILLISECOND
    if time_ms < 0:
        raise ValueError(second)
    return time_ms


@lru_cache(maxsize=4096)
def _part_ms(part: str) -> int:
    found = PART.fullmatch(part)
    if found is None:
        raise ValueError(part)
    return int((found[1] or "0").ljust(3, "0")[:3])


def _wrong(field: str, text: str) -> str:
    return f"{field}: {shown(text)} does not exist or is before 1970; right would be {RIGHT_TIME}"
