"""The page of alerts a bed and day shows what the code gives, at least for the stays replayed here."""

from __future__ import annotations

import re

import pytest
from agreement import REALDATA
from alerts import PAGE, TESTED, few

from simulators.recordings.charts import read_stays

pytestmark = pytest.mark.skipif(
    not (REALDATA / "facts.csv").exists(),
    reason=f"no charted stays at {REALDATA}: unpack them there, or set STREAMPROC_REALDATA",
)


def test_the_page_counts_the_tested_stays_as_they_are() -> None:
    """Renew it with `python tests/realdata/alerts.py --write`."""
    if not set(TESTED) <= set(read_stays(REALDATA)):
        pytest.skip(f"{REALDATA} holds other stays than docs/realdata-alerts.md")
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][A-Z0-9-]+) \|.*\| (\d+) \|$", page, re.MULTILINE)
    heard = few(REALDATA)
    raised = {rule for rule, _ in heard.alerts}
    assert raised
    assert raised <= {rule for rule, _ in rows}
    assert {rule: int(count) for rule, count in rows} == {rule: heard.of(rule) for rule, _ in rows}
    assert f"| {heard.alerts.total()} |\n" in page
