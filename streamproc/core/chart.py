"""What is known of one bed's stay at one instant: the paper that every rule reads.

A rule asks it questions from a closed set and gets findings; it never sees events. Nothing in
here decides whether anything is an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Final

from streamproc.core.alert import Alert, Kind
from streamproc.core.course import Course
from streamproc.core.dose import NANO, SENTENCES, Dose, exact
from streamproc.core.events import (
    MILLI,
    Doubt,
    Doubted,
    MapSample,
    Observation,
    ObservationKind,
    PatientContext,
    Profile,
    PumpStatus,
)
from streamproc.core.finding import NEVER, Finding, found, negated, unknown
from streamproc.core.infusion import Infusions
from streamproc.core.observations import Observations
from streamproc.core.pressure import Pressure
from streamproc.core.terms import Terms
from streamproc.core.titration import Titration
from streamproc.core.trend import SampleId, Trend

MOST_SYSTOLIC_MILLI = 400 * MILLI
"""Above what the door lets in."""


class Reads:
    """What a rule reads, as a set of bits; it is judged again when one of these has changed, or when
    its time comes. Plain numbers: an enum's `&` would cost more than most rules."""

    NOTHING: Final = 0
    MAP: Final = 1
    DOSE: Final = 2
    PUMPS: Final = 4
    CONTEXT: Final = 8
    ALERTS: Final = 16
    PRESENCE: Final = 32
    OBSERVATIONS: Final = 64
    DOUBTS: Final = 128
    VOLUME: Final = 256
    EVERYTHING: Final = 511


def milli(mmhg: float) -> int:
    """A configured pressure in the thousandths that pressures are kept in."""
    return _scaled(mmhg, MILLI)


def nano(amount: float) -> int:
    """A configured dose in the 1e-9 that doses are kept in."""
    return _scaled(amount, NANO)


@lru_cache(maxsize=512)
def _scaled(value: float, scale: int) -> int:
    return round(exact(value) * scale)


def ms(seconds: float) -> int:
    """A configured time in ms."""
    return _scaled(seconds, 1000)


