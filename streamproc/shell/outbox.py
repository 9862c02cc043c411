"""Every alert event is published until the broker has acknowledged it: at least once, in order.

What is waiting is part of the snapshot, and what came after it is computed again from the
journal, so a crash repeats events but loses none. Repeats carry the same id and feed_seq.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.wire import TOMBSTONE, Topics, encode
from streamproc.wire.announce import alert_event

GHOST_MS = 24 * 3_600_000
"""For so long a broker that goes back to an older memory is told again of what was taken down."""


class Sender(Protocol):
    """What the outbox needs of the broker connection."""

    @property
    def publish_room(self) -> int: ...

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = ..., qos: Any = ..., token: Hashable = ...
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One alert event on its way: the feed's line, and the topic that shows the alert's newest state."""

    feed_seq: int
    state_topic: str
    payload: bytes
    decided_ms: int


@dataclass(slots=True)
class Outbox:
    """Alert events waiting to be sent or to be acknowledged, and retained states to be taken down."""

    topics: Topics
    instance: str
    tombstone_after_ms: int
    on_delivered: Callable[[Outgoing], None] = lambda outgoing: None
    acknowledged_seq: int = 0
    numbered_seq: int = 0
    """Up to here numbers count as given out, whatever program comes after us; none above it is sent."""
    waiting: deque[Outgoing] = field(default_factory=deque)
    sent: dict[int, Outgoing] = field(default_factory=dict)
    refused: dict[int, Outgoing] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    taken_down: list[tuple[int, str, int]] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    unkept: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Events that the next commit is to keep for whoever asks for them later."""
    to_show: dict[str, None] = field(default_factory=dict)
    """Topics of which the broker may keep an older state, or none."""
    not_shown: dict[str, None] = field(default_factory=dict)
    """Topics whose state the broker would not have."""
    gone: dict[str, int] = field(default_factory=dict)
    """Topics taken down, oldest first, and until when a broker may bring back what they showed."""

    def put(self, change: Change) -> None:
        """Take over a change; one that the broker already has (a replay after a crash) is only shown."""
        payload = encode(alert_event(change, self.instance, change.ruleset))
        topic = self.topics.alert(change.bed, change.rule.id)
        self.shown[topic] = payload
        self.gone.pop(topic, None)
        self.unkept.append((change.feed_seq, change.time_ms, payload))
        if change.phase is Phase.END:
            due_ms = change.time_ms + self.tombstone_after_ms
            heapq.heappush(self.taken_down, (due_ms, topic, change.feed_seq))
        if change.feed_seq > self.acknowledged_seq:
            self.waiting.append(Outgoing(change.feed_seq, topic, payload, change.decided_ms))

    def send(self, sender: Sender, now_ms: int) -> None:
        """Hand over as much as the connection takes, in order; then what is due to be taken down.

        An event that is sent late, or again, does not take the place of a newer state that is shown.
        """
        while self._next_seq <= self.numbered_seq and sender.publish_room >= 2:
            outgoing = self.waiting.popleft()
            if self.shown.get(outgoing.state_topic) == outgoing.payload:
                self._show(sender, outgoing.state_topic)
            sender.publish(self.topics.feed, outgoing.payload, token=outgoing.feed_seq)
            self.sent[outgoing.feed_seq] = outgoing
        while self.taken_down and self.taken_down[0][0] <= now_ms and sender.publish_room:
            _, topic, feed_seq = heapq.heappop(self.taken_down)
            shown = self.shown.get(topic)
            if shown is not None and json.loads(shown)["data"]["feed_seq"] == feed_seq:
                del self.shown[topic]
                self.gone[topic] = now_ms + GHOST_MS
                self._show(sender, topic)
        while self.gone and next(iter(self.gone.values())) <= now_ms:
            del self.gone[next(iter(self.gone))]
        while self.to_show and sender.publish_room:
            self._show(sender, self.to_show.popitem()[0])

    def _show(self, sender: Sender, topic: str) -> None:
        self.to_show.pop(topic, None)
        sender.publish(topic, self.shown.get(topic, TOMBSTONE), retain=True, token=topic)

    def show_again(self) -> None:
        """On a new connection the broker may have lost what was retained, gone back to older states, or been
        mended: say what stands."""
        self.to_show = dict.fromkeys((*self.gone, *self.shown)) | self.not_shown
        self.not_shown.clear()

    def refuse_state(self, topic: str) -> None:
        """The broker would not have an alert's newest state: `show_again` tries once more."""
        self.not_shown[topic] = None

    @property
    def _next_seq(self) -> float:
        return self.waiting[0].feed_seq if self.waiting else inf

    def acknowledge(self, feed_seq: int) -> None:
        """The broker has this event of the feed."""
        outgoing = self.sent.pop(feed_seq, None)
        if outgoing is not None:
            self.on_delivered(outgoing)
        self._finish([feed_seq])

    def refuse(self, feed_seq: int) -> None:
        """The broker would not have this event: it stays undelivered until `try_refused_again`."""
        outgoing = self.sent.pop(feed_seq, None)
        if outgoing is not None:
            self.refused[feed_seq] = outgoing

    def try_refused_again(self) -> None:
        """On a new connection the broker may have been mended."""
        self.waiting.extendleft(self.refused[seq] for seq in sorted(self.refused, reverse=True))
        self.refused.clear()

    def delivered_up_to(self, feed_seq: int) -> None:
        """A mark, newer than the snapshot, says that the broker has all of these."""
        self.acknowledged_seq = max(self.acknowledged_seq, feed_seq)
        self.waiting = deque(
            outgoing for outgoing in self.waiting if outgoing.feed_seq > self.acknowledged_seq
        )
        self.done = {seq for seq in self.done if seq > self.acknowledged_seq}

    def skip(self, after: int, up_to: int) -> None:
        """Numbers that another program may have given out, and that none of ours will have."""
        self._finish(range(after + 1, up_to + 1))

    def _finish(self, numbers: Iterable[int]) -> None:
        self.done.update(numbers)
        while self.acknowledged_seq + 1 in self.done:
            self.acknowledged_seq += 1
            self.done.discard(self.acknowledged_seq)

    @property
    def undelivered(self) -> int:
        """Events that the broker has not acknowledged yet."""
        return len(self.waiting) + len(self.sent) + len(self.refused)

    def snapshot(self) -> dict[str, Any]:
        """All state as plain JSON values."""
        on_their_way = self.sent | self.refused
        unacknowledged = [on_their_way[seq] for seq in sorted(on_their_way)] + list(self.waiting)
        return {
            "acknowledged_seq": self.acknowledged_seq,
            "done": sorted(self.done),
            "unkept": [[seq, time_ms, payload.decode()] for seq, time_ms, payload in self.unkept],
            "waiting": [
                [o.feed_seq, o.state_topic, o.payload.decode(), o.decided_ms] for o in unacknowledged
            ],
            "shown": {topic: payload.decode() for topic, payload in self.shown.items()},
            "taken_down": [list(entry) for entry in self.taken_down],
            "gone": self.gone,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave; what was sent and not acknowledged is sent again."""
        self.acknowledged_seq = kept["acknowledged_seq"]
        self.done = set(kept["done"])
        self.unkept = [(seq, time_ms, payload.encode()) for seq, time_ms, payload in kept["unkept"]]
        self.waiting = deque(
            Outgoing(seq, topic, payload.encode(), decided_ms)
            for seq, topic, payload, decided_ms in kept["waiting"]
        )
        self.shown = {topic: payload.encode() for topic, payload in kept["shown"].items()}
        self.taken_down = [(due, topic, seq) for due, topic, seq in kept["taken_down"]]
        self.gone = dict(kept["gone"])
