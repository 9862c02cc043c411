"""What every rule must have, and that what it says is true: sentence, source, numbers, texts."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from streamproc.config import load
from streamproc.core.alert import Kind
from streamproc.core.change import Change
from streamproc.core.chart import Reads
from streamproc.core.rule import Rule, RuleDefinition
from streamproc.rules import RULES
from streamproc.rules.phrase import shown
from streamproc.wire.announce import evidence_shown
from tests.charts import MINUTE_MS, START_MS, chart_events, length_ms, new_ward, play

CONFIG = Path(__file__).resolve().parents[2] / "config"


@cache
def in_force() -> dict[str, Rule]:
    """The rules with the shipped numbers in them."""
    return {rule.id: rule for rule in load().core_rules()}


def every_rule() -> Any:
    return pytest.mark.parametrize("definition", RULES, ids=lambda definition: definition.id)


def placeholders(sentence: str) -> set[str]:
    """The parameter names that a sentence has in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


# the parts of a rule


def test_every_rule_has_an_id_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"[A-Z]+(-[A-Z0-9]+)*", rule.id) for rule in RULES)


@every_rule()
def test_a_rule_says_where_it_comes_from_and_what_it_is(definition: RuleDefinition[Any]) -> None:
    """Section of the source, row of the rule table, and who says it: the source, an engineer, a label."""
    citation = definition.citation
    assert citation.section.strip()
    assert citation.page.strip()
    assert set(citation.says.split(", ")) <= {"S", "E", "L"}
    assert definition.kind in Kind
    assert definition.version >= 1


@every_rule()
def test_a_sentence_names_all_parameters_of_its_rule(definition: RuleDefinition[Any]) -> None:
    """And nothing else but the terms and lists that rules share."""
    own = {field.name for field in fields(definition.parameters)}
    assert own <= placeholders(definition.sentence) <= own | set(load().shared_words())


@every_rule()
def test_a_sentence_in_force_has_all_its_numbers(definition: RuleDefinition[Any]) -> None:
    """No brace is left, and each number that the site set for it stands there as the site wrote it."""
    sentence = in_force()[definition.id].sentence
    assert "{" not in sentence
    assert "}" not in sentence
    assert sentence.endswith(".")
    for name in placeholders(definition.sentence):
        written = {**load().shared_words(), **section(definition.id)}[name]
        if isinstance(written, str):
            assert written in sentence
            continue
        for figure in written if isinstance(written, list) else [written]:
            assert re.search(rf"(?<![\d.]){re.escape(f'{figure:g}')}(?![\d]|\.\d)", sentence), (
                name,
                sentence,
            )


@every_rule()
def test_a_sentence_keeps_no_number_of_its_own(definition: RuleDefinition[Any]) -> None:
    """Every number that decides is a parameter; a sentence with a digit in it has one in two places."""
    assert not re.search(r"[1-9]", re.sub(r"\{\w+\}", "", definition.sentence))


def test_a_changed_number_changes_the_sentence() -> None:
    changed = load(None, ["rules.ESC-THRESHOLD.threshold_mcg_per_kg_min=0.31"]).core_rules()
    sentence = next(rule.sentence for rule in changed if rule.id == "ESC-THRESHOLD")
    assert "0.31 mcg/kg/min" in sentence


@pytest.mark.parametrize(
    ("reader", "read"),
    [("FLUID-FIRST", "SBP-CRIT"), ("BETA-BLOCKED", "ESC-SECOND-AGENT")]
    + [("WEAN-READY", rule.id) for rule in RULES if rule.id != "WEAN-READY"],
)
def test_a_rule_that_reads_another_alert_is_judged_after_it(reader: str, read: str) -> None:
    """Within one instant it sees what the other has decided."""
    order = [rule.id for rule in RULES]
    assert order.index(read) < order.index(reader)
    assert RULES[order.index(reader)].reads & Reads.ALERTS


@every_rule()
def test_a_rule_reads_something(definition: RuleDefinition[Any]) -> None:
    assert definition.reads & Reads.EVERYTHING


# numbers live in config


def rules_file() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(
        (CONFIG / "rules.yaml").read_text(encoding="utf-8")
    )
    return loaded


def section(rule: str) -> dict[str, Any]:
    found: dict[str, Any] = rules_file()["rules"][rule]
    return found


def test_the_rules_file_has_every_rule_and_no_other() -> None:
    assert set(rules_file()["rules"]) == {rule.id for rule in RULES}


