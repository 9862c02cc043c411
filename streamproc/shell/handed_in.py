"""What is handed in otherwise than by the broker: it waits for a round, and is answered once that is on disk.

Must never be answered before: who was told that it counts does not ask again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streamproc.shell.journal import Message
from streamproc.shell.packets import Delivery
from streamproc.wire import Rejected

NO_CONNECTION = -1
"""Of a message that came otherwise than from the broker: nothing is to be answered there."""
ANSWERED_WITHIN_S = 10.0
"""A disk that hangs answers nobody; after this nobody knows whether it will count."""


class NotTaken(Exception):
    """It is not durable, or nobody knows whether it is; the same may be handed in again."""


@dataclass(slots=True)
class HandedIn:
    """Messages that wait for a round, and those of the round under way, each with whoever waits for it."""

    waiting: list[Delivery] = field(default_factory=list)
    answers: dict[int, asyncio.Future[Rejected | None]] = field(default_factory=dict)
    closed: str | None = None
    """Why nothing is taken any more."""
    _under_way: list[Delivery] = field(default_factory=list)
    _number: int = 0

    async def enter(self, topic: str, payload: bytes) -> Rejected | None:
        """Once it is durable: None if it counts, else why it does not. Raises `NotTaken`."""
        if self.closed is not None:
            raise NotTaken(self.closed)
        self._number += 1
        self.waiting.append(Delivery(topic, payload, 0, False, self._number, NO_CONNECTION))
        answer: asyncio.Future[Rejected | None] = asyncio.get_running_loop().create_future()
        self.answers[self._number] = answer
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                return await answer
        except TimeoutError:
            wrong = f"not on disk after {ANSWERED_WITHIN_S:g} s, and it may still count"
            raise NotTaken(f"{wrong}; right would be to look, then to ask again") from None

    def take(self) -> list[Delivery]:
        """What the round that now begins takes over."""
        taken, self.waiting = self.waiting, []
        self._under_way += taken
        return taken

    def refuse(self, message: Message, rejected: Rejected) -> None:
        """The round would not have it; nothing happens if it came from the broker."""
        if isinstance(message, Delivery) and message.connection == NO_CONNECTION:
            self._answer(message, rejected)

    def settle(self) -> None:
        """The round is durable and judged: what it has not refused counts."""
        for delivery in self._under_way:
            self._answer(delivery, None)
        self._under_way.clear()

    def _answer(self, delivery: Delivery, rejected: Rejected | None) -> None:
        answer = self.answers.pop(delivery.packet_id, None)
        if answer is not None and not answer.done():  # nobody waits any more for one that was cancelled
            answer.set_result(rejected)

    def close(self, why: str) -> None:
        """There will be no further round."""
        self.closed = why
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(NotTaken(why))
        self.answers.clear()
