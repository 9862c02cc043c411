"""The feed as it is kept for whoever asks later: each event sealed, and every number accounted for.

Must never give a consumer another byte, or less than all that it asked for, without saying so.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

Event = tuple[int, int, bytes]
"""An event of the feed: its number, its time in ms, and the payload as it is published."""
Told = tuple[int, bytes]
"""An event as a consumer gets it: its number and its payload."""
Skipped = Sequence[tuple[int, int]]
"""From which number to which another program may have given out some, and ours none."""


class FeedDamaged(Exception):
    """Events are damaged or missing; the message says which, and after which number the feed goes on."""

    def __init__(self, first_seq: int, last_seq: int) -> None:
        which = f"event {first_seq}" if first_seq == last_seq else f"events {first_seq} to {last_seq}"
        right = f"right would be after={last_seq}, and to take what came in between for missed"
        super().__init__(f"{which} of the feed that is kept, damaged or missing; {right}")


def sealed(event: Event) -> tuple[int, int, bytes, int]:
    """As it is kept: with a checksum over all of it."""
    return (*event, _checksum(*event))


def _checksum(feed_seq: int, time_ms: object, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(f"{feed_seq} {time_ms} ".encode(errors="replace")))


def unsealed(rows: Iterable[tuple[int, object, object, object]]) -> Iterator[tuple[int, bytes | None]]:
    """Each kept row as it is told; without a payload where it is not what was written."""
    for feed_seq, time_ms, payload, checksum in rows:
        if not isinstance(payload, bytes) or checksum != _checksum(feed_seq, time_ms, payload):
            payload = None
        yield feed_seq, payload


def unbroken(
    after_seq: int,
    kept: Iterable[tuple[int, bytes | None]],
    newest: Sequence[Told],
    last_seq: int,
    skipped: Skipped,
) -> Iterator[Told]:
    """The events after a number, those not kept yet (`newest`) behind those that are, up to `last_seq`.

    It ends before the first that is damaged or missing; the next question, which begins there, raises."""
    at_seq = after_seq
    later = ((feed_seq, payload) for feed_seq, payload in newest if feed_seq > at_seq)
    for feed_seq, payload in chain(kept, later):
        if payload is None or _missing(at_seq, feed_seq - 1, skipped):
            last_seq = feed_seq if payload is None else feed_seq - 1
            skipped = ()
            break
        yield feed_seq, payload
        at_seq = feed_seq
    if at_seq == after_seq and _missing(at_seq, last_seq, skipped):
        raise FeedDamaged(at_seq + 1, last_seq)


def _missing(at_seq: int, up_to: int, skipped: Skipped) -> bool:
    """Whether a number after this one was given out, up to another."""
    return at_seq < up_to and not any(first <= at_seq + 1 and up_to <= last for first, last in skipped)


def with_skipped(mark: object, first_seq: int, last_seq: int, forgotten: object) -> str:
    """The mark of what was skipped, with one more stretch; without those that are forgotten anyway.

    Stretches that touch become one: a hole in the feed may be as long as both."""
    forgotten_seq = forgotten if isinstance(forgotten, int) else 0
    stretches = [stretch for stretch in read_skipped(mark) if stretch[1] > forgotten_seq]
    joined = list[tuple[int, int]]()
    for first, last in sorted([*stretches, (first_seq, last_seq)]):
        if joined and first <= joined[-1][1] + 1:
            first, last = joined[-1][0], max(joined.pop()[1], last)
        joined.append((first, last))
    return json.dumps(joined)


def read_skipped(mark: object) -> Skipped:
    """What the mark says; nothing where there is none."""
    return [(first, last) for first, last in json.loads(mark)] if isinstance(mark, str) else []
