"""A million hostile messages at the door: an accepted fact or an enumerated refusal, nothing else.

The first broken law ends it with a traceback, the seed, and the messages as lines for
`tests/fuzz/past_failures.jsonl`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.fuzz.ordeal import Ordeal

INPUTS_A_SEED, WARD_SHARE = 100_000, 0.2
"""Of the messages of one seed, the first fifth goes through door and ward, the rest to the door alone."""


def main() -> None:
    """Ordeals one after the other, each with the next seed."""
    parser = argparse.ArgumentParser(prog="bench fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first ordeal; the next has the next")
    wanted = parser.parse_args()
    begun_s, left, seed = time.process_time(), wanted.inputs, wanted.seed
    answers, verdicts, alarmed = Counter[str](), Counter[str](), Counter[str]()
    while left > 0:
        ordeal = Ordeal(seed)
        inputs = min(left, INPUTS_A_SEED)
        ordeal.run(round(inputs * WARD_SHARE))
        tally = ordeal.intake.tally
        assert ordeal.accounted == tally.received.total() == ordeal.inputs
        ordeal.knock(inputs - ordeal.inputs)
        answers += ordeal.door.answers
        verdicts += Counter(
            {str(verdict): n for verdict, n in (*tally.taken.items(), *tally.rejected.items())}
        )
        alarmed += ordeal.alarmed
        left, seed = left - ordeal.inputs, seed + 1
        print(f"seed {ordeal.seed}: {ordeal.inputs} inputs, all answered", flush=True)
    cpu_s = time.process_time() - begun_s
    print(f"inputs: {answers.total()}, {verdicts.total()} of them through the ward, in {cpu_s:.0f} s of CPU")
    for title, counted in (("answers", answers), ("verdicts", verdicts), ("alert events by rule", alarmed)):
        print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in counted.most_common()))


if __name__ == "__main__":
    main()
