"""Puts a ward through hostile messages: decoded, offered, judged, announced, kept and restored.

Nothing that comes from outside may raise, whatever came before it.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streamproc.config import Settings, load
from streamproc.core.bed import held_in
from streamproc.core.events import MapSample
from streamproc.core.ward import Ward
from streamproc.shell.intake import Intake
from streamproc.shell.journal import Message as Recorded
from streamproc.shell.packets import Delivery
from streamproc.shell.service import from_outside
from streamproc.wire import Decoder, Rejected, dead_letter, encode
from streamproc.wire.alerting import BedState
from streamproc.wire.alike import Alike, Said
from streamproc.wire.announce import alert_event, bed_state

from .hostile import BEDS, Hostile, Message
from .law import keeps_the_law

START_MS = 1_795_421_702_000
BATCH_MAX, FLOOD, FLOODS = 24, 1_000, 0.002
PAUSE_MS, OUTAGE_MS, OUTAGES = 1_500, 3_600_000, 0.003
"""The longest between two batches, but for the few that are an hour apart."""
SHOWN_EVERY, KEPT_EVERY = 100, 400
"""Batches between two showings of all bed states, and between two restarts."""
LINE_MAX = 3_000
"""What is longer was padded; the seed brings it back."""
TIGHT = (
    "event_time.hold_back_s=1",
    "limits.beds=7",
    "limits.held_messages=100",
    "limits.remembered_messages=300",
    "roster=[icu-a/bed-1, icu-z/never]",
)


@dataclass(slots=True)
class Door:
    """The decoder, with each answer held against the law and counted."""

    decoder: Decoder
    answers: Counter[str] = field(default_factory=Counter)
    alike_read: int = 0

    def decode(self, topic: str, payload: bytes, received_ms: int, retained: bool = False) -> Any:
        said = self.decoder.decode(topic, payload, received_ms, retained)
        assert keeps_the_law(said), f"neither a fact of the contract nor a refusal: {said}"
        self.answers[type(said).__name__] += 1
        return said

    def alike(self, topic: str, payload: bytes) -> Any:
        like = self.decoder.alike(topic, payload)
        return None if like is None else Likeness(self, topic, like)


@dataclass(slots=True)
class Likeness:
    """What is like a message that was read, with each answer held against the door's."""

    door: Door
    topic: str
    like: Alike

    def read(self, payload: bytes) -> Said | None:
        said = self.like.read(payload)
        if said is not None:
            fact = self.door.decode(self.topic, payload, START_MS)
            figure = fact.milli_mmhg if isinstance(fact, MapSample) else fact.volume_remaining_ml or 0.0
            assert said == (fact.time_ms, fact.seq, figure)
            self.door.alike_read += 1
        return said


