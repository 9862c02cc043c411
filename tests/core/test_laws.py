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
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from open_spans import covers, open_spans
from quick_site import every_rule, quick_site
from themed_stays import COVERING, HOW_TO_COVER, law, ward_of
from ward_histories import (
    BEDS,
    HOLD_BACK_MS,
    LENGTH_MIN,
    MINUTE_MS,
    START_MS,
    Bag,
    History,
    Line,
    Spell,
    Stay,
    acknowledging,
    arrived,
    assert_same_feed,
    is_telemetry,
    new_ward,
    redelayed,
    run,
)

from streamproc.core.alert import Phase, alert_id
from streamproc.core.bed import Bed
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    MapSample,
    ObservationKind,
    PatientContext,
    Profile,
)
from streamproc.core.remembered import Taken
from streamproc.wire.instant import instant_ms, rfc3339

ROOT = Path(__file__).resolve().parents[2]
LATENESS_MS = quick_site().core_limits().lateness_ms


# the generator


def test_the_histories_raise_and_end_every_rule() -> None:
    """Those over which each law is held; a law over histories without alarms proves nothing.

    An end is one by the rule itself, its time, or an acknowledgement; not by the end of the stay."""
    raised, ended = set[str](), set[str]()
    for number in COVERING:
        for change in run(ward_of(number)).changes:
            if change.phase is Phase.START:
                raised.add(change.rule.id)
            if change.phase is Phase.END and change.reason is None:
                ended.add(change.rule.id)
    catalogue = {rule.id for rule in every_rule()}
    missing = {"never raised": catalogue - raised, "never ended": catalogue - ended}
    assert missing == {"never raised": set(), "never ended": set()}, HOW_TO_COVER


# law 1: the same events


def eventful_history() -> History:
    """Two beds by hand, with something of everything."""
    occluded = Bag(20.0, "NS", "peripheral", "A", ("MDC_EVT_FLUID_LINE_OCCL",), 3.0)
    listed = Bag(16.0, "D5W", "central", "A", (), 90.0)
    falling = Line((Spell("level", 3, 70.0), Spell("level", 5, 58.0), Spell("level", 6, 71.0)), 10)
    rising = Line(
        (Spell("rate", 3, 0.1), Spell("rate", 4, 0.3), Spell("stopped", 4), Spell("rate", 3, 0.05)), 15
    )
    steady = Line((Spell("level", 10, 70.0), Spell("silence", 2), Spell("artefact", 2)), 10)
    weaned = Line(
        (Spell("rate", 6, 0.1, occluded), Spell("rate", 3, 0.05, listed), Spell("blind", 3, 5.0)), 15
    )
    alkaline = Line((Spell("rate", 5, 1.0, listed),), 15)
    fluids = Line((Spell("normal_saline", 1, 500.0), Spell("lactated_ringers", 4, 1000.0)), 30)
    drawn = (
        Stay(BEDS[0], falling, (("1", "norepinephrine", rising), ("3", "dopamine", rising))),
        Stay(
            BEDS[1],
            steady,
            (("1", "norepinephrine", weaned), ("4", "sodium_bicarbonate", alkaline)),
            ((ObservationKind.FLUID_BOLUS, fluids),),
            contexts=((12, "map_target_milli_mmhg", 75_000),),
        ),
    )
    return acknowledging(arrived(drawn, salt=3, late_every=31), [1, 2, 3, 4])


def fingerprint() -> str:
    """A digest of everything that the eventful history announces."""
    return hashlib.sha256(b"\n".join(run(eventful_history()).feed)).hexdigest()


def test_no_seed_of_hashing_changes_a_byte() -> None:
    """No order of a set, no identity of an object, no id by chance: another process says the same."""
    told = {fingerprint()}
    assert len(run(eventful_history()).feed) > 40
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


@law(late=False)
def test_arrival_within_the_hold_back_changes_nothing(history: History, chance: Random) -> None:
    """Each message with another delay, in another order, beds interleaved anew: same bytes, numbers too."""
    assert_same_feed(run(redelayed(history, chance.randrange(1_000, 2_000))), run(history))


@law()
def test_the_cadence_of_ticks_changes_nothing(history: History, chance: Random) -> None:
    """Late messages included: they are judged at their receipt, however often the clock is told."""
    first_ms, tick_ms = START_MS + chance.randrange(10_000), chance.choice([777, 10_000, 61_000])
    ticks = range(first_ms, history.until_ms, tick_ms)
    assert_same_feed(run(history, ticks_ms=ticks), run(history))


@law(borrowing=False)
def test_no_bed_is_disturbed_by_another(history: History, chance: Random) -> None:
    """Alone in the ward a bed says what it says among others, but for the feed's numbering."""
    together = run(history).changes
    for stay in history.stays:
        own = [a for a in history.arrivals if getattr(a.event, "bed", stay.bed) == stay.bed]
        alone = run(replace(history, stays=(stay,)).arriving(own)).changes
        assert numbered_anew(alone) == numbered_anew([c for c in together if c.bed == stay.bed])


