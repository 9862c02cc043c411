"""The house's laws, over histories made of spells: what is announced depends on events and event time alone.

Not on arrival within the hold-back, nor on ticks, restarts, repetitions, units, or how often anybody
looks. The first test proves that these histories raise and end every rule, so that the rest means something.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import Phase as Stage
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pump_reports import site
from ward_histories import (
    BEDS,
    HOLD_BACK_MS,
    LENGTH_MIN,
    MINUTE_MS,
    START_MS,
    Arrival,
    History,
    Line,
    Run,
    Spell,
    Stay,
    acknowledging,
    arrived,
    assert_same_feed,
    histories,
    is_telemetry,
    laws,
    open_spans,
    redelayed,
    run,
)

from streamproc.core.alert import Phase
from streamproc.core.chart import Chart, Reads
from streamproc.core.dose import DoseUnknown
from streamproc.core.events import BedFreed, MapSample, PatientContext, PumpState, PumpStatus
from streamproc.core.reason import Reason
from streamproc.core.ward import Taken
from streamproc.wire import Decoder, Rejected, Topics
from streamproc.wire.instant import instant_ms, rfc3339

ROOT = Path(__file__).resolve().parents[2]
SEED = 20_261_123
COVERED = {
    "MAP-LOW",
    "MAP-CRIT",
    "MAP-OVERDUE",
    "ESC-THRESHOLD",
    "ESC-SECOND-AGENT",
    "WEAN-READY",
    "WEAN-FAST",
    "WEAN-STOP",
    "TECH-MAP-LOST",
    "TECH-PUMP-LOST",
    "TECH-BED-SILENT",
    "TECH-DOSE",
    "TECH-MAP-ARTEFACT",
}
"""The rules that these histories raise and end; a rule joins with the spells that raise it."""
MINUTES = st.integers(0, (LENGTH_MIN + 15) * MINUTE_MS).map(lambda after_ms: START_MS + after_ms)


# the generator


def test_the_histories_raise_and_end_every_rule() -> None:
    """Over a fixed number of examples of a fixed seed; a law over histories without alarms proves nothing."""
    raised, ended = set[str](), set[str]()

    @seed(SEED)
    @settings(laws, max_examples=30, phases=[Stage.generate], database=None)
    @given(histories())
    def live(history: History) -> None:
        if raised >= COVERED and ended >= COVERED:
            return
        for change in run(history).changes:
            if change.phase is Phase.START:
                raised.add(change.rule.id)
            if change.phase is Phase.END and change.reason is None:
                ended.add(change.rule.id)

    live()
    missing = {"never raised": COVERED - raised, "never ended": COVERED - ended}
    assert missing == {"never raised": set(), "never ended": set()}, f"seed {SEED}"


# law 1: the same events


@laws
@given(histories())
def test_the_same_events_give_the_same_bytes(history: History) -> None:
    assert_same_feed(run(history), run(history))


def eventful_history() -> History:
    """Two beds by hand, with something of everything."""
    falling = Line((Spell("level", 10, 70.0), Spell("level", 25, 58.0), Spell("level", 30, 71.0)), 20)
    rising = Line(
        (Spell("rate", 12, 0.1), Spell("rate", 20, 0.3), Spell("stopped", 25), Spell("rate", 9, 0.05)), 30
    )
    steady = Line((Spell("level", 60, 70.0), Spell("silence", 5), Spell("artefact", 6)), 30)
    weaned = Line((Spell("rate", 45, 0.2), Spell("rate", 10, 0.1), Spell("blind", 10, 5.0)), 30)
    drawn = (
        Stay(BEDS[0], falling, (("1", "norepinephrine", rising),)),
        Stay(BEDS[1], steady, (("1", "norepinephrine", weaned),), ((50, "target", 75.0),)),
    )
    return acknowledging(arrived(drawn, salt=3, late_every=31), [(0, 1), (4, 2)])


def fingerprint() -> str:
    """A digest of everything that the eventful history announces."""
    return hashlib.sha256(b"\n".join(run(eventful_history()).feed)).hexdigest()


def test_no_seed_of_hashing_changes_a_byte() -> None:
    """No order of a set, no identity of an object, no id by chance: another process says the same."""
    told = {fingerprint()}
    assert len(run(eventful_history()).feed) > 20
    for hash_seed in ("0", "1", "31337"):
        done = subprocess.run(
            [sys.executable, "-c", "from test_laws import fingerprint; print(fingerprint())"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"},
            check=True,
            capture_output=True,
            text=True,
        )
        told.add(done.stdout.strip())
    assert len(told) == 1


# law 2: time enters by the same door as data


@laws
@given(histories(late=False), st.integers(1_000, 2_000))
def test_arrival_within_the_hold_back_changes_nothing(history: History, salt: int) -> None:
    """Each message with another delay, in another order, beds interleaved anew: same bytes, numbers too."""
    assert_same_feed(run(redelayed(history, salt)), run(history))


@laws
@given(histories(), st.sampled_from([500, 777, 10_000, 61_000]), st.integers(0, 10_000))
def test_the_cadence_of_ticks_changes_nothing(history: History, tick_ms: int, first_ms: int) -> None:
    """Late messages included: they are judged at their receipt, however often the clock is told."""
    ticks = range(START_MS + first_ms, history.until_ms, tick_ms)
    assert_same_feed(run(history, ticks_ms=ticks), run(history))


@laws
@given(histories())
def test_no_bed_is_disturbed_by_another(history: History) -> None:
    """Alone in the ward a bed says what it says among others, but for the feed's numbering."""
    together = run(history).changes
    for stay in history.stays:
        own = [a for a in history.arrivals if getattr(a.event, "bed", stay.bed) == stay.bed]
        alone = run(replace(history, stays=(stay,)).arriving(own)).changes
        assert numbered_anew(alone) == numbered_anew([c for c in together if c.bed == stay.bed])


