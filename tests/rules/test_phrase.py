"""How figures are told: away from the limit that they met, and as what they were once they no longer are."""

from __future__ import annotations

import pytest

from streamproc.rules.phrase import (
    at_least,
    below,
    dose_figure,
    dose_told,
    map_figure,
    minutes,
    shown,
)


@pytest.mark.parametrize(
    ("value", "limit", "decimals", "told"),
    [
        (64.96, 65, 1, "64.9"),
        (65.04, 65, 1, "65.1"),
        (65.0, 65, 1, "65"),
        (0.255, 0.255, 2, "0.26"),  # at the limit it is not below it
        (0.2501, 0.25, 2, "0.26"),
        (0.2499, 0.25, 2, "0.24"),
        (20.0001, 20, 3, "20.001"),
        (100, 65, 0, "100"),
    ],
)
def test_a_figure_is_rounded_away_from_its_limit(
    value: float, limit: float, decimals: int, told: str
) -> None:
    assert shown(value, limit, decimals) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (64.96, "64.9 < 65"),
        (64.999, "64.9 < 65"),
        (65.0, "65, was < 65"),
        (66.123, "66.12, was < 65"),
        (None, "unknown, was < 65"),
    ],
)
def test_below_a_limit(value: float | None, told: str) -> None:
    assert below(value, 65) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.25, "0.25 >= 0.25"),
        (0.2501, "0.26 >= 0.25"),
        (0.24999, "0.24, was >= 0.25"),
        (0.2, "0.2, was >= 0.25"),
        (None, "unknown, was >= 0.25"),
    ],
)
def test_at_or_above_a_limit(value: float | None, told: str) -> None:
    assert at_least(value, 0.25, 2) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(60, "1 min"), (300, "5 min"), (90, "90 s"), (59, "59 s"), (61, "61 s"), (1.5, "1.5 s")],
)
def test_a_duration_is_told_in_the_largest_unit_that_stays_whole(seconds: float, told: str) -> None:
    assert minutes(seconds) == told


def test_what_is_unknown_is_told_so() -> None:
    assert [map_figure(None), dose_told(None), dose_figure(None)] == [
        "MAP unknown",
        "at an unknown dose",
        "dose unknown",
    ]
    assert [map_figure(63.25), dose_told(0.25), dose_figure(0.123456)] == [
        "MAP 63.25",
        "0.25 mcg/kg/min",
        "dose 0.1235",
    ]
