"""The broker connection: MQTT 5, reconnecting, and acknowledging only what it is told to acknowledge.

It must never acknowledge on receipt, never drop what it has received, and never fight another
client for its session. Reads are coalesced: one wake for all that arrived in a few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Literal, Self, cast

import mqtt5
import structlog

from streamproc.shell.link import LastWill, Link, MqttSettings
from streamproc.shell.machine import REAL
from streamproc.shell.packets import (
    PUBLISH,
    SUBSCRIBE_ID,
    UNSUBSCRIBE_ID,
    Delivery,
    Incoming,
    OwedAcknowledgements,
    Publish,
    Published,
    PublishQueueFull,
    PublishWindow,
    Undecodable,
    checked_topic,
)

__all__ = [
    "BrokerRefused",
    "Connection",
    "Delivery",
    "LastWill",
    "MqttSettings",
    "PublishQueueFull",
    "Published",
    "SessionTakenOver",
]

_WRITE_BYTES = 65536
"""At most this much is joined into one write."""
_CLOSING_S = 2.0
_CONNACK, _DISCONNECT = 2, 14
_MQTT_3_REFUSAL = b"\x20\x02\x00\x01"
"""How a broker that speaks only MQTT 3.1.1 says so (3.1.1, 3.2.2.3: unacceptable protocol version)."""
_HOPELESS = {132, 133}
"""Unsupported protocol version, client id not valid: trying again can't help."""
_SLOW = {134, 135, 138, 140, 156, 157}
"""Credentials, bans and moves: a person has to mend them, so try again, but slowly."""
_SESSION_TAKEN_OVER = 142

_log = structlog.stdlib.get_logger()


class SessionTakenOver(Exception):
    """Another client has connected with our client id. We stop: two would throw each other out."""


class BrokerRefused(Exception):
    """The broker will never take this connection as it is configured."""


def _connect_frame(settings: MqttSettings) -> bytes:
    return mqtt5.ConnectPacket(
        settings.client_id,
        username=settings.username,
        password=settings.password.encode() if settings.password is not None else None,
        clean_start=False,
        will=_will(settings.will) if settings.will else None,
        keep_alive=settings.keepalive_s,
        session_expiry_interval=settings.session_expiry_s,
        receive_max=settings.receive_maximum,
        max_packet_size=settings.packet_max_bytes,
    ).write()


def _will(will: LastWill) -> mqtt5.Will:
    qos = mqtt5.QoS.AT_LEAST_ONCE if will.qos else mqtt5.QoS.AT_MOST_ONCE
    return mqtt5.Will(will.topic, payload=will.payload, qos=qos, retain=will.retain)


def _disconnect_frame(with_will: bool) -> bytes:
    codes = mqtt5.DisconnectReasonCode
    code = codes.DISCONNECT_WITH_WILL_MESSAGE if with_will else codes.NORMAL_DISCONNECTION
    return mqtt5.DisconnectPacket(reason_code=code).write()


def _subscribe_frame(filters: Sequence[str]) -> bytes:
    """QoS 1 at most: the broker then downgrades QoS 2, and duplicates are known by their content."""
    wanted = [
        mqtt5.TopicFilter(
            pattern,
            max_qos=mqtt5.QoS.AT_LEAST_ONCE,
            retain_as_published=False,
            retain_handling=mqtt5.RetainHandling.SEND_ALWAYS,
        )
        for pattern in filters
    ]
    return mqtt5.SubscribePacket(SUBSCRIBE_ID, wanted).write()


