"""A short history, crashed at every step of input and output, with the disk failing at each write and sync.

SQLite tests itself so: each call fails once, for every call; unsynced writes are kept, dropped and torn.
"""

from __future__ import annotations

from concurrent.futures import Executor

import pytest

from .every_step import Interruption, absences, breach, crashes, disk_faults, flips, undisturbed

STEPS_AT_LEAST = 300
A_CHUNK = 8
FLIPS = 300
LATER = 60
"""So many steps after a start, some batches have been acknowledged."""


def breaches(workers: Executor, interruptions: list[Interruption]) -> list[str]:
    return [found for found in workers.map(breach, interruptions, chunksize=A_CHUNK) if found]


def test_the_history_is_worth_interrupting() -> None:
    steps = undisturbed()
    assert len(steps) >= STEPS_AT_LEAST
    assert {"write", "sync", "send"} <= set(steps)


@pytest.mark.parametrize("how", ["kept", "dropped", "torn"])
def test_a_crash_at_any_step_changes_nothing_that_is_told(workers: Executor, how: str) -> None:
    """kill -9 (kept) and power cuts (dropped, torn): the feed is that of the run without a crash."""
    found = breaches(workers, crashes(how))
    assert not found, "\n".join(found[:5])


def test_a_crash_in_the_recovery_from_a_crash_changes_nothing(workers: Executor) -> None:
    """Starting is recovering: it can be interrupted like anything else."""
    found = breaches(workers, crashes("torn", twice=True))
    assert not found, "\n".join(found[:5])


def test_what_was_announced_before_a_long_absence_stands_after_it(workers: Executor) -> None:
    """That nobody watched is told from the last batch on: no number given out since may mean it."""
    found = breaches(workers, absences())
    assert not found, "\n".join(found[:5])


@pytest.mark.parametrize("how", ["full", "write", "sync"])
def test_a_disk_that_fails_at_any_step_costs_nothing_that_was_acknowledged(
    workers: Executor, how: str
) -> None:
    """ENOSPC, EIO on a write, EIO on a sync: the service ends, and the next one tells what was journaled."""
    found = breaches(workers, disk_faults(how))
    assert not found, "\n".join(found[:5])


def test_a_sync_that_failed_leaves_no_hole_for_a_later_power_cut(workers: Executor) -> None:
    """After EIO, Linux shows pages that the disk does not have; nothing appended behind them may be lost."""
    found = breaches(workers, disk_faults("sync", again=LATER))
    assert not found, "\n".join(found[:5])


def test_a_bit_that_turns_on_the_disk_is_refused_or_harms_nothing(workers: Executor) -> None:
    """SQLite ends the log where a checksum fails, and says nothing: what was acknowledged would be gone."""
    found = breaches(workers, flips(FLIPS))
    assert not found, "\n".join(found[:5])
