"""The payloads that go out: alerts, heartbeat, bed states and dead letters.

Field names are the contract's and are never renamed. A field that has nothing to say is null, so
that every message of a kind has the same shape.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamproc.core.events import DrugForm, MapSource, PumpState
from streamproc.core.events import Profile as PatientProfile
from streamproc.core.reason import Reason
from streamproc.wire.fields import (
    AlertId,
    BedName,
    Identifier,
    Instant,
    Line,
    Message,
    Prose,
    Seq,
    Share,
    Word,
)

Priority = Literal["high", "medium", "low", "info"]
AlertKind = Literal["physiological", "technical", "advisory"]
Phase = Literal["start", "escalate", "deescalate", "update", "end"]
AlertState = Literal["active", "latched", "acknowledged", "ended"]
Count = Annotated[int, Field(ge=0)]
Ordinal = Annotated[int, Field(ge=1)]


class SampleRef(Message):
    """Which message of which start of which device."""

    device: Identifier
    boot: Identifier | None = None
    seq: Seq | None = None


class Samples(Message):
    """The samples that an alert rests on: the first, the last, and how many in all."""

    first: SampleRef | None = None
    last: SampleRef | None = None
    count: Count | None = None


class Provenance(Message):
    """A figure that went into a dose, who said it and when."""

    value: float | None = None
    unit: Line | None = None
    source: Line | None = None
    time: Instant | None = None


class ChannelProvenance(Message):
    """What the dose of one pump channel was computed from."""

    channel: Identifier | None = None
    drug: Identifier | None = None
    status: Annotated[PumpState, Word] | None = None
    reported: SampleRef | None = None
    """The pump's message that said so."""
    form: Annotated[DrugForm, Word] | None = None
    """What the charted mass is a mass of."""
    form_source: Line | None = None
    rate: Provenance | None = None
    concentration: Provenance | None = None
    weight: Provenance | None = None


class ObservationProvenance(Message):
    """A charted reading that decided."""

    kind: Identifier
    value: float | bool | Identifier | None = None
    fluid: Identifier | None = None
    time: Instant
    reported: SampleRef


class Evidence(Message):
    """What the alert can be recomputed from, out of the raw telemetry."""

    window_start: Instant | None = None
    window_end: Instant | None = None
    coverage: Share | None = None
    """The part of the window in which a sample held."""
    samples: Samples | None = None
    dose_ug_per_kg_min: float | None = None
    """The dose of norepinephrine base that followed."""
    dose: list[ChannelProvenance] | None = None
    observations: list[ObservationProvenance] | None = None
    """The charted readings that decided, at most 16."""


class NoticedProvenance(Message):
    """Something that was noticed about a device or the bed."""

    time: Instant
    what: Prose
    device: Identifier | None = None


class ClauseEvidence(Evidence):
    """What one clause looked at. An instantaneous value has one sample, and no coverage."""

    patient_context: Instant | None = None
    """The time of the patient context that was in force."""
    alerts: list[AlertId] | None = None
    noticed: list[NoticedProvenance] | None = None


class ClauseState(Message):
    """One comparison that a rule makes: its answer, its figure, its limit, and what it looked at."""

    name: Line
    state: Literal["met", "not met", "unknown"]
    """Of this comparison itself; a rule may ask for its opposite."""
    needed: Literal["met", "not met"] | None = None
    value: float | Prose | None = None
    limit: float | Prose | None = None
    unit: Line | None = None
    why: Line | None = None
    """Why it is unknown."""
    looked_at: Line
    evidence: ClauseEvidence


class Citation(Message):
    """What the rule stands on."""

    section: Prose
    """The section of the clinical source."""
    page: Line
    """The row of the rule page."""
    says: Line | None = None
    """Who says it: `S` the source, `E` an engineering default, `L` a stricter label or guideline."""
    sentence: Prose | None = None
    """The sentence that the rule implements, with the site's numbers in it."""


