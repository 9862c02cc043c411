"""ROUTE-PERIPHERAL: norepinephrine has run through a peripheral line for longer than is temporary."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import Finding, negated
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class RoutePeripheral:
    """For how long a peripheral line will do."""

    after_s: Seconds


def judge(chart: Chart, p: RoutePeripheral) -> Judgement:
    peripheral = through_peripheral(chart)
    ended = negated(chart.under_way(chart.terms.titrated_drug))
    lasting = chart.lasting("ROUTE-PERIPHERAL", peripheral, p.after_s)
    return Judgement(
        levels=(Level(Priority.LOW, lasting),), clears=(Clear(negated(peripheral)), Clear(ended))
    )


def through_peripheral(chart: Chart) -> Finding:
    """Whether norepinephrine runs through a peripheral line; a route that nobody names is unknown."""

    def peripheral(bag: Channel) -> bool | None:
        return chart.terms.site.is_peripheral(bag.status.route)

    return chart.any_bag("peripheral route", peripheral)


def word(chart: Chart, p: RoutePeripheral, alert: Alert) -> Wording:
    return Wording(
        text=f"Norepinephrine through a peripheral line for {minutes(p.after_s)} or more",
        advice=(
            "Place central access, which is strongly preferred; until then look at the site often, for "
            "extravasation and necrosis."
        ),
        limit=p.after_s,
        unit="s",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="ROUTE-PERIPHERAL",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Administration Route", "Before and around the infusion", "S, E"),
    reads=Reads.DOSE | Reads.PUMPS,
    sentence=(
        "If norepinephrine has run through a peripheral line for {after_s} s, advise (low). Clear once it "
        "runs through a central one, or the infusion has ended."
    ),
    parameters=RoutePeripheral,
    judge=judge,
    word=word,
)
