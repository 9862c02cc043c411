"""DOPAMINE-FIRST and PHENYL-FIRST: another vasopressor was started before norepinephrine.

What counts is whether norepinephrine ran when the other began, once the pumps of both have had time to
say so. Low-dose dopamine beside it is told of, too: it does not protect the kidney.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import MILLI
from streamproc.core.finding import Finding, all_of, any_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import InotropeMcgPerKgMin
from streamproc.rules.phrase import rate_per_kg_min

DOPAMINE = "dopamine"
PHENYLEPHRINE = "phenylephrine"
FIRST = "first"
LOW_DOSE = "low dose"


@dataclass(frozen=True, slots=True)
class DopamineFirst:
    """Below which dose dopamine is given for the kidney."""

    low_dose_mcg_per_kg_min: InotropeMcgPerKgMin


@dataclass(frozen=True, slots=True)
class PhenylFirst:
    """No number of its own."""


def judge_dopamine(chart: Chart, p: DopamineFirst) -> Judgement:
    first = _runs_first(chart, DOPAMINE)
    small = negated(chart.per_kg_min_at_least(DOPAMINE, p.low_dose_mcg_per_kg_min))
    beside = all_of(chart.infuses(DOPAMINE), chart.under_way(chart.terms.titrated_drug), small)
    return Judgement(
        levels=(Level(Priority.LOW, first), Level(Priority.INFO, beside)),
        clears=(Clear(negated(any_of(first, beside))),),
        variant=FIRST if first.met else LOW_DOSE,
    )


def judge_phenylephrine(chart: Chart, p: PhenylFirst) -> Judgement:
    first = _runs_first(chart, PHENYLEPHRINE)
    return Judgement(levels=(Level(Priority.LOW, first),), clears=(Clear(negated(first)),))


def _runs_first(chart: Chart, drug: str) -> Finding:
    """Whether a drug runs in an infusion that began while norepinephrine did not run.

    Asked a loss time after it began: by then a norepinephrine pump that runs has been heard, too."""
    without, other = negated(chart.under_way(chart.terms.titrated_drug)), chart.under_way(drug)
    heard_both = chart.lasting(f"{drug} under way", other, chart.terms.pump_lost_ms // MILLI)
    began_first = chart.began_while(f"{drug} first", heard_both, without)
    # asked again when a change-over can no longer be one: what begins after that is another infusion
    return all_of(chart.infuses(drug), began_first).until(min(other.until_ms, heard_both.until_ms))


def word_dopamine(chart: Chart, p: DopamineFirst, alert: Alert) -> Wording:
    value = rate_per_kg_min(chart, DOPAMINE)
    told = "dose unknown" if value is None else f"{value:.4g} mcg/kg/min"
    low_dose = alert.variant == LOW_DOSE
    started = "Dopamine was started without norepinephrine"
    text = f"Low-dose dopamine ({told}) beside norepinephrine" if low_dose else f"{started} ({told})"
    advice = (
        f"Below {p.low_dose_mcg_per_kg_min:g} mcg/kg/min dopamine has no benefit for the kidney."
        if low_dose
        else "Norepinephrine comes first: dopamine is associated with more deaths and more arrhythmias."
    )
    limit = p.low_dose_mcg_per_kg_min if low_dose else None
    return Wording(
        text=text, advice=advice, figure=f"dopamine {told}", value=value, limit=limit, unit="ug/kg/min"
    )


def word_phenylephrine(chart: Chart, p: PhenylFirst, alert: Alert) -> Wording:
    return Wording(
        text="Phenylephrine was started without norepinephrine",
        advice="Norepinephrine comes first: phenylephrine may raise pressure and worsen tissue perfusion.",
        figure="phenylephrine stopped",
    )


DOPAMINE_FIRST = RuleDefinition(
    id="DOPAMINE-FIRST",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Critical Pitfalls to Avoid", "Before and around the infusion", "S"),
    reads=Reads.DOSE | Reads.PUMPS,
    sentence=(
        "If dopamine starts, and norepinephrine does not run {pump_lost_s} s later, advise (low); "
        "if dopamine runs at less than {low_dose_mcg_per_kg_min} mcg/kg/min beside norepinephrine, "
        "inform (info): no benefit for the kidney. Clear when dopamine stops, or is neither."
    ),
    parameters=DopamineFirst,
    judge=judge_dopamine,
    word=word_dopamine,
)

PHENYL_FIRST = RuleDefinition(
    id="PHENYL-FIRST",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Critical Pitfalls to Avoid", "Before and around the infusion", "S"),
    reads=Reads.DOSE | Reads.PUMPS,
    sentence=(
        "If phenylephrine starts, and norepinephrine does not run {pump_lost_s} s later, advise (low). Clear "
        "when phenylephrine stops."
    ),
    parameters=PhenylFirst,
    judge=judge_phenylephrine,
    word=word_phenylephrine,
)
