"""Kills a processor again and again on one broker and one journal, and says which moments were hit.

What a run shows is judged after each kill (nothing acknowledged is missing on disk) and at the end
(the feed is that of an uninterrupted processor). A kill is counted under what was seen, not wanted.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.service.journaled import taken_over
from tests.service.oracle import assert_told_as_uninterrupted
from tests.service.processor import Processor
from tests.service.station import FEED, Station, listening
from tests.service.telemetry import QUICK, Telemetry, flowing

from .moments import Killer, Moment
from .proxy import Proxy, all_pass, proxying
from .remains import Remains

BEDS = 5
PATIENCE_S = 15.0
"""A moment that has not come by then is not waited for any longer."""
START_S = 120.0
"""A machine that has much else to do may take so long to start a process, or to work off its backlog."""
SETTINGS = (*QUICK, "event_time.lateness_s=3600")
"""However long a busy machine takes for a restart, nothing that was sent meanwhile is refused as too late."""
PATIENT = ("clock.tick_s=1",)
"""The first batch, after which the first snapshot is written, is then not an empty one."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One run that was killed, and what was under way then."""

    number: int
    wanted: str
    unacknowledged: int
    committed_unacknowledged: int
    alerts_unanswered: int
    torn_frames: int
    snapshot_torn: bool
    recovering: bool
    lived_s: float

    @property
    def phases(self) -> list[str]:
        """The dangerous phases that it was in."""
        found = {
            "input unacknowledged": self.unacknowledged,
            "between commit and acknowledgement": self.committed_unacknowledged,
            "between publish and its acknowledgement": self.alerts_unanswered,
            "within a commit": self.torn_frames,
            "within a snapshot": self.snapshot_torn,
            "within recovery": self.recovering,
        }
        return [phase for phase, there in found.items() if there]


PHASES = tuple(Kill(0, "", 1, 1, 1, 1, True, True, 0).phases)


@dataclass(slots=True)
class Report:
    """What a campaign showed; it has failed no law, or it would not have come to this."""

    seed: int
    kills: list[Kill] = field(default_factory=list)
    published: int = 0
    events: int = 0
    repeats: int = 0
    seconds: float = 0.0

    @property
    def hits(self) -> Counter[str]:
        """How many kills fell into each phase."""
        return Counter(phase for kill in self.kills for phase in kill.phases)

    def __str__(self) -> str:
        hits = "; ".join(f"{phase} {self.hits[phase]}" for phase in PHASES)
        return (
            f"seed {self.seed}: {len(self.kills)} kills in {self.seconds:.0f} s, {self.published} messages, "
            f"{self.events} alert events and {self.repeats} repeats; {hits}"
        )


def order_of_moments(rng: random.Random, kills: int) -> list[Moment]:
    """Every moment equally often, in an order of the seed's."""
    moments = [list(Moment)[place % len(Moment)] for place in range(kills)]
    rng.shuffle(moments)
    return moments


async def campaign(
    broker_port: int, folder: Path, kills: int, seed: int, log: Callable[[str], None] = print
) -> Report:
    """So many kills; raises AssertionError where anything was lost or told two ways."""
    rng, begun_s = random.Random(seed), time.monotonic()
    report = Report(seed)
    async with proxying(broker_port) as proxy:
        processor = await started(Processor(proxy.port, folder / "state", SETTINGS))
        remains = Remains(processor.state)
        try:
            await processor.ready()
            async with listening(broker_port, FEED) as station:
                async with flowing(broker_port, BEDS) as telemetry:
                    await station.until(lambda: bool(station.heard), "the first alert event")
                    await processor.kill()
                    remains.read_on()
                    for number, moment in enumerate(order_of_moments(rng, kills), 1):
                        killer = Killer(moment, rng, processor)
                        report.kills.append(await kill_once(number, killer, proxy, remains))
                        log(json.dumps(asdict(report.kills[-1]) | {"phases": report.kills[-1].phases}))
                    proxy.look = all_pass
                    await started(processor)
                await judge(report, processor, telemetry, station, broker_port, folder)
        except AssertionError as broken:
            broken.add_note(processor.told)
            raise
        finally:
            if processor.running:
                await processor.kill()
    report.seconds = time.monotonic() - begun_s
    return report


async def started(processor: Processor) -> Processor:
    """Start it, on a machine that may have much else to do."""
    await processor.launch()
    await processor.said("service_started", START_S)
    return processor


async def kill_once(number: int, killer: Killer, proxy: Proxy, remains: Remains) -> Kill:
    """One run from its start to its death; what it acknowledged must be on disk."""
    processor, life, begun_s = killer.processor, killer.life, time.monotonic()
    proxy.look = killer.look
    processor.overrides = (*SETTINGS, *PATIENT) if killer.moment is Moment.SNAPSHOT else SETTINGS
    await processor.launch()
    killer.begin()
    overdue = asyncio.get_running_loop().call_later(START_S + PATIENCE_S, killer.strike)
    if killer.moment is Moment.RECOVERY:
        await processor.said("service_started", START_S)
        killer.recovering()
    code = await processor.ended(START_S + 2 * PATIENCE_S)
    overdue.cancel()
    killer.close()
    assert code == -signal.SIGKILL, f"it ended by itself\n{processor.told}"
    begun_at = remains.position
    remains.read_on()
    missing = set(life.acknowledged) - remains.journaled
    assert not missing, f"kill {number}: acknowledged to the broker and not on disk: {missing}"
    said = {entry["event"] for entry in processor.log}
    return Kill(
        number,
        killer.moment.value,
        len(life.unacknowledged),
        len(remains.fresh.intersection(life.unacknowledged.values())),
        len(life.unanswered),
        remains.torn_frames,
        remains.unfinished_snapshot
        or (bool(remains.torn_frames and life.acknowledged) and remains.snapshot_position <= begun_at),
        "service_started" in said and "state_recovered" not in said,
        round(time.monotonic() - begun_s, 3),
    )


async def judge(
    report: Report, processor: Processor, telemetry: Telemetry, station: Station, port: int, folder: Path
) -> None:
    """After the last kill: everything published is on disk, and was told as if nothing had happened."""
    await telemetry.last_word(port, processor, START_S)
    assert await processor.stop() == 0, processor.told
    taken = await taken_over(processor)
    published, kept = set(telemetry.published), set(taken.contents)
    assert published <= kept, f"published and not on disk: {published - kept}"
    assert kept <= published, f"on disk, and no device knows of it: {kept - published}"
    heard = [one.payload for one in station.heard]
    fed = await assert_told_as_uninterrupted(heard, taken, SETTINGS)
    report.published, report.events = len(telemetry.published), len(fed)
    report.repeats = len(heard) - len(fed)
