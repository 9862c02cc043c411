"""Seeds of the deterministic simulation, by command: `./run bench simulation --seeds 1000 --from 1`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.simulation.seeds import BED_DAYS, BrokenPromise, Survived, live_through


def main() -> int:
    """Run the seeds on all cores; exit 1 with the seeds under which a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    started_s = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(min(chosen.workers, chosen.seeds)) as pool:
        outcomes = list(pool.imap_unordered(_outcome, seeds))
    survived = [each for each in outcomes if isinstance(each, Survived)]
    broken = [each for each in outcomes if isinstance(each, str)]
    print("\n\n".join(broken), file=sys.stderr)
    print(_summary(survived, len(broken), time.perf_counter() - started_s))
    return 1 if broken else 0


def _outcome(seed: int) -> Survived | str:
    try:
        return live_through(seed)
    except BrokenPromise as error:
        return str(error)


def _summary(survived: list[Survived], broken: int, took_s: float) -> str:
    ends, faults, rules = Counter[str](), Counter[str](), Counter[str]()
    for each in survived:
        ends += each.ends
        faults += each.faults
        rules += each.rules
    return "\n".join(
        [
            f"{len(survived)} seeds of {BED_DAYS:g} bed-days held, {broken} broke a promise, {took_s:.0f} s",
            f"lives by their end: {dict(ends.most_common())}",
            f"faults: {dict(faults.most_common())}",
            f"events: {rules.total()}, rules heard: {len(rules)}: {dict(rules.most_common())}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
