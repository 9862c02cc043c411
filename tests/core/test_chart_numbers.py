"""What is configured is kept in whole parts: thousandths, milliseconds, billionths."""

from __future__ import annotations

from streamproc.core.chart import milli, ms, nano


def test_what_is_configured_is_kept_in_whole_parts() -> None:
    """Computed, not remembered."""
    for whole_parts in (milli, ms, nano):
        whole_parts.cache_clear()
    assert (milli(64.5), ms(0.25), nano(0.25)) == (64_500, 250, 250_000_000)