class Connection:
    """One client of the broker for as long as the context lasts, over as many links as it takes.

    `on_connected(session_present)` comes before any delivery of that link. What ends the
    connection for good (`SessionTakenOver`, `BrokerRefused`, an error in a callback) is raised by
    `batch` once everything received has been handed out, and by `publish`.
    """

    def __init__(
        self,
        settings: MqttSettings,
        subscriptions: Sequence[str] = (),
        *,
        obsolete: Sequence[str] = (),
        on_connected: Callable[[bool], None] = lambda session_present: None,
        on_disconnected: Callable[[str], None] = lambda reason: None,
        between: Callable[[float, float], float] = REAL.between,
    ) -> None:
        self._settings, self._between = settings, between
        self._subscriptions, self._obsolete = tuple(subscriptions), tuple(obsolete)
        self._on_connected, self._on_disconnected = on_connected, on_disconnected
        self._log = _log.bind(broker=f"{settings.host}:{settings.port}", client_id=settings.client_id)
        self._window = PublishWindow(settings.publish_queue_max, settings.publish_in_flight_max)
        self._owed = OwedAcknowledgements()
        self._pending: list[Delivery] = []
        self._pending_bytes = self._acknowledged_bytes = 0
        self._ended: list[Published] = []
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self._ending, self._ready, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._pump_due = self._slow = self._session_present = False
        self._silent_closes = 0
        self._keepalive_s = settings.keepalive_s
        self._established_s: float | None = None
        self.refused_subscriptions: tuple[str, ...] = ()
        self._undecodable_told = -1
        self.connection = 0
        self.undecodable_total = 0

    # --- the caller's side ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"mqtt:{self._settings.client_id}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        await self.close(with_will=kind is not None)

    @property
    def connected(self) -> bool:
        """Whether the broker has greeted us on the present link."""
        return self._established_s is not None

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted every filter on the present link."""
        return self.connected and self._ready.is_set() and not self.refused_subscriptions

    @property
    def publish_room(self) -> int:
        """How many more publishes would be taken before `PublishQueueFull`."""
        return self._window.room

    async def ready(self, timeout_s: float) -> bool:
        """Wait until the broker has answered on every filter; whether it has granted them all."""
        return await _happened(self._ready, timeout_s) and self.subscribed

    async def settled(self, timeout_s: float) -> bool:
        """Wait until the broker has answered every publish."""
        return await _happened(self._idle, timeout_s)

    async def batch(self, timeout_s: float) -> list[Delivery]:
        """Everything that has arrived since the last call; waits at most this long for the first."""
        if not self._pending and self._fault is None:
            await self._arrival(timeout_s)
        if self._fault is not None and not self._pending:
            raise self._fault
        taken, self._pending, self._pending_bytes = self._pending, [], 0
        if self._link is not None:
            self._link.release()
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are in safe hands; those of an earlier link it will send again."""
        frames = self._owed.settle(deliveries)
        # Not held back by pause_writing: at most four bytes for each of receive_maximum messages.
        if frames and self.connected and self._link is not None:
            self._link.write(frames)
            # As many as the last time, and nothing left: perhaps the broker sends no more unacknowledged.
            if len(frames) == self._acknowledged_bytes and not len(self._owed):
                self._link.read_on()
            self._acknowledged_bytes = len(frames)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        qos: Literal[0, 1] = 1,
        token: Hashable = None,
    ) -> None:
        """Queue a message, in order, across reconnects; raises `PublishQueueFull` at the limit.

        With a token, `drain_acknowledged` reports its end. QoS 1 may arrive more than once.
        """
        if self._fault is not None:
            raise self._fault
        self._window.offer(Publish(checked_topic(topic), payload, retain, qos, token))
        self._idle.clear()
        self._pump_soon()

    def drain_acknowledged(self) -> list[Published]:
        """The publishes with a token that have ended since the last call, in that order."""
        taken, self._ended = self._ended, []
        return taken

    async def close(self, *, with_will: bool = False) -> None:
        """Take leave with a DISCONNECT, which says whether the Will is to be published; the session stays."""
        self._ending.set()
        if self._task is None:
            return
        if self.connected and self._link is not None:
            self._link.leave(_disconnect_frame(with_will))
            await asyncio.wait([self._task], timeout=_CLOSING_S)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _arrival(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._wake)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- connecting, and connecting again ------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._keep_connected()
        except Exception as error:
            self._stop(error)

    async def _keep_connected(self) -> None:
        attempt = 0
        while not self._ending.is_set() and self._fault is None:
            lived_s = await self._live()
            attempt = 0 if lived_s > self._settings.reconnect_max_s else attempt + 1
            if self._fault is None:
                await _happened(self._ending, self._delay_s(attempt))

    def _delay_s(self, attempt: int) -> float:
        """Exponential, with full jitter: a ward's clients must not come back in step."""
        if self._slow:
            return self._settings.reconnect_max_s
        ceiling_s = self._settings.reconnect_min_s * 2 ** min(attempt, 30)
        return self._between(0, min(ceiling_s, self._settings.reconnect_max_s))

    async def _live(self) -> float:
        """One link from its opening to its end; how long it lasted."""
        self._slow = False
        link = Link(self._settings, self.connection + 1, self._on_packets, self._pump_soon)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: link, self._settings.host, self._settings.port, ssl=self._settings.tls
                )
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors
            self._log.warning("mqtt_connect_failed", error=str(error) or type(error).__name__)
            self._silent_closes = 0
            return 0.0
        self._link = link
        try:
            return await self._stay(link)
        finally:
            if not link.lost.done():
                link.abort("closed by us")
            self._forget_link(link, link.lost.result() if link.lost.done() else "closed by us")

    async def _stay(self, link: Link) -> float:
        link.write(_connect_frame(self._settings))
        tick_s = min(1.0, self._settings.connect_timeout_s / 4, (self._settings.keepalive_s or 4) / 4)
        while not link.lost.done():
            await asyncio.wait([link.lost], timeout=tick_s)
            self._look_after(link, asyncio.get_running_loop().time())
        return asyncio.get_running_loop().time() - link.opened_s

    def _forget_link(self, link: Link, reason: str) -> None:
        self._count_silent_close(link)
        was_connected, self._established_s, self._link = self.connected, None, None
        self._ready.clear()
        if was_connected:
            log = self._log.info if self._ending.is_set() else self._log.warning
            log("mqtt_disconnected", reason=reason, connection=self.connection)
            self._on_disconnected(reason)
        elif not self._ending.is_set():
            self._log.warning("mqtt_connect_failed", error=reason)

    def _count_silent_close(self, link: Link) -> None:
        """Recognise a takeover on brokers that don't say it (mosquitto before 2.0.15, rumqttd).

        They close us without a word again and again, yet greet us each time, our session in place.
        A broker that crashes refuses a connection in between, or has lost the session.
        """
        lived_s = asyncio.get_running_loop().time() - link.opened_s
        thrown_out = (
            self.connected
            and self._session_present
            and not link.explained
            and lived_s < 2 * self._settings.reconnect_max_s + 1  # as soon as the other may be back
        )
        self._silent_closes = self._silent_closes + 1 if thrown_out else 0
        if self._silent_closes >= self._settings.silent_closes_max:
            self._stop(
                SessionTakenOver(
                    f"the broker closed {self._silent_closes} links in a row without a word: most likely "
                    f"another client uses the id {self._settings.client_id!r}"
                )
            )

    def _look_after(self, link: Link, now_s: float) -> None:
        """Ping, and give up a link whose other end has fallen silent."""
        if self.connected and self._keepalive_s and now_s - link.pinged_s >= self._keepalive_s / 2:
            link.pinged_s = now_s
            link.write(mqtt5.PingReqPacket().write())
        if not link.held and (reason := self._dead_because(link, now_s)):
            link.abort(reason)

    def _dead_because(self, link: Link, now_s: float) -> str | None:
        limits = self._settings
        if self._established_s is None:
            return "no CONNACK" if now_s - link.opened_s > limits.connect_timeout_s else None
        if self._keepalive_s and now_s - link.heard_s > 1.5 * self._keepalive_s:
            return "keepalive timeout"
        listened_s = now_s - max(link.listening_s, self._established_s)
        if not self._ready.is_set() and listened_s > limits.connect_timeout_s:
            return "no SUBACK"
        oldest_s = self._window.oldest_sent_s
        if oldest_s is not None and min(listened_s, now_s - oldest_s) > limits.publish_answer_s:
            return "no PUBACK"
        return None

    def _stop(self, error: Exception) -> None:
        """Stop for good; the caller meets the error at its next call."""
        if self._fault is None:
            self._fault = error
            self._log.error("mqtt_stopped", error=str(error), kind=type(error).__name__)
        if self._link is not None:
            self._link.abort(str(error))
        self._wake()

    # --- what the broker sends -----------------------------------------------------------------

    def _on_packets(self, packets: list[Incoming], size_bytes: int) -> None:
        try:
            for kind, run in groupby(packets, type):
                if kind is Delivery:
                    self._deliver(cast("list[Delivery]", list(run)))
                else:
                    for packet in run:
                        self._on_control(packet)
        except Exception as error:  # a fault of ours (or of a callback) must reach the caller
            self._stop(error)
        if self._pending:
            self._pending_bytes += size_bytes
            if self._pending_bytes > self._settings.pending_max_bytes and self._link is not None:
                self._link.hold()
            self._wake()
        if len(self._window):
            self._pump_soon()

    def _deliver(self, deliveries: list[Delivery]) -> None:
        self._pending += deliveries
        self._owed.received(deliveries)

    def _on_control(self, packet: Incoming) -> None:
        match packet:
            case mqtt5.PubAckPacket():
                self._on_puback(packet)
            case mqtt5.PubRelPacket():
                # Only a QoS 2 message queued by an older subscription of this session comes to this.
                self._send(mqtt5.PubCompPacket(packet.packet_id).write())
            case mqtt5.ConnAckPacket():
                self._on_connack(packet)
            case mqtt5.SubAckPacket():
                self._on_suback(packet)
            case mqtt5.DisconnectPacket():
                self._on_disconnect(packet)
            case Undecodable():
                self._on_undecodable(packet)
            case _:
                pass  # PINGRESP has been heard, which is all that it says; UNSUBACK changes nothing

    def _send(self, frames: bytes) -> None:
        if self._link is not None:
            self._link.write(frames)

    def _on_connack(self, packet: mqtt5.ConnAckPacket) -> None:
        if int(packet.reason_code):
            self._on_refused(int(packet.reason_code), packet.reason_code.name)
            return
        if self.connected and self._link is not None:  # its messages bear the number of its first greeting
            self._link.abort("the broker greeted us twice")
            return
        self.connection += 1
        self._owed = OwedAcknowledgements()
        self._established_s = asyncio.get_running_loop().time()
        self._keepalive_s = (
            self._settings.keepalive_s if packet.server_keep_alive is None else packet.server_keep_alive
        )
        self._log.info(
            "mqtt_connected",
            session_present=packet.session_present,
            receive_maximum=packet.receive_max,
            connection=self.connection,
        )
        self._session_present = packet.session_present
        self._on_connected(packet.session_present)
        self._subscribe(packet.session_present)
        self._window.open(packet.session_present, packet.receive_max, packet.max_packet_size)

    def _on_refused(self, code: int, name: str) -> None:
        self._log.error("mqtt_connection_refused", reason=name)
        if code in _HOPELESS:
            self._stop(BrokerRefused(name))
        elif self._link is not None:
            self._slow = code in _SLOW
            self._link.abort(f"refused: {name}")

    def _subscribe(self, session_present: bool) -> None:
        if session_present and self._obsolete:
            self._send(mqtt5.UnsubscribePacket(UNSUBSCRIBE_ID, list(self._obsolete)).write())
        if self._subscriptions:
            self._send(_subscribe_frame(self._subscriptions))
        else:
            self._ready.set()

    def _on_suback(self, packet: mqtt5.SubAckPacket) -> None:
        answers = list(zip(self._subscriptions, packet.reason_codes, strict=False))
        refused = {pattern: reason.name for pattern, reason in answers if int(reason) >= 128}
        refused |= dict.fromkeys(self._subscriptions[len(answers) :], "not answered")
        self.refused_subscriptions = tuple(refused)
        for pattern, reason in refused.items():
            self._log.error("mqtt_subscription_refused", pattern=pattern, reason=reason)
        at_most_once = [pattern for pattern, reason in answers if int(reason) == 0]
        if at_most_once:
            self._log.warning("mqtt_subscription_downgraded", patterns=at_most_once)
        granted = len(self._subscriptions) - len(refused)
        self._log.info("mqtt_subscribed", granted=granted, refused=len(refused))
        self._ready.set()

    def _on_disconnect(self, packet: mqtt5.DisconnectPacket) -> None:
        if int(packet.reason_code) == _SESSION_TAKEN_OVER:
            self._stop(SessionTakenOver(f"another client uses the id {self._settings.client_id!r}"))
        elif self._link is not None:
            self._link.abort(f"broker said {packet.reason_code.name}")

    def _on_undecodable(self, frame: Undecodable) -> None:
        """Hand a message on as a delivery without a topic; skip anything else, or give up the link."""
        self.undecodable_total += 1
        if self._undecodable_told != self.connection:  # once a link: a flood must not fill the log
            self._undecodable_told = self.connection
            self._log.warning("mqtt_frame_not_decoded", reason=frame.reason, packet_type=frame.packet_type)
        if frame.packet_type == PUBLISH:
            retained = bool(frame.raw[0] & 1)
            self._deliver([Delivery("", frame.raw, frame.qos, retained, frame.packet_id, self.connection)])
        elif frame.raw == _MQTT_3_REFUSAL:
            self._stop(BrokerRefused("the broker does not speak MQTT 5"))
        elif frame.packet_type in (_CONNACK, _DISCONNECT) and self._link is not None:
            self._link.abort(f"undecodable packet of type {frame.packet_type}")

    # --- what we send --------------------------------------------------------------------------

    def _on_puback(self, packet: mqtt5.PubAckPacket) -> None:
        now_s = asyncio.get_running_loop().time()
        ended = self._window.acknowledged(packet.packet_id, packet.reason_code, now_s)
        if ended is not None:
            self._end([ended])

    def _end(self, ended: list[Published]) -> None:
        self._ended.extend(publish for publish in ended if publish.token is not None)
        if not len(self._window):
            self._idle.set()

    def _pump_soon(self) -> None:
        """Send at the end of this turn of the loop, so that what is published in it goes out in one write."""
        if not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        while self.connected and self._link is not None and self._link.writable:
            now_s = asyncio.get_running_loop().time()
            frames, ended = self._window.next_frames(now_s, _WRITE_BYTES)
            self._end(ended)
            if not frames:
                return
            self._link.write(b"".join(frames))


async def _happened(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
