"""From the core's changes and beds to the contract's messages: names and units, no decisions.

An alert is checked as it is made, since it goes out once and must be right; a bed's state is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any

from streamproc.core.alert import Alert
from streamproc.core.bed import Bed
from streamproc.core.change import Change
from streamproc.core.chart import Chart, why_unknown
from streamproc.core.dose import NANO
from streamproc.core.events import MILLI, Quantity
from streamproc.core.evidence import NOTHING_SEEN, ChannelEvidence, Heard, Noticed, WindowEvidence, seen_by
from streamproc.core.evidence import Evidence as CoreEvidence
from streamproc.core.finding import MET, NOT_MET, UNKNOWN, Clause, Figure, Finding
from streamproc.core.observations import Reading
from streamproc.core.rule import Rule
from streamproc.core.samples import SampleId
from streamproc.core.sight import Sight
from streamproc.wire import alerting
from streamproc.wire.alerting import AlertEvent, AlertPayload, Citation
from streamproc.wire.instant import rfc3339
from streamproc.wire.unchecked import checked, unchecked

BedState = unchecked(alerting.BedState)
ChannelProvenance = unchecked(alerting.ChannelProvenance)
ChannelState = unchecked(alerting.ChannelState)
ClauseEvidence = unchecked(alerting.ClauseEvidence)
ClauseState = unchecked(alerting.ClauseState)
DoseState = unchecked(alerting.DoseState)
Evidence = unchecked(alerting.Evidence)
NoticedProvenance = unchecked(alerting.NoticedProvenance)
ObservationProvenance = unchecked(alerting.ObservationProvenance)
OpenAlert = unchecked(alerting.OpenAlert)
PressureState = unchecked(alerting.PressureState)
Provenance = unchecked(alerting.Provenance)
SampleRef = unchecked(alerting.SampleRef)
Samples = unchecked(alerting.Samples)
WeaningState = unchecked(alerting.WeaningState)
WindowState = unchecked(alerting.WindowState)

worded = attrgetter("_value_")
"""The word of an enum, of which a state says many, without the two calls that `.value` is."""
STATE_WINDOWS_S = (300, 900)
"""The means that a bed's state shows."""


def alert_event(change: Change, instance: str, ruleset: str) -> AlertEvent:
    """The change as a CloudEvent; its id is computed from the alert's and its place in it."""
    return AlertEvent(
        id=f"{change.alert_id}:{change.event_seq}",
        source=f"/streamproc/{instance}",
        subject=change.bed,
        time=rfc3339(change.time_ms),
        data=_payload(change, ruleset),
    )


def _payload(change: Change, ruleset: str) -> AlertPayload:
    rule, wording = change.rule, change.wording
    return AlertPayload(
        alert_id=change.alert_id,
        event_seq=change.event_seq,
        feed_seq=change.feed_seq,
        rule=rule.id,
        rule_version=rule.version,
        ruleset=ruleset,
        kind=worded(rule.kind),
        priority=worded(change.priority),
        phase=worded(change.phase),
        state=worded(change.state),
        acknowledged_by=change.acknowledged_by,
        acknowledged_at=_time(change.acknowledged_ms),
        reason=change.reason,
        text=wording.text,
        advice=wording.advice or None,
        value=wording.value,
        limit=wording.limit,
        unit=wording.unit or None,
        onset=rfc3339(change.onset_ms),
        detected=rfc3339(change.detected_ms),
        ended=_time(change.ended_ms),
        evidence=evidence_shown(change.evidence),
        citation=_cited(rule),
    )


@lru_cache(maxsize=256)
def _cited(rule: Rule) -> Citation:
    """What a rule stands on: the same in all its alerts."""
    cited = rule.citation
    return Citation(section=cited.section, page=cited.page, says=cited.says, sentence=rule.sentence)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)


def evidence_shown(evidence: CoreEvidence) -> alerting.Evidence:
    """What an alert was decided from, as the contract has it."""
    window = evidence.map
    shown = Evidence(
        window_start=None if window is None else rfc3339(window.start_ms),
        window_end=None if window is None else rfc3339(window.end_ms),
        coverage=None if window is None else window.coverage,
        samples=None if window is None else _samples(window),
        dose_ug_per_kg_min=evidence.dose_per_kg_min,
        dose=[_channel(channel) for channel in evidence.channels] or None,
        observations=[_observed(reading) for reading in evidence.observed] or None,
    )
    return checked(alerting.Evidence, shown)


def clauses_shown(chart: Chart, finding: Finding) -> list[alerting.ClauseState]:
    """Every comparison of a finding, with its figures and what it looked at."""
    return [checked(alerting.ClauseState, clause) for clause in _clauses(chart, finding.asked())]


