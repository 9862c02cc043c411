"""How close to the limit: every goal of `docs/performance.md` beside what this machine shows now.

Programs take turns, so believe the ratios. It passes no judgement. A quarter of an hour on two cores that
have little else to do.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from bench import bedday, burst, contest, flood, latency, memory, recovery, scaling
from bench.stage.figures import plain, table
from bench.stage.telemetry import Ward

Row = tuple[str, str, str, str]
"""What, the goal, what to reach for, what was measured."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run: the whole, or as little as shows that it runs."""

    beds: int = 1_000
    seconds: int = 55
    """Longer than from one snapshot of ours to the next."""
    rounds: int = 2
    flood_s: float = 8.0
    rates: tuple[int, ...] = latency.RATES
    burst_s: int = 6
    burst_per_second: int = 10
    queue: int = burst.QUEUE
    memory_beds: int = 4
    days: int = 7
    windows_s: tuple[int, ...] = scaling.WINDOWS_S
    scaled_beds: tuple[int, ...] = scaling.BEDS
    day_s: int = bedday.DAY_S


def of_contest(size: Size) -> Iterator[Row]:
    """CPU a message against mosquitto and the rivals."""
    turns = contest.contest(Ward(size.beds, size.seconds), size.rounds)
    print(contest.report(turns), end="\n\n", flush=True)
    yield "CPU a message, ours / mosquitto", "<= 1.0", "0.5", str(contest.of_broker(turns))
    for name, goal, reach in (
        ("aiomqtt + pydantic", "5x", "12x"),
        ("aiomqtt + json, recomputed", "8x", "25x"),
        ("Node-RED", "3x", "8x"),
    ):
        if name in turns:
            yield f"{name} / ours", goal, reach, f"{contest.ratio(turns, name)}x"


def of_flood(size: Size) -> Iterator[Row]:
    """Events a second on one core."""
    floods = [flood.flood(size.beds, size.flood_s, qos) for qos in (0, 1)]
    print(flood.report(floods), end="\n\n", flush=True)
    for each in floods:
        yield f"flood, QoS {each.qos}, events/s a core", "50,000", "100,000", plain(each.per_core)


def of_latency(size: Size) -> Iterator[Row]:
    """Alerts at rising rates."""
    measured = latency.rising_rates(size.beds, 20, size.rates)
    print(latency.report(measured), end="\n\n", flush=True)
    first, last = measured[0], measured[-1]
    yield f"alert latency p99 at {first.per_s:,}/s", "< 50 ms", "", f"{plain(first.p99_ms)} ms"
    word = "breaks at" if last.broken else "holds up to"
    yield "the rate where it breaks", "stated", "", f"{word} {last.per_s:,}/s"


def of_burst(size: Size) -> Iterator[Row]:
    """More than it can carry."""
    storm = burst.burst(size.beds, size.burst_s, size.burst_per_second, size.queue)
    print(burst.report(storm), end="\n\n", flush=True)
    yield (
        "lost in a burst / counted as missing",
        "all counted",
        "",
        (f"{storm.sent - storm.received:,} / {storm.missing_by_sequence:,}"),
    )
    yield (
        "memory before, most, after, MB",
        "bounded",
        "",
        (f"{storm.memory_before_mb:.0f}, {storm.memory_most_mb:.0f}, {storm.memory_after_mb:.0f}"),
    )
    yield "p99 after the burst", "as before", "", f"{plain(storm.calm_p99_ms)} ms"


def of_memory(size: Size) -> Iterator[Row]:
    """Bytes a bed, and a week."""
    held = memory.measure(size.memory_beds, size.days, memory.EVERY_S)
    print(memory.report(held), end="\n\n", flush=True)
    yield "a bed, 30 min of 1 Hz", "<= 64 KiB", "32 KiB", f"{held.bed_bytes / memory.KIB:.1f} KiB"
    yield "a bed on days 5 to 7 / on days 2 to 4", "flat", "", f"{held.growth:.2f}x"


def of_scaling(size: Size) -> Iterator[Row]:
    """The cost of an event against windows and beds."""
    by_length, by_beds = scaling.measure(
        size.windows_s, size.scaled_beds, scaling.ROUNDS, scaling.ROUND_MESSAGES, scaling.WARD_ROUND_S
    )
    print(scaling.report("window, s", by_length), scaling.report("beds", by_beds), sep="\n\n", end="\n\n")
    yield "cost an event, windows of 5 min to 24 h", "1x", "", f"{scaling.growth(by_length):.2f}x"
    yield "cost an event, 10 to 10,000 beds", "<= 1.3x", "", f"{scaling.growth(by_beds):.2f}x"


def of_replay(size: Size) -> Iterator[Row]:
    """A bed-day."""
    day = bedday.bedday(size.day_s)
    yield (
        f"replay of {day.messages:,} messages",
        "2 s",
        "",
        f"{day.cpu_s:.1f} s of CPU, {day.us_a_message:.1f} us each",
    )
    yield f"one file for each of {day.cores} cores", f"{day.cores}x", "", f"{day.speed_up:.2f}x"


def of_recovery(size: Size) -> Iterator[Row]:
    """A start at the worst moment."""
    started = recovery.measure(size.beds)
    what = f"start, {started.beds:,} beds, {started.messages:,} messages of journal"
    yield what, "5 s", "", f"{started.ready_s:.1f} s ({started.ready_cpu_s:.1f} s of CPU)"
    yield f"a scrape at {started.beds:,} beds", "50 ms", "", f"{started.scrape_ms:.0f} ms"


PARTS = {
    "contest": of_contest,
    "flood": of_flood,
    "latency": of_latency,
    "burst": of_burst,
    "memory": of_memory,
    "scaling": of_scaling,
    "replay": of_replay,
    "recovery": of_recovery,
}


def main() -> None:
    """Measure part after part, then print the table."""
    parser = argparse.ArgumentParser(prog="bench limit", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which: {', '.join(PARTS)}; else all")
    whole = Size()
    parser.add_argument("--beds", type=int, default=whole.beds)
    parser.add_argument("--rounds", type=int, default=whole.rounds)
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; right would be {', '.join(PARTS)}")
    size, load_before = Size(beds=asked.beds, rounds=asked.rounds), os.getloadavg()[0]
    rows = [row for name in asked.parts or PARTS for row in PARTS[name](size)]
    print(table(("what", "goal", "reach", "measured"), rows))
    cores, python = os.cpu_count(), platform.python_version()
    print(f"\n{cores} shared cores, load {load_before:.1f} before; Python {python}, {platform.machine()}")


if __name__ == "__main__":
    main()
