"""Recordings replayed each as a ward of its own, on all cores; what they say comes in the order of the files.

Wards share nothing, so that no file's events depend on which others it is given with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from streamproc.config import Settings, load
from streamproc.shell.intake import ForeignMessage
from streamproc.shell.journal import JournalCorrupt, JournalFailed, JournalTooNew
from streamproc.shell.recordings import Unreadable, read_files
from streamproc.shell.relive import journal_at
from streamproc.shell.replay import Replay
from streamproc.shell.snapshot import SnapshotForeign
from streamproc.shell.tally import Tally

UNREADABLE = (Unreadable, JournalTooNew, JournalCorrupt, JournalFailed, SnapshotForeign, ForeignMessage)
"""What can be wrong with a recording, or with a journal that is only read."""
Configured = tuple[Path | None, tuple[str, ...]]
"""The configuration's folder, and what overrides it: what a process can be given."""


@dataclass(slots=True)
class Outcome:
    """What became of one file: the lines that it gives, the counts, and what ended it before its end."""

    lines: list[bytes] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    wrong: str | None = None


def replayed(
    files: Sequence[str], settings: Settings, until_ms: int | None, obeys_journal: bool, tally: Tally
) -> Iterator[bytes]:
    """The alert events of recordings that are one ward's, one after the other, or of one journal."""
    run = Replay(settings)
    run.intake.obeys_journal, run.intake.tally = obeys_journal, tally
    journals = [journal for file in files if (journal := journal_at(file)) is not None]
    if not journals:
        return run.alerts(read_files(files, run.intake.known), until_ms)
    if len(files) > 1:
        raise Unreadable(f"{journals[0]}: a journal has a beginning of its own; right would be it alone")
    return run.journal(journals[0], until_ms)


def replayed_apart(
    files: Sequence[str], configured: Configured, until_ms: int | None, obeys_journal: bool, tally: Tally
) -> Iterator[bytes]:
    """The alert events of each file, in the files' order; what is wrong with one is told in its turn."""
    of_one = partial(_outcome, configured, until_ms, obeys_journal)
    with ProcessPoolExecutor(min(len(files), os.cpu_count() or 1)) as pool:
        for outcome in pool.map(of_one, files):
            tally.add(outcome.tally)
            yield from outcome.lines
            if outcome.wrong is not None:
                pool.shutdown(cancel_futures=True)
                raise Unreadable(outcome.wrong)


def _outcome(configured: Configured, until_ms: int | None, obeys_journal: bool, file: str) -> Outcome:
    outcome = Outcome()
    try:
        for line in replayed([file], _loaded(*configured), until_ms, obeys_journal, outcome.tally):
            outcome.lines.append(line)
    except UNREADABLE as error:
        outcome.wrong = str(error)
    return outcome


_loaded = cache(load)
"""Each process reads the configuration once."""
