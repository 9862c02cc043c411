"""Judged by the processor's own core, each scenario raises what its story promises.

This holds the simulators and the rules together: whoever changes one sees here what it does to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from simulated_telemetry import SEEDS, START_MS

from simulators.messages import Message
from simulators.scenarios import SCENARIOS
from simulators.ward import showcase
from streamproc.config import load
from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.ward import Ward
from streamproc.wire import Decoder, Rejected, Topics, digest

SECOND_MS = 1000
PRESSURE = {"MAP-LOW", "MAP-CRIT"}
WEANING = {"WEAN-FAST", "WEAN-STOP"}

STORIES = {
    "stable": ("34 WEAN-READY info", PRESSURE | WEANING | {"TECH-DOSE", "TECH-MAP-LOST"}, 36),
    "septic_shock": (
        "8-10 MAP-LOW medium, 12-16 MAP-LOW high, 12-16 ESC-SECOND-AGENT medium, 26 ESC-SECOND-AGENT high,"
        " 27 ESC-THRESHOLD medium",
        WEANING,
        28,
    ),
    "weaning_well": ("34 WEAN-READY info, 66 WEAN-READY info", PRESSURE | WEANING, 70),
    "weaning_fast": ("18 WEAN-FAST medium, 23-31 MAP-LOW medium", {"WEAN-STOP", "MAP-CRIT"}, 32),
    "abrupt_stop": (
        "13-15 WEAN-STOP high, 15-19 MAP-LOW medium, 18-24 MAP-CRIT high",
        {"WEAN-FAST", "TECH-PUMP-LOST"},
        26,
    ),
    "line_lost": ("10 TECH-MAP-LOST low, 10 TECH-MAP-LOST medium, 14 MAP-OVERDUE low", PRESSURE, 18),
    "monitor_lost": ("10 TECH-MAP-LOST low, 14 MAP-OVERDUE low, 24 MAP-OVERDUE medium", PRESSURE, 32),
    "pump_lost": ("12 TECH-PUMP-LOST medium", PRESSURE | WEANING, 20),
    "bag_changeover": ("", PRESSURE | WEANING | {"TECH-PUMP-LOST"}, 54),
    "wrong_concentration": ("16 ESC-THRESHOLD medium, 25 WEAN-FAST medium", PRESSURE | {"WEAN-STOP"}, 27),
    "hypotension_missed": (
        "9-12 MAP-LOW medium, 14-19 MAP-LOW high, 14-19 ESC-SECOND-AGENT medium, 21-24 MAP-CRIT high",
        WEANING,
        26,
    ),
    "no_weight": ("0 TECH-DOSE medium", PRESSURE | WEANING, 27),
    "artefacts": (
        "15 TECH-MAP-ARTEFACT low, 22 TECH-MAP-ARTEFACT low, 28 TECH-MAP-ARTEFACT low,"
        " 36 TECH-MAP-ARTEFACT low, 36 TECH-MAP-LOST medium",
        PRESSURE | WEANING,
        42,
    ),
    "pump_alarms": ("", PRESSURE | WEANING, 48),
}
"""Scenario: what must be raised (minute or minutes, rule, priority), which rules must not be, and the
minutes to watch it for."""

WITHIN_AN_HOUR = {
    *("MAP-LOW", "ESC-THRESHOLD", "ESC-SECOND-AGENT", "WEAN-FAST", "WEAN-STOP", "WEAN-READY"),
    *("TECH-MAP-LOST", "TECH-DOSE", "MAP-OVERDUE", "MAP-CRIT"),
}


def judged(messages: Iterable[Message]) -> Iterator[Change]:
    """What a processor whose clock follows the telemetry announces, with the shipped configuration."""
    settings = load()
    ward = Ward(settings.core_rules(), settings.core_terms(), settings.core_limits())
    decoder = Decoder(Topics(), settings.spellings())
    next_ms = START_MS
    for message in messages:
        while next_ms <= message.time_ms:
            yield from ward.tick(next_ms)
            next_ms += SECOND_MS
        event = decoder.decode(message.topic, message.payload, message.time_ms)
        if not isinstance(event, Rejected):
            ward.offer(event, message.time_ms, digest(message.payload))
        elif event.artefact is not None:
            ward.note_artefact(event.artefact, message.time_ms)
    yield from ward.tick(next_ms + settings.core_limits().hold_back_ms)


def raised(changes: Iterable[Change]) -> list[tuple[int, str]]:
    """(minute, rule and priority) of every start and escalation."""
    return [
        ((change.time_ms - START_MS) // 60_000, f"{change.rule.id} {change.priority}")
        for change in changes
        if change.phase in (Phase.START, Phase.ESCALATE)
    ]


def in_story(promise: str) -> tuple[range, str]:
    """The minutes and the rule and priority of `12-16 MAP-LOW high`."""
    minutes, alert = promise.strip().split(" ", 1)
    first, _, last = minutes.partition("-")
    return range(int(first), int(last or first) + 1), alert


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_raises_what_it_is_made_for_and_not_what_it_is_not(name: str) -> None:
    """A promise is kept within its minutes; what is ruled out never comes."""
    promises, never, minutes_watched = STORIES[name]
    bed = SCENARIOS[name].play("icu-a", "bed-1", SEEDS[0], START_MS, minutes_watched * 60)
    alerts = raised(judged(bed))
    for promise in filter(None, promises.split(",")):
        minutes, alert = in_story(promise)
        assert [at for at, what in alerts if what == alert and at in minutes], f"{promise} not in {alerts}"
    assert not [what for _, what in alerts if what.split()[0] in never]


def test_eight_beds_show_most_rules_within_an_hour() -> None:
    """What the demo shows in a minute at sixty times the speed."""
    changes = judged(showcase(8, "icu-a", 1, START_MS, 35 * 60).play())
    assert {change.rule.id for change in changes} >= WITHIN_AN_HOUR


def test_every_scenario_has_its_promises() -> None:
    assert set(STORIES) == set(SCENARIOS)
