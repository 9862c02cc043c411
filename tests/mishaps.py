"""What a chart's messages suffer on their way: some are lost, a clock is wrong, a device speaks for two beds.

A chart without mishaps passes unchanged; it never adds a value that the chart did not write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from streamproc.core.events import BedEvent, MapSource
from tests.charts import MINUTE_MS, PUMPS, START_MS, map_events

MISHAPS = {"lost", "clock", "next_bed"}
NEXT_BED = "icu-a/bed-8"


def at_ms(text: str) -> int:
    """`4m30s` as an instant of the chart."""
    match = re.fullmatch(r"(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    assert match, f"not a time: {text!r}; 4m, 90s and 4m30s are"
    return START_MS + int(match[1] or 0) * MINUTE_MS + round(float(match[2] or 0) * 1000)


def device_of(series: str) -> str:
    """The device that a chart's series comes from."""
    return {"map": "MON-1", "cuff": "MON-2"}.get(series) or f"PMP-{PUMPS[series][0]}"


def befallen(
    chart: Mapping[str, Any], events: Iterable[BedEvent]
) -> tuple[list[BedEvent], dict[tuple[str, Any], int]]:
    """The messages that are still under way, and when those of a wrong clock were really sent."""
    left = [event for event in events if not _lost(chart.get("lost", {}), event)]
    left += _next_bed(chart.get("next_bed", {}))
    sent: dict[tuple[str, Any], int] = {}
    for series, (start, end, ahead) in chart.get("clock", {}).items():
        device, ahead_ms = device_of(series), round(float(ahead.removesuffix("s")) * 1000)
        for index, event in enumerate(left):
            if event.device == device and at_ms(start) <= event.time_ms < at_ms(end):
                sent[device, event.seq] = event.time_ms
                left[index] = replace(event, time_ms=event.time_ms + ahead_ms)
    return left, sent


def _lost(lost: Mapping[str, list[str]], event: BedEvent) -> bool:
    """Whether it falls between the first and second, third and fourth ... instant of its device's losses."""
    for series, instants in lost.items():
        spans = zip(instants[::2], instants[1::2], strict=True)
        if event.device == device_of(series) and any(at_ms(a) <= event.time_ms < at_ms(b) for a, b in spans):
            return True
    return False


def _next_bed(written: Mapping[str, str]) -> list[BedEvent]:
    """The neighbouring bed's MAP, from the device that the chart names."""
    events = map_events(written.get("map", ""), MapSource.ARTERIAL, written.get("device", "MON-8"))
    return [replace(event, bed=NEXT_BED, boot="b8") for event in events]
