"""FLUID-TYPE: a bolus of normal saline was given although the site has a balanced crystalloid.

Told once for each such bolus; it is about the next one, so it never asks for anything to be undone.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import MILLI, ObservationKind
from streamproc.core.finding import NEVER, Finding, found, negated
from streamproc.core.observations import Reading
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import Seconds

NEWEST_BOLUS = sight(Of.CRYSTALLOID)


@dataclass(frozen=True, slots=True)
class FluidType:
    """For how long a bolus is worth mentioning."""

    look_back_s: Seconds


def judge(chart: Chart, p: FluidType) -> Judgement:
    alert, bolus = chart.alert("FLUID-TYPE"), _newest_crystalloid(chart)
    saline = _saline(chart, p, bolus)
    told = not alert.open and bolus is not None and alert.variant == str(bolus.time_ms)
    already = found("told", False, value="already", saw=NEWEST_BOLUS)
    return Judgement(
        levels=(Level(Priority.INFO, already if told else saline),),
        clears=(Clear(chart.acknowledged("FLUID-TYPE")), Clear(negated(saline))),
        variant="" if bolus is None else str(bolus.time_ms),
    )


def _saline(chart: Chart, p: FluidType, bolus: Reading | None) -> Finding:
    """Whether the newest crystalloid is saline, where a balanced one could be given, and not long ago."""
    site = chart.terms.site
    if bolus is None or not site.balanced_fluids or not site.is_saline(bolus.fluid):
        fluid = "none" if bolus is None else bolus.fluid or "unnamed"
        return found("saline bolus", False, value=fluid, saw=NEWEST_BOLUS)
    ends_ms = bolus.time_ms + ms(p.look_back_s)
    recent, age_s = chart.now_ms < ends_ms, (chart.now_ms - bolus.time_ms) / MILLI
    until_ms = ends_ms if recent else NEVER
    return found(
        "saline bolus", recent, until_ms, value=age_s, limit=p.look_back_s, unit="s", saw=NEWEST_BOLUS
    )


def _newest_crystalloid(chart: Chart) -> Reading | None:
    boluses = reversed(chart.observations.of(ObservationKind.FLUID_BOLUS))
    return next((bolus for bolus in boluses if chart.terms.site.is_crystalloid(bolus.fluid)), None)


def word(chart: Chart, p: FluidType, alert: Alert) -> Wording:
    bolus = _newest_crystalloid(chart)
    volume = None if bolus is None else bolus.figure
    given = "" if bolus is None else f"{bolus.figure:g} mL {bolus.fluid}"
    return Wording(
        text=f"Bolus of {given}",
        advice="Prefer a balanced crystalloid (lactated Ringer's, Plasma-Lyte) to normal saline.",
        figure=f"last bolus {given}",
        value=volume,
        unit="mL",
        observed=() if bolus is None else (bolus,),
    )


RULE = RuleDefinition(
    id="FLUID-TYPE",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Critical Pre-Administration Requirements", "Before and around the infusion", "S"),
    reads=Reads.OBSERVATIONS | Reads.ALERTS,
    sentence=(
        "If a bolus of normal saline is given while the site lists a balanced crystalloid, advise (info), "
        "once a bolus. Clear when acknowledged, at the next balanced bolus, or {look_back_s} s after it."
    ),
    parameters=FluidType,
    judge=judge,
    word=word,
)
