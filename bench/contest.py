"""CPU a message of ours, of mosquitto and of the rivals: one broker, one ward, in turns, several rounds.

QoS 1 through mosquitto as it is deployed. Ours has everything on: durable journal, validation, all rules, bed
states, metrics; the rivals have two rules and nothing durable. Two rules must give the same alerts in all.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from bench.stage.broker import mosquitto
from bench.stage.figures import Spread, spread, table
from bench.stage.processes import POLL_S, cpu_s
from bench.stage.programs import BEGIN_MS, OURS, PROGRAMS, Program, now_ms, ours
from bench.stage.publisher import Published, publisher
from bench.stage.station import Heard, station
from bench.stage.telemetry import Ward

WARM_S = 3.0
"""Longer than the hold-back: from then on as much is judged as comes in."""
SETTLE_S = 9
"""After the last step: a falling mean needs eight seconds to cross its target."""
HEARD_WITHIN_S = 10.0

Digest = frozenset[tuple[str, str, int]]
"""Which rule began to alarm on which bed, and at which of its messages."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a message cost in us of CPU, the program's and the broker's; and what was alarmed."""

    program_us: float
    broker_us: float
    publisher_us: float
    behind_max_ms: float
    digest: Digest


class Disagreement(Exception):
    """Two programs were told the same and alarmed differently: their costs can't be compared."""


def turn(program: Program, ward: Ward) -> Turn:
    """One program's turn, from an empty broker on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="contest-")))
        broker, port = stack.enter_context(mosquitto(folder))
        told = stack.enter_context(publisher(port, ward, SETTLE_S))
        pid = stack.enter_context(program(folder, port, ward))
        start_ms = now_ms() + BEGIN_MS
        told.send(start_ms)
        heard, before_s, after_s = asyncio.run(watched(port, ward, start_ms, (pid, broker)))
        published: Published = told.recv()
    assert published.messages == ward.messages, published
    measured = 2 * ward.beds * ward.per_second * (ward.seconds - WARM_S)
    program_us, broker_us = (
        1e6 * (after - before) / measured for before, after in zip(before_s, after_s, strict=True)
    )
    publisher_us = 1e6 * published.cpu_s / published.messages
    return Turn(program_us, broker_us, publisher_us, published.behind_max_ms, digest(heard, ward, start_ms))


async def watched(
    port: int, ward: Ward, start_ms: int, pids: Sequence[int]
) -> tuple[list[Heard], list[float], list[float]]:
    """What a station heard, and the CPU that each process had used when warm and when the last was sent."""
    async with station(port) as heard:
        await until(start_ms / 1000 + WARM_S)
        before_s = [cpu_s(pid) for pid in pids]
        await until(start_ms / 1000 + ward.seconds)
        after_s = [cpu_s(pid) for pid in pids]
        for _ in range(round(HEARD_WITHIN_S / POLL_S)):
            if len(digest(heard, ward, start_ms)) >= due(ward):
                break
            await asyncio.sleep(POLL_S)
    return heard, before_s, after_s


async def until(at_s: float) -> None:
    """Sleep until then."""
    left_s = at_s - time.time()
    assert left_s > 0, f"not ready in time: {-left_s:.1f} s late"
    await asyncio.sleep(left_s)


def digest(heard: Sequence[Heard], ward: Ward, start_ms: int) -> Digest:
    """Of the two rules that all programs have; a mean that crosses between two samples counts at the next."""
    numbers = {name: number for number, name in enumerate(ward.names, start=1)}
    every_ms, told = 1000 / ward.per_second, set()
    for each in heard:
        half = {("MAP-LOW", "high"): 0.0, ("ESC-THRESHOLD", "medium"): 0.5}.get((each.rule, each.priority))
        if half is not None:
            after_ms = each.time_ms - start_ms - ward.offset_ms(numbers[each.bed])
            told.add((each.rule, each.bed, ceil(after_ms / every_ms - half)))
    return frozenset(told)


def due(ward: Ward) -> int:
    """How many alerts of the two rules there must be."""
    numbers = range(1, ward.beds + 1)
    return sum(ward.falls(number) + ward.rises(number) for number in numbers)


def contest(ward: Ward, rounds: int, settings: Sequence[str] = ()) -> dict[str, list[Turn]]:
    """Every program once a round, ours with these settings; raises `Disagreement`."""
    turns: dict[str, list[Turn]] = {name: [] for name in PROGRAMS}
    programs = PROGRAMS | {OURS: lambda folder, port, ward: ours(folder, port, ward, *settings)}
    for _ in range(rounds):
        for name, program in programs.items():
            turns[name].append(turn(program, ward))
    agreed = turns[OURS][0].digest
    if len(agreed) != due(ward):
        raise Disagreement(f"{OURS} alarmed {len(agreed)} times, {due(ward)} were due")
    for name, each in ((name, each) for name, of_one in turns.items() for each in of_one):
        if each.digest != agreed:
            differing = sorted(each.digest ^ agreed)
            raise Disagreement(f"{name}: {len(differing)} differ, first {differing[:3]}")
    return turns


def ratio(turns: dict[str, list[Turn]], name: str) -> Spread:
    """How many times what ours costs another costs, round by round."""
    return spread(
        other.program_us / own.program_us for own, other in zip(turns[OURS], turns[name], strict=True)
    )


def of_broker(turns: dict[str, list[Turn]]) -> Spread:
    """Ours against mosquitto in the very same turn."""
    return spread(own.program_us / own.broker_us for own in turns[OURS])


def report(turns: dict[str, list[Turn]]) -> str:
    """The table of the contest."""
    rows = [
        (
            name,
            spread(each.program_us for each in of_one),
            spread(each.broker_us for each in of_one),
            "1" if name == OURS else ratio(turns, name),
            f"{len(of_one[0].digest)} alerts, the same",
            round(max(each.behind_max_ms for each in of_one)),
        )
        for name, of_one in turns.items()
    ]
    head = ("program", "us a message", "mosquitto's", "times ours", "digest", "sent late, ms at most")
    return table(head, rows)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench contest", description=__doc__)
    parser.add_argument("--beds", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=55)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="override a key of ours: state.dir=…")
    asked = parser.parse_args()
    turns = contest(Ward(asked.beds, asked.seconds), asked.rounds, asked.set)
    print(report(turns))
    print(f"\nours against mosquitto in the same turns: {of_broker(turns)}")


if __name__ == "__main__":
    main()
