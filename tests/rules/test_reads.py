"""What a rule looked at in its first chart is among its reads: of nothing else would it hear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streamproc.core.alert import Judgement
from streamproc.core.chart import Chart, Reads
from streamproc.core.rule import Rule
from streamproc.core.sight import Of
from streamproc.rules import RULES
from tests.announcements import live
from tests.test_scenarios import charts

NEWS = {
    Of.MAP: Reads.MAP,
    Of.LAST_MAP: Reads.MAP,
    Of.MONITOR: Reads.MAP,
    Of.SYSTOLIC: Reads.SYSTOLIC,
    Of.DOSE: Reads.DOSE | Reads.PUMPS,
    Of.STEP: Reads.DOSE,
    Of.OPENING: Reads.DOSE,
    Of.CHANNEL: Reads.PUMPS,
    Of.READINGS: Reads.OBSERVATIONS | Reads.SYSTOLIC,
    Of.CRYSTALLOID: Reads.OBSERVATIONS,
    Of.SUM: Reads.OBSERVATIONS,
    Of.SINCE: Reads.OBSERVATIONS,
    Of.PATIENT: Reads.CONTEXT,
    Of.ALERTS: Reads.ALERTS,
    Of.DOUBT: Reads.DOUBTS,
    Of.GAP: Reads.DOUBTS,
    Of.UNWATCHED: Reads.UNWATCHED,
    Of.BED: Reads.PRESENCE,
}
"""What is news to whoever looks there: one of these."""
ITS_OWN_ALERT = "mended"
"""A clause that looks at the rule's own alert, of which it need not be told."""
NEWS_OF_ENTRY = {
    "context": Reads.CONTEXT,
    "doubts": Reads.DOUBTS,
    "gap": Reads.DOUBTS,
    "infusions": Reads.DOSE | Reads.PUMPS,
    "observations": Reads.OBSERVATIONS | Reads.SYSTOLIC,
    "pressure": Reads.MAP,
    "stay_heard_ms": Reads.PRESENCE,
    "systolic": Reads.SYSTOLIC,
    "unwatched": Reads.UNWATCHED,
}
"""What is news to whoever reads an entry of the chart: one of these."""


class NotingChart(Chart):
    """A chart that notes which of its entries are read."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        READ_NOW.add(name)
        return super().__getattribute__(name)


READ_NOW: set[str] = set()


@contextmanager
def noting(chart: Chart, into: set[str]) -> Iterator[None]:
    """Note what is read of a chart meanwhile."""
    READ_NOW.clear()
    chart.__class__ = NotingChart
    try:
        yield
    finally:
        chart.__class__ = Chart
    into |= READ_NOW


@dataclass
class Witness:
    """Looks on while a rule judges."""

    looked_at: set[tuple[str, Of]] = field(default_factory=set)
    """Clauses by name, and where each looked."""
    entries: set[str] = field(default_factory=set)

    def watched(self, rule: Rule) -> Rule:
        def judge(chart: Chart) -> Judgement:
            with noting(chart, self.entries):
                judgement = rule.judge(chart)
            self.looked_at |= {(c.name, c.saw.of) for f in judgement.findings for c in f.clauses}
            return judgement

        return replace(rule, judge=judge)


@pytest.mark.parametrize("rule_id", [rule.id for rule in RULES])
def test_a_rule_is_asked_again_when_anything_that_it_looked_at_has_changed(rule_id: str) -> None:
    reads = next(rule.reads for rule in RULES if rule.id == rule_id)
    witness = Witness()
    chart = next(chart for name, chart in (param.values for param in charts()) if name == rule_id)
    live(chart | {"rule": rule_id}, witness.watched)
    assert witness.looked_at
    for name, of in witness.looked_at:
        assert reads & NEWS[of] or name == ITS_OWN_ALERT, (name, of)
    read = [name for name in NEWS_OF_ENTRY if name in witness.entries]
    assert read
    assert [name for name in read if not reads & NEWS_OF_ENTRY[name]] == []