@dataclass(slots=True)
class Ordeal:
    """One seed's run; the same seed gives the same messages and the same answers."""

    seed: int
    settings: Settings = field(default_factory=lambda: load(None, TIGHT))
    intake: Intake = field(init=False)
    door: Door = field(init=False)
    hostile: Hostile = field(init=False)
    inputs: int = 0
    batches: int = 0
    alarmed: Counter[str] = field(default_factory=Counter)
    _letters: int = 0

    def __post_init__(self) -> None:
        self.hostile = Hostile(random.Random(self.seed), START_MS)
        self.intake = Intake.from_settings(self.settings)
        self.door = Door(self.intake.decoder)
        self.intake.decoder = self.door  # type: ignore[assignment]
        self.intake.on_rejected = self._letter

    def knock(self, inputs: int) -> None:
        """So many messages more at the door alone, which is much quicker."""
        for _ in range(inputs):
            message = self.hostile.message()
            try:
                self.door.decode(*message[:2], self.hostile.now_ms, message[2])
            except Exception as error:
                error.add_note(
                    f"seed {self.seed}, after {self.inputs} inputs, in:\n{as_line(message)[:LINE_MAX]}"
                )
                raise
            self.inputs += 1

    def run(self, inputs: int) -> None:
        """So many messages more; whatever is raised says with which messages and how to come back to them."""
        enough = self.inputs + inputs
        while self.inputs < enough:
            self._pass_time()
            together = [self.hostile.message() for _ in range(min(self._size(), enough - self.inputs))]
            try:
                self._batch(together)
            except Exception as error:
                error.add_note(f"seed {self.seed}, after {self.inputs} inputs, in:")
                for message in together:
                    error.add_note(as_line(message)[:LINE_MAX])
                raise
            self.inputs += len(together)

    def _pass_time(self) -> None:
        rng = self.hostile.rng
        self.hostile.now_ms += rng.randint(0, PAUSE_MS) if rng.random() >= OUTAGES else OUTAGE_MS

    def _size(self) -> int:
        """How many come together: now and then a flood, from one bed."""
        rng, flood = self.hostile.rng, self.hostile.rng.random() < FLOODS
        self.hostile.beds = [rng.choice(BEDS)] if flood else BEDS
        return FLOOD if flood else rng.randint(1, BATCH_MAX)

    def _batch(self, together: list[Message]) -> None:
        hostile, ward = self.hostile, self.intake.ward
        self._announce(ward.tick(hostile.now_ms))
        self.intake.take(hostile.now_ms, arrived(together))
        self._announce(ward.tick(hostile.now_ms))
        self.batches += 1
        if self.batches % SHOWN_EVERY == 0:
            hostile.open_alerts = sorted(ward.open_alerts())
            for bed in ward.beds.values():
                BedState.model_validate_json(encode(bed_state(bed)))
        if self.batches % KEPT_EVERY == 0:
            self._restart()

    def _announce(self, changes: Any) -> None:
        for change in changes:
            self.alarmed[change.rule.id] += 1
            line = encode(alert_event(change, self.settings.instance, "ruleset"))
            json.loads(line, parse_constant=_not_json)

    def _letter(self, rejected: Rejected, message: Recorded, received_ms: int) -> None:
        self._letters += 1
        told = (rejected.reason, rejected.detail, message.topic, message.payload, received_ms)
        letter = encode(dead_letter(*told))
        if self._letters % SHOWN_EVERY == 0:
            json.loads(letter, parse_constant=_not_json)

    def _restart(self) -> None:
        """All that it knows is written down and read again as the same; no figure of it is not finite."""
        ward = self.intake.ward
        kept = ward.snapshot()
        json.dumps(kept, allow_nan=False, default=bytes.hex)
        fresh = Ward(ward.rules, ward.terms, ward.limits, ward.roster)
        fresh.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(kept)))
        assert _all_held(fresh.snapshot()) == _all_held(kept)
        self.intake.ward = fresh

    @property
    def accounted(self) -> int:
        """accepted + rejected + duplicate + late."""
        return self.intake.tally.taken.total() + self.intake.tally.rejected.total()


def arrived(messages: Iterable[Message]) -> list[Recorded]:
    """The messages as the service takes them over from the broker."""
    return from_outside(Delivery(topic, payload, 1, retained, 1, 1) for topic, payload, retained in messages)


def as_line(message: Message) -> str:
    """A message as a line of `past_failures.jsonl`."""
    topic, payload, retained = message
    return json.dumps({"topic": topic, "retained": retained, "payload_base64": b64encode(payload).decode()})


def _all_held(kept: dict[str, Any]) -> bytes:
    """A ward's snapshot as it is written if no message waits for others: who reads it holds them."""
    beds = {name: {**bed, "held": repr(held_in(bed)), "waiting": []} for name, bed in kept["beds"].items()}
    return msgspec.msgpack.encode({**kept, "beds": beds})


def _not_json(word: str) -> Any:
    raise AssertionError(f"we said {word}, which is no JSON")
