"""kill -9 at every dangerous moment: nothing acknowledged is lost, and nothing is told two ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .campaign import PHASES, campaign

KILLS, SEED = 50, 20_261_123
"""Each of the eight moments six times."""


async def test_fifty_kills_lose_nothing(mosquitto: Any, tmp_path: Path) -> None:
    """One broker, one journal: whatever was under way, the ward hears what it would have heard anyway."""
    report = await campaign(mosquitto.port, tmp_path, KILLS, SEED)
    print(report)
    missed = [phase for phase in PHASES if not report.hits[phase]]
    assert not missed, f"never hit: {missed}\n{report}"
