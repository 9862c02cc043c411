"""What the processor tells itself by way of its journal: that nobody watched, and by which rules it judges.

Such a message is journaled like any other, so that a replay lives through the same. Its topic begins
with `$`, which no filter of ours matches: it must never be taken from outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamproc.wire.encode import encode
from streamproc.wire.fields import Instant, Line, Message
from streamproc.wire.instant import instant_ms, rfc3339

OWN = "$"
UNWATCHED = "$streamproc/unwatched"
CONFIGURED = "$streamproc/configured"


class UnwatchedMessage(Message):
    """Nobody watched between these instants, and why."""

    since: Instant
    until: Instant
    why: Line


def is_own(topic: str) -> bool:
    """Whether a topic is none that a broker would deliver to us."""
    return topic.startswith(OWN)


def unwatched(since_ms: int, until_ms: int, why: str) -> bytes:
    """The payload that says that nobody watched."""
    return encode(UnwatchedMessage(since=rfc3339(since_ms), until=rfc3339(until_ms), why=why))


def read_unwatched(payload: bytes) -> tuple[int, int, str]:
    """From when until when nobody watched, and why."""
    told = UnwatchedMessage.model_validate_json(payload)
    return instant_ms(told.since), instant_ms(told.until), told.why


def configured(judged_by: Mapping[str, Any]) -> bytes:
    """The payload that says by what is judged from now on."""
    return json.dumps(judged_by, sort_keys=True, separators=(",", ":")).encode()


def read_configured(payload: bytes) -> dict[str, Any]:
    """What is judged by from now on."""
    judged_by: dict[str, Any] = json.loads(payload)
    return judged_by
