"""The state folder of a processor that has watched the ward for a quarter of an hour, up to now.

Two beds live through it; every other bed gets the snapshot of the one that is like it, under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.stage.telemetry import FALLING, ONE_IN, Ward, bed_name, history
from streamproc.config import Settings
from streamproc.shell.intake import Intake, topics_from
from streamproc.shell.journal import JOURNAL, Recorded, SqliteJournal
from streamproc.shell.outbox import Outbox
from streamproc.shell.snapshot import snapshot_of

WELL = 1
"""The number of the bed that most others are like."""


async def write_history(settings: Settings, ward: Ward, end_ms: int) -> None:
    """Write it to the settings' folder: a snapshot as of the last instant before the end."""
    intake = whole(settings, ward, end_ms)
    async with SqliteJournal(Path(settings.state.dir) / JOURNAL) as journal:
        position = await journal.append(end_ms - 1, [])
        await journal.save_snapshot(position, list(snapshot_of(intake, nothing_waiting(settings))))


def whole(settings: Settings, ward: Ward, end_ms: int) -> Intake:
    """All beds as they are then."""
    kept = lived(settings, ward, end_ms).ward.snapshot()
    for section in ("beds", "remembered"):
        kept[section] = dict(for_all_beds(kept[section], ward))
    intake = Intake.from_settings(settings)
    intake.ward.restore(kept)
    return intake


def nothing_waiting(settings: Settings) -> dict[str, Any]:
    """What an outbox keeps that has never been given an event."""
    return Outbox(topics_from(settings), settings.instance, 0).snapshot()


def lived(settings: Settings, ward: Ward, end_ms: int) -> Intake:
    """The two beds up to the last instant before the end."""
    intake = Intake.from_settings(settings.model_copy(update={"roster": ()}))
    sent = sorted(
        (each for number in {WELL, min(FALLING, ward.beds)} for each in history(ward, number)),
        key=lambda each: each.due_ms,
    )
    for each in sent:
        now_ms = end_ms + each.due_ms
        intake.ward.tick(now_ms)
        intake.take(now_ms, [Recorded(each.topic, each.payload(end_ms), False)])
    intake.ward.tick(end_ms - 1)
    return intake


def for_all_beds(kept: dict[str, Any], ward: Ward) -> Iterator[tuple[str, Any]]:
    """What is kept of the two, under every bed's name and with its devices."""
    for number in range(1, ward.beds + 1):
        like = FALLING if number % ONE_IN == FALLING else WELL
        yield bed_name(number), renumbered(kept[bed_name(like)], like, number)


def renumbered(kept: object, like: int, number: int) -> Any:
    """A bed's snapshot under another number."""
    devices = {f"{device}-{like:05}": f"{device}-{number:05}" for device in ("MON", "PMP")}
    return renamed(kept, {bed_name(like): bed_name(number)} | devices)


def renamed(kept: object, names: Mapping[str, str]) -> Any:
    """A snapshot, or a part of one, with other names in all its texts."""
    if isinstance(kept, str):
        for old, new in names.items():
            kept = kept.replace(old, new)
        return kept
    if isinstance(kept, dict):
        return {renamed(key, names): renamed(each, names) for key, each in kept.items()}
    return [renamed(each, names) for each in kept] if isinstance(kept, list | tuple) else kept
