"""What a message costs that says nothing new, from payload to history; counted and never timed.

The counts are printed; a change that makes them smaller may lower the limits.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

from bench.door import received
from streamproc.config import load
from streamproc.shell.intake import Intake

BEDS, SETTLED_S, COUNTED_S = 50, 1_000, 60
ROUND_MS = 100
"""So often the service takes over what has come."""
CALLS_A_MESSAGE, CALLS_OF_C_A_MESSAGE = 20.5, 39.5
"""As measured and a twentieth more; of this the door takes a third."""


def test_a_message_that_says_nothing_new_takes_few_calls() -> None:
    intake = Intake.from_settings(load())
    sent = received(BEDS, SETTLED_S + COUNTED_S)
    rounds = [list(some) for _, some in groupby(sent, key=lambda each: each.received_ms // ROUND_MS)]
    for some in rounds[: -COUNTED_S * 1000 // ROUND_MS]:
        intake.live_through(some[-1].received_ms, some)
    counts = Counter[str]()
    count: Callable[[Any, str, Any], None] = lambda frame, event, argument: counts.update((event,))  # noqa: E731
    last = rounds[-COUNTED_S * 1000 // ROUND_MS :]
    sys.setprofile(count)
    try:
        for some in last:
            intake.live_through(some[-1].received_ms, some)
    finally:
        sys.setprofile(None)
    messages = sum(map(len, last))
    of_python, of_c = counts["call"] / messages, counts["c_call"] / messages
    print(f"a message: {of_python:.2f} calls of Python functions, {of_c:.2f} of functions in C")
    assert of_python <= CALLS_A_MESSAGE
    assert of_c <= CALLS_OF_C_A_MESSAGE