def _clauses(chart: Chart, asked: Iterable[tuple[Clause, bool]]) -> list[alerting.ClauseState]:
    looks = _Looks(chart)
    return [_clause(clause, wanted, looks.at(clause.saw)) for clause, wanted in asked]


def _clause(clause: Clause, wanted: bool, evidence: alerting.ClauseEvidence) -> alerting.ClauseState:
    saw = clause.saw
    value: Any = clause.value
    limit: Any = clause.limit
    return ClauseState(
        name=clause.name,
        state=worded(clause.state),
        needed="met" if wanted else "not met",
        value=value if value.__class__ in PLAIN else _plain(value),
        limit=limit if limit.__class__ in PLAIN else _plain(limit),
        unit=clause.unit or None,
        why=clause.why or None,
        looked_at=f"{worded(saw.of)} {saw.what}" if saw.what else worded(saw.of),
        evidence=evidence,
    )


def _plain(figure: Figure) -> Any:
    return figure if isinstance(figure, str) else float(figure)


PLAIN: set[Any] = {float, str, type(None)}
"""Most figures are said as they are."""


@dataclass(slots=True)
class _Looks:
    """What clauses looked at on a chart at one instant: each place and each pump is put together once."""

    chart: Chart
    places: dict[Sight, alerting.ClauseEvidence] = field(default_factory=dict)
    heard: Heard = field(default_factory=dict)
    channels: dict[str, alerting.ChannelProvenance] = field(default_factory=dict)

    def at(self, saw: Sight) -> alerting.ClauseEvidence:
        """What there is at a place."""
        shown = self.places.get(saw)
        if shown is None:
            shown = self.places[saw] = self._shown(seen_by(self.chart, saw, self.heard))
        return shown

    def _shown(self, seen: CoreEvidence) -> alerting.ClauseEvidence:
        if seen is NOTHING_SEEN:
            return NOTHING_SHOWN
        window = seen.map
        return ClauseEvidence(
            window_start=None if window is None else rfc3339(window.start_ms),
            window_end=None if window is None else rfc3339(window.end_ms),
            coverage=None if window is None else window.coverage,
            samples=None if window is None else _samples(window),
            dose_ug_per_kg_min=seen.dose_per_kg_min,
            dose=[self._channel(channel) for channel in seen.channels] if seen.channels else None,
            observations=[_observed(reading) for reading in seen.observed] if seen.observed else None,
            patient_context=_time(seen.patient_ms),
            alerts=list(seen.alerts) if seen.alerts else None,
            noticed=[_noticed(noticed) for noticed in seen.noticed] if seen.noticed else None,
        )

    def _channel(self, channel: ChannelEvidence) -> alerting.ChannelProvenance:
        name = channel.report.channel
        shown = self.channels.get(name)
        if shown is None:
            shown = self.channels[name] = _channel(channel)
        return shown


NOTHING_SHOWN = ClauseEvidence()


def _noticed(noticed: Noticed) -> alerting.NoticedProvenance:
    return NoticedProvenance(time=rfc3339(noticed.time_ms), what=noticed.what, device=noticed.device)


def _samples(window: WindowEvidence) -> alerting.Samples | None:
    """The samples of a window; of one sample there is no coverage, and of a dose's window there are none."""
    if not window.count and window.coverage is None:
        return None
    return Samples(first=_ref(window.first), last=_ref(window.last), count=window.count)


def _observed(reading: Reading) -> alerting.ObservationProvenance:
    sample = reading.sample
    return ObservationProvenance(
        kind=reading.kind.value,
        value=reading.value,
        fluid=reading.fluid,
        time=rfc3339(reading.time_ms),
        reported=SampleRef(device=sample.device, boot=sample.boot, seq=sample.seq),
    )


def _ref(sample: SampleId | None) -> alerting.SampleRef | None:
    if sample is None:
        return None
    return SampleRef(device=sample.device, boot=sample.boot, seq=sample.seq)


def _channel(channel: ChannelEvidence) -> alerting.ChannelProvenance:
    report = channel.report
    reported, weight = rfc3339(report.time_ms), None
    if channel.weight_kg is not None:
        weight = Provenance(
            value=channel.weight_kg, unit="kg", source=channel.weight_source, time=_time(channel.weight_ms)
        )
    return ChannelProvenance(
        channel=report.channel,
        drug=report.drug,
        status=report.state,
        reported=SampleRef(device=report.device, boot=report.boot, seq=report.seq),
        form=channel.form,
        form_source=channel.form_source,
        rate=_charted(report.rate, reported),
        concentration=_charted(report.concentration, reported),
        weight=weight,
    )


