"""What a history tells the reference: plain facts of one bed, each with its time in milliseconds.

Must know nothing of the product's events; `product` translates.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple


@dataclass(frozen=True)
class Pressure:
    """A MAP reading in thousandths of a mmHg, of a line (`arterial`) or a cuff."""

    time_ms: int
    milli_mmhg: int
    source: str = "arterial"
    valid: bool = True


@dataclass(frozen=True)
class Report:
    """A pump channel's status; the rate is per kg and minute (U/min for vasopressin), None if unknown."""

    time_ms: int
    channel: str
    state: str
    rate: Fraction | None = None
    drug: str = "norepinephrine"


@dataclass(frozen=True)
class Target:
    """The patient context says which MAP is wanted, in thousandths of a mmHg."""

    time_ms: int
    milli_mmhg: int


@dataclass(frozen=True)
class Acknowledgement:
    """Somebody acknowledges the rule's alert, as far as it had been announced by then."""

    time_ms: int
    rule: str


Fact = Pressure | Report | Target | Acknowledgement


class Said(NamedTuple):
    """One alert event: when, of which rule, what, and its priority then."""

    time_ms: int
    rule: str
    phase: str
    priority: str


@dataclass(frozen=True)
class Terms:
    """The rule page's numbers that a chart's cadence makes a site change; milliseconds."""

    hold_ms: tuple[tuple[str, int], ...] = (("arterial", 60_000), ("cuff", 900_000))
    interval_ms: tuple[tuple[str, int], ...] = (("arterial", 1_000), ("cuff", 300_000))
    pump_interval_ms: int = 1_000
    pump_interval_max_ms: int = 60_000
    map_lost_ms: int = 15_000
    pump_lost_ms: int = 15_000
    hold_back_ms: int = 2_000
