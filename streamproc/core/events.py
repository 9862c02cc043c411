"""The facts that a bed can be told, each frozen and each saying when it happened.

Nothing here is trusted input: `wire` has checked every field before one of these exists.
Times are integer milliseconds since 1970-01-01T00:00:00Z (event time). Beds are named
`unit/bed`. Figures stay as the device charted them; `infusion` converts, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from streamproc.core.frozen import frozen

MILLI = 1000
"""MAP is kept in integer thousandths of a mmHg: sums are exact, and 65 kPa-converted stays 65."""


class MapSource(StrEnum):
    """Where a mean arterial pressure was measured; the two are never mixed."""

    ARTERIAL = "arterial"
    CUFF = "cuff"


class PumpState(StrEnum):
    """What a pump channel says it is doing (contract, `status`)."""

    INFUSING = "infusing"
    PAUSED = "paused"
    STOPPED = "stopped"
    KVO = "kvo"
    STANDBY = "standby"


class DrugForm(StrEnum):
    """What a charted mass of drug is a mass of; declared, never assumed (rule page, C7)."""

    BASE = "base"
    BITARTRATE = "bitartrate"


class Profile(StrEnum):
    """The patient profiles of the contract."""

    GENERAL = "general"
    SEPTIC_SHOCK = "septic_shock"
    HEPATORENAL = "hepatorenal"
    ANAPHYLAXIS = "anaphylaxis"
    PEDIATRIC = "pediatric"


class ObservationKind(StrEnum):
    """Charted or measured observations other than MAP (contract, `kind`)."""

    SYSTOLIC = "systolic"
    HEART_RATE = "heart_rate"
    LACTATE = "lactate"
    URINE_OUTPUT = "urine_output"
    FLUID_BOLUS = "fluid_bolus"
    CAPILLARY_REFILL = "capillary_refill"
    EXTRAVASATION = "extravasation"
    ARRHYTHMIA = "arrhythmia"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure as it was charted, with its UCUM unit."""

    value: float
    unit: str


@frozen
class MapSample:
    """One mean arterial pressure; an artefact is recorded as such and never enters a window."""

    order: ClassVar[str] = "map"
    time_ms: int
    bed: str
    device: str
    boot: str | None
    seq: int | None
    source: MapSource
    milli_mmhg: int
    valid: bool = True


@frozen
class PumpStatus:
    """One pump channel's actual state, rates as delivered (not as programmed)."""

    time_ms: int
    bed: str
    device: str
    boot: str | None
    seq: int | None
    channel: str
    state: PumpState
    drug: str
    form: DrugForm | None = None
    rate: Quantity | None = None
    concentration: Quantity | None = None
    weight_kg: float | None = None
    volume_remaining_ml: float | None = None
    diluent: str | None = None
    route: str | None = None
    line: str | None = None
    alarms: tuple[str, ...] = ()

    @property
    def order(self) -> str:
        """The part of its topic that orders it among its bed's messages of one instant."""
        return "pump/" + self.channel

    def delivers_as(self, other: PumpStatus) -> bool:
        """Whether both mean the same flow, so that nothing need be computed."""
        return (
            self.state is other.state
            and (self.rate is other.rate or self.rate == other.rate)
            and self.drug == other.drug
            and self.form is other.form
            and (self.concentration is other.concentration or self.concentration == other.concentration)
            and self.weight_kg == other.weight_kg
        )

    def set_up_as(self, other: PumpStatus) -> bool:
        """Whether the channel is set up alike, but for what runs through it."""
        return (
            self.state is other.state
            and self.drug == other.drug
            and self.alarms == other.alarms
            and (self.concentration is other.concentration or self.concentration == other.concentration)
            and self.diluent == other.diluent
            and self.route == other.route
            and self.line == other.line
            and self.weight_kg == other.weight_kg
        )


@dataclass(frozen=True, slots=True)
class PatientContext:
    """Who lies in the bed, as far as the rules need it: an opaque stay id, never a name."""

    order: ClassVar[str] = "patient"
    device: ClassVar[str] = ""
    boot: ClassVar[None] = None
    seq: ClassVar[None] = None
    time_ms: int
    bed: str
    session: str
    weight_kg: float | None = None
    profile: Profile = Profile.GENERAL
    age_group: str = "adult"
    pregnant: bool = False
    beta_blocked: bool = False
    myocardial_dysfunction: bool = False
    baseline_systolic_mmhg: float | None = None
    map_target_milli_mmhg: int | None = None


@dataclass(frozen=True, slots=True)
class BedFreed:
    """The bed's retained patient context was emptied: the stay is over."""

    order: ClassVar[str] = "patient"
    device: ClassVar[str] = ""
    boot: ClassVar[None] = None
    seq: ClassVar[None] = None
    time_ms: int
    bed: str


@frozen
class Observation:
    """Any other observation of the contract; `value` is a figure or a word, as its kind has it."""

    order: ClassVar[str] = "observation"
    time_ms: int
    bed: str
    device: str
    boot: str | None
    seq: int | None
    kind: ObservationKind
    value: float | str | bool | None
    unit: str | None = None
    fluid: str | None = None


class Doubt(StrEnum):
    """What the ward itself noticed about a bed's messages."""

    CLOCK = "clock"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Doubted:
    """A message's time is far from its receipt, or its device is at two beds: noticed at receipt.

    `detail` says which device and what is wrong; the message itself may have been refused."""

    order: ClassVar[str] = "doubt"
    boot: ClassVar[None] = None
    seq: ClassVar[None] = None
    time_ms: int
    bed: str
    device: str
    doubt: Doubt
    detail: str


@dataclass(frozen=True, slots=True)
class Unwatched:
    """From `from_ms` until `until_ms` nobody watched this bed; `why` says what kept us."""

    order: ClassVar[str] = "unwatched"
    device: ClassVar[str] = ""
    boot: ClassVar[None] = None
    seq: ClassVar[None] = None
    time_ms: int
    bed: str
    from_ms: int
    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody at a station has taken notice of an alert."""

    order: ClassVar[str] = "ack"
    device: ClassVar[str] = ""
    seq: ClassVar[None] = None
    time_ms: int
    station: str
    alert_id: str
    by: str
    told_ms: int = 0
    """What happened after this cannot have been told yet to whoever says so; the ward knows it."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The processor's clock has reached `time_ms`: the only thing that moves event time on."""

    time_ms: int


Telemetry = MapSample | PumpStatus | Observation
BedEvent = Telemetry | PatientContext | BedFreed
HeldEvent = BedEvent | Doubted | Unwatched | Acknowledged
Event = BedEvent | Acknowledged | Tick
