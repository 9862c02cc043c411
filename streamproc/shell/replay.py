"""Recorded telemetry in, alert events out: no broker, no clock, the same bytes each time.

The clock is the largest `received` so far. Lines are put back in order of receipt within the
hold-back, so a file whose lines were shuffled that far gives what the file itself gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
        intake = self.intake
        now_ms: int | None = None
        for received_ms, together in in_order_of_receipt(messages, intake.ward.limits.hold_back_ms):
            if now_ms is None:
                now_ms = self.begins_ms = received_ms
            elif received_ms > now_ms:
                now_ms = received_ms
            if until_ms is not None and now_ms > until_ms:
                break
            if len(together) == 1 and intake.pass_on(now_ms, together[0]):
                continue
            compared = intake.compared(together)
            if compared is None:
                intake.look_back(now_ms, together)
            if changes := intake.tick(now_ms):
                yield from changes
            if compared is None:
                intake.take(now_ms, together)
            else:
                intake.take_compared(now_ms, compared)
        end_ms = until_ms if until_ms is not None else now_ms
        if end_ms is not None:
            yield from intake.tick(end_ms)


Instant = tuple[int, Sequence[Received]]
"""What was received at one instant, in order of topic and payload."""


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
