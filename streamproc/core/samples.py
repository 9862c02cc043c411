"""One quantity's samples in columns of whole numbers, with prefix integrals: any stretch is two look-ups.

A sample holds until the next one, at most its own hold. Columns are as narrow as their numbers allow: half
an hour at 1 Hz takes some 30 KB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Protocol

from streamproc.core.finding import NEVER
from streamproc.core.frozen import frozen
from streamproc.core.sight import Of

LOWEST_BYTE_FIRST = array("H", [1]).tobytes()[0] == 1
"""Whether this machine keeps numbers as a snapshot has them."""
COMPACT_AFTER = 64
"""Forgotten samples are cut off in runs of this many, so that forgetting costs O(1) amortised."""
EACH = 8
"""Totals are kept of every eighth sample; those between are added up when somebody asks."""
FAR = 1 << 30
"""What is further from where its column counts from needs a wider column, or an origin of its own."""
WIDE = "q"
MOST_NARROW, MOST_OF_A_BYTE = 255, 127


Numbers = Sequence[int]


@frozen
class SampleId:
    """What identifies a sample in the raw telemetry."""

    device: str
    boot: str | None
    seq: int | None


class Identified(Protocol):
    """Anything that says which message it came with."""

    @property
    def device(self) -> str: ...
    @property
    def boot(self) -> str | None: ...
    @property
    def seq(self) -> int | None: ...


class Origin(NamedTuple):
    """What many samples have in common; each keeps only how far its number is from `seq`."""

    device: str
    boot: str | None
    seq: int | None
    hold_ms: int


@dataclass(slots=True)
class Samples:
    """A quantity's samples of the last `retention_ms`; `low` and `high` bound every value."""

    retention_ms: int
    low: int
    high: int
    of: Of = Of.MAP
    lowest: int = NEVER
    highest: int = -NEVER
    """Between these lies every value that is kept, and more: they are narrowed now and then."""
    newest_ms: int = -NEVER
    newest_value: int = 0
    newest_until_ms: int = -NEVER
    """The newest sample: its time, its value, and until when it holds."""
    _newest_area: int = 0
    _newest_held: int = 0
    _asked_ms: int = -1
    """The instant of the answers that are remembered; none outlives a sample."""
    _crowded_ms: int = field(default=-NEVER, compare=False)
    """No sample before this makes it forget any: when to look again, which is no part of what it holds."""
    _base_ms: int = 0
    """The first sample's time; times and held times count from there."""
    _time: array[int] = field(default_factory=lambda: array("i"))
    _value: array[int] = field(init=False)
    _area: array[int] = field(default_factory=lambda: array(WIDE))
    _held: array[int] = field(default_factory=lambda: array("i"))
    _seq: array[int] = field(default_factory=lambda: array("i"))
    _origin: array[int] = field(default_factory=lambda: array("B"))
    _origins: list[Origin] = field(default_factory=list)
    _place: int = 0
    """The newest sample's place among the origins."""
    _tails: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._value = array("b" if self.high <= MOST_OF_A_BYTE else "i" if self.high < FAR else WIDE)

    def __len__(self) -> int:
        return len(self._time)

    def add(self, time_ms: int, value: int, hold_ms: int, said: Identified) -> None:
        """Take in a sample; one older than the newest enters the history at its own place."""
        if not self.lowest <= value <= self.highest:
            self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
        if self._asked_ms >= 0:
            self._forget_answers()
        newest_ms, until_ms = self.newest_ms, self.newest_until_ms
        if time_ms < newest_ms:
            self._insert(bisect_right(self._time, time_ms - self._base_ms), time_ms, value, hold_ms, said)
            return
        if self._time:
            held_ms = (time_ms if time_ms < until_ms else until_ms) - newest_ms
            self._newest_area += self.newest_value * held_ms
            self._newest_held += held_ms
        else:
            self._base_ms = time_ms
        self.newest_ms, self.newest_value, self.newest_until_ms = time_ms, value, time_ms + hold_ms
        offset_ms = time_ms - self._base_ms
        if offset_ms > FAR and self._time.typecode != WIDE:
            self._time, self._held = array(WIDE, self._time), array(WIDE, self._held)
        seq = self._numbered(said, hold_ms)
        self._time.append(offset_ms)
        self._value.append(value)
        if len(self._value) % EACH == 1:
            self._area.append(self._newest_area)
            self._held.append(self._newest_held)
        self._seq.append(seq)
        self._origin.append(self._place)
        if time_ms >= self._crowded_ms:
            self._forget(time_ms - self.retention_ms)

    def add_together(
        self, times_ms: Numbers, values: Numbers, hold_ms: int, of: Identified, seqs: Numbers
    ) -> None:
        """Take in several samples of one start of a device, in the order of their times and numbers."""
        if not self._fit(times_ms, values, hold_ms, of, seqs):
            for time_ms, value, seq in zip(times_ms, values, seqs, strict=True):
                self.add(time_ms, value, hold_ms, SampleId(of.device, of.boot, seq))
            return
        if self._asked_ms >= 0:
            self._forget_answers()
        self._add_up(times_ms, values, hold_ms)
        base_ms, first = self._base_ms, self._origins[self._place].seq or 0
        self._time.extend([time_ms - base_ms for time_ms in times_ms])
        self._value.extend(values)
        self._seq.extend([seq - first for seq in seqs])
        self._origin.extend([self._place] * len(seqs))
        if times_ms[-1] >= self._crowded_ms:
            self._forget_for(times_ms)

    def _fit(self, times_ms: Numbers, values: Numbers, hold_ms: int, of: Identified, seqs: Numbers) -> bool:
        """Whether such samples go behind those that are here, and change neither bounds nor columns."""
        last_ms = times_ms[-1]
        if not self._time or (last_ms - self._base_ms > FAR and self._time.typecode != WIDE):
            return False
        device, boot, first, held_for_ms = self._origins[self._place]
        return (
            self.newest_ms < times_ms[0]
            and self.lowest <= min(values)
            and max(values) <= self.highest
            and (device, boot, held_for_ms) == (of.device, of.boot, hold_ms)
            and first is not None
            and seqs[0] - first > -FAR
            and seqs[-1] - first < FAR
        )

    def _add_up(self, times_ms: Numbers, values: Numbers, hold_ms: int) -> None:
        """The totals of further samples, before they are entered."""
        newest_ms, holds, until_ms = self.newest_ms, self.newest_value, self.newest_until_ms
        area, held = self._newest_area, self._newest_held
        for place, (time_ms, value) in enumerate(zip(times_ms, values, strict=True), start=len(self._time)):
            held_ms = (time_ms if time_ms < until_ms else until_ms) - newest_ms
            area, held = area + holds * held_ms, held + held_ms
            newest_ms, holds, until_ms = time_ms, value, time_ms + hold_ms
            if place % EACH == 0:
                self._area.append(area)
                self._held.append(held)
        self._newest_area, self._newest_held = area, held
        self.newest_ms, self.newest_value, self.newest_until_ms = newest_ms, holds, until_ms

    def _forget_answers(self) -> None:
        """A sample comes: none of what was answered outlives it, nor takes room."""
        self._asked_ms = -1

    def _numbered(self, said: Identified, hold_ms: int) -> int:
        """How far a sample's number is from its origin's, which becomes the newest one's."""
        seq = said.seq
        if self._origins:
            device, boot, first, held_for_ms = self._origins[self._place]
            if said.device == device and said.boot == boot and held_for_ms == hold_ms:
                if seq is None or first is None:
                    if seq is first:
                        return 0
                elif -FAR < seq - first < FAR:
                    return seq - first
        self._place = self._placed(said, hold_ms)
        return (seq or 0) - (self._origins[self._place].seq or 0)

    def _placed(self, said: Identified, hold_ms: int) -> int:
        for place, (device, boot, first, held_for_ms) in enumerate(self._origins):
            if (device, boot, held_for_ms) == (said.device, said.boot, hold_ms):
                near = said.seq is not None and first is not None and -FAR < said.seq - first < FAR
                if near or said.seq is first:
                    return place
        if len(self._origins) > 2 * len(self._time) + 16:
            self._drop_unused_origins()
        self._origins.append(Origin(said.device, said.boot, said.seq, hold_ms))
        if len(self._origins) > MOST_NARROW and self._origin.typecode != WIDE:
            self._origin = array(WIDE, self._origin)
        return len(self._origins) - 1

    def _drop_unused_origins(self) -> None:
        """Devices come and go; only those with a sample still kept need a place."""
        used = sorted(set(self._origin))
        place = {old: new for new, old in enumerate(used)}
        self._origins = [self._origins[old] for old in used]
        self._origin = array(self._origin.typecode, (place[old] for old in self._origin))

    # what it holds

    def now(self, at_ms: int) -> int | None:
        """The value that holds at `at_ms`, or None if nothing does."""
        if at_ms >= self.newest_ms:
            return self.newest_value if at_ms < self.newest_until_ms else None
        index = self._index(at_ms)
        if index < 0 or at_ms >= self._at(index) + self._hold(index):
            return None
        return self._value[index]

    def holds_until(self, at_ms: int) -> int:
        """When the value of `at_ms` stops holding if nothing new comes; NEVER if nothing holds."""
        return NEVER if self.now(at_ms) is None else self.newest_until_ms

    def newest(self) -> tuple[int, int] | None:
        """The newest sample's time and value, whether it still holds or not."""
        return (self.newest_ms, self.newest_value) if self._time else None

    def _at(self, index: int) -> int:
        return self._base_ms + self._time[index]

    def _hold(self, index: int) -> int:
        return self._origins[self._origin[index]].hold_ms

    def _index(self, at_ms: int) -> int:
        """The place of the last sample at or before an instant; -1 before the first."""
        if at_ms >= self.newest_ms:
            return len(self._time) - 1
        return bisect_right(self._time, at_ms - self._base_ms) - 1

    def _totals_at(self, index: int, at_ms: int) -> tuple[int, int]:
        """The totals at an instant that a sample is the last before."""
        area, held = self._totals_of(index)
        held_ms = min(at_ms - self._at(index), self._hold(index))
        return area + self._value[index] * held_ms, held + held_ms

    def _totals_of(self, index: int) -> tuple[int, int]:
        """The totals at a sample's own time."""
        area, held = self._area[index // EACH], self._held[index // EACH]
        times, values, origins = self._time, self._value, self._origins
        for before in range(index - index % EACH, index):
            held_ms, hold_ms = times[before + 1] - times[before], origins[self._origin[before]].hold_ms
            if hold_ms < held_ms:
                held_ms = hold_ms
            area, held = area + values[before] * held_ms, held + held_ms
        return area, held

    def _totals_now(self, at_ms: int) -> tuple[int, int]:
        """The totals at an instant that no sample is later than."""
        until_ms = self.newest_until_ms
        held_ms = (at_ms if at_ms < until_ms else until_ms) - self.newest_ms
        return self._newest_area + self.newest_value * held_ms, self._newest_held + held_ms

    def _tail(self, span_ms: int, start_ms: int) -> int:
        """The last sample at or before a window's start; the cursor only ever moves on."""
        times, count = self._time, len(self._time)
        start_ms -= self._base_ms
        index = self._tails.get(span_ms, NEVER)
        if index == NEVER:
            index = bisect_right(times, start_ms) - 1
        while index + 1 < count and times[index + 1] <= start_ms:
            index += 1
        self._tails[span_ms] = index
        return index

    def _id(self, index: int) -> SampleId:
        device, boot, first, _ = self._origins[self._origin[index]]
        return SampleId(device, boot, None if first is None else first + self._seq[index])

    # what came late, and what is forgotten

    def _insert(self, index: int, time_ms: int, value: int, hold_ms: int, said: Identified) -> None:
        if index == 0 and self._at(0) <= self.newest_ms - self.retention_ms:
            return  # what it held ended before any window begins
        seq = self._numbered(said, hold_ms)
        columns = (self._time, self._value, self._seq, self._origin)
        for column, each in zip(columns, (time_ms - self._base_ms, value, seq, self._place), strict=True):
            column.insert(index, each)
        self._place = self._origin[-1]
        self._add_up_from(max(index - 1, 0) // EACH)
        self._tails.clear()
        self._crowded_ms = -NEVER

    def _add_up_from(self, row: int) -> None:
        """Totals anew after a row of samples, whose own beginning stands."""
        del self._area[row + 1 :], self._held[row + 1 :]
        for first in range((row + 1) * EACH, len(self._time), EACH):
            area, held = self._totals_at(first - 1, self._at(first))
            self._area.append(area)
            self._held.append(held)
        self._newest_area, self._newest_held = self._totals_of(len(self._time) - 1)

    def narrows_by(self, time_ms: int) -> bool:
        """Whether samples up to this instant may make it forget the last that is one of its bounds."""
        if time_ms < self._crowded_ms:
            return False
        before_ms = time_ms - self.retention_ms
        if before_ms > self.newest_ms:  # those that come may outlive each other
            return True
        if len(self) <= COMPACT_AFTER or self._at(COMPACT_AFTER) > before_ms:
            return False
        stay = self._value[self._index(before_ms) :]
        return self.lowest not in stay or self.highest not in stay

    def _forget_for(self, times_ms: Numbers) -> None:
        """What each of these, which were just entered together, makes it forget."""
        for time_ms in times_ms:
            if time_ms >= self._crowded_ms:
                self._forget(time_ms - self.retention_ms)

    def _forget(self, before_ms: int) -> None:
        """Cut off what no window reaches, keeping the sample that holds at the oldest start."""
        if len(self._time) <= COMPACT_AFTER:
            self._crowded_ms = self.newest_ms + self.retention_ms
            return
        if self._at(COMPACT_AFTER) > before_ms:
            self._crowded_ms = self._at(COMPACT_AFTER) + self.retention_ms
            return
        for column in (self._time, self._value, self._seq, self._origin):
            del column[:COMPACT_AFTER]
        del self._area[: COMPACT_AFTER // EACH], self._held[: COMPACT_AFTER // EACH]
        if self.lowest not in self._value or self.highest not in self._value:
            self._narrow()
        for span_ms in self._tails:
            self._tails[span_ms] = max(-1, self._tails[span_ms] - COMPACT_AFTER)

    def _narrow(self) -> None:
        self.lowest, self.highest = min(self._value, default=NEVER), max(self._value, default=-NEVER)

    # keeping it

    def snapshot(self, newer_than_ms: int | None = None) -> dict[str, Any] | None:
        """All state as plain values, None where there is none; without the samples up to an instant, so that
        `completed` is needed first.

        A column is its whole numbers as bytes, the lowest first on every machine: lists would take four times
        as long to write and to read."""
        if not self._time:
            return None
        left_out = 0 if newer_than_ms is None else self._index(newer_than_ms) + 1
        columns, rows = (self._time, self._value, self._seq, self._origin), _rows(left_out)
        return {
            "base_ms": self._base_ms,
            "codes": "".join([column.typecode for column in columns]),
            "columns": [written(column[left_out:]) for column in columns],
            "totals": [written(self._area[rows:]), written(self._held[rows:])],
            "origins": [*self._origins],
            "place": self._place,
            "bounds": [self.lowest, self.highest],
            "left_out": left_out,
        }

    def restore(self, kept: Mapping[str, Any] | None) -> None:
        """Take over what `snapshot` gave."""
        if kept is None:
            return
        codes, (area, held) = kept["codes"], kept["totals"]
        self._time, self._value, self._seq, self._origin = map(column_of, codes, kept["columns"])
        self._area, self._held = column_of(WIDE, area), column_of(codes[0], held)
        self._base_ms, self._place = kept["base_ms"], kept["place"]
        self._origins = [Origin(*origin) for origin in kept["origins"]]
        self._tails, self._crowded_ms = {}, -NEVER
        self.lowest, self.highest = kept["bounds"]
        self.newest_ms, self.newest_value = self._at(-1), self._value[-1]
        self.newest_until_ms = self.newest_ms + self._hold(-1)
        self._newest_area, self._newest_held = self._totals_of(len(self._time) - 1)


def _rows(samples: int) -> int:
    """How many totals there are of so many samples from the first on."""
    return -(-samples // EACH)


def completed(
    kept: Mapping[str, Any] | None, base: Mapping[str, Any] | None, newer_than_ms: int
) -> dict[str, Any] | None:
    """A snapshot's trend with the samples that it left out, out of the older one that it goes on from."""
    if kept is None:
        return None
    if not kept["left_out"]:
        return dict(kept)
    left_out, origins, codes = kept["left_out"], kept["origins"], kept["codes"]
    if base is None or base["base_ms"] != kept["base_ms"]:
        raise ValueError(HOLDS_TOO_LITTLE)
    older = list(map(column_of, base["codes"], base["columns"]))
    end = bisect_right(older[0], newer_than_ms - base["base_ms"])
    if left_out > end or (end - left_out) % EACH:
        raise ValueError(HOLDS_TOO_LITTLE)
    first, rows = (end - left_out) // EACH, _rows(left_out)
    older = [column[end - left_out : end] for column in older]
    if origins != base["origins"]:
        older[-1] = array(WIDE, [place + len(origins) for place in older[-1]])
        origins = [*origins, *base["origins"]]
    if len(origins) > MOST_NARROW:
        codes = codes[:-1] + WIDE
    older_totals = map(column_of, (WIDE, base["codes"][0]), base["totals"])
    totals = [column[first : first + rows] for column in older_totals]
    return {
        **kept,
        "codes": codes,
        "columns": _completed(codes, older, kept["codes"], kept["columns"]),
        "totals": _completed(WIDE + codes[0], totals, WIDE + kept["codes"][0], kept["totals"]),
        "origins": origins,
        "left_out": 0,
    }


HOLDS_TOO_LITTLE = "the snapshot that this one goes on from holds too little"


def _completed(codes: str, older: list[array[int]], newer_codes: str, newer: list[bytes]) -> list[bytes]:
    """Columns of these widths, the older part of each and then the newer."""
    whole = map(_joined, codes, older, map(column_of, newer_codes, newer))
    return list(map(written, whole))


def _joined(code: str, older: array[int], newer: array[int]) -> array[int]:
    """One column, of the width that is asked for."""
    if older.typecode == newer.typecode == code:
        return older + newer
    return array(code, chain(older, newer))


def written(column: array[int]) -> bytes:
    """A column that is nobody else's, as a snapshot has it."""
    if not LOWEST_BYTE_FIRST:
        column.byteswap()
    return column.tobytes()


def column_of(code: str, said: bytes) -> array[int]:
    """A column of numbers of this width, from what `written` gave."""
    column = array(code)
    column.frombytes(said)
    if not LOWEST_BYTE_FIRST:
        column.byteswap()
    return column
