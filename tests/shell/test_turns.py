"""Bed states in turn: each once a period, few at once, and first those of which something was announced."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from streamproc.shell.turns import LEAST_S, MOST_AT_ONCE, Turns

BEDS = [f"icu-a/bed-{number}" for number in range(1, 101)]
PERIOD_S, ROUND_S = 10.0, 0.1


def shown(turns: Turns, beds: list[str], seconds: float, every_s: float = ROUND_S) -> list[tuple[float, str]]:
    """What is shown in so many seconds, and when."""
    rounds = round(seconds / every_s) + 1
    return [(n * every_s, bed) for n in range(rounds) for bed in turns.take(beds, n * every_s)]


def test_each_bed_is_shown_once_a_period_and_never_many_at_once() -> None:
    told = shown(Turns(PERIOD_S), BEDS, 3 * PERIOD_S - ROUND_S)
    assert Counter(bed for _, bed in told) == dict.fromkeys(BEDS, 3)
    assert max(Counter(at_s for at_s, _ in told).values()) <= 2
    for bed in BEDS:
        times_s = [at_s for at_s, name in told if name == bed]
        assert [b - a for a, b in pairwise(times_s)] == pytest.approx([PERIOD_S, PERIOD_S], abs=2 * ROUND_S)


def test_after_a_pause_they_come_a_few_at_a_time() -> None:
    turns = Turns(PERIOD_S)
    turns.take(BEDS, 0)
    assert len(turns.take(BEDS, 60)) == MOST_AT_ONCE
    left = sum(len(turns.take(BEDS, 60)) for _ in BEDS)
    assert left == len(BEDS) - MOST_AT_ONCE


def test_a_bed_of_which_something_was_announced_comes_first_yet_not_twice_within_a_second() -> None:
    turns, bed, at_s = Turns(PERIOD_S), BEDS[-1], 2 * LEAST_S
    turns.take(BEDS, 0)
    turns.hurry(bed)
    assert turns.take(BEDS, at_s)[0] == bed
    turns.hurry(bed)
    assert bed not in turns.take(BEDS, at_s + LEAST_S / 2)
    assert turns.take(BEDS, at_s + LEAST_S)[0] == bed
    assert bed not in turns.take(BEDS, at_s + 3 * LEAST_S)


def test_a_bed_that_joins_is_shown_within_a_period() -> None:
    turns = Turns(PERIOD_S)
    shown(turns, BEDS, PERIOD_S)
    told = turns.take([*BEDS, "icu-b/new"], PERIOD_S + ROUND_S)
    for n in range(2, 102):
        told += turns.take([*BEDS, "icu-b/new"], PERIOD_S + n * ROUND_S)
    assert "icu-b/new" in told
