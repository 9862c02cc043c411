"""`streamproc demo`: the main job on one machine, as a stranger sees it first."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamproc.shell.demo import Demonstration, _service

from .processor import ROOT, SOON_S, STREAMPROC, Metrics

SECONDS = 60
RULES_AT_LEAST = 5
ALERT_SHOWN = re.compile(r"^\d\d:\d\d:\d\d \S+ +! [a-z]+ +(?P<rule>[A-Z0-9-]+) ")
SUMMARY_ROW = re.compile(r"│ (?P<rule>[A-Z0-9-]+) +│ (?P<priority>[a-z]+) +│ (?P<alerts>\d+) +│")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the terminal showed, line by line, and the figures that were served while it ran."""

    lines: list[str]
    complaints: str
    exit_code: int
    scrape: Metrics


@pytest.fixture(scope="module")
def demo() -> Shown:
    """One demo of a minute, which is an hour of eight beds; the figures are those at its third alert."""
    command = [*STREAMPROC, "demo", "--seconds", str(SECONDS)]
    environment = {**os.environ, "COLUMNS": "200"}
    lines, scrape = list[str](), None
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=complaints
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:  # to the end: what one reader holds back, another would never see
            lines.append(line)
            if scrape is None and sum(map(bool, map(ALERT_SHOWN.match, lines))) == 3:
                (address,) = [line.split()[1] for line in lines if line.startswith("metrics ")]
                with urllib.request.urlopen(address, timeout=SOON_S) as answer:
                    scrape = Metrics.read(answer.read().decode())
        exit_code = process.wait()
        complaints.seek(0)
        complained = complaints.read()
    assert scrape is not None, "it ended before three alerts were shown"
    return Shown(lines, complained, exit_code, scrape)


def test_it_ends_by_itself_and_well(demo: Shown) -> None:
    assert (demo.exit_code, demo.complaints) == (0, "")


def test_its_summary_counts_what_it_showed(demo: Shown) -> None:
    """Alerts of at least five rules, by rule and priority: each was on the terminal as it came."""
    shown = [found["rule"] for line in demo.lines if (found := ALERT_SHOWN.match(line))]
    rows = [found for line in demo.lines if (found := SUMMARY_ROW.search(line))]
    assert len({row["rule"] for row in rows}) >= RULES_AT_LEAST
    assert sorted(shown) == sorted(row["rule"] for row in rows for _ in range(int(row["alerts"])))


def test_nothing_is_late_rejected_or_left_behind(demo: Shown) -> None:
    """Sixty times as fast as life, over a real broker: no message loses its place, no alert its way."""
    summary = "".join(demo.lines[-40:])
    told = re.search(r"^(\d+) messages: (.*), (\d+) rejected$", summary, flags=re.MULTILINE)
    assert told is not None, summary
    received, taken, rejected = told.groups()
    assert int(received) > 10_000
    assert (taken, rejected) == (f"{received} accepted", "0")
    assert re.search(r"alert events on the feed: \d+, undelivered: 0\n", summary), summary


@pytest.mark.parametrize("speed", [1, 60, 600])
def test_a_faster_one_holds_back_as_long_by_the_wall(tmp_path: Path, speed: int) -> None:
    """A broker's topics overtake each other by a blink of the wall's clock, which is seconds of telemetry."""
    service = _service(Demonstration(beds=2, speed=speed, seconds=None, seed=1, port=0), 1883, tmp_path)
    assert service.settings.event_time.hold_back_s / speed == 2
    assert service.settings.event_time.lateness_s / speed == 60


def test_its_figures_are_served_while_it_runs(demo: Shown) -> None:
    """The address is the one that it printed."""
    assert demo.scrape.value("ready") == 1
    assert demo.scrape.received == demo.scrape.accounted > 0
    assert demo.scrape.value("beds") == 8
    assert sum(demo.scrape.by("alerts_total", "rule").values()) >= 3
