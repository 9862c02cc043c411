"""Numbers that are each plausible and make no sense together: a clear above its raise, an advice that alarms.

Checked once the settings are whole. Every pair is told at the first of its two keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from streamproc.config.settings import Settings
from streamproc.core.dose import exact

WHOLE_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A key whose number does not go with another's, and what would be right."""

    key: str
    wrong: str


AT_MOST = (
    ("terms.map_low_mmhg", "rules.MAP-CRIT.critical_mmhg"),
    ("terms.map_target_mmhg", "terms.map_high_mmhg"),
    ("terms.map_lost_s", "rules.TECH-MAP-LOST.medium_s"),
    ("rules.MAP-LOW.window_s", "rules.MAP-LOW.long_window_s"),
    ("rules.MAP-CRIT.critical_mmhg", "terms.map_target_mmhg"),
    ("rules.MAP-CRIT.critical_mmhg", "rules.MAP-CRIT.recovered_mmhg"),
    ("rules.MAP-OVERDUE.low_s", "rules.MAP-OVERDUE.medium_s"),
    ("rules.MAP-OVERDUE.titrating_low_s", "rules.MAP-OVERDUE.titrating_medium_s"),
    ("rules.MAP-OVERDUE.titrating_low_s", "rules.MAP-OVERDUE.low_s"),
    ("rules.MAP-OVERDUE.titrating_medium_s", "rules.MAP-OVERDUE.medium_s"),
    ("rules.SBP-CRIT.critical_mmhg", "rules.SBP-CRIT.recovered_mmhg"),
    ("rules.PERFUSION.urine_window_s", "terms.observation_retention_s"),
    ("rules.ESC-THRESHOLD.clear_mcg_per_kg_min", "rules.ESC-THRESHOLD.threshold_mcg_per_kg_min"),
    ("rules.ESC-SECOND-AGENT.clear_dose_mcg_per_kg_min", "rules.ESC-SECOND-AGENT.dose_mcg_per_kg_min"),
    ("rules.ESC-SECOND-AGENT.dose_mcg_per_kg_min", "rules.ESC-SECOND-AGENT.high_dose_mcg_per_kg_min"),
    ("rules.ESC-SECOND-AGENT.vasopressin_u_per_min", "rules.ESC-SECOND-AGENT.vasopressin_max_u_per_min"),
    (
        "rules.ESC-SECOND-AGENT.epinephrine_min_mcg_per_kg_min",
        "rules.ESC-SECOND-AGENT.epinephrine_max_mcg_per_kg_min",
    ),
    ("rules.DOSE-START.septic_shock_min_mcg_per_kg_min", "rules.DOSE-START.septic_shock_max_mcg_per_kg_min"),
    ("rules.DOSE-START.general_min_mcg_per_min", "rules.DOSE-START.general_max_mcg_per_min"),
    ("rules.DOSE-START.general_min_mcg_per_kg_min", "rules.DOSE-START.general_max_mcg_per_kg_min"),
    ("rules.DOSE-START.start_s", "terms.dose_retention_s"),
    ("rules.DOSE-DAILY.clear_mg", "rules.DOSE-DAILY.limit_mg"),
    ("rules.DOSE-DAILY.span_s", "terms.dose_retention_s"),
    ("rules.DOSE-STEP.back_factor", "rules.DOSE-STEP.factor"),
    ("rules.HRS-STEP.step_max_mg_per_h", "rules.HRS-MAX.max_mg_per_h"),
    ("rules.HRS-STEP.interval_s", "terms.observation_retention_s"),
    ("rules.PED-MAX.usual_max_mcg_per_kg_min", "rules.PED-MAX.max_mcg_per_kg_min"),
    ("rules.TECH-MAP-ARTEFACT.clear_share", "rules.TECH-MAP-ARTEFACT.share_max"),
    ("rules.FLUID-FIRST.look_back_s", "terms.observation_retention_s"),
    ("rules.FLUID-TYPE.look_back_s", "terms.observation_retention_s"),
    ("rules.EXTRAVASATION.adult_min_mg", "rules.EXTRAVASATION.adult_max_mg"),
    ("rules.EXTRAVASATION.adult_min_ml", "rules.EXTRAVASATION.adult_max_ml"),
    ("rules.EXTRAVASATION.pediatric_min_mg_per_kg", "rules.EXTRAVASATION.pediatric_max_mg_per_kg"),
    ("rules.BETA-BLOCKED.glucagon_min_mg", "rules.BETA-BLOCKED.glucagon_max_mg"),
    ("terms.wean_interval_s", "rules.WEAN-READY.held_s"),
    ("mqtt.reconnect_min_s", "mqtt.reconnect_max_s"),
)
"""The number of the first key must not be above that of the second."""

