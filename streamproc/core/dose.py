"""From one pump report, concentration and weight to a dose, or to unknown-because.

Never guesses: a missing concentration, weight or unit makes the dose unknown and says so, lost
contact is unknown and not 0, and no concentration has a default. Doses are whole numbers of
1e-9 mcg (or 1e-9 U): computed as exact fractions of the charted decimals and rounded once, so
9.375 mL/h x 16 mcg/mL / 60 / 10 kg is *at* 0.25, whatever the float does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any

from streamproc.core.events import DrugForm, PumpState, PumpStatus, Quantity
from streamproc.core.terms import Drug, Terms

NANO = 10**9
MINUTES_PER_HOUR = 60
UG_PER_MG = 1000


class DoseUnknown(StrEnum):
    """Why a dose cannot be told; a closed set that TECH-DOSE names."""

    NO_RATE = "no_rate"
    NO_CONCENTRATION = "no_concentration"
    NO_WEIGHT = "no_weight"
    NO_FORM = "no_form"
    UNIT_UNRESOLVABLE = "unit_unresolvable"
    CONCENTRATION_IMPLAUSIBLE = "concentration_implausible"
    WEIGHT_CONFLICT = "weight_conflict"
    CONTACT_LOST = "contact_lost"


SENTENCES = {
    DoseUnknown.NO_RATE: "the pump reports no rate",
    DoseUnknown.NO_CONCENTRATION: "the rate is in mL/h and no concentration is known",
    DoseUnknown.NO_WEIGHT: "no weight is known",
    DoseUnknown.NO_FORM: "neither pump nor drug library says whether base or salt is charted",
    DoseUnknown.UNIT_UNRESOLVABLE: "rate and concentration units do not fit this drug",
    DoseUnknown.CONCENTRATION_IMPLAUSIBLE: "the concentration is beyond what the drug library allows",
    DoseUnknown.WEIGHT_CONFLICT: "pump and patient context disagree on the weight",
    DoseUnknown.CONTACT_LOST: "contact with the pump is lost",
}


@lru_cache(maxsize=4096)
def exact(value: float) -> Fraction:
    """The decimal that was charted: the shortest one that reads back as this float."""
    return Fraction(repr(value))


@dataclass(frozen=True, slots=True)
class Flow:
    """What one channel, or a drug over all its channels, delivers.

    `per_min` in mcg/min (U/min for drugs dosed in units), `per_kg_min` in mcg/kg/min; None is unknown, and
    `unknown` says why the first of them that is None is. `unless_resumed` is what flows per kg if the pumps
    that paused and then fell silent are pausing still."""

    per_min: Fraction | None
    per_kg_min: Fraction | None
    unknown: DoseUnknown | None = None
    unless_resumed: Fraction | None = None

    @property
    def by_last_word(self) -> Fraction | None:
        """mcg/kg/min, where a pump that paused is taken at its last word."""
        return self.unless_resumed if self.per_kg_min is None else self.per_kg_min


NOTHING = Flow(Fraction(0), Fraction(0))
PAUSED_UNHEARD = Flow(None, None, DoseUnknown.CONTACT_LOST, Fraction(0))


def not_known(why: DoseUnknown) -> Flow:
    """A flow of which nothing can be told."""
    return Flow(None, None, why)


def flow_of(status: PumpStatus, context_weight_kg: float | None, drug: Drug, terms: Terms) -> Flow:
    """What a channel delivers by its own report; a channel that does not infuse delivers 0 of therapy."""
    if status.state is not PumpState.INFUSING:
        return NOTHING
    mass = _rate_resolved(status, drug)
    if isinstance(mass, DoseUnknown):
        return not_known(mass)
    amount, per_kg = mass
    base = _as_base(amount, status, drug, terms)
    if base is None:
        return not_known(DoseUnknown.NO_FORM)
    return _with_weight(base, per_kg, status.weight_kg, context_weight_kg, terms)


def _rate_resolved(status: PumpStatus, drug: Drug) -> tuple[Fraction, bool] | DoseUnknown:
    """The reported rate as (mcg or U per min, already per kg?)."""
    rate = status.rate
    if rate is None:
        return DoseUnknown.NO_RATE
    value = exact(rate.value)
    match rate.unit, drug.by_units:
        case "U/min", True:
            return value, False
        case "ug/kg/min", False:
            return value, True
        case "ug/min", False:
            return value, False
        case "mg/h", False:
            return value * UG_PER_MG / MINUTES_PER_HOUR, False
        case "mL/h", _:
            strength = _strength(status.concentration, drug)
            if isinstance(strength, DoseUnknown):
                return strength
            return value * strength / MINUTES_PER_HOUR, False
    return DoseUnknown.UNIT_UNRESOLVABLE


def strength_of(status: PumpStatus, drug: Drug, terms: Terms) -> Fraction | None:
    """How strong a channel's bag is, in mcg of base (or U) per mL, plausible or not; None where unknown."""
    charted = _charted_strength(status.concentration, drug)
    return None if isinstance(charted, DoseUnknown) else _as_base(charted, status, drug, terms)


