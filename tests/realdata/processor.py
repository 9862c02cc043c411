"""The processor itself over the lines of one stay: its doses, its verdicts, its refusals.

Only feeds and watches: every figure comes from the ward. The clock is told of each event time in
turn, so that the dose can be read after each instant; how often it ticks changes no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush

from dose_history import SILENT, DoseAt

from streamproc.config.load import load
from streamproc.config.settings import Settings
from streamproc.core.dose import NANO, DoseUnknown
from streamproc.core.events import Acknowledged, BedEvent
from streamproc.core.ward import Ward
from streamproc.wire.decode import Decoder
from streamproc.wire.digest import digest
from streamproc.wire.recorded import Received, read_lines
from streamproc.wire.rejected import Rejected
from streamproc.wire.topics import Topics

DRUG = "norepinephrine"


@dataclass(slots=True)
class Replayed:
    """What the processor made of one stay."""

    history: list[DoseAt] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    announced: Counter[str] = field(default_factory=Counter)


def replay(lines: Iterable[str], overrides: Sequence[str], *, end_s: float = 0) -> Replayed:
    """Run one bed's lines through decoder and ward, and on for `end_s` after the last of them."""
    settings = _settings(tuple(overrides))
    ward = Ward(settings.core_rules(), settings.core_terms(), settings.core_limits())
    decoder = Decoder(Topics(), settings.spellings())
    replayed = Replayed()
    pending: list[int] = []
    received_ms = 0
    for message in read_lines(line.encode() for line in lines):
        received_ms = message.received_ms
        _advance(ward, pending, received_ms, replayed)
        replayed.verdicts[_offer(ward, decoder, message, pending)] += 1
    _advance(ward, pending, received_ms + round(end_s * 1000), replayed)
    return replayed


@cache
def _settings(overrides: tuple[str, ...]) -> Settings:
    return load(None, overrides)


def _offer(ward: Ward, decoder: Decoder, message: Received, pending: list[int]) -> str:
    """Hand one message over; its event's time will be looked at once the hold-back lets it happen."""
    event: BedEvent | Acknowledged | Rejected
    event = decoder.decode(message.topic, message.payload, message.received_ms, message.retained)
    if isinstance(event, Rejected):
        if event.artefact is not None:
            ward.note_artefact(event.artefact, message.received_ms)
        return event.reason.value
    heappush(pending, event.time_ms + ward.limits.hold_back_ms)
    return ward.offer(event, message.received_ms, digest(message.payload)).value


def _advance(ward: Ward, pending: list[int], to_ms: int, replayed: Replayed) -> None:
    for now_ms in _instants(pending, to_ms):
        replayed.announced.update(change.rule.id for change in ward.tick(now_ms))
        for bed in ward.beds.values():
            dose = bed.chart.infusions.dose(DRUG)
            if dose is None or (replayed.history and replayed.history[-1].time_ms == dose.since_ms):
                continue
            known = None if dose.per_kg_nano is None else Fraction(dose.per_kg_nano, NANO)
            why = SILENT if dose.unknown is DoseUnknown.CONTACT_LOST else dose.unknown or ""
            replayed.history.append(DoseAt(dose.since_ms, known, why))


def _instants(pending: list[int], to_ms: int) -> Iterator[int]:
    while pending and pending[0] <= to_ms:
        yield heappop(pending)
    yield to_ms
