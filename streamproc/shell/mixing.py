"""The rule of 6 for one child, in words: what to mix, and what the processor will make of it.

Refuses where the site has not turned the pediatric profile on: the figures read like another drug's.
"""

from __future__ import annotations

from streamproc.config import Settings
from streamproc.core.events import Profile
from streamproc.core.rule_of_six import Mix, mix_for


class NotMixed(Exception):
    """Nothing is computed; the message says what would be right."""


def rule_of_six(settings: Settings, weight_kg: float) -> str:
    """The mix for a weight, and what has to be done for its dose to be known."""
    if Profile.PEDIATRIC not in settings.profiles:
        raise NotMixed(
            "the profile pediatric is off at this site (C12); `profiles` in rules.yaml turns it on"
        )
    if not 0 < weight_kg <= settings.limits.weight_kg_max:
        raise NotMixed(f"{weight_kg:g} kg; right would be up to {settings.limits.weight_kg_max:g} kg")
    figures = settings.rule_of_six
    mix = mix_for(weight_kg, figures.mg_per_kg, figures.volume_ml)
    strength, dose = float(mix.ug_per_ml), float(mix.ug_per_kg_min_at_1_ml_per_h)
    return "\n".join(
        [
            f"For {weight_kg:g} kg {float(mix.base_mg):g} mg of norepinephrine base "
            f"in {float(mix.volume_ml):g} mL:",
            f"  {strength:g} ug/mL, and 1 mL/h is {dose:g} mcg/kg/min",
            "Computed, never assumed: without a concentration from the pump the dose is unknown (TECH-DOSE).",
            _judged(settings, mix),
        ]
    )


def _judged(settings: Settings, mix: Mix) -> str:
    """What the rules will say of a bag of this strength."""
    drug = settings.core_terms().drugs["norepinephrine"]
    most, strength = drug.concentration_max_ug_per_ml, f"{float(mix.ug_per_ml):g} ug/mL"
    if most is not None and mix.ug_per_ml > most:
        return f"{strength} is beyond the library's maximum of {most:g}: its dose would be unknown."
    if drug.lists(mix.ug_per_ml, Profile.PEDIATRIC):
        return f"{strength} is in the drug library."
    return f"{strength} is not in the drug library: CONC-UNKNOWN will ask for an acknowledgement."
