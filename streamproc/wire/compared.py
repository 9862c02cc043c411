"""Recorded lines that differ from an earlier one of their topic only in receipt, number, time and figure.

Whatever else stands in them stands byte for byte as in the earlier one, which was read in full and stood
as we write it: so they are neither parsed nor compared a second time. Any other line is read in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from streamproc.wire.alike import PARTS, SECOND_CHARACTERS, SECONDS, Alike
from streamproc.wire.recorded import (
    END,
    FIRST,
    RECEIVED_AT,
    RECEIVED_END,
    THEN_PAYLOAD,
    TOPIC_AT,
    Known,
    Received,
    as_written,
    read_line,
)
from streamproc.wire.rejected import Refused

TOPICS_MAX = 50_000
"""Topics whose lines are compared; one more, and all begin anew."""
_MADE = tuple.__new__
"""Sooner than by the names of its fields, of which nothing is left out here."""
_SECOND_END = RECEIVED_AT + SECOND_CHARACTERS


@dataclass(slots=True)
class Line:
    """What the lines of a topic are like as long as the same is known of it."""

    topic: str
    known: Known
    behind_receipt: Alike
    payload_at: int


@dataclass(slots=True)
class Lines:
    """Reads lines; `known` says of topics what their last message was like, and may change meanwhile."""

    known: Mapping[str, Known]
    _like: dict[bytes, Line] = field(default_factory=dict)

    def read(self, lines: Iterable[bytes]) -> Iterator[Received]:
        """What `read_lines` gives; of messages that were compared, what they say too."""
        for number, line in enumerate(lines, start=1):
            message = self._compared(line)
            if message is None:
                if line.isspace():
                    continue
                message = read_line(line, number)
                self._get_to_know(line, message)
            yield message

    def _compared(self, line: bytes) -> Received | None:
        like = self._like.get(line[TOPIC_AT : line.find(b'"', TOPIC_AT)])
        if like is None or self.known.get(like.topic) is not like.known or not line.startswith(FIRST):
            return None
        said = like.behind_receipt.read(line, RECEIVED_END)
        if said is None:
            return None
        try:
            received_ms = SECONDS[line[RECEIVED_AT:_SECOND_END]] + PARTS[line[_SECOND_END:RECEIVED_END]]
        except Refused:
            return None
        payload = line[like.payload_at : -len(END)]
        return _MADE(Received, (received_ms, like.topic, payload, False, (like.known, said)))

    def _get_to_know(self, line: bytes, message: Received) -> None:
        known = self.known.get(message.topic)
        if known is None or as_written(line) is None or known.alike.read(message.payload) is None:
            return
        if len(self._like) >= TOPICS_MAX:
            self._like.clear()
        alike, topic_end = known.alike, line.index(b'"', TOPIC_AT)
        payload_at = topic_end + len(THEN_PAYLOAD)
        behind_receipt = replace(
            alike,
            before=line[RECEIVED_END:payload_at] + alike.before,
            behind=alike.behind + END,
            figures=alike.figures.as_we_write,
        )
        self._like[line[TOPIC_AT:topic_end]] = Line(message.topic, known, behind_receipt, payload_at)
