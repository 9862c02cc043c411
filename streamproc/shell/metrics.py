"""The metrics of the contract, read out of plain counters when somebody asks, not kept beside them.

No patient identifier ever becomes a label. A bed that is not on the roster has no series of its
own: all of them share `bed="other"`.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamproc import __version__
from streamproc.core.alert import Priority
from streamproc.core.bed import Bed
from streamproc.core.change import Change
from streamproc.core.dose import NANO
from streamproc.core.events import MILLI
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken
from streamproc.core.ward import Ward
from streamproc.shell.tally import Tally

KINDS = ("map", "pump", "patient", "observation", "ack", "other")
OTHER_BED = "other"
AT_ONCE = 50
"""Beds that are read before others have a turn: one to two milliseconds."""
TAKEN, REFUSED = "taken", "refused"
"""What became of a configuration that was read anew."""
LAG_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 2.1, 2.25, 2.5, 3.0, 5.0, 10.0, 30.0, 60.0)
LATENCY_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.05, 2.1, 2.25, 2.5, 3.0, 5.0, 10.0, 60.0)
COMMIT_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, and the sum; a list slot a sample."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float, times: int = 1) -> None:
        """One sample, or several alike."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by `le`, as Prometheus has them."""
        total, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


@dataclass(slots=True)
class Meters:
    """What the service itself measures, beside the message counts."""

    lag: Histogram = field(default_factory=lambda: Histogram(LAG_BUCKETS_S))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BUCKETS_S))
    commit: Histogram = field(default_factory=lambda: Histogram(COMMIT_BUCKETS_S))
    alerts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    dead_letters_withheld: int = 0
    bed_states_withheld: int = 0
    reconnects: int = 0
    reloads: Counter[str] = field(default_factory=Counter)

    def count_alert(self, change: Change) -> None:
        """One alert event."""
        self.alerts[change.rule.id, change.priority.value, change.phase.value] += 1


class Watched(Protocol):
    """What is read at a scrape."""

    @property
    def ward(self) -> Ward: ...
    @property
    def tally(self) -> Tally: ...
    @property
    def meters(self) -> Meters: ...
    @property
    def ready(self) -> bool: ...
    @property
    def connected(self) -> bool: ...
    @property
    def position(self) -> int: ...
    @property
    def undelivered(self) -> int: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def refused_configuration(self) -> tuple[str, ...]: ...
    @property
    def problems(self) -> list[str]: ...
    @property
    def last_step_s(self) -> float: ...


class ServiceCollector(Collector):
    """Reads the service when scraped."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: everything is read at the scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, in a fixed order."""
        for family in _families(self._watched):
            if family is not None:
                yield family.family() if isinstance(family, OfBeds) else family


@dataclass(frozen=True, slots=True)
class OfBeds:
    """A family that has a series for each bed: so many that they are kept as they were read until written."""

    name: str
    told: str
    labels: Sequence[str]
    rows: list[tuple[Sequence[str], float]]
    counts: bool = False

    def family(self) -> Metric:
        """As the client library has it, with all its series."""
        return (_counter if self.counts else _gauge)(self.name, self.told, self.labels, self.rows)

    def head(self) -> Metric:
        """The same without a series."""
        return replace(self, rows=[]).family()


async def gathered(watched: Watched) -> list[Metric | OfBeds]:
    """Every family, read a few beds at a time, so that no message waits for a scrape; to be written elsewhere
    (`exposition`), since that takes as long again."""
    families = list[Metric | OfBeds]()
    for family in _families(watched):
        if family is None:
            await asyncio.sleep(0)
        else:
            families.append(family)
    return families


def _families(watched: Watched) -> Iterator[Metric | OfBeds | None]:
    """None where others may have a turn; what is counted of messages is read without one."""
    yield from _messages(watched.tally)
    yield from _process(watched)
    yield from _alerts(watched)
    yield from _beds(watched.ward)


T = TypeVar("T")


def _in_turns(rows: Sequence[T]) -> Iterator[list[T]]:
    for first in range(0, len(rows), AT_ONCE):
        yield list(rows[first : first + AT_ONCE])


def registry(watched: Watched) -> CollectorRegistry:
    """A registry with the service's collector alone."""
    own = CollectorRegistry()
    own.register(ServiceCollector(watched))
    return own