def numbered_anew(changes: list[Any]) -> list[str]:
    return [repr(replace(change, feed_seq=0, rule=None)) for change in changes]


@laws
@given(histories(), st.integers(-(10**11), 10**10))
def test_another_day_changes_nothing_but_dates(history: History, later_ms: int) -> None:
    """All times shifted by the same: the times of the feed are, and nothing else but computed names."""
    moved = [
        Arrival(a.received_ms + later_ms, replace(a.event, time_ms=a.event.time_ms + later_ms), a.digest)
        for a in history.arrivals
        if not hasattr(a.event, "alert_id")
    ]
    here = run(history.arriving(a for a in history.arrivals if not hasattr(a.event, "alert_id")))
    elsewhere = run(
        replace(history.arriving(moved), until_ms=history.until_ms + later_ms), start_ms=START_MS + later_ms
    )
    assert [undated(line, later_ms) for line in elsewhere.feed] == [undated(line, 0) for line in here.feed]


def undated(line: bytes, later_ms: int) -> str:
    """The line with its times moved back and its computed names left out."""

    def moved_back(match: re.Match[str]) -> str:
        return rfc3339(instant_ms(match[0], "time") - later_ms)

    without_names = re.sub(r"al-[0-9a-f]{20}", "al", line.decode())
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", moved_back, without_names)


# law 4: restarts and repetitions


@laws
@given(histories(), st.lists(MINUTES, min_size=1, max_size=4))
def test_a_restart_anywhere_changes_nothing(history: History, restarts_ms: list[int]) -> None:
    """A snapshot through JSON into a fresh ward, between any two messages, even several times."""
    assert_same_feed(run(history, restarts_ms=restarts_ms), run(history))


@laws
@given(histories(), st.integers(2, 9), st.integers(0, 40_000))
def test_repeated_messages_change_nothing(history: History, every: int, after_ms: int) -> None:
    """A broker that delivers again, at once or much later: each repetition is counted, or refused as too old.

    Not so a freed bed, which has no time of its own to know it by."""
    freed = any(isinstance(arrival.event, BedFreed) for arrival in history.arrivals)
    again = [
        replace(arrival, received_ms=arrival.received_ms + after_ms)
        for number, arrival in enumerate(history.arrivals)
        if number % every == 0 and not (freed and isinstance(arrival.event, PatientContext | BedFreed))
    ]
    once, twice = run(history), run(history.arriving([*history.arrivals, *again]))
    assert_same_feed(twice, once)
    further = Counter(twice.verdicts) - Counter(once.verdicts)
    assert further[Taken.DUPLICATE] > 0
    assert further[Taken.DUPLICATE] + further[Reason.TOO_LATE] == sum(
        is_telemetry(each.event) for each in again
    )