def numbered_anew(changes: list[Any]) -> list[str]:
    return [repr(replace(change, feed_seq=0, rule=None)) for change in changes]


@law()
def test_another_day_changes_nothing_but_dates(history: History, chance: Random) -> None:
    """All times shifted by the same: the times of the feed are, and nothing else but computed names."""
    here, later_ms = run(history), chance.randrange(-(10**11), 10**10)
    names = {c.alert_id: alert_id(f"{c.bed}|{c.rule.id}", c.onset_ms + later_ms) for c in here.changes}
    moved = [
        replace(a, received_ms=a.received_ms + later_ms, event=on_another_day(a.event, later_ms, names))
        for a in history.arrivals
    ]
    elsewhere = run(
        replace(history, arrivals=tuple(moved), until_ms=history.until_ms + later_ms),
        start_ms=START_MS + later_ms,
    )
    assert [undated(line, later_ms) for line in elsewhere.feed] == [undated(line, 0) for line in here.feed]


def on_another_day(event: Any, later_ms: int, names: dict[str, str]) -> Any:
    """The event with its time moved, and an acknowledgement with the name that its alert has then."""
    moved = replace(event, time_ms=event.time_ms + later_ms)
    if not isinstance(event, Acknowledged):
        return moved
    return replace(moved, alert_id=names.get(event.alert_id, event.alert_id))


def undated(line: bytes, later_ms: int) -> str:
    """The line with its times moved back and its computed names left out."""

    def moved_back(match: re.Match[str]) -> str:
        return rfc3339(instant_ms(match[0], "time") - later_ms)

    without_names = re.sub(r"al-[0-9a-f]{20}", "al", line.decode())
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", moved_back, without_names)


# law 4: restarts and repetitions


@law()
def test_a_restart_anywhere_changes_nothing(history: History, chance: Random) -> None:
    """A snapshot written and read into a fresh ward, between any two messages, even several times; and what
    is asked next is what would have been asked."""
    stopped, whole = run(history, restarts_ms=instants(history, chance, 12)), run(history)
    assert_same_feed(stopped, whole)
    assert [asked_next(bed) for bed in stopped.beds] == [asked_next(bed) for bed in whole.beds]


def asked_next(bed: Bed) -> tuple[Any, ...]:
    return bed.name, bed.judged_again_ms, bed.dues_ms, bed.restless, bed.deadline_ms


def instants(history: History, chance: Random, count: int) -> list[int]:
    """Some instants of a history."""
    return [chance.randrange(START_MS, history.until_ms - 2 * HOLD_BACK_MS) for _ in range(count)]


@law()
def test_a_restart_from_what_is_new_since_a_full_snapshot_changes_nothing(
    history: History, chance: Random
) -> None:
    """The pressures that cannot have changed since then are taken from there, late messages or not."""
    lived = run(history, restarts_ms=instants(history, chance, 12), new_alone=True)
    assert_same_feed(lived, run(history))


@law()
def test_a_snapshot_stays_as_it_was_taken(history: History, chance: Random) -> None:
    """It is written while the ward lives on: nothing of it may be the ward's own."""
    (at_ms,) = instants(history, chance, 1)
    ward = new_ward(history)
    taken: list[tuple[Any, str]] = []
    for arrival in history.arrivals:
        ward.tick(arrival.received_ms)
        if arrival.received_ms >= at_ms and not taken:
            taken.append((snapshot := ward.snapshot(), json.dumps(snapshot, default=bytes.hex)))
        ward.offer(arrival.event, arrival.received_ms, arrival.digest)
    for snapshot, text in taken:
        assert json.dumps(snapshot, default=bytes.hex) == text


@law()
def test_repeated_messages_change_nothing(history: History, chance: Random) -> None:
    """A broker that delivers again, at once or much later: each repetition is counted.

    Not so a freed bed, which has no time of its own to know it by; and what comes again when it is too old to
    be taken in at all is told by TECH-CLOCK."""
    every, after_ms = chance.randrange(2, 6), chance.randrange(40_000)
    freed = any(isinstance(arrival.event, BedFreed) for arrival in history.arrivals)
    again = [
        replace(arrival, received_ms=arrival.received_ms + after_ms)
        for number, arrival in enumerate(history.arrivals)
        if number % every == 0
        and 0 <= arrival.received_ms - arrival.event.time_ms <= LATENESS_MS - after_ms
        and not (freed and isinstance(arrival.event, PatientContext | BedFreed))
    ]
    once, twice = run(history), run(history.arriving([*history.arrivals, *again]))
    assert_same_feed(twice, once)
    further = Counter(twice.verdicts) - Counter(once.verdicts)
    assert further[Taken.DUPLICATE] == sum(is_telemetry(each.event) for each in again) > 0


