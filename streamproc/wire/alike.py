"""Messages that differ from an earlier one of their topic only in number, time and figure.

Whatever else stands in them stands byte for byte as in the earlier one, which went through the door: so
they say the same, and need not be read anew. Any other payload gets no answer here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

from streamproc.wire.instant import instant_ms
from streamproc.wire.mmhg import milli_mmhg, mmhg
from streamproc.wire.plain import is_plain
from streamproc.wire.rejected import Refused
from streamproc.wire.strict_json import is_compact

_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?")
"""A figure of few digits, as JSON has it: below any limit of the contract."""
_FIGURE_WRITTEN = rb"[0-9.]+"
_SEQ = re.compile(rb'"seq": ?([0-9]+)(?=[,}\s])')
_TIME = re.compile(rb'"time": ?"([^"]*)"')
_FIGURE = {
    "map": re.compile(rb'"value": ?([^,} ]+)'),
    "pump": re.compile(rb'"volume_remaining": ?\{"value": ?([^,} ]+)'),
}
_VOLUME = b'"volume_remaining"'
_UNIT = re.compile(rb'"unit": ?"([^"]*)"')
SEQ_DIGITS = 15
"""So long a number is below `SEQ_MAX`."""
ROOM_BYTES = 64
"""By less than this a message can be longer than the one that it is like."""
FIGURES_MAX = 4096
"""Figures whose reading is remembered."""

Said = tuple[int, int, float]
"""Time in ms, number, and figure: thousandths of a mmHg, or mL."""


class Figures(dict[bytes, float | None]):
    """Figures as they are written, and what each says; None where it must be looked at more closely."""

    written: bytes = b""
    """How one may be written, as a pattern."""

    def __missing__(self, written: bytes) -> float | None:
        if len(self) >= FIGURES_MAX:
            self.clear()
        self[written] = read = self.read(written)
        return read

    def read(self, written: bytes) -> float | None:
        """Of messages without a figure: nothing may stand there."""
        return None if written else 0.0

    @cached_property
    def as_we_write(self) -> Figures:
        """The same of figures that stand as we write them; None of any other."""
        return AsWeWrite(self)


class AsWeWrite(Figures):
    """Figures of recorded lines: of another spelling the payload is not what stands there."""

    def __init__(self, figures: Figures) -> None:
        super().__init__()
        self.figures, self.written = figures, figures.written

    def read(self, written: bytes) -> float | None:
        """As the others read it."""
        return self.figures[written] if not written or is_compact(written) else None


class Volumes(Figures):
    """Figures in mL."""

    written = _FIGURE_WRITTEN

    def read(self, written: bytes) -> float | None:
        """In mL."""
        return float(written) if _NUMBER.fullmatch(written) else None


class Pressures(Figures):
    """Plausible figures in one unit."""

    written = _FIGURE_WRITTEN

    def __init__(self, unit: str, low_mmhg: float, high_mmhg: float) -> None:
        super().__init__()
        self.unit, self.low_mmhg, self.high_mmhg = unit, low_mmhg, high_mmhg

    def read(self, written: bytes) -> float | None:
        """In thousandths of a mmHg."""
        if not _NUMBER.fullmatch(written):
            return None
        pressure = mmhg(float(written), self.unit)
        return milli_mmhg(pressure) if self.low_mmhg <= pressure <= self.high_mmhg else None


class Times(dict[bytes, int]):
    """One part of a time, each with its ms; any other text is `Refused`."""

    def __init__(self, before: str, behind: str) -> None:
        super().__init__()
        self.before, self.behind = before, behind

    def __missing__(self, text: bytes) -> int:
        if len(self) >= FIGURES_MAX:
            self.clear()
        self[text] = read = instant_ms(self.before + text.decode("ascii", "replace") + self.behind)
        return read


class Seconds(dict[bytes, int]):
    """Seconds, each with its ms; of many one minute and sixty ends are read. Any other text is `Refused`."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= FIGURES_MAX:
            self.clear()
        self[text] = read = _MINUTES[text[:MINUTE_CHARACTERS]] + _ENDS[text[MINUTE_CHARACTERS:]]
        return read


