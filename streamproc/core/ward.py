"""All beds: routes each event to its bed and each tick to all, and numbers what they announce.

Only ticks move event time on; a device with a fast clock cannot drag its bed into the future.
Announcements leave in order of event time, then bed, so their numbers do not depend on how the
beds' messages were interleaved or on how often the clock was told.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamproc.core.bed import MOST_WAITING, PATIENCE_MS, Bed, completed
from streamproc.core.change import Change
from streamproc.core.events import (
    Acknowledged,
    BedEvent,
    BedFreed,
    Doubt,
    Doubted,
    MapSample,
    Observation,
    PatientContext,
    PumpStatus,
    Telemetry,
    Unwatched,
)
from streamproc.core.finding import NEVER
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken, Verdict
from streamproc.core.rule import Rule
from streamproc.core.steady import Steady
from streamproc.core.terms import Terms

SNAPSHOT_VERSION = 11

MOST_DEVICES, GIVEN_UP_AT_ONCE = 20_000, 2_000
"""Devices whose bed is remembered; of one more, so many that are silent longest are given up."""


@dataclass(slots=True)
class Heard:
    """Where a device was heard last, and when; and the newest time that it has told of."""

    bed: str
    at_ms: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Event time and bounds; times in ms. Everything that can grow has one."""

    hold_back_ms: int
    lateness_ms: int
    future_ms: int
    beds: int
    remembered_messages: int
    held_messages: int


