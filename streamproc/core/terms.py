"""The words that several rules share, with the site's numbers: the rule page's *Terms*.

Every number here comes from `config/rules.yaml`; nothing in core has a default for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from streamproc.core.events import DrugForm, Profile
from streamproc.core.site import SiteWords, spelled


@dataclass(frozen=True, slots=True)
class Drug:
    """What the site's drug library says of a drug; strengths in mcg of base per mL.

    A premix is a strength and a diluent without dextrose that the site approves together."""

    name: str
    charted_as: DrugForm | None
    concentration_max_ug_per_ml: float | None
    by_units: bool
    alkaline: bool
    strengths: frozenset[Fraction]
    strengths_by_profile: Mapping[Profile, frozenset[Fraction]]
    premixes: frozenset[tuple[Fraction, str]]

    def lists(self, strength: Fraction, profile: Profile) -> bool:
        """Whether a strength stands in the library, for any patient or for this profile."""
        return strength in self.strengths or strength in self.strengths_by_profile.get(profile, frozenset())

    def is_premix(self, strength: Fraction | None, diluent: str) -> bool:
        """Whether a bag is one that the site approves although its diluent has no dextrose."""
        return strength is not None and (strength, spelled(diluent)) in self.premixes


class PumpAlarm(StrEnum):
    """What a pump's alarm code means; `other` is any code that the site has not listed."""

    DOWNSTREAM_OCCLUSION = "downstream occlusion"
    UPSTREAM_OCCLUSION = "upstream occlusion"
    AIR_IN_LINE = "air in line"
    EMPTY = "empty"
    DOOR = "door"
    BATTERY = "battery"
    NEAR_END = "near end of infusion"
    OTHER = "other alarm"


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits, holds and tolerances; times in ms, pressures in thousandths of a mmHg."""

    map_target_milli: int
    map_low_milli: int
    map_high_milli: int
    map_hold_arterial_ms: int
    map_hold_cuff_ms: int
    map_interval_arterial_ms: int
    map_interval_cuff_ms: int
    map_retention_ms: int
    artefact_window_ms: int
    coverage_min: float
    lost_intervals: int
    map_lost_ms: int
    pump_lost_ms: int
    pump_interval_ms: int
    pump_interval_max_ms: int
    changeover_grace_ms: int
    systolic_hold_ms: int
    observation_retention_ms: int
    clock_ahead_ms: int
    clock_behind_ms: int
    identity_window_ms: int
    dose_retention_ms: int
    peak_span_ms: int
    dose_change_tolerance: Fraction
    weight_conflict: Fraction
    base_per_bitartrate: Fraction
    titrated_drug: str
    drugs: dict[str, Drug]
    site: SiteWords
    pump_alarms: dict[str, PumpAlarm]

    def alarm_meaning(self, code: str) -> PumpAlarm:
        """What a pump means by an alarm code."""
        return self.pump_alarms.get(code, PumpAlarm.OTHER)
