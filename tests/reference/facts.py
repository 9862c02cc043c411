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
    """A pump channel's status; the rate in its own unit (None: not told), the concentration in mcg/mL."""

    time_ms: int
    channel: str
    state: str
    rate: Fraction | None = None
    drug: str = "norepinephrine"
    unit: str = "ug/kg/min"
    concentration: Fraction | None = None


@dataclass(frozen=True)
class Patient:
    """The patient context: the target in thousandths of a mmHg, the weight in kg (None: not told)."""

    time_ms: int
    target: int = 65_000
    weight: Fraction | None = Fraction(70)
    profile: str = "general"
    age_group: str = "adult"
    pregnant: bool = False


@dataclass(frozen=True)
class Acknowledgement:
    """Somebody acknowledges the rule's alert, as far as it had been announced by then."""

    time_ms: int
    rule: str


Fact = Pressure | Report | Patient | Acknowledgement


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
