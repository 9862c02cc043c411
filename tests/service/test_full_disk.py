"""A disk that is full or fails: nothing is acknowledged any more, and everybody who can be told is told."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import taken_over
from .processor import Processor
from .station import FEED, STATUS, Heard, Station, listening
from .telemetry import QUICK, now_ms

VISIBLE_S = 15.0
"""Promised: within this our failing is seen from outside."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"may not mount a small file system: {mounted.stderr.strip()}; run as root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until not one more byte fits."""
    with path.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def is_failing(one: Heard) -> bool:
    return one.topic == STATUS and not one.retained and one.content["state"] == "failing"


async def fails_visibly(processor: Processor, station: Station, why: str) -> None:
    """In the heartbeat, over HTTP and in the figures; what comes now waits at the broker."""
    beat = await station.hears("that it fails", is_failing, VISIBLE_S)
    assert why in beat.content["problems"][0]
    status, told = await processor.get("/readyz")
    assert status == 503
    assert why in told
    for path in ("beds", "alerts?state=active", "alerts?after=0", "alerts/stream"):
        status, told = await processor.get(f"/api/v1/{path}")
        assert (status, "out of date" in told) == (503, True)
    figures = await processor.metrics()
    assert (figures.value("ready"), figures.value("journal_failed")) == (0, 1)


async def test_a_full_disk_is_told_and_nothing_is_lost_by_it(
    mosquitto: Any, new_processor: StartProcessor, small_disk: Path
) -> None:
    """ENOSPC: it stops taking over, says so, ends with its Will; with room again it goes on from there."""
    processor = new_processor(mosquitto.port, *QUICK, "state.failing_s=2", state=small_disk / "state")
    await (await processor.start()).ready()
    bedside = Bedside("icu-a/bed-1")
    async with listening(mosquitto.port, FEED, STATUS) as station:
        fill(small_disk / "filler")
        await fails_visibly(processor, station, "SQLITE_FULL")
        alarm = bedside.pump(now_ms(), 0.3)
        await station.publish(*alarm)
        assert await processor.ended() == 1
        await station.hears("the Will", lambda one: one.topic == STATUS and one.content["state"] == "lost")
        assert station.alerts() == []
        (small_disk / "filler").unlink()
        await (await processor.start()).ready()
        await station.alert(bedside.bed, "ESC-THRESHOLD")
    await processor.stop()
    assert alarm in (await taken_over(processor)).contents


async def test_a_write_that_fails_is_told(mosquitto: Any, new_processor: StartProcessor) -> None:
    """No file may grow any further: it stays up and says so, and is told to stop like any other."""
    processor = await (await new_processor(mosquitto.port, *QUICK).start()).ready()
    async with listening(mosquitto.port, STATUS) as station:
        resource.prlimit(processor.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        await fails_visibly(processor, station, "SQLITE_")
        assert await processor.stop() == 1
