"""Mean arterial pressure from vasopressor doses: a patient for testing alarms, never for treating people.

Pure and seeded: no clock, no I/O; one `step` is one second, and the same draws give the same pressures.
Each figure says where it was published; a figure without a source is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

EMAX_MMHG = 98.7
GAMMA = 1.8
C50_NMOL_PER_L = 70.4
"""Emax, gamma and the figure 70.4: H. Beloeil, J.-X. Mazoit, D. Benhamou, J. Duranteau, Norepinephrine
kinetics and dynamics in septic shock and trauma patients, Br J Anaesth 2005; 95: 782-788,
doi:10.1093/bja/aei259, as others cite it; we had its abstract only. The unit is our reading: public code
on this model has 70.4, and in a later version 7.04 ng/mL (42 nmol/L). In nmol/L (11.9 ng/mL) usual doses
lie on the slope of the curve: H. Ensinger and others (Relationship between infusion rates, plasma
concentrations, and cardiovascular and metabolic effects during the infusion of norepinephrine in healthy
volunteers) found 44 nmol/L at 0.2 ug/kg/min. In ng/mL they would do nothing."""

NOREPINEPHRINE_G_PER_MOL = 169.18

CLEARANCE_L_PER_MIN_AT_SAPS_20 = 3.0
CLEARANCE_L_PER_MIN_AT_SAPS_60 = 0.9
VOLUME_L = 8.8
"""Both clearances, and half-lives of 2 and 6.8 min: Beloeil 2005 (one compartment), abstract. The volume
is what these imply (clearance times half-life over ln 2: 8.7 and 8.8)."""

UG_PER_KG_PER_MIN_PER_U_PER_MIN = 2.5
"""Vasopressin as norepinephrine: Y. Kotani and others, An updated "norepinephrine equivalent" score in
intensive care as a marker of shock severity, Crit Care 2023, doi:10.1186/s13054-023-04322-y. That both
drugs then share one curve is ours."""

VASOPRESSIN_HALF_LIFE_S = 300.0
"""Ours, from the prescribing information of vasopressin injection: the pressor effect peaks within 15 min
of a start and fades within 20 min of a stop; three half-lives are 15 min."""

BEAT_NOISE_SD_MMHG = 1.2
BEAT_NOISE_MEMORY = 0.9
SLOW_WAVES = ((0.9, 660.0), (0.6, 290.0))
"""Amplitude in mmHg and period in seconds of the drifts that no drug explains."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What of a patient decides how a dose works."""

    weight_kg: float
    saps_ii: float


def effect_mmhg(concentration_nmol_per_l: float) -> float:
    """The rise of MAP that a plasma concentration holds: sigmoid Emax, half of it at C50 (Beloeil
    2005)."""
    if concentration_nmol_per_l <= 0:
        return 0.0
    reach = math.pow(concentration_nmol_per_l / C50_NMOL_PER_L, GAMMA)
    return EMAX_MMHG * reach / (1 + reach)


def clearance_l_per_min(saps_ii: float) -> float:
    """The sicker the slower (Beloeil 2005); the power law between its two points is ours."""
    fall = CLEARANCE_L_PER_MIN_AT_SAPS_60 / CLEARANCE_L_PER_MIN_AT_SAPS_20
    slope = math.log(fall) / math.log(60 / 20)
    return CLEARANCE_L_PER_MIN_AT_SAPS_20 * math.pow(saps_ii / 20, slope)


def half_life_s(saps_ii: float) -> float:
    """How long half of the norepinephrine stays in the plasma: the first-order delay of its effect.

    About 2 min in the least sick (Beloeil 2005); no further delay to an effect site is added.
    """
    return 60 * math.log(2) * VOLUME_L / clearance_l_per_min(saps_ii)


def settled_nmol_per_l(patient: Patient, norepinephrine_ug_per_min: float) -> float:
    """The concentration at which clearance takes away what the pump gives."""
    ug_per_l = norepinephrine_ug_per_min / clearance_l_per_min(patient.saps_ii)
    return 1000 * ug_per_l / NOREPINEPHRINE_G_PER_MOL


def equivalent_ug_per_min(patient: Patient, vasopressin_u_per_min: float) -> float:
    """The norepinephrine that would raise MAP as much as this vasopressin does."""
    return vasopressin_u_per_min * UG_PER_KG_PER_MIN_PER_U_PER_MIN * patient.weight_kg