THE_SAME = (
    ("rules.ESC-SECOND-AGENT.vasopressin_max_u_per_min", "rules.VASO-RANGE.max_u_per_min"),
    ("rules.ESC-SECOND-AGENT.epinephrine_min_mcg_per_kg_min", "rules.EPI-RANGE.min_mcg_per_kg_min"),
    ("rules.ESC-SECOND-AGENT.epinephrine_max_mcg_per_kg_min", "rules.EPI-RANGE.max_mcg_per_kg_min"),
    ("rules.ESC-SECOND-AGENT.dobutamine_max_mcg_per_kg_min", "rules.DOBU-RANGE.max_mcg_per_kg_min"),
    ("rules.HRS-RESPONSE.step_mg_per_h", "rules.HRS-STEP.step_max_mg_per_h"),
    ("rules.HRS-RESPONSE.max_mg_per_h", "rules.HRS-MAX.max_mg_per_h"),
    ("rules.HRS-RESPONSE.interval_s", "rules.HRS-STEP.interval_s"),
    ("rules.HRS-RESPONSE.window_s", "rules.HRS-STEP.window_s"),
    ("rules.HRS-RESPONSE.map_rise_mmhg", "rules.HRS-STEP.map_rise_mmhg"),
    ("rules.HRS-RESPONSE.urine_ml_per_h", "rules.HRS-STEP.urine_ml_per_h"),
)
"""What one rule advises, another alarms on: the two must be one number."""

SPEAKS_OF = (
    ("VASO-RANGE", "vasopressin"),
    ("EPI-RANGE", "epinephrine"),
    ("DOBU-RANGE", "dobutamine"),
    ("DOPAMINE-FIRST", "dopamine"),
    ("PHENYL-FIRST", "phenylephrine"),
)
"""Rules that would never say anything where the library has their drug under another name, or not at all."""

DOSED_IN = (("norepinephrine", "mass"), ("vasopressin", "units"))
"""What the rules on these drugs count in."""


def disagreements(settings: Settings) -> Iterator[Disagreement]:
    """Every pair of numbers that cannot both be meant."""
    tree = settings.model_dump(by_alias=True)
    for lower, upper in AT_MOST:
        low, high = _at(tree, lower), _at(tree, upper)
        if low > high:
            yield Disagreement(lower, f"must be at most {upper}, which is {high:g}; it is {low:g}")
    for key, other in THE_SAME:
        one, same = _at(tree, key), _at(tree, other)
        if one != same:
            yield Disagreement(key, f"must be what {other} is, {same:g}; it is {one:g}")
    yield from _beds_named_twice(settings)
    yield from _two_spans_of_urine(settings)
    yield from _a_step_that_alarms(settings)
    yield from _drugs_that_rules_miss(settings)


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree


def _beds_named_twice(settings: Settings) -> Iterator[Disagreement]:
    """The second was meant to be another bed, which nobody would miss."""
    first = dict[str, int]()
    for place, bed in enumerate(settings.roster):
        if first.setdefault(bed, place) != place:
            yield Disagreement(f"roster.{place}", f"{bed} is on it already; right would be each bed once")


def _two_spans_of_urine(settings: Settings) -> Iterator[Disagreement]:
    """VASOCONSTRICTION compares a span with the one before it."""
    span_s, kept_s = settings.rules.vasoconstriction.urine_span_s, settings.terms.observation_retention_s  # type: ignore[attr-defined]
    if 2 * span_s > kept_s:
        told = f"twice this must be at most terms.observation_retention_s, which is {kept_s}; it is {span_s}"
        yield Disagreement("rules.VASOCONSTRICTION.urine_span_s", told)


def _a_step_that_alarms(settings: Settings) -> Iterator[Disagreement]:
    """The step that WEAN-READY proposes must not be too fast for WEAN-FAST."""
    ready, fast = settings.rules.wean_ready, settings.rules.wean_fast  # type: ignore[attr-defined]
    remaining = exact(fast.remaining_percent) * (1 - exact(fast.tolerance_percent) / WHOLE_PERCENT)
    if WHOLE_PERCENT - exact(ready.step_percent) < remaining:
        told = f"must leave rules.WEAN-FAST.remaining_percent, {fast.remaining_percent:g}; it is "
        yield Disagreement("rules.WEAN-READY.step_percent", f"{told}{ready.step_percent:g}")


def _drugs_that_rules_miss(settings: Settings) -> Iterator[Disagreement]:
    on = {rule.id for rule in settings.core_rules()}
    for rule, drug in SPEAKS_OF:
        if rule in on and drug not in settings.drugs:
            yield Disagreement("drugs", f"must have {drug}, for rules.{rule} is on; another name is an alias")
    for drug, kind in DOSED_IN:
        if settings.drugs[drug].dosed_in != kind:
            yield Disagreement(f"drugs.{drug}.dosed_in", f"must be {kind}: the rules count it so")
    if "LINE-ALKALINE" in on and not any(entry.alkaline for entry in settings.drugs.values()):
        yield Disagreement("drugs", "must have a drug that is `alkaline`, for rules.LINE-ALKALINE is on")
