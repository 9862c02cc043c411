"""What may come again is known again, by number or by content, and what is known stays bounded."""

from __future__ import annotations

import pytest
from read_again import read_again

from streamproc.core.events import MapSample, MapSource
from streamproc.core.reason import Reason
from streamproc.core.remembered import SPARED_MS, Remembered, Taken

NOW_MS = 1_790_000_000_000
LATENESS_MS = 60_000
MOST = 100


def sample(seq: int | None, time_ms: int = NOW_MS, boot: str = "b1", device: str = "MON-1") -> MapSample:
    return MapSample(time_ms, "icu-a/bed-1", device, boot, seq, MapSource.ARTERIAL, 70_000)


def keep(known: Remembered, event: MapSample, digest: int = 1) -> None:
    known.keep(event, digest, event.time_ms - LATENESS_MS, MOST)


def check(known: Remembered, event: MapSample, digest: int = 1) -> Taken | Reason | None:
    return known.check(event, digest, event.time_ms - LATENESS_MS)


def test_numbers_that_come_in_any_order_are_each_known_again() -> None:
    known = Remembered()
    for seq in (5, 9, 7, 6, 12, 1):
        assert check(known, sample(seq)) is None
        keep(known, sample(seq), digest=seq)
    for seq in (1, 5, 6, 7, 9, 12):
        assert check(known, sample(seq), digest=seq) is Taken.DUPLICATE
        assert check(known, sample(seq), digest=99) is Reason.CONFLICT
    assert [check(known, sample(seq)) for seq in (0, 2, 8, 11, 13)] == [None] * 5
    assert known.count == 6


def test_a_number_that_is_used_again_is_the_new_message() -> None:
    known = Remembered()
    keep(known, sample(0), digest=1)
    later = sample(0, NOW_MS + LATENESS_MS + 1)
    assert check(known, later, digest=2) is None
    keep(known, later, digest=2)
    assert check(known, later, digest=2) is Taken.DUPLICATE
    assert known.count == 1


@pytest.mark.parametrize("spoken", [(f"b{number}", "MON-1") for number in (1, 2)])
def test_a_start_of_which_all_is_forgotten_leaves_no_trace(spoken: tuple[str, str]) -> None:
    """However many devices come and go beside one that stays."""
    known = Remembered()
    for number in range(1_000):
        at_ms = NOW_MS + number * 10_000
        keep(known, sample(number, at_ms, *spoken))
        keep(known, sample(1, at_ms, boot=f"start-{number}"))
    assert len(known.starts) <= 20
    assert known.count <= 20


def test_of_many_starts_the_oldest_give_up_first() -> None:
    known = Remembered()
    for number in range(MOST + 50):
        keep(known, sample(1, boot=f"start-{number}"))
    assert (known.count, len(known.starts)) == (MOST, MOST)
    assert check(known, sample(1, boot="start-0")) is None
    assert check(known, sample(1, boot=f"start-{MOST + 49}")) is Taken.DUPLICATE


def test_messages_without_number_share_the_limit() -> None:
    known = Remembered()
    for number in range(MOST + 50):
        keep(known, sample(None, NOW_MS + number))
    assert known.count == len(known.unnumbered) == MOST
    assert check(known, sample(None, NOW_MS + MOST)) is Taken.DUPLICATE
    assert check(known, sample(None, NOW_MS)) is None
    assert check(known, sample(None, NOW_MS + MOST), digest=2) is None


@pytest.mark.parametrize("starts", [1, MOST])
def test_a_message_without_number_is_known_where_numbered_ones_fill_the_limit(starts: int) -> None:
    known = Remembered()
    for number in range(MOST):
        keep(known, sample(number, boot=f"b{number % starts}"))
    for number in range(3):
        keep(known, sample(None, NOW_MS + number))
        assert check(known, sample(None, NOW_MS + number)) is Taken.DUPLICATE
        assert known.count == MOST == sum(map(len, known.starts.values())) + 1
    again = [check(known, sample(number, boot=f"b{number % starts}")) for number in range(MOST)]
    assert again.count(Taken.DUPLICATE) == MOST - 1


def test_what_was_kept_is_known_after_a_restart() -> None:
    known, again = Remembered(), Remembered()
    for seq in (4, 2, None, 3):
        keep(known, sample(seq), digest=7)
    again.restore(read_again(known.snapshot()))
    assert (again.snapshot(), again.count) == (known.snapshot(), known.count)
    assert [check(again, sample(seq), digest=7) for seq in (2, 3, 4, None)] == [Taken.DUPLICATE] * 4


@pytest.mark.parametrize(("later_ms", "verdict"), [(LATENESS_MS, Reason.CONFLICT), (LATENESS_MS + 1, None)])
def test_a_number_is_in_use_until_its_message_could_not_come_again(
    later_ms: int, verdict: Reason | None
) -> None:
    known = Remembered()
    keep(known, sample(0), digest=1)
    assert check(known, sample(0, NOW_MS + later_ms), digest=2) is verdict


@pytest.mark.parametrize(("later_ms", "starts"), [(LATENESS_MS, 2), (LATENESS_MS + 1, 1)])
def test_a_start_is_forgotten_once_none_of_its_messages_could_come_again(later_ms: int, starts: int) -> None:
    known = Remembered()
    keep(known, sample(1))
    keep(known, sample(1, NOW_MS + later_ms, boot="b2"))
    assert (len(known.starts), known.count) == (starts, starts)


def test_the_newest_number_again_is_no_second_one() -> None:
    known = Remembered()
    for digest in (1, 2):
        keep(known, sample(7), digest)
    assert (known.count, check(known, sample(7), 2)) == (1, Taken.DUPLICATE)


@pytest.mark.parametrize(("later_ms", "known_then"), [(3, 4), (SPARED_MS + 3, 2)])
def test_what_is_too_old_is_forgotten_together_and_the_rest_is_known(later_ms: int, known_then: int) -> None:
    known, times_ms = Remembered(), (1, 2, SPARED_MS + 3)
    for seq, time_ms in enumerate(times_ms):
        keep(known, sample(seq, NOW_MS + time_ms), digest=seq)
    last = sample(len(times_ms), NOW_MS + LATENESS_MS + later_ms)
    keep(known, last, digest=9)
    assert known.count == len(known.starts["MON-1", "b1"]) == known_then
    for seq, digest in ((2, 2), (3, 9)):
        assert check(known, sample(seq, last.time_ms), digest) is Taken.DUPLICATE
