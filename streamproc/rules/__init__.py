"""The shelf: every rule, in the order in which they are judged (those that read other alerts last)."""

from __future__ import annotations

from typing import Any

from streamproc.core.rule import RuleDefinition
from streamproc.rules import (
    dose_10,
    esc_second_agent,
    esc_threshold,
    map_crit,
    map_low,
    map_overdue,
    ped_max,
    ranges,
    tech_bed_silent,
    tech_clock,
    tech_dose,
    tech_gap,
    tech_identity,
    tech_map_artefact,
    tech_map_lost,
    tech_pump,
    tech_pump_lost,
    wean_fast,
    wean_ready,
    wean_stop,
)

RULES: tuple[RuleDefinition[Any], ...] = (
    map_low.RULE,
    map_crit.RULE,
    map_overdue.RULE,
    esc_threshold.RULE,
    esc_second_agent.RULE,
    ranges.VASOPRESSIN,
    ranges.EPINEPHRINE,
    ranges.DOBUTAMINE,
    dose_10.RULE,
    ped_max.RULE,
    tech_map_lost.RULE,
    tech_pump_lost.RULE,
    tech_bed_silent.RULE,
    tech_dose.RULE,
    tech_pump.RULE,
    tech_clock.RULE,
    tech_gap.RULE,
    tech_identity.RULE,
    tech_map_artefact.RULE,
    wean_fast.RULE,
    wean_stop.RULE,
    wean_ready.RULE,
)
