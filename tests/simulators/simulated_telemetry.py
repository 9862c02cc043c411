"""What a scenario sent, read back as a nurse would read it: pressures and doses by minute."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulators.messages import Message
from simulators.scenarios import SCENARIOS

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
SEEDS = ("1/0", "2/0")
KPA_PER_MMHG = 0.133322


def mmhg(sample: dict[str, Any]) -> float:
    """The figure of a sample in either unit."""
    return float(sample["value"]) / (KPA_PER_MMHG if sample["unit"] == "kPa" else 1)


@dataclass
class Telemetry:
    """One bed's messages, taken apart."""

    name: str
    messages: list[Message]
    samples: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    pumps: dict[str, list[tuple[float, dict[str, Any]]]] = field(default_factory=dict)
    contexts: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for message in self.messages:
            minute = (message.time_ms - START_MS) / MINUTE_MS
            kind = message.topic.split("/")[4]
            if kind == "map":
                self.samples.append((minute, json.loads(message.payload)))
            elif kind == "patient":
                self.contexts.append((minute, json.loads(message.payload)))
            else:
                channel = message.topic.split("/")[5]
                self.pumps.setdefault(channel, []).append((minute, json.loads(message.payload)))

    @property
    def weight_kg(self) -> float:
        """As last charted in the patient context."""
        return float(self.contexts[-1][1]["weight"]["value"])

    def pressures(self, start: float = 0, end: float = float("inf")) -> list[float]:
        """Valid MAP in mmHg from minute `start` to before `end`."""
        return [
            mmhg(sample)
            for minute, sample in self.samples
            if start <= minute < end and sample["quality"] == "good" and 10 <= mmhg(sample) <= 250
        ]

    def mean(self, start: float, end: float) -> float:
        """Mean of the valid MAP of these minutes."""
        pressures = self.pressures(start, end)
        return sum(pressures) / len(pressures)

    def doses(self, channel: str = "1") -> Iterator[tuple[float, float]]:
        """(minute, ug/kg/min as charted) of every status of a norepinephrine channel."""
        for minute, status in self.pumps[channel]:
            running = status["status"] == "infusing"
            per_min = status["rate"]["value"] * status["concentration"]["value"] / 60
            yield minute, per_min / self.weight_kg if running else 0.0

    def dose(self, minute: float, channel: str = "1") -> float:
        """The dose that the status before this minute showed."""
        return [dose for at, dose in self.doses(channel) if at < minute][-1]


def played(name: str, seed: str = SEEDS[0]) -> Telemetry:
    """The whole of a scenario."""
    return Telemetry(name, list(SCENARIOS[name].play("icu-a", "bed-1", seed, START_MS)))


def payload_bytes(messages: Iterable[Message]) -> bytes:
    """Everything that goes over the wire, as one string of bytes."""
    return b"\n".join(b"%d %s %s" % (m.time_ms, m.topic.encode(), m.payload) for m in messages)
