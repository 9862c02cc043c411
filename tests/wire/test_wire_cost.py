"""What a message costs at the door, counted and never timed: what makes it dearer has to say so here.

The counts are printed; a change that makes them smaller may lower the limits.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from contract_examples import MAP, PUMP, RECEIVED_MS, TOPIC, decoder

from streamproc.wire import Received, read_line, write_line

DECODER = decoder()
LINES = {
    kind: write_line(Received(RECEIVED_MS, TOPIC[kind], payload))
    for kind, payload in (("map", MAP), ("pump", PUMP))
}


def calls(part: Callable[[], object]) -> tuple[int, int]:
    """Calls of Python functions and of functions in C, once everything that is remembered is."""
    part()
    counts = Counter[str]()
    count: Callable[[Any, str, Any], None] = lambda frame, event, argument: counts.update((event,))  # noqa: E731
    sys.setprofile(count)
    try:
        part()
    finally:
        sys.setprofile(None)
    return counts["call"], counts["c_call"]


@pytest.mark.parametrize(
    ("kind", "payload", "of_python", "of_c"), [("map", MAP, 13, 13), ("pump", PUMP, 15, 12)]
)
def test_a_message_is_decoded_in_few_calls(kind: str, payload: bytes, of_python: int, of_c: int) -> None:
    made = calls(lambda: DECODER.decode(TOPIC[kind], payload, RECEIVED_MS))
    print(f"{kind}: {made[0]} calls of Python functions, {made[1]} of functions in C")
    assert made[0] <= of_python
    assert made[1] <= of_c


@pytest.mark.parametrize(("kind", "of_python", "of_c"), [("map", 7, 20), ("pump", 8, 21)])
def test_a_recorded_line_is_read_in_few_calls(kind: str, of_python: int, of_c: int) -> None:
    made = calls(lambda: read_line(LINES[kind]))
    print(f"{kind}: {made[0]} calls of Python functions, {made[1]} of functions in C")
    assert made[0] <= of_python
    assert made[1] <= of_c
