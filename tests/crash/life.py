"""What passed between one run of the processor and the broker, as the network saw it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.service.station import FEED

from .frames import CONNECT, PUBACK, PUBLISH, Frame
from .proxy import Way

Message = tuple[str, bytes]


@dataclass(slots=True)
class Life:
    """Input handed over and acknowledged, alert events sent and answered.

    A packet that was withheld has been sent, and has not arrived.
    """

    connected: bool = False
    unacknowledged: dict[int, Message] = field(default_factory=dict)
    acknowledged: list[Message] = field(default_factory=list)
    unanswered: dict[int, bytes] = field(default_factory=dict)
    answered: list[bytes] = field(default_factory=list)

    def see(self, way: Way, frame: Frame, *, withheld: bool = False) -> None:
        """Note one packet."""
        if way is Way.TO_BROKER:
            self._sent(frame, withheld)
        elif frame.kind == PUBLISH and frame.packet_id:
            self.unacknowledged[frame.packet_id] = (frame.topic, frame.payload)
        elif self.answers_an_alert(frame) and not withheld:
            self.answered.append(self.unanswered.pop(frame.packet_id))

    def _sent(self, frame: Frame, withheld: bool) -> None:
        if frame.kind == CONNECT:  # what was on its way before comes again, under other ids
            self.connected = True
            self.unacknowledged.clear()
            self.unanswered.clear()
        elif frame.kind == PUBACK and frame.packet_id in self.unacknowledged:
            self.acknowledged.append(self.unacknowledged[frame.packet_id])
            if not withheld:
                del self.unacknowledged[frame.packet_id]
        elif is_alert(frame):
            self.unanswered[frame.packet_id] = frame.payload

    def answers_an_alert(self, frame: Frame) -> bool:
        """Whether this is the broker's word that it has an alert event."""
        return frame.kind == PUBACK and frame.packet_id in self.unanswered


def is_alert(frame: Frame) -> bool:
    """Whether this is an event of the feed."""
    return frame.kind == PUBLISH and frame.topic == FEED
