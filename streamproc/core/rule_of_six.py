"""The rule of 6: a child's mix by weight, in which 1 mL/h is a tenth of a mcg/kg/min.

Computes a concentration for whoever mixes the bag. Nothing here judges by it: a dose is only known
from the concentration that the pump reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamproc.core.dose import MINUTES_PER_HOUR, UG_PER_MG, exact


@dataclass(frozen=True, slots=True)
class Mix:
    """Milligrams of base in a volume, the strength that makes, and the dose that 1 mL/h of it is."""

    base_mg: Fraction
    volume_ml: Fraction
    ug_per_ml: Fraction
    ug_per_kg_min_at_1_ml_per_h: Fraction


def mix_for(weight_kg: float, mg_per_kg: float, volume_ml: float) -> Mix:
    """The mix for a weight, exact to the decimals that were given."""
    weight, volume = exact(weight_kg), exact(volume_ml)
    base_mg = exact(mg_per_kg) * weight
    ug_per_ml = base_mg * UG_PER_MG / volume
    return Mix(base_mg, volume, ug_per_ml, ug_per_ml / MINUTES_PER_HOUR / weight)
