"""A snapshot: the configuration in force, the ward and the outbox as of one batch, as versioned JSON.

Restoring it and living through the journal's suffix gives what never having stopped would have given.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from streamproc.shell.intake import Intake

Kept = dict[str, Any]


class SnapshotForeign(Exception):
    """Another version of this program wrote the snapshot, in a form that this one can't read."""


def snapshot_of(intake: Intake, outbox: Kept) -> bytes:
    """Everything that is known, as of the last batch that was applied."""
    state = {"clinical": intake.settings.clinical(), "ward": intake.ward.snapshot(), "outbox": outbox}
    return json.dumps(state, separators=(",", ":")).encode()


def read(content: bytes) -> Kept:
    """What a snapshot holds, not restored yet."""
    state: Kept = json.loads(content)
    return state


def restore(intake: Intake, state: Kept) -> None:
    """Put the configuration and the ward back; the outbox is its owner's. Raises `SnapshotForeign`."""
    try:
        intake.judge_by(intake.settings.with_clinical(state["clinical"]))
        intake.ward.restore(state["ward"])
    except (KeyError, ValueError) as error:  # pydantic's ValidationError is a ValueError
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise SnapshotForeign(f"the snapshot is not this program's: {told}") from None
