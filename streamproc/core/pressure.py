"""A bed's mean arterial pressure: which samples count, which wait, and how stale it is.

Arterial and cuff pressures are different measurements. While an arterial sample holds, cuff
samples are remembered as heard but do not enter the windows; artefacts never do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamproc.core.events import MILLI, MapSample, MapSource
from streamproc.core.finding import NEVER, Finding, Uncrossed, found, unknown
from streamproc.core.sight import LAST_MAP, MAP_NOW, Of
from streamproc.core.terms import Terms
from streamproc.core.trend import Trend

KEPT_INTERVALS = 5
NEVER_YET = -1
ARTERIAL = MapSource.ARTERIAL
EVERYWHERE = -NEVER, NEVER


@dataclass(slots=True)
class Cadence:
    """When something last gave a sign of life, and how far apart its reports usually come."""

    last_ms: int | None = None
    measured_ms: int | None = None
    """The last report from which an interval is measured."""
    intervals_ms: list[int] = field(default_factory=list)
    steady_ms: int | None = None
    """The interval that all of the last few were, where they were alike."""

    def heard(self, time_ms: int, longest_ms: int) -> None:
        """Note a report; one out of order tells nothing about the interval, nor does one after a loss."""
        if self.last_ms is None or time_ms > self.last_ms:
            self.last_ms = time_ms
        if self.measured_ms is not None:
            interval_ms = time_ms - self.measured_ms
            if interval_ms <= 0:
                return
            if interval_ms <= longest_ms and interval_ms != self.steady_ms:
                self._measure(interval_ms)
        self.measured_ms = time_ms

    def heard_together(self, times_ms: Sequence[int], longest_ms: int) -> None:
        """Note several reports, each later than the one before: only the last few intervals are kept."""
        if len(times_ms) > KEPT_INTERVALS:
            before_ms, last = times_ms[-KEPT_INTERVALS - 1], times_ms[-KEPT_INTERVALS:]
            if last[-1] - before_ms <= longest_ms:
                self.measured_ms, times_ms = before_ms, last
        for time_ms in times_ms:
            self.heard(time_ms, longest_ms)

    def _measure(self, interval_ms: int) -> None:
        self.intervals_ms = [*self.intervals_ms[1 - KEPT_INTERVALS :], interval_ms]
        self._see_whether_steady()

    def _see_whether_steady(self) -> None:
        alike = len(self.intervals_ms) == KEPT_INTERVALS and len(set(self.intervals_ms)) == 1
        self.steady_ms = self.intervals_ms[0] if alike else None

    def alive(self, time_ms: int) -> None:
        """A sign of life that says nothing of the usual interval."""
        if self.last_ms is None or time_ms > self.last_ms:
            self.last_ms = time_ms

    def start_anew(self) -> None:
        """From now on something else reports: its interval is not known yet."""
        self.measured_ms, self.intervals_ms, self.steady_ms = None, [], None

    def interval_ms(self, otherwise_ms: int) -> int:
        """The usual interval: the median of the last few, so that one gap does not stretch it."""
        if not self.intervals_ms:
            return otherwise_ms
        return sorted(self.intervals_ms)[(len(self.intervals_ms) - 1) // 2]

    def snapshot(self) -> list[Any]:
        """All state as plain values."""
        return [self.last_ms, self.measured_ms, list(self.intervals_ms)]

    def restore(self, kept: list[Any]) -> None:
        """Take over what `snapshot` gave."""
        self.last_ms, self.measured_ms, self.intervals_ms = kept[0], kept[1], list(kept[2])
        self._see_whether_steady()


@dataclass(slots=True)
class Pressure:
    """The MAP of one stay, in thousandths of a mmHg."""

    terms: Terms
    trend: Trend = field(init=False)
    artefacts: Trend = field(init=False)
    cadence: Cadence = field(default_factory=Cadence)
    first_ms: int | None = None
    newest_ms: int = NEVER_YET
    """The first and the newest sample of any kind, artefacts too: the monitor was sending."""
    source: MapSource | None = None
    last_cuff: MapSample | None = None
    arterial_until_ms: int = -1
    goes_on_until_ms: int = -1
    """Before this the line is neither lost nor without a value, even if nothing more comes."""
    between: tuple[int, int] = EVERYWHERE
    """From the newest value no limit lies before these: outside of them a sample is news to whoever asked."""
    goes_on_ms: int = field(init=False)
    """So long after a sample the line goes on by it."""

    def __post_init__(self) -> None:
        terms = self.terms
        self.trend = Trend(terms.map_retention_ms, terms.map_low_milli, terms.map_high_milli)
        self.artefacts = Trend(terms.artefact_window_ms, 0, 1, Of.MONITOR)
        self.goes_on_ms = min(terms.map_hold_arterial_ms, terms.map_lost_ms)

    def take(self, sample: MapSample, now_ms: int) -> bool:
        """Enter a sample where it belongs: window, memory of cuff readings, or artefact share; True if it is
        ordinary."""
        if self.is_ordinary(sample, now_ms):
            self.go_on(sample)
            return True
        time_ms, terms = sample.time_ms, self.terms
        self.artefacts.add(time_ms, int(not sample.valid), terms.artefact_window_ms, sample)
        self.first_ms = time_ms if self.first_ms is None else self.first_ms
        self.newest_ms = max(self.newest_ms, time_ms)
        self.source = self.source or sample.source
        if not sample.valid:
            return False
        if sample.source is ARTERIAL:
            hold_ms = terms.map_hold_arterial_ms
            self.arterial_until_ms = max(self.arterial_until_ms, time_ms + hold_ms)
            self.goes_on_until_ms = max(self.goes_on_until_ms, time_ms + self.goes_on_ms)
        else:
            self.last_cuff = sample
            hold_ms = terms.map_hold_cuff_ms
            if time_ms < self.arterial_until_ms:  # a cuff beside a line changes nothing
                self.cadence.alive(time_ms)
                return False
        if self.source is not sample.source:
            self.cadence.start_anew()
        self.cadence.heard(time_ms, hold_ms)
        if self.cadence.last_ms == time_ms:
            self.source = sample.source
        self.trend.add(time_ms, sample.milli_mmhg, hold_ms, sample)
        return False

    def is_ordinary(self, sample: MapSample, now_ms: int) -> bool:
        """Whether the line goes on: its next valid value in time, within what its windows have seen.

        It may come late, unless it would cut an artefact short that counts already."""
        trend = self.trend
        return (
            self.newest_ms < sample.time_ms
            and now_ms < self.goes_on_until_ms
            and trend.lowest <= sample.milli_mmhg <= trend.highest
            and (sample.time_ms == now_ms or not self.artefacts.highest)
            and sample.valid
            and sample.source is ARTERIAL
            and self.source is ARTERIAL
        )

    def go_on(self, sample: MapSample) -> None:
        """What `take` comes to for an ordinary sample."""
        time_ms, hold_ms = sample.time_ms, self.terms.map_hold_arterial_ms
        self.newest_ms = time_ms
        self.arterial_until_ms, self.goes_on_until_ms = time_ms + hold_ms, time_ms + self.goes_on_ms
        self.cadence.heard(time_ms, hold_ms)
        self.artefacts.add(time_ms, 0, self.terms.artefact_window_ms, sample)
        self.trend.add(time_ms, sample.milli_mmhg, hold_ms, sample)

    def go_on_together(
        self, times_ms: Sequence[int], milli_mmhg: Sequence[int], of: MapSample, seqs: Sequence[int]
    ) -> None:
        """The same for several samples of one monitor, in order."""
        last_ms, terms = times_ms[-1], self.terms
        hold_ms = terms.map_hold_arterial_ms
        self.newest_ms = last_ms
        self.arterial_until_ms, self.goes_on_until_ms = last_ms + hold_ms, last_ms + self.goes_on_ms
        self.cadence.heard_together(times_ms, hold_ms)
        self.artefacts.add_together(times_ms, [0] * len(seqs), terms.artefact_window_ms, of, seqs)
        self.trend.add_together(times_ms, milli_mmhg, hold_ms, of, seqs)

    def stay_between(self, limits: Collection[int]) -> None:
        """From now on a sample that is on another side of one of these than the newest is news."""
        value = self.trend.newest_value
        least = max([limit for limit in limits if limit <= value], default=-NEVER)
        most = min([limit - 1 for limit in limits if limit > value], default=NEVER)
        self.between = (least, most) if limits else EVERYWHERE

    @property
    def no_news(self) -> tuple[int, int]:
        """The least and the greatest value of a next sample that is news to no answer that is firm."""
        (least, most), trend = self.between, self.trend
        return max(trend.lowest, least), min(trend.highest, most)

    def below(self, limit_milli: int, at_ms: int) -> Finding:
        """Whether the pressure that holds now is below the limit; unknown where none holds."""
        return self._compare("MAP below", limit_milli, at_ms, below=True)

    def at_least(self, limit_milli: int, at_ms: int) -> Finding:
        """Whether the pressure that holds now is at or above the limit; unknown where none holds."""
        return self._compare("MAP at least", limit_milli, at_ms, below=False)

    def _compare(self, name: str, limit_milli: int, at_ms: int, *, below: bool) -> Finding:
        value = self.trend.now(at_ms)
        if value is None:
            return unknown(name, "no valid MAP holds", firm_ms=at_ms, saw=MAP_NOW)
        holds = (value < limit_milli) == below
        until_ms = self.trend.holds_until(at_ms)
        one_sided = self.trend.one_sided(limit_milli)
        firm_ms, sided = (NEVER, None) if one_sided else (at_ms, Uncrossed(NEVER, (limit_milli,)))
        return found(
            name,
            holds,
            until_ms,
            value=value / MILLI,
            limit=limit_milli / MILLI,
            unit="mm[Hg]",
            firm_ms=firm_ms,
            uncrossed=sided,
            saw=MAP_NOW,
        )

    def silent_for(self, limit_ms: int, at_ms: int, since_ms: int | None = None) -> Finding:
        """Whether no valid MAP has come for `limit_ms`, counted from `since_ms` if none ever came."""
        last_ms = self.cadence.last_ms if self.cadence.last_ms is not None else since_ms
        if last_ms is None:
            return unknown("MAP silence", "no MAP was ever heard", firm_ms=at_ms, saw=LAST_MAP)
        due_ms, silent = last_ms + limit_ms, at_ms >= last_ms + limit_ms
        # a quicker cadence shortens no limit further than to `map_lost_ms`, which is no less either
        firm_ms = at_ms if silent or limit_ms < self.goes_on_ms else NEVER
        return found(
            "MAP silence",
            silent,
            NEVER if silent else due_ms,
            value=(at_ms - last_ms) / 1000,
            limit=limit_ms / 1000,
            unit="s",
            firm_ms=firm_ms,
            saw=LAST_MAP,
        )

    def loss_ms(self, least_ms: int) -> int:
        """After how long a silence the signal counts as lost: some intervals, but at least `least_ms`."""
        arterial = self.source is ARTERIAL
        terms = self.terms
        usual = terms.map_interval_arterial_ms if arterial else terms.map_interval_cuff_ms
        return max(terms.lost_intervals * self.cadence.interval_ms(usual), least_ms)

    def snapshot(self, newer_than_ms: int | None = None) -> dict[str, Any]:
        """All state as plain values; of the samples only those that are newer."""
        cuff = self.last_cuff
        return {
            "trend": self.trend.snapshot(newer_than_ms),
            "artefacts": self.artefacts.snapshot(newer_than_ms),
            "cadence": self.cadence.snapshot(),
            "sent": [self.first_ms, self.newest_ms],
            "source": self.source,
            "until_ms": [self.arterial_until_ms, self.goes_on_until_ms],
            "cuff": cuff
            and [cuff.time_ms, cuff.bed, cuff.device, cuff.boot, cuff.seq, cuff.source, cuff.milli_mmhg],
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.trend.restore(kept["trend"])
        self.artefacts.restore(kept["artefacts"])
        self.cadence.restore(kept["cadence"])
        self.first_ms, self.newest_ms = kept["sent"]
        self.source = kept["source"] and MapSource(kept["source"])
        self.arterial_until_ms, self.goes_on_until_ms = kept["until_ms"]
        if (newest := self.trend.newest()) is not None:  # other terms may have a line lost sooner
            self.goes_on_until_ms = min(self.goes_on_until_ms, newest[0] + self.goes_on_ms)
        if kept["cuff"]:
            time_ms, bed, device, boot, seq, source, value = kept["cuff"]
            self.last_cuff = MapSample(time_ms, bed, device, boot, seq, MapSource(source), value)
