"""A ward that turns to other rules or another roster: what ends, what is told, and who is awaited no more."""

from __future__ import annotations

from pump_reports import rules, site, terms

from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.ward import Ward

T = 1_790_000_000_000
HOUR_MS = 3_600_000
BED, OTHER = "icu-a/bed-7", "icu-a/bed-8"
BOTH = frozenset({BED, OTHER})
LIMITS = site().core_limits()
SILENT = "TECH-BED-SILENT"
OTHERS = tuple(rule for rule in rules() if rule.id != SILENT)


def told(changes: list[Change]) -> set[tuple[str, str, Phase, str | None]]:
    return {(change.bed, change.rule.id, change.phase, change.reason) for change in changes}


def test_the_alerts_of_a_rule_that_is_no_more_end_at_every_bed() -> None:
    ward = Ward(rules(), terms(), LIMITS, BOTH)
    assert told([*ward.tick(T), *ward.tick(T + HOUR_MS)]) == {
        (bed, SILENT, Phase.START, None) for bed in BOTH
    }
    turned = ward.turn_to(OTHERS, terms(), LIMITS, BOTH, "r2", T + HOUR_MS)
    assert told(turned.tick(T + HOUR_MS + 1)) == {(bed, SILENT, Phase.END, "rule_off") for bed in BOTH}


def test_what_a_new_rule_says_of_the_present_is_told_at_the_next_tick() -> None:
    ward = Ward(OTHERS, terms(), LIMITS, BOTH)
    assert [*ward.tick(T), *ward.tick(T + HOUR_MS)] == []
    turned = ward.turn_to(rules(), terms(), LIMITS, BOTH, "r2", T + HOUR_MS)
    assert told(turned.tick(T + HOUR_MS + 1)) == {(bed, SILENT, Phase.START, None) for bed in BOTH}


def test_a_bed_that_left_the_roster_is_awaited_no_more() -> None:
    ward = Ward(rules(), terms(), LIMITS, BOTH)
    ward.tick(T)
    turned = ward.turn_to(rules(), terms(), LIMITS, frozenset({BED}), "r2", T + 1)
    assert {name: bed.chart.waiting_since_ms for name, bed in turned.beds.items()} == {BED: T, OTHER: None}
