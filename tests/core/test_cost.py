"""What a message costs, counted and never timed: calls and bytes. Neither grows with windows, beds or weeks.

The streams are those of `bench/core.py`: beds whose pressure wanders and whose bags empty, all rules on. The
counts are printed; a change that makes them smaller may lower the limits here.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from bench.core import START_MS, STREAMS, Beds, live
from bench.stage.footprint import bytes_of
from streamproc.config import load
from streamproc.core.ward import Ward
from streamproc.wire import encode
from streamproc.wire.announce import bed_state

CALLS_A_MESSAGE = 26.5
"""Of Python functions, as measured and a twentieth more."""
CALLS_OF_C_A_MESSAGE = 26.5
CALLS_A_STATE = 299
CALLS_OF_C_A_STATE = 125
"""The same of a bed's state, shown every ten seconds."""
CALLS_A_SNAPSHOT, CALLS_OF_C_A_SNAPSHOT, KIB_A_SNAPSHOT = 108, 44, 9
"""The same of what a bed adds to a snapshot a second after a full one, and how much that is before it is
compressed."""
BLOCKS_A_MESSAGE = 0.01
"""Allocated for a message and kept, once the windows are full: none, but for what varies."""
KIB_A_BED = 64
SETTLED_S = 2_000
"""After so long every window of the shipped rules is full."""
HALF_AN_HOUR_S, DAY_S = 1_800, 86_400
SPARSE_S = 14
"""A week is lived through with a message every so often; the line goes on all the same."""


def ward_of(beds: int, *overrides: str, stream: str = "living") -> tuple[Ward, Beds]:
    site = load(overrides=overrides)
    ward = Ward(site.core_rules(), site.core_terms(), site.core_limits())
    said = Beds(beds, STREAMS[stream])
    ward.tick(START_MS)
    for patient in said.patients():
        ward.offer(patient, START_MS, 0)
    return ward, said


def lived(ward: Ward, said: Beds, seconds: Sequence[int], rounds: int = 1) -> None:
    for second in seconds:
        live(ward, said.second(second), rounds, second)


def calls_a_message(ward: Ward, said: Beds, seconds: Sequence[int], behind_s: int = 0) -> tuple[float, float]:
    """Calls of Python functions and of functions in C that a message takes, with its share of the tick; with
    `behind_s` it is told so much later."""
    made = [(second, said.second(second)) for second in seconds]
    of_python, of_c = calls_of(lambda: [live(ward, each, 1, second + behind_s) for second, each in made])
    messages = sum(len(each) for _, each in made)
    return of_python / messages, of_c / messages


def calls_of(part: Callable[[], object]) -> tuple[int, int]:
    """Calls of Python functions and of functions in C."""
    counts = Counter[str]()
    count: Callable[[Any, str, Any], None] = lambda frame, event, argument: counts.update((event,))  # noqa: E731
    sys.setprofile(count)
    try:
        part()
    finally:
        sys.setprofile(None)
    return counts["call"], counts["c_call"]


def test_a_message_of_a_steady_bed_takes_few_calls() -> None:
    ward, said = ward_of(10)
    lived(ward, said, range(SETTLED_S))
    of_python, of_c = calls_a_message(ward, said, range(SETTLED_S, SETTLED_S + 120))
    print(f"a message: {of_python:.2f} calls of Python functions, {of_c:.2f} of functions in C")
    assert of_python <= CALLS_A_MESSAGE
    assert of_c <= CALLS_OF_C_A_MESSAGE


def test_a_bed_state_takes_few_calls() -> None:
    ward, said = ward_of(10)
    lived(ward, said, range(SETTLED_S))
    of_python, of_c = calls_of(lambda: [encode(bed_state(bed)) for bed in ward.beds.values()])
    print(f"a state: {of_python / 10:.1f} calls of Python functions, {of_c / 10:.1f} of functions in C")
    assert of_python / 10 <= CALLS_A_STATE
    assert of_c / 10 <= CALLS_OF_C_A_STATE


def test_a_snapshot_takes_few_calls_and_holds_little() -> None:
    """It is taken of all beds at once, while nothing is judged."""
    ward, said = ward_of(10)
    lived(ward, said, range(SETTLED_S))
    assert ward.clock_ms is not None
    taken: list[Any] = []
    of_python, of_c = calls_of(lambda: taken.append(ward.snapshot(ward.clock_ms)))
    kib = len(msgspec.msgpack.encode(taken)) / 1024
    print(f"a snapshot: {of_python / 10:.1f} and {of_c / 10:.1f} calls a bed, {kib / 10:.1f} KiB")
    assert of_python / 10 <= CALLS_A_SNAPSHOT
    assert of_c / 10 <= CALLS_OF_C_A_SNAPSHOT
    assert kib / 10 <= KIB_A_SNAPSHOT


