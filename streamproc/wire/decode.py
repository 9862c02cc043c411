"""The door: from a topic and bytes to a fact of a bed, or to `Rejected` with its reason.

Keeps nothing of a message, and never raises for anything that the outside can cause. What is plainly
right is read in one go (`plain`); in any doubt a message goes the strict way, which alone refuses.

The order of checks is fixed; the first that fails is told:
1. topic (`bad_topic`), then `retained` (only patient context may be)
2. an empty payload on a patient topic is no JSON: the bed is free
3. nesting within the permitted size (`too_deep`), size (`too_large`)
4. encoding (`not_utf8`), syntax to its end (`not_json`), `duplicate_key`, `not_an_object`
5. fields, in the order of `diagnosis.ORDER`, with the model's ranges last; where an impossible MAP
   is the only fault, the refusal carries it as an artefact
6. `bed_mismatch`, then a time that does not exist (`bad_time`)
7. the site's own limits: `unknown_drug`, `out_of_range`, and `unknown_value` for a profile that is off
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any

from msgspec import UNSET
from pydantic import TypeAdapter, ValidationError

from streamproc.core.events import (
    MILLI,
    Acknowledged,
    BedEvent,
    BedFreed,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    Profile,
    PumpStatus,
    Quantity,
)
from streamproc.core.reason import Reason
from streamproc.wire.alike import ROOM_BYTES, Alike, alike
from streamproc.wire.diagnosis import refusal
from streamproc.wire.instant import instant_ms
from streamproc.wire.mmhg import milli_mmhg, mmhg
from streamproc.wire.plain import reader
from streamproc.wire.rejected import Refused, Rejected, shown
from streamproc.wire.strict_json import MAX_BYTES, load
from streamproc.wire.telemetry import (
    AckMessage,
    Concentration,
    MapMessage,
    Metric,
    ObservationMessage,
    PatientMessage,
    PumpMessage,
    Quality,
    Rate,
    Weight,
)
from streamproc.wire.topics import Address, Topics

SOURCES = {
    Metric.ARTERIAL: MapSource.ARTERIAL,
    Metric.ARTERIAL_ABP: MapSource.ARTERIAL,
    Metric.NONINVASIVE: MapSource.CUFF,
    Metric.CUFF: MapSource.CUFF,
}
MODELS: dict[str, TypeAdapter[Any]] = {
    "map": TypeAdapter(MapMessage),
    "pump": TypeAdapter(PumpMessage),
    "patient": TypeAdapter(PatientMessage),
    "observation": TypeAdapter(ObservationMessage),
    "ack": TypeAdapter(AckMessage),
}
UNSAID_QUALITY = MapMessage.model_fields["quality"].default
_PLAIN = {"map": reader(MapMessage), "pump": reader(PumpMessage)}
"""What comes often; the others have time."""
_VALIDATE = {kind: model.validator.validate_python for kind, model in MODELS.items()}

SYSTOLIC_MAX_MMHG = 400
ARTEFACT_BOUND_MMHG = 10_000
"""An artefact's figure enters nothing; it is kept small enough for any store."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads messages for one site: its topics, its drug library, its limits of plausibility."""

    topics: Topics
    drugs: Mapping[str, str]
    """Every accepted spelling of a drug, to the library's name for it."""
    max_bytes: int = MAX_BYTES
    weight_kg_max: float = 700
    weight_kg_min: float = 0.2
    map_low_mmhg: float = 10
    map_high_mmhg: float = 250
    profiles: frozenset[Profile] = frozenset(Profile)
    """The patient profiles that the site has turned on."""

    def decode(
        self, topic: str, payload: bytes, received_ms: int, retained: bool = False
    ) -> BedEvent | Acknowledged | Rejected:
        """What the message says; `received_ms` dates a bed's being freed, which has no time of its own."""
        address = self.topics.read(topic)
        if address is None:
            return Rejected(Reason.BAD_TOPIC, _bad_topic(topic, self.topics), None, None)
        if not retained and (fact := self._read_plain(address, payload)) is not None:
            return fact
        try:
            return self._read(address, payload, received_ms, retained)
        except Refused as refused:
            bed = address.bed or None
            return Rejected(refused.reason, refused.detail, address.kind, bed, refused.artefact)

    def alike(self, topic: str, payload: bytes) -> Alike | None:
        """What is like a message that was read, but for number, time and figure; None of the rest."""
        address = self.topics.read(topic)
        if address is None or address.kind not in _PLAIN or len(payload) + ROOM_BYTES > self.max_bytes:
            return None
        return alike(address.kind, payload, self.map_low_mmhg, self.map_high_mmhg)

    def _read_plain(self, address: Address, payload: bytes) -> BedEvent | None:
        """The fact, where it is plain; a refusal is left to the strict way, which words it."""
        read = _PLAIN.get(address.kind)
        if read is None or len(payload) > self.max_bytes or (message := read(payload)) is None:
            return None
        try:
            return _SAYS[address.kind](self, address, message)
        except Refused:
            return None

    def _read(
        self, address: Address, payload: bytes, received_ms: int, retained: bool
    ) -> BedEvent | Acknowledged:
        kind = address.kind
        if retained and kind != "patient":
            raise Refused(Reason.RETAINED, f"{kind}: a retained message is old; right would be a live one")
        if kind == "patient" and not payload:
            return BedFreed(received_ms, address.bed)
        fields = load(payload, self.max_bytes)
        if not isinstance(fields, dict):
            detail = f"payload: {shown(fields)} is not an object; right would be one object of fields"
            raise Refused(Reason.NOT_AN_OBJECT, detail)
        return _READ[kind](self, address, fields)

    def _map(self, address: Address, fields: dict[str, Any]) -> MapSample:
        charted = fields.get("value")
        finite = not isinstance(charted, float) or isfinite(charted)
        message = _checked("map", fields if finite else {**fields, "value": 0.0})
        return self._sample(address, message, charted, finite)

    def _sample(
        self, address: Address, message: Any, charted: object = None, finite: bool = True
    ) -> MapSample:
        """What a MapMessage says, or the struct of one: there `UNSET` is what was left out."""
        _check_bed(message.bed, address)
        pressure = mmhg(message.value, message.unit)
        plausible = finite and self.map_low_mmhg <= pressure <= self.map_high_mmhg
        sample = MapSample(
            instant_ms(message.time),
            address.bed,
            message.device,
            message.boot or None,
            None if message.seq is UNSET else message.seq,
            SOURCES[message.metric],
            milli_mmhg(pressure if plausible else _bounded(pressure)),
            plausible and (message.quality or UNSAID_QUALITY) is Quality.GOOD,
        )
        if not plausible:
            raise self._artefact(sample, f"{shown(charted)} {message.unit}", finite)
        return sample

    def _artefact(self, sample: MapSample, charted: str, finite: bool) -> Refused:
        wrong = "is no pressure that a patient has" if finite else "is not a finite number"
        detail = (
            f"value: {charted} {wrong}; right would be "
            f"{self.map_low_mmhg:g} to {self.map_high_mmhg:g} mm[Hg], or the same in kPa"
        )
        return Refused(Reason.OUT_OF_RANGE if finite else Reason.NOT_FINITE, detail, sample)

    def _pump(self, address: Address, fields: dict[str, Any]) -> PumpStatus:
        return self._status(address, _checked("pump", fields))

    def _status(self, address: Address, message: Any) -> PumpStatus:
        """What a PumpMessage says, or the struct of one: there `UNSET` is what was left out."""
        _check_bed(message.bed, address)
        volume = message.volume_remaining or None
        return PumpStatus(
            instant_ms(message.time),
            address.bed,
            message.device,
            message.boot or None,
            None if message.seq is UNSET else message.seq,
            address.name,
            message.status,
            self._drug(message.drug),
            message.form or None,
            _quantity(message.rate or None),
            _quantity(message.concentration or None),
            self._weight_kg(message.weight or None),
            None if volume is None else volume.value,
            message.diluent or None,
            message.route or None,
            message.line or None,
            tuple(message.alarms or ()),
        )

    def _patient(self, address: Address, fields: dict[str, Any]) -> PatientContext:
        message: PatientMessage = _checked("patient", fields)
        _check_bed(message.bed, address)
        target = message.map_target
        return PatientContext(
            instant_ms(message.time),
            address.bed,
            message.session,
            self._weight_kg(message.weight),
            self._profile(message.profile),
            message.age_group.value,
            message.pregnant,
            message.beta_blocked,
            message.myocardial_dysfunction,
            message.baseline_systolic,
            None if target is None else milli_mmhg(target),
        )

    def _observation(self, address: Address, fields: dict[str, Any]) -> Observation:
        message: ObservationMessage = _checked("observation", fields)
        _check_bed(message.bed, address)
        time_ms = instant_ms(message.time)
        value, unit = message.value, message.unit
        if message.kind == "systolic":
            pressure = mmhg(message.value, message.unit)
            if pressure > SYSTOLIC_MAX_MMHG:
                detail = f"value: {message.value!r} kPa is out of range; right would be at most 400 mm[Hg]"
                raise Refused(Reason.OUT_OF_RANGE, detail)
            value, unit = milli_mmhg(pressure) / MILLI, "mm[Hg]"
        return Observation(
            time_ms,
            address.bed,
            message.device,
            message.boot,
            message.seq,
            ObservationKind(message.kind),
            value,
            unit,
            message.fluid,
        )

    def _ack(self, address: Address, fields: dict[str, Any]) -> Acknowledged:
        message: AckMessage = _checked("ack", fields)
        return Acknowledged(instant_ms(message.time), address.name, message.alert_id, message.by)

    def _drug(self, spelling: str) -> str:
        name = self.drugs.get(spelling)
        if name is None:
            known = ", ".join(sorted(set(self.drugs.values()))) or "nothing, for the library is empty"
            detail = f"drug: {shown(spelling)} is not in the drug library; right would be {known}"
            raise Refused(Reason.UNKNOWN_DRUG, detail)
        return name

    def _profile(self, profile: Profile) -> Profile:
        if profile not in self.profiles:
            on = ", ".join(sorted(self.profiles))
            detail = f"profile: {shown(profile.value)} is not turned on at this site; right would be {on}"
            raise Refused(Reason.UNKNOWN_VALUE, detail)
        return profile

    def _weight_kg(self, weight: Weight | None) -> float | None:
        if weight is None:
            return None
        if not self.weight_kg_min <= weight.value <= self.weight_kg_max:
            detail = (
                f"weight.value: {weight.value!r} kg is out of range; right would be "
                f"{self.weight_kg_min:g} to {self.weight_kg_max:g}"
            )
            raise Refused(Reason.OUT_OF_RANGE, detail)
        return weight.value


