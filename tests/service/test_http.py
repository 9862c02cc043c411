"""What the processor says of itself over HTTP: figures that Prometheus takes, and whether to rely on it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from streamproc.core.reason import Reason
from streamproc.shell.broker import free_port
from tests.conftest import require_program

from .bedside import Bedside
from .conftest import StartProcessor
from .processor import Metrics, Processor
from .station import listening

ROSTERED, STRANGER = "icu-a/bed-1", "icu-b/bed-9"
ROSTER = f"roster=[{ROSTERED}]"

CONTRACT = {
    "messages_received_total": {"kind"},
    "messages_accepted_total": set(),
    "messages_rejected_total": {"reason"},
    "messages_duplicate_total": set(),
    "messages_late_total": set(),
    "map_mmhg": {"unit", "bed", "source"},
    "norepinephrine_dose_mcg_per_kg_min": {"unit", "bed"},
    "alerts_total": {"rule", "priority", "phase"},
    "alerts_active": {"unit", "priority"},
    "event_lag_seconds_bucket": {"le"},
    "alert_latency_seconds_bucket": {"le"},
    "commit_seconds_bucket": {"le"},
    "telemetry_gap_messages_total": set(),
    "bed_seconds_below_target_total": {"unit", "bed"},
    "wean_ready": {"unit", "bed"},
    "build_info": {"version"},
}
"""Every metric that the contract names, with its labels."""


async def two_beds_alarm(processor: Processor, port: int) -> Metrics:
    """A scrape once a bed of the roster and a stranger have pressures, doses and an alert each."""
    async with listening(port) as devices:
        for bed in (ROSTERED, STRANGER):
            bedside, now_ms = Bedside(bed), time.time_ns() / 1e6
            await devices.publish(*bedside.map(now_ms, 50))
            await devices.publish(*bedside.pump(now_ms, 0.3))
        return await processor.until(
            lambda metrics: (
                metrics.value("alerts_total", rule="ESC-THRESHOLD", priority="medium", phase="start") == 2
                and metrics.value("alert_latency_seconds_count") >= 2
            ),
            "both beds alarm",
        )


@pytest.fixture
def processor(mosquitto: Any, new_processor: StartProcessor) -> Processor:
    """Not started yet; rules that wait a second, and one bed on its roster."""
    return new_processor(mosquitto.port, ROSTER, "event_time.hold_back_s=0.2", "rules.ESC-THRESHOLD.for_s=1")


async def test_prometheus_takes_every_figure(mosquitto: Any, processor: Processor) -> None:
    """`promtool check metrics`: the names, the types, the help and the units are as Prometheus wants them."""
    promtool = require_program("promtool", "prometheus")
    await (await processor.start()).ready()
    scrape = await two_beds_alarm(processor, mosquitto.port)
    checked = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=scrape.text, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


async def test_every_metric_of_the_contract_is_served_with_its_labels(
    mosquitto: Any, processor: Processor
) -> None:
    await (await processor.start()).ready()
    scrape = await two_beds_alarm(processor, mosquitto.port)
    served = {name.removeprefix("streamproc_"): dict(labels).keys() for name, labels in scrape.samples}
    assert {name: set(served.get(name, ["not served"])) for name in CONTRACT} == CONTRACT


async def test_every_reason_and_kind_is_served_before_it_first_happens(processor: Processor) -> None:
    """A rate over a series that has just come into being misses its first increase."""
    await processor.start()
    scrape = await processor.metrics()
    labels = {name: set[str]() for name, _ in scrape.samples}
    for name, pairs in scrape.samples:
        labels[name].update(value for _, value in pairs)
    assert labels["streamproc_messages_rejected_total"] == {reason.value for reason in Reason}
    assert labels["streamproc_messages_received_total"] >= {"map", "pump", "patient", "observation", "ack"}


async def test_a_bed_that_is_not_on_the_roster_has_no_series_of_its_own(
    mosquitto: Any, processor: Processor
) -> None:
    """Whoever can publish could otherwise fill Prometheus; strangers share one series and no figure."""
    await (await processor.start()).ready()
    scrape = await two_beds_alarm(processor, mosquitto.port)
    places = {
        (dict(labels).get("unit"), dict(labels)["bed"])
        for _, labels in scrape.samples
        if "bed" in dict(labels)
    }
    units = {dict(labels)["unit"] for _, labels in scrape.samples if "unit" in dict(labels)}
    assert places == {("icu-a", "bed-1"), ("other", "other")}
    assert units == {"icu-a", "other"}
    assert scrape.value("map_mmhg", unit="icu-a", bed="bed-1", source="arterial") == 50
    assert scrape.value("norepinephrine_dose_mcg_per_kg_min", unit="icu-a", bed="bed-1") == 0.3
    assert scrape.value("beds") == 2


async def test_ready_means_connected_and_alive_does_not(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor
) -> None:
    """Without its broker a processor is alive and not ready; with it, both; when it goes, as before."""
    nobody_listens = free_port()
    processor = await new_processor(nobody_listens).start()
    status, body = await processor.get("/readyz")
    assert (status, json.loads(body)["ready"]) == (503, False)
    assert (await processor.get("/healthz"))[0] == 200
    await processor.stop()

    broker = start_mosquitto()
    processor = await new_processor(broker.port).start()
    await processor.ready()
    assert (await processor.get("/readyz"))[0] == 200
    broker.stop()
    await processor.until(lambda metrics: metrics.value("ready") == 0, "not ready without a broker")
    assert (await processor.get("/readyz"))[0] == 503
    assert (await processor.get("/healthz"))[0] == 200
    broker.start()
    await processor.ready()
    assert (await processor.get("/readyz"))[0] == 200


async def test_a_processor_that_says_where_it_listens_is_listening(new_processor: StartProcessor) -> None:
    """Whoever reads the line may connect at once; nobody is refused for being early."""
    processor = await new_processor(free_port()).start()
    assert (await processor.get("/"))[0] == 200


async def test_a_processor_is_alive_before_its_first_round(new_processor: StartProcessor) -> None:
    """A supervisor that looks at once must not take a start for a hang."""
    processor = await new_processor(free_port(), "clock.tick_s=5").start()
    assert (await processor.get("/healthz"))[0] == 200


async def test_a_port_that_is_taken_stops_the_start_and_says_so(
    new_processor: StartProcessor, tmp_path: Any
) -> None:
    first = await new_processor(free_port()).start()
    port = first.address.rpartition(":")[2]
    second = await new_processor(free_port(), f"http.port={port}", state=tmp_path / "other").launch()
    assert await second.ended() == 1
    failed = await second.said("service_failed")
    assert f"http.port {port}" in failed["detail"]
    assert "right would be a free port" in failed["detail"]
