"""One channel of an infusion pump: what it shows, and what really reaches the patient.

The two differ when somebody enters a wrong concentration. No clock, no chance: it advances when
told, and reports when asked. Alarm codes are ISO/IEEE 11073-10101 reference ids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulators.messages import Stamp, encode
from streamproc.core.events import DrugForm, PumpState
from streamproc.wire.models import Concentration, PumpMessage, Rate, Volume, Weight

OCCLUSION = "MDC_EVT_FLUID_LINE_OCCL"
AIR_IN_LINE = "MDC_EVT_FLUID_LINE_AIR"

NOTHING = Rate(value=0.0, unit="mL/h")
KEEP_VEIN_OPEN = Rate(value=1.0, unit="mL/h")
STEPS_PER_ML_PER_H = 100
"""The finest that the pump can be set to is 0.01 mL/h."""


@dataclass(frozen=True, slots=True)
class Bag:
    """What hangs on the pole: what is in it is in it, whatever the pump was told."""

    drug: str
    content: Concentration
    form: DrugForm | None = None
    diluent: str = "D5W"


def ml_per_h(dose_ug_per_kg_min: float, weight_kg: float, ug_per_ml: float) -> float:
    """The rate to program for a dose, rounded up to the pump's finest step."""
    steps = dose_ug_per_kg_min * weight_kg * 60 / ug_per_ml * STEPS_PER_ML_PER_H
    return math.ceil(round(steps, 6)) / STEPS_PER_ML_PER_H


def per_ml(content: Concentration) -> float:
    """A concentration in ug or U a mL."""
    return content.value * (1000 if content.unit == "mg/mL" else 1)


@dataclass(slots=True)
class PumpChannel:
    """A channel with its bag; `entered` is what was typed in about it, and what it shows."""

    channel: str
    device: str
    boot: str
    bag: Bag
    volume_ml: float
    entered: Concentration | None = None
    entered_weight_kg: float | None = None
    state: PumpState = PumpState.STANDBY
    programmed: Rate = NOTHING
    route: str = "central"
    line: str = "L1"
    alarms: list[str] = field(default_factory=list)
    in_contact: bool = True
    changed: bool = True
    _seq: int = 0

    def program(self, rate: Rate) -> None:
        """Set a rate and infuse at it."""
        self.programmed = rate
        self._become(PumpState.INFUSING)

    def pause(self) -> None:
        """Hold the infusion; the rate stays programmed."""
        self._become(PumpState.PAUSED)

    def resume(self) -> None:
        """Go on at the programmed rate."""
        self._become(PumpState.INFUSING)

    def stop(self) -> None:
        """End the infusion."""
        self._become(PumpState.STOPPED)

    def keep_vein_open(self) -> None:
        """Run just fast enough for the line not to clot: no therapeutic dose."""
        self._become(PumpState.KVO)

    def alarm(self, code: str) -> None:
        """Something is wrong with the pump or its line: it alarms, and holds."""
        self.alarms.append(code)
        self.pause()

    def clear_alarms(self) -> None:
        """Somebody has mended what the pump alarmed about."""
        self.alarms.clear()
        self.changed = True

    def hang(self, bag: Bag, volume_ml: float, entered: Concentration | None = None) -> None:
        """A new bag, with what the pump is told about it: the truth, unless said otherwise."""
        self.bag, self.volume_ml = bag, volume_ml
        self.enter_concentration(entered or bag.content)

    def enter_concentration(self, entered: Concentration) -> None:
        """Type in what is in the bag, rightly or wrongly."""
        self.entered = entered
        self.changed = True

    def enter_weight(self, weight_kg: float) -> None:
        """Type in what the patient weighs, rightly or wrongly."""
        self.entered_weight_kg = weight_kg
        self.changed = True

    def advance(self) -> None:
        """One second: the bag empties, and an empty bag stops the pump."""
        self.volume_ml = max(0.0, self.volume_ml - self.flow_ml_per_h / 3600)
        if self.volume_ml == 0.0 and self.state is PumpState.INFUSING:
            self.stop()

    @property
    def rate(self) -> Rate:
        """What it actually delivers, as it shows it."""
        if self.state is PumpState.INFUSING:
            return self.programmed
        return KEEP_VEIN_OPEN if self.state is PumpState.KVO else NOTHING

    @property
    def flow_ml_per_h(self) -> float:
        """The actual flow, by the entries from which the pump computes it."""
        if self.rate.unit == "mL/h":
            return self.rate.value
        told_per_ml = per_ml(self.entered or self.bag.content)
        per_hour = {
            "U/min": 60.0,
            "ug/min": 60.0,
            "mg/h": 1000.0,
            "ug/kg/min": 60.0 * (self.entered_weight_kg or 0.0),
        }
        return self.rate.value * per_hour[self.rate.unit] / told_per_ml

    @property
    def delivered_per_min(self) -> float:
        """What really reaches the patient a minute, in ug or U: by the bag's content, not the entry."""
        return self.flow_ml_per_h / 60 * per_ml(self.bag.content)

    def report(self, time_ms: int) -> bytes | None:
        """The status of this moment; it counts even when contact is lost and it goes nowhere."""
        self._seq += 1
        self.changed = False
        if not self.in_contact:
            return None
        return encode(self._shown(Stamp(self.device, self.boot, self._seq, time_ms)))

    def _become(self, state: PumpState) -> None:
        self.state = state
        self.changed = True

    def _shown(self, stamp: Stamp) -> PumpMessage:
        weight_kg = self.entered_weight_kg
        return PumpMessage(
            **stamp.fields(),
            status=self.state,
            drug=self.bag.drug,
            form=self.bag.form,
            rate=self.rate,
            concentration=self.entered,
            volume_remaining=Volume(value=round(self.volume_ml, 1), unit="mL"),
            diluent=self.bag.diluent,
            route=self.route,
            line=self.line,
            weight=None if weight_kg is None else Weight(value=weight_kg, unit="kg"),
            alarms=list(self.alarms),
        )
