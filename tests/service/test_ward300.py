"""Three hundred beds for a minute, over mosquitto as it is deployed: nothing lost, no alert late.

A load test (`-m "not load"` leaves it out); the figures are those of `bench/ward300.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import require_program

from .processor import ROOT

BEDS, SECONDS = 300, 60
LATENCY_P99_MS = 250
"""Beyond the hold-back and the rule's own wait; the one promise of speed that is made."""

pytestmark = pytest.mark.load


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """One run of the measurement."""
    require_program("mosquitto", "mosquitto")
    command = [sys.executable, "-m", "bench.ward300", "--json"]
    command += ["--beds", str(BEDS), "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def test_nothing_is_lost(figures: dict[str, Any]) -> None:
    """Published = received = accepted + rejected + duplicate + late; and no reason to reject any."""
    assert figures["published"] == BEDS * (2 * SECONDS + 1)
    assert figures["received"] == figures["published"], figures
    accounted = sum(figures[name] for name in ("accepted", "rejected", "duplicate", "late"))
    assert accounted == figures["received"], figures
    assert figures["rejected"] == 0, figures


def test_every_alert_arrives_in_time(figures: dict[str, Any]) -> None:
    """From the deciding pump message to a station that listens to the feed, at the 99th percentile."""
    assert figures["alerts_heard"] == figures["alerts_due"] == BEDS, figures
    assert figures["latency_p99_ms"] < LATENCY_P99_MS, figures
