"""What every rule says in its charts, word for word and with its evidence: the page docs/announcements.md.

`.venv/bin/python -m tests.announcements > docs/announcements.md` renews it; read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from streamproc.core.change import Change
from streamproc.core.rule import Rule
from streamproc.core.ward import Ward
from streamproc.rules import RULES
from tests.charts import MINUTE_MS, START_MS, chart_events, length_ms, play, settings_in_force, told
from tests.mishaps import at_ms, befallen
from tests.test_scenarios import HOLD_BACK_MS, charts

HEAD = """# What the alerts say

Generated from the charts in `tests/scenarios`; `tests/test_announcements.py` holds the two together. Each
rule is shown in those of its charts in which it says something new. Indented below an announcement: its
advice, and what the figure came from.
"""


def page() -> str:
    """The whole page."""
    return page_of(HEAD, lambda chart: list(announced(chart)))


def page_of(head: str, said_of: Callable[[Mapping[str, Any]], list[str]]) -> str:
    """What is said of each chart of each rule in which it says something new, its figures aside."""
    parts = [head]
    for rule in RULES:
        seen: set[str] = set()
        for title, chart in charts_by_title().items():
            said = said_of(chart) if title.startswith(f"{rule.id}: ") else []
            shapes = {re.sub(r"-?\d+(\.\d+)?", "#", line) for line in said}
            if shapes - seen:
                seen |= shapes
                parts.append("\n".join([f"## {title}\n", *(f"    {line}" for line in said), ""]))
    return "\n".join(parts)


def sections(text: str) -> dict[str, list[str]]:
    """What the page says in each chart."""
    found = {}
    for part in text.split("\n## ")[1:]:
        title, *lines = part.splitlines()
        found[title] = [line.removeprefix("    ") for line in lines if line]
    return found


@cache
def charts_by_title() -> dict[str, dict[str, Any]]:
    """Every chart under the title that it has on the page."""
    return {str(param.id): param.values[1] | {"rule": param.values[0]} for param in charts()}


def announced(chart: Mapping[str, Any]) -> Iterator[str]:
    """All that the chart's rule announces."""
    for change in live(chart):
        if change.rule.id == chart["rule"]:
            yield from _lines(change)


def live(chart: Mapping[str, Any], watched: Callable[[Rule], Rule] = lambda rule: rule) -> list[Change]:
    """A chart's life, with its rule watched, beside the rules that the chart names (WEAN-READY, which asks
    for any alarm, beside all)."""
    named = {chart["rule"]} | {line.split()[1] for line in chart["expect"]}
    settings = settings_in_force(*chart.get("settings", []))
    rules = [rule for rule in settings.core_rules() if rule.id in named or "WEAN-READY" in named]
    rules = [watched(rule) if rule.id == chart["rule"] else rule for rule in rules]
    ward = Ward(rules, settings.core_terms(), settings.core_limits(), frozenset(settings.roster))
    acknowledge = {name: at_ms(text) for name, text in chart.get("acknowledge", {}).items()}
    events, sent_at = befallen(chart, chart_events(chart))
    until_ms = START_MS + length_ms(chart) + HOLD_BACK_MS - 1
    unwatched = [at_ms(text) for text in chart.get("unwatched", [])]
    return play(ward, events, until_ms, acknowledge, sent_at=sent_at, unwatched=unwatched)


def _lines(change: Change) -> Iterator[str]:
    word = change.wording
    yield f"{told(change)}: {word.text}"
    if word.advice:
        yield f"  {word.advice}"
    figures = [f"{word.figure!r}", f"{word.value} of {word.limit} {word.unit}".rstrip()]
    figures += [f"propose {word.proposal}"] if word.proposal is not None else []
    yield "  " + "; ".join([*figures, *_evidence(change), *_life(change)])


def _evidence(change: Change) -> Iterator[str]:
    evidence = change.evidence
    if evidence.map is not None:
        m = evidence.map
        yield f"MAP of {_minute(m.start_ms)}-{_minute(m.end_ms)} min, {m.coverage:g} held, {m.count} samples"
    if change.wording.with_dose:
        yield f"dose {evidence.dose_per_kg_min}"
        for c in evidence.channels:
            r = c.report
            rate = f"{r.rate.value} {r.rate.unit}" if r.rate else "no rate"
            weight = f"{c.weight_kg} kg by {c.weight_source}" if c.weight_source else "no weight"
            yield f"channel {r.channel} {r.state}, {rate}, form by {c.form_source}, {weight}"

    for reading in evidence.observed:
        told = " ".join(map(str, filter(None, (reading.kind, reading.fluid, reading.value))))
        yield f"{told} at {_minute(reading.time_ms)} min"


def _life(change: Change) -> Iterator[str]:
    yield f"{change.state} since {_minute(change.onset_ms)} min, event {change.event_seq}"
    if change.reason is not None:
        yield change.reason


def _minute(time_ms: int) -> str:
    return f"{(time_ms - START_MS) / MINUTE_MS:.4g}"


if __name__ == "__main__":
    print(page(), end="")
