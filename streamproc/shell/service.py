"""The processing path: take over a batch, make it durable, acknowledge it, apply it, announce.

One task does all of it, in this order, so there are no locks and nothing is acknowledged that a
crash could lose. The heartbeat is sent from here and nowhere else: if this hangs, it stops.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from streamproc import __version__
from streamproc.config import Settings
from streamproc.core.change import Change
from streamproc.core.reason import Reason
from streamproc.core.ward import Ward
from streamproc.shell.clock import Clock, clock_from, telemetry_of
from streamproc.shell.intake import Intake, topics_from
from streamproc.shell.journal import Batch, SqliteJournal
from streamproc.shell.machine import REAL, Machine
from streamproc.shell.metrics import Meters
from streamproc.shell.mqtt import Connection, Delivery, LastWill, MqttSettings
from streamproc.shell.outbox import Outbox, Outgoing
from streamproc.shell.tally import Tally
from streamproc.wire import WILL, Rejected, Topics, dead_letter, encode, rfc3339
from streamproc.wire.alerting import Heartbeat
from streamproc.wire.announce import bed_state
from streamproc.wire.fields import Message

ACKNOWLEDGED_MARK = "feed_acknowledged"
NUMBERED_MARK = "feed_numbered"
RULESET_MARK = "ruleset"
UNDECODABLE_TOPIC = ""

_log = structlog.stdlib.get_logger()


@dataclass(slots=True)
class Every:
    """Something that is due every so many seconds, at once for the first time."""

    seconds: float
    due_s: float = 0.0

    def due(self, now_s: float) -> bool:
        """Whether it is due; asking takes it as done."""
        if now_s < self.due_s:
            return False
        self.due_s = now_s + self.seconds
        return True


@dataclass(slots=True)
class Allowance:
    """At most so many a second, saved up for one second."""

    per_s: float
    left: float = 1.0
    at_s: float = 0.0

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed now."""
        self.left = min(max(self.per_s, 1.0), self.left + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.per_s <= 0 or self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Service:
    """The processor: ward, journal, outbox and broker connection, driven by one loop."""

    settings: Settings
    machine: Machine = REAL
    intake: Intake = field(init=False)
    topics: Topics = field(init=False)
    outbox: Outbox = field(init=False)
    journal: SqliteJournal = field(init=False)
    clock: Clock = field(init=False)
    connection: Connection = field(init=False)
    on_change: Callable[[Change], None] = lambda change: None
    meters: Meters = field(default_factory=Meters)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    last_step_s: float = field(init=False)
    running: bool = False
    """Recovered and about to connect; before that there is no journal and no connection to ask."""
    _early: list[Delivery] = field(default_factory=list)
    _heartbeat: Every = field(init=False)
    _bed_states: Every = field(init=False)
    _snapshot: Every = field(init=False)
    _dead_letters: Allowance = field(init=False)
    _complaints: Every = field(default_factory=lambda: Every(COMPLAINTS_S))
    _told_refused: Counter[Reason] = field(default_factory=Counter)
    _told_missing: int = 0

    def __post_init__(self) -> None:
        settings = self.settings
        self.last_step_s = self.machine.wall_s()
        self.topics = topics_from(settings)
        self.intake = Intake.from_settings(settings)
        self.outbox = Outbox(
            self.topics,
            settings.instance,
            settings.ruleset(),
            round(settings.alerts.tombstone_after_s * 1000),
            self._delivered,
        )
        self._heartbeat = Every(settings.alerts.heartbeat_s)
        self._bed_states = Every(settings.alerts.bed_state_s)
        self._snapshot = Every(settings.state.snapshot_every_s)
        self._dead_letters = Allowance(settings.limits.dead_letters_per_s)

    # what a scrape reads

    @property
    def ward(self) -> Ward:
        """The beds."""
        return self.intake.ward

    @property
    def tally(self) -> Tally:
        """What became of every message."""
        return self.intake.tally

    @property
    def connected(self) -> bool:
        """Whether the broker has granted every subscription."""
        return self.running and self.connection.subscribed

    @property
    def ready(self) -> bool:
        """Connected, caught up with the journal and able to commit."""
        return self.connected and not self.journal.failed

    @property
    def position(self) -> int:
        """The last committed batch."""
        return self.journal.position if self.running else 0

    @property
    def undelivered(self) -> int:
        """Alert events that the broker has not acknowledged."""
        return self.outbox.undelivered

    # the run

    async def run(self) -> None:
        """Recover, connect, and process until told to stop. Raises what cannot be lived with."""
        path = Path(self.settings.state.dir) / "journal.db"
        async with SqliteJournal(path, self.machine.databases) as self.journal:
            last_ms = self._recover()
            self.clock = clock_from(self.settings.clock.source, last_ms, self.machine.wall_s)
            self.connection = self._new_connection()
            self.intake.on_rejected = self._show_dead_letter
            self.running = True
            async with self.connection:
                await self._until_stopped()
                await self._leave()

    async def _until_stopped(self) -> None:
        tick_s = self.settings.clock.tick_s
        while not self.stopping.is_set():
            await self.step(await self.connection.batch(tick_s))

    async def step(self, deliveries: Sequence[Delivery]) -> None:
        """One round: commit, acknowledge, apply, announce. Without deliveries it is a tick."""
        deliveries, self._early = [*self._early, *deliveries], []
        messages = telemetry_of(self.clock, deliveries, self.intake.times_ms)
        now_ms = self.clock.read()
        if now_ms is None:  # a simulated clock that nobody has told yet: nothing is taken over
            self._early += deliveries
        else:
            started_s = self.machine.steady_s()
            marks = self._marks()
            position = await self.journal.append(now_ms, messages, marks)
            self.meters.commit.observe(self.machine.steady_s() - started_s)
            self.connection.acknowledge(deliveries)
            self.announce(self.apply(now_ms, messages))
            await self._keep(position)
        self._publish(now_ms)

    def _marks(self) -> dict[str, str | int]:
        return {
            ACKNOWLEDGED_MARK: self.outbox.acknowledged_seq,
            NUMBERED_MARK: self.ward.feed_seq,
            RULESET_MARK: self.outbox.ruleset,
        }

    def apply(self, now_ms: int, messages: Sequence[Any]) -> list[Change]:
        """A batch in memory: the same call for live batches and for journaled ones.

        The clock comes first, as in a replay: what is late is so by its receipt, whenever we last ticked.
        """
        changes = self._open_simulated(now_ms, messages) if self._simulated else self._tick(now_ms)
        self.intake.take(now_ms, messages)
        return changes + self._tick(now_ms)

    @property
    def _simulated(self) -> bool:
        return self.settings.clock.source == "telemetry"

    def _open_simulated(self, now_ms: int, messages: Sequence[Any]) -> list[Change]:
        """Simulated time has leapt to the newest of these: they came while it passed, not after it."""
        ward = self.ward
        if ward.clock_ms is not None:
            return []
        earliest_ms = min(self.intake.times_ms(messages), default=now_ms)
        return self._tick(min(now_ms, max(earliest_ms, now_ms - ward.limits.lateness_ms)))

    def _tick(self, now_ms: int) -> list[Change]:
        changes = self.ward.tick(now_ms)
        for event_ms in self.ward.lags_ms:
            self.meters.lag.observe((now_ms - event_ms) / 1000)
        return changes

    def announce(self, changes: Sequence[Change]) -> None:
        """Count, log and hand over to the outbox."""
        for change in changes:
            self.meters.count_alert(change)
            self.on_change(change)
            self.outbox.put(change)
            _log.info(
                "alert_changed",
                bed=change.bed,
                rule=change.rule.id,
                priority=change.priority.value,
                phase=change.phase.value,
                text=change.wording.text,
                at=rfc3339(change.time_ms),
                alert_id=change.alert_id,
                feed_seq=change.feed_seq,
            )

    def stop(self) -> None:
        """Finish the round under way, take leave and return from `run`."""
        self.stopping.set()

    # recovery: the newest snapshot, then the journal's suffix, on the same path as live batches

    def _recover(self) -> int:
        started_s = self.machine.steady_s()
        position = self._restore_snapshot()
        mark = self.journal.mark(ACKNOWLEDGED_MARK)
        if isinstance(mark, int):
            self.outbox.delivered_up_to(mark)
        self._number_anew_if_rules_changed()
        replayed = 0
        for batch in self.journal.read(max(position + 1, self.journal.first_position)):
            self._apply_again(batch)
            replayed += 1
        _log.info(
            "state_recovered",
            snapshot_position=position,
            batches=replayed,
            position=self.journal.position,
            beds=len(self.ward.beds),
            undelivered=self.outbox.undelivered,
            seconds=round(self.machine.steady_s() - started_s, 3),
        )
        return self.ward.clock_ms or 0

    def _number_anew_if_rules_changed(self) -> None:
        """Other rules make other events of the same journal: they must not hide behind the old numbers.

        What the suffix gives is announced again, above all that was numbered before."""
        then, numbered = self.journal.mark(RULESET_MARK), self.journal.mark(NUMBERED_MARK)
        if then is None or then == self.outbox.ruleset:
            return
        _log.warning("rules_changed", then=then, now=self.outbox.ruleset)
        if isinstance(numbered, int) and numbered > self.ward.feed_seq:
            self.ward.feed_seq = numbered
            self.outbox.skip_to(numbered)

    def _apply_again(self, batch: Batch) -> None:
        for change in self.apply(batch.received_ms, batch.messages):
            self.outbox.put(change)

    def _restore_snapshot(self) -> int:
        kept = self.journal.newest_snapshot()
        if kept is None:
            return 0
        position, content = kept
        state = json.loads(content)
        self.ward.restore(state["ward"])
        self.outbox.restore(state["outbox"])
        return position

    async def _keep(self, position: int) -> None:
        """Now and then a snapshot, so that recovery is short; older batches are forgotten by time."""
        if self._snapshot.due(self.machine.steady_s()):
            await self._save(position)

    async def _save(self, position: int) -> None:
        state = {
            "ruleset": self.outbox.ruleset,
            "ward": self.ward.snapshot(),
            "outbox": self.outbox.snapshot(),
        }
        await self.journal.save_snapshot(position, json.dumps(state, separators=(",", ":")).encode())
        assert self.ward.clock_ms is not None
        oldest_ms = self.ward.clock_ms - round(self.settings.state.journal_retention_h * 3_600_000)
        await self.journal.forget_before(self.journal.position_at(oldest_ms))

    # the broker

    def _new_connection(self) -> Connection:
        wanted = [*self.topics.subscriptions(), *self.clock.topics]
        return Connection(
            mqtt_settings(self.settings, LastWill(self.topics.status, WILL)),
            wanted,
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            between=self.machine.between,
        )

    def _connected(self, session_present: bool) -> None:
        self._heartbeat.due_s = 0.0
        self.outbox.try_refused_again()
        self.outbox.show_again()
        _log.info("broker_connected", session_present=session_present)

    def _disconnected(self, reason: str) -> None:
        if not self.stopping.is_set():
            self.meters.reconnects += 1
            _log.warning("broker_disconnected", reason=reason)

    def _publish(self, now_ms: int | None) -> None:
        """Everything that is to go out, alerts before all else."""
        now_s = self.machine.steady_s()
        self.last_step_s = self.machine.wall_s()
        self._note_delivered()
        if now_ms is not None:
            self.outbox.send(self.connection, now_ms)
        if self.connection.connected and self._heartbeat.due(now_s):
            self._send(self.topics.status, self._beat("running"))
        if self.connection.connected and self._bed_states.due(now_s):
            self._send_bed_states()
        if self._complaints.due(now_s):
            self._complain()

    def _complain(self) -> None:
        """One line now and then on what is wrong with what we are sent; each case is in the dead letter."""
        refused = dict(self.tally.rejected - self._told_refused)
        missing = self.ward.gap_messages - self._told_missing
        if refused:
            told = {reason.value: number for reason, number in sorted(refused.items())}
            _log.warning("messages_refused", **told)
        if missing > 0:
            _log.warning("messages_missing", by_their_sequence=missing)
        self._told_refused = self.tally.rejected.copy()
        self._told_missing = self.ward.gap_messages

    def _note_delivered(self) -> None:
        """What the broker has answered on alert events; one that it would not have is not delivered."""
        for published in self.connection.drain_acknowledged():
            match published.token, published.refused:
                case int(feed_seq), None:
                    self.outbox.acknowledge(feed_seq)
                case int(feed_seq), why:
                    self.outbox.refuse(feed_seq)
                    _log.error("alert_refused", feed_seq=feed_seq, why=why)
                case str(topic), why if why is not None:
                    self.outbox.refuse_state(topic)
                    _log.error("alert_state_refused", topic=topic, why=why)

    def _beat(self, state: Any) -> Heartbeat:
        return Heartbeat(
            state=state,
            instance=self.settings.instance,
            version=__version__,
            time=rfc3339(self.clock.read() or 0),
            position=self.journal.position,
            feed_seq=self.ward.feed_seq,
            beds=len(self.ward.beds),
        )

    def _send(self, topic: str, message: Message) -> None:
        if self.connection.publish_room > RESERVED_FOR_ALERTS:
            self.connection.publish(topic, encode(message), retain=True)

    def _send_bed_states(self) -> None:
        """Beds whose state is due; a bed that nothing happened to is told again all the same."""
        for name, bed in self.ward.beds.items():
            if self.connection.publish_room <= RESERVED_FOR_ALERTS:
                self.meters.bed_states_withheld += 1
                continue
            self.connection.publish(self.topics.bed(name), encode(bed_state(bed)), retain=True)

    def _show_dead_letter(self, rejected: Rejected, topic: str, payload: bytes, received_ms: int) -> None:
        room = self.connection.publish_room > RESERVED_FOR_ALERTS
        if not room or not self._dead_letters.take(self.machine.steady_s()):
            self.meters.dead_letters_withheld += 1
            return
        letter = dead_letter(rejected.reason, rejected.detail, topic, payload, received_ms)
        self.connection.publish(self.topics.dead_letter(rejected.reason.value), encode(letter))

    def _delivered(self, outgoing: Outgoing) -> None:
        now_ms = self.clock.read()
        if now_ms is not None:
            self.meters.latency.observe(max(0, now_ms - outgoing.decided_ms) / 1000)

    async def _leave(self) -> None:
        """A last word, so that our going is not taken for a loss; what is undelivered stays journaled."""
        if self.connection.connected:
            self.connection.publish(self.topics.status, encode(self._beat("stopping")), retain=True)
            await self.connection.settled(GOODBYE_S)
        self._note_delivered()
        await self.journal.set_marks(self._marks())
        if self.journal.position:
            await self._save(self.journal.position)
        _log.info("service_stopped", position=self.journal.position, undelivered=self.outbox.undelivered)


COMPLAINTS_S = 10.0
"""How often the log may complain about what we are sent."""

RESERVED_FOR_ALERTS = 1_000
"""Room in the publish queue that only alerts may take."""

GOODBYE_S = 2.0
"""How long we wait at most for the broker to take our last words."""


def mqtt_settings(settings: Settings, will: LastWill | None) -> MqttSettings:
    """The connection's settings, with the password read from its file."""
    mqtt = settings.mqtt
    password = None if mqtt.password_file is None else Path(mqtt.password_file).read_text().rstrip("\n")
    return MqttSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id,
        username=mqtt.username,
        password=password,
        keepalive_s=mqtt.keepalive_s,
        session_expiry_s=mqtt.session_expiry_s,
        receive_maximum=mqtt.receive_maximum,
        tls=ssl.create_default_context(cafile=mqtt.ca_file) if mqtt.tls else None,
        will=will,
        coalesce_ms=mqtt.coalesce_ms,
        reconnect_min_s=mqtt.reconnect_min_s,
        reconnect_max_s=mqtt.reconnect_max_s,
        publish_queue_max=mqtt.max_queued_publishes,
    )
