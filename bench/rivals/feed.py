"""What every rival is told at its start, and how it tells an alert: as far as the contest compares them."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.stage.telemetry import Ward

MAP_TOPIC, PUMP_TOPIC, FEED = "bedside/v1/+/+/map", "bedside/v1/+/+/pump/+", "alerts/v1/feed"
TARGET_MMHG, WINDOW_MS, RECOVERED_MMHG = 65, 900_000, 67
THRESHOLD_MCG_PER_KG_MIN, CLEAR_MCG_PER_KG_MIN = 0.25, 0.22
MIN_PER_H = 60


@dataclass(frozen=True, slots=True)
class Task:
    """Which broker, which ward, up to when its past goes, and how long the dose must hold."""

    port: int
    ward: Ward
    until_ms: int
    hold_ms: int


def task() -> Task:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--port", "--beds", "--until-ms", "--hold-ms"):
        parser.add_argument(name, type=int, required=True)
    asked = parser.parse_args()
    return Task(asked.port, Ward(asked.beds, 0), asked.until_ms, asked.hold_ms)


def alert(rule: str, bed: str, priority: str, at_ms: int) -> bytes:
    """The start of an alert, with as much of the contract's event as a station needs."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"rule": rule, "priority": priority, "phase": "start"}
    return json.dumps({"subject": bed, "time": at, "data": told}).encode()