# judged when it must be


def judging_everything() -> Any:
    """Every rule judged at every instant at which anything happens, whatever it reads."""
    settle = Chart.settle

    def settled(chart: Chart) -> int:
        return settle(chart) | Reads.EVERYTHING

    return patch.object(Chart, "settle", settled)


@law(more=1)
def test_a_rule_declares_all_that_it_reads(history: History, chance: Random) -> None:
    """Judging every rule at every event gives what judging only those gives whose reads have changed."""
    sparing = run(history)
    with judging_everything():
        assert_same_feed(run(history), sparing)


@law(more=1)
def test_looking_more_often_finds_nothing_new(history: History, chance: Random) -> None:
    """No answer changes before its promise: further instants of judging everything change nothing."""
    sparing, looks_ms = run(history), instants(history, chance, 100)
    with judging_everything():
        assert_same_feed(run(history, looks_ms=looks_ms), sparing)


@law(more=1)
def test_a_ward_that_has_fallen_behind_misses_nothing(history: History, chance: Random) -> None:
    """Where every message comes late, judging all of them changes nothing either."""
    behind_ms = HOLD_BACK_MS + chance.choice([1_000, 9_000, 25_000])
    behind = history.arriving(
        replace(arrival, received_ms=arrival.received_ms + behind_ms) for arrival in history.arrivals
    )
    sparing = run(behind)
    assert sparing.verdicts.count(Taken.LATE) > len(sparing.verdicts) // 2
    with judging_everything():
        assert_same_feed(run(behind), sparing)


def test_a_stop_is_named_as_soon_as_it_can_be_no_change_over() -> None:
    """Nothing but time passes then; a WEAN-FAIL that was open before says at once what to go back to."""
    pressure = Line((Spell("level", 2, 70.0), Spell("level", 2, 60.0), Spell("level", 12, 66.0)), 15)
    doses = Line((Spell("rate", 2, 0.2), Spell("rate", 6, 0.15), Spell("stopped", 8)), 20)
    history = arrived((Stay(BEDS[0], pressure, (("1", "norepinephrine", doses),)),))
    stops = [a.event.time_ms for a in history.arrivals if getattr(a.event, "state", "") == "stopped"]
    told = [(c.phase, c.time_ms) for c in run(history).changes if c.rule.id == "WEAN-FAIL"]
    assert told[1:] == [(Phase.UPDATE, min(stops) + quick_site().core_terms().changeover_grace_ms)]


# pressure


@law(acks=False)
def test_a_lower_pressure_is_never_better(history: History, chance: Random) -> None:
    """Lowering MAP only adds instants of MAP-LOW and MAP-CRIT, and only takes some of WEAN-READY's away.

    Every so-manieth sample is lowered; where a rise from a baseline counts as a response, each is."""
    high = run(history)
    for drop_milli in (chance.choice([1, 500, 3_000]), 10_000):
        low = run(lowered(history, drop_milli, 1 if by_baseline(history) else chance.randrange(1, 4)))
        for bed in BEDS:
            for rule in ("MAP-LOW", "MAP-CRIT"):
                spans = [open_spans(each, rule, bed, history.until_ms) for each in (low, high)]
                assert covers(*spans), (rule, bed, spans)
            spans = [open_spans(each, "WEAN-READY", bed, history.until_ms) for each in (high, low)]
            assert covers(*spans), ("WEAN-READY", bed, spans)


def lowered(history: History, drop_milli: int, every: int) -> History:
    """The history with every so-manieth pressure lower."""
    arrivals = [
        replace(arrival, event=replace(arrival.event, milli_mmhg=arrival.event.milli_mmhg - drop_milli))
        if isinstance(arrival.event, MapSample) and number % every == 0
        else arrival
        for number, arrival in enumerate(history.arrivals)
    ]
    return replace(history, arrivals=tuple(arrivals))


def by_baseline(history: History) -> bool:
    """Whether any patient is under the hepatorenal profile at any time."""
    return any(
        isinstance(a.event, PatientContext) and a.event.profile is Profile.HEPATORENAL
        for a in history.arrivals
    )


def test_a_bed_of_which_nothing_is_known_is_only_silent() -> None:
    """Nothing said, nothing inferred."""
    history = History((Stay(BEDS[0], Line((), 20), ()),), (), START_MS + LENGTH_MIN * MINUTE_MS)
    assert {change.rule.id for change in run(history).changes} == {"TECH-BED-SILENT"}


def test_covering_is_told_from_not_covering() -> None:
    assert covers([(0, 5), (5, 9)], [(1, 8)])
    assert not covers([(0, 5), (6, 9)], [(1, 8)])