def settled_effect_mmhg(
    patient: Patient, norepinephrine_ug_per_min: float, vasopressin_u_per_min: float
) -> float:
    """What both infusions hold once they have run long enough."""
    together = norepinephrine_ug_per_min + equivalent_ug_per_min(patient, vasopressin_u_per_min)
    return effect_mmhg(settled_nmol_per_l(patient, together))


@dataclass(slots=True)
class Approach:
    """A quantity that goes half of its way to where it is pulled in each half-life."""

    half_life_s: float
    value: float = 0.0

    def step(self, pull: float) -> float:
        """One second nearer to `pull`."""
        self.value += (pull - self.value) * (1 - 0.5 ** (1 / self.half_life_s))
        return self.value


@dataclass(slots=True)
class Ramp:
    """A pressure that moves to its next level in a straight line: vasoplegia and recovery."""

    value: float = 0.0
    goal: float = 0.0
    seconds_left: int = 0

    def head_for(self, goal: float, over_s: int) -> None:
        """Be at `goal` after `over_s` seconds."""
        self.goal, self.seconds_left = goal, max(over_s, 1)

    def step(self) -> float:
        """One second further on the way."""
        if self.seconds_left:
            self.value += (self.goal - self.value) / self.seconds_left
            self.seconds_left -= 1
        return self.value


class Unrest:
    """What moves a pressure though nothing is done: beat noise as AR(1), and two slow waves."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._beat_mmhg = 0.0
        self._second = 0
        self._phases = tuple(random.uniform(0, 2 * math.pi) for _ in SLOW_WAVES)

    def step(self) -> float:
        """The deviation of the next second, mmHg."""
        fresh = self._random.gauss(0, BEAT_NOISE_SD_MMHG) * math.sqrt(1 - BEAT_NOISE_MEMORY**2)
        self._beat_mmhg = BEAT_NOISE_MEMORY * self._beat_mmhg + fresh
        self._second += 1
        waves = (
            amplitude * math.sin(2 * math.pi * self._second / period + phase)
            for (amplitude, period), phase in zip(SLOW_WAVES, self._phases, strict=True)
        )
        return self._beat_mmhg + sum(waves)


class Circulation:
    """One patient's MAP, second by second, from what the pumps really deliver.

    `base` is the pressure without vasopressors. A script says where MAP would settle on the present
    doses (`rest_at`, `head_for`), and the drugs do the rest.
    """

    def __init__(self, patient: Patient, random: Random) -> None:
        self.patient = patient
        self._base = Ramp()
        self._norepinephrine = Approach(half_life_s(patient.saps_ii))
        self._vasopressin = Approach(VASOPRESSIN_HALF_LIFE_S)
        self._unrest = Unrest(random)

    def rest_at(
        self, mmhg: float, norepinephrine_ug_per_min: float, vasopressin_u_per_min: float = 0
    ) -> None:
        """Begin as a patient who has long been on these doses and is at `mmhg` on them."""
        self._norepinephrine.value = norepinephrine_ug_per_min
        self._vasopressin.value = vasopressin_u_per_min
        held = settled_effect_mmhg(self.patient, norepinephrine_ug_per_min, vasopressin_u_per_min)
        self._base = Ramp(mmhg - held)

    def head_for(
        self, mmhg: float, over_s: int, norepinephrine_ug_per_min: float, vasopressin_u_per_min: float = 0
    ) -> None:
        """Let the illness move so that these doses come to hold `mmhg`."""
        held = settled_effect_mmhg(self.patient, norepinephrine_ug_per_min, vasopressin_u_per_min)
        self._base.head_for(mmhg - held, over_s)

    def step(self, norepinephrine_ug_per_min: float, vasopressin_u_per_min: float = 0) -> float:
        """The MAP one second on, mmHg; never below zero."""
        norepinephrine = self._norepinephrine.step(norepinephrine_ug_per_min)
        vasopressin = self._vasopressin.step(vasopressin_u_per_min)
        held = settled_effect_mmhg(self.patient, norepinephrine, vasopressin)
        return max(0.0, self._base.step() + held + self._unrest.step())
