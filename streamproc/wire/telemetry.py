"""The payloads that come in: the one definition of what a monitor, pump, chart or station may say.

These models say what a message may look like. What the site allows (weights, plausible pressures,
its drug library) is `decode`'s to judge, because it differs from site to site.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from streamproc.core.events import DrugForm, PumpState
from streamproc.core.events import Profile as PatientProfile
from streamproc.wire.fields import (
    ALARM,
    AlertId,
    Amount,
    Identifier,
    Instant,
    Line,
    Message,
    PositiveAmount,
    Seq,
    Word,
)

ALARMS_MAX = 32


class Metric(StrEnum):
    """The mean pressures that are taken for MAP; the pulmonary artery's is not among them."""

    ARTERIAL = "MDC_PRESS_BLD_ART_MEAN"
    ARTERIAL_ABP = "MDC_PRESS_BLD_ART_ABP_MEAN"
    NONINVASIVE = "MDC_PRESS_BLD_NONINV_MEAN"
    CUFF = "MDC_PRESS_CUFF_MEAN"


class Quality(StrEnum):
    """What the monitor itself thinks of a sample; only a good one enters a window."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    ARTEFACT = "artefact"
    CALIBRATING = "calibrating"


class AgeGroup(StrEnum):
    """Whose limits apply."""

    ADULT = "adult"
    PEDIATRIC = "pediatric"
    NEONATAL = "neonatal"


Alarm = Annotated[str, Field(pattern=ALARM)]
Pressure = Literal["mm[Hg]", "kPa"]


class DeviceMessage(Message):
    """What every message of a device carries: who, which start, which message, when."""

    device: Identifier
    """Serial of the device."""
    boot: Identifier | None = None
    """A value new at each start of the device."""
    seq: Seq | None = None
    """Counts the device's messages since that start, one by one."""
    time: Instant
    """Event time, UTC; digits beyond the millisecond are cut."""
    bed: Line | None = None
    """`bed` or `unit/bed`; where it is given it must be the topic's."""


class MapMessage(DeviceMessage):
    """One sample of mean arterial pressure."""

    metric: Annotated[Metric, Word]
    value: float
    unit: Pressure
    quality: Annotated[Quality, Word] = Quality.GOOD


class Rate(Message):
    """What the pump actually delivers, not what it was programmed to."""

    value: Amount
    unit: Literal["mL/h", "ug/min", "ug/kg/min", "mg/h", "U/min"]


class Concentration(Message):
    """How much drug is in each millilitre of the bag."""

    value: PositiveAmount
    unit: Literal["ug/mL", "mg/mL", "U/mL"]


class Volume(Message):
    """A volume of fluid."""

    value: Amount
    unit: Literal["mL"]


class Weight(Message):
    """The patient's weight; the site's limits are judged by the decoder."""

    value: PositiveAmount
    unit: Literal["kg"]


class PumpMessage(DeviceMessage):
    """What one pump channel is doing; without rate, form or concentration the dose is unknown."""

    status: Annotated[PumpState, Word]
    drug: Identifier
    """A name of the site's drug library."""
    form: Annotated[DrugForm, Word] | None = None
    """What a mass of the drug is a mass of."""
    rate: Rate | None = None
    concentration: Concentration | None = None
    """Needed where the rate is in mL/h."""
    volume_remaining: Volume | None = None
    diluent: Identifier | None = None
    route: Identifier | None = None
    line: Identifier | None = None
    weight: Weight | None = None
    """The weight that the pump was given."""
    alarms: list[Alarm] = Field(default_factory=list, max_length=ALARMS_MAX)
    """Reference ids of the pump's open alarms (ISO/IEEE 11073-10101)."""


class PatientMessage(Message):
    """Who lies in the bed, as far as the rules need it. Retained; empty means that the bed is free."""

    device: Identifier | None = None
    boot: Identifier | None = None
    seq: Seq | None = None
    time: Instant
    bed: Line | None = None
    """`bed` or `unit/bed`; where it is given it must be the topic's."""
    session: Identifier
    """An opaque stay id, never a name or a record number."""
    weight: Weight | None = None
    profile: Annotated[PatientProfile, Word] = PatientProfile.GENERAL
    age_group: Annotated[AgeGroup, Word] = AgeGroup.ADULT
    pregnant: bool = False
    beta_blocked: bool = False
    myocardial_dysfunction: bool = False
    baseline_systolic: Annotated[float, Field(ge=50, le=300)] | None = None
    """mmHg, of a previously hypertensive patient."""
    map_target: Annotated[float, Field(ge=40, le=120)] | None = None
    """mmHg; the site's default where it is not given."""


class _Observation(DeviceMessage):
    """What the observations share; a `fluid` belongs to a bolus only."""

    fluid: None = None


class SystolicObservation(_Observation):
    """Systolic arterial pressure."""

    kind: Literal["systolic"]
    value: Annotated[float, Field(ge=0, le=400)]
    unit: Pressure


class HeartRateObservation(_Observation):
    """Heart rate."""

    kind: Literal["heart_rate"]
    value: Annotated[float, Field(ge=0, le=500)]
    unit: Literal["/min"]


class LactateObservation(_Observation):
    """Lactate in blood."""

    kind: Literal["lactate"]
    value: Annotated[float, Field(ge=0, le=100)]
    unit: Literal["mmol/L"]


class UrineOutputObservation(_Observation):
    """Urine since the last such observation."""

    kind: Literal["urine_output"]
    value: Annotated[float, Field(ge=0, le=20_000)]
    unit: Literal["mL"]


class FluidBolusObservation(DeviceMessage):
    """A fluid bolus that was given, and of what."""

    kind: Literal["fluid_bolus"]
    value: Annotated[float, Field(gt=0, le=20_000)]
    unit: Literal["mL"]
    fluid: Identifier


class CapillaryRefillObservation(_Observation):
    """Capillary refill time."""

    kind: Literal["capillary_refill"]
    value: Annotated[float, Field(ge=0, le=60)]
    unit: Literal["s"]


class SignObservation(_Observation):
    """A sign that is there or not, or that has a word (`none`, `atrial_fibrillation`); no unit."""

    kind: Literal["extravasation", "arrhythmia"]
    value: bool | Identifier
    unit: None = None


ObservationMessage = Annotated[
    SystolicObservation
    | HeartRateObservation
    | LactateObservation
    | UrineOutputObservation
    | FluidBolusObservation
    | CapillaryRefillObservation
    | SignObservation,
    Field(discriminator="kind"),
]
"""Any other observation; its kind decides what value and unit it may have."""


class AckMessage(Message):
    """Somebody at a station has taken notice of an alert."""

    alert_id: AlertId
    by: Identifier
    """Whoever acknowledged, by the name that the station shows."""
    time: Instant
