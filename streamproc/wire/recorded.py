"""Recorded telemetry: one message a line, to be read by people, `jq`, and `streamproc replay`.

Nothing is lost: a payload that strict JSON cannot carry, or that would be read differently once
encoded anew, is kept byte for byte in base64. Reading a line back and decoding it gives what
decoding the message gave.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from streamproc.core.reason import Reason
from streamproc.wire.alike import Alike, Said
from streamproc.wire.diagnosis import refusal
from streamproc.wire.encode import encode
from streamproc.wire.fields import Instant, Message
from streamproc.wire.instant import instant_ms, rfc3339
from streamproc.wire.rejected import Refused, shown
from streamproc.wire.strict_json import MAX_BYTES, MAX_DEPTH, compact, is_compact, load

TOPIC_LENGTH_MAX = 65535
"""MQTT 5, section 1.5.4."""


class RawPayload(Message):
    """The bytes of a payload that is not JSON."""

    base64: str


class RecordedLine(Message):
    """One message as it arrived: when, where, what, and whether the broker had kept it."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["payload"]}, {"required": ["payload_raw"]}]}
    )
    absent_when_unset: ClassVar[bool] = True
    received: Instant
    topic: Annotated[str, Field(max_length=TOPIC_LENGTH_MAX)]
    payload: Any = None
    """The JSON that the payload was."""
    payload_raw: RawPayload = RawPayload(base64="")
    """Instead of `payload`, where it was not JSON that encodes to the same."""
    retain: bool = False


class Known(Protocol):
    """What is known of a topic; whoever knows it may know more."""

    @property
    def alike(self) -> Alike: ...


class Received(NamedTuple):
    """A message as the broker gave it."""

    received_ms: int
    topic: str
    payload: bytes
    retained: bool = False
    compared: tuple[Known, Said] | None = None
    """What was known of its topic and what it says, where it was read as like that."""


class BadLine(ValueError):
    """A line that is no recorded message: its number, and what would be right."""

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(f"line {number}: {detail}")
        self.number = number
        self.detail = detail


FIRST, THEN_TOPIC, THEN_PAYLOAD, END = b'{"received":"', b'","topic":"', b'","payload":', b"}\n"
RECEIVED_AT = len(FIRST)
RECEIVED_END = RECEIVED_AT + len("2026-11-23T08:15:02.100Z")
TOPIC_AT = RECEIVED_END + len(THEN_TOPIC)

_VALIDATE = TypeAdapter(RecordedLine).validator.validate_python


def read_lines(lines: Iterable[bytes]) -> Iterator[Received]:
    """The messages of a recording, in its order; blank lines are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.isspace():
            yield read_line(line, number)


def read_line(line: bytes, number: int = 1) -> Received:
    """The message that a line records; `number` is for the complaint."""
    try:
        return as_written(line) or _received(line)
    except Refused as refused:
        raise BadLine(number, refused.detail.removeprefix("payload: ")) from None


def write_line(message: Received, max_bytes: int = MAX_BYTES) -> bytes:
    """The line that records a message, with its end; `max_bytes` is what the decoder takes."""
    line: dict[str, Any] = {"received": rfc3339(message.received_ms), "topic": message.topic}
    line |= _carried(message.payload, max_bytes)
    if message.retained:
        line["retain"] = True
    return encode(RecordedLine(**line)) + b"\n"


def _carried(payload: bytes, max_bytes: int) -> dict[str, Any]:
    """The payload as JSON where that is sure to be read the same, else as its bytes."""
    try:
        value = load(payload, max_bytes)
        if len(compact(value)) <= len(payload):
            return {"payload": value}
    except (Refused, ValueError):
        pass  # not JSON of the contract: the bytes say it all
    return {"payload_raw": RawPayload(base64=b64encode(payload).decode())}


def as_written(line: bytes) -> Received | None:
    """The message of a line that surely stands as `write_line` writes it; None of any other."""
    topic_end = line.find(b'"', TOPIC_AT)
    payload_at = topic_end + len(THEN_PAYLOAD)
    in_place = (
        line.startswith(FIRST)
        and line.endswith(END)
        and line[RECEIVED_END:TOPIC_AT] == THEN_TOPIC
        and line[topic_end:payload_at] == THEN_PAYLOAD
    )
    payload = line[payload_at : -len(END)]
    if not in_place or b"\\" in line or not line.isascii() or not is_compact(payload):
        return None
    topic = line[TOPIC_AT:topic_end].decode()
    try:
        received_ms = instant_ms(line[RECEIVED_AT:RECEIVED_END].decode())
    except Refused:
        return None
    return Received(received_ms, topic, payload) if topic.isprintable() else None


def _received(text: bytes) -> Received:
    fields = load(text, len(text), MAX_DEPTH + 1)
    try:
        line: RecordedLine = _VALIDATE(fields)
    except ValidationError as error:
        raise refusal(error, fields) from None
    return Received(instant_ms(line.received, "received"), line.topic, _payload(line), line.retain)


def _payload(line: RecordedLine) -> bytes:
    if ("payload" in line.model_fields_set) == ("payload_raw" in line.model_fields_set):
        raise Refused(Reason.MISSING_FIELD, "payload: right would be either payload or payload_raw")
    if "payload" not in line.model_fields_set:
        return _bytes(line.payload_raw.base64)
    try:
        return compact(line.payload)
    except ValueError as error:  # not a finite number, or half a surrogate pair
        detail = f"payload: {error}; right would be payload_raw with the bytes in base64"
        raise Refused(Reason.NOT_JSON, detail) from None


def _bytes(base64: str) -> bytes:
    try:
        return b64decode(base64, validate=True)
    except ValueError as error:
        wrong = f"payload_raw.base64: {shown(base64)} is not base64 ({error})"
        raise Refused(Reason.BAD_TEXT, f"{wrong}; right would be RFC 4648 with padding") from None