@dataclass(slots=True)
class Chart:
    """One bed's stay: context, pressures, infusions, open alerts, and the instant it is read at."""

    terms: Terms
    bed: str
    now_ms: int
    waiting_since_ms: int | None = None
    heard_ms: int | None = None
    context: PatientContext | None = None
    pressure: Pressure = field(init=False)
    systolic: Trend = field(init=False)
    infusions: Infusions = field(init=False)
    observations: Observations = field(init=False)
    doubts: dict[Doubt, Doubted] = field(default_factory=dict)
    gap: tuple[int, int] | None = None
    """When messages were last found missing, and how many."""
    alerts: dict[str, Alert] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    spells: dict[str, int] = field(default_factory=dict)
    below_target_ms: int = 0

    def __post_init__(self) -> None:
        self.pressure = Pressure(self.terms)
        self.systolic = Trend(self.terms.map_retention_ms, 0, MOST_SYSTOLIC_MILLI)
        self.infusions = Infusions(self.terms)
        self.observations = Observations(self.terms.observation_retention_ms)

    # what happens to it

    def move_to(self, now_ms: int) -> None:
        """Let time pass up to an instant, counting how long the pressure was below target."""
        value = self.pressure.trend.now(self.now_ms)
        if value is not None and value < self.target_milli:
            held_until_ms = min(now_ms, self.pressure.trend.holds_until(self.now_ms))
            self.below_target_ms += max(0, held_until_ms - self.now_ms)
        self.now_ms = now_ms

    def take_map(self, sample: MapSample) -> int:
        """Enter a MAP sample."""
        first = self._heard(sample.time_ms)
        self.pressure.take(sample)
        return Reads.MAP | first

    def take_pump(self, status: PumpStatus) -> int:
        """Enter a pump report; one that repeats the last says nothing new."""
        first = self._heard(status.time_ms)
        channel = self.infusions.channels.get(status.channel)
        before = None if channel is None else (channel.status, channel.lost)
        self.infusions.take(status)
        channel = self.infusions.channels[status.channel]
        return first | _changed_by(before, channel.status, channel.lost)

    def take_context(self, context: PatientContext) -> int:
        """From now on the patient is as this says."""
        self.context = context
        self.infusions.weigh(context.weight_kg, self.now_ms)
        return Reads.CONTEXT

    def take_observation(self, observation: Observation) -> int:
        """Enter an observation; systolic pressures also keep a trend."""
        first = self._heard(observation.time_ms)
        self.observations.take(observation)
        if observation.kind is ObservationKind.SYSTOLIC and isinstance(observation.value, float | int):
            sample = SampleId(observation.device, observation.boot, observation.seq)
            value = milli(observation.value)
            self.systolic.add(observation.time_ms, value, self.terms.systolic_hold_ms, sample)
        return Reads.OBSERVATIONS | first

    def take_doubt(self, doubted: Doubted) -> int:
        """Remember what the ward noticed about this bed's messages."""
        self.doubts[doubted.doubt] = doubted
        return Reads.DOUBTS

    def miss(self, messages: int) -> int:
        """Messages of a device are missing by their sequence."""
        self.gap = (self.now_ms, messages)
        return Reads.DOUBTS

    def settle(self) -> int:
        """Once an instant's events are in: contacts lost by now, and doses added up."""
        lost = self.infusions.next_loss_ms(NEVER) <= self.now_ms
        if lost:
            self.infusions.lose_contact(self.now_ms)
        changed = self.infusions.settle()
        return (Reads.PUMPS if lost else Reads.NOTHING) | (Reads.DOSE if changed else Reads.NOTHING)

    def _heard(self, time_ms: int) -> int:
        if self.heard_ms is None:
            self.heard_ms = time_ms
            return Reads.PRESENCE
        return Reads.NOTHING

    # what it tells

    @property
    def target_milli(self) -> int:
        """The patient's MAP target, or the site's."""
        own = self.context.map_target_milli_mmhg if self.context else None
        return self.terms.map_target_milli if own is None else own

    @property
    def profile(self) -> Profile:
        """The patient's profile; `general` where nobody said."""
        return self.context.profile if self.context else Profile.GENERAL

    @property
    def norepinephrine(self) -> Titration:
        """The titrated drug's dose over time."""
        return self.infusions.titration(self.terms.titrated_drug)

    @property
    def course(self) -> Course:
        """How the titrated drug's infusion has gone."""
        return self.infusions.course(self.terms.titrated_drug)

    @property
    def dose(self) -> Dose | None:
        """The titrated drug's present dose; None if no pump of it was heard."""
        return self.infusions.dose(self.terms.titrated_drug)

    def mean_map_below(self, limit_milli: int, window_s: int) -> Finding:
        """Whether the time-weighted mean MAP of the window is below the limit."""
        return self.pressure.trend.mean_below(
            f"TWA({window_s // 60} min)", limit_milli, self.now_ms, ms(window_s), self.terms.coverage_min
        )

    def map_below(self, limit_milli: int) -> Finding:
        """Whether the MAP that holds now is below the limit."""
        return self.pressure.below(limit_milli, self.now_ms)

    def map_at_least(self, limit_milli: int) -> Finding:
        """Whether the MAP that holds now is at or above the limit."""
        return self.pressure.at_least(limit_milli, self.now_ms)

    def map_silent_for(self, limit_ms: int, since_ms: int | None = None) -> Finding:
        """Whether no valid MAP has come for so long."""
        return self.pressure.silent_for(limit_ms, self.now_ms, since_ms)

    def map_heard(self) -> Finding:
        """Whether the MAP signal is not lost: what no longer comes may not end an alert."""
        return negated(self.map_silent_for(self.pressure.loss_ms(self.terms.map_lost_ms)))

    def dose_at_least(self, limit: float) -> Finding:
        """Whether the dose (mcg/kg/min) is at or above the limit; exact at it."""
        return self._dose_compared(limit, at_least=True)

    def dose_below(self, limit: float) -> Finding:
        """Whether the dose (mcg/kg/min) is below the limit."""
        return self._dose_compared(limit, at_least=False)

    def _dose_compared(self, limit: float, *, at_least: bool) -> Finding:
        dose = self.dose
        if dose is None:
            return unknown("dose", "no norepinephrine pump was heard")
        if dose.per_kg_nano is None:
            return unknown("dose", why_unknown(dose))
        holds = (dose.per_kg_nano >= nano(limit)) == at_least
        return found("dose", holds, value=dose.per_kg_nano / NANO, limit=limit, unit="ug/kg/min")

    def on_norepinephrine(self) -> Finding:
        """Whether the dose is known and above 0."""
        dose = self.dose
        if dose is None:
            return found("on norepinephrine", False)
        if dose.per_kg_nano is None:
            return unknown("on norepinephrine", why_unknown(dose))
        return found("on norepinephrine", dose.per_kg_nano > 0, value=dose.per_kg_nano / NANO)

    def on_vasopressor(self) -> Finding:
        """Whether norepinephrine flows, or a channel of it last reported `infusing`."""
        dose = self.dose
        flows = dose is not None and bool(dose.per_min_nano or dose.per_kg_nano)
        running = bool(self.infusions.running(self.terms.titrated_drug))
        return found("on vasopressor", flows or running)

    def mean_systolic_below(self, limit_milli: int, window_s: int) -> Finding:
        """Whether the time-weighted mean systolic pressure of the window is below the limit."""
        name = f"systolic TWA({window_s // 60} min)"
        return self.systolic.mean_below(name, limit_milli, self.now_ms, ms(window_s), self.terms.coverage_min)

    def doubt_within(self, doubt: Doubt, for_ms: int) -> Finding:
        """Whether something of the kind was noticed in the last `for_ms`."""
        last = self.doubts.get(doubt)
        if last is None or self.now_ms >= last.time_ms + for_ms:
            return found(doubt.value, False)
        return found(doubt.value, True, last.time_ms + for_ms, last.detail)

    def per_min_above(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at more than a rate in mcg/min (U/min for drugs dosed in units)."""
        return self._flow_above(drug, limit, per_kg=False)

    def per_kg_min_above(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at more than a rate in mcg/kg/min."""
        return self._flow_above(drug, limit, per_kg=True)

    def per_kg_min_at_least(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at or above a rate in mcg/kg/min."""
        dose = self.infusions.dose(drug)
        if dose is None:
            return found(drug, False, value=0, limit=limit)
        if dose.per_kg_nano is None:
            return unknown(drug, why_unknown(dose))
        return found(drug, dose.per_kg_nano >= nano(limit), value=dose.per_kg_nano / NANO, limit=limit)

    def under(self, profile: Profile) -> Finding:
        """Whether the patient's profile is this one."""
        return found(f"profile {profile}", self.profile is profile, value=str(self.profile))

    def _flow_above(self, drug: str, limit: float, *, per_kg: bool) -> Finding:
        dose = self.infusions.dose(drug)
        if dose is None:
            return found(drug, False, value=0, limit=limit)
        amount = dose.per_kg_nano if per_kg else dose.per_min_nano
        if amount is None:
            return unknown(drug, why_unknown(dose))
        return found(drug, amount > nano(limit), value=amount / NANO, limit=limit)

    def infuses(self, drug: str) -> Finding:
        """Whether a drug flows, or a pump of it last reported `infusing`."""
        dose = self.infusions.dose(drug)
        flows = dose is not None and bool(dose.per_min_nano or dose.per_kg_nano)
        return found(f"{drug} infuses", flows or bool(self.infusions.running(drug)))

    def drug_per_min_at_least(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at or above a rate in mcg/min (U/min for drugs dosed in units)."""
        dose = self.infusions.dose(drug)
        if dose is None:
            return found(drug, False, value=0, limit=limit)
        if dose.per_min_nano is None:
            return unknown(drug, why_unknown(dose))
        return found(drug, dose.per_min_nano >= nano(limit), value=dose.per_min_nano / NANO, limit=limit)

    def unbroken(self, name: str, finding: Finding, for_s: int) -> Finding:
        """Whether a finding has been met without interruption for so long; unknown interrupts it."""
        if not finding.met:
            self.spells.pop(name, None)
            return Finding(finding.state, finding.until_ms, finding.clauses)
        since_ms = self.spells.setdefault(name, self.now_ms)
        due_ms = since_ms + ms(for_s)
        long_enough = self.now_ms >= due_ms
        until_ms = finding.until_ms if long_enough else min(due_ms, finding.until_ms)
        lasted_s = (self.now_ms - since_ms) / 1000
        return found(f"{name}, unbroken", long_enough, until_ms, lasted_s, for_s, "s")

    def no_open_alarm(self) -> Finding:
        """Whether no physiological or technical alert of the bed is open."""
        open_now = sorted(
            rule
            for rule, alert in self.alerts.items()
            if alert.open and self.kinds[rule] is not Kind.ADVISORY
        )
        return found("no open alarm", not open_now, value=", ".join(open_now) or "none")

    def alert(self, rule: str) -> Alert:
        """A rule's alert on this bed, whatever its stage."""
        return self.alerts[rule]

    # keeping it

    def snapshot(self) -> dict[str, Any]:
        """All state but the alerts, as plain JSON values."""
        return {
            "now_ms": self.now_ms,
            "waiting_since_ms": self.waiting_since_ms,
            "heard_ms": self.heard_ms,
            "context": self.context and asdict(self.context),
            "pressure": self.pressure.snapshot(),
            "systolic": self.systolic.snapshot(),
            "infusions": self.infusions.snapshot(),
            "observations": self.observations.snapshot(),
            "doubts": [[d.time_ms, d.bed, d.device, d.doubt, d.detail] for d in self.doubts.values()],
            "gap": self.gap,
            "spells": self.spells,
            "below_target_ms": self.below_target_ms,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.now_ms, self.heard_ms = kept["now_ms"], kept["heard_ms"]
        self.waiting_since_ms = kept["waiting_since_ms"]
        if kept["context"]:
            context = dict(kept["context"])
            self.context = PatientContext(**{**context, "profile": Profile(context["profile"])})
        self.pressure.restore(kept["pressure"])
        self.systolic.restore(kept["systolic"])
        self.infusions.restore(kept["infusions"])
        self.observations.restore(kept["observations"])
        for time_ms, bed, device, doubt, detail in kept["doubts"]:
            self.doubts[Doubt(doubt)] = Doubted(time_ms, bed, device, Doubt(doubt), detail)
        self.gap = kept["gap"] and (kept["gap"][0], kept["gap"][1])
        self.spells = dict(kept["spells"])
        self.below_target_ms = kept["below_target_ms"]


def why_unknown(dose: Dose) -> str:
    """The sentence for why a dose is unknown."""
    return SENTENCES[dose.unknown] if dose.unknown else "only the weight is missing"


def _changed_by(before: tuple[PumpStatus, bool] | None, status: PumpStatus, lost: bool) -> int:
    """What is new in a channel's report, its dose left aside."""
    if before is None:
        return Reads.PUMPS | Reads.VOLUME
    last, was_lost = before
    moved = (last.volume_remaining_ml, last.rate) != (status.volume_remaining_ml, status.rate)
    same = was_lost is lost and _setup(last) == _setup(status)
    return (Reads.VOLUME if moved else Reads.NOTHING) | (Reads.NOTHING if same else Reads.PUMPS)


def _setup(status: PumpStatus) -> tuple[object, ...]:
    """How a channel is set up, but for what runs through it."""
    return (
        status.state,
        status.drug,
        status.alarms,
        status.concentration,
        status.diluent,
        status.route,
        status.line,
        status.weight_kg,
    )
