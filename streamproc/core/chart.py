"""What is known of one bed's stay at one instant: the paper that every rule reads.

A rule asks it questions from a closed set and gets findings; it never sees events. Nothing in
here decides whether anything is an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    Unwatched,
)
from streamproc.core.finding import NEVER, Finding, found, negated, unknown
from streamproc.core.infusion import Channel, Infusions
from streamproc.core.kept import event_of, kept_of
from streamproc.core.observations import Observations
from streamproc.core.opening import Opening, opening_of
from streamproc.core.pressure import NEVER_YET, Cadence, Pressure
from streamproc.core.sight import DOSE, MONITOR_NOW, PATIENT, Of, sight
from streamproc.core.terms import Terms
from streamproc.core.titration import Titration
from streamproc.core.trend import Trend, part_ms

ADULT = "adult"
MOST_SYSTOLIC_MILLI = 400 * MILLI
"""Above what the door lets in."""


RUNS = {True: "runs", False: "does not run"}
OPEN = {True: "open", False: "not open"}

BASELINE, BASELINE_OF = "MAP before the infusion", "infusion that this MAP came before"


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
    """But those that monitors send by themselves: a rule that reads such a kind declares it."""
    DOUBTS: Final = 128
    VOLUME: Final = 256
    SYSTOLIC: Final = 512
    UNWATCHED: Final = 1024
    """A time that nobody watched: news to the rules that measure a silence, or tell of it."""
    EVERYTHING: Final = 2047
    ORDINARY: Final = 2048
    """An ordinary MAP sample: news only to answers that are not firm; no rule declares it."""
    CROSSED: Final = 4096
    """And one on another side of a limit that an answer is firm by; no rule declares it."""
    ANY_NEWS: Final = EVERYTHING | CROSSED


NEWS_OF = {ObservationKind.SYSTOLIC: Reads.SYSTOLIC, ObservationKind.HEART_RATE: Reads.NOTHING}
"""What comes each second from a monitor is news to the rules that read it alone; none reads heart rates."""


@lru_cache(maxsize=512)
def milli(mmhg: float) -> int:
    """A configured pressure in the thousandths that pressures are kept in."""
    return round(exact(mmhg) * MILLI)


@lru_cache(maxsize=512)
def nano(amount: float) -> int:
    """A configured dose in the 1e-9 that doses are kept in."""
    return round(exact(amount) * NANO)


@lru_cache(maxsize=512)
def ms(seconds: float) -> int:
    """A configured time in ms."""
    return round(exact(seconds) * 1000)


@lru_cache(maxsize=64)
def mean_below_named(window_s: int) -> str:
    """What the clause of a mean is called."""
    return f"TWA({window_s // 60} min) below"


@lru_cache(maxsize=256)
def open_or_not(rule: str, is_open: bool) -> Finding:
    """That a rule's alert is open, or that it is not: the same finding each time."""
    return found(f"{rule} open", is_open, value=OPEN[is_open], saw=sight(Of.ALERTS, rule))


