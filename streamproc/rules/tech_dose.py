"""TECH-DOSE: a pump infuses norepinephrine and nobody can tell how much reaches the patient.

The reason is part of the alert; no figure is ever put in its place. Lost contact is
TECH-PUMP-LOST's to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.dose import SENTENCES, DoseUnknown
from streamproc.core.finding import Finding, found, negated, unknown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE


@dataclass(frozen=True, slots=True)
class TechDose:
    """No number of its own: the weight tolerance is the shared term `weight_conflict_percent`."""


def judge(chart: Chart, p: TechDose) -> Judgement:
    dark = dose_in_the_dark(chart)
    variant = _reason(chart) or chart.alert("TECH-DOSE").variant
    return Judgement(levels=(Level(Priority.MEDIUM, dark),), clears=(Clear(negated(dark)),), variant=variant)


def dose_in_the_dark(chart: Chart) -> Finding:
    """Whether norepinephrine infuses at a dose that is unknown for another reason than lost contact."""
    reasons = chart.infusions.reasons_unknown(chart.terms.titrated_drug)
    if DoseUnknown.CONTACT_LOST in reasons and len(set(reasons)) == 1:
        return unknown("dose unknown", SENTENCES[DoseUnknown.CONTACT_LOST], saw=DOSE)
    return found("dose unknown", bool(reasons), value=_reason(chart) or "known", saw=DOSE)


def _reason(chart: Chart) -> DoseUnknown | None:
    """The first of the infusing channels' reasons, in order of channel."""
    reasons = chart.infusions.reasons_unknown(chart.terms.titrated_drug)
    return next((why for why in reasons if why is not DoseUnknown.CONTACT_LOST), None)


def word(chart: Chart, p: TechDose, alert: Alert) -> Wording:
    reason = _reason(chart)
    why = SENTENCES[reason] if reason else "known again"
    return Wording(
        text=f"Norepinephrine dose unknown ({alert.variant}): {why}",
        advice="Enter what is missing at the pump or in the patient context; no dose is judged meanwhile.",
        figure="dose known",
        unit="ug/kg/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="TECH-DOSE",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Preparation and Concentration", "Technical; C1, C7", "S, E"),
    reads=Reads.DOSE | Reads.PUMPS | Reads.CONTEXT,
    sentence=(
        "If norepinephrine infuses and its dose is unknown, alert (medium) and say why: no rate, no "
        "concentration, no weight, no form, units that do not fit, a concentration beyond the library, or "
        "weights of pump and patient more than {weight_conflict_percent} % apart. Clear once it is known."
    ),
    parameters=TechDose,
    judge=judge,
    word=word,
)
