"""However often a rule is asked, it says the same: a bed asks when an answer may differ, and not for more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamproc.core.chart import Reads
from streamproc.core.rule import Rule
from tests.announcements import live
from tests.charts import told
from tests.judged import restless
from tests.test_scenarios import charts


def asked_always(rule: Rule) -> Rule:
    """The rule, asked at every message and at every sample."""
    return replace(rule, reads=Reads.EVERYTHING, judge=lambda chart: restless(rule.judge(chart)))


@pytest.mark.parametrize(("rule", "chart"), charts())
def test_a_rule_that_is_asked_at_every_instant_says_the_same(rule: str, chart: dict[str, Any]) -> None:
    expected = [line for line in chart["expect"] if line.split()[1] == rule]
    changes = live(chart | {"rule": rule}, asked_always)
    assert [str(told(change)) for change in changes if change.rule.id == rule] == expected
