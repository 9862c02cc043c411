"""EXTRAVASATION: norepinephrine may run into the tissue, by the eye of a nurse or by the pump.

Stays until somebody has seen it, whatever is charted or measured after.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import ObservationKind
from streamproc.core.finding import Finding, any_of, found, negated
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE, Of, sight
from streamproc.core.terms import PumpAlarm
from streamproc.rules.parameters import Mg, MgPerKg, Ml
from streamproc.rules.phrase import filled

SEEN, SEEN_READING = "extravasation seen to", "extravasation reading seen to"
SEEN_AT_SITE = "extravasation observed"
OCCLUDED = "downstream occlusion of a peripheral line"

ADULT_ADVICE = (
    "Stop the infusion there; infiltrate phentolamine {adult_min_mg:g}-{adult_max_mg:g} mg in "
    "{adult_min_ml:g}-{adult_max_ml:g} mL saline at the site at once, to prevent necrosis."
)
CHILD_ADVICE = (
    "Stop the infusion there; infiltrate phentolamine {pediatric_min_mg_per_kg:g}-"
    "{pediatric_max_mg_per_kg:g} mg/kg, up to {pediatric_max_mg:g} mg, in {pediatric_ml:g} mL saline at the "
    "site at once, to prevent necrosis."
)


@dataclass(frozen=True, slots=True)
class Extravasation:
    """The phentolamine that the advice names: for adults, and for children by weight."""

    adult_min_mg: Mg
    adult_max_mg: Mg
    adult_min_ml: Ml
    adult_max_ml: Ml
    pediatric_min_mg_per_kg: MgPerKg
    pediatric_max_mg_per_kg: MgPerKg
    pediatric_max_mg: Mg
    pediatric_ml: Ml


def judge(chart: Chart, p: Extravasation) -> Judgement:
    alert = chart.alert("EXTRAVASATION")
    _note_what_was_seen(chart, alert)
    observed, occluded = _observed(chart), _occluded(chart)
    cause = any_of(observed, occluded)
    seen = chart.acknowledged("EXTRAVASATION")
    return Judgement(
        levels=(Level(Priority.HIGH, cause),),
        clears=(Clear(any_of(seen, negated(cause))),),
        variant=SEEN_AT_SITE if observed.met else OCCLUDED if occluded.met else alert.variant,
    )


def _note_what_was_seen(chart: Chart, alert: Alert) -> None:
    """An acknowledgement is of what was known by then: a reading that comes late is not among it, nor is
    one from after it, however late the acknowledgement itself comes."""
    if alert.acknowledged_ms is None:
        return
    if not alert.open:
        chart.noted[SEEN] = alert.acknowledged_ms
        return
    newest = chart.observations.last(ObservationKind.EXTRAVASATION)
    if newest is not None and newest.time_ms <= alert.acknowledged_ms:
        chart.noted[SEEN_READING] = newest.time_ms


def _observed(chart: Chart) -> Finding:
    """Whether the newest observation says so, and was not known when the last alert was acknowledged."""
    newest = chart.observations.last(ObservationKind.EXTRAVASATION)
    saw = sight(Of.READINGS, ObservationKind.EXTRAVASATION)
    if newest is None:
        return found("extravasation", False, value="never observed", saw=saw)
    there = newest.present and newest.time_ms != chart.noted.get(SEEN_READING)
    return found("extravasation", there, value=str(newest.value), saw=saw)


def _occluded(chart: Chart) -> Finding:
    """Whether a peripheral line of norepinephrine is occluded since the last alert was dealt with."""
    bags = sorted(chart.infusions.channels.items())
    told = ", ".join(name for name, bag in bags if _is_occluded_peripheral(chart, bag)) or "none"
    now = found("peripheral occlusion", told != "none", value=told, saw=DOSE)
    since_ms = chart.met_since("EXTRAVASATION occlusion", now)
    unseen = since_ms is not None and not _dealt_with(since_ms, chart)
    return found("peripheral occlusion", unseen, value=told, saw=DOSE)


def _dealt_with(at_ms: int, chart: Chart) -> bool:
    """Whether an occlusion of that instant was acknowledged with an alert that has ended."""
    return SEEN in chart.noted and at_ms <= chart.noted[SEEN]


def _is_occluded_peripheral(chart: Chart, bag: Channel) -> bool:
    terms, status = chart.terms, bag.status
    if status.drug != terms.titrated_drug or not terms.site.is_peripheral(status.route):
        return False
    return any(terms.alarm_meaning(code) is PumpAlarm.DOWNSTREAM_OCCLUSION for code in status.alarms)


def word(chart: Chart, p: Extravasation, alert: Alert) -> Wording:
    advice = CHILD_ADVICE if chart.is_child else ADULT_ADVICE
    return Wording(
        text=f"Norepinephrine into tissue? {alert.variant.capitalize()}",
        advice=filled(advice, p),
        with_dose=True,
        observed=chart.observations.newest(ObservationKind.EXTRAVASATION),
    )


RULE = RuleDefinition(
    id="EXTRAVASATION",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Management of Extravasation", "Before and around the infusion", "S"),
    reads=Reads.OBSERVATIONS | Reads.PUMPS | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If extravasation is observed, or a peripheral line of norepinephrine is occluded downstream, alert "
        "(high): phentolamine {adult_min_mg}-{adult_max_mg} mg in {adult_min_ml}-{adult_max_ml} mL saline at "
        "the site; children {pediatric_min_mg_per_kg}-{pediatric_max_mg_per_kg} mg/kg up to "
        "{pediatric_max_mg} mg in {pediatric_ml} mL. It latches. Clear when acknowledged."
    ),
    parameters=Extravasation,
    judge=judge,
    word=word,
    latches=True,
)
