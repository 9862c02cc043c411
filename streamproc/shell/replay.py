"""Recorded telemetry in, alert events out: no broker, no clock, the same bytes each time.

The clock is the largest `received` so far. Lines are put back in order of receipt within the
hold-back, so a file whose lines were shuffled that far gives what the file itself gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from streamproc.config import Settings
from streamproc.core.change import Change
from streamproc.shell.intake import Intake
from streamproc.shell.journal import read_only
from streamproc.shell.relive import begin, relived
from streamproc.wire import Received, encode
from streamproc.wire.announce import alert_event


@dataclass(slots=True)
class Replay:
    """A run over recorded messages; `intake.tally` counts them, `intake.ward` is where they went."""

    settings: Settings
    intake: Intake = field(init=False)
    begins_ms: int | None = None
    """When the first of the recorded messages was received."""

    def __post_init__(self) -> None:
        self.intake = Intake.from_settings(self.settings)

    def alerts(self, messages: Iterable[Received], until_ms: int | None = None) -> Iterator[bytes]:
        """Every alert event, in order of the feed, each as one line without its end."""
        yield from self._lines(self.changes(messages, until_ms))

    def journal(self, path: Path, until_ms: int | None = None) -> Iterator[bytes]:
        """The same of a service's journal."""
        with read_only(path) as journal:
            position = begin(self.intake, journal)
            yield from self._lines(relived(self.intake, journal, position, until_ms))

    def _lines(self, changes: Iterable[Change]) -> Iterator[bytes]:
        for change in changes:
            yield encode(alert_event(change, self.intake.settings.instance, change.ruleset))

    def changes(self, messages: Iterable[Received], until_ms: int | None = None) -> Iterator[Change]:
        """Every change, in order of the feed."""
        now_ms: int | None = None
        in_order = in_order_of_receipt(messages, self.intake.ward.limits.hold_back_ms)
        for received_ms, group in groupby(in_order, key=attrgetter("received_ms")):
            together = list(group)
            if now_ms is None:
                now_ms = self.begins_ms = received_ms
            now_ms = max(now_ms, received_ms)
            if until_ms is not None and now_ms > until_ms:
                break
            self.intake.look_back(now_ms, together)
            yield from self.intake.tick(now_ms)
            self.intake.take(now_ms, together)
        end_ms = until_ms if until_ms is not None else now_ms
        if end_ms is not None:
            yield from self.intake.tick(end_ms)


def in_order_of_receipt(messages: Iterable[Received], within_ms: int) -> Iterator[Received]:
    """The messages by receipt, then topic and payload, as far as they are displaced by `within_ms`."""
    waiting: list[Received] = []
    newest_ms = 0
    for message in messages:
        heapq.heappush(waiting, message)
        newest_ms = max(newest_ms, message.received_ms)
        while waiting[0].received_ms < newest_ms - within_ms:
            yield heapq.heappop(waiting)
    while waiting:
        yield heapq.heappop(waiting)