@every_rule()
def test_the_rules_file_has_every_parameter_and_no_other(definition: RuleDefinition[Any]) -> None:
    assert set(section(definition.id)) == {
        "enabled",
        *(field.name for field in fields(definition.parameters)),
    }


@every_rule()
def test_no_parameter_has_a_default_in_code(definition: RuleDefinition[Any]) -> None:
    for field in fields(definition.parameters):
        assert field.default is field.default_factory, field.name  # both are MISSING


@every_rule()
def test_the_unit_of_a_number_is_in_its_name(definition: RuleDefinition[Any]) -> None:
    unit = r"_(s|h|mmhg|percent|mg|ml|per_(kg_)?(min|h|day)|per_kg)$"
    shares = {"share_max", "clear_share", "urine_share", "coverage_min"}
    counts = {"readings", "factor", "back_factor", "telling_factors"}
    for field in fields(definition.parameters):
        assert field.name in shares | counts or re.search(unit, field.name), field.name


# what is announced is true


STORIES: dict[str, dict[str, Any]] = {
    "low, seen when nearly recovered": {"map": "72x20 60x5 66x20", "acknowledge": {"MAP-LOW": 35}},
    "low, seen when nobody knows": {"map": "60x10 _x30", "acknowledge": {"MAP-LOW": 35}},
    "barely below target": {"map": "64.999x40", "norepinephrine": "0.1x40"},
    "critical, seen while it recovers": {
        "map": "70x5 50x5 57x10 62x5",
        "norepinephrine": "0.1x25",
        "acknowledge": {"MAP-CRIT": 12},
    },
    "at the threshold, seen when it is below": {
        "map": "70x40",
        "norepinephrine": "0.25x10 0.23x15 0.2x15",
        "acknowledge": {"ESC-THRESHOLD": 15},
    },
    "refractory, then a second agent": {
        "map": "60x30 64.9x10 75x20",
        "norepinephrine": "0.2x25 0.3x10 0.12x25",
        "vasopressin": "offx28 0.03x32",
        "acknowledge": {"ESC-SECOND-AGENT": 33},
    },
    "weaned too fast": {
        "map": "70x70",
        "norepinephrine": "0.2x20 0.1x10 0.149x40",
        "acknowledge": {"WEAN-FAST": 31},
    },
    "stopped abruptly and resumed": {"map": "64x12 70x40", "norepinephrine": "0.1x10 offx20 0.04x22"},
    "a lost line": {
        "map": "60x10 _x10 60x10",
        "norepinephrine": "0.1x30",
        "acknowledge": {"TECH-MAP-LOST": 12},
    },
    "a lost pump": {"map": "60x30", "norepinephrine": "0.3x10 _x20", "acknowledge": {"ESC-THRESHOLD": 15}},
    "artefacts": {"map": "70x5 artefactx4 70x6", "acknowledge": {"TECH-MAP-ARTEFACT": 8}},
    "ready": {"map": "70x50", "norepinephrine": "0.1x50"},
    "what is charted, sign after sign": {
        "map": "70x25",
        "norepinephrine": "0.1x5 0.2x20",
        "patient": {"baseline_systolic_mmhg": 160.0},
        "systolic": "60x2 72x3 150x15 110x5",
        "lactate": "2 _x9 3",
        "saline": "_x3 500",
        "refill": "_x6 5",
        "arrhythmia": "_x7 atrialx1",
        "acknowledge": {"SBP-CRIT": 4, "SBP-CEILING": 19},
    },
    "a dose in the dark": {"map": "70x10", "norepinephrine_ml_h": "5x10"},
}
COMPARISON = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<sign><=|>=|<|>)\s*(?P<limit>\d+(?:\.\d+)?)")
TRUTH = {
    "<": lambda value, limit: value < limit,
    ">": lambda value, limit: value > limit,
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
}


def minute(number: int) -> int:
    return START_MS + number * MINUTE_MS


@cache
def lived(name: str) -> list[Change]:
    """All that a ward announces while this happens."""
    story = STORIES[name]
    acknowledge = {rule: minute(number) for rule, number in story.get("acknowledge", {}).items()}
    return play(new_ward(), chart_events(story), START_MS + length_ms(story) + 120_000, acknowledge)


def comparisons(text: str) -> Iterator[tuple[str, float, str, float]]:
    for match in COMPARISON.finditer(text):
        yield match[0], float(match["value"]), match["sign"], float(match["limit"])


