"""Does an event cost more where windows are longer, or where the same messages come from more beds?

In the process itself, from a payload's bytes to its judgement; the sizes take turns, so that they share the
machine's weather. What differs between few and many beds is mostly the processor's cache.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.memory import START_MS
from bench.stage.figures import Spread, spread, table
from bench.stage.history import whole
from bench.stage.telemetry import Ward, interval
from streamproc.config import load
from streamproc.core.bed import PATIENCE_MS
from streamproc.shell.intake import Intake
from streamproc.shell.journal import Recorded

WINDOWS_S = (300, 3_600, 86_400)
BEDS = (10, 100, 1_000, 10_000)
WARD_PER_S = 2_000
"""Messages a second of simulated time, from however many beds."""
ROUND_MESSAGES, ROUNDS = 4_000, 3
WARD_ROUND_S = PATIENCE_MS // 1000
"""A round of many beds, in simulated time: as long as a message waits for others at most, so that each round
has its share of living through what has waited, however rarely a bed sends."""
WARM_BEATS = 2
TICK_MS = 100
"""As often as the service looks at its clock."""


@dataclass(slots=True)
class Stream:
    """A ward that goes on living, and what a message of it costs in us of CPU, round by round."""

    intake: Intake
    ward: Ward
    every_ms: int
    beat: int = 0
    us: list[float] = field(default_factory=list)

    def live(self, beats: int) -> None:
        """So many intervals, told in ticks as the service would; nothing is made while the CPU is counted."""
        told = [(now_ms, some) for beat in range(beats) for now_ms, some in self._told(self.beat + beat)]
        self.beat += beats
        before_s = time.process_time()
        for now_ms, messages in told:
            self.intake.ward.tick(now_ms)
            self.intake.take(now_ms, messages)
        used_s = time.process_time() - before_s
        self.us.append(1e6 * used_s / sum(len(messages) for _, messages in told))

    def _told(self, beat: int) -> list[tuple[int, list[Recorded]]]:
        """One interval in batches, each told when its tick comes."""
        batches: dict[int, list[Recorded]] = {}
        for number in range(1, self.ward.beds + 1):
            offset_ms = number * self.every_ms // (2 * self.ward.beds + 2)
            for sent in interval(self.ward, number, beat, self.every_ms):
                at_ms = sent.due_ms - self.ward.offset_ms(number) + offset_ms
                start_ms = START_MS + at_ms - sent.due_ms
                tick = START_MS + -(-at_ms // TICK_MS) * TICK_MS
                batches.setdefault(tick, []).append(Recorded(sent.topic, sent.payload(start_ms), False))
        return sorted(batches.items())


def windows(lengths_s: Sequence[int]) -> dict[int, Stream]:
    """One bed each at 1 Hz, whose mean pressure is asked over that length and whose window is full."""
    streams = {}
    for length_s in lengths_s:
        settings = load(None, [f"rules.MAP-LOW.long_window_s={length_s}", "rules.MAP-LOW.window_s=300"])
        stream = streams[length_s] = Stream(Intake.from_settings(settings), Ward(1, 1, quiet=True), 1_000)
        stream.live(length_s)
    return streams


def beds(numbers: Sequence[int]) -> dict[int, Stream]:
    """So many beds, each with a quarter of an hour behind it; together they always send as many messages."""
    streams = {}
    for number in numbers:
        settings = load(None, [f"limits.beds={max(numbers)}"])
        ward = Ward(number, 1, quiet=True)
        intake = whole(settings, ward, START_MS)
        stream = streams[number] = Stream(intake, ward, 2_000 * number // WARD_PER_S)
        stream.live(max(WARM_BEATS, ROUND_MESSAGES // (2 * number)))
    return streams


def in_turns(streams: dict[int, Stream], rounds: int, messages: int) -> dict[int, Spread]:
    """What a message costs in each, after as many rounds."""
    for stream in streams.values():
        stream.us.clear()
    gc.freeze()
    for _ in range(rounds):
        for stream in streams.values():
            stream.live(max(1, messages // (2 * stream.ward.beds)))
    gc.unfreeze()
    return {size: spread(stream.us) for size, stream in streams.items()}


def growth(costs: dict[int, Spread]) -> float:
    """The dearest against the cheapest."""
    medians = [cost.median for cost in costs.values()]
    return max(medians) / min(medians)


def report(what: str, costs: dict[int, Spread]) -> str:
    """A line a size, each against the first."""
    first = next(iter(costs.values())).median
    return table(
        (what, "us a message", "against the first"),
        [(f"{size:,}", cost, cost.median / first) for size, cost in costs.items()],
    )


def measure(
    lengths_s: Sequence[int], numbers: Sequence[int], rounds: int, messages: int, ward_s: int
) -> tuple[dict[int, Spread], dict[int, Spread]]:
    """Both, by length in rounds of so many messages, and by number of beds in rounds of so long."""
    by_length = in_turns(windows(lengths_s), rounds, messages)
    return by_length, in_turns(beds(numbers), rounds, WARD_PER_S * ward_s)


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(prog="bench scaling", description=__doc__)
    parser.add_argument("--windows", type=int, nargs="+", default=WINDOWS_S, help="s")
    parser.add_argument("--beds", type=int, nargs="+", default=BEDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--messages", type=int, default=ROUND_MESSAGES, help="of a round of one bed")
    parser.add_argument("--seconds", type=int, default=WARD_ROUND_S, help="of a round of many beds")
    asked = parser.parse_args()
    by_length, by_beds = measure(asked.windows, asked.beds, asked.rounds, asked.messages, asked.seconds)
    print(report("window, s", by_length), report("beds", by_beds), sep="\n\n")


if __name__ == "__main__":
    main()
