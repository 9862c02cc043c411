"""How long a killed processor takes until it is ready again, at the worst moment between two snapshots.

Every bed has lived the same half hour of one bed (MAP and pump once a second); then all of them send on, as
many messages as may come between two snapshots and while one is written. That state is on disk when the real
service starts against a real mosquitto. It passes no judgement.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.stage.broker import mosquitto
from bench.stage.figures import show
from bench.stage.history import nothing_waiting, renamed
from bench.stage.processes import ROOT, compiled, cpu_s, eventually, running
from bench.stage.service import address_in, fetched, is_ready, processor_command
from bench.ward300 import FOR_S, LOW_ML_PER_H, bed_name
from streamproc.config import Settings
from streamproc.config import load as load_settings
from streamproc.shell.intake import Intake
from streamproc.shell.journal import JOURNAL, Recorded, SqliteJournal
from streamproc.shell.snapshot import snapshot_of
from streamproc.wire import rfc3339

HISTORY_S = 1800
SINCE_FULL_S = 300
WHILE_WRITTEN = 0.5
"""A snapshot is written while half as many messages come as between two of them."""
BUILD_S, BUILD_S_PER_BED = 5.0, (0.03, 0.06, 0.12)
"""The history ends so far ahead that it is over just when the service starts; a slow machine tries again."""
PATIENCE_S, SCRAPES = 300.0, 9


@dataclass(frozen=True, slots=True)
class Figures:
    """What one start took, in s of wall clock and of CPU; how much it had to live through, and from what."""

    beds: int
    messages: int
    snapshot_mb: float
    ready_s: float
    recovery_s: float
    ready_cpu_s: float
    scrape_ms: float
    load_1min: float


def messages(beds: int, at_ms: int, seq: int) -> Iterator[Recorded]:
    """What every bed sends in one second."""
    for number in range(1, beds + 1):
        stamp = {"boot": "1", "seq": seq, "time": rfc3339(at_ms)}
        sample = {"metric": "MDC_PRESS_BLD_ART_ABP_MEAN", "value": 72 + seq % 5, "unit": "mm[Hg]"}
        pump = {"status": "infusing", "drug": "norepinephrine", "form": "base"}
        pump |= {"rate": {"value": LOW_ML_PER_H, "unit": "mL/h"}}  # type: ignore[dict-item]
        pump |= {"concentration": {"value": 16, "unit": "ug/mL"}, "weight": {"value": 80, "unit": "kg"}}  # type: ignore[dict-item]
        for topic, device, what in (("map", "MON", sample), ("pump/1", "PMP", pump)):
            payload = json.dumps({"device": f"{device}-{number}", **stamp, **what}).encode()
            yield Recorded(f"bedside/v1/{bed_name(number)}/{topic}", payload, False)


def live(intake: Intake, beds: int, at_ms: int, seq: int) -> list[Recorded]:
    """One second of the ward, taken in."""
    sent = list(messages(beds, at_ms, seq))
    intake.ward.tick(at_ms)
    intake.take(at_ms, sent)
    intake.ward.tick(at_ms)
    return sent


def multiplied(kept: dict[str, object], beds: int) -> Iterator[tuple[str, object]]:
    """The first bed's snapshot, under every bed's name and with its devices."""
    for number in range(1, beds + 1):
        devices = {f"{device}-1": f"{device}-{number}" for device in ("MON", "PMP")}
        yield bed_name(number), renamed(kept, {bed_name(1): bed_name(number)} | devices)


class TooSlow(Exception):
    """The history was over before it was written."""


def built(folder: Path, roster: list[str], rules: str) -> tuple[Path, int, float]:
    """The folder of a state that ends now, the messages since its snapshot, and its MB."""
    for attempt, s_per_bed in enumerate(BUILD_S_PER_BED):
        state = folder / f"state-{attempt}"
        settings = load_settings(None, [f"state.dir={state}", f"roster=[{','.join(roster)}]", rules])
        with contextlib.suppress(TooSlow):
            return state, *asyncio.run(build(settings, len(roster), BUILD_S + s_per_bed * len(roster)))
    raise TooSlow


async def build(settings: Settings, beds: int, within_s: float) -> tuple[int, float]:
    """The state folder of a ward that was killed at the worst moment: messages since the snapshot, its MB."""
    suffix_s = -(-round(settings.state.snapshot_every_messages * (1 + WHILE_WRITTEN)) // (2 * beds))
    end_ms = round(1000 * (time.time() + within_s))
    start_ms = end_ms - 1000 * (HISTORY_S + suffix_s)
    one, ward = Intake.from_settings(settings), Intake.from_settings(settings)
    base_ms: int | None = None
    parts, base_parts = list[bytes](), list[bytes]()
    async with SqliteJournal(Path(settings.state.dir) / JOURNAL) as journal:
        for seq in range(HISTORY_S):
            at_ms = start_ms + 1000 * seq
            live(one, 1, at_ms, seq)
            if seq in (HISTORY_S - SINCE_FULL_S, HISTORY_S - 1):
                kept = one.ward.snapshot()
                kept["beds"] = dict(multiplied(kept["beds"][bed_name(1)], beds))
                kept["remembered"] = dict(multiplied(kept["remembered"][bed_name(1)], beds))
                ward = Intake.from_settings(settings)
                ward.ward.restore(kept)
                position = await journal.append(at_ms, [])
                parts = list(snapshot_of(ward, nothing_waiting(settings), base_ms))
                await journal.save_snapshot(position, parts, None if base_ms is None else 1)
                base_ms, base_parts = at_ms, base_parts or parts
        for seq in range(HISTORY_S, HISTORY_S + suffix_s):
            at_ms = start_ms + 1000 * seq
            await journal.append(at_ms, list(messages(beds, at_ms, seq)))
    if time.time() > end_ms / 1000:
        raise TooSlow
    await asyncio.sleep(end_ms / 1000 - time.time())
    return suffix_s * 2 * beds, sum(len(part) for part in parts + base_parts) / 1e6


def scraped_ms(metrics: str) -> float:
    """How long one scrape takes whoever asks for it."""
    began_s = time.monotonic()
    fetched(metrics)
    return 1000 * (time.monotonic() - began_s)


def measure(beds: int) -> Figures:
    """Build, start, and wait until it is ready."""
    with tempfile.TemporaryDirectory(prefix="recovery-") as name:
        folder = Path(name)
        roster = [bed_name(number) for number in range(1, beds + 1)]
        same_rules = f"rules.ESC-THRESHOLD.for_s={FOR_S}"
        state, replayed, snapshot_mb = built(folder, roster, same_rules)
        state.rename(folder / "state")
        compiled()
        with mosquitto(folder) as (_, port):
            log, began_s = folder / "processor.log", time.monotonic()
            with running(processor_command(folder, port, roster, [same_rules]), ROOT, log) as pid:
                metrics = eventually(lambda: address_in(log), log) + "/metrics"
                eventually(lambda: is_ready(metrics) or None, log, PATIENCE_S)
                ready_s, used_s = time.monotonic() - began_s, cpu_s(pid)
                scrape_ms = median(scraped_ms(metrics) for _ in range(SCRAPES))
            recovered = next(json.loads(line) for line in log.open() if "state_recovered" in line)
    assert recovered["messages"] == replayed, recovered
    return Figures(
        beds, replayed, snapshot_mb, ready_s, recovered["seconds"], used_s, scrape_ms, os.getloadavg()[0]
    )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--beds", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    asked = parser.parse_args()
    show(asdict(measure(asked.beds)), asked.json)


if __name__ == "__main__":
    main()
