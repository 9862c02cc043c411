"""The one way in: from a topic and a payload to the ward, counted, with an answer for each message.

Live messages, journaled ones and recorded lines all pass here, so that they mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamproc.config import Settings
from streamproc.core.change import Change
from streamproc.core.events import (
    Acknowledged,
    BedEvent,
    Doubt,
    MapSample,
    Observation,
    PatientContext,
    Profile,
    PumpStatus,
)
from streamproc.core.events import BedFreed as Freed
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken, Verdict
from streamproc.core.rule import Rule
from streamproc.core.steady import Steady, event_like
from streamproc.core.terms import Terms
from streamproc.core.ward import Limits, Ward
from streamproc.shell.journal import Message as Recorded
from streamproc.shell.tally import Tally
from streamproc.wire import Decoder, Received, Rejected, Topics, digest, own, rfc3339
from streamproc.wire.alike import Alike, Said

DETAILS = {
    Reason.FUTURE: "time is further ahead of its receipt than event_time.future_s allows",
    Reason.TOO_LATE: "time is further behind its receipt than event_time.lateness_s allows",
    Reason.CONFLICT: "this (device, boot, seq) came before with another payload",
    Reason.BEDS_FULL: "limits.beds beds that are not on the roster are known already",
    Reason.BED_FLOODED: "more messages of this bed than limits.held_messages wait for their time",
    Reason.UNKNOWN_ALERT: "no open alert has this alert_id",
    Reason.ACK_OUTDATED: "time is before the alert's onset, or before its last escalation was told",
}


class ForeignMessage(Exception):
    """The journal holds a word of its own that this version of the program can't read."""


Readable = tuple[int, str, str, int, bytes, int, Recorded, "BedEvent | Acknowledged | Followed"]
"""A message by its event time, topic, device, number and payload; then its place in the batch, itself, and
what it says: a fact, or where it is like one that is known, what differs."""


class Known(NamedTuple):
    """A topic whose last message was accepted: what is like it, and what the bed makes of such a message."""

    alike: Alike
    steady: Steady
    kind: str


Followed = tuple[Known, Said]


Instant = tuple[int, Sequence[Received]]
"""What was received at one instant, in order of topic and payload."""

Compared = tuple[Received, Known, Said]
"""A recorded message, what is known of its topic, and what it says."""

KNOWN_MAX = 50_000
"""Topics that are known: those of some ten thousand beds; one more, and all begin anew."""


