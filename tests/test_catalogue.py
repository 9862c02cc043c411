"""The rule catalogue holds every row of the rule page, and the page checked in is the one it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamproc.config import load
from streamproc.core.rule import RuleDefinition
from streamproc.rules import RULES
from streamproc.rules.contradictions import CONTRADICTIONS
from streamproc.rules.not_rules import NOT_RULES
from streamproc.shell.catalogue import Entry, as_markdown, as_text, entries
from streamproc.shell.cli import app

ROOT = Path(__file__).parents[1]
ROWS = """
MAP-LOW MAP-CRIT SBP-CRIT MAP-OVERDUE SBP-CEILING PERFUSION ART-LINE
ESC-THRESHOLD ESC-SECOND-AGENT VASO-RANGE EPI-RANGE DOBU-RANGE DOSE-START DOSE-10 DOSE-DAILY DOSE-DURATION
DOSE-STEP HRS-STEP HRS-MAX HRS-RESPONSE PED-MAX
WEAN-READY WEAN-FAST WEAN-STOP WEAN-FAIL
FLUID-FIRST FLUID-TYPE CONC-UNKNOWN DILUENT ROUTE-PERIPHERAL LINE-ALKALINE DOPAMINE-FIRST PHENYL-FIRST
EXTRAVASATION BETA-BLOCKED ARRHYTHMIA VASOCONSTRICTION
TECH-MAP-LOST TECH-PUMP-LOST TECH-BED-SILENT TECH-DOSE TECH-MAP-ARTEFACT TECH-PUMP TECH-CLOCK TECH-GAP
TECH-IDENTITY
"""
PAGE = ROWS.split()
"""Every id of the rule page's tables, in its order."""

MISSING: set[str] = set()
"""Ids that have no rule yet; empty once the table is done."""

LEAST_CHARTS = 4


def test_every_row_of_the_page_has_a_rule_and_no_rule_is_without_a_row() -> None:
    assert {rule.id for rule in RULES} | MISSING == set(PAGE)


def test_what_is_said_to_be_missing_is_missing() -> None:
    """The list only ever shrinks."""
    assert {rule.id for rule in RULES} & MISSING == set()


@pytest.mark.parametrize("row", [row for row in PAGE if row not in MISSING])
def test_every_row_has_its_charts(row: str) -> None:
    path = ROOT / "tests" / "scenarios" / f"{row}.yaml"
    charts = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    assert len(charts) >= LEAST_CHARTS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_cited(rule: RuleDefinition[Any]) -> None:
    citation = rule.citation
    assert citation.section
    assert citation.page
    assert set(citation.says.split(", ")) <= {"S", "E", "L"}


@pytest.mark.parametrize("entry", entries(load()), ids=lambda entry: entry.rule.id)
def test_every_sentence_says_when_it_clears_and_with_what_priority(entry: Entry) -> None:
    """A sentence has its numbers filled in, ends, and tells its own clear condition."""
    assert entry.clear, "the sentence has no `Clear ...`"
    assert entry.priorities
    sentence = entry.rule.sentence
    assert "{" not in sentence
    assert sentence.endswith(".")


def test_every_contradiction_of_the_source_is_shown_with_its_rules() -> None:
    """C1 to C12, each resolved, each naming rules of the page."""
    assert [each.id for each in CONTRADICTIONS] == [f"C{number}" for number in range(1, 13)]
    assert {rule for each in CONTRADICTIONS for rule in each.rules} <= set(PAGE)
    page = as_markdown(load())
    for each in CONTRADICTIONS:
        assert f"| {each.id} | {each.source_says} | {each.resolved} |" in page


def test_what_is_deliberately_no_rule_is_listed_with_the_reason() -> None:
    page, text = as_markdown(load()), as_text(load())
    assert NOT_RULES
    for each in NOT_RULES:
        assert f"| {each.statement} | {each.section} | {each.reason} |" in page
        assert each.reason in text


def test_the_numbers_in_the_catalogue_are_those_in_force() -> None:
    settings = load(None, ["rules.MAP-CRIT.critical_mmhg=57", "rules.MAP-LOW.enabled=false"])
    shown = {entry.rule.id: entry for entry in entries(settings)}
    assert "below 57 mmHg" in shown["MAP-CRIT"].rule.sentence
    assert not shown["MAP-LOW"].on
    assert "off at this site" in as_text(settings)


def test_the_page_that_is_checked_in_is_the_one_that_is_made() -> None:
    """`streamproc rules --format md > docs/rules.md` makes it anew."""
    made = CliRunner().invoke(app, ["rules", "--format", "md"])
    assert made.exit_code == 0
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == made.stdout


def test_the_terminal_shows_every_rule() -> None:
    shown = CliRunner().invoke(app, ["rules"])
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert [rule.id for rule in RULES if rule.id not in lines] == []
