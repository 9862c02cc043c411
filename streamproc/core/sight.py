"""What a clause looked at: a quantity, and how much of it. Says where to look, never what is there.

A sight is a constant, so judging costs nothing for it; `core/evidence` looks again when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Of(StrEnum):
    """Where on a bed's chart a clause can look."""

    MAP = "MAP"
    LAST_MAP = "last valid MAP"
    MONITOR = "samples of any quality"
    SYSTOLIC = "systolic pressure"
    DOSE = "dose"
    STEP = "last change of the dose"
    OPENING = "first minutes of the infusion"
    CHANNEL = "pump channel"
    READINGS = "newest readings"
    CRYSTALLOID = "newest crystalloid"
    SUM = "readings over a time that ends with the newest"
    SINCE = "readings over a time that ends now"
    PATIENT = "patient context"
    ALERTS = "alerts"
    DOUBT = "what was noticed"
    GAP = "missing messages"
    UNWATCHED = "time that nobody watched"
    BED = "first word of the bed"


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A place on the chart, equal to itself alone; `what` is drug, channel, kind of reading, rule or doubt,
    empty for the titrated drug or for all. `span_ms` is the length of a window, 0 for what holds now; `count`
    readings."""

    of: Of
    what: str = ""
    span_ms: int = 0
    count: int = 1


@lru_cache(maxsize=1024)
def sight(of: Of, what: str = "", span_ms: int = 0, count: int = 1) -> Sight:
    """A sight, made once."""
    return Sight(of, what, span_ms, count)


MAP_NOW, LAST_MAP, MONITOR_NOW = sight(Of.MAP), sight(Of.LAST_MAP), sight(Of.MONITOR)
DOSE, PATIENT, BED = sight(Of.DOSE), sight(Of.PATIENT), sight(Of.BED)
ALL_PUMPS = sight(Of.CHANNEL)