def _strength(concentration: Quantity | None, drug: Drug) -> Fraction | DoseUnknown:
    """The concentration in mcg/mL, or U/mL for drugs dosed in units."""
    value = _charted_strength(concentration, drug)
    if isinstance(value, DoseUnknown):
        return value
    most = drug.concentration_max_ug_per_ml
    if most is not None and value > exact(most):
        return DoseUnknown.CONCENTRATION_IMPLAUSIBLE
    return value


def ml_per_min(status: PumpStatus, drug: Drug, context_weight_kg: float | None) -> Fraction | None:
    """At what volume an infusing channel runs; None if its rate cannot be told in mL."""
    if status.rate is not None and status.rate.unit == "mL/h":
        return exact(status.rate.value) / MINUTES_PER_HOUR
    mass, strength = _rate_resolved(status, drug), _strength(status.concentration, drug)
    if isinstance(mass, DoseUnknown) or isinstance(strength, DoseUnknown):
        return None
    amount, per_kg = mass
    weight_kg = status.weight_kg if status.weight_kg is not None else context_weight_kg
    if not per_kg:
        return amount / strength
    return None if weight_kg is None else amount * exact(weight_kg) / strength


def _charted_strength(concentration: Quantity | None, drug: Drug) -> Fraction | DoseUnknown:
    if concentration is None:
        return DoseUnknown.NO_CONCENTRATION
    if (concentration.unit == "U/mL") != drug.by_units:
        return DoseUnknown.UNIT_UNRESOLVABLE
    value = exact(concentration.value)
    return value * UG_PER_MG if concentration.unit == "mg/mL" else value


def _as_base(amount: Fraction, status: PumpStatus, drug: Drug, terms: Terms) -> Fraction | None:
    """A charted mass of salt as base; drugs that have no salt form to convert pass unchanged."""
    if drug.name != terms.titrated_drug:
        return amount
    form = status.form or drug.charted_as
    if form is None:
        return None
    return amount * terms.base_per_bitartrate if form is DrugForm.BITARTRATE else amount


def _with_weight(
    amount: Fraction, per_kg: bool, pump_kg: float | None, context_kg: float | None, terms: Terms
) -> Flow:
    weight = context_kg if context_kg is not None else pump_kg
    conflict = weights_conflict(pump_kg, context_kg, terms)
    if per_kg:
        if conflict:
            return not_known(DoseUnknown.WEIGHT_CONFLICT)
        return Flow(amount * exact(weight) if weight is not None else None, amount)
    if conflict:
        return Flow(amount, None, DoseUnknown.WEIGHT_CONFLICT)
    if weight is None:
        return Flow(amount, None, DoseUnknown.NO_WEIGHT)
    return Flow(amount, amount / exact(weight))


def weights_conflict(pump_kg: float | None, context_kg: float | None, terms: Terms) -> bool:
    """Whether the pump's weight and the patient's differ by more than the tolerance."""
    if pump_kg is None or context_kg is None:
        return False
    return abs(exact(pump_kg) - exact(context_kg)) > terms.weight_conflict * exact(context_kg)


def total(flows: list[Flow]) -> Flow:
    """What several channels deliver together; one unknown part makes the sum unknown."""
    if len(flows) == 1:
        return flows[0]
    why = next((flow.unknown for flow in flows if flow.unknown is not None), None)
    per_min, per_kg_min = _sum([f.per_min for f in flows]), _sum([f.per_kg_min for f in flows])
    return Flow(per_min, per_kg_min, why, None if why is None else _sum([f.by_last_word for f in flows]))


def _sum(parts: list[Fraction | None]) -> Fraction | None:
    known = [part for part in parts if part is not None]
    return sum(known, Fraction(0)) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True)
class Dose:
    """A drug's dose since `since_ms`: 1e-9 mcg/kg/min and 1e-9 mcg/min (or U/min); None is unknown.

    `unless_resumed_nano` is the former if the pumps that paused and then fell silent are pausing still."""

    since_ms: int
    per_kg_nano: int | None
    per_min_nano: int | None
    unknown: DoseUnknown | None
    unless_resumed_nano: int | None = None

    @property
    def by_last_word_nano(self) -> int | None:
        """1e-9 mcg/kg/min, where a pump that paused is taken at its last word."""
        return self.unless_resumed_nano if self.per_kg_nano is None else self.per_kg_nano

    def plain(self) -> list[Any]:
        """As plain values."""
        return [self.since_ms, self.per_kg_nano, self.per_min_nano, self.unknown, self.unless_resumed_nano]

    @classmethod
    def from_plain(cls, kept: list[Any]) -> Dose:
        """From what `plain` gave."""
        since_ms, per_kg, per_min, why, unless_resumed = kept
        return cls(since_ms, per_kg, per_min, DoseUnknown(why) if why else None, unless_resumed)


def _nano(amount: Fraction | None) -> int | None:
    return None if amount is None else round(amount * NANO)


def dose_of(since_ms: int, flow: Flow) -> Dose:
    """The flow as a dose, rounded once to 1e-9."""
    per_kg, per_min = _nano(flow.per_kg_min), _nano(flow.per_min)
    return Dose(since_ms, per_kg, per_min, flow.unknown, _nano(flow.unless_resumed))
