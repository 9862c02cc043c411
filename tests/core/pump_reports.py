"""Pump reports in few words, and the site's terms and rules to judge them by."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from streamproc.config import Settings, load
from streamproc.core.dose import NANO, Flow, dose_of, flow_of
from streamproc.core.events import PumpState, PumpStatus, Quantity
from streamproc.core.infusion import Infusions
from streamproc.core.rule import Rule
from streamproc.core.terms import Terms

BED = "icu-a/bed-7"
INFUSING = PumpState.INFUSING


@cache
def site() -> Settings:
    """The shipped configuration, read once."""
    return load()


@cache
def rules() -> tuple[Rule, ...]:
    """The shipped rules, bound once."""
    return site().core_rules()


def terms(**changed: Any) -> Terms:
    return replace(site().core_terms(), **changed)


def report(
    rate: float | None = None,
    unit: str = "ug/kg/min",
    at_ms: int = 0,
    channel: str = "1",
    drug: str = "norepinephrine",
    state: PumpState = INFUSING,
    concentration: tuple[float, str] | None = None,
    **other: Any,
) -> PumpStatus:
    """One status of a channel; `report(0.1)` is norepinephrine at 0.1 mcg/kg/min."""
    return PumpStatus(
        at_ms,
        BED,
        f"PMP-{channel}",
        None,
        None,
        channel,
        state,
        drug,
        rate=None if rate is None else Quantity(rate, unit),
        concentration=None if concentration is None else Quantity(*concentration),
        **other,
    )


def flow(status: PumpStatus, weight_kg: float | None = None) -> Flow:
    """What a single report delivers, for a patient of this weight."""
    shared = terms()
    return flow_of(status, weight_kg, shared.drugs[status.drug], shared)


def nano_per_kg(status: PumpStatus, weight_kg: float | None = None) -> int | None:
    return dose_of(0, flow(status, weight_kg)).per_kg_nano


def nano(mcg_per_kg_min: str) -> int:
    """A dose written in decimals, in the 1e-9 that doses are kept in."""
    whole, _, part = mcg_per_kg_min.partition(".")
    return int(whole) * NANO + int(part.ljust(9, "0"))


def infusions(**changed: Any) -> Infusions:
    return Infusions(terms(**changed))


def tell(ward: Infusions, *reports: PumpStatus) -> None:
    """Enter reports, settling after each instant as a bed does."""
    for at_ms in dict.fromkeys(each.time_ms for each in reports):
        for each in (each for each in reports if each.time_ms == at_ms):
            ward.take(each)
        ward.settle()