@dataclass(slots=True)
class Intake:
    """Decodes, offers to the ward, counts."""

    settings: Settings
    ward: Ward
    decoder: Decoder
    tally: Tally = field(default_factory=Tally)
    obeys_journal: bool = True
    """Unless somebody asks what another configuration would have told."""
    on_tick: Callable[[Ward, int], None] | None = None
    on_rejected: Callable[[Rejected, Recorded, int], None] | None = None
    known: dict[str, Known] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Settings) -> Intake:
        """A ward and its door, as configured."""
        return cls(settings, Ward(*_in_force(settings)), decoder_from(settings))

    def judge_by(self, settings: Settings) -> None:
        """Before anything was taken in: this is the configuration that what follows was judged by."""
        self._judge(Ward(*_in_force(settings)), settings)

    def configured_by(self, message: Recorded) -> Settings:
        """What the journal says that is judged by."""
        return self.settings.judging_by(own.read_configured(message.payload))

    def turn_to(self, settings: Settings, now_ms: int) -> None:
        """From now on judge by this."""
        if settings.judged_by() == self.settings.judged_by():
            return
        self._judge(self.ward.turn_to(*_in_force(settings), now_ms), settings)

    def _judge(self, ward: Ward, settings: Settings) -> None:
        """Another ward has other beds, and another door may read otherwise: no topic is known any more."""
        self.settings, self.ward, self.decoder = settings, ward, decoder_from(settings)
        self.known.clear()

    def live_through(self, now_ms: int, messages: Sequence[Recorded]) -> list[Change]:
        """One batch: the same for live ones and for journaled ones. Returns what is to be announced.

        The clock comes first, as in a replay: what is late is so by its receipt, whenever we last ticked."""
        self.look_back(now_ms, messages)
        simulated = self.settings.clock.source == "telemetry"
        changes = self._open_simulated(now_ms, messages) if simulated else self.tick(now_ms)
        self.take(now_ms, messages)
        return changes + self.tick(now_ms)

    def look_back(self, now_ms: int, messages: Iterable[Recorded]) -> None:
        """What is to be known before the tick of a batch: that nobody watched the time that passes in it."""
        for message in messages:
            if message.topic == own.UNWATCHED:
                self._take_own(message, now_ms)

    def tick(self, now_ms: int) -> list[Change]:
        """The clock has reached this instant."""
        changes = self.ward.tick(now_ms)
        if self.on_tick is not None:
            self.on_tick(self.ward, now_ms)
        self.ward.lags_ms.clear()
        return changes

    def _open_simulated(self, now_ms: int, messages: Sequence[Recorded]) -> list[Change]:
        """Simulated time has leapt to the newest of these: they came while it passed, not after it."""
        if self.ward.clock_ms is not None:
            return []
        earliest_ms = min(self.times_ms(messages), default=now_ms)
        return self.tick(min(now_ms, max(earliest_ms, now_ms - self.ward.limits.lateness_ms)))

    def take(self, received_ms: int, messages: Iterable[Recorded]) -> None:
        """Take in what was received at one instant, after the ward's tick of that instant.

        Order of arrival says nothing within an instant, so event time decides: a recording knows
        no other order, and must give what we gave.
        """
        readable: list[Readable] = []
        for number, message in enumerate(messages):
            topic, payload = message.topic, message.payload
            known = self.known.get(topic)
            if known is not None and not message.retained and (said := known[0].read(payload)) is not None:
                device = known[1].device
                readable.append((said[0], topic, device, said[1], payload, number, message, (known, said)))
            elif own.is_own(topic):
                if topic != own.UNWATCHED:
                    self._take_own(message, received_ms)
            else:
                self._read(message, number, received_ms, readable)
        if len(readable) > 1:
            readable.sort()
        followed: list[str] = []
        for entry in readable:
            message, what = entry[6], entry[7]
            if not isinstance(what, tuple):
                self._offer(what, message, received_ms)
            elif self._follow(what[0], what[1], message, received_ms):
                followed.append(what[0].kind)
        self.tally.count_accepted(followed)

    def pass_on(self, instants: Iterator[Instant], until_ms: int) -> Instant | None:
        """Take in recorded messages while each came alone and was compared, and nothing happens before it.

        The instant that is to be taken in otherwise, of which nothing is done yet; None if there is none."""
        known_of, passes, follow, kinds = self.known.get, self.ward.passes, self._follow, list[str]()
        try:
            for instant in instants:
                now_ms, messages = instant
                message = messages[0]
                known, compared = known_of(message.topic), message.compared
                if compared is None or known is None or known is not compared[0] or len(messages) > 1:
                    return instant
                if now_ms > until_ms or self.on_tick is not None or not passes(now_ms):
                    return instant
                if follow(known, compared[1], message, now_ms):
                    kinds.append(known.kind)
        finally:
            self.tally.count_accepted(kinds)
        return None

    def compared(self, messages: Sequence[Received]) -> list[Compared] | None:
        """What recorded messages of one instant say, in the order of `take`, if all of them were compared
        with what is known of their topics now; else None."""
        known_of, found = self.known.get, list[Compared]()
        for message in messages:
            known, compared = known_of(message.topic), message.compared
            if compared is None or known is None or known is not compared[0]:
                return None
            found.append((message, known, compared[1]))
        if len(found) > 1:
            found.sort(key=_by_event_time)
        return found

    def take_compared(self, received_ms: int, compared: Sequence[Compared]) -> None:
        """What `take` comes to for these."""
        for message, known, said in compared:
            if self._follow(known, said, message, received_ms):
                self.tally.count(known.kind, Taken.ACCEPTED)

    def _read(self, message: Recorded, number: int, received_ms: int, readable: list[Readable]) -> None:
        decoded = self.decoder.decode(message.topic, message.payload, received_ms, message.retained)
        if isinstance(decoded, Rejected):
            self._refuse(decoded, message, received_ms)
            return
        seq = getattr(decoded, "seq", None)
        device, seq = getattr(decoded, "device", ""), -1 if seq is None else seq
        readable.append(
            (decoded.time_ms, message.topic, device, seq, message.payload, number, message, decoded)
        )

    def _take_own(self, message: Recorded, now_ms: int) -> None:
        """What the journal says of ourselves; it comes first in its batch, and is not counted as received."""
        try:
            match message.topic:
                case own.CONFIGURED:
                    if self.obeys_journal:
                        self.turn_to(self.configured_by(message), now_ms)
                case own.UNWATCHED:
                    self.ward.note_unwatched(*own.read_unwatched(message.payload), now_ms)
                case _:
                    raise ValueError("nobody knows this topic")
        except ValueError as error:  # pydantic's ValidationError is one
            wrong = f"{message.topic} at {rfc3339(now_ms)} was written by another version of this program"
            raise ForeignMessage(f"{wrong}: {error}") from None

    def _follow(self, known: Known, said: Said, message: Recorded, received_ms: int) -> bool:
        """A message that is like one that is known: True where it says nothing new, and is yet to be counted;
        one that may be news goes the way of all others."""
        (time_ms, seq, figure), fingerprint, steady = said, digest(message.payload), known[1]
        if self.ward.follow(steady, time_ms, seq, figure, received_ms, fingerprint):
            return True
        event = event_like(steady.like, time_ms, seq, figure)
        verdict = self.ward.offer(event, received_ms, fingerprint)
        if verdict is Taken.ACCEPTED:
            steady.went_on(time_ms)
        self._count(verdict, event, message, received_ms)
        return False

    def _offer(self, event: BedEvent | Acknowledged, message: Recorded, received_ms: int) -> None:
        verdict = self.ward.offer(event, received_ms, digest(message.payload))
        if verdict is Taken.ACCEPTED and isinstance(event, MapSample | PumpStatus):
            self._get_to_know(event, message)
        self._count(verdict, event, message, received_ms)

    def _get_to_know(self, event: MapSample | PumpStatus, message: Recorded) -> None:
        alike = self.decoder.alike(message.topic, message.payload)
        steady = None if alike is None else self.ward.expect(event)
        if alike is None or steady is None:
            self.known.pop(message.topic, None)
            return
        if len(self.known) >= KNOWN_MAX:
            self.known.clear()
        self.known[message.topic] = Known(alike, steady, KINDS[type(event)])

    def _count(
        self, verdict: Verdict, event: BedEvent | Acknowledged, message: Recorded, received_ms: int
    ) -> None:
        kind = KINDS[type(event)]
        if isinstance(verdict, Reason):
            detail = DETAILS[verdict] + _by_how_much(verdict, event.time_ms - received_ms)
            rejected = Rejected(verdict, detail, kind, getattr(event, "bed", None))
            self._reject(rejected, message, received_ms)
        else:
            self.tally.count(kind, verdict)

    def times_ms(self, messages: Iterable[Recorded]) -> Iterator[int]:
        """The event times of those messages that can be read; nothing is taken in."""
        return times_ms(self.decoder, messages)

    def _refuse(self, rejected: Rejected, message: Recorded, received_ms: int) -> None:
        if rejected.artefact is not None:
            self.ward.note_artefact(rejected.artefact, received_ms)
        if rejected.reason is Reason.BED_MISMATCH and rejected.bed is not None:
            self.ward.doubt(rejected.bed, "", Doubt.IDENTITY, rejected.detail, received_ms)
        self._reject(rejected, message, received_ms)

    def _reject(self, rejected: Rejected, message: Recorded, received_ms: int) -> None:
        self.tally.count(rejected.kind, rejected.reason)
        if self.on_rejected is not None:
            self.on_rejected(rejected, message, received_ms)


