"""An MQTT 5 broker in the world: sessions, windows, redelivery, retained messages, the Will; and its faults.

It speaks the real protocol with the service, over cables, by the same codec. Devices and stations
need no bytes: they call `accept`, and look at what was `accepted`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import mqtt5

from .network import Cable
from .world import World

SESSION_TAKEN_OVER = mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
_LAST_PACKET_ID = 65535


@dataclass(frozen=True, slots=True)
class Message:
    """An application message on its way to a subscriber; `number` tells deliveries apart."""

    number: int
    topic: str
    payload: bytes
    retained: bool


@dataclass(slots=True)
class Session:
    """What the broker keeps of a client between its connections."""

    client_id: str
    filters: dict[str, None] = field(default_factory=dict)
    queue: deque[Message] = field(default_factory=deque)
    in_flight: OrderedDict[int, Message] = field(default_factory=OrderedDict)
    last_id: int = 0

    def copy(self) -> Session:
        """As it is at this moment."""
        return replace(
            self, filters=dict(self.filters), queue=deque(self.queue), in_flight=OrderedDict(self.in_flight)
        )

    def next_id(self) -> int:
        """An id that is not in use."""
        while True:
            self.last_id = self.last_id % _LAST_PACKET_ID + 1
            if self.last_id not in self.in_flight:
                return self.last_id


@dataclass(slots=True)
class Broker:
    """The broker; what it forgets when it is restarted is told with the restart."""

    world: World
    queue_max: int
    receive_maximum: int = 65535
    up: bool = True
    reachable: bool = True
    refuses: Callable[[str], Any] = lambda topic: None
    on_accepted: Callable[[str, bytes], None] = lambda topic, payload: None
    sessions: dict[str, Session] = field(default_factory=dict)
    retained: dict[str, bytes] = field(default_factory=dict)
    links: list[ServerLink] = field(default_factory=list)
    acknowledged: list[Message] = field(default_factory=list)
    """What the service has acknowledged, in that order."""
    sent_numbers: int = 0
    overflowed: int = 0
    _remembered: tuple[dict[str, Session], dict[str, bytes]] | None = None

    # --- devices, stations, and what comes from the service ------------------------------------------

    def accept(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Take over a message and pass it on."""
        self.world.note(f"accepted {topic}", payload)
        self.on_accepted(topic, payload)
        if retain:
            if payload:
                self.retained[topic] = payload
            else:
                self.retained.pop(topic, None)
        for session in self.sessions.values():
            if any(matches(pattern, topic) for pattern in session.filters):
                self._enqueue(session, topic, payload, retained=False)

    def _enqueue(self, session: Session, topic: str, payload: bytes, *, retained: bool) -> None:
        if len(session.queue) >= self.queue_max:
            self.overflowed += 1
            self.world.note("overflowed")
            return
        self.sent_numbers += 1
        session.queue.append(Message(self.sent_numbers, topic, payload, retained))
        link = self.link_of(session.client_id)
        if link is not None:
            link.send_more()

    def link_of(self, client_id: str) -> ServerLink | None:
        """The client's link, if it is connected."""
        return next(
            (link for link in self.links if link.session and link.session.client_id == client_id), None
        )

    def show_retained(self, session: Session, patterns: list[str]) -> None:
        """A subscription is answered with what is kept."""
        for topic, payload in list(self.retained.items()):
            if any(matches(pattern, topic) for pattern in patterns):
                self._enqueue(session, topic, payload, retained=True)

    # --- its own life --------------------------------------------------------------------------------

    def remember(self) -> None:
        """Write its memory to its disk, as an autosave does."""
        self._remembered = {name: kept.copy() for name, kept in self.sessions.items()}, dict(self.retained)

    def go_down(self, forgets: str) -> None:
        """Stop, with all links; `forgets` is nothing, sessions, everything or lately (since `remember`)."""
        self.world.note(f"broker down, forgets {forgets}")
        self.up = False
        for link in list(self.links):
            link.close()  # first: a broker that stops publishes no Will
            link.cable.cut()
        if forgets == "lately" and self._remembered is not None:
            self.sessions = {name: kept.copy() for name, kept in self._remembered[0].items()}
            self.retained = dict(self._remembered[1])
        elif forgets in ("sessions", "everything"):
            self.sessions = {}
            if forgets == "everything":
                self.retained = {}

    def come_up(self) -> None:
        """Start again."""
        self.world.note("broker up")
        self.up = True

    def plug_in(self, cable: Cable) -> None:
        """A client has opened a connection."""
        link = ServerLink(self, cable)
        cable.listener = link
        self.links.append(link)


