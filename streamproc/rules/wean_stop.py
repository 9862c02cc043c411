"""WEAN-STOP: norepinephrine was stopped from a dose that should have been weaned.

A bag change-over is not a stop: the alert waits for its grace to end, unless the pressure is
already below target. It stays until the infusion resumes, or until somebody has seen it and the
pressure has held.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, nano
from streamproc.core.dose import NANO
from streamproc.core.finding import Finding, all_of, found, unknown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE
from streamproc.rules.parameters import McgPerKgMin, Seconds
from streamproc.rules.phrase import dose_figure, dose_mcg_per_kg_min, map_figure, map_now_mmhg


@dataclass(frozen=True, slots=True)
class WeanStop:
    """From which dose a stop is abrupt, and for how long the pressure must hold after it."""

    from_mcg_per_kg_min: McgPerKgMin
    map_held_s: Seconds


def judge(chart: Chart, p: WeanStop) -> Judgement:
    stopped = stopped_abruptly(chart, p)
    seen, is_off = chart.acknowledged("WEAN-STOP"), chart.norepinephrine.stop is not None
    off = found("norepinephrine stopped", is_off, value="stopped" if is_off else "no stop", saw=DOSE)
    at_target = all_of(off, chart.map_at_least(chart.target_milli))
    held = chart.unbroken("MAP at target after the stop", at_target, p.map_held_s)
    runs = infuses_again(chart)
    resumed = found("infusion resumed", runs, value="runs" if runs else "does not run", saw=DOSE)
    return Judgement(
        levels=(
            Level(Priority.HIGH, all_of(stopped, chart.map_below(chart.target_milli))),
            Level(Priority.HIGH, stopped, chart.terms.changeover_grace_ms),
        ),
        clears=(Clear(resumed), Clear(all_of(seen, held, chart.map_heard()).asked_with(held))),
    )


def infuses_again(chart: Chart) -> bool:
    """Whether drug flows, by its dose or, where that is unknown, by the word of a pump that is heard."""
    dose = chart.dose
    if dose is not None and dose.per_kg_nano is not None:
        return bool(dose.per_kg_nano)
    return any(not channel.lost for channel in chart.infusions.running(chart.terms.titrated_drug))


def stopped_abruptly(chart: Chart, p: WeanStop) -> Finding:
    """Whether the dose is 0 since a stop from a high dose that was not dealt with yet.

    A pump that said it paused and then fell silent has not been heard to resume: the stop stands."""
    stop, alert = chart.norepinephrine.stop, chart.alert("WEAN-STOP")
    limit, unit = p.from_mcg_per_kg_min, "ug/kg/min"
    dealt_with = stop is not None and not alert.open and stop.at_ms <= alert.detected_ms
    if stop is None and chart.course.ended_ms is not None:
        return unknown("stopped abruptly", "the dose before the stop was never known", saw=DOSE)
    if stop is None or dealt_with:
        told = "no stop" if stop is None else "dealt with"
        return found("stopped abruptly", False, value=told, limit=limit, unit=unit, saw=DOSE)
    if chart.dose is None or chart.dose.by_last_word_nano is None:
        return unknown("stopped abruptly", "a pump infuses at an unknown dose", saw=DOSE)
    abrupt, value = stop.from_nano >= nano(limit), stop.from_nano / NANO
    return found("stopped abruptly", abrupt, value=value, limit=limit, unit=unit, saw=DOSE)


def word(chart: Chart, p: WeanStop, alert: Alert) -> Wording:
    stop = chart.norepinephrine.stop
    value = None if stop is None else stop.from_nano / NANO
    pressure = map_figure(map_now_mmhg(chart))
    return Wording(
        text=f"Norepinephrine stopped from {dose_figure(value)} mcg/kg/min; {pressure}",
        advice="Avoid abrupt withdrawal: check the pump, resume if MAP falls, and reduce stepwise.",
        figure=f"{dose_figure(dose_mcg_per_kg_min(chart))}, {pressure}",
        value=value,
        limit=p.from_mcg_per_kg_min,
        unit="ug/kg/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="WEAN-STOP",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Weaning Protocol", "Weaning", "S, E"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If norepinephrine stops from at least {from_mcg_per_kg_min} mcg/kg/min and does not start again "
        "within {changeover_grace_s} s, which a change-over may take, or MAP is below target before that, "
        "alert (high). Clear when the infusion resumes, or once acknowledged with MAP at target for "
        "{map_held_s} s after the stop."
    ),
    parameters=WeanStop,
    judge=judge,
    word=word,
)
