"""What a message costs that says nothing new, from payload to history; counted and never timed.

The counts are printed; a change that makes them smaller may lower the limits.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from bench.door import START_MS, received
from streamproc.config import load
from streamproc.core.bed import Bed
from streamproc.shell.intake import Intake

BEDS, SETTLED, COUNTED = 50, 1_000, 60
"""Beds, and of each the intervals before and while calls are counted."""
LONG_S = 5_400
"""Longer than any window, so that with each sample another one is forgotten."""
VALUE, EXTREMES = re.compile(rb'"value":[0-9.]+(?=,"unit":"mm)'), {20: b'"value":66', 40: b'"value":95'}
"""A MAP's figure, and two of the first minute that none comes near again."""
ROUND_MS = 100
"""So often the service takes over what has come."""


@pytest.mark.parametrize(
    ("every_ms", "most", "most_of_c"),
    # As measured and a twentieth more; at 1 Hz the door takes a third of it.
    [(1_000, 12.4, 23.5), (10_000, 48.5, 54.5)],
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


@pytest.mark.parametrize("extreme", [False, True], ids=["", "the lowest and the highest among it"])
def test_what_is_forgotten_makes_no_message_one_that_is_lived_through_alone(
    extreme: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it is every seventh once a stay is longer than its windows, and more after an extreme."""
    intake, alone, happen = Intake.from_settings(load()), list[Any](), Bed._happen

    def noted(bed: Bed, event: Any, changes: Any) -> int:
        alone.append(event)
        return happen(bed, event, changes)

    monkeypatch.setattr(Bed, "_happen", noted)
    for number, each in enumerate(received(1, LONG_S)):
        if extreme and number in EXTREMES:
            each = each._replace(payload=VALUE.sub(EXTREMES[number], each.payload))
        intake.live_through(each.received_ms, [each])
    (bed,) = intake.ward.beds.values()
    trend = bed.chart.pressure.trend
    assert (len(trend) < LONG_S, trend.lowest, trend.highest) == (True, 71_000, 79_000), "extremes are gone"
    print(f"{len(alone)} of {2 * LONG_S} messages alone")
    assert len(alone) < LONG_S / 100