def _charted(quantity: Quantity | None, time: str) -> alerting.Provenance | None:
    if quantity is None:
        return None
    return Provenance(value=quantity.value, unit=quantity.unit, source="pump", time=time)


def bed_state(bed: Bed) -> alerting.BedState:
    """The bed as a wall display shows it, as of the instant up to which it was judged."""
    chart = bed.chart
    context = chart.context
    return BedState(
        bed=bed.name,
        time=rfc3339(chart.now_ms),
        session=None if context is None else context.session,
        profile=chart.profile,
        map_target=chart.target_milli / MILLI,
        map=_pressure(chart),
        dose=_dose(chart),
        windows=[_window(chart, seconds) for seconds in STATE_WINDOWS_S],
        weaning=_weaning(bed),
        channels=_channels(chart),
        alerts=_open_alerts(bed),
    )


def _pressure(chart: Chart) -> alerting.PressureState | None:
    pressure = chart.pressure
    newest = pressure.trend.newest()
    if newest is None or pressure.source is None:
        return None
    at_ms, value = newest
    fresh = pressure.trend.now(chart.now_ms) is not None
    return PressureState(value=value / MILLI, source=pressure.source, time=rfc3339(at_ms), fresh=fresh)


def _dose(chart: Chart) -> alerting.DoseState | None:
    dose = chart.dose
    if dose is None:
        return None
    return DoseState(
        ug_per_kg_min=None if dose.per_kg_nano is None else dose.per_kg_nano / NANO,
        ug_per_min=None if dose.per_min_nano is None else dose.per_min_nano / NANO,
        unknown_because=[why_unknown(dose)] if dose.per_kg_nano is None else [],
    )


def _window(chart: Chart, seconds: int) -> alerting.WindowState:
    window = chart.pressure.trend.window(chart.now_ms, seconds * 1000)
    coverage = window.held_ms / (seconds * 1000)
    mean = round(window.area / window.held_ms / MILLI, 3) if window.held_ms else None
    evaluable = coverage >= chart.terms.coverage_min
    return WindowState(seconds=seconds, value=mean, coverage=round(coverage, 6), evaluable=evaluable)


def _weaning(bed: Bed) -> alerting.WeaningState | None:
    """WEAN-READY's own finding, clause by clause; None where the site has the rule off."""
    rule = bed.named.get("WEAN-READY")
    if rule is None:
        return None
    finding = rule.judge(bed.chart).levels[0].when
    lower = rule.word(bed.chart, bed.alerts[rule.id]).proposal if finding.met else None
    asked = finding.asked()
    return WeaningState(
        eligible=finding.met,
        reasons=_reasons(asked),
        clauses=_clauses(bed.chart, asked),
        next_ug_per_kg_min=lower,
    )


def reasons_against(finding: Finding) -> list[str]:
    """A sentence for each clause that is not as it must be, or not known."""
    return _reasons(finding.asked())


def _reasons(asked: Iterable[tuple[Clause, bool]]) -> list[str]:
    return [_sentence(clause) for clause, wanted in asked if clause.state is not WANTED[wanted]]


WANTED = {True: MET, False: NOT_MET}


def _sentence(clause: Clause) -> str:
    if clause.state is UNKNOWN:
        return f"{clause.name}: unknown, {clause.why}"
    told = f"{clause.name}: {worded(clause.state)}"
    if clause.value is not None:
        told += f", {figure(clause.value)}"
    if clause.limit is not None:
        told += f" against {figure(clause.limit)}"
    unit = "" if clause.unit == "1" else clause.unit
    return f"{told} {unit}".rstrip()


def figure(value: object) -> str:
    """A clause's value or limit in few digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _channels(chart: Chart) -> list[alerting.ChannelState]:
    return [
        ChannelState(
            channel=name,
            drug=channel.status.drug,
            status=channel.status.state,
            rate=None if (rate := channel.status.rate) is None else rate.value,
            unit=None if rate is None else rate.unit,
            time=rfc3339(channel.status.time_ms),
        )
        for name, channel in sorted(chart.infusions.channels.items())
    ]


def _open_alerts(bed: Bed) -> list[alerting.OpenAlert]:
    return [_open_alert(bed, bed.named[name], alert) for name, alert in bed.chart.open_alerts.items()]


def _open_alert(bed: Bed, rule: Rule, alert: Alert) -> alerting.OpenAlert:
    return OpenAlert(
        alert_id=alert.alert_id,
        rule=rule.id,
        kind=worded(rule.kind),
        priority=worded(alert.priority),
        state=worded(alert.state),
        text=rule.text(bed.chart, alert),
        onset=rfc3339(alert.onset_ms),
    )
