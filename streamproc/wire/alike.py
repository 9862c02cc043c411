"""Messages that differ from an earlier one of their topic only in number, time and figure.

Whatever else stands in them stands byte for byte as in the earlier one, which went through the door: so
they say the same, and need not be read anew. Any other payload gets no answer here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from streamproc.wire.instant import instant_ms
from streamproc.wire.mmhg import milli_mmhg, mmhg
from streamproc.wire.plain import is_plain
from streamproc.wire.rejected import Refused

_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?")
"""A figure of few digits, as JSON has it: below any limit of the contract."""
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

    def __missing__(self, written: bytes) -> float | None:
        if len(self) >= FIGURES_MAX:
            self.clear()
        self[written] = read = self.read(written)
        return read

    def read(self, written: bytes) -> float | None:
        """Of messages without a figure: nothing may stand there."""
        return None if written else 0.0


class Volumes(Figures):
    """Figures in mL."""

    def read(self, written: bytes) -> float | None:
        """In mL."""
        return float(written) if _NUMBER.fullmatch(written) else None


class Pressures(Figures):
    """Plausible figures in one unit."""

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
    """One half of a time, its second or what follows, each with its ms; any other text is `Refused`."""

    def __init__(self, before: str, behind: str) -> None:
        super().__init__()
        self.before, self.behind = before, behind

    def __missing__(self, text: bytes) -> int:
        if len(self) >= FIGURES_MAX:
            self.clear()
        self[text] = read = instant_ms(self.before + text.decode("ascii", "replace") + self.behind)
        return read


_VOLUMES, _NO_FIGURE = Volumes(), Figures()
_NOWHERE = b"\0"
"""What stands between no two parts."""
_SECONDS, _PARTS = Times("", "Z"), Times("1970-01-01T00:00:00", "")
_SECOND_CHARACTERS = len("2026-11-23T08:15:02")
_ZERO = b"0"[0]


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
    has_figure: bool
    figures: Figures

    def read(self, payload: bytes) -> Said | None:
        """What a payload says that is like the one that this was made of."""
        before, behind = self.before, self.behind
        if not (payload.startswith(before) and payload.endswith(behind)):
            return None
        first, found, rest = payload[len(before) : -len(behind)].partition(self.between)
        second, last, third = rest.partition(self.between_last)
        parts = (first, second, third)
        number, time = parts[self.number_at], parts[self.time_at]
        if not (found and bool(last) is self.has_figure and number.isdigit() and len(number) <= SEQ_DIGITS):
            return None
        figure = self.figures[parts[self.figure_at]]
        if figure is None or (number[0] == _ZERO and len(number) > 1):
            return None
        try:
            time_ms = _SECONDS[time[:_SECOND_CHARACTERS]] + _PARTS[time[_SECOND_CHARACTERS:]]
        except Refused:
            return None
        return time_ms, int(number), figure


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
        between[1] if figure is not None else _NOWHERE,
        _shared(payload[in_order[-1][1] :]),
        in_order.index(spans[0]),
        in_order.index(spans[1]),
        in_order.index(spans[2]) if figure is not None else len(spans),
        figure is not None,
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