@lru_cache(maxsize=256)
def none_open_but(alarms: tuple[str, ...]) -> Finding:
    """Whether no alarm is open, where these are: the same finding each time."""
    return found("no open alarm", not alarms, value=", ".join(alarms) or "none", saw=sight(Of.ALERTS))


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of a device that must have been sent and never came: when that was noticed, and how many."""

    noticed_ms: int
    device: str
    messages: int


@dataclass(slots=True)
class Chart:
    """One bed's stay: context, pressures, infusions, open alerts, and the instant it is read at."""

    terms: Terms
    bed: str
    now_ms: int
    waiting_since_ms: int | None = None
    heard_ms: int | None = None
    """The first word of the bed."""
    stay_heard_ms: int | None = None
    """The first word of this stay."""
    context: PatientContext | None = None
    target_milli: int = field(init=False)
    """The patient's MAP target, or the site's."""
    pressure: Pressure = field(init=False)
    systolic: Trend = field(init=False)
    systolic_cadence: Cadence = field(default_factory=Cadence)
    line_asked_ms: int = 0
    """When it is next to be seen whether the line still goes on."""
    infusions: Infusions = field(init=False)
    observations: Observations = field(init=False)
    doubts: dict[Doubt, Doubted] = field(default_factory=dict)
    word_awaited: bool = False
    """An answer about a doubt waits for the next word of the bed. Not kept: after a restart the first word is
    news."""
    gap: Gap | None = None
    unwatched: Unwatched | None = None
    last_heard_ms: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)
    open_alerts: dict[str, Alert] = field(default_factory=dict)
    """Those of them that are open, in the same order: few, where `alerts` are many."""
    open_alarms: tuple[str, ...] = ()
    """The rules of those that are physiological or technical, in the order of their names."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    spells: dict[str, int] = field(default_factory=dict)
    opened: Opening | None = None
    noted: dict[str, int] = field(default_factory=dict)
    """Figures that rules keep while an alert is open: a dose before a leap, a pressure before an infusion."""
    below_target_ms: int = 0
    opened_ms: int | None = None
    """When the stay took over from another; what was sent before that is not this patient's."""
    freed: tuple[str, int] | None = None
    """The session that ended last, and when, while nobody lies here."""

    def __post_init__(self) -> None:
        self.target_milli = self.terms.map_target_milli
        self.pressure = Pressure(self.terms)
        self.systolic = Trend(self.terms.map_retention_ms, 0, MOST_SYSTOLIC_MILLI, Of.SYSTOLIC)
        self.infusions = Infusions(self.terms)
        self.observations = Observations(self.terms.observation_retention_ms)

    # what happens to it

    def expect_devices(self) -> None:
        """A patient was admitted: somebody is to be heard from this bed, whoever was heard before."""
        self.waiting_since_ms = self.now_ms

    @property
    def counts_time_below_target(self) -> bool:
        """Whether the pressure may be below target, so that each sample's time counts for itself."""
        return self.pressure.trend.lowest < self.target_milli

    def move_to(self, now_ms: int) -> None:
        """Let time pass up to an instant, counting how long the pressure was below target."""
        trend = self.pressure.trend
        if trend.lowest < self.target_milli:
            value = trend.now(self.now_ms)
            if value is not None and value < self.target_milli:
                held_until_ms = min(now_ms, trend.holds_until(self.now_ms))
                self.below_target_ms += held_until_ms - self.now_ms
        self.now_ms = now_ms

    def take_map(self, sample: MapSample) -> int:
        """Enter a MAP sample."""
        first = self._heard(sample.time_ms)
        if self.pressure.take(sample, self.now_ms):
            least, most = self.pressure.between
            crossed = Reads.NOTHING if least <= sample.milli_mmhg <= most else Reads.CROSSED
            return first | Reads.ORDINARY | crossed
        self.line_asked_ms = min(self.line_asked_ms, max(self.pressure.goes_on_until_ms, self.now_ms))
        return first | Reads.MAP

    def take_pump(self, status: PumpStatus) -> int:
        """Enter a pump report; one that repeats the last says nothing new."""
        first = self._heard(status.time_ms)
        channel = self.infusions.channels.get(status.channel)
        if channel is None:
            self.infusions.take(status)
            return first | Reads.PUMPS | Reads.VOLUME
        before, was_lost = channel.status, channel.lost
        was_put_away = channel.is_put_away(self.now_ms, self.terms)
        self.infusions.take(status)
        now = channel.status
        silenced = was_put_away or (now.alarms and channel.is_put_away_in_time)
        if silenced or was_lost is not channel.lost or not now.set_up_as(before):
            first |= Reads.PUMPS
        same_rate = now.rate is before.rate or now.rate == before.rate
        same_volume = now.volume_remaining_ml == before.volume_remaining_ml
        if not (same_rate and (same_volume or channel.empties_unnoticed(before))):
            first |= Reads.VOLUME
        return first

    def take_context(self, context: PatientContext) -> int:
        """From now on the patient is as this says."""
        self._know(context)
        self.infusions.weigh(context.weight_kg, self.now_ms)
        return Reads.CONTEXT

    def _know(self, context: PatientContext) -> None:
        self.context, own = context, context.map_target_milli_mmhg
        self.target_milli = self.terms.map_target_milli if own is None else own

    def take_observation(self, observation: Observation) -> int:
        """Enter an observation; systolic pressures also keep a trend."""
        first = self._heard(observation.time_ms)
        self.observations.take(observation)
        if observation.kind is ObservationKind.SYSTOLIC and isinstance(observation.value, float | int):
            value = milli(observation.value)
            self.systolic.add(observation.time_ms, value, self.terms.systolic_hold_ms, observation)
            self.systolic_cadence.heard(observation.time_ms, self.terms.map_hold_cuff_ms)
        return NEWS_OF.get(observation.kind, Reads.OBSERVATIONS) | first

    def take_doubt(self, doubted: Doubted) -> int:
        """Remember what the ward noticed about this bed's messages."""
        self.doubts[doubted.doubt] = doubted
        return Reads.DOUBTS

    def take_unwatched(self, unwatched: Unwatched) -> int:
        """Remember the last time that nobody watched this bed; a silence has another measure now."""
        self.unwatched = unwatched
        return Reads.UNWATCHED

    def unwatched_ms(self, since_ms: int | None) -> int:
        """How much of the time since an instant nobody watched, as far as we know of the last such time.

        A silence then is none of a device's; of several such times the earlier count as watched, so that
        whoever starts again and again still hears of a silence."""
        if self.unwatched is None or since_ms is None:
            return 0
        return max(0, self.unwatched.until_ms - max(self.unwatched.from_ms, since_ms))

    def miss(self, device: str, messages: int) -> int:
        """Messages of a device are missing by their sequence."""
        self.gap = Gap(self.now_ms, device, messages)
        return Reads.DOUBTS

    def settle(self) -> int:
        """Once an instant's events are in: what goes on no more by now, and doses added up."""
        reads = Reads.NOTHING
        if self.line_asked_ms <= self.now_ms:
            reads |= self._ask_line()
        if self.infusions.loss_asked_ms <= self.now_ms and self.infusions.lose_contact(self.now_ms):
            reads |= Reads.PUMPS
        if self.infusions.unsettled and self.infusions.settle():
            reads |= Reads.DOSE
        return reads

    def _ask_line(self) -> int:
        """A line that goes on no more leaves no answer firm."""
        self.line_asked_ms = self.pressure.goes_on_until_ms
        if self.line_goes_on:
            return Reads.NOTHING
        self.line_asked_ms = NEVER
        return Reads.MAP

    def put_off(self) -> None:
        """What is asked of what has just gone on is asked when that may have ended, and not before."""
        if self.line_asked_ms < NEVER and self.line_goes_on:
            self.line_asked_ms = self.pressure.goes_on_until_ms
        self.infusions.put_off()

    @property
    def line_goes_on(self) -> bool:
        """Whether the arterial line's last sample is so new that only samples can bring news of it."""
        return self.now_ms < self.pressure.goes_on_until_ms

    def _heard(self, time_ms: int) -> int:
        if time_ms > self.last_heard_ms:
            self.last_heard_ms = time_ms
        doubted = Reads.NOTHING
        if self.word_awaited:
            self.word_awaited, doubted = False, Reads.DOUBTS
        if self.stay_heard_ms is not None:
            return doubted
        self.stay_heard_ms = time_ms
        if self.heard_ms is None:
            self.heard_ms = time_ms
        return doubted | Reads.PRESENCE

    def note_open_alerts(self) -> None:
        """See anew which alerts are open: one has started or ended."""
        self.open_alerts = {rule: alert for rule, alert in self.alerts.items() if alert.open}
        alarms = [rule for rule in self.open_alerts if self.kinds[rule] is not Kind.ADVISORY]
        self.open_alarms = tuple(sorted(alarms))

    # what it tells

    @property
    def profile(self) -> Profile:
        """The patient's profile; `general` where nobody said."""
        return self.context.profile if self.context else Profile.GENERAL

    @property
    def is_child(self) -> bool:
        """Whether children's doses are to be told."""
        young = self.context is not None and self.context.age_group != ADULT
        return young or self.profile is Profile.PEDIATRIC

    @property
    def weight_kg(self) -> float | None:
        """The patient's weight, or where nobody said, the one that a norepinephrine pump was given."""
        if self.infusions.weight_kg is not None:
            return self.infusions.weight_kg
        weights = [c.status.weight_kg for c in self.infusions.running(self.terms.titrated_drug)]
        return next((weight for weight in weights if weight is not None), None)

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
            mean_below_named(window_s),
            limit_milli,
            self.now_ms,
            ms(window_s),
            self.terms.coverage_min,
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

    def monitor_sends(self) -> Finding:
        """Whether samples of any kind still come, artefacts too."""
        newest_ms, loss_ms = self.pressure.newest_ms, self.pressure.loss_ms(self.terms.map_lost_ms)
        if newest_ms == NEVER_YET:
            return found("monitor sends", False, value="never", firm_ms=self.now_ms, saw=MONITOR_NOW)
        sends = self.now_ms < newest_ms + loss_ms
        return found(
            "monitor sends",
            sends,
            newest_ms + loss_ms if sends else NEVER,
            value=(self.now_ms - newest_ms) / 1000,
            limit=loss_ms / 1000,
            unit="s",
            firm_ms=NEVER if sends else self.now_ms,
            saw=MONITOR_NOW,
        )

    def dose_at_least(self, limit: float) -> Finding:
        """Whether the dose (mcg/kg/min) is at or above the limit; exact at it."""
        return self._dose_compared(limit, at_least=True)

    def dose_below(self, limit: float) -> Finding:
        """Whether the dose (mcg/kg/min) is below the limit."""
        return self._dose_compared(limit, at_least=False)

    def _dose_compared(self, limit: float, *, at_least: bool) -> Finding:
        dose, name = self.dose, "dose at least" if at_least else "dose below"
        if dose is None:
            return unknown(name, "no norepinephrine pump was heard", saw=DOSE)
        if dose.per_kg_nano is None:
            return unknown(name, why_unknown(dose), saw=DOSE)
        holds = (dose.per_kg_nano >= nano(limit)) == at_least
        value = dose.per_kg_nano / NANO
        return found(name, holds, value=value, limit=limit, unit="ug/kg/min", saw=DOSE)

    def on_norepinephrine(self) -> Finding:
        """Whether the dose is known and above 0."""
        dose = self.dose
        if dose is None:
            return found("on norepinephrine", False, value="no pump was heard", saw=DOSE)
        if dose.per_kg_nano is None:
            return unknown("on norepinephrine", why_unknown(dose), saw=DOSE)
        value = dose.per_kg_nano / NANO
        return found("on norepinephrine", value > 0, value=value, limit=0, unit="ug/kg/min", saw=DOSE)

    def on_vasopressor(self) -> Finding:
        """Whether a channel of norepinephrine last reported `infusing`."""
        runs = bool(self.infusions.running(self.terms.titrated_drug))
        return found("on vasopressor", runs, value=RUNS[runs], saw=DOSE)

    def mean_systolic_below(self, limit_milli: int, window_s: int) -> Finding:
        """Whether the time-weighted mean systolic pressure of the window is below the limit."""
        name = f"systolic TWA({window_s // 60} min) below"
        return self.systolic.mean_below(name, limit_milli, self.now_ms, ms(window_s), self.terms.coverage_min)

    def mean_systolic_above(self, limit_milli: int, window_s: int) -> Finding:
        """Whether the time-weighted mean systolic pressure of the window is above the limit."""
        name = f"systolic TWA({window_s // 60} min) above"
        return self.systolic.mean_above(name, limit_milli, self.now_ms, ms(window_s), self.terms.coverage_min)

    def systolic_heard(self) -> Finding:
        """Whether systolic readings still come, by their own usual interval."""
        terms, cadence = self.terms, self.systolic_cadence
        if cadence.last_ms is None:
            return unknown("systolic heard", "no systolic pressure was ever heard", saw=sight(Of.SYSTOLIC))
        usual_ms = cadence.interval_ms(terms.map_interval_cuff_ms)
        loss_ms = max(terms.lost_intervals * usual_ms, terms.map_lost_ms)
        heard = self.now_ms < cadence.last_ms + loss_ms
        return found(
            "systolic heard",
            heard,
            cadence.last_ms + loss_ms if heard else NEVER,
            value=(self.now_ms - cadence.last_ms) / 1000,
            limit=loss_ms / 1000,
            unit="s",
            saw=sight(Of.SYSTOLIC),
        )

    def doubt_within(self, doubt: Doubt, for_ms: int) -> Finding:
        """Whether something of the kind was noticed in the last `for_ms`."""
        last, saw = self.doubts.get(doubt), sight(Of.DOUBT, doubt)
        if last is None or self.now_ms >= last.time_ms + for_ms:
            return found(doubt.value, False, value="none", saw=saw)
        return found(doubt.value, True, last.time_ms + for_ms, value=last.detail, saw=saw)

    def doubt_over(self, doubt: Doubt, for_ms: int) -> Finding:
        """Whether nothing of the kind was noticed for so long *and* the bed was heard after that."""
        last, name, saw = self.doubts.get(doubt), f"no doubt about {doubt.value}", sight(Of.DOUBT, doubt)
        if last is None:
            return found(name, True, value="none", saw=saw)
        due_ms = last.time_ms + for_ms
        if self.now_ms < due_ms:
            return found(name, False, due_ms, value=last.detail, saw=saw)
        if self.last_heard_ms < due_ms:
            self.word_awaited = True
            return unknown(name, "nothing was heard since", saw=saw)
        return found(name, True, value="over", saw=saw)

    def per_min_above(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at more than a rate in mcg/min (U/min for drugs dosed in units)."""
        return self._flow_compared(drug, limit, per_kg=False, at_least=False)

    def per_kg_min_above(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at more than a rate in mcg/kg/min."""
        return self._flow_compared(drug, limit, per_kg=True, at_least=False)

    def per_kg_min_at_least(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at or above a rate in mcg/kg/min."""
        return self._flow_compared(drug, limit, per_kg=True, at_least=True)

    def infusion_over(self) -> Finding:
        """Whether the infusion has ended, for longer than a change-over takes."""
        over, until_ms = not self.course.under_way(self.now_ms), self.course.grace_ends_after(self.now_ms)
        return found("infusion over", over, until_ms, value="over" if over else "under way", saw=DOSE)

    def opening(self, span_s: int) -> tuple[Opening | None, int]:
        """How the infusion began, once its first `span_s` are over, and when to ask again.

        Taken once an infusion; what comes late does not open it anew."""
        course = self.course
        if course.began_ms is None or not course.runs:
            return self._opening_of(course.began_ms), NEVER
        due_ms = course.began_ms + ms(span_s)
        if self.now_ms < due_ms:
            return None, due_ms
        if self._opening_of(course.began_ms) is None:
            self.opened = opening_of(self.norepinephrine.steps, course.began_ms, ms(span_s))
        return self.opened, NEVER

    def _opening_of(self, began_ms: int | None) -> Opening | None:
        return self.opened if self.opened is not None and self.opened.began_ms == began_ms else None

    def note(self, name: str, figure: int) -> int:
        """Keep a figure for as long as an alert needs it; one that is kept already stands."""
        return self.noted.setdefault(name, figure)

    def map_baseline_milli(self, window_s: int) -> int | None:
        """The mean MAP before the infusion, or if that was not heard, when the rate was first changed.

        Taken at that very instant, so it must be asked whenever the dose changes."""
        began_ms, step = self.course.began_ms, self.course.by_rate.last
        if began_ms is None or self.noted.get(BASELINE_OF) != began_ms:
            self.noted.pop(BASELINE, None)
            self.noted.pop(BASELINE_OF, None)
        if began_ms is not None:
            self.note(BASELINE_OF, began_ms)
        if BASELINE not in self.noted and self.now_ms in (began_ms, step and step.at_ms):
            window = self.pressure.trend.window(self.now_ms, ms(window_s))
            if window.held_ms >= part_ms(self.terms.coverage_min, ms(window_s)):
                self.noted[BASELINE] = window.area // window.held_ms
        return self.noted.get(BASELINE)

    def under(self, profile: Profile) -> Finding:
        """Whether the patient's profile is this one."""
        return found(
            f"profile {profile}", self.profile is profile, value=self.profile, limit=profile, saw=PATIENT
        )

    def _flow_compared(self, drug: str, limit: float, *, per_kg: bool, at_least: bool) -> Finding:
        dose, saw = self.infusions.dose(drug), sight(Of.DOSE, drug)
        unit = "ug/kg/min" if per_kg else "U/min" if self.terms.drugs[drug].by_units else "ug/min"
        name = f"{drug} at least" if at_least else f"{drug} above"
        if dose is None:
            return found(name, False, value=0, limit=limit, unit=unit, saw=saw)
        amount = dose.per_kg_nano if per_kg else dose.per_min_nano
        if amount is None:
            return unknown(name, why_unknown(dose), saw=saw)
        holds = amount >= nano(limit) if at_least else amount > nano(limit)
        return found(name, holds, value=amount / NANO, limit=limit, unit=unit, saw=saw)

    def infuses(self, drug: str) -> Finding:
        """Whether a pump of a drug last reported `infusing`."""
        runs = bool(self.infusions.running(drug))
        return found(f"{drug} infuses", runs, value=RUNS[runs], saw=sight(Of.DOSE, drug))

    def under_way(self, drug: str) -> Finding:
        """Whether a drug infuses, or stopped so recently that it may be a change-over."""
        name, runs, dose = f"{drug} under way", self.infuses(drug), self.infusions.dose(drug)
        saw = sight(Of.DOSE, drug)
        if runs.met or dose is None:
            return found(name, runs.met, value=RUNS[runs.met], saw=saw)
        course = self.infusions.course(drug)
        bridged = course.under_way(self.now_ms)
        told = "change-over" if bridged else RUNS[False]
        return found(name, bridged, course.grace_ends_ms() if bridged else NEVER, value=told, saw=saw)

    def any_bag(self, name: str, verdict: Callable[[Channel], bool | None]) -> Finding:
        """Whether any channel of the norepinephrine that is under way is so; None is unknown.

        In a change-over, while none infuses, nothing is known of the next bag."""
        drug = self.terms.titrated_drug
        bags = self.infusions.running(drug)
        answers = [verdict(bag) for bag in bags]
        if True in answers:
            which = [bag.status.channel for bag, is_so in zip(bags, answers, strict=True) if is_so]
            return found(name, True, value=f"channel {', '.join(which)}", saw=DOSE)
        if not answers and (between := self.under_way(drug)).met:
            return unknown(name, "change-over", between.until_ms, saw=DOSE)
        if None in answers:
            return unknown(name, "not reported", saw=DOSE)
        return found(name, False, value="no channel", saw=DOSE)

    def drug_per_min_at_least(self, drug: str, limit: float) -> Finding:
        """Whether a drug flows at or above a rate in mcg/min (U/min for drugs dosed in units)."""
        return self._flow_compared(drug, limit, per_kg=False, at_least=True)

    def unbroken(self, name: str, finding: Finding, for_s: int) -> Finding:
        """Whether a finding has been met without interruption for so long; unknown interrupts it."""
        if not finding.met:
            self.spells.pop(name, None)
            return finding
        since_ms = self.spells.setdefault(name, self.now_ms)
        return self._for_long_enough(f"{name}, unbroken", finding, since_ms, for_s)

    def lasting(self, name: str, finding: Finding, for_s: int) -> Finding:
        """Whether a finding has been met for so long, where a stretch of unknown does not interrupt it."""
        since_ms = self.met_since(name, finding)
        if since_ms is None or not finding.met:
            return finding
        return self._for_long_enough(f"{name}, lasting", finding, since_ms, for_s)

    def _for_long_enough(self, name: str, finding: Finding, since_ms: int, for_s: int) -> Finding:
        due_ms, seen = since_ms + ms(for_s), finding.saw
        long_enough = self.now_ms >= due_ms
        asked_ms = NEVER if long_enough else due_ms
        return found(
            name,
            long_enough,
            min(asked_ms, finding.until_ms),
            value=(self.now_ms - since_ms) / 1000,
            limit=for_s,
            unit="s",
            firm_ms=min(asked_ms, finding.firm_ms),
            saw=sight(seen.of, seen.what, ms(for_s)),
        )

    def met_since(self, name: str, finding: Finding) -> int | None:
        """Since when a finding has been met; unknown leaves that as it was."""
        if finding.met:
            return self.spells.setdefault(name, self.now_ms)
        if finding.known:
            self.spells.pop(name, None)
        return self.spells.get(name)

    def began_while(self, name: str, begun: Finding, condition: Finding) -> Finding:
        """Whether a condition was met at the instant from which `begun` has been met."""
        fresh = name not in self.spells
        kept = f"{name} then"
        if self.met_since(name, begun) is None:
            self.spells.pop(kept, None)
        elif fresh and condition.met:
            self.spells[kept] = self.now_ms
        so, firm_ms = kept in self.spells, min(begun.firm_ms, condition.firm_ms)
        return found(name, so, value="at its start" if so else "no", firm_ms=firm_ms, saw=condition.saw)

    def ever_since(self, name: str, finding: Finding, began_ms: int) -> Finding:
        """Whether a finding has been met at any time since an instant; once met, it stays so."""
        if finding.met:
            self.spells[name] = self.now_ms
        if self.spells.get(name, began_ms - 1) < began_ms:
            return finding
        limit, unit = finding.clauses[-1].limit, finding.clauses[-1].unit
        return found(name, True, value="reached", limit=limit, unit=unit, saw=finding.saw)

    def is_open(self, rule: str) -> bool:
        """Whether a rule's alert is open; a rule that is off has none."""
        return rule in self.open_alerts

    def open_within(self, rule: str, for_ms: int) -> Finding:
        """Whether a rule's alert is open, or was in the last `for_ms`; a rule that is off never was."""
        alert, name, saw = self.alerts.get(rule), f"{rule} open", sight(Of.ALERTS, rule)
        if alert is not None and alert.open:
            return found(name, True, value="open", saw=saw)
        if alert is None or alert.ended_ms is None or self.now_ms >= alert.ended_ms + for_ms:
            return found(name, False, value="not open", saw=saw)
        age_s, until_ms = (self.now_ms - alert.ended_ms) / 1000, alert.ended_ms + for_ms
        return found(name, True, until_ms, value=age_s, limit=for_ms / 1000, unit="s", saw=saw)

    def open_now(self, rule: str) -> Finding:
        """Whether a rule's alert is open."""
        return open_or_not(rule, self.is_open(rule))

    def acknowledged(self, rule: str) -> Finding:
        """Whether somebody has seen a rule's alert."""
        alert = self.alerts[rule]
        by = alert.acknowledged_by or "somebody" if alert.acknowledged_ms is not None else "nobody"
        saw = sight(Of.ALERTS, rule)
        return found("acknowledged", alert.acknowledged_ms is not None, value=by, saw=saw)

    def no_open_alarm(self) -> Finding:
        """Whether no physiological or technical alert of the bed is open."""
        return none_open_but(self.open_alarms)

    def alert(self, rule: str) -> Alert:
        """A rule's alert on this bed, whatever its stage."""
        return self.alerts[rule]

    # keeping it

    def snapshot(self, newer_than_ms: int | None = None) -> dict[str, Any]:
        """All state but the alerts, as plain values; of the pressures only those that are newer."""
        return {
            "now_ms": self.now_ms,
            "waiting_since_ms": self.waiting_since_ms,
            "heard_ms": self.heard_ms,
            "stay_heard_ms": self.stay_heard_ms,
            "context": self.context and kept_of(self.context),
            "pressure": self.pressure.snapshot(newer_than_ms),
            "systolic": self.systolic.snapshot(newer_than_ms),
            "systolic_cadence": self.systolic_cadence.snapshot(),
            "infusions": self.infusions.snapshot(),
            "observations": self.observations.snapshot(),
            "doubts": [kept_of(doubted) for doubted in self.doubts.values()],
            "gap": self.gap and [self.gap.noticed_ms, self.gap.device, self.gap.messages],
            "unwatched": self.unwatched and kept_of(self.unwatched),
            "last_heard_ms": self.last_heard_ms,
            "spells": dict(self.spells),
            "opened": self.opened and self.opened.plain(),
            "noted": dict(self.noted),
            "below_target_ms": self.below_target_ms,
            "opened_ms": self.opened_ms,
            "freed": self.freed,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.now_ms, self.heard_ms = kept["now_ms"], kept["heard_ms"]
        self.stay_heard_ms = kept["stay_heard_ms"]
        self.waiting_since_ms = kept["waiting_since_ms"]
        if kept["context"]:
            self._know(event_of(kept["context"]))
        self.pressure.restore(kept["pressure"])
        self.systolic.restore(kept["systolic"])
        self.systolic_cadence.restore(kept["systolic_cadence"])
        self.infusions.restore(kept["infusions"])
        self.observations.restore(kept["observations"])
        doubts = map(event_of, kept["doubts"])
        self.doubts = {doubted.doubt: doubted for doubted in doubts}
        self.word_awaited = bool(self.doubts)
        self.gap = kept["gap"] and Gap(*kept["gap"])
        self.unwatched = kept["unwatched"] and event_of(kept["unwatched"])
        self.last_heard_ms = kept["last_heard_ms"]
        self.spells = dict(kept["spells"])
        self.below_target_ms, self.opened_ms = kept["below_target_ms"], kept["opened_ms"]
        self.freed = kept["freed"] and (kept["freed"][0], kept["freed"][1])
        self.opened = kept["opened"] and Opening(*kept["opened"])
        self.noted = dict(kept["noted"])


def why_unknown(dose: Dose) -> str:
    """The sentence for why a dose is unknown."""
    return SENTENCES[dose.unknown] if dose.unknown else "only the weight is missing"
