"""The same history told to the product: facts become events of a ward with the shipped configuration.

The only file of this folder but the test that knows the product. Must judge nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from streamproc.config import Settings, load
from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.events import (
    Acknowledged,
    BedEvent,
    MapSample,
    MapSource,
    PatientContext,
    Profile,
    PumpState,
    PumpStatus,
    Quantity,
)
from streamproc.core.ward import Ward
from streamproc.rules import RULES
from streamproc.shell.replay import Replay
from streamproc.wire import read_lines
from tests.charts import BED, hash_of
from tests.reference.facts import Acknowledgement, Fact, Patient, Pressure, Report, Said, Terms

LATENCY_MS = 100
JUDGED = {
    "DOSE-START",
    "DOSE-10",
    "DOSE-DAILY",
    "DOSE-DURATION",
    "DOSE-STEP",
    "MAP-LOW",
    "MAP-CRIT",
    "MAP-OVERDUE",
    "ESC-THRESHOLD",
    "ESC-SECOND-AGENT",
    "WEAN-READY",
    "WEAN-FAST",
    "WEAN-STOP",
    "WEAN-FAIL",
    "TECH-MAP-LOST",
    "TECH-PUMP-LOST",
    "TECH-DOSE",
    "TECH-MAP-ARTEFACT",
}
"""The rules that the reference has, and those whose alarms forbid weaning in its histories."""
OTHERS_OFF = [f"rules.{rule.id}.enabled=false" for rule in RULES if rule.id not in JUDGED]


def product(facts: Sequence[Fact], until_ms: int, terms: Terms) -> list[Said]:
    """Every alert event of the product up to this event time, but for mere updates."""
    settings = _settings(terms)
    ward = Ward(settings.core_rules(), settings.core_terms(), settings.core_limits())
    changes: list[Change] = []
    for number, fact in enumerate(facts):
        if isinstance(fact, Acknowledgement):
            changes += ward.tick(fact.time_ms)
            _acknowledge(ward, fact, changes)
        else:
            event = _event(fact, number)
            changes += ward.tick(event.time_ms + LATENCY_MS)
            ward.offer(event, event.time_ms + LATENCY_MS, hash_of(event))
    changes += ward.tick(until_ms + ward.limits.hold_back_ms)
    return _said(changes)


@cache
def _settings(terms: Terms, *more: str) -> Settings:
    held_s = {f"terms.map_hold_{source}_s": ms // 1000 for source, ms in terms.hold_ms}
    named = {**held_s, "terms.map_lost_s": terms.map_lost_ms // 1000}
    named["terms.pump_lost_s"] = terms.pump_lost_ms // 1000
    named["event_time.hold_back_s"] = terms.hold_back_ms // 1000
    return load(None, [*OTHERS_OFF, *(f"{key}={value}" for key, value in named.items()), *more])


def replayed(lines: Sequence[str], until_ms: int, terms: Terms) -> list[Said]:
    """The same of recorded lines, which come in by the wire."""
    lateness = f"event_time.lateness_s={terms.hold_back_ms // 1000}"
    messages = read_lines(line.encode() for line in lines)
    return _said(Replay(_settings(terms, lateness)).changes(messages, until_ms + terms.hold_back_ms))


def _said(changes: Iterable[Change]) -> list[Said]:
    return sorted(
        Said(change.time_ms, change.rule.id, change.phase.value, change.priority.value)
        for change in changes
        if change.phase is not Phase.UPDATE
    )


def _acknowledge(ward: Ward, fact: Acknowledgement, changes: Sequence[Change]) -> None:
    of_rule = [each for each in changes if each.rule.id == fact.rule]
    if of_rule and of_rule[-1].phase is not Phase.END:
        seen = ward.beds[BED].alerts[fact.rule].alert_id
        ward.offer(Acknowledged(fact.time_ms, "station-1", seen, "rn"), fact.time_ms, 0)


def _event(fact: Fact, number: int) -> BedEvent:
    match fact:
        case Pressure():
            device = "MON-1" if fact.source == "arterial" else "MON-2"
            source = MapSource(fact.source)
            return MapSample(fact.time_ms, BED, device, "b1", number, source, fact.milli_mmhg, fact.valid)
        case Report():
            return _status(fact, number)
        case Patient():
            return PatientContext(
                fact.time_ms,
                BED,
                "S-1",
                weight_kg=None if fact.weight is None else float(fact.weight),
                profile=Profile(fact.profile),
                age_group=fact.age_group,
                pregnant=fact.pregnant,
                map_target_milli_mmhg=fact.target,
            )
    raise AssertionError(f"no event: {fact}")


def _status(fact: Report, number: int) -> PumpStatus:
    return PumpStatus(
        fact.time_ms,
        BED,
        "PMP-" + fact.channel,
        "b1",
        number,
        fact.channel,
        PumpState(fact.state),
        fact.drug,
        rate=None if fact.rate is None else Quantity(float(fact.rate), fact.unit),
        concentration=None if fact.concentration is None else Quantity(float(fact.concentration), "ug/mL"),
    )
