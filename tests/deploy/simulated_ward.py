"""A simulated ward as Prometheus would have scraped it: the processor's own metrics over simulated beds.

The compose file's settings, its beds and the real exposition; only the latencies, which need a broker and a
disk, are made up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.samples import Sample

from simulators.recording import recorded_lines
from simulators.ward import showcase
from streamproc.config import load
from streamproc.core.ward import Ward
from streamproc.shell.metrics import Meters, registry
from streamproc.shell.replay import Replay
from streamproc.shell.tally import Tally
from streamproc.wire import read_lines

from .provisioned import options
from .system import ROOT

SCRAPE_EVERY_S = 15
SEED = 1
SCRAPED_AS = {"job": "streamproc", "instance": "processor:9464"}
"""The labels that Prometheus adds to each series of the processor."""


@dataclass(slots=True)
class Processor:
    """What a scrape reads of a service that is well."""

    ward: Ward
    tally: Tally
    meters: Meters = field(default_factory=Meters)
    ready: bool = True
    connected: bool = True
    position: int = 0
    undelivered: int = 0
    last_step_s: float = 0.0
    failure: str | None = None
    refused_configuration: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """All samples of all scrapes, by metric family, and the exposition at the end."""

    kinds: dict[str, str] = field(default_factory=dict)
    scrapes: dict[str, list[tuple[int, Sample]]] = field(default_factory=lambda: defaultdict(list))
    last: bytes = b""
    end_s: int = 0

    def scrape(self, own: CollectorRegistry, at_s: int) -> None:
        """Read every metric once."""
        self.end_s = at_s
        for family in own.collect():
            self.kinds[family.name] = family.type
            self.scrapes[family.name] += [(at_s, sample) for sample in family.samples]
        self.kinds["up"] = "gauge"
        self.scrapes["up"].append((at_s, Sample("up", {}, 1.0)))

    def series(self) -> dict[str, frozenset[str]]:
        """Every name that a query can use, with the labels that it ever had."""
        found: dict[str, frozenset[str]] = {}
        for _, sample in (row for rows in self.scrapes.values() for row in rows):
            found[sample.name] = found.get(sample.name, frozenset(SCRAPED_AS)) | frozenset(sample.labels)
        return found

    def openmetrics(self) -> Iterator[str]:
        """The lines that promtool makes blocks of."""
        for name, rows in self.scrapes.items():
            yield f"# TYPE {name} {self.kinds[name]}"
            for at_s, sample in rows:
                labels = ",".join(
                    f'{key}="{value}"' for key, value in {**sample.labels, **SCRAPED_AS}.items()
                )
                yield f"{sample.name}{{{labels}}} {sample.value} {at_s}"
        yield "# EOF"


def simulated(start_s: int, seconds: int) -> History:
    """Replay the compose file's ward and scrape it every few seconds of event time."""
    settings = load(ROOT / "config", options("processor", "--set"))
    ward = showcase(len(settings.roster), "icu-a", SEED, start_s * 1000, seconds)
    replay = Replay(settings)
    processor = Processor(replay.intake.ward, replay.intake.tally)
    history, own = History(), registry(processor)

    def look(ward: Ward, now_ms: int) -> None:
        """After each step: what the service would measure, and now and then a scrape."""
        for event_ms in ward.lags_ms:
            processor.meters.lag.observe((now_ms - event_ms) / 1000)
        if now_ms >= (processor.last_step_s + SCRAPE_EVERY_S) * 1000:
            processor.last_step_s = now_ms // 1000
            processor.meters.commit.observe(0.004)
            history.scrape(own, now_ms // 1000)

    replay.intake.on_tick = look
    for change in replay.changes(read_lines(recorded_lines(ward.play(), SEED))):
        processor.meters.count_alert(change)
        processor.meters.latency.observe(2.1)
    history.last = generate_latest(own)
    return history