def _counter(
    name: str, told: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"streamproc_{name}", told, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _gauge(
    name: str, told: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"streamproc_{name}", told, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _histogram(name: str, told: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"streamproc_{name}", told)
    family.add_metric([], buckets=histogram.buckets(), sum_value=histogram.sum)
    return family


def _messages(tally: Tally) -> Iterator[Metric]:
    received = [((kind,), float(tally.received[kind])) for kind in KINDS]
    yield _counter("messages_received", "Messages taken over, by kind", ["kind"], received)
    accepted = float(tally.taken[Taken.ACCEPTED])
    yield _counter("messages_accepted", "Messages that entered the ward in time", [], [((), accepted)])
    rejected = [((reason.value,), float(tally.rejected[reason])) for reason in Reason]
    yield _counter("messages_rejected", "Messages refused, by reason", ["reason"], rejected)
    duplicate = float(tally.taken[Taken.DUPLICATE])
    yield _counter("messages_duplicate", "Messages that had come before", [], [((), duplicate)])
    late = float(tally.taken[Taken.LATE])
    yield _counter(
        "messages_late", "Messages later than the hold-back; in the history only", [], [((), late)]
    )


def _process(watched: Watched) -> Iterator[Metric]:
    meters = watched.meters
    yield _histogram("event_lag_seconds", "Event time to processed, hold-back included", meters.lag)
    yield _histogram(
        "alert_latency_seconds",
        "Receipt of the deciding sample to the broker's acknowledgement",
        meters.latency,
    )
    yield _histogram("commit_seconds", "One batch made durable", meters.commit)
    withheld = [
        (("dead_letter",), float(meters.dead_letters_withheld)),
        (("bed_state",), float(meters.bed_states_withheld)),
    ]
    yield _counter(
        "publishes_withheld", "Messages of ours not published, by kind; never alerts", ["kind"], withheld
    )
    reloads = [((result,), float(meters.reloads[result])) for result in (TAKEN, REFUSED)]
    yield _counter("config_reloads", "Configurations read anew, by what became of them", ["result"], reloads)
    yield _counter("reconnects", "Times the broker connection was lost", [], [((), float(meters.reconnects))])
    gauges = {
        "ready": ("Connected, caught up and able to commit", float(watched.ready)),
        "connected": ("Connected to the broker", float(watched.connected)),
        "journal_position": ("Last committed batch", float(watched.position)),
        "alerts_undelivered": (
            "Alert events that the broker has not acknowledged",
            float(watched.undelivered),
        ),
        "last_step_timestamp_seconds": ("When the processing path last came round", watched.last_step_s),
        "journal_failed": ("A write has failed: nothing is taken over", float(watched.failure is not None)),
        "config_refused": (
            "The configuration read last was wrong; the one before it is in force",
            float(bool(watched.refused_configuration)),
        ),
        "beds": ("Beds known, on the roster or not", float(len(watched.ward.beds))),
    }
    for name, (told, value) in gauges.items():
        yield _gauge(name, told, [], [((), value)])
    yield _gauge("build_info", "Version of the program", ["version"], [((__version__,), 1.0)])


def _alerts(watched: Watched) -> Iterator[Metric | None]:
    labels = ["rule", "priority", "phase"]
    counted = [(row, float(number)) for row, number in sorted(watched.meters.alerts.items())]
    yield _counter("alerts", "Alert events", labels, counted)
    ward, active = watched.ward, dict[tuple[str, str], int]()
    for some in _in_turns(list(ward.beds.items())):
        yield None
        for name, bed in some:
            unit = name.partition("/")[0] if name in ward.roster else OTHER_BED
            if (unit, Priority.HIGH.value) not in active:
                active |= {(unit, priority.value): 0 for priority in Priority}
            for alert in bed.chart.open_alerts.values():
                if alert.priority is not None:
                    active[unit, alert.priority.value] += 1
    rows = [(row, float(number)) for row, number in sorted(active.items())]
    yield _gauge("alerts_active", "Open alerts", ["unit", "priority"], rows)


def _beds(ward: Ward) -> Iterator[Metric | OfBeds | None]:
    rostered = [name for name in sorted(ward.roster) if name in ward.beds]
    pressures, targets, doses, weaning, below = (list[tuple[Sequence[str], float]]() for _ in range(5))
    for some in _in_turns(rostered):
        yield None
        for name in some:
            labels, bed = name.split("/"), ward.brought_up(name)
            chart = bed.chart
            pressure = chart.pressure.trend.now(chart.now_ms)
            if pressure is not None and chart.pressure.source is not None:
                pressures.append(([*labels, chart.pressure.source.value], pressure / MILLI))
            targets.append((labels, chart.target_milli / MILLI))
            if (dose := chart.dose) is not None and dose.per_kg_nano is not None:
                doses.append((labels, dose.per_kg_nano / NANO))
            weaning.append((labels, float(_wean_ready(bed))))
            below.append((labels, chart.below_target_ms / 1000))
    others = [bed for name, bed in ward.beds.items() if name not in ward.roster]
    if others:
        total_s = sum(bed.chart.below_target_ms for bed in others) / 1000
        below.append(([OTHER_BED, OTHER_BED], total_s))
    place = ["unit", "bed"]
    yield OfBeds("map_mmhg", "MAP that holds now; absent while none does", [*place, "source"], pressures)
    yield OfBeds("map_target_mmhg", "The patient's MAP target, or the site's", place, targets)
    yield OfBeds(
        "norepinephrine_dose_mcg_per_kg_min", "Norepinephrine base; absent while unknown", place, doses
    )
    yield OfBeds("wean_ready", "1 while WEAN-READY is open", place, weaning)
    yield OfBeds(
        "bed_seconds_below_target", "Time with MAP below the patient's target", place, below, counts=True
    )
    gaps = [((), float(ward.gap_messages))]
    yield _counter("telemetry_gap_messages", "Messages missing by their sequence numbers", [], gaps)


def _wean_ready(bed: Bed) -> bool:
    alert = bed.alerts.get("WEAN-READY")
    return alert is not None and alert.open
