"""HRS-STEP, HRS-MAX, HRS-RESPONSE: norepinephrine as the hepatorenal protocol steps it.

Under the hepatorenal profile these replace ESC-*, whose threshold the protocol crosses by itself
(C8). All rates are base. A response is a rise of MAP from before the infusion, or urine.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, milli, ms, nano, why_unknown
from streamproc.core.dose import MINUTES_PER_HOUR, NANO, UG_PER_MG, Dose
from streamproc.core.events import MILLI, ObservationKind, Profile
from streamproc.core.finding import NEVER, Finding, all_of, any_of, found, negated, unknown
from streamproc.core.ladder import Step
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE, Of, sight
from streamproc.rules.parameters import MgPerHour, MlPerHour, Mmhg, Seconds
from streamproc.rules.phrase import map_figure, mean_map_mmhg

SECONDS_PER_HOUR = 3600
AT_MAXIMUM = "at maximum"
LAST_STEP = sight(Of.STEP)


@dataclass(frozen=True, slots=True)
class HrsStep:
    """The largest step, the time between steps, and what counts as a response."""

    step_max_mg_per_h: MgPerHour
    interval_s: Seconds
    window_s: Seconds
    map_rise_mmhg: Mmhg
    urine_ml_per_h: MlPerHour


@dataclass(frozen=True, slots=True)
class HrsMax:
    """The highest rate."""

    max_mg_per_h: MgPerHour


@dataclass(frozen=True, slots=True)
class HrsResponse:
    """The time between steps, the next step and the rate at which there is none, and what counts as a
    response."""

    step_mg_per_h: MgPerHour
    max_mg_per_h: MgPerHour
    interval_s: Seconds
    window_s: Seconds
    map_rise_mmhg: Mmhg
    urine_ml_per_h: MlPerHour


def judge_step(chart: Chart, p: HrsStep) -> Judgement:
    profile, baseline = chart.under(Profile.HEPATORENAL), chart.map_baseline_milli(p.window_s)
    under_since_ms = chart.met_since("HRS-STEP profile", profile)
    if under_since_ms is None:
        return _not_here(Priority.LOW, profile)
    step = chart.course.by_rate.last
    astray = stepped_astray(chart, p, under_since_ms)
    response = responded(chart, p, baseline, last_change_ms(chart))
    return Judgement(
        levels=(Level(Priority.LOW, astray),),
        clears=(Clear(negated(astray)), Clear(response)),
        variant=str(step.at_ms) if step is not None and astray.met else chart.alert("HRS-STEP").variant,
    )


def stepped_astray(chart: Chart, p: HrsStep, under_since_ms: int) -> Finding:
    """Whether the last step was up, and too large or too soon; one that an alert has told is done with, and
    one from before the profile was another protocol's."""
    step, alert = chart.course.by_rate.last, chart.alert("HRS-STEP")
    told = step is not None and alert.ended_ms is not None and step.at_ms <= alert.ended_ms
    if step is None or step.at_ms < under_since_ms or not _up(step) or (told and not alert.open):
        return found("step up", False, value="none to judge", saw=LAST_STEP)
    size, most = _size_nano(step), p.step_max_mg_per_h
    large = size > nano(most)
    waited_ms, least_s = since_last_ms(chart, step), p.interval_s
    soon = waited_ms < ms(least_s)
    return any_of(
        found("step too large", large, value=size / NANO, limit=most, unit="mg/h", saw=LAST_STEP),
        found("step too soon", soon, value=waited_ms / MILLI, limit=least_s, unit="s", saw=LAST_STEP),
    )


def since_last_ms(chart: Chart, step: Step) -> int:
    """How long before a step the one before it, or the start, had been."""
    before = chart.course.by_rate.before_last
    began_ms = chart.course.began_ms
    last_ms = before.at_ms if before is not None else began_ms
    return step.at_ms - (step.at_ms if last_ms is None else last_ms)


def judge_max(chart: Chart, p: HrsMax) -> Judgement:
    above = all_of(chart.under(Profile.HEPATORENAL), mg_per_h_above(chart, p.max_mg_per_h))
    return Judgement(levels=(Level(Priority.MEDIUM, above),), clears=(Clear(negated(above)),))


def judge_response(chart: Chart, p: HrsResponse) -> Judgement:
    profile, baseline = chart.under(Profile.HEPATORENAL), chart.map_baseline_milli(p.window_s)
    if not profile.met:
        return _not_here(Priority.INFO, profile)
    due, since_ms = step_is_due(chart, p), last_change_ms(chart)
    response = responded(chart, p, baseline, since_ms)
    highest = mg_per_h_above(chart, p.max_mg_per_h - p.step_mg_per_h).met
    return Judgement(
        levels=(Level(Priority.INFO, all_of(due, negated(response))),),
        clears=(Clear(negated(due)), Clear(response)),
        variant=AT_MAXIMUM if highest else "",
    )


