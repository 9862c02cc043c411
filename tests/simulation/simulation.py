"""One seed, lived through: a ward, a broker, a disk, and the service started anew after each of its ends."""

from __future__ import annotations

import contextlib
import gc
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import mqtt5
import structlog

from streamproc.config import ConfigError, Problem, Settings, load
from streamproc.rules import RULES

from . import disk as disks
from .broker import Broker
from .devices import Publishers, Sent, Ways, bed_names, messages
from .disk import Disk, Fate
from .faults import Fault
from .process import Process, Wall
from .station import Station
from .world import World

FEED, STATUS = "alerts/v1/feed", "alerts/v1/status"
HOLD_BACK_S = 120.0
SAMPLE_S = 120.0
HONESTLY_LATE, BADLY_LATE = 1 / 6, 2
"""The longest way of a message to the broker, in hold-backs."""
SETTLE_S = 5.0
"""How often we look whether everything has come to rest."""
PATIENCE_S = 4 * 3600.0
"""By then it must have."""
RESTART_S, CLOCK_RESTART_S = 20.0, 200.0
"""A supervisor starts a failed service anew after so long at the most."""

SPARSE = (
    f"event_time.hold_back_s={HOLD_BACK_S}",
    "event_time.lateness_s=900",
    "clock.tick_s=5",
    "state.snapshot_every_s=600",
    "state.journal_retention_h=1000",
    "alerts.heartbeat_s=15",
    "alerts.bed_state_s=900",
    "mqtt.receive_maximum=20",
    "mqtt.reconnect_max_s=5",
    "terms.clock_behind_s=600",
    f"terms.map_interval_arterial_s={SAMPLE_S:.0f}",
    f"terms.pump_interval_s={SAMPLE_S:.0f}",
    "terms.pump_interval_max_s=400",
    "terms.map_hold_arterial_s=300",
    "terms.map_lost_s=370",
    "terms.pump_lost_s=370",
    "terms.artefact_window_s=1200",
    "rules.TECH-BED-SILENT.after_s=500",
    "rules.TECH-GAP.unwatched_s=100",
    "rules.TECH-MAP-LOST.medium_s=600",
    "rules.DOSE-DAILY.span_s=7200",
    "rules.DOSE-DAILY.limit_mg=3",
    "rules.DOSE-DAILY.clear_mg=2.5",
)
"""A sample every two minutes in place of one a second; what waits for samples waits as much longer."""


REFUSALS = ("JournalCorrupt", "JournalFailed", "JournalTooNew", "SnapshotForeign")
"""How a service ends that can't trust its journal."""
SHARES = 3
"""Most seeds have a third of the rules, so that there can be more seeds."""


@cache
def sparse_settings(
    beds: int, share: int | None = None, on_roster: int | None = None, changed: tuple[str, ...] = ()
) -> Settings:
    """The site's own configuration, with sparse telemetry; a share has a third of the rules, and is quick."""
    roster = bed_names(beds if on_roster is None else on_roster)
    off = [rule.id for place, rule in enumerate(RULES) if share is not None and place % SHARES != share]
    rules = [f"rules.{rule}.enabled=false" for rule in off]
    return load(None, (*SPARSE, *rules, *changed, f"roster=[{','.join(roster)}]"))


OTHER = (
    "rules.ESC-THRESHOLD.threshold_mcg_per_kg_min=0.23",
    "rules.MAP-CRIT.for_s=30",
    "terms.map_lost_s=400",
)
"""What a site may change while the service runs; a bed leaves the roster with it."""


@cache
def other_settings(beds: int, share: int | None = None) -> Settings:
    """The configuration that a reload may bring."""
    return sparse_settings(beds, share, beds - 1, OTHER)


