"""Columns are narrow until a number does not fit, and what is in them is the same afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from streamproc.core.samples import EACH, FAR, SampleId, Samples, completed
from streamproc.core.trend import Trend

HOLD_MS = 60_000
SECOND_MS = 1_000


def new_samples() -> Samples:
    return Samples(10**12, 0, 300_000)


def filled(samples: Samples, said: Iterator[tuple[int, SampleId]]) -> list[SampleId]:
    ids = []
    for time_ms, identity in said:
        samples.add(time_ms, 70_000, HOLD_MS, identity)
        ids.append(identity)
    return ids


def ids_of(samples: Samples) -> list[SampleId]:
    return [samples._id(index) for index in range(len(samples))]


def of_many_devices() -> Iterator[tuple[int, SampleId]]:
    return ((number * SECOND_MS, SampleId(f"MON-{number}", "b1", number)) for number in range(300))


def of_one_that_leaps() -> Iterator[tuple[int, SampleId]]:
    leaps = (5, 6, 5 + FAR - 1, 5 + FAR, 5 + 3 * FAR, 7, 2**53)
    return ((number * SECOND_MS, SampleId("MON-1", "b1", seq)) for number, seq in enumerate(leaps))


def of_some_without_number() -> Iterator[tuple[int, SampleId]]:
    numbers = (None, None, 0, 1, None, 2)
    return ((number * SECOND_MS, SampleId("MON-1", "b1", seq)) for number, seq in enumerate(numbers))


def of_months() -> Iterator[tuple[int, SampleId]]:
    return ((number * (FAR // 2 + 1), SampleId("MON-1", "b1", number)) for number in range(9))


STREAMS = [of_many_devices, of_one_that_leaps, of_some_without_number, of_months]


@pytest.mark.parametrize("stream", STREAMS)
def test_each_sample_knows_its_message_whatever_its_numbers(stream: object) -> None:
    assert callable(stream)
    samples, again = new_samples(), new_samples()
    ids = filled(samples, stream())
    assert ids_of(samples) == ids
    again.restore(json.loads(json.dumps(samples.snapshot())))
    assert ids_of(again) == ids
    assert again.snapshot() == samples.snapshot()


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("kept", [1, 3, EACH, EACH + 1])
def test_what_a_snapshot_left_out_comes_from_the_one_before(stream: object, kept: int) -> None:
    """Also where the columns have become wider since, or further devices have spoken."""
    assert callable(stream)
    whole = list(stream())
    base, newest = new_samples(), new_samples()
    filled(base, iter(whole[:kept]))
    filled(newest, iter(whole))
    until_ms = whole[:kept][-1][0]
    merged = completed(newest.snapshot(until_ms), json.loads(json.dumps(base.snapshot())), until_ms)
    again = new_samples()
    again.restore(json.loads(json.dumps(merged)))
    assert ids_of(again) == ids_of(newest)
    end_ms = whole[-1][0]
    assert [again.now(time_ms) for time_ms, _ in whole] == [newest.now(time_ms) for time_ms, _ in whole]
    assert again._totals_now(end_ms + 1) == newest._totals_now(end_ms + 1)


def test_totals_count_times_beyond_the_narrow_columns() -> None:
    samples = new_samples()
    filled(samples, of_months())
    assert samples._totals_now(samples.newest_ms + SECOND_MS) == (
        70_000 * (8 * HOLD_MS + SECOND_MS),
        8 * HOLD_MS + SECOND_MS,
    )


@pytest.mark.parametrize("late", range(1, 2 * EACH + 1))
def test_a_late_sample_changes_every_total_behind_it(late: int) -> None:
    """At any place in its row: as if it had come in time."""
    in_time, afterwards = new_samples(), new_samples()
    said = [(number * SECOND_MS, 60_000 + number) for number in range(3 * EACH)]
    for time_ms, value in said:
        in_time.add(time_ms, value, HOLD_MS, SampleId("MON-1", "b1", time_ms))
    for time_ms, value in [*said[:late], *said[late + 1 :], said[late]]:
        afterwards.add(time_ms, value, HOLD_MS, SampleId("MON-1", "b1", time_ms))
    for index in range(len(said)):
        assert afterwards._totals_of(index) == in_time._totals_of(index)
    assert afterwards._totals_now(10**6) == in_time._totals_now(10**6)
    assert ids_of(afterwards) == ids_of(in_time)


def test_devices_that_come_and_go_leave_no_trace() -> None:
    """A late sample among them, too: the newest goes on with an origin of its own."""
    samples = Samples(60_000, 0, 300_000)
    for number in range(2_000):
        samples.add(number * SECOND_MS, 70_000, HOLD_MS, SampleId(f"MON-{number}", "b1", 1))
        samples.add((number - 9) * SECOND_MS - 1, 70_000, HOLD_MS, SampleId(f"CUFF-{number}", "b1", 2))
    assert len(samples._origins) < 800
    assert ids_of(samples)[-1] == SampleId("MON-1999", "b1", 1)
    assert SampleId("CUFF-1990", "b1", 2) in ids_of(samples)


def test_a_value_beyond_the_narrow_column_is_kept_where_there_may_be_one() -> None:
    trend = Trend(1_000, 0, 1 << 40)
    trend.add(0, 1 << 33, 10, SampleId("MON-1", "b1", 1))
    assert trend.now(0) == 1 << 33
