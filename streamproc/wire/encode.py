"""From models to bytes: the same message is always the same bytes.

Keys in the order of the model, no blanks, UTF-8, the shortest figures. A model cannot hold what
JSON cannot carry, so encoding has nothing to refuse.
"""

from __future__ import annotations

from base64 import b64encode

import msgspec
from msgspec import Struct

from streamproc.core.reason import Reason
from streamproc.wire.alerting import DeadLetter, Lost
from streamproc.wire.fields import Message
from streamproc.wire.instant import rfc3339

DEAD_LETTER_PAYLOAD_BYTES = 1024
DEAD_LETTER_TEXT_LENGTH = 512
_as_json = msgspec.json.Encoder().encode


def encode(message: Message | Struct) -> bytes:
    """The message as it goes over the wire, or as one line of a file without its end."""
    if isinstance(message, Struct):
        return _as_json(message)
    return message.__pydantic_serializer__.to_json(message, exclude_unset=message.absent_when_unset)


def dead_letter(reason: Reason, detail: str, topic: str, payload: bytes, received_ms: int) -> DeadLetter:
    """What is shown of a refused message; whatever came, this can be encoded and read."""
    return DeadLetter(
        received=rfc3339(received_ms),
        topic=as_line(topic),
        reason=reason,
        detail=as_line(detail),
        payload_bytes=len(payload),
        payload_base64=b64encode(payload[:DEAD_LETTER_PAYLOAD_BYTES]).decode(),
    )


def as_line(text: str) -> str:
    """A text from anywhere, as one short line that everybody can show."""
    head = text[:DEAD_LETTER_TEXT_LENGTH]
    printable = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in head)
    return printable[:DEAD_LETTER_TEXT_LENGTH]


WILL = encode(Lost())
"""What the broker says in our place when we no longer can."""
TOMBSTONE = b""
"""An empty retained payload takes an ended alert off its topic."""
