"""The processing path: take over a batch, make it durable, acknowledge it, apply it, announce.

One task does all of it, in this order, so there are no locks and nothing is acknowledged that a
crash could lose. The heartbeat is sent from here and nowhere else: if this hangs, it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import structlog

from streamproc import __version__
from streamproc.config import ConfigError, Settings
from streamproc.core.change import Change
from streamproc.core.reason import Reason
from streamproc.core.ward import Ward
from streamproc.rules import RULES
from streamproc.shell import snapshot
from streamproc.shell.clock import SIMULATION_CLOCK, Clock, clock_from, telemetry_of
from streamproc.shell.feed import FeedDamaged, with_skipped
from streamproc.shell.handed_in import HandedIn
from streamproc.shell.intake import Intake, topics_from
from streamproc.shell.journal import (
    FORGOTTEN_MARK,
    JOURNAL,
    SKIPPED_MARK,
    Batch,
    JournalCorrupt,
    JournalFailed,
    Message,
    Recorded,
    SqliteJournal,
)
from streamproc.shell.keeper import Keeper
from streamproc.shell.machine import REAL, Machine
from streamproc.shell.metrics import REFUSED, TAKEN, Meters
from streamproc.shell.mqtt import Connection, Delivery, LastWill, MqttSettings
from streamproc.shell.outbox import Outbox, Outgoing
from streamproc.shell.relive import judge_as_begun
from streamproc.shell.snapshot import snapshot_of
from streamproc.shell.tally import Tally
from streamproc.shell.turns import MOST_AT_ONCE, Turns
from streamproc.shell.watch import Watch
from streamproc.wire import WILL, Rejected, Topics, dead_letter, encode, own, rfc3339
from streamproc.wire.alerting import Heartbeat
from streamproc.wire.announce import bed_state
from streamproc.wire.encode import as_line
from streamproc.wire.fields import Message as Payload

ACKNOWLEDGED_MARK = "feed_acknowledged"
NUMBERED_MARK = "feed_numbered"
PROGRAM_MARK = "program"
PROGRAM_FROM_MARK = "program_from"
"""The first batch that this program has lived through live."""
UNDECODABLE_TOPIC = ""
HUNG_AFTER_S = 15.0
"""A processing path that has not come round for so long hangs."""
JUDGED_EVERY_S = 0.02
"""So often something can be judged between two batches."""
GARBAGE_SOUGHT_AFTER = 50_000
"""So many objects more than before: a round makes thousands, and all but a few go with it unsought."""
NUMBERS_AHEAD = 10_000
"""So many numbers of the feed may be given out before the next commit says so."""

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
    keeper: Keeper = field(init=False)
    clock: Clock = field(init=False)
    connection: Connection = field(init=False)
    on_change: Callable[[Change], None] = lambda change: None
    meters: Meters = field(default_factory=Meters)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    last_step_s: float = field(init=False)
    """For people and figures; the machine's clock may be set."""
    _stepped_s: float = field(init=False)
    watch: Watch = field(init=False)
    running: bool = False
    """Recovered and about to connect; before that there is no journal and no connection to ask."""
    failure: str | None = None
    """Why nothing more can be committed."""
    refused_configuration: tuple[str, ...] = ()
    """What was wrong with the configuration that was read last; empty while nothing was."""
    handed_in: HandedIn = field(default_factory=HandedIn)
    _early: list[Delivery] = field(default_factory=list)
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _committed: bool = False
    _heartbeat: Every = field(init=False)
    _ticks: Every = field(init=False)
    _turns: Turns = field(init=False)
    _states: Every = field(default_factory=lambda: Every(STATES_EVERY_S))
    _dead_letters: Allowance = field(init=False)
    _complaints: Every = field(default_factory=lambda: Every(COMPLAINTS_S))
    _told_refused: Counter[Reason] = field(default_factory=Counter)
    _told_missing: int = 0
    _program_from: int = 1
    _journaled_ms: int = 0
    """The clock of the last batch in the journal."""

    def __post_init__(self) -> None:
        settings = self.settings
        self._came_round()
        self.topics = topics_from(settings)
        self.watch = Watch(settings)
        self.intake = Intake.from_settings(settings)
        self.intake.on_tick = self._observe_lag
        self.outbox = Outbox(
            self.topics,
            settings.instance,
            round(settings.alerts.tombstone_after_s * 1000),
            self._delivered,
        )
        self._heartbeat = Every(settings.alerts.heartbeat_s)
        self._ticks = Every(settings.clock.tick_s)
        self._turns = Turns(settings.alerts.bed_state_s)
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
        """Connected, caught up with the journal and able to commit: one round has shown it."""
        able = self._committed or self.settings.clock.source == "telemetry"
        return self.connected and able and self.failure is None and not self.journal.failed

    @property
    def problems(self) -> list[str]:
        """What a person has to mend."""
        return [*([] if self.failure is None else [self.failure]), *self.refused_configuration]

    @property
    def position(self) -> int:
        """The last committed batch."""
        return self.journal.position if self.running else 0

    @property
    def step_age_s(self) -> float:
        """How long ago the processing path last came round, whatever was done to the clock meanwhile."""
        return self.machine.steady_s() - self._stepped_s

    @property
    def undelivered(self) -> int:
        """Alert events that the broker has not acknowledged."""
        return self.outbox.undelivered

    # what a station asks

    def open_alerts(self) -> list[bytes]:
        """The newest event of each alert that has not ended."""
        names = self.ward.open_alerts()
        return [one for one in self.outbox.shown.values() if json.loads(one)["data"]["alert_id"] in names]

    async def events(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """The feed after a number, 0 for all that is kept; damage is said, and never passed over."""
        newest = [(seq, payload) for seq, _, payload in self.outbox.unkept]
        try:
            return await asyncio.to_thread(self.journal.events, after, limit, newest, self.ward.feed_seq)
        except FeedDamaged as damage:
            _log.error("feed_found_damaged", reason=str(damage))
            raise

    async def forgotten_events(self) -> int:
        """The number of the feed up to which its events are no longer kept."""
        mark = await asyncio.to_thread(self.journal.mark, FORGOTTEN_MARK)
        return mark if isinstance(mark, int) else 0

    @property
    def standing_still(self) -> str | None:
        """Why what is shown may be out of date: nothing new is judged."""
        if self.failure is None and self.step_age_s < HUNG_AFTER_S:
            return None
        return self.failure or f"no round for {self.step_age_s:.0f} s"

    async def hand_in(self, payload: bytes) -> Rejected | None:
        """An acknowledgement, like a message of a station; answers once it is durable: why not, or None."""
        return await self.handed_in.enter(self.topics.ack(HTTP_STATION), payload)

    # the run

    async def run(self) -> None:
        """Recover, connect, and process until told to stop. Raises what cannot be lived with."""
        path = Path(self.settings.state.dir) / JOURNAL
        async with SqliteJournal(path, self.machine.databases) as self.journal:
            await self._recover()
            self.keeper = Keeper(self.journal, self.settings.state, self.machine.steady_s)
            self._journaled_ms = self.ward.clock_ms or 0
            self.watch.begin(self.intake.settings, self.ward.clock_ms)
            self.clock = clock_from(self.settings.clock.source, self.ward.clock_ms or 0, self.machine.wall_s)
            self.connection = self._new_connection()
            self.intake.on_rejected = self._answer_rejected
            self.running = True
            async with self.connection:
                try:
                    await self._until_stopped()
                except JournalFailed as failure:
                    self.handed_in.close(str(failure))
                    await self._say_failing(str(failure))
                    raise
                finally:
                    self.handed_in.close("this processor is leaving")
                await self._leave()

    async def _until_stopped(self) -> None:
        self._ticks.due_s = self.machine.steady_s() + self._ticks.seconds  # the broker may greet us first
        while not self.stopping.is_set():
            await self.step(await self.connection.batch(self._pause_s()))

    def _pause_s(self) -> float:
        """How long to wait for messages: until the next tick, or sooner until something is to be judged."""
        now_ms, due_ms = self.clock.read(), self.ward.due_ms
        if now_ms is None:
            return self.settings.clock.tick_s
        tick_s = max(self._ticks.due_s - self.machine.steady_s(), 0.0)
        return tick_s if due_ms is None else min(tick_s, max((due_ms - now_ms) / 1000, JUDGED_EVERY_S))

    async def _say_failing(self, reason: str) -> None:
        """Nothing can be made durable: take nothing over, and say so in every way that is left."""
        self.failure, self._heartbeat.due_s = reason, 0.0
        give_up_s = self.machine.steady_s() + self.settings.state.failing_s
        while not self.stopping.is_set() and self.machine.steady_s() < give_up_s:
            self._publish(self.ward.clock_ms)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.clock.tick_s):
                    await self.stopping.wait()

    async def step(self, deliveries: Sequence[Delivery]) -> None:
        """One round: commit, acknowledge, apply, announce. Without deliveries it is a tick, and one that
        comes between two others is committed only where it has something to announce."""
        deliveries, self._early = [*self._early, *self.handed_in.take(), *deliveries], []
        messages = telemetry_of(self.clock, from_outside(deliveries), self.intake.times_ms)
        now_ms = self.clock.read()
        if now_ms is None:  # a simulated clock that nobody has told yet: nothing is taken over
            self._early += deliveries
        else:
            told = self.watch.tell(now_ms, self.ward.clock_ms)
            if deliveries or told or self._ticks.due(self.machine.steady_s()):
                if told:
                    await self._journal_clock()
                messages[:0] = told
                position = await self._commit(now_ms, messages)
                self.connection.acknowledge(deliveries)
                self.announce(self.apply(now_ms, messages))
                self.handed_in.settle()
                self._log_told(told)
                await self.keeper.look(position, now_ms, len(messages), self._take_snapshot)
            elif changes := self.apply(now_ms, messages):
                await self._commit(now_ms, messages)
                self.announce(changes)
        self._came_round()
        self._publish(now_ms)

    async def _journal_clock(self) -> None:
        """Make the last tick durable, if it announced nothing: what is dated by it must be dated so again."""
        if self.ward.clock_ms is not None and self.ward.clock_ms > self._journaled_ms:
            await self._commit(self.ward.clock_ms, [])

    async def _commit(self, now_ms: int, messages: Sequence[Message]) -> int:
        """Make a batch durable, and what was announced before it; its position."""
        started_s = self.machine.steady_s()
        numbered_seq = self.ward.feed_seq + NUMBERS_AHEAD
        events = list(self.outbox.unkept)
        marks = self._marks(numbered_seq)
        position = await self.journal.append(now_ms, messages, marks, events)
        del self.outbox.unkept[: len(events)]  # not before: who asks meanwhile misses none
        ended_s = self.machine.steady_s()
        self.meters.commit.observe(ended_s - started_s)
        self._ticks.due_s, self._journaled_ms = ended_s + self._ticks.seconds, now_ms
        self._committed, self.outbox.numbered_seq = True, numbered_seq
        return position

    def _came_round(self) -> None:
        self.last_step_s, self._stepped_s = self.machine.wall_s(), self.machine.steady_s()

    def _log_told(self, told: Sequence[Recorded]) -> None:
        for message in told:
            if message.topic == own.UNWATCHED:
                _log.warning("ward_unwatched", **json.loads(message.payload))
            else:
                _log.info("configuration_in_force", ruleset=self.ward.ruleset, roster=len(self.ward.roster))

    def _marks(self, numbered_seq: int) -> dict[str, str | int]:
        return {
            ACKNOWLEDGED_MARK: self.outbox.acknowledged_seq,
            NUMBERED_MARK: numbered_seq,
            PROGRAM_MARK: program(),
            PROGRAM_FROM_MARK: self._program_from,
        }

    def apply(self, now_ms: int, messages: Sequence[Any]) -> list[Change]:
        """A batch in memory: the same call for live batches and for journaled ones."""
        return self.intake.live_through(now_ms, messages)

    def _observe_lag(self, ward: Ward, now_ms: int) -> None:
        for event_ms, times in Counter(ward.lags_ms).items():  # what waited together was judged together
            self.meters.lag.observe((now_ms - event_ms) / 1000, times)

    def announce(self, changes: Sequence[Change]) -> None:
        """Count, log and hand over to the outbox."""
        for change in changes:
            self.meters.count_alert(change)
            self.on_change(change)
            self.outbox.put(change)
            self._turns.hurry(change.bed)
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

    async def reload(self, read: Callable[[], Settings]) -> None:
        """Read the configuration anew and judge by it from the next round on; a wrong one changes nothing.

        One after the other: what was read last is what counts."""
        async with self._reloading:
            try:
                settings = await asyncio.to_thread(read)
            except ConfigError as error:
                self.meters.reloads[REFUSED] += 1
                self.refused_configuration = tuple(map(str, error.problems))
                _log.error("configuration_refused", problems=self.refused_configuration)
            else:
                self._judge_by(settings)

    def _judge_by(self, settings: Settings) -> None:
        self.meters.reloads[TAKEN] += 1
        self.refused_configuration = ()
        if sections := self.settings.needs_restart(settings):
            _log.warning("configuration_needs_restart", sections=sections)
        self.watch.wanted = self.settings.judging_by(settings.clinical())

    # recovery: the newest snapshot, then the journal's suffix, on the same path as live batches

    async def _recover(self) -> None:
        """As the loop turns, so that whoever asks over HTTP is told that we are not ready."""
        started_s = self.machine.steady_s()
        with snapshot.uncollected():
            position = self._restore_snapshot()
            gc.freeze()  # all beds are there now and stay: no look for garbage needs to pass over them
        gc.set_threshold(GARBAGE_SOUGHT_AFTER)
        mark = self.journal.mark(ACKNOWLEDGED_MARK)
        if isinstance(mark, int):
            self.outbox.delivered_up_to(mark)
        self.journal.mark(FORGOTTEN_MARK)  # a damaged one is refused now, not when somebody asks for the feed
        self.journal.mark(SKIPPED_MARK)
        await self._number_anew_if_program_changed(position)
        replayed = messages = 0
        for batch in self.journal.read(position + 1):
            self._apply_again(batch)
            replayed, messages = replayed + 1, messages + len(batch.messages)
            self._came_round()
            await asyncio.sleep(0)
        self._refuse_another_instance()
        self._told_refused, self._told_missing = self.tally.rejected.copy(), self.ward.gap_messages
        _log.info(
            "state_recovered",
            snapshot_position=position,
            batches=replayed,
            messages=messages,
            position=self.journal.position,
            beds=len(self.ward.beds),
            undelivered=self.outbox.undelivered,
            seconds=round(self.machine.steady_s() - started_s, 3),
        )

    def _refuse_another_instance(self) -> None:
        """What is told bears the instance's name: under another one, two events would have one id."""
        ours, theirs = self.settings.instance, self.intake.settings.instance
        if ours != theirs:
            wrong = f"state.dir {self.settings.state.dir} is that of instance {theirs}, not of {ours}"
            raise JournalFailed(f"{wrong}; right would be the same instance, or another state.dir")

    async def _number_anew_if_program_changed(self, position: int) -> None:
        """Another program makes other events of the same journal: they must not hide behind the old numbers.

        What the suffix gives is announced again, above all that may have been given out before; also where
        the snapshot is of before the change, because none was taken since or none is sound."""
        then, numbered = self.journal.mark(PROGRAM_MARK), self.journal.mark(NUMBERED_MARK)
        began = self.journal.mark(PROGRAM_FROM_MARK)
        if then is None or not isinstance(numbered, int):
            return
        if then == program() and isinstance(began, int):
            self._program_from = began
            if began <= position + 1:
                return
        else:
            self._program_from = self.journal.position + 1
        _log.warning("program_changed", then=then, now=program(), feed_goes_on_after=numbered)
        for bed in self.ward.beds.values():
            bed.ask_anew()
        skipped, forgotten = self.journal.mark(SKIPPED_MARK), self.journal.mark(FORGOTTEN_MARK)
        stretches = with_skipped(skipped, self.ward.feed_seq + 1, numbered, forgotten)
        await self.journal.set_marks({SKIPPED_MARK: stretches})
        self.outbox.skip(self.ward.feed_seq, numbered)
        self.ward.feed_seq = numbered

    def _apply_again(self, batch: Batch) -> None:
        for change in self.apply(batch.received_ms, batch.messages):
            self.outbox.put(change)

    def _restore_snapshot(self) -> int:
        """The position up to which a snapshot has told everything; 0 where the whole journal tells it."""
        kept, first = self.journal.newest_snapshot(), self.journal.first_position
        if kept is not None:
            try:
                self.outbox.restore(snapshot.restore(self.intake, kept.parts, kept.base))
                return kept.position
            except snapshot.SnapshotForeign as error:
                if first > 1:
                    raise
                _log.error("snapshot_foreign", reason=str(error), rebuilt_from="the whole journal")
                self.intake.judge_by(self.settings)
        if first > 1:
            wrong = "what came before is forgotten, and no sound snapshot tells it"
            raise JournalCorrupt(first, f"{wrong}; right would be another state.dir")
        judge_as_begun(self.intake, self.journal)
        return 0

    def _take_snapshot(self, base_ms: int | None) -> Iterable[bytes]:
        return snapshot_of(self.intake, self.outbox.snapshot(), base_ms)

    # the broker

    def _new_connection(self) -> Connection:
        wanted = [*self.topics.subscriptions(), *self.clock.topics]
        return Connection(
            mqtt_settings(self.settings, LastWill(self.topics.status, WILL)),
            wanted,
            obsolete=[SIMULATION_CLOCK] if SIMULATION_CLOCK not in wanted else [],
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            between=self.machine.between,
        )

    def _connected(self, session_present: bool) -> None:
        self.watch.connected(session_present)
        self._heartbeat.due_s = 0.0
        self.outbox.try_refused_again()
        self.outbox.show_again()
        _log.info("broker_connected", session_present=session_present)

    def _disconnected(self, reason: str) -> None:
        self.watch.disconnected(self.ward.clock_ms)
        if not self.stopping.is_set():
            self.meters.reconnects += 1
            _log.warning("broker_disconnected", reason=reason)

    def _publish(self, now_ms: int | None) -> None:
        """Everything that is to go out, alerts before all else."""
        now_s = self.machine.steady_s()
        self._note_delivered()
        if now_ms is not None:
            self.outbox.send(self.connection, now_ms)
        if self.connection.connected and self._heartbeat.due(now_s):
            self._send(self.topics.status, self._beat("running" if self.failure is None else "failing"))
        if self.connection.connected and self._states.due(now_s):
            self._send_bed_states(now_s)
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
            time=rfc3339(self.ward.clock_ms or 0),
            position=self.journal.position,
            feed_seq=self.ward.feed_seq,
            beds=len(self.ward.beds),
            ruleset=self.ward.ruleset,
            problems=[as_line(problem) for problem in self.problems],
        )

    def _send(self, topic: str, message: Payload) -> None:
        if self.connection.publish_room > RESERVED_FOR_ALERTS:
            self.connection.publish(topic, encode(message), retain=True)

    def _send_bed_states(self, now_s: float) -> None:
        """Beds whose turn it is; a bed that nothing happened to is told again all the same."""
        taken = self._turns.take(self.ward.beds, now_s)
        if len(taken) == MOST_AT_ONCE:
            self._states.due_s = now_s  # others wait for their turn
        for name in taken:
            if self.connection.publish_room <= RESERVED_FOR_ALERTS:
                self.meters.bed_states_withheld += 1
                continue
            state = encode(bed_state(self.ward.brought_up(name)))
            self.connection.publish(self.topics.bed(name), state, retain=True)

    def _answer_rejected(self, rejected: Rejected, message: Message, received_ms: int) -> None:
        self.handed_in.refuse(message, rejected)
        self._show_dead_letter(rejected, message.topic, message.payload, received_ms)

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
        await self._journal_clock()
        await self.journal.set_marks(self._marks(self.ward.feed_seq))
        if self.ward.clock_ms is not None:
            await self.keeper.finish(self.journal.position, self.ward.clock_ms, self._take_snapshot)
        _log.info("service_stopped", position=self.journal.position, undelivered=self.outbox.undelivered)


HTTP_STATION = "http"
"""In whose name an acknowledgement comes that was sent over HTTP."""

COMPLAINTS_S = 10.0
"""How often the log may complain about what we are sent."""

STATES_EVERY_S = 0.5
"""So often it is seen whose state is to be shown: many in a row cost less than each for itself, and go out in
one write."""

RESERVED_FOR_ALERTS = 1_000
"""Room in the publish queue that only alerts may take."""

GOODBYE_S = 2.0
"""How long we wait at most for the broker to take our last words."""


@cache
def program() -> str:
    """What makes events of the journal: the program's version, and each rule's."""
    versions = ",".join(f"{rule.id} {rule.version}" for rule in RULES)
    return f"{__version__}-{blake2b(versions.encode(), digest_size=6).hexdigest()}"


def from_outside(deliveries: Iterable[Delivery]) -> list[Message]:
    """As they came; one under a topic that only we may use is refused as one that nobody knows."""
    return [
        delivery._replace(topic=UNDECODABLE_TOPIC) if delivery.topic.startswith(own.OWN) else delivery
        for delivery in deliveries
    ]


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
