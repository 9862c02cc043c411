"""What a simulated device puts on the wire: the contract's models, as topics and bytes.

The one place in this package that knows how a payload is written; it must never hold a patient's or
a device's state, and never a clock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel

from streamproc.wire.instant import rfc3339
from streamproc.wire.strict_json import compact
from streamproc.wire.topics import Topics

TOPICS = Topics()
CLOCK_TOPIC = "simulation/v1/clock"


class Message(NamedTuple):
    """One publish: `time_ms` is when it leaves for the broker; the payload says its own event time."""

    time_ms: int
    topic: str
    payload: bytes
    retain: bool = False


class Stamp(NamedTuple):
    """Which message of which start of which device this is, and when it was made."""

    device: str
    boot: str
    seq: int
    time_ms: int

    def fields(self) -> dict[str, Any]:
        """What opens every message of a device."""
        return {"device": self.device, "boot": self.boot, "seq": self.seq, "time": rfc3339(self.time_ms)}


def encode(message: BaseModel) -> bytes:
    """The message without the fields that nobody filled: a device sends no nulls."""
    return message.model_dump_json(exclude_unset=True, exclude_none=True).encode()


def clock(time_ms: int) -> Message:
    """The simulated time, for a processor whose clock follows the telemetry."""
    return Message(time_ms, CLOCK_TOPIC, compact({"time": rfc3339(time_ms)}))
