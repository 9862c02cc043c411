"""docs/judged.md is what the rules judge in their charts: each clause, figure, limit, message, deadline."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.rules import RULES
from tests.announcements import charts_by_title, sections
from tests.judged import judged

PAGE = Path(__file__).resolve().parents[1] / "docs" / "judged.md"
SEEN = sections(PAGE.read_text(encoding="utf-8"))
CHARTS = charts_by_title()


@pytest.mark.parametrize("title", SEEN)
def test_the_page_has_every_clause(title: str) -> None:
    """A change of what a rule compares, with what, or where it looks is seen by whoever reviews the page."""
    assert judged(CHARTS[title]) == SEEN[title]


def test_every_rule_is_on_the_page() -> None:
    assert {title.partition(":")[0] for title in SEEN} == {rule.id for rule in RULES}
