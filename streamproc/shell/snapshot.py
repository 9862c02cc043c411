"""Snapshots: the configuration in force, the ward and the outbox as of one batch, versioned.

In parts of MessagePack, so that no commit waits for all of it; those of the beds are compressed. Between two
full ones a snapshot leaves out the pressures that the last full one holds. Restoring it and living through
the journal's suffix gives what never having stopped would have given.
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, starmap
from typing import Any

import msgspec
from pydantic import ValidationError

from streamproc.shell.intake import Intake

Kept = dict[str, Any]

BEDS_A_PART = 50
LEVEL, AS_IT_IS = 1, 0
"""The quickest compression, which makes a tenth of beds; the rest would cost more than it saves. Digests of
messages are a third of what is remembered of them, and random: it is only wrapped."""


class SnapshotForeign(Exception):
    """Another version of this program wrote the snapshot, in a form that this one can't read."""


def snapshot_of(intake: Intake, outbox: Kept, base_ms: int | None = None) -> Iterator[bytes]:
    """Everything that is known as of the last batch, taken at once; compressed part by part when asked for.

    With the clock of a full snapshot it holds only what that one can't."""
    with uncollected():
        return starmap(zlib.compress, _taken(intake, outbox, base_ms))


def _taken(intake: Intake, outbox: Kept, base_ms: int | None) -> list[tuple[bytes, int]]:
    """Each part, and how far it is to be compressed.

    Written at once: what it was made of is dropped before anybody looks for garbage."""
    ward = intake.ward.snapshot(base_ms)
    beds, remembered = ward.pop("beds"), ward.pop("remembered")
    head = {"judged_by": intake.settings.judged_by(), "ward": ward, "outbox": outbox}
    return [
        (msgspec.msgpack.encode(head), LEVEL),
        *[(msgspec.msgpack.encode({"beds": some}), LEVEL) for some in _parts(beds)],
        *[(msgspec.msgpack.encode({"remembered": some}), AS_IT_IS) for some in _parts(remembered)],
    ]


@contextmanager
def uncollected() -> Iterator[None]:
    """Where very much is made and nothing is dropped, collecting garbage takes most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _parts(section: Kept) -> Iterator[Kept]:
    entries = iter(section.items())
    while some := dict(islice(entries, BEDS_A_PART)):
        yield some


def head_of(parts: Sequence[bytes]) -> Kept:
    """What a snapshot says of everything but the beds."""
    return _decoded(parts[0])


def _decoded(part: bytes) -> Kept:
    try:
        kept: Kept = msgspec.msgpack.decode(zlib.decompress(part))
    except (zlib.error, msgspec.DecodeError) as error:
        raise SnapshotForeign(f"the snapshot is not this program's: {error}") from None
    return kept


def restore(intake: Intake, parts: Sequence[bytes], base: Sequence[bytes] = ()) -> Kept:
    """Put the configuration and the ward back; gives the outbox's, which is its owner's to restore.

    Raises `SnapshotForeign`."""
    head = head_of(parts)
    try:
        intake.judge_by(intake.settings.judging_by(head["judged_by"]))
        intake.ward.restore(head["ward"] | _joined(parts[1:]), _joined(base[1:])["beds"])
        outbox: Kept = head["outbox"]
    except (KeyError, ValueError) as error:  # pydantic's ValidationError is a ValueError
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise SnapshotForeign(f"the snapshot is not this program's: {told}") from None
    return outbox


def _joined(parts: Iterable[bytes]) -> Kept:
    whole: Kept = {"beds": {}, "remembered": {}}
    for part in map(_decoded, parts):
        for section, some in part.items():
            whole[section] |= some
    return whole
