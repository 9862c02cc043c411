"""CONC-UNKNOWN: norepinephrine infuses at a concentration that the site's drug library does not list.

The concentration is used as it was charted; nothing is put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.dose import strength_of
from streamproc.core.finding import found, negated
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight


@dataclass(frozen=True, slots=True)
class ConcUnknown:
    """No number of its own: the listed concentrations stand in the drug library."""


def judge(chart: Chart, p: ConcUnknown) -> Judgement:
    alert = chart.alert("CONC-UNKNOWN")
    unlisted = chart.any_bag("concentration not listed", lambda bag: _unlisted(chart, bag))
    since_ms = chart.met_since("CONC-UNKNOWN", unlisted)
    figures = _figures(chart)
    known = not alert.open and since_ms is not None and since_ms <= alert.detected_ms
    accepted = found("accepted", False, value=figures, saw=sight(Of.ALERTS, "CONC-UNKNOWN"))
    return Judgement(
        levels=(Level(Priority.MEDIUM, accepted if known and figures == alert.variant else unlisted),),
        clears=(
            Clear(negated(unlisted)),
            Clear(chart.acknowledged("CONC-UNKNOWN")),
            Clear(negated(chart.under_way(chart.terms.titrated_drug))),
        ),
        variant=figures or alert.variant,
    )


def _unlisted(chart: Chart, bag: Channel) -> bool | None:
    drug = chart.terms.drugs[chart.terms.titrated_drug]
    strength = strength_of(bag.status, drug, chart.terms)
    return None if strength is None else not drug.lists(strength, chart.profile)


def _figures(chart: Chart) -> str:
    """The unlisted concentrations as they were charted."""
    bags = [bag for bag in chart.infusions.running(chart.terms.titrated_drug) if _unlisted(chart, bag)]
    charted = [bag.status.concentration for bag in bags]
    return ", ".join(f"{each.value:g} {each.unit}" for each in charted if each is not None)


def word(chart: Chart, p: ConcUnknown, alert: Alert) -> Wording:
    drug = chart.terms.drugs[chart.terms.titrated_drug]
    listed = drug.strengths | drug.strengths_by_profile.get(chart.profile, frozenset())
    right = ", ".join(f"{float(strength):g}" for strength in sorted(listed))
    return Wording(
        text=f"Norepinephrine at {alert.variant}, which is not in the drug library",
        advice=f"Check bag and pump entry; the library lists {right} ug/mL of base. Acknowledge if meant.",
        figure=f"now {_figures(chart)}" if _figures(chart) else "",
        unit="ug/mL",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="CONC-UNKNOWN",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Preparation and Concentration", "Before and around the infusion; C1", "S"),
    reads=Reads.DOSE | Reads.PUMPS | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If norepinephrine infuses at a concentration that the site's drug library does not list for the "
        "patient's profile ({listed_ug_per_ml} ug/mL of base), alert (medium). Clear at a listed one, when "
        "acknowledged, or when the infusion has ended."
    ),
    parameters=ConcUnknown,
    judge=judge,
    word=word,
)