def _by_event_time(compared: Compared) -> tuple[int, str, str, int, bytes]:
    message, known, (time_ms, seq, _) = compared
    return time_ms, message.topic, known.steady.device, seq, message.payload


def _in_force(settings: Settings) -> tuple[Sequence[Rule], Terms, Limits, frozenset[str], str]:
    """What a ward is made of."""
    return (
        settings.core_rules(),
        settings.core_terms(),
        settings.core_limits(),
        frozenset(settings.roster),
        settings.ruleset(),
    )


def _by_how_much(verdict: Reason, ahead_ms: int) -> str:
    """For a time that is out of bounds: how far it is from its receipt."""
    if verdict not in (Reason.FUTURE, Reason.TOO_LATE):
        return ""
    return f": {abs(ahead_ms) / 1000:g} s {'ahead' if ahead_ms > 0 else 'behind'}"


def times_ms(decoder: Decoder, messages: Iterable[Recorded]) -> Iterator[int]:
    """The event times of those messages of devices that can be read."""
    for message in messages:
        decoded = decoder.decode(message.topic, message.payload, 0, message.retained)
        if not isinstance(decoded, Rejected | PatientContext | Freed):
            yield decoded.time_ms


KINDS: dict[type, str] = {
    MapSample: "map",
    PumpStatus: "pump",
    PatientContext: "patient",
    Freed: "patient",
    Observation: "observation",
    Acknowledged: "ack",
}
"""The contract's word for a message."""


def topics_from(settings: Settings) -> Topics:
    """The topics under the site's roots."""
    return Topics(settings.topics.telemetry, settings.topics.alerts)


def decoder_from(settings: Settings) -> Decoder:
    """The door with the site's drugs and limits."""
    return Decoder(
        topics_from(settings),
        settings.spellings(),
        settings.limits.message_bytes,
        settings.limits.weight_kg_max,
        map_low_mmhg=settings.terms.map_low_mmhg,
        map_high_mmhg=settings.terms.map_high_mmhg,
        profiles=frozenset(map(Profile, settings.profiles)),
    )
