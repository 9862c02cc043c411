"""SIGHUP: the configuration is read anew while beds are watched; a crash right after it changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import taken_over
from .oracle import assert_told_as_uninterrupted
from .processor import ROOT, Processor
from .station import FEED, STATUS, listening
from .telemetry import now_ms

RULES = "rules.yaml"
CLEAR_FOR = "clear_for_s"
SILENT = "TECH-BED-SILENT:\n    enabled: true\n    after_s: "
THRESHOLD = "threshold_mcg_per_kg_min: 0.25"


class Site:
    """A configuration folder of its own, and a processor that reads it."""

    def __init__(self, folder: Path, processor: Processor) -> None:
        self.folder, self.processor = folder, processor

    def change(self, file: str, old: str, new: str) -> None:
        """Another figure in one of the files."""
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    async def reload(self, said: str = "configuration_in_force") -> dict[str, Any]:
        """SIGHUP, and what it says to that."""
        self.processor.log[:] = [one for one in self.processor.log if one["event"] == "service_started"]
        os.kill(self.processor.pid, signal.SIGHUP)
        return await self.processor.said(said)


@pytest.fixture
def site(tmp_path: Path, mosquitto: Any, new_processor: StartProcessor) -> Site:
    """Quick rules, so that a dose alarms within a second."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    made = Site(folder, new_processor(mosquitto.port, command=("run", "--config", str(folder))))
    made.change("service.yaml", "hold_back_s: 2.0", "hold_back_s: 0.2")
    made.change(RULES, "for_s: 60                          # E\n    clear_mcg", "for_s: 1\n    clear_mcg")
    made.change("service.yaml", "heartbeat_s: 5.0", "heartbeat_s: 0.5")
    return made