@pytest.mark.parametrize("name", STORIES)
def test_no_announcement_says_what_is_not_so(name: str) -> None:
    """`65 < 65` never, and no `66 < 65` when an open alert is acknowledged or updated on its way back."""
    changes = lived(name)
    assert changes, "nothing was announced"
    for change in changes:
        for told, value, sign, limit in comparisons(change.wording.text):
            assert TRUTH[sign](value, limit), (
                f"{change.rule.id} {change.phase}: {told} in {change.wording.text!r}"
            )


@pytest.mark.parametrize("name", STORIES)
def test_every_announcement_is_one_line_for_people(name: str) -> None:
    for change in lived(name):
        for text in (change.wording.text, change.wording.advice):
            assert text == text.strip()
            assert "\n" not in text
            assert not re.search(r"\bNone\b|\bnan\b|[{}]", text), text
        assert 0 < len(change.wording.text) <= 120


def test_the_stories_announce_every_rule_that_a_chart_can_raise() -> None:
    told = {change.rule.id for name in STORIES for change in lived(name)}
    assert {
        "MAP-LOW",
        "MAP-CRIT",
        "MAP-OVERDUE",
        "ESC-THRESHOLD",
        "ESC-SECOND-AGENT",
        "TECH-MAP-LOST",
    } <= told
    assert {
        "TECH-PUMP-LOST",
        "TECH-DOSE",
        "TECH-MAP-ARTEFACT",
        "WEAN-FAST",
        "WEAN-STOP",
        "WEAN-READY",
    } <= told


CHARTED_RULES = {"SBP-CRIT", "SBP-CEILING", "PERFUSION", "VASOCONSTRICTION", "ARRHYTHMIA", "FLUID-TYPE"}
"""Rules that only a charted reading can raise."""


def test_what_was_charted_is_the_evidence_of_what_it_raised() -> None:
    """Each reading with its message, none from later than the alert, and all of them on the wire."""
    starts = [c for name in STORIES for c in lived(name) if c.rule.id in CHARTED_RULES and c.phase == "start"]
    assert {change.rule.id for change in starts} == CHARTED_RULES
    for change in starts:
        observed = change.evidence.observed
        assert observed, f"{change.rule.id} says nothing of what it saw"
        assert max(reading.time_ms for reading in observed) <= change.time_ms
        told = evidence_shown(change.evidence).observations or []
        assert [each.value for each in told] == [reading.value for reading in observed]
        assert [each.reported.device for each in told] == [reading.sample.device for reading in observed]
    critical = next(change for change in starts if change.rule.id == "SBP-CRIT")
    assert [reading.figure < 70 for reading in critical.evidence.observed] == [True, True]


def test_a_silence_before_the_alert_breaks_the_time_that_a_pressure_has_held() -> None:
    """Silent minutes between stop and alert: the quarter of an hour counts from their end."""
    story = {"map": "70x22 _x2 70x20", "norepinephrine": "0.1x20 offx24"}
    changes = play(new_ward(), chart_events(story), minute(40), {"WEAN-STOP": minute(26)})
    told_ms = [change.time_ms for change in changes if change.rule.id == "WEAN-STOP"]
    assert told_ms == [minute(25), minute(26), minute(39)]


@settings(max_examples=300, deadline=None, print_blob=True, derandomize=False)
@given(st.integers(1, 300_000), st.integers(1, 300), st.sampled_from([1, 2]))
def test_a_figure_is_never_rounded_across_its_limit(value_1e3: int, limit: int, decimals: int) -> None:
    """Below stays below, at stays at, above stays above, and short."""
    value = value_1e3 / 1000
    told = shown(value, limit, decimals)
    assert (float(told) > limit) - (float(told) < limit) == (value > limit) - (value < limit)
    assert abs(float(told) - value) < 10**-decimals
    assert len(told.partition(".")[2]) <= decimals


def test_a_figure_just_below_its_limit_is_told_below_it() -> None:
    assert shown(64.9999, 65.0) == "64.9"
    assert shown(0.249999, 0.25, 2) == "0.24"
    assert shown(65.0, 65.0) == "65"


def test_a_rule_that_the_site_turned_off_is_not_in_force() -> None:
    remaining = load(None, ["rules.MAP-LOW.enabled=false"]).core_rules()
    assert {rule.id for rule in RULES} - {rule.id for rule in remaining} == {"MAP-LOW"}
