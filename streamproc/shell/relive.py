"""A service's journal lived through again: the same events under the same ids, whatever is configured here.

It begins where the journal begins, by the configuration that the journal holds, and takes batch by
batch as the service took it. Must never begin with an empty ward where something came before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from streamproc.core.change import Change
from streamproc.shell import snapshot
from streamproc.shell.intake import Intake
from streamproc.shell.journal import JOURNAL, Batch, JournalCorrupt, JournalView, Snapshot
from streamproc.wire import own


class Readable(Protocol):
    """A journal that is held by us, or by somebody else."""

    def read(self, from_position: int) -> Iterator[Batch]: ...


def journal_at(path: str | Path) -> Path | None:
    """The journal that a path names, itself or as a service's state folder; None for any other file."""
    path = Path(path)
    if path.is_dir():
        return path / JOURNAL
    return path if path.suffix == Path(JOURNAL).suffix else None


def begin(intake: Intake, journal: JournalView, *, newest_up_to_ms: int | None = None) -> int:
    """Put the ward to where the journal can be lived through from; the last position that is in it then.

    That is before its first batch, or the oldest snapshot where the start is forgotten. With an instant
    it is the newest snapshot that is not later."""
    if newest_up_to_ms is not None:
        for kept in journal.snapshots():
            if snapshot.head_of(kept.parts)["ward"]["clock_ms"] <= newest_up_to_ms:
                return _restored(intake, kept)
    if journal.first_position > 1:
        return _restored(intake, _oldest(journal))
    if intake.obeys_journal:
        judge_as_begun(intake, journal)
    return 0


def judge_as_begun(intake: Intake, journal: Readable) -> None:
    """By what the journal's first batch says, before anything of it is lived through."""
    first = next(journal.read(1), None)
    for message in () if first is None else first.messages:
        if message.topic == own.CONFIGURED:
            intake.judge_by(intake.configured_by(message))


def relived(
    intake: Intake, journal: JournalView, position: int, until_ms: int | None = None
) -> Iterator[Change]:
    """All that was announced after this position; up to an instant, or beyond the end if that is later."""
    for batch in journal.read(position + 1):
        if until_ms is not None and batch.received_ms > until_ms:
            break
        yield from intake.live_through(batch.received_ms, batch.messages)
    if until_ms is not None:
        yield from intake.tick(until_ms)


def _oldest(journal: JournalView) -> Snapshot:
    *_, oldest = [None, *journal.snapshots()]
    if oldest is None:
        wrong = "what came before is forgotten, and no sound snapshot tells it"
        raise JournalCorrupt(journal.first_position, wrong)
    return oldest


def _restored(intake: Intake, kept: Snapshot) -> int:
    asked = intake.settings
    snapshot.restore(intake, kept.parts, kept.base)
    if not intake.obeys_journal and intake.ward.clock_ms is not None:
        intake.turn_to(asked, intake.ward.clock_ms)
    return kept.position
