"""Three hundred seeds of two bed-days each: the promises hold whatever the seed lets go wrong.

A seed that breaks one is printed with the command that shows it again; more seeds, by that command too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import pytest

from streamproc.shell.metrics import REFUSED, TAKEN

from .faults import GENTLE, HARSH, RELOAD
from .seeds import BED_DAYS, BrokenPromise, Survived, faults_of, live_through

ROOT = Path(__file__).resolve().parents[2]
SEEDS, A_CHUNK = 300, 20
A_SEED = 7


def outcome(seed: int) -> Survived | str:
    """What a seed has shown, or how it broke."""
    try:
        return live_through(seed)
    except BrokenPromise as error:
        return str(error)


@pytest.mark.parametrize("first", range(1, SEEDS + 1, A_CHUNK))
def test_the_promises_hold_under_every_seed(workers: Executor, first: int) -> None:
    outcomes = list(workers.map(outcome, range(first, first + A_CHUNK)))
    broken = [each for each in outcomes if isinstance(each, str)]
    assert not broken, "\n\n".join(broken)
    assert all(each.events and each.faults for each in outcomes), "a seed that proves nothing"
    assert sum(each.ends.total() for each in outcomes) > 2 * A_CHUNK, "hardly any was ended and began anew"
    counted = [each.acknowledged for each in outcomes]
    assert sum(map(bool, counted)) > A_CHUNK / 2, f"hardly an acknowledgement that counts: {counted}"
    reloads = sum((each.reloads for each in outcomes), Counter[str]())
    assert min(reloads[TAKEN], reloads[REFUSED]) > A_CHUNK / 4, f"hardly a reload: {reloads}"


def test_the_seeds_know_every_fault() -> None:
    """Of the plans alone, which cost nothing."""
    known = Counter(fault.kind for seed in range(1, A_CHUNK + 1) for fault in faults_of(seed))
    assert set(known) == {*GENTLE, *HARSH, RELOAD}


def test_the_seeds_are_as_long_as_they_are_said_to_be() -> None:
    assert BED_DAYS >= 2


def test_a_seed_is_one_trace_whatever_pythons_hash_seed_is() -> None:
    """Sets and dictionaries of strings must not decide anything: what fails must be seen again."""
    command = f"from tests.simulation.seeds import live_through; print(live_through({A_SEED}).trace)"
    run = partial(subprocess.run, [sys.executable, "-c", command], cwd=ROOT, check=True, capture_output=True)
    traces = {run(env=os.environ | {"PYTHONHASHSEED": number}).stdout.strip() for number in ("1", "2")}
    assert traces == {live_through(A_SEED).trace.encode()}
