"""WEAN-READY's proposal: one step down, and a stop where that would be below the floor."""

from __future__ import annotations

import pytest

from streamproc.rules.wean_ready import WeanReady, next_dose

QUARTER = WeanReady(
    held_s=1_800, window_s=300, coverage_min=0.9, step_percent=25.0, floor_mcg_per_kg_min=0.03
)


@pytest.mark.parametrize(
    ("dose", "lower"),
    [
        (0.2, 0.15),
        (0.04, 0.03),
        (0.0399, 0.0),
        (0.01, 0.0),
        (0.0, 0.0),
        (None, None),
        (0.100000001, 0.075000001),
    ],
)
def test_the_next_dose(dose: float | None, lower: float | None) -> None:
    assert next_dose(dose, QUARTER) == lower
