"""Times on the wire: RFC 3339 in UTC with `Z`, to and from whole milliseconds since 1970.

Never guesses a zone: a time without `Z` is not a time. Digits beyond the millisecond are cut.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streamproc.core.reason import Reason
from streamproc.wire.rejected import Refused, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
RIGHT_TIME = "an existing time since 1970 in RFC 3339 with Z, such as 2026-11-23T08:15:02.000Z"


def rfc3339(time_ms: int) -> str:
    """The time as every message of ours carries it: always three decimals, always `Z`."""
    moment = EPOCH + time_ms * MILLISECOND
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def instant_ms(text: str, field: str = "time") -> int:
    """Milliseconds since 1970 of a text that already has the shape of `fields.Instant`."""
    try:
        time_ms = (datetime.fromisoformat(text) - EPOCH) // MILLISECOND
    except ValueError:
        raise Refused(Reason.BAD_TIME, _wrong(field, text)) from None
    if time_ms < 0:
        raise Refused(Reason.BAD_TIME, _wrong(field, text))
    return time_ms


def _wrong(field: str, text: str) -> str:
    return f"{field}: {shown(text)} does not exist or is before 1970; right would be {RIGHT_TIME}"