def test_a_message_costs_no_more_when_all_of_them_come_late() -> None:
    """Whoever has fallen behind must be able to catch up."""
    ward, said = ward_of(10)
    lived(ward, said, range(SETTLED_S))
    in_time = sum(calls_a_message(ward, said, range(SETTLED_S, SETTLED_S + 60)))
    late = sum(calls_a_message(ward, said, range(SETTLED_S + 60, SETTLED_S + 120), behind_s=8))
    print(f"calls a message: {in_time:.1f} in time, {late:.1f} late")
    assert late <= 1.1 * in_time


@pytest.mark.parametrize("stream", ["emptying", "pulse"])
def test_what_turns_no_answer_costs_no_more_than_a_repetition(stream: str) -> None:
    """A volume that falls with each report, and what the monitor sends that no rule reads."""
    told = {}
    for each in ("living", stream):
        ward, said = ward_of(4, stream=each)
        lived(ward, said, range(SETTLED_S))
        told[each] = sum(calls_a_message(ward, said, range(SETTLED_S, SETTLED_S + 60)))
    print(f"calls a message: {told}")
    assert told[stream] <= 1.1 * told["living"]


def test_a_message_of_a_steady_bed_leaves_nothing_behind() -> None:
    ward, said = ward_of(4)
    lived(ward, said, range(SETTLED_S))
    gc.collect()
    before, seconds = sys.getallocatedblocks(), range(SETTLED_S, SETTLED_S + 900)
    lived(ward, said, seconds)
    gc.collect()
    messages = 2 * len(said.names) * len(seconds)
    kept = (sys.getallocatedblocks() - before) / messages
    print(f"a message: {kept:.4f} blocks kept")
    assert kept <= BLOCKS_A_MESSAGE


def test_a_message_costs_the_same_whatever_the_window() -> None:
    """Of half an hour or of a day, once it is full: calls here, look-ups in `test_trend`."""
    told = {}
    for held_s in (HALF_AN_HOUR_S, DAY_S):
        ward, said = ward_of(1, f"rules.WEAN-READY.held_s={held_s}")
        full_s = DAY_S + SETTLED_S
        lived(ward, said, range(0, full_s, SPARSE_S))
        told[held_s] = sum(calls_a_message(ward, said, range(full_s, full_s + 300 * SPARSE_S, SPARSE_S)))
    print(f"calls a message, by the length of the longest window in s: {told}")
    assert told[DAY_S] <= 1.1 * told[HALF_AN_HOUR_S]


def test_a_message_costs_the_same_whatever_the_number_of_beds() -> None:
    """Beds of the same age: each message costs what it costs in a ward of ten."""
    told = {}
    for beds in (10, 100, 500):
        ward, said = ward_of(beds)
        lived(ward, said, range(20))
        told[beds] = sum(calls_a_message(ward, said, range(20, 24)))
    print(f"calls a message, by beds: {told}")
    assert all(each <= 1.3 * told[10] for each in told.values())


def bytes_of_a_bed(ward: Ward) -> int:
    """All that the first bed holds and no other does."""
    bed, *_ = ward.beds.values()
    return bytes_of([bed], [ward.rules, ward.terms, bed.readers, bed.chart.kinds, bed.named, bed.name])


def test_a_bed_is_small() -> None:
    """Half an hour of 1 Hz and all else that is known of it: alerts, doses, messages that may come again."""
    ward, said = ward_of(1)
    lived(ward, said, range(SETTLED_S))
    whole, half_an_hour = bytes_of_a_bed(ward), ward.beds[said.names[0]].chart.pressure.trend
    assert half_an_hour.window(half_an_hour.newest_ms, 1_800_000).held_ms == 1_800_000
    print(f"a bed: {whole / 1024:.1f} KiB, {len(half_an_hour)} samples among it")
    assert whole <= KIB_A_BED * 1024


def test_a_week_takes_no_more_memory_than_two_days() -> None:
    ward, said = ward_of(1)
    lived(ward, said, range(0, 2 * DAY_S, SPARSE_S))
    after_two_days = bytes_of_a_bed(ward)
    lived(ward, said, range(2 * DAY_S, 7 * DAY_S, SPARSE_S))
    after_a_week = bytes_of_a_bed(ward)
    print(f"after two days {after_two_days / 1024:.1f} KiB, after a week {after_a_week / 1024:.1f}")
    assert after_a_week <= 1.05 * after_two_days
