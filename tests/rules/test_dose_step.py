"""DOSE-STEP to the last digit: doses are rounded to 1e-9, and an exact factor must not be missed by that."""

from __future__ import annotations

import pytest

from tests.charts import BED, START_MS, chart_events, length_ms, new_ward, play


def is_open(series: str, *settings: str) -> bool:
    """Whether the alert is open at the end of a chart."""
    chart = {"norepinephrine": series}
    ward = new_ward(*settings)
    play(ward, chart_events(chart), START_MS + length_ms(chart) + 1_999)
    return ward.beds[BED].alerts["DOSE-STEP"].open


@pytest.mark.parametrize(
    ("before", "after", "factor", "leaps"),
    [
        ("0.1", "0.3", 3, True),
        ("0.1", "0.299999998", 3, True),  # 0.1 may be 0.0999999995, and this 0.2999999985
        ("0.1", "0.299999997", 3, False),
        ("0.1", "0.25", 2.5, True),
        ("0.1", "0.249999999", 2.5, True),
        ("0.1", "0.249999998", 2.5, False),
        ("0.100000001", "0.300000001", 3, True),
        ("0.100000001", "0.3", 3, False),
    ],
)
def test_a_leap_counts_where_rounding_may_hide_it(
    before: str, after: str, factor: float, leaps: bool
) -> None:
    assert is_open(f"{before} {after}", f"rules.DOSE-STEP.factor={factor}") is leaps


@pytest.mark.parametrize(
    ("before", "after", "factor", "back"),
    [
        ("0.1", "0.11", 1.1, True),
        ("0.1", "0.110000001", 1.1, True),  # 0.1 may be 0.1000000005, and this 0.1100000005
        ("0.1", "0.110000002", 1.1, False),
        ("0.100000005", "0.110000006", 1.1, True),
        ("0.100000005", "0.110000007", 1.1, False),
        ("0.1", "0.150000001", 1.5, True),
        ("0.1", "0.150000002", 1.5, False),
        ("0.100000001", "0.300000005", 3, True),
        ("0.100000001", "0.300000006", 3, False),
    ],
)
def test_a_dose_is_back_where_rounding_may_hide_it(
    before: str, after: str, factor: float, back: bool
) -> None:
    settings = (f"rules.DOSE-STEP.back_factor={factor}", "rules.DOSE-STEP.factor=5")
    assert is_open(f"{before} 1 {after}", *settings) is not back
