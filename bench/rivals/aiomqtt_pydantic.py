"""A rival: aiomqtt, pydantic and two rules, written as one would who knows all three.

Every payload is validated strictly from its bytes, the mean is a running sum, counters are slots. It keeps
nothing on disk and knows no lateness, no duplicates and no silence; the client acknowledges on receipt.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from typing import Annotated, Literal

import aiomqtt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bench.rivals.feed import (
    CLEAR_MCG_PER_KG_MIN,
    FEED,
    MAP_TOPIC,
    MIN_PER_H,
    PUMP_TOPIC,
    RECOVERED_MMHG,
    TARGET_MMHG,
    THRESHOLD_MCG_PER_KG_MIN,
    WINDOW_MS,
    Task,
    alert,
    task,
)
from bench.stage.processes import HOST
from bench.stage.telemetry import bed_name, history_of_map

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Telemetry(BaseModel):
    """What opens every message."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    device: Annotated[str, Field(min_length=1, max_length=64)]
    boot: Annotated[str, Field(max_length=64)]
    seq: Annotated[int, Field(ge=0)]
    time: datetime


class MapSample(Telemetry):
    """One arterial pressure."""

    metric: Literal["MDC_PRESS_BLD_ART_MEAN", "MDC_PRESS_BLD_ART_ABP_MEAN"]
    value: Annotated[float, Field(ge=10, le=250)]
    unit: Literal["mm[Hg]"]
    quality: Literal["good", "questionable", "artefact", "calibrating"] = "good"


class Rate(BaseModel):
    """What the pump runs at."""

    model_config = ConfigDict(extra="forbid", strict=True)
    value: Annotated[float, Field(ge=0, le=2000)]
    unit: Literal["mL/h"]


class Amount(BaseModel):
    """Any other quantity of a pump."""

    model_config = ConfigDict(extra="forbid", strict=True)
    value: Positive
    unit: Literal["ug/mL", "mL", "kg"]


class PumpStatus(Telemetry):
    """One pump channel."""

    status: Literal["infusing", "paused", "stopped", "kvo", "standby"]
    drug: Literal["norepinephrine"]
    form: Literal["base"]
    rate: Rate
    concentration: Amount
    volume_remaining: Amount
    weight: Amount


class Bed:
    """The pressures of the last quarter of an hour and their integral; since when the dose is high."""

    __slots__ = ("area", "dose_told", "high_since_ms", "low_told", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, float]] = deque()
        self.area = 0.0
        self.high_since_ms: int | None = None
        self.low_told = self.dose_told = False

    def hear(self, at_ms: int, mmhg: float) -> float | None:
        """The time-weighted mean once the window is full; each sample holds until the next."""
        samples, from_ms = self.samples, at_ms - WINDOW_MS
        if samples:
            self.area += samples[-1][1] * (at_ms - samples[-1][0])
        samples.append((at_ms, mmhg))
        while len(samples) > 1 and samples[1][0] <= from_ms:
            began_ms, gone = samples.popleft()
            self.area -= gone * (samples[0][0] - began_ms)
        first_ms, first = samples[0]
        if first_ms > from_ms:
            return None
        return (self.area - first * (from_ms - first_ms)) / WINDOW_MS


MAP = TypeAdapter(MapSample).validate_json
PUMP = TypeAdapter(PumpStatus).validate_json


class Program:
    """The beds, and what became of the messages."""

    def __init__(self, given: Task) -> None:
        self._hold_ms = given.hold_ms
        self.beds: dict[str, Bed] = {}
        self.accepted = self.rejected = 0
        for number in range(1, given.ward.beds + 1):
            bed = self.beds[bed_name(number)] = Bed()
            for before_ms, mmhg in history_of_map(given.ward, number):
                bed.hear(given.until_ms + before_ms, mmhg)

    def take(self, topic: str, payload: bytes) -> bytes | None:
        """One message; what is to be told of it."""
        _, _, unit, name, kind, *_ = topic.split("/")
        bed = self.beds.setdefault(f"{unit}/{name}", Bed())
        try:
            told = (
                self._low(bed, f"{unit}/{name}", MAP(payload))
                if kind == "map"
                else self._high(bed, f"{unit}/{name}", PUMP(payload))
            )
        except ValidationError:
            self.rejected += 1
            return None
        self.accepted += 1
        return told

    def _low(self, bed: Bed, name: str, sample: MapSample) -> bytes | None:
        at_ms = round(1000 * sample.time.timestamp())
        mean = bed.hear(at_ms, sample.value)
        if mean is None or bed.low_told == (mean < (RECOVERED_MMHG if bed.low_told else TARGET_MMHG)):
            return None
        bed.low_told = not bed.low_told
        return alert("MAP-LOW", name, "high", at_ms) if bed.low_told else None

    def _high(self, bed: Bed, name: str, pump: PumpStatus) -> bytes | None:
        at_ms = round(1000 * pump.time.timestamp())
        infused = pump.rate.value if pump.status == "infusing" else 0.0
        dose = infused * pump.concentration.value / MIN_PER_H / pump.weight.value
        if dose < (CLEAR_MCG_PER_KG_MIN if bed.dose_told else THRESHOLD_MCG_PER_KG_MIN):
            bed.high_since_ms, bed.dose_told = None, False
            return None
        if bed.high_since_ms is None:
            bed.high_since_ms = at_ms
        if bed.dose_told or at_ms - bed.high_since_ms < self._hold_ms:
            return None
        bed.dose_told = True
        return alert("ESC-THRESHOLD", name, "medium", at_ms)


async def serve(given: Task) -> None:
    """Subscribe, then message after message."""
    program = Program(given)
    async with aiomqtt.Client(HOST, given.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe([(MAP_TOPIC, 1), (PUMP_TOPIC, 1)])
        print("ready", flush=True)
        async for message in client.messages:
            told = program.take(message.topic.value, message.payload)
            if told is not None:
                await client.publish(FEED, told, qos=1)


if __name__ == "__main__":
    asyncio.run(serve(task()))
