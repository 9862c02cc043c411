"""TECH-GAP where both of its reasons are of one instant."""

from __future__ import annotations

from streamproc.config import load
from streamproc.core.alert import Alert
from streamproc.core.chart import Chart, Gap
from streamproc.core.events import Unwatched

BED = "icu-a/bed-7"


def test_a_time_that_nobody_watched_is_told_before_messages_missed_at_its_end() -> None:
    """They are missing because nobody watched."""
    rules = load()
    rule = next(each for each in rules.core_rules() if each.id == "TECH-GAP")
    chart = Chart(rules.core_terms(), BED, 90_000, gap=Gap(80_000, "MON-1", 3))
    assert rule.word(chart, Alert()).text == "3 messages of MON-1 lost"
    chart.unwatched = Unwatched(80_000, BED, from_ms=20_000, until_ms=80_000, why="restarted")
    assert rule.word(chart, Alert()).text == "Not watched for 1 min: restarted"


def test_a_time_that_nobody_watched_is_judged_in_seconds() -> None:
    rules = load()
    rule = next(each for each in rules.core_rules() if each.id == "TECH-GAP")
    chart = Chart(rules.core_terms(), BED, 90_000, alerts={"TECH-GAP": Alert()})
    chart.unwatched = Unwatched(80_000, BED, from_ms=20_000, until_ms=80_000, why="restarted")
    clauses = {clause.name: clause.value for clause in rule.judge(chart).levels[0].when.clauses}
    assert clauses == {"messages missing": 0, "not watched": 60.0}
