"""A message that was not taken, with the one reason that counts and a sentence for a person.

Refusing is an answer, not a failure: nothing from outside may raise past the door.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamproc.core.events import MapSample
from streamproc.core.reason import Reason

SHOWN_CHARACTERS = 48


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a message was refused; `artefact` lets an impossible MAP still count as an artefact."""

    reason: Reason
    detail: str
    kind: str | None
    bed: str | None
    artefact: MapSample | None = None


class Refused(Exception):
    """Ends the reading of a message inside `wire`; `Decoder` turns every one into a `Rejected`."""

    def __init__(self, reason: Reason, detail: str, artefact: MapSample | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.artefact = artefact


def shown(value: object) -> str:
    """A value as a log may carry it: printable ASCII, and short."""
    text = ascii(value[: 2 * SHOWN_CHARACTERS] if isinstance(value, str | bytes) else value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def dotted(path: Iterable[str | int]) -> str:
    """Where in the payload a field is: `rate.unit`, `alarms.0`; strange names are quoted."""
    return ".".join(_step(step) for step in path) or "payload"


def _step(step: str | int) -> str:
    plain = isinstance(step, int) or (step.isascii() and step.isidentifier())
    return str(step)[:SHOWN_CHARACTERS] if plain else shown(step)
