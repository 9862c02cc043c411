"""What the core announces: one step in an alert's life, with the evidence to compute it again.

Holds event times and computed ids only, nothing of the clock or the machine, so the same events
give the same changes, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import AlertState, Phase, Priority
from streamproc.core.chart import Chart, ms
from streamproc.core.dose import NANO
from streamproc.core.events import DrugForm, PumpState, Quantity
from streamproc.core.observations import Reading
from streamproc.core.rule import Rule, Wording
from streamproc.core.trend import SampleId

MOST_OBSERVED = 16
"""Readings that one announcement carries, the newest: it must stay far below what a message may hold."""


@dataclass(frozen=True, slots=True)
class MapEvidence:
    """The window of MAP that a figure came from: `coverage` is 0..1 of its length."""

    start_ms: int
    end_ms: int
    coverage: float
    first: SampleId | None
    last: SampleId | None
    count: int


@dataclass(frozen=True, slots=True)
class ChannelEvidence:
    """One channel's part in a dose: what it reported, when, and which weight was used."""

    channel: str
    drug: str
    reported: SampleId
    reported_ms: int
    state: PumpState
    rate: Quantity | None
    concentration: Quantity | None
    form: DrugForm | None
    form_source: str | None
    weight_kg: float | None
    weight_source: str | None
    weight_ms: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that an alert was decided from."""

    map: MapEvidence | None
    dose_per_kg_min: float | None
    channels: tuple[ChannelEvidence, ...]
    observed: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One alert event, and the ruleset that it was judged by.

    `decided_ms` is when the deciding message came in (receipt time); it serves the latency metric and is
    not part of what is announced."""

    bed: str
    time_ms: int
    rule: Rule
    phase: Phase
    alert_id: str
    event_seq: int
    priority: Priority
    state: AlertState
    acknowledged_by: str | None
    acknowledged_ms: int | None
    onset_ms: int
    detected_ms: int
    ended_ms: int | None
    wording: Wording
    evidence: Evidence
    reason: str | None
    decided_ms: int
    feed_seq: int = 0
    ruleset: str = ""


def evidence_for(chart: Chart, wording: Wording) -> Evidence:
    """What the chart held when the alert said what it says."""
    channels: tuple[ChannelEvidence, ...] = ()
    per_kg = None
    if wording.with_dose:
        channels = tuple(
            _channel(chart, name)
            for name, channel in sorted(chart.infusions.channels.items())
            if channel.status.drug == chart.terms.titrated_drug
        )
        dose = chart.dose
        per_kg = None if dose is None or dose.per_kg_nano is None else dose.per_kg_nano / NANO
    window = _map(chart, wording.window_s) if wording.window_s else None
    return Evidence(window, per_kg, channels, wording.observed[-MOST_OBSERVED:])


def _map(chart: Chart, window_s: int) -> MapEvidence:
    trend = chart.pressure.trend
    window = trend.window(chart.now_ms, ms(window_s))
    samples = trend.samples(chart.now_ms, ms(window_s))
    coverage = round(window.held_ms / window.span_ms, 6)
    return MapEvidence(window.start_ms, window.end_ms, coverage, samples.first, samples.last, samples.count)


def _channel(chart: Chart, name: str) -> ChannelEvidence:
    status = chart.infusions.channels[name].status
    drug = chart.terms.drugs[status.drug]
    form = status.form or drug.charted_as
    weight_kg, weight_source, weight_ms = chart.infusions.weight_kg, "patient context", None
    if weight_kg is None:
        weight_kg, weight_source, weight_ms = status.weight_kg, "pump", status.time_ms
    else:
        weight_ms = chart.infusions.weight_since_ms
    return ChannelEvidence(
        channel=name,
        drug=status.drug,
        reported=SampleId(status.device, status.boot, status.seq),
        reported_ms=status.time_ms,
        state=status.state,
        rate=status.rate,
        concentration=status.concentration,
        form=form,
        form_source="pump" if status.form else "drug library" if form else None,
        weight_kg=weight_kg,
        weight_source=weight_source if weight_kg is not None else None,
        weight_ms=weight_ms if weight_kg is not None else None,
    )
