"""WEAN-FAIL: the pressure did not hold after a reduction; the patient needs the last dose back.

A stop is the last reduction, once it can no longer be a change-over.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, milli
from streamproc.core.dose import NANO
from streamproc.core.events import MILLI
from streamproc.core.finding import Finding, all_of, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import Mmhg, Seconds
from streamproc.rules.phrase import below, map_figure, mean_map_mmhg, minutes


@dataclass(frozen=True, slots=True)
class WeanFail:
    """The window of the MAP, and how far above target it must be again; for how long a reduction counts
    is the shared term `wean_interval_s`."""

    window_s: Seconds
    hysteresis_mmhg: Mmhg


def judge(chart: Chart, p: WeanFail) -> Judgement:
    low = chart.mean_map_below(chart.target_milli, p.window_s)
    not_back = chart.mean_map_below(chart.target_milli + milli(p.hysteresis_mmhg), p.window_s)
    reduced = recently_reduced(chart)
    return Judgement(
        # asked again when the reduction changes, for the wording hangs on that alone
        levels=(Level(Priority.MEDIUM, all_of(reduced, low).until(reduced.until_ms)),),
        clears=(Clear(all_of(chart.map_heard(), negated(not_back))),),
        variant=_last_dose(chart) if reduced.met else chart.alert("WEAN-FAIL").variant,
    )


def recently_reduced(chart: Chart) -> Finding:
    """Whether the last change of the dose was a reduction, or a stop, within one weaning interval."""
    reduced_ms, asked_again_ms = reduction_ms(chart), chart.course.grace_ends_after(chart.now_ms)
    name, within_s = "reduced lately", chart.terms.peak_span_ms / MILLI
    saw = sight(Of.DOSE, "", chart.terms.peak_span_ms)
    if reduced_ms is None:
        return found(name, False, asked_again_ms, value="not reduced", limit=within_s, unit="s", saw=saw)
    ends_ms, age_s = reduced_ms + chart.terms.peak_span_ms, (chart.now_ms - reduced_ms) / MILLI
    lately = chart.now_ms < ends_ms
    until_ms = min(asked_again_ms, ends_ms) if lately else asked_again_ms
    return found(name, lately, until_ms, value=age_s, limit=within_s, unit="s", saw=saw)


def reduction_ms(chart: Chart) -> int | None:
    """When the dose was last changed, if that was downwards."""
    course = chart.course
    if not course.under_way(chart.now_ms):
        return course.ended_ms
    step = course.newest_step
    return None if step is None or step.up else step.at_ms


def word(chart: Chart, p: WeanFail, alert: Alert) -> Wording:
    value, limit = mean_map_mmhg(chart, p.window_s), chart.target_milli / MILLI
    last = alert.variant or "what it was"
    return Wording(
        text=f"MAP {below(value, limit)} for {minutes(p.window_s)} after a reduction from {last}",
        advice=f"Go back to the last dose ({last}); continue until pressure and perfusion hold without it.",
        figure=map_figure(value),
        value=value,
        limit=limit,
        unit="mm[Hg]",
        window_s=p.window_s,
        with_dose=True,
    )


def _last_dose(chart: Chart) -> str:
    """The dose before the reduction; a later increase is no dose to go back to, so the alert keeps it."""
    stop, step = chart.norepinephrine.stop, chart.course.newest_step
    if stop is not None:
        return f"{stop.from_nano / NANO:.4g} mcg/kg/min"
    if step is None:
        return "what it was"
    return f"{step.amounts[0] / NANO:.4g} {'mcg/kg/min' if step.by_weight else 'mcg/min'}"


RULE = RuleDefinition(
    id="WEAN-FAIL",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Weaning Protocol", "Weaning", "S"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT,
    sentence=(
        "If the dose was last reduced, or stopped, within {wean_interval_s} s and the time-weighted mean "
        "MAP of {window_s} s is below target, alert (medium). Clear once that mean is {hysteresis_mmhg} mmHg "
        "above target."
    ),
    parameters=WeanFail,
    judge=judge,
    word=word,
)
