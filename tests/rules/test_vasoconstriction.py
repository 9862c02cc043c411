"""VASOCONSTRICTION shows the readings of both spans that it compares."""

from __future__ import annotations

from streamproc.config import load
from streamproc.core.alert import Alert
from streamproc.core.chart import Chart
from streamproc.core.events import ObservationKind
from streamproc.core.sight import Of, sight

SPAN_MS = 14_400_000


def test_urine_is_looked_at_over_both_spans() -> None:
    site = load()
    rule = next(each for each in site.core_rules() if each.id == "VASOCONSTRICTION")
    chart = Chart(site.core_terms(), "icu-a/bed-7", 0, alerts={"VASOCONSTRICTION": Alert()})
    seen = [clause.saw for clause in rule.judge(chart).levels[0].when.clauses]
    assert sight(Of.SUM, ObservationKind.URINE_OUTPUT, 2 * SPAN_MS) in seen
