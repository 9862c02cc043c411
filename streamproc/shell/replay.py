"""Recorded telemetry in, alert events out: no broker, no clock, the same bytes each time.

The clock is the largest `received` so far. Lines are put back in order of receipt within the
hold-back, so a file whose lines were shuffled that far gives what the file itself gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from streamproc.config import Settings
from streamproc.core.change import Change
from streamproc.core.finding import NEVER
from streamproc.shell.intake import Instant, Intake
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
        intake, latest_ms = self.intake, NEVER if until_ms is None else until_ms
        instants = in_order_of_receipt(messages, intake.ward.limits.hold_back_ms)
        while (instant := intake.pass_on(instants, latest_ms)) is not None:
            received_ms, together = instant
            if self.begins_ms is None:
                self.begins_ms = received_ms
            now_ms = max(received_ms, intake.ward.clock_ms or received_ms)
            if now_ms > latest_ms:
                break
            compared = intake.compared(together)
            if compared is None:
                intake.look_back(now_ms, together)
            yield from intake.tick(now_ms)
            if compared is None:
                intake.take(now_ms, together)
            else:
                intake.take_compared(now_ms, compared)
        end_ms = intake.ward.clock_ms if until_ms is None else until_ms
        if end_ms is not None:
            yield from intake.tick(end_ms)


def in_order_of_receipt(messages: Iterable[Received], within_ms: int) -> Iterator[Instant]:
    """The messages instant by instant, as far as they are displaced by `within_ms`."""
    together: dict[int, list[Received]] = {}
    instants, newest_ms, past_ms = list[int](), -1, -1
    for message in messages:
        received_ms = message[0]
        if received_ms > newest_ms:
            newest_ms, past_ms = received_ms, received_ms - within_ms
        elif (others := together.get(received_ms)) is not None:
            others.append(message)
            continue
        together[received_ms] = [message]
        heapq.heappush(instants, received_ms)
        while instants[0] < past_ms:
            first_ms = heapq.heappop(instants)
            yield first_ms, _in_order(together.pop(first_ms))
    for last_ms in sorted(instants):
        yield last_ms, _in_order(together[last_ms])


def _in_order(messages: list[Received]) -> list[Received]:
    if len(messages) > 1:
        messages.sort(key=_ORDER)
    return messages


_ORDER = attrgetter("topic", "payload", "retained")
