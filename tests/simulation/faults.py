"""What goes wrong in a world, and when: drawn from the seed before anything happens, so that it can be read.

A gentle plan has no outage that comes near the hold-back and loses nothing before us; a harsh one
knows no mercy.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """At this instant, this happens; what the figures mean is the kind's own matter."""

    at_s: float
    kind: str
    for_s: float = 0.0
    steps: int = 0
    how: str = ""


APART_S = 240.0
"""A gentle plan lets each fault be over before the next."""

MOST_STEPS = 40
"""A crash or a disk fault comes within so many steps of input and output."""

Draw = Callable[[random.Random, float], Fault]


def plan(chance: random.Random, hours: float, *, gentle: bool) -> list[Fault]:
    """The faults of a run, in order."""
    end_s = hours * 3600
    kinds = GENTLE if gentle else HARSH
    longest_s = 30.0 if gentle else chance.choice((60.0, 300.0, 1800.0))
    every_s = APART_S + 300 if gentle else chance.choice((200.0, 600.0, 1500.0))
    faults, at_s = list[Fault](), chance.uniform(30, 300)
    while at_s < end_s - APART_S:
        kind = chance.choice(kinds)
        faults.append(
            Fault(
                at_s,
                kind,
                chance.uniform(1, longest_s),
                chance.randint(1, MOST_STEPS),
                chance.choice(WAYS.get(kind, ("",))),
            )
        )
        at_s += APART_S + chance.uniform(0, every_s) if gentle else chance.expovariate(1 / every_s)
    return faults


def reloads(chance: random.Random, hours: float, *, gentle: bool) -> list[Fault]:
    """SIGHUPs, drawn apart from the other faults; another configuration than before only in a harsh plan."""
    hows = RELOADS_GENTLE if gentle else RELOADS_HARSH
    moments = [chance.uniform(1, hours * 3600) for _ in range(chance.randint(1, RELOADS_MOST))]
    return [Fault(at_s, RELOAD, how=chance.choice(hows)) for at_s in moments]


RELOAD, RELOADS_MOST = "reload", 3
RELOADS_GENTLE = ("wrong", "same")
RELOADS_HARSH = (*RELOADS_GENTLE, "other", "other")

GENTLE = ("crash", "crash", "crash", "stop", "cut", "half_open", "freeze", "broker_restart", "slow_disk")
"""Twice and thrice: more often than the others."""

HARSH = (
    *GENTLE,
    "disk_fault",
    "disk_fault",
    "broker_forgets",
    "broker_forgets",
    "broker_remembers",
    "unreachable",
    "refusal",
    "clock_jump",
    "clock_jump",
)

WAYS = {
    "crash": ("kept", "dropped", "torn", "torn"),
    "disk_fault": ("full", "write", "sync", "sync"),
    "broker_forgets": ("sessions", "everything", "lately"),
    "refusal": ("NOT_AUTHORIZED", "QUOTA_EXCEEDED"),
    "clock_jump": ("-600", "-60", "-3", "2", "20", "200"),
}
