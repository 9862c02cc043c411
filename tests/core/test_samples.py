"""Columns are narrow until a number does not fit, and what is in them is the same afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from read_again import read_again

from streamproc.core import samples as samples_module
from streamproc.core.samples import EACH, FAR, MOST_NARROW, SampleId, Samples, completed
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


def of_one_that_starts_anew() -> Iterator[tuple[int, SampleId]]:
    return ((number * SECOND_MS, SampleId("MON-1", f"b{number % 3}", number)) for number in range(9))


def of_one_that_falls() -> Iterator[tuple[int, SampleId]]:
    return (
        (number * SECOND_MS, SampleId("MON-1", "b1", seq)) for number, seq in enumerate((2**53, 7, 2**52))
    )


STREAMS = [
    of_many_devices,
    of_one_that_leaps,
    of_some_without_number,
    of_months,
    of_one_that_starts_anew,
    of_one_that_falls,
]


@pytest.mark.parametrize("stream", STREAMS)
def test_each_sample_knows_its_message_whatever_its_numbers(stream: object) -> None:
    assert callable(stream)
    samples, again = new_samples(), new_samples()
    ids = filled(samples, stream())
    assert ids_of(samples) == ids
    again.restore(read_again(samples.snapshot()))
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
    merged = completed(newest.snapshot(until_ms), read_again(base.snapshot()), until_ms)
    again = new_samples()
    again.restore(read_again(merged))
    assert ids_of(again) == ids_of(newest)
    end_ms = whole[-1][0]
    assert [again.now(time_ms) for time_ms, _ in whole] == [newest.now(time_ms) for time_ms, _ in whole]
    assert (again._area, again._held) == (newest._area, newest._held)
    assert again._totals_now(end_ms + 1) == newest._totals_now(end_ms + 1)


@pytest.mark.parametrize("seed", range(40))
def test_samples_that_are_entered_together_come_to_what_each_comes_to_by_itself(seed: int) -> None:
    """Whatever they are: in their columns' reach or not, within bounds or not, of the same device or not."""
    chance = Random(seed)
    one_by_one, together = (Samples(90_000, 0, 300_000) for _ in range(2))
    time_ms, seq, boot = 0, 0, "b1"
    for samples in (one_by_one, together):
        samples.add(0, 70_000, 5_000, SampleId("MON-1", boot, 0))
    if seed % 2:  # a stay that soon is longer than its narrow column can tell
        time_ms = FAR - 200_000
    for _ in range(60):
        if chance.random() < 1 / 10:
            boot, seq = f"b{chance.randint(1, 3)}", chance.choice([0, 5, 2**40])
        time_ms += chance.choice([0, 0, 0, 0, 0, 0, -3_000])
        hold_ms, spread = chance.choice([(5_000, 1), (5_000, 1), (5_000, 9), (2_000, 9), (5_000, 900)])
        times_ms, values, seqs = list[int](), list[int](), list[int]()
        for _ in range(chance.choice([1, 5, 20, 150])):
            time_ms += chance.choice([1_000, 1_000, 1_001, 7_000, 1])
            seq += chance.choice([1, 1, 1, 1, FAR // 3])
            times_ms.append(time_ms)
            values.append(70_000 + chance.randint(-spread, spread))
            seqs.append(seq)
        for at_ms, value, number in zip(times_ms, values, seqs, strict=True):
            one_by_one.add(at_ms, value, hold_ms, SampleId("MON-1", boot, number))
        together.add_together(times_ms, values, hold_ms, SampleId("MON-1", boot, None), seqs)
        assert together == one_by_one, f"seed {seed} at {time_ms} ms"
        assert together.snapshot() == one_by_one.snapshot()


@pytest.mark.parametrize("seed", range(20))
def test_it_is_told_before_samples_come_whether_a_bound_may_be_forgotten_by_them(seed: int) -> None:
    """Whoever relies on the bounds is to look again then; and not each time that some are forgotten."""
    chance, samples = Random(seed), Samples(20_000 if seed % 4 == 3 else 90_000, 0, 300_000)
    time_ms = number = forgotten = told = narrowed = 0
    while number < 3_000:
        times_ms, values = list[int](), list[int]()
        for _ in range(chance.choice([1, 5, 30])):
            time_ms += chance.choice([1_000, 1_000, 9_000 if seed % 2 else 1_001])
            extreme = chance.random() < 1 / 100
            times_ms.append(time_ms)
            values.append(70_000 + (chance.randint(-300, 300) if extreme else chance.randint(-1, 1)))
        seqs = list(range(number, number + len(values)))
        bounds = (min(samples.lowest, *values, 10**6), max(samples.highest, *values, 0))
        number, known = number + len(values), len(samples) + len(values)
        may_narrow = samples.narrows_by(time_ms)
        samples.add_together(times_ms, values, HOLD_MS, SampleId("MON-1", "b1", None), seqs)
        forgotten, told = forgotten + (len(samples) < known), told + may_narrow
        if (samples.lowest, samples.highest) != bounds:
            narrowed += 1
            assert may_narrow, f"seed {seed} at {time_ms} ms"
    assert narrowed
    if not seed % 2:  # none of these batches is longer than what is kept
        assert told < forgotten, "it may say so each time only where each narrows"


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


@pytest.mark.parametrize("together", [False, True])
def test_what_was_answered_takes_no_room_once_a_sample_has_come(together: bool) -> None:
    trend, sample = Trend(1_000, 0, 300_000), SampleId("MON-1", "b1", 1)
    trend.add(0, 70_000, HOLD_MS, sample)
    assert trend.mean_below("mean below", 65_000, 500, 100, 0.8).known
    assert trend._means
    assert trend._windows
    if together:
        trend.add_together([600], [70_000], HOLD_MS, sample, [2])
    else:
        trend.add(600, 70_000, HOLD_MS, sample)
    assert not trend._means
    assert not trend._windows


# how wide the columns are, and how many samples are kept


def codes(samples: Samples) -> str:
    """The widths of the columns: times, values, numbers, origins."""
    kept = samples.snapshot()
    assert kept is not None
    return str(kept["codes"])


@pytest.mark.parametrize(("high", "code"), [(1, "b"), (127, "b"), (128, "i"), (FAR - 1, "i"), (FAR, "q")])
def test_values_are_narrow_below_what_a_narrow_column_holds(high: int, code: str) -> None:
    samples = Samples(1_000, 0, high)
    samples.add(0, 0, HOLD_MS, SampleId("MON-1", "b1", 1))
    assert codes(samples)[1] == code


def test_of_no_samples_nothing_is_kept() -> None:
    samples = new_samples()
    assert samples.snapshot() is None
    samples.restore(None)
    assert len(samples) == 0
    assert completed(None, kept_at(3).snapshot(), SECOND_MS) is None


@pytest.mark.parametrize(("last_ms", "code"), [(1, "i"), (FAR - 1, "i"), (FAR, "i"), (FAR + 1, "q")])
def test_times_are_narrow_until_a_stay_is_long(last_ms: int, code: str) -> None:
    samples = new_samples()
    filled(samples, ((at_ms, SampleId("MON-1", "b1", 1)) for at_ms in (0, last_ms)))
    assert codes(samples) == f"{code}iiB"


@pytest.mark.parametrize(("devices", "code"), [(1, "B"), (MOST_NARROW, "B"), (MOST_NARROW + 1, "q")])
def test_origins_are_narrow_while_they_are_few(devices: int, code: str) -> None:
    samples = new_samples()
    filled(samples, ((n, SampleId(f"MON-{n}", "b1", 1)) for n in range(devices)))
    assert codes(samples)[3] == code


@pytest.mark.parametrize(("last_ms", "kept"), [(1_063, 66), (1_064, 2), (1_065, 2), (9_000, 2)])
def test_what_no_window_reaches_is_cut_off_as_soon_as_it_is_enough(last_ms: int, kept: int) -> None:
    samples = Samples(1_000, 0, 300_000)
    filled(samples, ((at_ms, SampleId("MON-1", "b1", at_ms)) for at_ms in (*range(65), last_ms)))
    assert len(samples) == kept


@pytest.mark.parametrize(("first_ms", "kept"), [(999, 2), (1_000, 2), (1_001, 3)])
def test_before_the_first_sample_only_what_a_window_can_reach_is_entered(first_ms: int, kept: int) -> None:
    samples = Samples(1_000, 0, 300_000)
    filled(samples, ((at_ms, SampleId("MON-1", "b1", at_ms)) for at_ms in (first_ms, 2_000, 900)))
    assert len(samples) == kept


@pytest.mark.parametrize("base_count", range(60, 420, 40))
@pytest.mark.parametrize("more", [1, 30, 64])
def test_a_snapshot_goes_on_from_one_whose_samples_and_devices_are_forgotten(
    base_count: int, more: int
) -> None:
    """Each sample is another device's, and only the last minute is kept."""
    said = [(n * SECOND_MS, SampleId(f"MON-{n}", "b1", n)) for n in range(base_count + more)]
    base, newest, again = (Samples(60_000, 0, 300_000) for _ in range(3))
    filled(base, iter(said[:base_count]))
    filled(newest, iter(said))
    until_ms = said[base_count - 1][0]
    again.restore(completed(newest.snapshot(until_ms), base.snapshot(), until_ms))
    assert ids_of(again) == ids_of(newest)
    assert (again._area, again._held) == (newest._area, newest._held)


def test_of_two_samples_of_one_instant_the_later_one_holds() -> None:
    trend = Trend(1_000, 0, 300_000)
    for number, value in enumerate((60, 70)):
        trend.add(5, value, HOLD_MS, SampleId("MON-1", "b1", number))
    assert (trend.now(5), trend.newest_value) == (70, 70)


@pytest.mark.parametrize("as_here", [True, False])
def test_a_snapshot_has_the_lowest_byte_first_whatever_machine_wrote_it(
    monkeypatch: pytest.MonkeyPatch, as_here: bool
) -> None:
    """A machine that keeps numbers the other way round turns them, when it writes and when it reads."""
    trend, again = Trend(40, 0, 300_000), Trend(40, 0, 300_000)
    trend.add(3, 7, 25, SampleId("MON-1", "b1", 1))
    written = trend.snapshot()["columns"][1]
    assert written == (7).to_bytes(4, "little")
    if not as_here:
        monkeypatch.setattr(samples_module, "LOWEST_BYTE_FIRST", not samples_module.LOWEST_BYTE_FIRST)
        written = trend.snapshot()["columns"][1]
        assert written == (7).to_bytes(4, "big")
    again.restore(trend.snapshot())
    assert again.now(4) == trend.now(4) == 7
    assert again.snapshot() == trend.snapshot()


def kept_at(count: int, first: int = 0) -> Samples:
    """A second apart, from `first` on."""
    samples = new_samples()
    filled(samples, ((n * SECOND_MS, SampleId("MON-1", "b1", n)) for n in range(first, first + count)))
    return samples


def test_of_the_older_snapshot_only_what_the_newer_one_left_out_is_taken() -> None:
    """Also where it holds later samples, and times count from no beginning of time."""
    newest, base = kept_at(20, first=1_000), kept_at(15, first=1_000)
    until_ms = 1_009 * SECOND_MS
    again = new_samples()
    again.restore(completed(newest.snapshot(until_ms), base.snapshot(), until_ms))
    assert ids_of(again) == ids_of(newest)
    assert again.snapshot() == newest.snapshot()


@pytest.mark.parametrize(("count", "first"), [(9, 1_000), (20, 999)])
def test_a_snapshot_that_holds_too_little_or_another_beginning_completes_none(count: int, first: int) -> None:
    newest, base = kept_at(20, first=1_000), kept_at(count, first)
    until_ms = 1_009 * SECOND_MS
    with pytest.raises(ValueError, match="holds too little"):
        completed(newest.snapshot(until_ms), base.snapshot(), until_ms)
    with pytest.raises(ValueError, match="holds too little"):
        completed(newest.snapshot(until_ms), None, until_ms)


def test_a_window_that_begins_at_the_first_sample_kept_is_the_same_after_a_cut() -> None:
    span_ms = 100 * SECOND_MS
    trend, whole = Trend(span_ms, 0, 300_000), Trend(10**9, 0, 300_000)
    for number in range(400):
        for each in (trend, whole):
            each.add(number * SECOND_MS, 60_000 + number % 7, HOLD_MS, SampleId("MON-1", "b1", number))
        assert trend.window(number * SECOND_MS, span_ms) == whole.window(number * SECOND_MS, span_ms)
    assert len(trend) < len(whole) == 400
