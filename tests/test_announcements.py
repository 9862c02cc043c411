"""Every alert's words, figures and evidence, chart by chart, as docs/announcements.md has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.rules import RULES
from tests.announcements import announced, charts_by_title, sections

PAGE = Path(__file__).resolve().parents[1] / "docs" / "announcements.md"
SAID = sections(PAGE.read_text(encoding="utf-8"))
CHARTS = charts_by_title()


@pytest.mark.parametrize("title", SAID)
def test_the_page_has_every_word(title: str) -> None:
    """A change of words, of a figure, or of what it came from is seen by whoever reviews the page."""
    assert list(announced(CHARTS[title])) == SAID[title]


def test_every_rule_is_on_the_page() -> None:
    assert {title.partition(":")[0] for title in SAID} == {rule.id for rule in RULES}
