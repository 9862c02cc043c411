"""Two minutes of one bed, short enough to be interrupted at every step: alerts begin and end."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from streamproc.config import Settings, load
from streamproc.core.alert import alert_id

from .devices import EPOCH_S, Device, Sent, Ways, map_sample, pump_status
from .faults import Fault
from .simulation import Simulation
from .station import acknowledgement

BED = "icu-a/bed-1"
SAMPLE_S = 10
BEGIN_S, END_S = 12, 120
"""The devices begin late enough for a second start to have subscribed."""
HIGH_S = (30, 75)
"""From when until when the dose is high and the pressure low."""
HIGH_DOSE_S, ACKNOWLEDGED_S = 32.25, 65.0
"""The first high dose, and when somebody acknowledges the alert that it has raised."""

QUICK = (
    "event_time.hold_back_s=15",
    "event_time.lateness_s=60",
    "clock.tick_s=5",
    "state.snapshot_every_s=30",
    "alerts.heartbeat_s=15",
    "alerts.bed_state_s=60",
    "mqtt.reconnect_max_s=2",
    f"roster=[{BED}]",
    f"terms.map_interval_arterial_s={SAMPLE_S}",
    f"terms.pump_interval_s={SAMPLE_S}",
    "terms.map_lost_s=40",
    "terms.pump_lost_s=40",
    "rules.ESC-THRESHOLD.for_s=10",
    "rules.ESC-THRESHOLD.clear_for_s=10",
    "rules.MAP-CRIT.for_s=10",
    "rules.TECH-GAP.unwatched_s=14",
    "rules.MAP-CRIT.recovered_for_s=10",
)


@cache
def quick_settings() -> Settings:
    """The site's own configuration, with waits of seconds."""
    return load(None, QUICK)


def sent() -> list[Sent]:
    """What monitor and pump send."""
    monitor, pump = Device("MON-1"), Device("PMP-1")
    history = []
    for at_s in range(BEGIN_S, END_S, SAMPLE_S):
        high = HIGH_S[0] <= at_s < HIGH_S[1]
        history.append(map_sample(monitor, BED, at_s, 50 if high else 75))
        history.append(pump_status(pump, BED, at_s + 0.25, 0.3 if high else 0.1))
    onset_ms = round((EPOCH_S + HIGH_DOSE_S) * 1000)
    history.append(acknowledgement(alert_id(f"{BED}|ESC-THRESHOLD", onset_ms), ACKNOWLEDGED_S))
    return history


def short_run(folder: Path, *at_starts: Fault) -> Simulation:
    """The history, with what is to befall the first process from its start, the second, and so on."""
    ways = Ways(1, END_S / 3600, SAMPLE_S, honest=True)
    simulation = Simulation(
        "a short history", ways, [], quick_settings(), folder, sent=sent(), at_starts=at_starts
    )
    simulation.run()
    return simulation
