"""A central station: somebody there acknowledges what the feed told, in time, late, twice, or in vain."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streamproc.wire.instant import rfc3339

from .devices import EPOCH_S, Publishers, Sent
from .world import World

ACK = "alerts/v1/ack/station-1"
WORTH_A_LOOK = ("start", "escalate")
REACTION_S = (2, 900)
AGAIN_S = (1, 1800)
LONG_AGO_S = 86_400
"""A station whose clock is a day behind."""
HEARD_LATE_S = 600
"""So late that the time of the acknowledgement has passed the hold-back."""


@dataclass(slots=True)
class Station:
    """Acknowledges some of what it hears; an honest one only what an uninterrupted run would take as well."""

    world: World
    publishers: Publishers
    chance: random.Random
    honest: bool
    on_sent: Callable[[Sent], None]
    until_s: float
    _known: set[bytes] = field(default_factory=set)

    def hear(self, payload: bytes) -> None:
        """An event of the feed; a repeat is no news."""
        if payload in self._known:
            return
        self._known.add(payload)
        told, draw = json.loads(payload)["data"], self.chance.random()
        if told["phase"] in WORTH_A_LOOK and draw < 0.4:  # number: about as many as not
            self.world.after(self.chance.uniform(*REACTION_S), lambda: self._acknowledge(told["alert_id"]))

    def _acknowledge(self, alert_id: str) -> None:
        draw, given_s = self.chance.random(), self.world.now_s
        if draw < 0.05:
            given_s -= LONG_AGO_S
        elif draw < 0.10:
            alert_id = alert_id[::-1]
        elif draw < 0.20 and not self.honest:
            given_s -= HEARD_LATE_S
        self._publish(alert_id, given_s)
        if self.chance.random() < 0.2:
            again = lambda: self._publish(alert_id, given_s)  # noqa: E731 - the very same, some time later
            self.world.after(self.chance.uniform(*AGAIN_S), again)

    def _publish(self, alert_id: str, given_s: float) -> None:
        if self.world.now_s >= self.until_s:
            return
        sent = replace(acknowledgement(alert_id, given_s), at_s=self.world.now_s)
        self.on_sent(sent)
        self.publishers.publish([sent])


def acknowledgement(alert_id: str, given_s: float) -> Sent:
    """One that sets out when it is given; never dated after that, not even by a part of a ms."""
    time = rfc3339(int((EPOCH_S + given_s) * 1000))
    return Sent(given_s, ACK, f'{{"alert_id":"{alert_id}","by":"rn","time":"{time}"}}'.encode())