class ServerLink:
    """One client's connection, from the broker's side."""

    def __init__(self, broker: Broker, cable: Cable) -> None:
        self.broker, self.cable = broker, cable
        self.session: Session | None = None
        self._unread = b""
        self._will: Any = None
        self._window = 0
        self._keepalive_s = 0
        self._heard_s = broker.world.now_s
        self._open = True

    def heard(self, chunk: bytes) -> None:
        """Bytes from the client; each whole packet is taken at once."""
        if not self._open:
            return
        self._heard_s = self.broker.world.now_s
        self._unread += chunk
        while self._open and self._unread:
            try:
                packet, used = mqtt5.read(memoryview(self._unread))
            except IndexError:  # the codec's way of saying: not all here
                return
            self._unread = self._unread[used:]
            self._take(packet)

    def hung_up(self) -> None:
        """The client's end is gone, without a farewell unless it has taken its Will back."""
        if not self._open:
            return
        self.close()
        if self._will is not None:
            self.broker.accept(self._will.topic, self._will.payload or b"", self._will.retain)

    def send_more(self) -> None:
        """As much of the queue as the client's window takes."""
        session = self.session
        if session is None:
            return
        frames = []
        while session.queue and len(session.in_flight) < self._window:
            message = session.queue.popleft()
            packet_id = session.next_id()
            session.in_flight[packet_id] = message
            frames.append(_frame(message, packet_id, again=False))
        if frames:
            self.cable.say(b"".join(frames))

    def throw_out(self, reason: Any) -> None:
        """End the link from our side, and say why."""
        self.cable.say(mqtt5.DisconnectPacket(reason_code=reason).write())
        self.cable.hang_up()
        self.hung_up()

    def close(self) -> None:
        """Take nothing more from it."""
        self._open = False
        self.session = None
        if self in self.broker.links:
            self.broker.links.remove(self)

    def _take(self, packet: Any) -> None:
        match packet:
            case mqtt5.ConnectPacket():
                self._greet(packet)
            case mqtt5.SubscribePacket():
                self._subscribe(packet)
            case mqtt5.UnsubscribePacket():
                self._unsubscribe(packet)
            case mqtt5.PublishPacket():
                self._publish(packet)
            case mqtt5.PubAckPacket():
                self._acknowledged(packet.packet_id)
            case mqtt5.PingReqPacket():
                self.cable.say(mqtt5.PingRespPacket().write())
            case mqtt5.DisconnectPacket():
                self._farewell(int(packet.reason_code))

    def _greet(self, packet: mqtt5.ConnectPacket) -> None:
        broker = self.broker
        other = broker.link_of(packet.client_id)
        if other is not None:
            other.throw_out(SESSION_TAKEN_OVER)
        known = None if packet.clean_start else broker.sessions.get(packet.client_id)
        self.session = known or Session(packet.client_id)
        broker.sessions[packet.client_id] = self.session
        self._window, self._will = packet.receive_max, packet.will
        self._keepalive_s = packet.keep_alive
        broker.world.note(f"connected, session {known is not None}")
        greeting = mqtt5.ConnAckPacket(
            session_present=known is not None, receive_max=broker.receive_maximum
        ).write()
        again = [
            _frame(message, packet_id, again=True) for packet_id, message in self.session.in_flight.items()
        ]
        self.cable.say(b"".join([greeting, *again]))
        self.send_more()
        if self._keepalive_s:
            self._watch()

    def _watch(self) -> None:
        """Give up a client that has been silent for one and a half times its keepalive."""
        if not self._open:
            return
        world, due_s = self.broker.world, self._heard_s + 1.5 * self._keepalive_s
        if world.now_s >= due_s:
            self.cable.hang_up()
            self.hung_up()
        else:
            world.at(due_s, self._watch)  # that instant itself: a rest of a delay may be too small to pass

    def _subscribe(self, packet: mqtt5.SubscribePacket) -> None:
        assert self.session is not None
        patterns = [wanted.pattern for wanted in packet.topic_filters]
        self.session.filters |= dict.fromkeys(patterns)
        granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(patterns)
        self.cable.say(mqtt5.SubAckPacket(packet.packet_id, granted).write())
        self.broker.show_retained(self.session, patterns)

    def _unsubscribe(self, packet: mqtt5.UnsubscribePacket) -> None:
        assert self.session is not None
        codes = mqtt5.UnsubAckReasonCode
        known = [self.session.filters.pop(pattern, self) is None for pattern in packet.patterns]
        answers = [codes.SUCCESS if each else codes.NO_SUBSCRIPTION_EXISTED for each in known]
        self.cable.say(mqtt5.UnsubAckPacket(packet.packet_id, answers).write())

    def _publish(self, packet: mqtt5.PublishPacket) -> None:
        refused = self.broker.refuses(packet.topic)
        if refused is None:
            self.broker.accept(packet.topic, packet.payload, packet.retain)
        if packet.packet_id:
            answer = mqtt5.PubAckPacket(
                packet.packet_id, reason_code=refused or mqtt5.PubAckReasonCode.SUCCESS
            )
            self.cable.say(answer.write())

    def _acknowledged(self, packet_id: int) -> None:
        assert self.session is not None
        message = self.session.in_flight.pop(packet_id, None)
        if message is not None:
            self.broker.acknowledged.append(message)
        self.send_more()

    def _farewell(self, reason: int) -> None:
        if reason == 0:
            self._will = None
        self.cable.hang_up()
        self.hung_up()


def _frame(message: Message, packet_id: int, *, again: bool) -> bytes:
    return mqtt5.PublishPacket(
        message.topic,
        message.payload,
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        retain=message.retained,
        packet_id=packet_id,
        duplicate=again,
    ).write()


_matched: dict[tuple[str, str], bool] = {}


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is under a filter (MQTT 5, 4.7)."""
    known = _matched.get((pattern, topic))
    if known is None:
        known = _matched[pattern, topic] = _matches(pattern.split("/"), topic.split("/"))
    return known


def _matches(pattern: list[str], topic: list[str]) -> bool:
    for place, level in enumerate(pattern):
        if level == "#":
            return True
        if place >= len(topic) or level not in ("+", topic[place]):
            return False
    return len(pattern) == len(topic)
