"""DILUENT: norepinephrine is diluted in something without dextrose, in which it loses its potency.

A diluent that no pump reports is not assumed to be wrong, nor right.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.dose import strength_of
from streamproc.core.events import Profile
from streamproc.core.finding import negated
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording


@dataclass(frozen=True, slots=True)
class Diluent:
    """No number of its own: diluents with dextrose and approved premixes stand in the drug library."""


def judge(chart: Chart, p: Diluent) -> Judgement:
    lacking = chart.any_bag("diluent without dextrose", lambda bag: _lacks_dextrose(chart, bag))
    ended = negated(chart.under_way(chart.terms.titrated_drug))
    return Judgement(
        levels=(Level(Priority.LOW, lacking),),
        clears=(Clear(negated(lacking)), Clear(ended)),
        variant=_named(chart) or chart.alert("DILUENT").variant,
    )


def _lacks_dextrose(chart: Chart, bag: Channel) -> bool | None:
    diluent, terms = bag.status.diluent, chart.terms
    if chart.profile is Profile.ANAPHYLAXIS:
        return False
    if diluent is None:
        return None
    drug = terms.drugs[terms.titrated_drug]
    approved = drug.is_premix(strength_of(bag.status, drug, terms), diluent)
    return not (approved or terms.site.has_dextrose(diluent))


def _named(chart: Chart) -> str:
    bags = chart.infusions.running(chart.terms.titrated_drug)
    return ", ".join(bag.status.diluent or "" for bag in bags if _lacks_dextrose(chart, bag))


def word(chart: Chart, p: Diluent, alert: Alert) -> Wording:
    return Wording(
        text=f"Norepinephrine in {alert.variant}, which is not listed as containing dextrose",
        advice="Dilute in a solution with dextrose, which protects norepinephrine from oxidation.",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DILUENT",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Preparation and Concentration", "Before and around the infusion; C9", "S"),
    reads=Reads.DOSE | Reads.PUMPS | Reads.CONTEXT,
    sentence=(
        "If norepinephrine infuses in a reported diluent that is not listed as containing dextrose, advise "
        "(low); not under the profile anaphylaxis, nor for a premix that the site approves. Clear when it is "
        "changed, or the infusion has ended."
    ),
    parameters=Diluent,
    judge=judge,
    word=word,
)