@dataclass(slots=True)
class Ward:
    """The beds, their shared clock, and the feed's numbering."""

    rules: Sequence[Rule]
    terms: Terms
    limits: Limits
    roster: frozenset[str] = frozenset()
    ruleset: str = ""
    beds: dict[str, Bed] = field(default_factory=dict)
    clock_ms: int | None = None
    feed_seq: int = 0
    lags_ms: list[int] = field(default_factory=list)
    """Event times of what was lived through since somebody emptied this."""
    devices: dict[str, Heard] = field(default_factory=dict)
    _due: list[tuple[int, str]] = field(default_factory=list)
    _waiting: list[Change] = field(default_factory=list)
    _late: dict[str, int] = field(default_factory=dict)
    """Beds that were told something late since the last tick, and when: each is judged once, at the next."""
    _awaiting_roster: bool = False
    _judged_ms: int = -NEVER
    """Beds were judged up to here under another hold-back: event time never goes back."""

    _passed_ms: int = NEVER
    """The watermark of the last tick."""
    _most_behind_ms: int = field(init=False)
    _most_ahead_ms: int = field(init=False)
    """A message's time is so far from its receipt at most, before anything is said of it."""

    def __post_init__(self) -> None:
        self._most_behind_ms = -min(self.terms.clock_behind_ms, self.limits.lateness_ms)
        self._most_ahead_ms = min(self.terms.clock_ahead_ms, self.limits.future_ms)

    @property
    def watermark_ms(self) -> int:
        """Event time up to which every bed has been judged."""
        assert self.clock_ms is not None, "the first tick comes before the first message"
        return max(self.clock_ms - self.limits.hold_back_ms, self._judged_ms)

    @property
    def due_ms(self) -> int | None:
        """When the clock is to be told, so that nothing is judged late; None while nothing waits."""
        return self._due[0][0] + self.limits.hold_back_ms if self._due else None

    def tick(self, now_ms: int) -> list[Change]:
        """The clock has reached `now_ms`; going back is no news. Returns what is to be announced."""
        if self._late:
            self._judge_late()
        if self.clock_ms is None:
            self.clock_ms = now_ms
        if now_ms < self.clock_ms:
            return []
        if not self._awaiting_roster:
            self._await_roster(now_ms)
        self.clock_ms = now_ms
        changes, self._waiting = self._waiting, []
        watermark_ms, due = self.watermark_ms, self._due
        self._passed_ms = watermark_ms
        while due and due[0][0] <= watermark_ms:
            due_ms, name = heapq.heappop(due)
            bed = self.beds[name]
            if bed.scheduled_ms == due_ms:
                changes += bed.advance(watermark_ms, self.lags_ms)
                self._schedule(bed)
        return self._numbered(changes) if changes else changes

    def passes(self, now_ms: int) -> bool:
        """Whether nothing at all happens by `now_ms`; then the clock has reached it, as by a tick."""
        clock_ms, due = self.clock_ms, self._due
        if clock_ms is None or now_ms < clock_ms or self._late or self._waiting or not self._awaiting_roster:
            return False
        passed_ms = max(now_ms - self.limits.hold_back_ms, self._judged_ms)
        if due and due[0][0] <= passed_ms:
            return False
        self.clock_ms, self._passed_ms = now_ms, passed_ms
        return True

    def offer(self, event: BedEvent | Acknowledged, received_ms: int, digest: int) -> Verdict:
        """Take in a message that came at `received_ms`, after the tick of that instant."""
        if not isinstance(event, (MapSample, PumpStatus, Observation)):
            return self._offer_rare(event, received_ms)
        name, time_ms, bed, limits = event.bed, event.time_ms, self.beds.get(event.bed), self.limits
        if bed is None and len(self.beds) >= limits.beds and name not in self.roster:
            return Reason.BEDS_FULL
        ahead_ms, oldest_ms = time_ms - received_ms, received_ms - limits.lateness_ms
        if bed is not None and (known := bed.remembered.check(event, digest, oldest_ms)) is not None:
            return known
        if not -self.terms.clock_behind_ms <= ahead_ms <= self.terms.clock_ahead_ms:
            self._doubt_clock(event, ahead_ms, received_ms)
        if ahead_ms > limits.future_ms:
            return Reason.FUTURE
        if time_ms < oldest_ms:
            return Reason.TOO_LATE
        if bed is None:
            bed = self._bed(name)
        elif len(bed.held) + len(bed.waiting) >= limits.held_messages and self._is_flooded(bed):
            return Reason.BED_FLOODED
        bed.remembered.keep(event, digest, oldest_ms, limits.remembered_messages)
        self._doubt_identity(name, event.device, time_ms, received_ms)
        assert self.clock_ms is not None, "the first tick comes before the first message"
        if time_ms <= self.watermark_ms:
            return self._take_late(bed, event, received_ms)
        bed.hold(event, time_ms, received_ms)
        if time_ms < bed.scheduled_ms:
            self._schedule(bed)
        return Taken.ACCEPTED

    def expect(self, event: MapSample | PumpStatus) -> Steady | None:
        """What says nothing new after a message that was accepted; None of a device that does not number."""
        return self.beds[event.bed].expect(event, self.devices[event.device])

    def follow(
        self, steady: Steady, time_ms: int, seq: int, figure: float, received_ms: int, digest: int
    ) -> bool:
        """Accept a message that says nothing new; False where it is to be offered like any other."""
        bed, heard, limits = steady.bed, steady.heard, self.limits
        if not (
            steady.lowest <= figure <= steady.highest
            and seq == steady.start.newest + 1
            and heard.newest_ms < time_ms < steady.until_ms
            and time_ms > self._passed_ms
            and self._most_behind_ms <= time_ms - received_ms <= self._most_ahead_ms
            and heard.bed == bed.name
            and len(bed.waiting) + len(bed.held) < limits.held_messages
        ):
            return False
        oldest_ms, most = received_ms - limits.lateness_ms, limits.remembered_messages
        bed.remembered.put(steady.start, seq, time_ms, digest, oldest_ms, most)
        heard.at_ms, heard.newest_ms = received_ms, time_ms
        if bed.wait(steady, time_ms, seq, figure, received_ms) in (1, MOST_WAITING):
            self._schedule(bed)
        return True

    def brought_up(self, name: str) -> Bed:
        """A bed with all that has waited; for whoever looks at it."""
        bed = self.beds[name]
        if bed.waiting:
            self._waiting += bed.advance(self.watermark_ms, self.lags_ms)
            self._schedule(bed)
        return bed

    def _is_flooded(self, bed: Bed) -> bool:
        """Whether so much waits for its time that no more is taken; what only waits for others makes room."""
        most = self.limits.held_messages
        return bed.not_lived_through >= most and self.brought_up(bed.name).not_lived_through >= most

    def _offer_rare(self, event: PatientContext | BedFreed | Acknowledged, received_ms: int) -> Verdict:
        if isinstance(event, Acknowledged):
            return self._offer_ack(event, received_ms)
        return self._offer_context(event, received_ms)

    def note_artefact(self, sample: MapSample, received_ms: int) -> None:
        """A MAP message was rejected for its figure: it still counts in its bed's share of artefacts."""
        fits = -self.limits.lateness_ms <= sample.time_ms - received_ms <= self.limits.future_ms
        known = sample.bed in self.beds or sample.bed in self.roster
        if not fits or (not known and len(self.beds) >= self.limits.beds):
            return
        bed = self._bed(sample.bed)
        if sample.time_ms <= self.watermark_ms:
            self._take_late(bed, sample, received_ms)
        elif not self._is_flooded(bed):
            bed.hold(sample, sample.time_ms, received_ms)
            self._schedule(bed)

    def doubt(self, bed: str, device: str, doubt: Doubt, detail: str, received_ms: int) -> None:
        """Something about a bed's messages was noticed; it happens to the bed at its receipt."""
        known = self.beds.get(bed)
        if known is None or self._is_flooded(known):
            return
        at_ms = self._effective_ms(0, received_ms)
        known.hold(Doubted(at_ms, bed, device, doubt, detail), at_ms, received_ms)
        self._schedule(known)

    def note_unwatched(self, from_ms: int, until_ms: int, why: str, received_ms: int) -> None:
        """Nobody watched between these: each bed is told that was being monitored when that began.

        It comes before the tick of its instant, so that it happens before all that is judged of that time."""
        if self.clock_ms is None:
            return
        at_ms = self.watermark_ms + 1
        heard_since_ms = from_ms - self.terms.map_hold_cuff_ms
        for name in sorted(self.beds):
            bed = self.beds[name]
            expected = name in self.roster and bed.chart.freed is None
            if expected or bed.not_lived_through or bed.chart.last_heard_ms >= heard_since_ms:
                bed.hold(Unwatched(at_ms, name, from_ms, until_ms, why), at_ms, received_ms)
                self._schedule(bed)

    def turn_to(
        self,
        rules: Sequence[Rule],
        terms: Terms,
        limits: Limits,
        roster: frozenset[str],
        ruleset: str,
        now_ms: int,
    ) -> Ward:
        """The same beds judged by other rules from now on: open alerts and windows stay.

        An alert whose rule is no more ends. What the rules say of the present is told at the next tick."""
        kept_rules = {rule.id for rule in rules}
        changes: list[Change] = []
        for bed in self.beds.values():
            changes += bed.advance(self.watermark_ms) + bed.retire(kept_rules)
        ward = Ward(rules, terms, limits, roster, ruleset)
        ward.restore(self.snapshot())
        for name in self.roster - roster:
            ward.beds[name].expect_no_more()
        for bed in ward.beds.values():
            changes += bed.judge_anew(now_ms)
            ward._schedule(bed)
        ward._waiting = changes
        ward._await_roster(now_ms)
        return ward

    def _doubt_clock(self, event: Telemetry, ahead_ms: int, received_ms: int) -> None:
        bed = self.beds.get(event.bed)
        gap = None if bed is None else bed.chart.unwatched
        if gap is not None and gap.from_ms - self.limits.hold_back_ms <= event.time_ms <= gap.until_ms:
            return  # it waited at the broker until we were back
        side = "ahead of" if ahead_ms > 0 else "behind"
        told = f"{event.device}: {abs(ahead_ms) / 1000:g} s {side} its receipt"
        self.doubt(event.bed, event.device, Doubt.CLOCK, told, received_ms)

    def _doubt_identity(self, bed: str, device: str, time_ms: int, received_ms: int) -> None:
        """Note where and of when a device was heard; one serial on two beds at the same time: one of them is
        not what it says."""
        heard = self.devices.get(device)
        if heard is None:
            if len(self.devices) >= MOST_DEVICES:
                self._give_up_devices()
            self.devices[device] = Heard(bed, received_ms, time_ms)
            return
        last_bed, last_ms = heard.bed, heard.at_ms
        heard.bed, heard.at_ms = bed, received_ms
        if time_ms > heard.newest_ms:
            heard.newest_ms = time_ms
        if last_bed == bed or received_ms - last_ms > self.terms.identity_window_ms:
            return
        for each, other in ((bed, last_bed), (last_bed, bed)):
            self.doubt(each, device, Doubt.IDENTITY, f"{device} is also at {other}", received_ms)

    def _give_up_devices(self) -> None:
        """Those that are silent longest; who still knows where one was heard is to ask anew."""
        for device in sorted(self.devices, key=lambda name: self.devices[name].at_ms)[:GIVEN_UP_AT_ONCE]:
            self.devices.pop(device).bed = ""

    @property
    def gap_messages(self) -> int:
        """Messages that devices must have sent and that never came, over all beds."""
        return sum(bed.gap_messages for bed in self.beds.values())

    def open_alerts(self) -> dict[str, str]:
        """Every open alert's id, and its bed."""
        return {
            alert.alert_id: name
            for name, bed in self.beds.items()
            for alert in bed.alerts.values()
            if alert.open
        }

    def _await_roster(self, now_ms: int) -> None:
        """From this ward's first tick on, each bed of the roster is expected that was not expected before."""
        self._awaiting_roster = True
        for name in sorted(self.roster):
            bed = self._bed(name)
            if bed.chart.waiting_since_ms is None and bed.chart.freed is None:
                bed.chart.waiting_since_ms = now_ms
                self._waiting += bed.judge_anew(now_ms)
                self._schedule(bed)

    def _bed(self, name: str) -> Bed:
        bed = self.beds.get(name)
        if bed is None:
            bed = self.beds[name] = Bed.new(name, self.rules, self.terms, self.watermark_ms)
        return bed

    def _offer_ack(self, ack: Acknowledged, received_ms: int) -> Verdict:
        if ack.time_ms > received_ms + self.limits.future_ms:
            return Reason.FUTURE
        name = self.open_alerts().get(ack.alert_id)
        bed = None if name is None else self.beds[name]
        named = None if bed is None else bed.open_alert(ack.alert_id)
        if bed is None or named is None:
            return Reason.UNKNOWN_ALERT
        _, alert = named
        given_ms = min(ack.time_ms, received_ms)  # nobody has seen what is still to happen
        ack = replace(ack, time_ms=given_ms, told_ms=given_ms - self.limits.hold_back_ms)
        if not alert.meant_by(ack.time_ms, ack.told_ms):
            return Reason.ACK_OUTDATED
        bed.hold(ack, self._effective_ms(given_ms, received_ms), received_ms)
        self._schedule(bed)
        return Taken.ACCEPTED

    def _offer_context(self, event: PatientContext | BedFreed, received_ms: int) -> Verdict:
        """A context may be as old as it likes (it is retained); it holds from when we know of it."""
        if event.time_ms > received_ms + self.limits.future_ms:
            return Reason.FUTURE
        if event.bed not in self.beds:
            if isinstance(event, BedFreed):
                return Taken.ACCEPTED
            if len(self.beds) >= self.limits.beds and event.bed not in self.roster:
                return Reason.BEDS_FULL
        bed = self._bed(event.bed)
        if isinstance(event, PatientContext) and bed.supersedes(event):
            return Taken.LATE
        bed.hold(event, self._effective_ms(event.time_ms, received_ms), received_ms)
        self._schedule(bed)
        return Taken.ACCEPTED

    def _effective_ms(self, time_ms: int, received_ms: int) -> int:
        return max(time_ms, received_ms - self.limits.hold_back_ms, self.watermark_ms + 1)

    def _take_late(self, bed: Bed, event: Telemetry, received_ms: int) -> Taken:
        bed.advance(self.watermark_ms, self.lags_ms)
        bed.take_late(event)
        self._late[bed.name] = received_ms
        return Taken.LATE

    def _judge_late(self) -> None:
        """Before the clock moves on: what came late together is judged together, as of its receipt."""
        for name, received_ms in self._late.items():
            bed = self.beds[name]
            self._waiting += bed.judge_late(received_ms)
            self._schedule(bed)
        self._late.clear()

    def _schedule(self, bed: Bed) -> None:
        due_ms = bed.due_ms
        if bed.scheduled_ms != due_ms:
            bed.scheduled_ms = due_ms
            if due_ms < NEVER:
                heapq.heappush(self._due, (due_ms, bed.name))

    def _numbered(self, changes: list[Change]) -> list[Change]:
        changes.sort(key=lambda change: (change.time_ms, change.bed))
        numbered = []
        for change in changes:
            self.feed_seq += 1
            numbered.append(replace(change, feed_seq=self.feed_seq, ruleset=self.ruleset))
        return numbered

    # keeping it

    def snapshot(self, base_ms: int | None = None) -> dict[str, Any]:
        """All state as plain values. Taken between ticks, when nothing waits to be announced.

        With the clock of an earlier one it leaves out the pressures that can't have changed since then."""
        assert not self._late, "late messages are waiting for a tick"
        assert not self._waiting, "announcements are waiting for a tick"
        newer_than_ms = None if base_ms is None else base_ms - self._most_late_ms - 1
        return {
            "version": SNAPSHOT_VERSION,
            "newer_than_ms": newer_than_ms,
            "clock_ms": self.clock_ms,
            "judged_ms": None if self.clock_ms is None else self.watermark_ms,
            "feed_seq": self.feed_seq,
            "devices": {
                device: [last.bed, last.at_ms, last.newest_ms] for device, last in self.devices.items()
            },
            "beds": {name: bed.snapshot(newer_than_ms) for name, bed in self.beds.items()},
            "remembered": {name: bed.remembered.snapshot() for name, bed in self.beds.items()},
        }

    @property
    def _most_late_ms(self) -> int:
        """No pressure enters a chart that is further behind the clock: it came late, or it waited for others,
        of which the first may have been ahead of its receipt and the next as far behind as the hold-back."""
        limits = self.limits
        return max(limits.lateness_ms, PATIENCE_MS + limits.future_ms + 2 * limits.hold_back_ms)

    def restore(self, kept: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> None:
        """Take over what `snapshot` gave; `base` holds the beds of the one that it goes on from."""
        if kept["version"] != SNAPSHOT_VERSION:
            raise ValueError(f"snapshot version {kept['version']}, this program reads {SNAPSHOT_VERSION}")
        self.clock_ms, self.feed_seq = kept["clock_ms"], kept["feed_seq"]
        if kept["judged_ms"] is not None:
            self._judged_ms = kept["judged_ms"]
        self.devices = {device: Heard(*last) for device, last in kept["devices"].items()}
        for name, entry in kept["beds"].items():
            bed = self._bed(name)
            if base is not None and name in base:
                entry = completed(entry, base[name], kept["newer_than_ms"])
            bed.restore(entry)
            bed.remembered.restore(kept["remembered"][name])
            self._schedule(bed)