@dataclass(slots=True)
class Simulation:
    """A run; everything that happens in it follows from the seed, the ways of the ward and the faults."""

    seed: str
    ways: Ways
    faults: list[Fault]
    settings: Settings
    folder: Path
    keep_trace: bool = False
    queue_max: int = 100_000
    other: Settings | None = None
    """What the configuration files say after a reload with another configuration; then again the first."""
    sent: list[Sent] = field(default_factory=list)
    """What the devices send; without it the seed says."""
    at_starts: tuple[Fault, ...] = ()
    """What is to befall the first process from its very start, the second, and so on."""
    steps: list[list[str]] = field(default_factory=list)
    """Each step of input and output by its kind, for each process."""
    world: World = field(init=False)
    disk: Disk = field(init=False)
    broker: Broker = field(init=False)
    wall: Wall = field(init=False)
    publishers: Publishers = field(init=False)
    station: Station | None = None
    configured: Settings = field(init=False)
    """What the configuration files say now."""
    reloads: Counter[str] = field(default_factory=Counter)
    """How often the service took a configuration over, and refused one."""
    process: Process | None = None
    feed: list[bytes] = field(default_factory=list)
    heard_s: dict[bytes, float] = field(default_factory=dict)
    statuses: list[tuple[float, bytes]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    life_tallies: list[tuple[int, int]] = field(default_factory=list)
    over: bool = False
    _chance: random.Random = field(init=False)
    flipped: str = ""
    """Which bit of the disk has turned."""
    refused: bool = False
    """Whether the service would not go on with what it found then."""
    _fate: Fate | None = None
    _flips: random.Random | None = None
    _down_s: float = 0.0
    _refused: Any = None

    def __post_init__(self) -> None:
        self.world = World(self.seed, keep_trace=self.keep_trace)
        self._chance = self.world.chance("simulation")
        self.disk = Disk(self.folder)
        self.broker = Broker(self.world, self.queue_max, refuses=self._refuses, on_accepted=self._heard)
        self.wall = Wall(self.world)
        state = self.settings.state.model_copy(update={"dir": str(self.folder)})
        self.settings = self.configured = self.settings.model_copy(update={"state": state})
        self.other = self.other and self.other.model_copy(update={"state": state})
        late_s = self.settings.event_time.hold_back_s * (HONESTLY_LATE if self.ways.honest else BADLY_LATE)
        self.publishers = Publishers(
            self.world, self.broker, self.world.chance("ways"), late_s, lossy=not self.ways.honest
        )
        if not self.sent:
            self.sent = messages(self.world.chance("ward"), self.ways)
            self._staff()

    def _staff(self) -> None:
        """Somebody sits at a central station."""
        chance, until_s = self.world.chance("station"), self.ways.hours * 3600
        self.station = Station(
            self.world, self.publishers, chance, self.ways.honest, self.sent.append, until_s
        )

    def run(self) -> None:
        """Live through it to the end."""
        world = self.world
        self.publishers.publish(list(self.sent))
        for fault in self.faults:
            world.at(fault.at_s, lambda fault=fault: self._befall(fault))
        world.at(self.ways.hours * 3600, self._all_is_well)
        with quiet():
            while not self.over:
                self._one_life()

    def _one_life(self) -> None:
        self.process = process = Process(
            self.world,
            self.disk,
            self.broker,
            self.wall,
            self.configured,
            self.world.chance(f"process {self.ends.total()}"),
        )
        if self.ends.total() < len(self.at_starts):
            self._befall(self.at_starts[self.ends.total()])
        ended = process.live()
        self.ends[ended] += 1
        self.steps.append(process.steps)
        tally = process.service.tally
        self.life_tallies.append((tally.received.total(), tally.accounted))
        self.reloads += process.service.meters.reloads
        process.bury()
        self.process = None
        if ended == "stopped" and self.world.now_s > self.ways.hours * 3600:
            self.over = True
        if ended == "crashed" and self._flips is not None:
            self.flipped = self.disk.flip(self._flips)
        elif ended == "crashed" and self._fate is not None:
            self.disk.power_cut(self._fate, self._chance)
        else:
            self.disk.process_died()
        again_s = CLOCK_RESTART_S if ended == "ClockWrong" else RESTART_S
        self.world.run_until(self.world.now_s + (self._down_s or self._chance.uniform(0.1, again_s)))
        self._fate, self._flips, self._down_s = None, None, 0.0
        self.refused = bool(self.flipped) and ended in REFUSALS
        self.over = self.over or self.refused

    # --- what goes wrong -----------------------------------------------------------------------------

    def _befall(self, fault: Fault) -> None:
        getattr(self, f"_{fault.kind}")(fault)

    def _crash(self, fault: Fault) -> None:
        """At one of the next steps of input or output; what was not synced may be gone."""
        if self.process is None:
            return
        fates = {
            "kept": None,
            "dropped": disks.dropped,
            "torn": disks.torn(self.world.chance(f"{fault}")),
        }
        self._fate, self._down_s = fates[fault.how], fault.for_s
        self.process.crash_in = fault.steps

    def _flip(self, fault: Fault) -> None:
        """Die, and find another disk on the restart: one bit of it has turned."""
        assert self.process is not None
        self._flips, self._down_s = self.world.chance(f"{fault}"), fault.for_s
        self.process.crash_in = fault.steps

    def _stop(self, fault: Fault) -> None:
        if self.process is not None:
            self._down_s = fault.for_s
            self.process.loop.call_soon(self.process.service.stop)

    def _cut(self, fault: Fault) -> None:
        for link in list(self.broker.links):
            link.cable.cut()

    def _half_open(self, fault: Fault) -> None:
        for link in list(self.broker.links):
            link.cable.half_open = True

    def _freeze(self, fault: Fault) -> None:
        if self.process is not None:
            self.process.loop.frozen_until_s = self.world.now_s + fault.for_s

    def _slow_disk(self, fault: Fault) -> None:
        if self.process is not None:
            self.process.slow_until_s = self.world.now_s + fault.for_s

    def _disk_fault(self, fault: Fault) -> None:
        if self.process is not None:
            self.process.fault, self.process.fault_in = fault.how, fault.steps

    def _broker_restart(self, fault: Fault) -> None:
        self._broker_away(fault, "nothing")

    def _broker_forgets(self, fault: Fault) -> None:
        self._broker_away(fault, fault.how)

    def _broker_away(self, fault: Fault, forgets: str) -> None:
        if self.broker.up:
            self.broker.go_down(forgets)
            self.world.after(fault.for_s, self.broker.come_up)

    def _broker_remembers(self, fault: Fault) -> None:
        self.broker.remember()

    def _unreachable(self, fault: Fault) -> None:
        self._half_open(fault)
        self.broker.reachable = False
        self.world.after(fault.for_s, self._reachable)

    def _reachable(self) -> None:
        self.broker.reachable = True

    def _refusal(self, fault: Fault) -> None:
        self._refused = mqtt5.PubAckReasonCode.__dict__[fault.how]
        self.world.after(fault.for_s, self._no_refusal)

    def _no_refusal(self) -> None:
        self._refused = None

    def _reload(self, fault: Fault) -> None:
        """SIGHUP: the files are as before, say something else, or are wrong until somebody mends them."""
        if fault.how == "other" and self.other is not None:
            self.configured, self.other = self.other, self.configured
        read = _wrong if fault.how == "wrong" else lambda settings=self.configured: settings
        if self.process is not None:
            loop, service = self.process.loop, self.process.service
            loop.call_soon(lambda: loop.create_task(service.reload(read)))

    def _clock_jump(self, fault: Fault) -> None:
        self.wall.ahead_s += float(fault.how)

    # --- and how it ends -----------------------------------------------------------------------------

    def _all_is_well(self) -> None:
        """From now on nothing goes wrong, and what was refused is tried again on a new link."""
        self.world.note("all is well")
        self.broker.reachable, self._refused, self.wall.ahead_s = True, None, max(0.0, self.wall.ahead_s)
        self._cut(Fault(self.world.now_s, "cut"))
        self.world.after(SETTLE_S, self._look)

    def _look(self) -> None:
        """Once everything has come to rest, have the service stop."""
        limit_s = self.ways.hours * 3600 + PATIENCE_S
        assert self.world.now_s < limit_s, f"not everything was delivered: {self._rest()}"
        if self.process is not None and self._at_rest(self.process):
            self.process.loop.call_soon(self.process.service.stop)
        self.world.after(SETTLE_S, self._look)

    def _at_rest(self, process: Process) -> bool:
        service = process.service
        queues = [*self.broker.sessions.values()]
        clock_ms = service.ward.clock_ms or 0
        hold_back_s = self.settings.event_time.hold_back_s
        last_s = self.wall.read() - self.world.now_s + self.ways.hours * 3600
        return (
            not self.publishers.under_way
            and service.connected
            and not service.undelivered
            and not any(session.queue or session.in_flight for session in queues)
            and clock_ms > (last_s + hold_back_s) * 1000
        )

    def _rest(self) -> str:
        undelivered = self.process.service.undelivered if self.process else None
        queues = {name: (len(s.queue), len(s.in_flight)) for name, s in self.broker.sessions.items()}
        return (
            f"undelivered {undelivered}, queues {queues}, under way {self.publishers.under_way}, {self.ends}"
        )

    # --- what is heard -------------------------------------------------------------------------------

    def _refuses(self, topic: str) -> Any:
        return self._refused if topic.startswith("alerts/") else None

    def _heard(self, topic: str, payload: bytes) -> None:
        if topic == FEED:
            self.feed.append(payload)
            self.heard_s.setdefault(payload, self.world.now_s)
            if self.station is not None:
                self.station.hear(payload)
        elif topic == STATUS:
            self.statuses.append((self.world.now_s, payload))


def _wrong() -> Settings:
    raise ConfigError([Problem("service.yaml", 1, 1, "roster", "is half written")])


def _drop(*event: Any) -> Any:
    raise structlog.DropEvent


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The service's log goes nowhere: a trace says more."""
    before = structlog.get_config()
    structlog.configure([_drop], structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


COLLECTED_EVERY = 5
"""A look for garbage costs half as much as a short run."""
_RUNS = count(1)


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """A folder of its own for one run's disk; what a run leaves in memory goes a few runs later."""
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        try:
            yield Path(folder)
        finally:
            gc.unfreeze()  # each start freezes what is there, which no later look for garbage would pass over
            if next(_RUNS) % COLLECTED_EVERY == 0:
                gc.collect()
