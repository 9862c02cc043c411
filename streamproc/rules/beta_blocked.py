"""BETA-BLOCKED: the pressure is refractory in a patient on beta-blockers. Goes with ESC-SECOND-AGENT."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import all_of, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import PATIENT
from streamproc.rules.parameters import Mg, Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class BetaBlocked:
    """The glucagon that the advice names, and over what time."""

    glucagon_min_mg: Mg
    glucagon_max_mg: Mg
    over_s: Seconds


def judge(chart: Chart, p: BetaBlocked) -> Judgement:
    is_blocked = chart.context is not None and chart.context.beta_blocked
    blocked = found("beta-blocked", is_blocked, value="yes" if is_blocked else "not said", saw=PATIENT)
    both = all_of(blocked, chart.open_now("ESC-SECOND-AGENT"))
    return Judgement(levels=(Level(Priority.INFO, both),), clears=(Clear(negated(both)),))


def word(chart: Chart, p: BetaBlocked, alert: Alert) -> Wording:
    return Wording(
        text="Refractory hypotension on beta-blockers",
        advice=(
            f"May need glucagon {p.glucagon_min_mg:g}-{p.glucagon_max_mg:g} mg IV over {minutes(p.over_s)}, "
            "then an infusion."
        ),
        with_dose=True,
    )


RULE = RuleDefinition(
    id="BETA-BLOCKED",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation(
        "Special Populations: Patients on Beta-Blockers", "Before and around the infusion", "S"
    ),
    reads=Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "While ESC-SECOND-AGENT is open and the patient is beta-blocked, advise (info) glucagon "
        "{glucagon_min_mg}-{glucagon_max_mg} mg over {over_s} s, then an infusion. Clear with it."
    ),
    parameters=BetaBlocked,
    judge=judge,
    word=word,
)
