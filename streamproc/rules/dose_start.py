"""DOSE-START: an infusion began outside the doses at which the source starts this kind of patient.

The source gives start doses that contradict each other (C2, C3), so the patient's profile chooses.
Told once an infusion; of a beginning that nobody saw it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.dose import MINUTES_PER_HOUR, NANO, UG_PER_MG, exact
from streamproc.core.events import Profile
from streamproc.core.finding import Finding, any_of, found, negated, unknown
from streamproc.core.opening import Opening
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import PATIENT, Of, sight
from streamproc.rules.parameters import McgPerKgMin, McgPerMin, MgPerHour, Percent, Seconds
from streamproc.rules.phrase import minutes

BY_WEIGHT, BY_MINUTE, BY_HOUR = "mcg/kg/min", "mcg/min", "mg/h"
JUDGED = "start judged"
OPENING = sight(Of.OPENING)
WHOLE_PERCENT = 100


@dataclass(frozen=True, slots=True)
class DoseStart:
    """How long a start lasts, each profile's band, and the tolerance of starts that are a single figure."""

    start_s: Seconds
    septic_shock_min_mcg_per_kg_min: McgPerKgMin
    septic_shock_max_mcg_per_kg_min: McgPerKgMin
    general_min_mcg_per_min: McgPerMin
    general_max_mcg_per_min: McgPerMin
    general_min_mcg_per_kg_min: McgPerKgMin
    general_max_mcg_per_kg_min: McgPerKgMin
    hepatorenal_mg_per_h: MgPerHour
    pregnancy_mcg_per_kg_min: McgPerKgMin
    pediatric_mcg_per_kg_min: McgPerKgMin
    tolerance_percent: Percent


@dataclass(frozen=True, slots=True)
class Band:
    """Start doses that are usual; `low` and `high` are in it, `name` is how the ward writes it."""

    low: Fraction
    high: Fraction
    unit: str
    name: str

    def nearest(self, mean: Fraction) -> Fraction:
        """The edge that a mean is nearer to: the one that it crossed, where it is outside."""
        return min(self.low, self.high, key=lambda edge: abs(edge - mean))

    def holds(self, opening: Opening) -> Finding:
        """Whether an infusion opened in this band."""
        mean = mean_of(opening, self.unit)
        if mean is None:
            why = "the dose was unknown, or its beginning was not seen"
            return unknown(f"start in {self.name}", why, saw=OPENING)
        limit = float(self.nearest(mean))
        unit = self.unit.replace("mcg", "ug")
        inside = self.low <= mean <= self.high
        return found(f"start in {self.name}", inside, value=float(mean), limit=limit, unit=unit, saw=OPENING)


def judge(chart: Chart, p: DoseStart) -> Judgement:
    return Judgement(
        levels=(Level(Priority.INFO, started_outside(chart, p)),),
        clears=(Clear(chart.acknowledged("DOSE-START")), Clear(chart.infusion_over())),
    )


def started_outside(chart: Chart, p: DoseStart) -> Finding:
    """Whether the infusion opened outside every band of its profile; judged once, when the start is over."""
    opening, due_ms = chart.opening(p.start_s)
    if opening is None:
        return found("start outside its band", False, due_ms, value="not over", saw=OPENING)
    if chart.noted.get(JUDGED) == opening.began_ms:
        outside = chart.is_open("DOSE-START")
        return found("start outside its band", outside, value="judged already", saw=OPENING)
    chart.noted[JUDGED] = opening.began_ms
    usual = bands(chart, p)
    if not usual:
        why = "no start dose is given for a child under this profile"
        return unknown("start outside its band", why, saw=PATIENT)
    return negated(any_of(*(band.holds(opening) for band in usual)))


def bands(chart: Chart, p: DoseStart) -> tuple[Band, ...]:
    """The bands of this patient; inside any of them is fine."""
    single = exact(p.tolerance_percent) / WHOLE_PERCENT
    if chart.profile is Profile.PEDIATRIC:
        return (_around(p.pediatric_mcg_per_kg_min, single, BY_WEIGHT),)
    if chart.is_child:
        return ()
    if chart.profile is Profile.HEPATORENAL:
        return (_around(p.hepatorenal_mg_per_h, single, BY_HOUR),)
    if chart.context is not None and chart.context.pregnant:
        return (_around(p.pregnancy_mcg_per_kg_min, single, BY_WEIGHT),)
    if chart.profile is Profile.SEPTIC_SHOCK:
        return (_between(p.septic_shock_min_mcg_per_kg_min, p.septic_shock_max_mcg_per_kg_min, BY_WEIGHT),)
    return (
        _between(p.general_min_mcg_per_min, p.general_max_mcg_per_min, BY_MINUTE),
        _between(p.general_min_mcg_per_kg_min, p.general_max_mcg_per_kg_min, BY_WEIGHT),
    )


@lru_cache(maxsize=64)
def _around(dose: float, tolerance: Fraction, unit: str) -> Band:
    return Band(exact(dose) * (1 - tolerance), exact(dose) * (1 + tolerance), unit, f"{dose:g} {unit}")


@lru_cache(maxsize=64)
def _between(low: float, high: float, unit: str) -> Band:
    return Band(exact(low), exact(high), unit, f"{low:g}-{high:g} {unit}")


def mean_of(opening: Opening, unit: str) -> Fraction | None:
    """An opening's mean in a band's unit, to 1e-9."""
    amount = opening.per_kg_nano if unit == BY_WEIGHT else opening.per_min_nano
    if amount is None:
        return None
    if unit == BY_HOUR:
        amount = round(Fraction(amount * MINUTES_PER_HOUR, UG_PER_MG))
    return Fraction(amount, NANO)


def word(chart: Chart, p: DoseStart, alert: Alert) -> Wording:
    usual = bands(chart, p)
    known = [(band, mean_of(chart.opened, band.unit)) for band in usual if chart.opened is not None]
    told, value, limit, unit = "unknown", None, None, ""
    for band, mean in known:
        if mean is not None:
            told, value, limit = f"{float(mean):.4g} {band.unit}", float(mean), float(band.nearest(mean))
            unit = band.unit.replace("mcg", "ug")
            break
    names = " or ".join(each.name for each in usual) or "its band"
    return Wording(
        text=f"Norepinephrine started at {told}, not {names}",
        advice=f"The source starts this patient at {names}. Check order, weight and concentration.",
        figure=f"the first {minutes(p.start_s)} were {told}",
        value=value,
        limit=limit,
        unit=unit,
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DOSE-START",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Initial Dosing; Special Populations", "Dose, titration, escalation; C2, C3", "S, E"),
    reads=Reads.DOSE | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If the mean norepinephrine dose of the first {start_s} s of an infusion is outside the start band "
        "of the patient's profile, inform. Septic shock: {septic_shock_min_mcg_per_kg_min}-"
        "{septic_shock_max_mcg_per_kg_min} mcg/kg/min; other adults: {general_min_mcg_per_min}-"
        "{general_max_mcg_per_min} mcg/min, or {general_min_mcg_per_kg_min}-{general_max_mcg_per_kg_min} "
        "mcg/kg/min; hepatorenal: {hepatorenal_mg_per_h} mg/h; pregnancy: {pregnancy_mcg_per_kg_min} "
        "mcg/kg/min; pediatric: {pediatric_mcg_per_kg_min} mcg/kg/min (single figures within "
        "{tolerance_percent} %). Clear when acknowledged, or when the infusion ends."
    ),
    parameters=DoseStart,
    judge=judge,
    word=word,
)
