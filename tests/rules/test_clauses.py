"""Every clause of every rule says what it compared, with what, and which messages it looked at.

Where a figure has no limit of its own it is a word; where nothing was ever heard there is no message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from streamproc.core.alert import Judgement
from streamproc.core.chart import Chart
from streamproc.core.finding import Clause, State, all_of, any_of, found, negated, not_shown, unknown
from streamproc.core.rule import Rule
from streamproc.core.sight import DOSE, Of, sight
from streamproc.rules import RULES
from streamproc.wire.alerting import ClauseState
from streamproc.wire.announce import clauses_shown, reasons_against
from tests.announcements import live
from tests.test_scenarios import charts


@dataclass
class Witness:
    """Looks at what a rule judged, at the instant at which it judged, once for each kind of clause."""

    known: set[tuple[str, State]] = field(default_factory=set)
    clauses: list[tuple[bool, Clause, ClauseState]] = field(default_factory=list)
    """Whether there was a message to show, the clause, and how it is shown."""

    def watched(self, rule: Rule) -> Rule:
        def judge(chart: Chart) -> Judgement:
            judgement = rule.judge(chart)
            for finding in judgement.findings:
                if fresh := {(c.name, c.state) for c in finding.clauses} - self.known:
                    self.known |= fresh
                    told = zip(finding.clauses, clauses_shown(chart, finding), strict=True)
                    self.clauses += [(_was_heard(chart, clause), clause, shown) for clause, shown in told]
            return judgement

        return replace(rule, judge=judge)


@cache
def witnessed(rule_id: str) -> list[tuple[bool, Clause, ClauseState]]:
    """What a rule's clauses were in its charts."""
    witness = Witness()
    for param in charts():
        name, chart = param.values
        if name == rule_id:
            live(chart | {"rule": rule_id}, witness.watched)
    return witness.clauses


def every_rule() -> Any:
    return pytest.mark.parametrize("rule_id", [rule.id for rule in RULES])


@every_rule()
def test_every_clause_has_its_figure_and_a_measured_one_its_limit(rule_id: str) -> None:
    clauses = witnessed(rule_id)
    assert {clause.state for _, clause, _ in clauses} >= {State.MET, State.NOT_MET}
    for _, clause, shown in clauses:
        if clause.state is State.UNKNOWN:
            assert clause.why, clause
            continue
        assert clause.value not in (None, ""), clause
        if not isinstance(clause.value, str):
            assert clause.limit is not None, clause
            assert clause.unit, clause
        assert shown.value is not None


@every_rule()
def test_every_clause_shows_the_messages_that_it_looked_at(rule_id: str) -> None:
    for was_heard, clause, shown in witnessed(rule_id):
        told = shown.evidence.model_dump(exclude_none=True)
        told.pop("dose_ug_per_kg_min", None)
        if was_heard and clause.state is not State.UNKNOWN and not isinstance(clause.value, str):
            assert told, clause
        for samples in _samples(shown):
            assert samples["first"]["device"]
            assert samples["last"]["device"]
            assert samples["count"] >= 1


def _was_heard(chart: Chart, clause: Clause) -> bool:
    """Of a drug, a reading or a bed that was never heard of there is no message to show."""
    saw = clause.saw
    match saw.of:
        case Of.DOSE | Of.OPENING | Of.STEP:
            drug = saw.what or chart.terms.titrated_drug
            return any(channel.status.drug == drug for channel in chart.infusions.channels.values())
        case Of.READINGS | Of.SUM | Of.SINCE | Of.CRYSTALLOID:
            return bool(chart.observations.readings)
        case Of.BED:
            return chart.stay_heard_ms is not None
        case Of.GAP:
            return chart.gap is not None
        case Of.UNWATCHED:
            return chart.unwatched is not None
        case Of.ALERTS:
            return saw.what in chart.alerts and bool(chart.alerts[saw.what].alert_id)
    return True


def _samples(shown: ClauseState) -> Iterator[Any]:
    samples = shown.evidence.samples
    if samples is not None and samples.count:
        yield samples.model_dump()


# what some of them must show, to the message


def seen(rule_id: str, name: str, state: State = State.MET) -> ClauseState:
    return next(s for _, c, s in witnessed(rule_id) if c.name == name and c.state is state)


def test_a_mean_shows_its_window() -> None:
    """First and last sample, how many, and how much of the window they hold."""
    evidence = seen("MAP-LOW", "TWA(5 min) below").evidence
    assert evidence.samples is not None
    assert evidence.samples.first is not None
    assert evidence.samples.last is not None
    assert evidence.samples.count == (evidence.samples.last.seq or 0) - (evidence.samples.first.seq or 0) + 1
    assert evidence.window_start is not None
    assert evidence.window_end is not None
    assert evidence.coverage is not None


def test_a_pressure_of_now_shows_the_one_sample_that_holds() -> None:
    evidence = seen("MAP-CRIT", "MAP below").evidence
    assert evidence.samples is not None
    assert evidence.samples.count == 1
    assert evidence.samples.first == evidence.samples.last
    assert evidence.window_start == evidence.window_end
    assert evidence.coverage is None


def test_a_dose_shows_the_reports_of_its_channels() -> None:
    evidence = seen("ESC-THRESHOLD", "dose at least").evidence
    assert evidence.dose_ug_per_kg_min is not None
    assert evidence.dose
    assert all(each.reported is not None and each.rate is not None for each in evidence.dose)
    assert all(each.rate is not None and each.rate.time for each in evidence.dose)


def test_a_charted_figure_shows_its_readings() -> None:
    evidence = seen("SBP-CRIT", "systolic").evidence
    assert evidence.observations is not None
    assert [each.value for each in evidence.observations][-1] == seen("SBP-CRIT", "systolic").value
    assert len(evidence.observations) == 2


def test_a_profile_shows_the_context_that_says_so() -> None:
    assert seen("HRS-MAX", "profile hepatorenal").evidence.patient_context is not None


def test_an_alarm_that_is_in_the_way_is_named() -> None:
    assert seen("WEAN-READY", "no open alarm", State.NOT_MET).evidence.alerts


def test_a_negated_clause_speaks_against_when_it_is_met() -> None:
    low = found("low", True, value=60, limit=65, unit="mm[Hg]", saw=sight(Of.MAP))
    fine = found("fine", True, value="so", saw=DOSE)
    silent = unknown("silent", "nothing was heard", saw=DOSE)
    assert reasons_against(all_of(fine, negated(low))) == ["low: met, 60 against 65 mm[Hg]"]
    assert reasons_against(negated(negated(all_of(low, fine)))) == []
    assert reasons_against(negated(any_of(fine, low))) == [
        "fine: met, so",
        "low: met, 60 against 65 mm[Hg]",
    ]
    assert reasons_against(not_shown(silent)) == ["silent: unknown, nothing was heard"]
