"""The site of the laws: the shipped one with every rule in force, but its hours told in minutes.

Windows, waits and look-backs are a fraction of the shipped ones, as is the amount of a day, so that a
quarter of an hour holds what a week would. Doses, pressures and volumes are the shipped ones.
"""

from __future__ import annotations

from functools import cache

from streamproc.config import Settings, load
from streamproc.core.rule import Rule

TERMS = {
    "map_hold_arterial_s": 30,
    "map_hold_cuff_s": 90,
    "map_interval_cuff_s": 30,
    "changeover_grace_s": 60,
    "systolic_hold_s": 60,
    "observation_retention_s": 600,
    "dose_retention_s": 400,
    "identity_window_s": 60,
    "wean_interval_s": 240,
}
RULES = {
    "MAP-LOW": {"window_s": 60, "long_window_s": 180},
    "MAP-CRIT": {"for_s": 20, "recovered_for_s": 20},
    "MAP-OVERDUE": {
        "low_s": 60,
        "medium_s": 120,
        "titrating_low_s": 40,
        "titrating_medium_s": 70,
        "titrating_for_s": 240,
    },
    "SBP-CEILING": {"window_s": 60},
    "PERFUSION": {"urine_window_s": 120},
    "ART-LINE": {"after_s": 120},
    "ESC-THRESHOLD": {"for_s": 20, "clear_for_s": 20},
    "ESC-SECOND-AGENT": {"window_s": 120},
    "VASO-RANGE": {"clear_for_s": 20},
    "EPI-RANGE": {"clear_for_s": 20},
    "DOBU-RANGE": {"clear_for_s": 20},
    "DOSE-START": {"start_s": 60},
    "DOSE-DAILY": {"span_s": 300, "limit_mg": 0.06, "clear_mg": 0.05},
    "DOSE-DURATION": {"limit_s": 360},
    "DOSE-10": {"for_s": 60},
    "HRS-STEP": {"interval_s": 180, "window_s": 60},
    "HRS-RESPONSE": {"interval_s": 180, "window_s": 60},
    "FLUID-FIRST": {"look_back_s": 360, "emergency_s": 120},
    "FLUID-TYPE": {"look_back_s": 180},
    "ROUTE-PERIPHERAL": {"after_s": 120},
    "VASOCONSTRICTION": {"urine_span_s": 120, "rising_for_s": 240},
    "TECH-PUMP": {"near_end_s": 120},
    "TECH-CLOCK": {"in_bounds_s": 30},
    "TECH-GAP": {"shown_s": 90},
    "WEAN-FAIL": {"window_s": 60},
    "WEAN-STOP": {"map_held_s": 120},
    "WEAN-READY": {"window_s": 60, "held_s": 240},
}


@cache
def quick_site() -> Settings:
    """The configuration of the laws, read once."""
    scaled = [f"terms.{key}={value}" for key, value in TERMS.items()]
    for rule, numbers in RULES.items():
        scaled += [f"rules.{rule}.{key}={value}" for key, value in numbers.items()]
    return load(overrides=scaled)


@cache
def every_rule() -> tuple[Rule, ...]:
    """Every rule of the catalogue, in force."""
    bound = quick_site().every_rule()
    assert all(on for _, on in bound), "the laws are for all rules"
    return tuple(rule for rule, _ in bound)


@cache
def ruleset() -> str:
    """What names these rules in the feed."""
    return quick_site().ruleset()
