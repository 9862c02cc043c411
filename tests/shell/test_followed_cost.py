"""What a message costs that says nothing new, from payload to history; counted and never timed.

The counts are printed; a change that makes them smaller may lower the limits.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from bench.door import START_MS, received
from streamproc.config import load
from streamproc.shell.intake import Intake

BEDS, SETTLED, COUNTED = 50, 1_000, 60
"""Beds, and of each the intervals before and while calls are counted."""
ROUND_MS = 100
"""So often the service takes over what has come."""


@pytest.mark.parametrize(
    ("every_ms", "most", "most_of_c"),
    # As measured and a twentieth more; at 1 Hz the door takes a third of it.
    [(1_000, 13.2, 24.5), (10_000, 48.5, 54.5)],
    ids=["once a second", "every ten seconds"],
)
def test_a_message_that_says_nothing_new_takes_few_calls(
    every_ms: int, most: float, most_of_c: float
) -> None:
    intake = Intake.from_settings(load())
    sent = received(BEDS, SETTLED + COUNTED, every_ms)
    rounds = [list(some) for _, some in groupby(sent, key=lambda each: each.received_ms // ROUND_MS)]
    first = next(n for n, some in enumerate(rounds) if some[0].received_ms >= START_MS + SETTLED * every_ms)
    for some in rounds[:first]:
        intake.live_through(some[-1].received_ms, some)
    counts = Counter[str]()
    count: Callable[[Any, str, Any], None] = lambda frame, event, argument: counts.update((event,))  # noqa: E731
    sys.setprofile(count)
    try:
        for some in rounds[first:]:
            intake.live_through(some[-1].received_ms, some)
    finally:
        sys.setprofile(None)
    messages = sum(map(len, rounds[first:]))
    of_python, of_c = counts["call"] / messages, counts["c_call"] / messages
    print(f"a message: {of_python:.2f} calls of Python functions, {of_c:.2f} of functions in C")
    assert of_python <= most
    assert of_c <= most_of_c