class AlertPayload(Message):
    """One event in the life of one alert."""

    alert_id: AlertId
    """One per alert from start to end; the same after a crash, a replay, or on another node."""
    event_seq: Ordinal
    """1, 2, 3 ... within the alert."""
    feed_seq: Ordinal | None = None
    """Contiguous within the feed."""
    rule: Identifier
    rule_version: Ordinal
    ruleset: Line
    """The hash of the whole rule configuration."""
    kind: AlertKind
    priority: Priority
    phase: Phase
    state: AlertState
    acknowledged_by: Identifier | None = None
    acknowledged_at: Instant | None = None
    reason: Line | None = None
    """Why it ended, where that is not the rule's own clearing: `session_ended`."""
    text: Line
    """One line for a wall display, with value and limit: `MAP 58 < 65 for 5 min`."""
    advice: Prose | None = None
    """What the source says to do."""
    value: float | None = None
    """The figure that decided."""
    limit: float | None = None
    """The limit that it met."""
    unit: Line | None = None
    onset: Instant
    detected: Instant
    ended: Instant | None = None
    evidence: Evidence
    citation: Citation


class AlertEvent(Message):
    """An alert event as a CloudEvent 1.0 in structured JSON."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=160)]
    """Unique per alert event."""
    source: Annotated[str, Field(pattern=r"^/streamproc/[A-Za-z0-9_.-]{1,64}$")]
    type: Literal["streamproc.alert.v1"] = "streamproc.alert.v1"
    subject: BedName
    time: Instant
    """The event time of this phase."""
    datacontenttype: Literal["application/json"] = "application/json"
    data: AlertPayload


class Heartbeat(Message):
    """The processor is alive and has committed this far; sent from the processing path itself."""

    state: Literal["starting", "running", "failing", "stopping"]
    """`failing`: it can commit nothing, so it takes nothing over and judges nothing."""
    instance: Identifier
    version: Line
    time: Instant
    position: Count | None = None
    """Last committed position of the journal."""
    feed_seq: Count | None = None
    """Last number of the feed."""
    beds: Count | None = None
    ruleset: Line | None = None
    """By which rules it judges."""
    problems: list[Line] = Field(default_factory=list)
    """What a person has to mend: a disk that fails, a configuration that was refused."""


class Lost(Message):
    """The Will: what the broker says when the processor no longer can."""

    state: Literal["lost"] = "lost"


class PressureState(Message):
    """The mean arterial pressure that holds, in mmHg."""

    value: float
    source: Annotated[MapSource, Word]
    time: Instant
    fresh: bool
    """Whether it still counts as the present pressure."""


class DoseState(Message):
    """The dose of norepinephrine base, or why it cannot be told."""

    ug_per_kg_min: float | None = None
    ug_per_min: float | None = None
    unknown_because: list[Line] = Field(default_factory=list)


class WindowState(Message):
    """A time-weighted mean over the last seconds of event time."""

    seconds: Ordinal
    value: float | None = None
    coverage: Share
    evaluable: bool


class WeaningState(Message):
    """Whether the bed may be weaned, with every reason where it may not."""

    eligible: bool
    reasons: list[Line] = Field(default_factory=list)
    clauses: list[ClauseState] = Field(default_factory=list)
    """All of them, also those that are met, as `streamproc explain` shows them."""
    next_ug_per_kg_min: float | None = None
    """The proposed next dose; 0 proposes to stop."""


class ChannelState(Message):
    """What a pump channel was last heard to do."""

    channel: Identifier
    drug: Identifier
    status: Annotated[PumpState, Word]
    rate: float | None = None
    unit: Line | None = None
    time: Instant


class OpenAlert(Message):
    """An alert of this bed that has not ended."""

    alert_id: AlertId
    rule: Identifier
    kind: AlertKind
    priority: Priority
    state: AlertState
    text: Line
    onset: Instant


class BedState(Message):
    """All that a wall display needs of a bed."""

    bed: BedName
    time: Instant
    session: Identifier | None = None
    profile: Annotated[PatientProfile, Word] | None = None
    map_target: float | None = None
    """mmHg."""
    map: PressureState | None = None
    dose: DoseState | None = None
    windows: list[WindowState] = Field(default_factory=list)
    weaning: WeaningState | None = None
    channels: list[ChannelState] = Field(default_factory=list)
    alerts: list[OpenAlert] = Field(default_factory=list)


class DeadLetter(Message):
    """A message that was refused, with as much of it as is needed to see why."""

    received: Instant
    topic: Annotated[str, Field(max_length=512)]
    """As it came, with everything but printable ASCII escaped."""
    reason: Annotated[Reason, Word]
    detail: Line
    payload_bytes: Count
    """How long the payload was."""
    payload_base64: Annotated[str, Field(max_length=1368)]
    """Its first 1024 bytes."""