async def test_other_rules_come_into_force_and_open_alerts_stay(mosquitto: Any, site: Site) -> None:
    """A dose below the old threshold and above the new one alarms without another message; what was open
    goes on under its name, and ends by the new numbers."""
    await (await site.processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        high, middling = Bedside("icu-a/bed-1"), Bedside("icu-a/bed-2")
        await station.publish(*high.pump(now_ms(), 0.3))
        await station.publish(*middling.pump(now_ms(), 0.2))
        opened = await station.alert(high.bed, "ESC-THRESHOLD")
        site.change(RULES, THRESHOLD, "threshold_mcg_per_kg_min: 0.15")
        site.change(RULES, "clear_mcg_per_kg_min: 0.22", "clear_mcg_per_kg_min: 0.12")
        in_force = await site.reload()
        by_new_rules = await station.alert(middling.bed, "ESC-THRESHOLD")
        await station.publish(*high.pump(now_ms(), 0.1))
        site.change(
            RULES, "clear_for_s: 60                    # E\n  ESC-SECOND", "clear_for_s: 1\n  ESC-SECOND"
        )
        await site.reload()
        ended = await station.alert(high.bed, "ESC-THRESHOLD", "end")
        assert [event["data"]["event_seq"] for event in station.alerts(high.bed, "ESC-THRESHOLD")] == [1, 2]
    assert ended["data"]["alert_id"] == opened["data"]["alert_id"]
    assert opened["data"]["ruleset"] != by_new_rules["data"]["ruleset"] == in_force["ruleset"]


async def test_a_rule_that_is_turned_off_ends_its_alerts_and_says_so(mosquitto: Any, site: Site) -> None:
    """Nobody would end it otherwise."""
    await (await site.processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
        await station.alert("icu-a/bed-1", "ESC-THRESHOLD")
        site.change(RULES, "ESC-THRESHOLD:\n    enabled: true", "ESC-THRESHOLD:\n    enabled: false")
        await site.reload()
        ended = await station.alert("icu-a/bed-1", "ESC-THRESHOLD", "end")
    assert ended["data"]["reason"] == "rule_off"


async def test_a_bed_that_joins_the_roster_is_expected_from_then_on(mosquitto: Any, site: Site) -> None:
    """And one that leaves it no more."""
    site.change(
        RULES,
        "TECH-BED-SILENT:\n    enabled: true\n    after_s: 60",
        "TECH-BED-SILENT:\n    enabled: true\n    after_s: 1",
    )
    await (await site.processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        site.change("service.yaml", "roster: []", "roster: [icu-a/bed-9]")
        await site.reload()
        await station.alert("icu-a/bed-9", "TECH-BED-SILENT")
        site.change("service.yaml", "roster: [icu-a/bed-9]", "roster: []")
        await site.reload()
        ended = await station.alert("icu-a/bed-9", "TECH-BED-SILENT", "end")
    assert ended["data"]["text"] == "TECH-BED-SILENT ended: no longer expected"


def break_it(site: Site) -> None:
    site.change(RULES, THRESHOLD, "threshold_mcg_per_kg_min: plenty")


def remove_it(site: Site) -> None:
    (site.folder / RULES).unlink()


@pytest.mark.parametrize("spoil", [break_it, remove_it])
async def test_a_wrong_configuration_changes_nothing_and_is_said(
    mosquitto: Any, site: Site, spoil: Callable[[Site], None]
) -> None:
    """In the log with its place, in the figures, and to the stations; until a right one is read."""
    await (await site.processor.start()).ready()
    right = (site.folder / RULES).read_text()
    async with listening(mosquitto.port, FEED, STATUS) as station:
        spoil(site)
        refused = await site.reload("configuration_refused")
        assert RULES in refused["problems"][0]
        figures = await site.processor.metrics()
        assert figures.value("config_refused") == 1
        assert figures.value("config_reloads_total", result="refused") == 1
        await station.hears(
            "the problem in the heartbeat",
            lambda one: one.topic == STATUS and any(RULES in told for told in one.content["problems"]),
        )
        await station.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
        await station.alert("icu-a/bed-1", "ESC-THRESHOLD")
    (site.folder / RULES).write_text(right.replace("after_s: 60 ", "after_s: 61 "))
    await site.reload()
    await site.processor.until(lambda metrics: metrics.value("config_refused") == 0, "right again")


async def test_what_the_command_line_covers_is_said_at_a_reload(site: Site) -> None:
    """Whoever has written another roster into the file would wait in vain."""
    site.processor.overrides = ("roster=[icu-a/bed-1]", "http.host=127.0.0.1")
    await (await site.processor.start()).ready()
    told = await site.reload("set_on_the_command_line_stays")
    assert told["keys"] == ["roster"]


async def test_what_needs_a_restart_is_said_and_left_alone(site: Site) -> None:
    """The broker, the state folder and the limits stay as they were at the start."""
    await (await site.processor.start()).ready()
    site.change("service.yaml", "bed_state_s: 10.0", "bed_state_s: 9.0")
    told = await site.reload("configuration_needs_restart")
    assert told["sections"] == ["alerts"]


@pytest.mark.parametrize("with_snapshot", [True, False])
async def test_a_crash_after_a_change_of_rules_recovers_to_the_rules_then_in_force(
    mosquitto: Any, site: Site, with_snapshot: bool
) -> None:
    """Killed after other rules came into force, and changed again before the restart: every event of the
    feed has one number and one content, and the journal tells them all again."""
    site.change("service.yaml", "snapshot_every_s: 60.0", f"snapshot_every_s: {1 if with_snapshot else 3600}")
    site.change(RULES, "clear_mcg_per_kg_min: 0.22", "clear_mcg_per_kg_min: 0.12")
    await (await site.processor.start()).ready()
    beds = [Bedside(f"icu-a/bed-{number}") for number in range(1, 6)]
    async with listening(mosquitto.port, FEED) as station:
        for bed in beds:
            await station.publish(*bed.pump(now_ms(), 0.2))
        await site.processor.took_over(len(beds))
        for threshold in ("0.15", "0.25", "0.18"):
            await site.processor.kill()
            site.change(RULES, THRESHOLD, f"threshold_mcg_per_kg_min: {threshold}")
            await (await site.processor.start()).ready()
            site.change(RULES, f"threshold_mcg_per_kg_min: {threshold}", THRESHOLD)
            for bed in beds:
                await station.publish(*bed.pump(now_ms(), 0.2))
        for bed in beds:
            await station.alert(bed.bed, "ESC-THRESHOLD")
        await site.processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "all delivered")
        await site.processor.stop()
        fed = [one.payload for one in station.on(FEED)]
    taken = await taken_over(site.processor)
    await assert_told_as_uninterrupted(fed, taken, ("event_time.hold_back_s=0.2",))