def _checked(kind: str, fields: dict[str, Any]) -> Any:
    """The message as its model has it."""
    try:
        return _VALIDATE[kind](fields)
    except ValidationError as error:
        raise refusal(error, fields) from None


def _check_bed(said: Any, address: Address) -> None:
    """A message may name its bed, shortly or in full; it must be the topic's."""
    if said is None or said is UNSET or said == address.bed or said == address.bed.rpartition("/")[2]:
        return
    detail = f"bed: {shown(said)} is not the topic's; right would be {address.bed} or to leave it out"
    raise Refused(Reason.BED_MISMATCH, detail)


def _bounded(pressure: float | Fraction) -> float | Fraction:
    return max(-ARTEFACT_BOUND_MMHG, min(pressure, ARTEFACT_BOUND_MMHG))


def _quantity(charted: Rate | Concentration | None) -> Quantity | None:
    if charted is None:
        return None
    # Zero has two signs, which are equal; what is charted stays as it was charted.
    return (_one_quantity if charted.value else Quantity)(charted.value, charted.unit)


@lru_cache(maxsize=4096)
def _one_quantity(value: float, unit: str) -> Quantity:
    """A quantity that is charted each second, made once."""
    return Quantity(value, unit)


def _bad_topic(topic: str, topics: Topics) -> str:
    return (
        f"topic: {shown(topic)} is not one of the contract's; right would be {topics.telemetry_root}/"
        "{unit}/{bed}/ and map, pump/{channel}, patient or observation, or "
        f"{topics.alerts_root}/ack/{{station}}, each name of 1 to 32 letters, digits, _ or -"
    )


_READ: dict[str, Callable[[Decoder, Address, dict[str, Any]], BedEvent | Acknowledged]] = {
    "map": Decoder._map,
    "pump": Decoder._pump,
    "patient": Decoder._patient,
    "observation": Decoder._observation,
    "ack": Decoder._ack,
}
_SAYS: dict[str, Callable[[Decoder, Address, Any], BedEvent]] = {
    "map": Decoder._sample,
    "pump": Decoder._status,
}
