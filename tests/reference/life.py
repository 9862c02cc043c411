"""One alert after another, from conditions: starts, changes of priority, ends.

Must decide nothing clinical: a rule hands over what raises, what lowers and what clears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from tests.reference.course import DAWN_MS, Course, course
from tests.reference.facts import Said

RANK = {"info": 0, "low": 1, "medium": 2, "high": 3}


def always(value: str) -> Callable[[bool], str | None]:
    """A condition's priority where the row has but one."""
    return lambda met: value if met else None


def alerts(
    rule: str,
    met: Course[str | None],
    clear: Course[bool],
    lower: Course[str | None] | None = None,
) -> list[Said]:
    """`met`: the priority that its condition calls for; `lower`: to which an open alert may fall."""
    said: list[Said] = []
    priority: str | None = None
    times = sorted({*met.times, *clear.times, *(lower.times if lower else ())} - {DAWN_MS})
    for time_ms in times:
        wanted, fallen = met.at(time_ms), lower.at(time_ms) if lower else None
        if priority is None:
            if wanted is not None:
                priority = wanted
                said.append(Said(time_ms, rule, "start", priority))
        elif clear.at(time_ms):
            said.append(Said(time_ms, rule, "end", priority))
            priority = None
        elif wanted is not None and RANK[wanted] > RANK[priority]:
            priority = wanted
            said.append(Said(time_ms, rule, "escalate", priority))
        elif fallen is not None and RANK[fallen] < RANK[priority]:
            priority = fallen
            said.append(Said(time_ms, rule, "deescalate", priority))
    return said


def open_in(said: Sequence[Said]) -> Course[bool]:
    """Whether the rule of these alert events has an alert open."""
    return course(False, [(each.time_ms, each.phase != "end") for each in said])


def spans(said: Sequence[Said]) -> list[tuple[int, int]]:
    """(start, end) of each alert; an open one ends never."""
    bounds = [each.time_ms for each in said if each.phase in ("start", "end")]
    return [(a, b) for n, (a, b) in enumerate(pairwise([*bounds, -DAWN_MS])) if n % 2 == 0]
