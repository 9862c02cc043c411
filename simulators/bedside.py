"""One simulated bed: a patient, a monitor and pumps, played second by second from a script.

Pure and seeded: the same script, place, seed and start give the same bytes. A script is a generator
that acts on the bed and yields the minute until which it leaves the bed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulators.messages import TOPICS, Message, encode
from simulators.monitor import Monitor
from simulators.physiology import Circulation, Patient
from simulators.pump import Bag, PumpChannel, ml_per_h
from streamproc.core.events import DrugForm, Profile
from streamproc.wire.instant import rfc3339
from streamproc.wire.models import Concentration, PatientMessage, Rate, Weight

NOREPINEPHRINE_UG_PER_ML = 16.0
FULL_BAG_ML = 250.0
WEIGHTS_KG = (56, 64, 72, 80, 88, 96)
"""At 16 ug/mL each thousandth of a ug/kg/min is a rate that the pump can show exactly at these weights."""

SAPS_II = (38, 44)
MINUTE_S = 60
RACK_STEP_MS = 100
"""The pumps of a rack are asked one after another: a stop on one is heard before a start on the next."""
PUMP_EVERY_S = 1
"""How often a pump reports without a change; a change it reports at once."""

Script = Iterator[float]


def norepinephrine_bag(ug_per_ml: float = NOREPINEPHRINE_UG_PER_ML) -> Bag:
    """Norepinephrine, charted as base, in dextrose."""
    return Bag("norepinephrine", Concentration(value=ug_per_ml, unit="ug/mL"), DrugForm.BASE)


def vasopressin_bag() -> Bag:
    """Vasopressin in the usual dilution."""
    return Bag("vasopressin", Concentration(value=0.2, unit="U/mL"))


class Bedside:
    """What a script can do to a bed, and what the bed then sends."""

    def __init__(
        self, unit: str, bed: str, seed: str, start_ms: int, pump_every_s: int = PUMP_EVERY_S
    ) -> None:
        self.bed, self.start_ms = f"{unit}/{bed}", start_ms
        self._random = Random(f"{seed}/{self.bed}")
        self._pump_every_s = pump_every_s
        self._session = f"S-{self._random.randrange(10**8):08d}"
        self.patient = Patient(self._random.choice(WEIGHTS_KG), self._random.uniform(*SAPS_II))
        self.circulation = Circulation(self.patient, self._child("circulation"))
        self.monitor = Monitor(f"MON-{unit}-{bed}", self.new_boot(), self._child("cuff"))
        self._monitor_phase_ms = self._random.randrange(1000)
        self._rack_phase_ms = self._random.randrange(1000 - 3 * RACK_STEP_MS)
        self._pumps: list[PumpChannel] = []
        self._second = 0
        self._outbox: list[Message] = []

    def new_boot(self) -> str:
        """A value that this bed's devices have not started with before, as near as chance has it."""
        return f"{self._random.randrange(16**6):06x}"

    def admit(self, weight_known: bool = True, profile: Profile = Profile.GENERAL) -> None:
        """Publish who lies here, retained; anew whenever something about the stay becomes known."""
        stay = PatientMessage(
            time=rfc3339(self._now_ms),
            session=self._session,
            weight=Weight(value=self.patient.weight_kg, unit="kg") if weight_known else None,
            profile=profile,
            map_target=65,
        )
        self._outbox.append(Message(self._now_ms, TOPICS.patient(self.bed), encode(stay), retain=True))

    def add_pump(self, channel: str, bag: Bag, volume_ml: float = FULL_BAG_ML) -> PumpChannel:
        """Another channel on the pole, in standby; each is a device of its own."""
        device = f"PMP-{self.bed}-{channel}".replace("/", "-")
        pump = PumpChannel(channel, device, self.new_boot(), bag, volume_ml, entered=bag.content)
        self._pumps.append(pump)
        return pump

    def give(self, pump: PumpChannel, dose_ug_per_kg_min: float) -> None:
        """Program norepinephrine by dose, by the true weight and the entered concentration."""
        told = (pump.entered or pump.bag.content).value
        rate = ml_per_h(dose_ug_per_kg_min, self.patient.weight_kg, told)
        pump.program(Rate(value=rate, unit="mL/h"))

    def rest_at(self, mmhg: float) -> None:
        """Begin as if these doses had long run and held this pressure."""
        self.circulation.rest_at(mmhg, *self._delivered())

    def head_for(self, mmhg: float, over_min: float) -> None:
        """Let the illness worsen or mend until the present doses hold this pressure."""
        self.circulation.head_for(mmhg, round(over_min * MINUTE_S), *self._delivered())

    def play(self, script: Script, duration_s: int) -> Iterator[Message]:
        """Everything that the bed sends in so many seconds, in order of time."""
        next_act_s = 0.0
        for self._second in range(duration_s):
            while next_act_s <= self._second:
                next_act_s = next(script, float("inf")) * MINUTE_S
            yield from self._one_second()

    @property
    def _now_ms(self) -> int:
        return self.start_ms + 1000 * self._second

    def _child(self, part: str) -> Random:
        return Random(f"{self._random.random()}/{part}")

    def _delivered(self) -> tuple[float, float]:
        """What runs into the patient: norepinephrine in ug/min and vasopressin in U/min."""
        norepinephrine = sum(p.delivered_per_min for p in self._pumps if p.bag.drug == "norepinephrine")
        vasopressin = sum(p.delivered_per_min for p in self._pumps if p.bag.drug == "vasopressin")
        return norepinephrine, vasopressin

    def _one_second(self) -> list[Message]:
        mmhg = self.circulation.step(*self._delivered())
        for pump in self._pumps:
            pump.advance()
        sent = [*self._outbox, *self._measured(mmhg), *self._pump_reports()]
        self._outbox.clear()
        return sorted(sent, key=lambda message: message.time_ms)

    def _measured(self, mmhg: float) -> list[Message]:
        at_ms = self._now_ms + self._monitor_phase_ms
        where = TOPICS.map(self.bed)
        return [Message(at_ms, where, payload) for payload in self.monitor.read(at_ms, mmhg)]

    def _pump_reports(self) -> Iterator[Message]:
        for place, pump in enumerate(self._pumps):
            if not pump.changed and self._second % self._pump_every_s:
                continue
            at_ms = self._now_ms + self._rack_phase_ms + place * RACK_STEP_MS
            status = pump.report(at_ms)
            if status is not None:
                yield Message(at_ms, TOPICS.pump(self.bed, pump.channel), status)


def start_infusion(
    bed: Bedside, dose_ug_per_kg_min: float, mmhg: float, volume_ml: float = FULL_BAG_ML
) -> PumpChannel:
    """The usual beginning: norepinephrine on channel 1 for long enough that it holds `mmhg`."""
    pump = bed.add_pump("1", norepinephrine_bag(), volume_ml)
    bed.give(pump, dose_ug_per_kg_min)
    bed.rest_at(mmhg)
    return pump
