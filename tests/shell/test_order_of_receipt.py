"""Recorded messages are taken in order of receipt, as far as they are displaced by the hold-back."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator, Sequence

from bench.door import received
from streamproc.config import load
from streamproc.shell.intake import Intake
from streamproc.shell.replay import in_order_of_receipt
from streamproc.wire import Received, write_line
from streamproc.wire.compared import Lines

WITHIN_MS, SEEDS, MESSAGES = 2_000, 40, 400


def one_by_one(messages: Iterable[Received], within_ms: int) -> Iterator[Received]:
    """As the order was defined first: the least of all that wait, once the newest is so far ahead of it."""
    waiting: list[Received] = []
    newest_ms = 0
    for message in messages:
        heapq.heappush(waiting, message)
        newest_ms = max(newest_ms, message.received_ms)
        while waiting[0].received_ms < newest_ms - within_ms:
            yield heapq.heappop(waiting)
    while waiting:
        yield heapq.heappop(waiting)


def displaced(chance: random.Random, by_ms: int) -> Sequence[Received]:
    """Messages of three topics, many at the same instant, each written down up to so much later."""
    messages = [
        Received(100 * (n // chance.randrange(1, 5)), chance.choice("abc"), b"%d" % chance.randrange(3))
        for n in range(MESSAGES)
    ]
    return sorted(messages, key=lambda message: message.received_ms + chance.uniform(0, by_ms))


def test_messages_come_in_order_of_receipt_then_of_topic_and_payload() -> None:
    for seed in range(SEEDS):
        messages = displaced(random.Random(seed), WITHIN_MS)
        told = list(in_order_of_receipt(messages, WITHIN_MS))
        assert [each for _, together in told for each in together] == sorted(messages), f"seed {seed}"
        assert [at_ms for at_ms, _ in told] == sorted({each.received_ms for each in messages}), f"seed {seed}"


def test_what_is_displaced_too_far_comes_as_soon_as_it_is_read() -> None:
    for seed in range(SEEDS):
        messages = displaced(random.Random(seed), 4 * WITHIN_MS)
        told = [each for _, together in in_order_of_receipt(messages, WITHIN_MS) for each in together]
        assert told == list(one_by_one(messages, WITHIN_MS)), f"seed {seed}"
        assert told != sorted(messages), f"seed {seed}"


def test_what_was_compared_is_taken_in_order_of_event_time() -> None:
    """Within an instant, as `take` has it."""
    intake = Intake.from_settings(load())
    recorded = received(2, 40)
    for each in recorded[:-8]:
        intake.live_through(each.received_ms, [each])
    reader = Lines(intake.known)
    list(reader.read(map(write_line, recorded[:-8])))
    last = list(reader.read(map(write_line, recorded[-8:])))
    compared = intake.compared(last[::-1])
    assert compared is not None
    times_ms = [said[0] for _, _, said in compared]
    assert times_ms == sorted(times_ms)
    assert [message for message, *_ in compared] != last[::-1]