def step_is_due(chart: Chart, p: HrsResponse) -> Finding:
    """Whether the infusion has run for the time between steps since its start or its last change."""
    name, limit, changed_ms = "next step due", p.interval_s, last_change_ms(chart)
    if changed_ms is None or not chart.course.under_way(chart.now_ms):
        return found(name, False, value="infusion over", limit=limit, unit="s", saw=LAST_STEP)
    due_ms, until_ms = changed_ms + ms(limit), chart.course.grace_ends_after(chart.now_ms)
    due, age_s = chart.now_ms >= due_ms, (chart.now_ms - changed_ms) / MILLI
    asked_ms = until_ms if due else min(until_ms, due_ms)
    return found(name, due, asked_ms, value=age_s, limit=limit, unit="s", saw=LAST_STEP)


def last_change_ms(chart: Chart) -> int | None:
    """When the rate was last changed, or the infusion started; None before there was any."""
    step = chart.course.by_rate.last
    return chart.course.began_ms if step is None else step.at_ms


def responded(chart: Chart, p: HrsStep | HrsResponse, baseline: int | None, since_ms: int | None) -> Finding:
    """Whether, in a window wholly after the last change, MAP has risen enough or urine flows."""
    if since_ms is None:
        return found("window after the step", False, value="no infusion yet", saw=LAST_STEP)
    settled_ms = since_ms + ms(p.window_s)
    over, since_s = chart.now_ms >= settled_ms, (chart.now_ms - since_ms) / MILLI
    until_ms = NEVER if over else settled_ms
    settled = found(
        "window after the step", over, until_ms, value=since_s, limit=p.window_s, unit="s", saw=LAST_STEP
    )
    saw = sight(Of.MAP, "", ms(p.window_s))
    rise = unknown("MAP rise", "MAP before the infusion was not heard", saw=saw)
    if baseline is not None:
        rise = negated(chart.mean_map_below(baseline + milli(p.map_rise_mmhg), p.window_s))
    return all_of(settled, any_of(all_of(rise, chart.map_heard()), urine_above(chart, p, since_ms)))


def urine_above(chart: Chart, p: HrsStep | HrsResponse, since_ms: int) -> Finding:
    """Whether urine measured after the last change is above the limit, over the time between steps."""
    kind, saw = ObservationKind.URINE_OUTPUT, sight(Of.SUM, ObservationKind.URINE_OUTPUT, ms(p.interval_s))
    newest = chart.observations.last(kind)
    if newest is None or newest.time_ms <= since_ms:
        return unknown("urine above", "not measured since the last change", saw=saw)
    volume_ml = chart.observations.sum_before(kind, newest.time_ms, ms(p.interval_s))
    if volume_ml is None:
        return unknown("urine above", "not measured for the whole of the time", saw=saw)
    ml_per_h = float(volume_ml * SECONDS_PER_HOUR / p.interval_s)
    limit = p.urine_ml_per_h
    return found("urine above", ml_per_h > limit, value=ml_per_h, limit=limit, unit="mL/h", saw=saw)


def mg_per_h_above(chart: Chart, limit: float) -> Finding:
    """Whether norepinephrine flows at more than a rate in mg/h of base."""
    dose = chart.dose
    if dose is None:
        return found("mg/h above", False, value=0, limit=limit, unit="mg/h", saw=DOSE)
    rate = _nano_mg_per_h(dose)
    if rate is None:
        return unknown("mg/h above", why_unknown(dose), saw=DOSE)
    return found("mg/h above", rate > nano(limit), value=rate / NANO, limit=limit, unit="mg/h", saw=DOSE)


def _not_here(priority: Priority, profile: Finding) -> Judgement:
    """Another profile: nothing rises, and what is open ends."""
    other = Clear(negated(profile))
    return Judgement(levels=(Level(priority, profile),), clears=(other, other))


def _size_nano(step: Step) -> int:
    """By how many 1e-9 mg/h a step by rate went up."""
    before, after = _rates_nano(step)
    return after - before


def _up(step: Step) -> bool:
    before, after = _rates_nano(step)
    return before < after


def _rates_nano(step: Step) -> tuple[int, int]:
    """Before and after a step by rate, in 1e-9 mg/h; were one unknown, it would be no step."""
    before, after = _nano_mg_per_h(step.before), _nano_mg_per_h(step.after)
    assert before is not None
    assert after is not None
    return before, after


def _nano_mg_per_h(dose: Dose) -> int | None:
    amount = dose.per_min_nano
    return None if amount is None else round(Fraction(amount * MINUTES_PER_HOUR, UG_PER_MG))


def rate_mg_per_h(chart: Chart) -> float | None:
    """The norepinephrine rate in mg/h of base, or None if it is unknown."""
    rate = None if chart.dose is None else _nano_mg_per_h(chart.dose)
    return None if rate is None else rate / NANO