# judged when it must be


def judging_everything() -> Any:
    """Every rule judged at every instant at which anything happens, whatever it reads."""
    settle = Chart.settle

    def settled(chart: Chart) -> int:
        return settle(chart) | Reads.EVERYTHING

    return patch.object(Chart, "settle", settled)


@laws
@given(histories())
def test_a_rule_declares_all_that_it_reads(history: History) -> None:
    """Judging every rule at every event gives what judging only those gives whose reads have changed."""
    sparing = run(history)
    with judging_everything():
        assert_same_feed(run(history), sparing)


@laws
@given(histories(), st.lists(MINUTES, max_size=30), st.sampled_from([20_000, 61_000]))
def test_looking_more_often_finds_nothing_new(history: History, looks_ms: list[int], every_ms: int) -> None:
    """No answer changes before its promise: further instants of judging everything change nothing."""
    sparing = run(history)
    regular = range(START_MS + 5_003, history.until_ms - 2 * HOLD_BACK_MS, every_ms)
    with judging_everything():
        assert_same_feed(run(history, looks_ms=[*looks_ms, *regular]), sparing)


# units


MMHG_PER_KPA = Fraction(1000) / Fraction("133.322387415")
WEIGHT_KG = 70


def in_kpa(mmhg: float) -> float:
    return round(float(Fraction(repr(mmhg)) / MMHG_PER_KPA), 9)


PUMP_UNITS: dict[str, Any] = {
    "ug/kg/min": lambda dose: {"rate": {"value": dose, "unit": "ug/kg/min"}},
    "ug/min": lambda dose: {"rate": {"value": scaled(dose, WEIGHT_KG), "unit": "ug/min"}},
    "mg/h": lambda dose: {"rate": {"value": scaled(dose, WEIGHT_KG * 60, 1000), "unit": "mg/h"}},
    "mL/h": lambda dose: {
        "rate": {"value": scaled(dose, WEIGHT_KG * 60, 16), "unit": "mL/h"},
        "concentration": {"value": 0.016, "unit": "mg/mL"},
    },
    "mg/h of salt": lambda dose: {
        "rate": {"value": scaled(dose, WEIGHT_KG * 60 * 2, 1000), "unit": "mg/h"},
        "form": "bitartrate",
    },
}


def scaled(dose: float, factor: int, divisor: int = 1) -> float:
    return float(Fraction(repr(dose)) * factor / divisor)


def sent(event: Any, pressure_unit: str, pump_unit: str) -> tuple[str, bytes]:
    """The message that says this event in these units, as its topic and payload."""
    common = {"device": event.device, "boot": event.boot, "seq": event.seq, "time": rfc3339(event.time_ms)}
    match event:
        case MapSample():
            kind, mmhg = "map", event.milli_mmhg / 1000
            metric = "MDC_PRESS_CUFF_MEAN" if event.source == "cuff" else "MDC_PRESS_BLD_ART_ABP_MEAN"
            value = in_kpa(mmhg) if pressure_unit == "kPa" else mmhg
            quality = "good" if event.valid else "artefact"
            body = {**common, "metric": metric, "value": value, "unit": pressure_unit, "quality": quality}
        case PumpStatus():
            kind = f"pump/{event.channel}"
            body = {**common, "status": event.state, "drug": event.drug}
            if event.rate is not None and event.rate.unit == "ug/kg/min":
                body |= PUMP_UNITS[pump_unit](event.rate.value)
            elif event.rate is not None:
                body["rate"] = {"value": event.rate.value, "unit": event.rate.unit}
        case _:
            kind = "patient"
            body = {"time": rfc3339(event.time_ms), "session": event.session}
            body["weight"] = {"value": event.weight_kg, "unit": "kg"}
    return f"bedside/v1/{event.bed}/{kind}", json.dumps(body).encode()


