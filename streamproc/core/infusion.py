"""Every pump channel of one stay, and what its drugs deliver over event time.

Channels of one drug add up. A channel that falls silent while it may run delivers an *unknown*
amount, never 0; a report that comes late fills only the time that no other report covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from streamproc.core.course import Course
from streamproc.core.dose import (
    NOTHING,
    PAUSED_UNHEARD,
    Dose,
    DoseUnknown,
    Flow,
    dose_of,
    flow_of,
    not_known,
    total,
)
from streamproc.core.events import PumpState, PumpStatus
from streamproc.core.finding import NEVER
from streamproc.core.kept import event_of, kept_of
from streamproc.core.pressure import Cadence
from streamproc.core.terms import Terms
from streamproc.core.titration import Titration

NEARLY = 1e-9
"""By this part a float may be beside the charted figure that it stands for, and more."""


@dataclass(slots=True)
class Channel:
    """One pump channel: what it last said, and how often it speaks."""

    status: PumpStatus
    cadence: Cadence = field(default_factory=Cadence)
    lost: bool = False
    bag_asked_ml: float | None = None
    """The volume at which the answer about its bag turns that was given last. Not kept: after a restart the
    next report asks again."""

    @property
    def heard_ms(self) -> int:
        """When it last spoke."""
        assert self.cadence.last_ms is not None, "a channel is one that has spoken"
        return self.cadence.last_ms

    def loss_due_ms(self, terms: Terms) -> int:
        """When its silence becomes a loss of contact."""
        interval_ms = self.cadence.interval_ms(terms.pump_interval_ms)
        return self.heard_ms + max(terms.lost_intervals * interval_ms, terms.pump_lost_ms)

    def empties_unnoticed(self, before: PumpStatus) -> bool:
        """Whether what its bag has lost since then, at the same rate, turned no answer."""
        then, now, asked = before.volume_remaining_ml, self.status.volume_remaining_ml, self.bag_asked_ml
        if then is None or now is None or asked is None:
            return False
        return min(then, now) > asked * (1 + NEARLY) or max(then, now) < asked * (1 - NEARLY)

    @property
    def infusing(self) -> bool:
        """Whether it last reported `infusing`, heard or lost."""
        return self.status.state is PumpState.INFUSING

    @property
    def may_run_unheard(self) -> bool:
        """Whether drug may flow without our hearing; one that said it stopped is taken at its word."""
        return self.status.state in (PumpState.INFUSING, PumpState.PAUSED, PumpState.KVO)

    @property
    def is_put_away_in_time(self) -> bool:
        """Whether it alarms, and will do so no more once it has been silent: each report puts that off."""
        return len(self.status.alarms) > 0 and not self.may_run_unheard

    def is_put_away(self, at_ms: int, terms: Terms) -> bool:
        """Whether it said that it stopped, and has been silent for so long that it no longer speaks for
        the present."""
        return not self.may_run_unheard and at_ms >= self.loss_due_ms(terms)


@dataclass(slots=True)
class Stretch:
    """A flow of one channel: from when, and until when reports confirmed it."""

    since_ms: int
    confirmed_ms: int
    flow: Flow


@dataclass(slots=True)
class Delivery:
    """One drug: the flow of each of its channels, and the dose that they add up to."""

    titration: Titration
    channels: dict[str, list[Stretch]] = field(default_factory=dict)
    changed_from_ms: int | None = None

    def confirm(self, channel: str, time_ms: int) -> None:
        """The channel still delivers what it did."""
        stretches = self.channels.get(channel)
        if stretches and stretches[-1].confirmed_ms < time_ms:
            stretches[-1].confirmed_ms = time_ms

    def deliver(self, channel: str, time_ms: int, flow: Flow) -> None:
        """The channel delivers this from `time_ms` on, at its own place in history."""
        stretches = self.channels.setdefault(channel, [])
        if stretches and time_ms < stretches[-1].confirmed_ms:
            self._fill_gap(stretches, time_ms, flow)
            return
        if stretches and stretches[-1].flow == flow:
            stretches[-1].confirmed_ms = time_ms
            return
        if stretches and stretches[-1].since_ms == time_ms:
            stretches.pop()
        stretches.append(Stretch(time_ms, time_ms, flow))
        self._forget(stretches, time_ms - self.titration.retention_ms)
        self._changed(time_ms)

    def regain(self, channel: str, time_ms: int) -> None:
        """The channel was heard at `time_ms`: a loss that was noted for later never was."""
        stretches = self.channels[channel]
        newest = stretches[-1]
        if newest.since_ms > time_ms and newest.flow.unknown is DoseUnknown.CONTACT_LOST:
            stretches.pop()
            self._changed(newest.since_ms)

    def _fill_gap(self, stretches: list[Stretch], time_ms: int, flow: Flow) -> None:
        """A late report; where other reports surround it, theirs stand."""
        index = next((i for i, s in enumerate(stretches) if s.since_ms > time_ms), len(stretches))
        if index == len(stretches) or (index and stretches[index - 1].confirmed_ms >= time_ms):
            return
        stretches.insert(index, Stretch(time_ms, time_ms, flow))
        self._changed(time_ms)

    def _changed(self, time_ms: int) -> None:
        first_ms = self.changed_from_ms
        self.changed_from_ms = time_ms if first_ms is None else min(first_ms, time_ms)

    def settle(self) -> bool:
        """Once all reports of an instant are in: add the channels up; True if anything changed.

        Never between two reports of one instant: in a hand-over the dose would read 0."""
        from_ms, self.changed_from_ms = self.changed_from_ms, None
        if from_ms is None:
            return False
        newest = self.titration.now
        last_ms = max(stretches[-1].since_ms for stretches in self.channels.values())
        if last_ms <= from_ms and (newest is None or from_ms > newest.since_ms):
            self.titration.enter(dose_of(from_ms, self._total(from_ms)))
        else:
            self._rewrite(from_ms)
        return True

    def _rewrite(self, from_ms: int) -> None:
        later = {s.since_ms for stretches in self.channels.values() for s in stretches}
        instants = sorted({ms for ms in later if ms >= from_ms} | {from_ms})
        self.titration.replace_from(from_ms, [dose_of(ms, self._total(ms)) for ms in instants])

    def _total(self, at_ms: int) -> Flow:
        flows = [flow for stretches in self.channels.values() if (flow := _flow_at(stretches, at_ms))]
        return total(flows or [NOTHING])

    @staticmethod
    def _forget(stretches: list[Stretch], before_ms: int) -> None:
        if len(stretches) > 64 and stretches[32].since_ms <= before_ms:
            del stretches[:32]


def _flow_at(stretches: list[Stretch], at_ms: int) -> Flow | None:
    for stretch in reversed(stretches):
        if stretch.since_ms <= at_ms:
            return stretch.flow
    return None


@dataclass(slots=True)
class Infusions:
    """Every channel of one stay, and each drug's dose over time."""

    terms: Terms
    channels: dict[str, Channel] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    weight_kg: float | None = None
    weight_since_ms: int | None = None
    loss_asked_ms: int = 0
    """When it is next to be seen whether contact is lost; no channel is lost sooner."""
    unsettled: bool = True
    """Whether anything was delivered that is not added up yet."""

    def take(self, status: PumpStatus) -> None:
        """Enter a channel's report; one older than the newest only enters the history."""
        channel = self.channels.get(status.channel)
        asked_ms = status.time_ms + self.terms.pump_lost_ms
        if asked_ms < self.loss_asked_ms:
            self.loss_asked_ms = asked_ms
        if channel is None:
            channel = self.channels[status.channel] = Channel(status)
            channel.cadence.heard(status.time_ms, self.terms.pump_interval_max_ms)
            self._follow(status)
            return
        channel.cadence.heard(status.time_ms, self.terms.pump_interval_max_ms)
        before = channel.status
        if status.time_ms < before.time_ms:
            self._follow(status)
            self._make_way(status, before.drug)
            return
        channel.status = status
        if not channel.lost and status.delivers_as(before):
            self.delivery(status.drug).confirm(status.channel, status.time_ms)
            return
        if channel.lost:
            self.delivery(before.drug).regain(status.channel, status.time_ms)
        channel.lost = False
        if before.drug != status.drug:
            self._deliver(before.drug, status.channel, status.time_ms, NOTHING)
        self._follow(status)

    def go_on(self, times_ms: Sequence[int], last: PumpStatus) -> None:
        """Enter a channel's reports of these instants, each of which repeats the one before, and the last."""
        self.loss_asked_ms = min(self.loss_asked_ms, times_ms[0] + self.terms.pump_lost_ms)
        channel = self.channels[last.channel]
        channel.cadence.heard_together(times_ms, self.terms.pump_interval_max_ms)
        channel.status = last
        self.delivery(last.drug).confirm(last.channel, last.time_ms)

    def put_off(self) -> None:
        """Ask of no channel's loss before the first may be lost."""
        heard = [each for each in self.channels.values() if not each.lost and each.may_run_unheard]
        self.loss_asked_ms = min([each.loss_due_ms(self.terms) for each in heard], default=NEVER)

    def _make_way(self, late: PumpStatus, drug: str) -> None:
        """A late report of another drug than the channel's present one ends where that one goes on."""
        if late.drug == drug:
            return
        newest_ms = self.channels[late.channel].status.time_ms
        present = self.delivery(drug).channels[late.channel]
        begins = [stretch.since_ms for stretch in present if stretch.since_ms >= late.time_ms]
        self._deliver(late.drug, late.channel, min(begins, default=newest_ms), NOTHING)

    def weigh(self, weight_kg: float | None, time_ms: int) -> None:
        """From now on the patient's weight is this; the past is not computed again."""
        if weight_kg == self.weight_kg:
            return
        self.weight_kg, self.weight_since_ms = weight_kg, time_ms
        for channel in self.channels.values():
            if not channel.lost:
                status = channel.status
                self._deliver(status.drug, status.channel, time_ms, self._flow(status))

    def settle(self) -> bool:
        """Add up what changed in this instant; True if a dose may have changed."""
        self.unsettled = False
        return any([delivery.settle() for delivery in self.deliveries.values()])

    def lose_contact(self, at_ms: int) -> bool:
        """Mark every channel whose silence has lasted too long; its dose is unknown from then on. True if
        there is any."""
        any_lost, self.loss_asked_ms = False, NEVER
        for channel in self.channels.values():
            if channel.lost or not channel.may_run_unheard:
                continue
            due_ms = channel.loss_due_ms(self.terms)
            if at_ms < due_ms:
                self.loss_asked_ms = min(self.loss_asked_ms, due_ms)
                continue
            any_lost = channel.lost = True
            lost = not_known(DoseUnknown.CONTACT_LOST) if channel.infusing else PAUSED_UNHEARD
            self._deliver(channel.status.drug, channel.status.channel, due_ms, lost)
        return any_lost

    def delivery(self, drug: str) -> Delivery:
        """What is delivered of a drug; an empty history if it was never heard of."""
        known = self.deliveries.get(drug)
        if known is None:
            terms = self.terms
            course = Course(terms.changeover_grace_ms, terms.dose_retention_ms, terms.dose_change_tolerance)
            titration = Titration(
                terms.dose_retention_ms, terms.peak_span_ms, terms.dose_change_tolerance, course
            )
            known = self.deliveries[drug] = Delivery(titration)
        return known

    def titration(self, drug: str) -> Titration:
        """The drug's dose over time."""
        return self.delivery(drug).titration

    def course(self, drug: str) -> Course:
        """How the drug's infusion has gone."""
        course = self.titration(drug).course
        assert course is not None, "every delivery has a course"
        return course

    def running(self, drug: str | None = None) -> list[Channel]:
        """Channels (of one drug, or of any) that last reported `infusing`, heard or lost, by name."""
        channels = sorted(self.channels.items())
        return [c for _, c in channels if c.infusing and drug in (None, c.status.drug)]

    def reasons_unknown(self, drug: str) -> list[DoseUnknown]:
        """Why the dose of infusing channels cannot be told, in order of channel; empty if all can."""
        reasons = []
        for channel in self.running(drug):
            flow = not_known(DoseUnknown.CONTACT_LOST) if channel.lost else self._flow(channel.status)
            if flow.unknown is not None:
                reasons.append(flow.unknown)
        return reasons

    def dose(self, drug: str) -> Dose | None:
        """The drug's present dose; None if it was never heard of."""
        known = self.deliveries.get(drug)
        return known.titration.now if known else None

    def _follow(self, status: PumpStatus) -> None:
        self._deliver(status.drug, status.channel, status.time_ms, self._flow(status))

    def _deliver(self, drug: str, channel: str, time_ms: int, flow: Flow) -> None:
        self.delivery(drug).deliver(channel, time_ms, flow)
        self.unsettled = True

    def _flow(self, status: PumpStatus) -> Flow:
        return flow_of(status, self.weight_kg, self.terms.drugs[status.drug], self.terms)

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values; fractions as text."""
        return {
            "weight": [self.weight_kg, self.weight_since_ms],
            "channels": {
                name: [kept_of(channel.status), channel.cadence.snapshot(), channel.lost]
                for name, channel in self.channels.items()
            },
            "deliveries": {
                drug: {
                    "doses": delivery.titration.snapshot(),
                    "channels": {
                        name: [[s.since_ms, s.confirmed_ms, *_flow_text(s.flow)] for s in stretches]
                        for name, stretches in delivery.channels.items()
                    },
                }
                for drug, delivery in self.deliveries.items()
            },
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.weight_kg, self.weight_since_ms = kept["weight"]
        self.channels = {}
        for name, (status, cadence, lost) in kept["channels"].items():
            self.channels[name] = Channel(event_of(status), lost=lost)
            self.channels[name].cadence.restore(cadence)
        self.deliveries = {}
        for drug, entry in kept["deliveries"].items():
            delivery = self.delivery(drug)
            delivery.titration.restore(entry["doses"])
            delivery.channels = {
                name: [Stretch(since, confirmed, _flow_from(text)) for since, confirmed, *text in stretches]
                for name, stretches in entry["channels"].items()
            }


def _flow_text(flow: Flow) -> list[str | None]:
    return [*map(_text, (flow.per_min, flow.per_kg_min)), flow.unknown, _text(flow.unless_resumed)]


def _text(amount: Fraction | None) -> str | None:
    return None if amount is None else str(amount)


def _flow_from(text: list[str | None]) -> Flow:
    each, per_kg, why, unless_resumed = text
    amounts = [None if amount is None else Fraction(amount) for amount in (each, per_kg, unless_resumed)]
    return Flow(amounts[0], amounts[1], DoseUnknown(why) if why else None, amounts[2])
