"""The charts under tests/scenarios, one file a rule: what each must raise, when, and what it must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamproc.rules import RULES
from tests.charts import CHARTED, PUMPS, START_MS, chart_events, length_ms, new_ward, play, series, told
from tests.mishaps import MISHAPS, at_ms, befallen

FOLDER = Path(__file__).parent / "scenarios"
HOLD_BACK_MS = 2_000
KEYS = {
    "name",
    "map",
    "cuff",
    *PUMPS,
    *CHARTED,
    *(f"{name}_pump" for name in PUMPS),
    "patient",
    "patient_later",
    "acknowledge",
    "unwatched",
    "settings",
    "expect",
    "says",
    *MISHAPS,
}


def charts() -> list[Any]:
    """Every chart of every file, named by rule and chart."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for chart in YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")):
            assert set(chart) <= KEYS, f"{path.name}, {chart['name']}: unknown {set(chart) - KEYS}"
            found.append(pytest.param(path.stem, chart, id=f"{path.stem}: {chart['name']}"))
    return found


@pytest.mark.parametrize(("rule", "chart"), charts())
def test_chart_raises_what_it_says(rule: str, chart: dict[str, Any]) -> None:
    """A chart's rule announces exactly what the chart expects, at the second, and in these words."""
    ward = new_ward(*chart.get("settings", []))
    acknowledge = {name: at_ms(text) for name, text in chart.get("acknowledge", {}).items()}
    until_ms = START_MS + length_ms(chart) + HOLD_BACK_MS - 1
    events, sent_at = befallen(chart, chart_events(chart))
    unwatched = [at_ms(text) for text in chart.get("unwatched", [])]
    changes = play(ward, events, until_ms, acknowledge, sent_at=sent_at, unwatched=unwatched)
    rules = {rule} | {line.split()[1] for line in chart["expect"]}
    seen = [str(told(change)) for change in changes if change.rule.id in rules]
    assert seen == chart["expect"]
    said = [f"{c.wording.text} / {c.wording.advice}" for c in changes if c.rule.id == rule]
    for words, line in zip(chart.get("says", said), said, strict=True):
        assert words in line


def test_every_rule_has_four_charts() -> None:
    """No rule without its edges: at least four charts each."""
    counts = {rule.id: 0 for rule in RULES}
    for param in charts():
        counts[param.values[0]] += 1
    assert {rule: n for rule, n in counts.items() if n < 4} == {}


LONG_ENOUGH = 5
"""Minutes of silence: many times what any device's contact takes to be lost."""


def test_every_rule_has_a_chart_in_which_a_signal_is_lost_and_one_in_which_its_alert_ends() -> None:
    lost, ended = set(), set()
    for param in charts():
        rule, chart = param.values
        if any(_falls_silent(chart.get(name, "")) for name in (*PUMPS, *CHARTED, "map", "cuff")):
            lost.add(rule)
        if any(line.split()[1:] == [rule, "end"] for line in chart["expect"]):
            ended.add(rule)
    assert lost == ended == {rule.id for rule in RULES}


def _falls_silent(text: str) -> bool:
    """Whether a series that was heard says nothing for long."""
    heard = [value is not None for value in series(text)]
    return any(
        heard[minute - 1] and not any(heard[minute : minute + LONG_ENOUGH])
        for minute in range(1, len(heard) - LONG_ENOUGH + 1)
    )
