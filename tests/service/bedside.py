"""What devices at a bed send, as small as the contract allows; time is always given, never looked up.

Written out as dictionaries, not with the processor's models: a change of the contract must show here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


def instant(time_ms: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, millis = divmod(round(time_ms), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def encoded(fields: dict[str, Any]) -> bytes:
    """Compact JSON."""
    return json.dumps(fields, separators=(",", ":")).encode()


@dataclass(slots=True)
class Bedside:
    """A monitor and a pump at one bed; each message takes the next number of its device."""

    bed: str
    map_seq: int = 0
    pump_seq: int = 0

    @property
    def map_topic(self) -> str:
        return f"bedside/v1/{self.bed}/map"

    @property
    def pump_topic(self) -> str:
        return f"bedside/v1/{self.bed}/pump/1"

    def map(self, time_ms: float, mmhg: float, **changed: Any) -> tuple[str, bytes]:
        """One arterial sample."""
        self.map_seq += 1
        stamp = self._stamp("MON", self.map_seq, time_ms)
        sample = {"metric": "MDC_PRESS_BLD_ART_ABP_MEAN", "value": mmhg, "unit": "mm[Hg]"}
        return self.map_topic, encoded(stamp | sample | changed)

    def pump(self, time_ms: float, ug_per_kg_min: float, **changed: Any) -> tuple[str, bytes]:
        """Norepinephrine runs at a dose that needs neither weight nor concentration to be known."""
        self.pump_seq += 1
        stamp = self._stamp("PMP", self.pump_seq, time_ms)
        runs = {"status": "infusing", "drug": "norepinephrine", "form": "base"}
        rate = {"rate": {"value": ug_per_kg_min, "unit": "ug/kg/min"}}
        return self.pump_topic, encoded(stamp | runs | rate | changed)

    def _stamp(self, device: str, seq: int, time_ms: float) -> dict[str, Any]:
        serial = f"{device}-{self.bed.replace('/', '-')}"
        return {"device": serial, "boot": "b1", "seq": seq, "time": instant(time_ms)}
