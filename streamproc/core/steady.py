"""What a device's next message says if it says nothing new: such ones wait and are lived through together.

While a bed's answers are firm, its line goes on and its pumps repeat themselves, no rule asks for a message
of that kind in time. What waits is entered at its own instant all the same, before anybody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

from streamproc.core.events import HeldEvent, MapSample, PumpStatus
from streamproc.core.finding import NEVER
from streamproc.core.infusion import NEARLY, Channel
from streamproc.core.kept import event_of, kept_of
from streamproc.core.pressure import ARTERIAL
from streamproc.core.remembered import Start

if TYPE_CHECKING:
    from streamproc.core.bed import Bed
    from streamproc.core.chart import Chart
    from streamproc.core.ward import Heard

Held = tuple[int, str, str, int, int, int, HeldEvent]
"""An event waiting for its time: by that, topic, device and sequence it sorts; then come its arrival,
its receipt and itself."""

Waiting = tuple[int, str, str, int, int, int, float, "Steady"]
"""A message that says nothing new: the first six as of an event that is held, then its figure."""


@dataclass(slots=True, eq=False)
class Steady:
    """One device's messages on one topic of a bed, which differ in number, time and figure alone.

    The figure is a pressure in thousandths of a mmHg or the volume left in mL; between `lowest` and `highest`
    it is no news."""

    bed: Bed
    like: MapSample | PumpStatus
    start: Start
    heard: Heard
    gap_ms: int
    """How far the next message may be from the one before."""
    order: str
    device: str
    until_ms: int = -1
    lowest: float = inf
    highest: float = -inf

    def goes_on(self, chart: Chart, some: Sequence[Waiting]) -> bool:
        """Whether none of these is news, and nothing else happened to line or channel since it was judged.

        A line's bounds may have been narrowed since then: what lies between those, too, is no news now."""
        like, pressure, figures = self.like, chart.pressure, [each[6] for each in some]
        first_ms, last_ms, least, most = some[0][0], some[-1][0], min(figures), max(figures)
        if not (self.lowest <= least and most <= self.highest):
            return False
        if isinstance(like, MapSample):
            lowest, highest = pressure.no_news
            return (
                lowest <= least
                and most <= highest
                and pressure.newest_ms < first_ms < pressure.goes_on_until_ms
                and not pressure.trend.narrows_by(last_ms)
            )
        channel = chart.infusions.channels.get(like.channel)
        return (
            channel is not None
            and not channel.lost
            and channel.status.time_ms <= first_ms
            and last_ms < first_ms + chart.terms.pump_lost_ms
            and _repeats(like, channel.status)
        )

    def went_on(self, time_ms: int) -> None:
        """Another of these messages was taken in, whatever it says."""
        self.until_ms = max(self.until_ms, time_ms + self.gap_ms)

    def close(self) -> None:
        """From now on each message is news."""
        self.lowest, self.highest = inf, -inf

    def expect(self, chart: Chart) -> None:
        """Say anew what is no news, as the bed was judged a moment ago."""
        like = self.like
        if isinstance(like, MapSample):
            if chart.pressure.source is ARTERIAL and like.source is ARTERIAL and like.valid:
                self.lowest, self.highest = chart.pressure.no_news
            else:
                self.close()
            return
        channel = chart.infusions.channels.get(like.channel)
        if (
            channel is None
            or channel.lost
            or channel.is_put_away_in_time
            or not _repeats(like, channel.status)
        ):
            self.close()
        else:
            self.lowest, self.highest = _volumes(channel)


def steady_after(event: MapSample | PumpStatus, start: Start, heard: Heard, bed: Bed) -> Steady:
    """What says nothing new after an event that the bed has just taken in."""
    line, chart = isinstance(event, MapSample), bed.chart
    gap_ms = chart.pressure.goes_on_ms if line else chart.terms.pump_lost_ms
    steady = Steady(bed, event, start, heard, gap_ms, event.order, event.device)
    steady.went_on(event.time_ms)
    if bed.calm:
        steady.expect(chart)
    return steady


def event_like(like: MapSample | PumpStatus, time_ms: int, seq: int, figure: float) -> MapSample | PumpStatus:
    """The message of this number, time and figure that is like another."""
    if isinstance(like, MapSample):
        return sample_like(like, time_ms, seq, figure)
    return pump_like(like, time_ms, seq, figure)


def sample_like(like: MapSample, time_ms: int, seq: int, milli_mmhg: float) -> MapSample:
    """The same of a monitor."""
    said = int(milli_mmhg)
    return MapSample(time_ms, like.bed, like.device, like.boot, seq, like.source, said, like.valid)


def pump_like(like: PumpStatus, time_ms: int, seq: int, volume_ml: float) -> PumpStatus:
    """The same of a pump."""
    return PumpStatus(
        time_ms,
        like.bed,
        like.device,
        like.boot,
        seq,
        like.channel,
        like.state,
        like.drug,
        like.form,
        like.rate,
        like.concentration,
        like.weight_kg,
        None if like.volume_remaining_ml is None else volume_ml,
        like.diluent,
        like.route,
        like.line,
        like.alarms,
    )


def topic_by_topic(waiting: Sequence[Waiting]) -> dict[Steady, list[Waiting]]:
    """What waits, in the same order, by what its topic's messages are like."""
    by_topic: dict[Steady, list[Waiting]] = {}
    for each in waiting:
        by_topic.setdefault(each[-1], []).append(each)
    return by_topic


def kept_of_waiting(waiting: Sequence[Waiting]) -> list[list[Any]]:
    """What waits as plain values: of each topic what it is like, then its times, numbers, arrivals, receipts
    and figures."""
    kept = []
    for steady, some in topic_by_topic(waiting).items():
        times_ms, _, _, seqs, arrivals, receipts_ms, figures, _ = zip(*some, strict=True)
        kept.append([kept_of(steady.like), times_ms, seqs, arrivals, receipts_ms, figures])
    return kept


def held_of(kept: Iterable[Sequence[Any]]) -> Iterator[Held]:
    """What `kept_of_waiting` told, as events that are held: whoever reads it knows no topic yet."""
    for told, *columns in kept:
        like = event_of(told)
        for time_ms, seq, arrival, received_ms, figure in zip(*columns, strict=True):
            event = event_like(like, time_ms, seq, figure)
            yield time_ms, like.order, like.device, seq, arrival, received_ms, event


def _repeats(like: PumpStatus, status: PumpStatus) -> bool:
    """Whether such a report says what the channel's last has said, but for the volume."""
    told_volume = (like.volume_remaining_ml is None) is (status.volume_remaining_ml is None)
    return told_volume and like.delivers_as(status) and like.set_up_as(status)


def _volumes(channel: Channel) -> tuple[float, float]:
    """Between which volumes no answer about the bag turns (`Channel.empties_unnoticed`)."""
    volume, asked = channel.status.volume_remaining_ml or 0.0, channel.bag_asked_ml
    if asked is not None and volume > asked * (1 + NEARLY):
        return nextafter(asked * (1 + NEARLY), inf), NEVER
    if asked is not None and volume < asked * (1 - NEARLY):
        return -NEVER, nextafter(asked * (1 - NEARLY), -inf)
    return volume, volume
