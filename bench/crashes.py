"""kill -9 of the processor a thousand times, fifty to a broker: is anything lost, or told two ways?

The first broken law ends it with exit code 1 and the seed that aims at the same moments again.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

from tests.conftest import Mosquitto
from tests.crash.campaign import PHASES, Report, campaign

KILLS_A_BROKER = 50


def one_round(kills: int, seed: int, log: Path) -> Report:
    """A broker, a journal, and so many kills; what a broken law leaves behind is kept to be looked at."""
    folder = Path(tempfile.mkdtemp(prefix=f"crashes-{seed}-"))
    with log.open("a") as lines:
        broker = Mosquitto(folder)
        broker.start()
        try:
            print(f"seed {seed}", file=lines)
            say = partial(print, file=lines, flush=True)
            report = asyncio.run(campaign(broker.port, folder, kills, seed, say))
        except AssertionError as broken:
            broken.add_note(f"its journal is in {folder}")
            raise
        finally:
            broker.kill()
    shutil.rmtree(folder)
    return report


def total(reports: list[Report]) -> str:
    """All rounds in one sentence for each thing that was counted."""
    hits: Counter[str] = sum((report.hits for report in reports), Counter())
    return "\n".join(
        [
            f"kills: {sum(len(report.kills) for report in reports)} in {len(reports)} rounds",
            f"messages published and journaled: {sum(report.published for report in reports)}",
            f"alert events: {sum(report.events for report in reports)}, and as they should be",
            f"repeats of an event: {sum(report.repeats for report in reports)}, each the same",
            *(f"kills {phase}: {hits[phase]}" for phase in PHASES),
        ]
    )


def main() -> None:
    """Rounds until there were enough kills or no time is left."""
    parser = argparse.ArgumentParser(prog="bench crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each later one has the next")
    parser.add_argument("--minutes", type=float, default=120, help="begin no round after so long")
    parser.add_argument("--log", type=Path, default=Path("var/crashes.jsonl"), help="one line a kill")
    wanted = parser.parse_args()
    wanted.log.parent.mkdir(parents=True, exist_ok=True)
    reports, begun_s, left = list[Report](), time.monotonic(), wanted.kills
    while left > 0 and time.monotonic() - begun_s < wanted.minutes * 60:
        seed = wanted.seed + len(reports)
        try:
            reports.append(one_round(min(left, KILLS_A_BROKER), seed, wanted.log))
        except AssertionError as broken:
            print(f"{total(reports)}\nBROKEN in the round of --seed {seed}: {broken}")
            print(*getattr(broken, "__notes__", ()), sep="\n")
            sys.exit(1)
        left -= len(reports[-1].kills)
        print(reports[-1], flush=True)
    print(total(reports))


if __name__ == "__main__":
    main()