def in_units(history: History, pressure_unit: str, pump_unit: str) -> History:
    """The history as its devices would have sent it in these units, read through the door."""
    door = Decoder(Topics(), site().spellings())
    arrivals = []
    for arrival in history.arrivals:
        topic, payload = sent(arrival.event, pressure_unit, pump_unit)
        event = door.decode(topic, payload, arrival.received_ms)
        assert not isinstance(event, Rejected), event
        arrivals.append(replace(arrival, event=event))
    return history.arriving(arrivals)


@settings(laws, max_examples=3)
@given(histories(late=False, contexts=False, acks=False))
def test_units_are_only_notation(history: History) -> None:
    """kPa for mm[Hg], and every unit of a pump for ug/kg/min: the same alerts, values and texts."""
    told = run(in_units(history, "mm[Hg]", "ug/kg/min")).told()
    assert run(history).told() == told
    for pump_unit in PUMP_UNITS:
        assert run(in_units(history, "kPa", pump_unit)).told() == told, pump_unit


# law 5: unknown is an answer


CUTS = st.tuples(st.integers(0, 30), st.integers(0, 200_000))
"""Before which change a signal is lost, and by how much."""


def instant_before_a_change(history: History, nth: int, before_ms: int) -> int:
    """When to cut a signal off, so that it matters: shortly before something would end or be advised."""
    told = [
        change.time_ms
        for change in run(history).changes
        if change.rule.id in DECIDED_BY_SIGNALS
        and (change.phase is Phase.END or change.rule.id == "WEAN-READY")
    ]
    return (told[nth % len(told)] if told else START_MS + LENGTH_MIN * MINUTE_MS // 2) - before_ms


DECIDED_BY_SIGNALS = (
    "MAP-LOW",
    "MAP-CRIT",
    "ESC-THRESHOLD",
    "ESC-SECOND-AGENT",
    "WEAN-FAST",
    "WEAN-STOP",
    "WEAN-READY",
)


def without_signal(history: History, kind: type[Any], from_ms: int) -> History:
    """The history with one kind of message lost from an instant on."""
    return history.arriving(
        a for a in history.arrivals if not (isinstance(a.event, kind) and a.event.time_ms >= from_ms)
    )


def changes_after(lived: Run, bed: str, at_ms: int, *phases: Phase) -> list[tuple[str, int, Any]]:
    """(rule, event time, dose) of what a bed announced after an instant."""
    return [
        (change.rule.id, change.time_ms, change.evidence.dose_per_kg_min)
        for change in lived.changes
        if change.bed == bed and change.time_ms > at_ms and change.phase in phases
    ]


def infuses_at(history: History, bed: str, at_ms: int) -> bool:
    """Whether a pump says at this very instant that it infuses norepinephrine, at whatever dose."""
    return any(
        isinstance(a.event, PumpStatus)
        and a.event.bed == bed
        and a.event.time_ms == at_ms
        and a.event.drug == "norepinephrine"
        and a.event.state is PumpState.INFUSING
        for a in history.arrivals
    )


def of_rules(lived: Run, *names: str) -> list[tuple[Any, ...]]:
    return [told for told in lived.told() if told[2] in names]


@laws
@given(histories(late=False, contexts=False), CUTS)
def test_losing_the_pressure_ends_no_physiological_alert(history: History, cut: tuple[int, int]) -> None:
    """Once the silence counts as loss nothing ends or abates on the strength of a pressure that is not there;
    what a dose decides goes on as it did."""
    from_ms = instant_before_a_change(history, *cut)
    lived = run(without_signal(history, MapSample, from_ms))
    for stay in history.stays:
        pressure = lived.ward.beds[stay.bed].chart.pressure
        if pressure.cadence.last_ms is None:
            continue
        lost_ms = pressure.cadence.last_ms + pressure.loss_ms(site().core_terms().map_lost_ms)
        for rule, at_ms, dose in changes_after(lived, stay.bed, lost_ms, Phase.END, Phase.DEESCALATE):
            assert rule not in ("MAP-LOW", "MAP-CRIT"), at_ms
            assert rule != "ESC-SECOND-AGENT" or dose is not None, at_ms
            assert rule != "WEAN-STOP" or dose or infuses_at(history, stay.bed, at_ms), at_ms
        ready = [rule for rule, *_ in changes_after(lived, stay.bed, lost_ms, Phase.START)]
        assert "WEAN-READY" not in ready
    by_dose = ("ESC-THRESHOLD", "WEAN-FAST", "TECH-DOSE", "TECH-PUMP-LOST")
    assert of_rules(lived, *by_dose) == of_rules(run(history), *by_dose)


@laws
@given(histories(late=False, contexts=False), CUTS)
def test_losing_the_pumps_ends_no_physiological_alert(history: History, cut: tuple[int, int]) -> None:
    """Once contact is lost nothing ends or abates on the strength of a dose that nobody knows; what the
    pressure decides goes on as it did."""
    from_ms = instant_before_a_change(history, *cut)
    lived = run(without_signal(history, PumpStatus, from_ms))
    for stay in history.stays:
        dose = lived.ward.beds[stay.bed].chart.dose
        if dose is None or dose.unknown is not DoseUnknown.CONTACT_LOST:
            continue  # never heard, or it said that it stopped
        ended = changes_after(lived, stay.bed, dose.since_ms, Phase.END, Phase.DEESCALATE)
        assert not {"ESC-THRESHOLD", "WEAN-FAST"} & {rule for rule, *_ in ended}
        ready = [rule for rule, *_ in changes_after(lived, stay.bed, dose.since_ms, Phase.START)]
        assert "WEAN-READY" not in ready
    by_pressure = ("MAP-LOW", "MAP-CRIT", "TECH-MAP-LOST", "TECH-MAP-ARTEFACT")
    assert of_rules(lived, *by_pressure) == of_rules(run(history), *by_pressure)


def covers(wide: list[tuple[int, int]], narrow: list[tuple[int, int]]) -> bool:
    """Whether every instant of the narrow spans is in one of the wide ones."""
    merged: list[tuple[int, int]] = []
    for since, until in sorted(wide):
        if merged and since <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(until, merged[-1][1])
        else:
            merged.append((since, until))
    return all(any(since >= s and until <= u for s, u in merged) for since, until in narrow)


@laws
@given(histories(acks=False), st.sampled_from([1, 500, 3_000, 10_000]), st.integers(1, 4))
def test_a_lower_pressure_is_never_better(history: History, drop_milli: int, every: int) -> None:
    """Lowering MAP only adds instants of MAP-LOW and MAP-CRIT, and only takes some of WEAN-READY's away."""
    lowered = []
    for number, arrival in enumerate(history.arrivals):
        if isinstance(arrival.event, MapSample) and number % every == 0:
            event = replace(arrival.event, milli_mmhg=arrival.event.milli_mmhg - drop_milli)
            arrival = replace(arrival, event=event)
        lowered.append(arrival)
    high, low = run(history), run(replace(history, arrivals=tuple(lowered)))
    for bed in BEDS:
        for rule in ("MAP-LOW", "MAP-CRIT"):
            spans = [open_spans(each, rule, bed, history.until_ms) for each in (low, high)]
            assert covers(*spans), (rule, bed, spans)
        spans = [open_spans(each, "WEAN-READY", bed, history.until_ms) for each in (high, low)]
        assert covers(*spans), ("WEAN-READY", bed, spans)


def test_covering_is_told_from_not_covering() -> None:
    assert covers([(0, 5), (5, 9)], [(1, 8)])
    assert not covers([(0, 5), (6, 9)], [(1, 8)])


def test_a_bed_of_which_nothing_is_known_is_only_silent() -> None:
    """Nothing said, nothing inferred."""
    history = History((Stay(BEDS[0], Line((), 20), ()),), (), START_MS + 60 * MINUTE_MS)
    assert {change.rule.id for change in run(history).changes} == {"TECH-BED-SILENT"}
