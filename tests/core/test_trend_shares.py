"""A share of a time in whole ms: the least that is enough, and the greatest that is not too much."""

from __future__ import annotations

import pytest

from streamproc.core.trend import most_ms, part_ms


@pytest.mark.parametrize(
    ("share", "least_ms", "greatest_ms"), [(0.8, 240_000, 240_000), (0.333333, 100_000, 99_999), (0.0, 0, 0)]
)
def test_a_share_of_a_time_is_in_whole_ms(share: float, least_ms: int, greatest_ms: int) -> None:
    """Computed, not remembered."""
    for remembered in (part_ms, most_ms):
        remembered.cache_clear()
    assert (part_ms(share, 300_000), most_ms(share, 300_000)) == (least_ms, greatest_ms)
