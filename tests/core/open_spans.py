"""From when until when alerts were open, and whether one set of such spans covers another."""

from __future__ import annotations

from ward_histories import Run

from streamproc.core.alert import Phase

Spans = list[tuple[int, int]]


def open_spans(lived: Run, rule: str, bed: str, until_ms: int) -> Spans:
    """From when until when a rule's alert was open on a bed."""
    spans: Spans = []
    since_ms: int | None = None
    for change in lived.changes:
        if (change.rule.id, change.bed) != (rule, bed):
            continue
        if change.phase is Phase.START:
            since_ms = change.time_ms
        elif change.phase is Phase.END and since_ms is not None:
            spans.append((since_ms, change.time_ms))
            since_ms = None
    return spans if since_ms is None else [*spans, (since_ms, until_ms)]


def covers(wide: Spans, narrow: Spans) -> bool:
    """Whether every instant of the narrow spans is in one of the wide ones."""
    merged: Spans = []
    for since, until in sorted(wide):
        if merged and since <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(until, merged[-1][1])
        else:
            merged.append((since, until))
    return all(any(since >= s and until <= u for s, u in merged) for since, until in narrow)
