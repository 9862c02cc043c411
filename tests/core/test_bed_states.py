"""What is shown of a bed, over histories that raise and end every rule: readable and complete."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from themed_stays import law
from ward_histories import START_MS, History, new_ward

from streamproc.core.bed import Bed
from streamproc.core.finding import Clause, Finding
from streamproc.wire import encode
from streamproc.wire.announce import bed_state, clauses_shown
from streamproc.wire.models import BedState

EVERY_MS = 17_011


def seen_at_times(history: History) -> Iterator[Bed]:
    """Each bed of the ward, now and then while it is lived through."""
    ward, next_ms = new_ward(history), START_MS
    ward.tick(START_MS)
    for arrival in history.arrivals:
        ward.tick(arrival.received_ms)
        ward.offer(arrival.event, arrival.received_ms, arrival.digest)
        if arrival.received_ms >= next_ms:
            next_ms = arrival.received_ms + EVERY_MS
            yield from ward.beds.values()


@law()
def test_a_state_says_what_its_model_says_byte_for_byte(history: History, chance: Random) -> None:
    for bed in seen_at_times(history):
        said = encode(bed_state(bed))
        assert encode(BedState.model_validate_json(said)) == said


@law()
def test_what_a_clause_looked_at_does_not_depend_on_the_clauses_before_it(
    history: History, chance: Random
) -> None:
    """Places and pumps are put together once for all clauses of a finding; alone each says the same."""
    for bed in seen_at_times(history):
        rule = chance.choice(list(bed.rules))
        for finding in rule.judge(bed.chart).findings:
            together = clauses_shown(bed.chart, finding)
            alone = [
                shown for clause in finding.clauses for shown in clauses_shown(bed.chart, of_one(clause))
            ]
            assert [clause.evidence for clause in together] == [clause.evidence for clause in alone]


def of_one(clause: Clause) -> Finding:
    return Finding(clause.state, 0, (clause,))


@law()
def test_a_state_lists_the_open_alerts_and_no_other(history: History, chance: Random) -> None:
    for bed in seen_at_times(history):
        listed = [(alert.alert_id, alert.text) for alert in bed_state(bed).alerts]
        alerts = [(rule, bed.alerts[rule.id]) for rule in bed.rules]
        assert listed == [(a.alert_id, rule.word(bed.chart, a).text) for rule, a in alerts if a.open]
