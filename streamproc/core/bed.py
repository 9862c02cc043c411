"""One bed: holds its events back until their time has come, keeps its chart, judges its rules.

Deterministic: what it announces depends on the events and on event time alone, not on the order
of arrival within the hold-back nor on how often time is told to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import starmap
from typing import TYPE_CHECKING, Any

from streamproc.core.alert import Alert, AlertState, Kind, Phase, kept_of_all, restore_all
from streamproc.core.change import Change
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    Doubted,
    HeldEvent,
    MapSample,
    Observation,
    PatientContext,
    PumpStatus,
    Telemetry,
    Unwatched,
)
from streamproc.core.evidence import evidence_for
from streamproc.core.finding import NEVER
from streamproc.core.kept import event_of, kept_of
from streamproc.core.remembered import Remembered
from streamproc.core.rule import Rule, Wording
from streamproc.core.samples import completed as complete_trend
from streamproc.core.steady import (
    Held,
    Steady,
    Waiting,
    event_like,
    held_of,
    kept_of_waiting,
    pump_like,
    sample_like,
    steady_after,
    topic_by_topic,
)
from streamproc.core.terms import Terms

if TYPE_CHECKING:
    from streamproc.core.ward import Heard

MOST_DEVICES = 64
"""Devices of one bed whose sequence is followed; the one silent longest is given up first."""


MOST_STEADY = 32
"""Topics of one bed whose next message is expected; one more, and all begin anew."""
PATIENCE_MS, MOST_WAITING = 60_000, 20
"""So long a message that says nothing new waits at most for others, and for so many of them: until the last
of these is due its bed has been shown, which lives through them anyway."""


@dataclass(slots=True)
class Readers:
    """Which rules read what, so that an event asks only those that it concerns; one for all beds."""

    masks: tuple[int, ...]
    known: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def of(self, reads: int) -> tuple[int, ...]:
        """The places of the rules that read any of this, in their order."""
        places = self.known.get(reads)
        if places is None:
            places = self.known[reads] = tuple(n for n, mask in enumerate(self.masks) if mask & reads)
        return places


@cache
def readers_of(masks: tuple[int, ...]) -> Readers:
    """The readers of these rules, by what each of them reads."""
    return Readers(masks)


@lru_cache(maxsize=4)
def kinds_of(rules: tuple[Rule, ...]) -> Mapping[str, Kind]:
    """What the alerts of these rules are about; one for all beds."""
    return {rule.id: rule.kind for rule in rules}


@lru_cache(maxsize=4)
def by_name(rules: tuple[Rule, ...]) -> Mapping[str, Rule]:
    """These rules by their names; one for all beds."""
    return {rule.id: rule for rule in rules}


@dataclass(slots=True)
class Bed:
    """A bed of the ward. `chart.now_ms` is the instant up to which it has been judged."""

    name: str
    rules: Sequence[Rule]
    chart: Chart
    readers: Readers
    named: Mapping[str, Rule]
    """The rules by their names."""
    held: list[Held] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    """Messages that say nothing new, in the order of their receipt."""
    steady: dict[str, Steady] = field(default_factory=dict)
    """What each topic's next message says if it says nothing new."""
    calm: bool = False
    """Whether there are such messages at all."""
    alerts: dict[str, Alert] = field(default_factory=dict)
    remembered: Remembered = field(default_factory=Remembered)
    arrivals: int = 0
    scheduled_ms: int = NEVER
    """For when the ward has this bed on its list."""
    deadline_ms: int = NEVER
    judged_again_ms: int = 0
    """When the first of its rules is to be judged again, if nothing new comes."""
    restless: tuple[int, ...] = ()
    """The places of the rules that ordinary MAP samples are news to."""
    turning: tuple[int, ...] = ()
    """The places of those that such a sample is news to if it crosses one of their limits."""
    dues_ms: list[int] = field(default_factory=list)
    """When each rule is to be judged again, in their order; empty where the alerts are new here."""
    late_reads: int = Reads.NOTHING
    """What has changed by messages that came late, and is not judged yet."""
    sequences: dict[str, tuple[str, int]] = field(default_factory=dict)
    gap_messages: int = 0

    @classmethod
    def new(cls, name: str, rules: Sequence[Rule], terms: Terms, now_ms: int) -> Bed:
        """A bed of which nothing is known yet."""
        readers = readers_of(tuple(rule.reads for rule in rules))
        bed = cls(name, rules, Chart(terms, name, now_ms), readers, by_name(tuple(rules)))
        bed.alerts = {rule.id: Alert() for rule in rules}
        bed._open_chart(bed.chart)
        return bed

    def _open_chart(self, chart: Chart) -> None:
        self.chart, self.dues_ms = chart, []
        chart.alerts = self.alerts
        chart.kinds = kinds_of(tuple(self.rules))

    @property
    def due_ms(self) -> int:
        """The next instant at which something happens here."""
        due_ms = self.deadline_ms
        if self.held and self.held[0][0] < due_ms:
            due_ms = self.held[0][0]
        if self.waiting:
            due_ms = min(due_ms, self.waiting[0][0] + PATIENCE_MS)
            if len(self.waiting) >= MOST_WAITING:
                due_ms = min(due_ms, self.waiting[MOST_WAITING - 1][0])
        return due_ms

    def hold(self, event: HeldEvent, time_ms: int, received_ms: int) -> None:
        """Keep an event until event time reaches it."""
        self.arrivals += 1
        seq = -1 if event.seq is None else event.seq
        entry = (time_ms, event.order, event.device, seq, self.arrivals, received_ms, event)
        heapq.heappush(self.held, entry)

    @property
    def not_lived_through(self) -> int:
        """How many messages wait for their time, or for others."""
        return len(self.held) + len(self.waiting)

    def wait(self, steady: Steady, time_ms: int, seq: int, figure: float, received_ms: int) -> int:
        """Keep a message that says nothing new until others have come, or somebody looks; how many wait."""
        self.arrivals = arrival = self.arrivals + 1
        waiting = self.waiting
        waiting.append((time_ms, steady.order, steady.device, seq, arrival, received_ms, figure, steady))
        steady.until_ms = time_ms + steady.gap_ms
        return len(waiting)

    def expect(self, event: MapSample | PumpStatus, heard: Heard) -> Steady | None:
        """What says nothing new after an event that was taken in; None of a device that does not number."""
        start = self.remembered.starts.get((event.device, event.boot or ""))
        if start is None:
            return None
        order = event.order
        if (known := self.steady.get(order)) is not None:
            known.close()
        elif len(self.steady) >= MOST_STEADY:
            for each in self.steady.values():
                each.close()
            self.steady.clear()
        steady = self.steady[order] = steady_after(event, start, heard, self)
        return steady

    def take_late(self, event: Telemetry) -> None:
        """Enter an event whose time has passed; the past is not judged again, the present is.

        One from before the stay is the last patient's, whose chart is closed: what counts is that it came."""
        opened_ms = self.chart.opened_ms
        if opened_ms is None or event.time_ms >= opened_ms:
            self.late_reads |= self._happen(event, [])
        else:
            self.late_reads |= self._follow(event.device, event.boot, event.seq)

    def judge_late(self, received_ms: int) -> list[Change]:
        """Judge the present, once all that came late together is in."""
        reads, self.late_reads = self.late_reads, Reads.NOTHING
        return self._live(reads, received_ms)

    def advance(self, to_ms: int, lags_ms: list[int] | None = None) -> list[Change]:
        """Live through every event and deadline up to `to_ms`, each at its own instant."""
        changes: list[Change] = []
        held, waited = self.held, self._waited(to_ms) if self.waiting else []
        while True:
            now_ms = held[0][0] if held and held[0][0] < self.deadline_ms else self.deadline_ms
            if waited and waited[-1][0] <= now_ms:
                together = list[Waiting]()
                while waited and waited[-1][0] < now_ms:
                    together.append(waited.pop())
                if together and self._live_through(together):
                    if lags_ms is not None:
                        lags_ms += [to_ms] * len(together)
                else:  # something may be news, or happens at the same instant
                    self._hold_waiting(together or [waited.pop()])
                continue
            if now_ms > to_ms:
                break
            self.chart.move_to(now_ms)
            reads, received_ms = Reads.NOTHING, now_ms
            while held and held[0][0] == now_ms:
                *_, came_ms, event = heapq.heappop(held)
                reads |= self._happen(event, changes)
                received_ms = max(received_ms, came_ms)
                if lags_ms is not None and event.__class__ is not Unwatched:  # ours, and no message
                    lags_ms.append(now_ms)
            changes += self._live(reads, received_ms)
        self.chart.move_to(to_ms)
        return changes

    def _waited(self, to_ms: int) -> list[Waiting]:
        """What has waited up to an instant, the last first; the others wait on."""
        waiting = self.waiting
        waited = sorted([each for each in waiting if each[0] <= to_ms], reverse=True)
        self.waiting = [each for each in waiting if each[0] > to_ms]
        return waited

    def _live_through(self, together: Sequence[Waiting]) -> bool:
        """Messages before anything else happens, topic by topic; whether none of them is news."""
        by_topic = topic_by_topic(together)
        one_each = len({steady.device for steady in by_topic}) == len(by_topic)
        if not (one_each and self.calm and all(starmap(self._goes_on, by_topic.items()))):
            return False
        for some in sorted(by_topic.values(), key=_last):  # who was heard last is followed last
            self._go_on(some)
        self.chart.move_to(together[-1][0])
        self.chart.put_off()
        self._set_deadline()
        return True

    def _goes_on(self, steady: Steady, some: Sequence[Waiting]) -> bool:
        """Whether these of one topic have no gap before or between them, and none of them is news."""
        first, last = some[0], some[-1]
        return (
            self.sequences.get(steady.device) == (steady.like.boot, first[3] - 1)
            and last[3] - first[3] == len(some) - 1
            and steady.goes_on(self.chart, some)
        )

    def _go_on(self, some: Sequence[Waiting]) -> None:
        """What happens by messages of one topic of which none is news."""
        last, like, chart = some[-1], some[-1][-1].like, self.chart
        del self.sequences[last[2]]
        self.sequences[last[2]] = (like.boot or "", last[3])
        chart.last_heard_ms = max(chart.last_heard_ms, last[0])
        if isinstance(like, PumpStatus):
            chart.infusions.go_on([each[0] for each in some], pump_like(like, last[0], last[3], last[6]))
            return
        times_ms, _, _, seqs, _, _, figures, _ = zip(*some, strict=True)
        if not chart.counts_time_below_target:
            chart.pressure.go_on_together(times_ms, [*map(int, figures)], like, seqs)
            return
        for time_ms, seq, figure in zip(times_ms, seqs, figures, strict=True):
            chart.move_to(time_ms)
            chart.pressure.go_on(sample_like(like, time_ms, seq, figure))

    def _look_ahead(self) -> None:
        """After judging: which messages say nothing new now; of those that wait, what may be news is held."""
        chart = self.chart
        named = [self.rules[place].id for place in self.turning]
        chart.pressure.stay_between({limit for name in named for limit in self.alerts[name].limits})
        self.calm = not self.restless and not chart.word_awaited and chart.stay_heard_ms is not None
        for steady in self.steady.values():
            if self.calm:
                steady.expect(chart)
            else:
                steady.close()
        if self.waiting and not (self.calm and all(map(_still_nothing_new, self.waiting))):
            self._hold_waiting(self.waiting)
            self.waiting = []

    def _hold_waiting(self, waiting: Sequence[Waiting]) -> None:
        """These wait for others no more: each is due at its own instant."""
        for each in waiting:
            heapq.heappush(self.held, _held(each))

    def _live(self, reads: int, received_ms: int) -> list[Change]:
        """Once all events of an instant are in: judge, if there is news to anybody."""
        reads |= self.chart.settle()
        is_time = self.chart.now_ms >= self.judged_again_ms
        if is_time or reads & Reads.ANY_NEWS or (reads and self.restless):
            return self._judge(reads, received_ms)
        self._set_deadline()
        return []

    def judge_anew(self, received_ms: int) -> list[Change]:
        """Ask every rule once, as after other rules came into force: so that every wait is running."""
        return self._judge(Reads.EVERYTHING | self.chart.settle(), received_ms)

    def retire(self, kept_rules: set[str]) -> list[Change]:
        """End the open alerts of rules that are no more."""
        changes = []
        for rule in self.rules:
            alert = self.alerts[rule.id]
            if rule.id not in kept_rules and (phase := alert.end()) is not None:
                changes.append(self._announce(rule, alert, phase, self.chart.now_ms, "rule_off"))
        return changes

    def expect_no_more(self) -> None:
        """It has left the roster: unless a patient was admitted, nobody is expected to be heard from it."""
        if self.chart.context is None:
            self.chart.waiting_since_ms = None

    def _happen(self, event: HeldEvent, changes: list[Change]) -> int:
        match event:
            case MapSample():
                missed = self._follow(event.device, event.boot, event.seq)
                return missed | self.chart.take_map(event)
            case PumpStatus():
                missed = self._follow(event.device, event.boot, event.seq)
                return missed | self.chart.take_pump(event)
            case Observation():
                missed = self._follow(event.device, event.boot, event.seq)
                return missed | self.chart.take_observation(event)
            case Doubted():
                return self.chart.take_doubt(event)
            case Acknowledged():
                return self._acknowledge(event, changes)
            case PatientContext():
                return self._admit(event, changes)
            case BedFreed():
                return self._free(changes)
            case Unwatched():
                return self.chart.take_unwatched(event)

    def _follow(self, device: str, boot: str | None, seq: int | None) -> int:
        """Count what a device must have sent and we never had, within one of its starts."""
        if boot is None or seq is None:
            return Reads.NOTHING
        last = self.sequences.pop(device, None)
        if last is not None and last[1] == seq - 1 and last[0] == boot:
            self.sequences[device] = (boot, seq)
            return Reads.NOTHING
        last_boot, last_seq = last or (boot, seq - 1)
        missed = seq - last_seq - 1 if boot == last_boot and seq > last_seq else 0
        newest = seq if boot != last_boot else max(seq, last_seq)
        self.sequences[device] = (boot, newest)
        if len(self.sequences) > MOST_DEVICES:
            del self.sequences[next(iter(self.sequences))]
        self.gap_messages += missed
        return self.chart.miss(device, missed) if missed else Reads.NOTHING

    def _admit(self, context: PatientContext, changes: list[Change]) -> int:
        """A new session is a new patient: nothing of the last one may speak for them."""
        if self.supersedes(context):
            return Reads.NOTHING
        known, freed = self.chart.context, self.chart.freed
        reads = Reads.NOTHING
        if freed is not None or (known is not None and known.session != context.session):
            reads = self._end_stay(changes)
            self.chart.expect_devices()
        return reads | self.chart.take_context(context)

    def supersedes(self, context: PatientContext) -> bool:
        """Whether what is known is newer: a later context, or that this very stay has ended since."""
        known, freed = self.chart.context, self.chart.freed
        if known is not None:
            return context.time_ms < known.time_ms
        return freed is not None and context.session == freed[0] and context.time_ms < freed[1]

    def _free(self, changes: list[Change]) -> int:
        """Nobody lies here any more: what is still sent belongs to no patient."""
        session = self.chart.context.session if self.chart.context else ""
        reads = self._end_stay(changes)
        self.chart.freed = (session, self.chart.now_ms)
        return reads

    def _end_stay(self, changes: list[Change]) -> int:
        for rule in self.rules:
            alert = self.alerts[rule.id]
            if (phase := alert.end()) is not None:
                changes.append(self._announce(rule, alert, phase, self.chart.now_ms, "session_ended"))
        self.alerts = {rule.id: Alert() for rule in self.rules}
        last = self.chart
        fresh = Chart(last.terms, self.name, last.now_ms, heard_ms=last.heard_ms)
        fresh.below_target_ms, fresh.opened_ms = last.below_target_ms, last.now_ms
        self._open_chart(fresh)
        return Reads.EVERYTHING

    def _acknowledge(self, ack: Acknowledged, changes: list[Change]) -> int:
        named = self.open_alert(ack.alert_id)
        if named is None:
            return Reads.NOTHING
        rule, alert = named
        if not alert.meant_by(ack.time_ms, ack.told_ms):  # it has escalated since: that breaks through
            return Reads.NOTHING
        phase = alert.acknowledge(ack.by, ack.time_ms)
        if phase is not None:
            changes.append(self._announce(rule, alert, phase, self.chart.now_ms))
        return Reads.ALERTS

    def open_alert(self, alert_id: str) -> tuple[Rule, Alert] | None:
        """The alert of this name and its rule, while it is open."""
        for name, alert in self.chart.open_alerts.items():
            if alert.alert_id == alert_id:
                return self.named[name], alert
        return None

    def _judge(self, reads: int, received_ms: int) -> list[Change]:
        """Judge each rule that reads what has changed, or whose own time has come, in their order."""
        now_ms, changes = self.chart.now_ms, list[Change]()
        goes_on, alerts = self.chart.line_goes_on, list(self.alerts.values())
        shaken = not self.dues_ms
        dues_ms = self.dues_ms = self.dues_ms or [alert.due_ms for alert in alerts]
        places, at = self._concerned(reads, after=-1), 0
        while at < len(places):
            place = places[at]
            rule, alert = self.rules[place], alerts[place]
            was_open, was_firm = alert.open, (alert.is_firm, alert.limits)
            firm = goes_on and rule.reads & Reads.MAP != 0
            said = rule.judge(self.chart)
            phase = alert.step(now_ms, said, self.name, rule.id, latches=rule.latches, line_goes_on=firm)
            if phase is not None:
                changes.append(self._announce(rule, alert, phase, received_ms))
            dues_ms[place], shaken = alert.due_ms, shaken or (alert.is_firm, alert.limits) != was_firm
            at += 1
            if alert.open is not was_open and not reads & Reads.ALERTS:
                reads |= Reads.ALERTS  # those behind this one are to know of it
                places, at = self._concerned(reads, after=place), 0
        self.judged_again_ms = min(dues_ms, default=NEVER)
        if shaken:
            self._see_who_is_restless(alerts)
        self._set_deadline()
        self._look_ahead()
        return changes

    def _see_who_is_restless(self, alerts: Sequence[Alert]) -> None:
        places = self.readers.of(Reads.MAP)
        self.restless = tuple(n for n in places if not alerts[n].is_firm)
        self.turning = tuple(n for n in places if alerts[n].is_firm and alerts[n].limits)

    def _concerned(self, reads: int, after: int) -> Sequence[int]:
        """The places of the rules to be judged now, of those behind one place."""
        now_ms, places = self.chart.now_ms, self.readers.of(reads)
        if reads & Reads.ORDINARY:
            news = (*self.restless, *self.turning) if reads & Reads.CROSSED else self.restless
            places = tuple(sorted({*places, *news})) if news else places
        if now_ms >= self.judged_again_ms:
            due = [n for n, due_ms in enumerate(self.dues_ms) if due_ms <= now_ms]
            places = tuple(sorted({*places, *due}))
        return places if after < 0 else [place for place in places if place > after]

    def _set_deadline(self) -> None:
        deadline_ms = self.judged_again_ms
        for asked_ms in (self.chart.infusions.loss_asked_ms, self.chart.line_asked_ms):
            if asked_ms < deadline_ms:
                deadline_ms = asked_ms
        self.deadline_ms = deadline_ms
        if deadline_ms <= self.chart.now_ms:
            raise AssertionError(f"{self.name}: a deadline at or before now ({deadline_ms})")

    def _announce(
        self, rule: Rule, alert: Alert, phase: Phase, received_ms: int, reason: str | None = None
    ) -> Change:
        if phase is Phase.START or phase is Phase.END:
            self.chart.note_open_alerts()
        alert.event_seq += 1
        assert alert.priority is not None
        wording = rule.word(self.chart, alert)
        ended = phase is Phase.END
        if ended:
            wording = _ended(wording, rule.id, reason)
        return Change(
            bed=self.name,
            time_ms=self.chart.now_ms,
            rule=rule,
            phase=phase,
            alert_id=alert.alert_id,
            event_seq=alert.event_seq,
            priority=alert.priority,
            state=AlertState.ENDED if ended else alert.state,
            acknowledged_by=alert.acknowledged_by,
            acknowledged_ms=alert.acknowledged_ms,
            onset_ms=alert.onset_ms,
            detected_ms=alert.detected_ms,
            ended_ms=self.chart.now_ms if ended else None,
            wording=wording,
            evidence=evidence_for(self.chart, wording),
            reason=reason,
            decided_ms=received_ms,
        )

    # keeping it

    def snapshot(self, newer_than_ms: int | None = None) -> dict[str, Any]:
        """All state as plain values; of the pressures only those that are newer."""
        return {
            "chart": self.chart.snapshot(newer_than_ms),
            "alerts": kept_of_all(self.alerts),
            "held": [[*entry[:6], *kept_of(entry[6])] for entry in sorted(self.held, key=_order)],
            "waiting": kept_of_waiting(self.waiting),
            "arrivals": self.arrivals,
            "sequences": {device: list(last) for device, last in self.sequences.items()},
            "gap_messages": self.gap_messages,
            "deadline_ms": self.deadline_ms,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave; a rule that is new since then starts quiet."""
        self.chart.restore(kept["chart"])
        restore_all(self.alerts, kept["alerts"])
        self.chart.note_open_alerts()
        self.held = held_in(kept)
        self.sequences = {device: (boot, seq) for device, (boot, seq) in kept["sequences"].items()}
        self.gap_messages = kept["gap_messages"]
        self.arrivals, self.deadline_ms = kept["arrivals"], kept["deadline_ms"]
        self._go_on_as_answered()

    def ask_anew(self) -> None:
        """Other rules may answer otherwise: nothing that was firm is."""
        for alert in self.alerts.values():
            alert.is_firm = False
        self._go_on_as_answered()

    def _go_on_as_answered(self) -> None:
        """What was firm when the snapshot was taken is asked no sooner than if nobody had stopped."""
        alerts = list(self.alerts.values())
        self.dues_ms = [alert.due_ms for alert in alerts]
        self.judged_again_ms = min(self.dues_ms, default=NEVER)
        self._see_who_is_restless(alerts)
        self._look_ahead()


def completed(kept: Mapping[str, Any], base: Mapping[str, Any], newer_than_ms: int) -> dict[str, Any]:
    """A bed's snapshot with the pressures that it left out, from the older one that it goes on from."""
    chart, older = dict(kept["chart"]), base["chart"]
    chart["systolic"] = complete_trend(chart["systolic"], older["systolic"], newer_than_ms)
    chart["pressure"] = dict(chart["pressure"])
    for trend in ("trend", "artefacts"):
        chart["pressure"][trend] = complete_trend(
            chart["pressure"][trend], older["pressure"][trend], newer_than_ms
        )
    return {**kept, "chart": chart}


def held_in(kept: Mapping[str, Any]) -> list[Held]:
    """What a bed's snapshot says that is yet to happen, in order: what was held, and what waited."""
    held = [(*entry[:6], event_of(entry[6:])) for entry in kept["held"]]
    return sorted([*held, *held_of(kept["waiting"])], key=_order)


def _ended(wording: Wording, rule_id: str, reason: str | None) -> Wording:
    """The line for an end: what the figure is now, or only why, where it did not end by itself."""
    told = reason.replace("_", " ") if reason else wording.figure
    text = f"{rule_id} ended" + (f": {told}" if told else "")
    return replace(wording, text=text, advice="")


def _held(waiting: Waiting) -> Held:
    """A message that waited, as an event whose time is not to be missed."""
    time_ms, order, device, seq, arrival, received_ms, figure, steady = waiting
    return time_ms, order, device, seq, arrival, received_ms, event_like(steady.like, time_ms, seq, figure)


def _last(some: Sequence[Waiting]) -> tuple[int, str, str, int]:
    return some[-1][:4]


def _still_nothing_new(waiting: Waiting) -> bool:
    figure, steady = waiting[-2:]
    return steady.lowest <= figure <= steady.highest


def _order(entry: Held) -> tuple[Any, ...]:
    return entry[:5]
