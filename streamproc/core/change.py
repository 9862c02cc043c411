"""What the core announces: one step in an alert's life, with the evidence to compute it again.

Holds event times and computed ids only, nothing of the clock or the machine, so the same events
give the same changes, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import AlertState, Phase, Priority
from streamproc.core.evidence import Evidence
from streamproc.core.rule import Rule, Wording


@dataclass(frozen=True, slots=True)
class Change:
    """One alert event, and the ruleset that it was judged by.

    `decided_ms` is when the deciding message came in (receipt time); it serves the latency metric and is
    not part of what is announced."""

    bed: str
    time_ms: int
    rule: Rule
    phase: Phase
    alert_id: str
    event_seq: int
    priority: Priority
    state: AlertState
    acknowledged_by: str | None
    acknowledged_ms: int | None
    onset_ms: int
    detected_ms: int
    ended_ms: int | None
    wording: Wording
    evidence: Evidence
    reason: str | None
    decided_ms: int
    feed_seq: int = 0
    ruleset: str = ""