def _told(rate: float | None) -> str:
    return "rate unknown" if rate is None else f"{rate:.4g} mg/h"


def word_step(chart: Chart, p: HrsStep, alert: Alert) -> Wording:
    step, hours = chart.course.by_rate.last, p.interval_s / SECONDS_PER_HOUR
    text, size = "Norepinephrine starts anew", None
    if step is not None:
        before, after = (rate / NANO for rate in _rates_nano(step))
        waited_h = since_last_ms(chart, step) / MILLI / SECONDS_PER_HOUR
        text = f"Norepinephrine {before:.4g} -> {after:.4g} mg/h, {waited_h:.2g} h after the last step"
        size = _size_nano(step) / NANO
    return Wording(
        text=text,
        advice=(
            f"In hepatorenal syndrome increase by {p.step_max_mg_per_h:g} mg/h every {hours:g} h, no faster."
        ),
        figure=_told(rate_mg_per_h(chart)),
        value=size,
        limit=p.step_max_mg_per_h,
        unit="mg/h",
        with_dose=True,
    )


def word_max(chart: Chart, p: HrsMax, alert: Alert) -> Wording:
    rate = rate_mg_per_h(chart)
    return Wording(
        text=f"Norepinephrine {_told(rate)} > {p.max_mg_per_h:g} mg/h in hepatorenal syndrome",
        advice=f"The protocol ends at {p.max_mg_per_h:g} mg/h: go back to it, and look for another cause.",
        figure=_told(rate),
        value=rate,
        limit=p.max_mg_per_h,
        unit="mg/h",
        with_dose=True,
    )


def word_response(chart: Chart, p: HrsResponse, alert: Alert) -> Wording:
    baseline = chart.map_baseline_milli(p.window_s)
    value = mean_map_mmhg(chart, p.window_s)
    limit = None if baseline is None else baseline / MILLI + p.map_rise_mmhg
    hours = p.interval_s / SECONDS_PER_HOUR
    since = "unknown" if baseline is None else f"{baseline / MILLI:.4g}"
    advice = (
        f"The next step is due: {p.step_mg_per_h:g} mg/h more, up to {p.max_mg_per_h:g} mg/h; the aim is a "
        f"MAP {p.map_rise_mmhg:g} mmHg higher or urine above {p.urine_ml_per_h:g} mL/h."
    )
    if alert.variant == AT_MAXIMUM:
        advice = f"No further step: the protocol ends at {p.max_mg_per_h:g} mg/h. Consider another treatment."
    return Wording(
        text=f"No response {hours:g} h after a step to {_told(rate_mg_per_h(chart))}: MAP from {since}, "
        f"{map_figure(value)} now",
        advice=advice,
        figure=f"{map_figure(value)}, {_told(rate_mg_per_h(chart))}",
        value=value,
        limit=limit,
        unit="mm[Hg]",
        window_s=p.window_s,
        with_dose=True,
        observed=chart.observations.over(ObservationKind.URINE_OUTPUT, ms(p.interval_s)),
    )


SECTION = "Initial Dosing; Titration Strategy"
PAGE = "Dose, titration, escalation; C8"

STEP = RuleDefinition(
    id="HRS-STEP",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation(SECTION, PAGE, "S"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT | Reads.OBSERVATIONS | Reads.ALERTS,
    sentence=(
        "If the profile is hepatorenal and norepinephrine is increased by more than {step_max_mg_per_h} "
        "mg/h, or less than {interval_s} s after the last step or the start, alert (low). Clear with the "
        "next step that keeps to it, or once the mean MAP of {window_s} s is {map_rise_mmhg} mmHg above what "
        "it was before the infusion or urine above {urine_ml_per_h} mL/h."
    ),
    parameters=HrsStep,
    judge=judge_step,
    word=word_step,
)

MAX = RuleDefinition(
    id="HRS-MAX",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation(SECTION, PAGE, "S"),
    reads=Reads.DOSE | Reads.CONTEXT,
    sentence=(
        "If the profile is hepatorenal and norepinephrine runs above {max_mg_per_h} mg/h, alert (medium). "
        "Clear once it is at {max_mg_per_h} mg/h or below."
    ),
    parameters=HrsMax,
    judge=judge_max,
    word=word_max,
)

RESPONSE = RuleDefinition(
    id="HRS-RESPONSE",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation(SECTION, PAGE, "S"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT | Reads.OBSERVATIONS,
    sentence=(
        "If the profile is hepatorenal and, {interval_s} s after a step, the mean MAP of {window_s} s is "
        "less than {map_rise_mmhg} mmHg above what it was before the infusion and urine not above "
        "{urine_ml_per_h} mL/h, inform: the next step of {step_mg_per_h} mg/h is due, up to {max_mg_per_h} "
        "mg/h. Clear with the next step, a response, or the end of the infusion."
    ),
    parameters=HrsResponse,
    judge=judge_response,
    word=word_response,
)
