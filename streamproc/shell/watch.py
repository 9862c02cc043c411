"""What the service has to say of itself: when it did not watch, and by which configuration it judges.

It is told through the journal, ahead of a batch's messages, so that recovery and replay live through
the same. Must never be told in the name of a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from streamproc.config import Settings
from streamproc.shell.journal import Recorded
from streamproc.wire import own, rfc3339

RESTARTED, STOOD_STILL = "this program was down", "this program stood still"
SESSION_LOST = "the broker had lost our session"
OUT_OF_REACH = "the broker was out of reach"


@dataclass(slots=True)
class Watch:
    """Times without a watch are found by the clock's leaps and by what the broker says of our session."""

    in_force: Settings
    wanted: Settings | None = None
    """To be judged by from the next batch on."""
    _why_leapt: str = RESTARTED
    _away_since_ms: int | None = None
    _session_lost_ms: int | None = field(default=None)
    _connected: bool = False
    _deaf_since_ms: int | None = None
    """Running, and without a broker, since then."""
    _deaf_from_ms: int | None = None
    """So it was until the broker greeted us a moment ago."""

    def begin(self, in_force: Settings, last_ms: int | None) -> None:
        """Recovered up to `last_ms`, judging by `in_force`; what is configured now is still to come."""
        configured, self.in_force, self._away_since_ms = self.in_force, in_force, last_ms
        if self.wanted is None and (last_ms is None or configured.judged_by() != in_force.judged_by()):
            self.wanted = configured  # unless a reload has asked for another meanwhile

    def connected(self, session_present: bool) -> None:
        """The broker has greeted us; without our session, it kept nothing of what was sent meanwhile."""
        if not session_present:
            self._session_lost_ms = self._away_since_ms
        if self._deaf_from_ms is None:  # or an absence of a moment ago is still to be told
            self._deaf_from_ms = self._deaf_since_ms
        self._deaf_since_ms = self._away_since_ms = None
        self._connected = True

    def disconnected(self, last_ms: int | None) -> None:
        """The broker is gone since the last round."""
        self._connected = False
        if self._away_since_ms is None:
            self._away_since_ms = self._deaf_since_ms = last_ms

    def tell(self, now_ms: int, last_ms: int | None) -> list[Recorded]:
        """What is to be told in the batch of this instant, in the order in which it counts.

        An instant that has had a batch already gets none: a recording knows no order within it."""
        if last_ms is not None and now_ms <= last_ms:
            return []
        told = list(self._configured())
        if self.in_force.clock.source == "wall" and last_ms is not None:
            told += self._unwatched(now_ms, last_ms)
        self._why_leapt = STOOD_STILL
        if not self._connected and self._deaf_since_ms is None:
            leapt = last_ms is not None and now_ms - last_ms >= self.in_force.unwatched_ms
            self._deaf_since_ms = now_ms if leapt or last_ms is None else last_ms
        return told

    def _configured(self) -> Iterator[Recorded]:
        if self.wanted is not None:
            self.in_force, self.wanted = self.wanted, None
            yield Recorded(own.CONFIGURED, own.configured(self.in_force.judged_by()), False)

    def _unwatched(self, now_ms: int, last_ms: int) -> Iterator[Recorded]:
        since_ms, why = last_ms, []
        if now_ms - last_ms >= self.in_force.unwatched_ms:
            why.append(self._why_leapt)
        if self._session_lost_ms is not None:
            since_ms, self._session_lost_ms = self._session_lost_ms, None
            why.append(SESSION_LOST)
        deaf_from_ms, self._deaf_from_ms = self._deaf_from_ms, None
        if deaf_from_ms is not None and now_ms - deaf_from_ms >= self.in_force.unwatched_ms:
            since_ms = min(since_ms, deaf_from_ms)
            why.append(OUT_OF_REACH)
        if why:
            told = f"{', and '.join(why)} ({rfc3339(since_ms)} to {rfc3339(now_ms)})"
            yield Recorded(own.UNWATCHED, own.unwatched(since_ms, now_ms, told), False)