_VOLUMES, _NO_FIGURE = Volumes(), Figures()
_MINUTES, _ENDS = Times("", ":00Z"), Times("1970-01-01T00:00", "Z")
SECONDS, PARTS = Seconds(), Times("1970-01-01T00:00:00", "")
MINUTE_CHARACTERS = len("2026-11-23T08:15")
SECOND_CHARACTERS = len("2026-11-23T08:15:02")
_NUMBERED = rb"0|[1-9][0-9]{0,%d}" % (SEQ_DIGITS - 1)
_TIMED = rb'[^"]*'


@dataclass(slots=True)
class Alike:
    """What stands before, between and behind the parts that differ, and which of them is which."""

    before: bytes
    between: bytes
    between_last: bytes
    behind: bytes
    number_at: int
    time_at: int
    figure_at: int
    figures: Figures
    part: Part = field(init=False)

    def __post_init__(self) -> None:
        lengths = len(self.before), len(self.between), len(self.between_last), len(self.behind)
        order = self.number_at, self.time_at, self.figure_at
        self.part = _parting(lengths, order, self.figures.written)

    def read(self, payload: bytes, begins: int = 0) -> Said | None:
        """What a payload says that is like the one that this was made of; it may begin within a line."""
        parted = self.part(payload, begins)
        if parted is None:
            return None
        before, first, between, second, last, third, behind = parted.groups()
        as_before = before == self.before and behind == self.behind
        if not as_before or between != self.between or last != self.between_last:
            return None
        parts = (first, second, third)
        figure, time = self.figures[parts[self.figure_at]], parts[self.time_at]
        if figure is None:
            return None
        try:
            time_ms = SECONDS[time[:SECOND_CHARACTERS]] + PARTS[time[SECOND_CHARACTERS:]]
        except Refused:
            return None
        return time_ms, int(parts[self.number_at]), figure


Part = Callable[[bytes, int], re.Match[bytes] | None]


@lru_cache(maxsize=256)
def _parting(lengths: tuple[int, ...], order: tuple[int, ...], figure: bytes) -> Part:
    """What takes messages apart whose parts stand so far from each other, alike or not."""
    parts = [b""] * len(order)
    for at, written in zip(order, (_NUMBERED, _TIMED, figure), strict=True):
        parts[at] = b"(%b)" % written
    fixed = [b"(.{%d})" % length for length in lengths]
    pattern = fixed[0] + b"".join(part + behind for part, behind in zip(parts, fixed[1:], strict=True))
    return re.compile(pattern, re.DOTALL).fullmatch


def alike(kind: str, payload: bytes, low_mmhg: float, high_mmhg: float) -> Alike | None:
    """What is like a MAP or pump message that was read; None where its parts are not plain to see."""
    if not is_plain(payload):
        return None
    seq, time, figure = _SEQ.search(payload), _TIME.search(payload), _FIGURE[kind].search(payload)
    if seq is None or time is None or (figure is None and (kind == "map" or _VOLUME in payload)):
        return None
    figures = _figures(kind, payload, low_mmhg, high_mmhg)
    if figures is None:
        return None
    spans = [found.span(1) for found in (seq, time, figure) if found is not None]
    in_order = sorted(spans)
    between = [_shared(payload[end:begin]) for (_, end), (begin, _) in pairwise(in_order)]
    return Alike(
        payload[: in_order[0][0]],
        between[0],
        between[1] if figure is not None else b"",
        _shared(payload[in_order[-1][1] :]),
        in_order.index(spans[0]),
        in_order.index(spans[1]),
        in_order.index(spans[2]) if figure is not None else len(spans),
        figures if figure is not None else _NO_FIGURE,
    )


def _figures(kind: str, payload: bytes, low_mmhg: float, high_mmhg: float) -> Figures | None:
    if kind == "pump":
        return _VOLUMES
    unit = _UNIT.search(payload)
    return None if unit is None else _pressures(unit[1].decode(), low_mmhg, high_mmhg)


@lru_cache(maxsize=16)
def _pressures(unit: str, low_mmhg: float, high_mmhg: float) -> Pressures:
    """One for all monitors that speak in this unit."""
    return Pressures(unit, low_mmhg, high_mmhg)


@lru_cache(maxsize=1024)
def _shared(part: bytes) -> bytes:
    """The same bytes in one place: what stands between is alike in all devices of a make."""
    return part
