"""What a figure or a clause was decided from, so that anybody can compute it again from the telemetry.

Looked up when it is asked for, never while judging.
"""

from __future__ import annotations

from collections.abc import Callable

from streamproc.core.chart import Chart, ms
from streamproc.core.dose import NANO
from streamproc.core.events import Doubt, DrugForm, ObservationKind, PumpStatus
from streamproc.core.frozen import frozen
from streamproc.core.observations import Reading
from streamproc.core.rule import Wording
from streamproc.core.samples import SampleId
from streamproc.core.sight import Of, Sight
from streamproc.core.trend import Trend

MOST_OBSERVED = 16
"""Readings that one announcement carries, the newest: it must stay far below what a message may hold."""


@frozen
class WindowEvidence:
    """The window of samples that a figure came from: `coverage` is 0..1 of its length, None of one sample."""

    start_ms: int
    end_ms: int
    coverage: float | None
    first: SampleId | None
    last: SampleId | None
    count: int


@frozen
class ChannelEvidence:
    """One channel's part in a dose: what it reported, and which form of the drug and weight were used."""

    report: PumpStatus
    form: DrugForm | None
    form_source: str | None
    weight_kg: float | None
    weight_source: str | None
    weight_ms: int | None


@frozen
class Noticed:
    """Something that was noticed about a device or the bed: when, what, and on whom."""

    time_ms: int
    what: str
    device: str | None = None


@frozen
class Evidence:
    """Everything that an alert was decided from, or that one clause looked at: samples, pumps, readings, and
    for a clause alone what else the chart holds."""

    map: WindowEvidence | None = None
    dose_per_kg_min: float | None = None
    channels: tuple[ChannelEvidence, ...] = ()
    observed: tuple[Reading, ...] = ()
    patient_ms: int | None = None
    """The patient context's own time."""
    alerts: tuple[str, ...] = ()
    noticed: tuple[Noticed, ...] = ()


NOTHING_SEEN = Evidence()


def evidence_for(chart: Chart, wording: Wording) -> Evidence:
    """What the chart held when the alert said what it says."""
    per_kg, channels = None, tuple[ChannelEvidence, ...]()
    if wording.with_dose:
        drug = chart.terms.titrated_drug
        per_kg, channels = _per_kg_min(chart, drug), _channels_of(chart, drug)
    window = _window(chart.pressure.trend, chart.now_ms, ms(wording.window_s)) if wording.window_s else None
    return Evidence(window, per_kg, channels, wording.observed[-MOST_OBSERVED:])


def _window(trend: Trend, now_ms: int, span_ms: int) -> WindowEvidence | None:
    """The last `span_ms` of a trend; of 0, its newest sample alone."""
    if not span_ms:
        return _newest(trend)
    window, samples = trend.window(now_ms, span_ms), trend.samples(now_ms, span_ms)
    coverage = round(window.held_ms / window.span_ms, 6)
    return WindowEvidence(
        window.start_ms, window.end_ms, coverage, samples.first, samples.last, samples.count
    )


def _newest(trend: Trend) -> WindowEvidence | None:
    newest = trend.newest()
    if newest is None:
        return None
    at_ms, _ = newest
    sample = trend.samples(at_ms, 0)
    return WindowEvidence(at_ms, at_ms, None, sample.last, sample.last, 1)


Heard = dict[str, tuple[float | None, tuple[ChannelEvidence, ...]]]
"""Of each drug that was looked at: its dose by weight, and the reports of its channels."""


def seen_by(chart: Chart, saw: Sight, heard: Heard | None = None) -> Evidence:
    """What there is at a place on the chart, looked at again.

    `heard` keeps what was seen of pumps for those who look at several places at one instant."""
    return LOOKS[saw.of](chart, saw, {} if heard is None else heard)


def _map(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    return Evidence(_window(chart.pressure.trend, chart.now_ms, saw.span_ms))


def _monitor(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    return Evidence(_window(chart.pressure.artefacts, chart.now_ms, saw.span_ms))


def _systolic(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    return Evidence(_window(chart.systolic, chart.now_ms, saw.span_ms))


def _last_map(chart: Chart, _: Sight, __: Heard) -> Evidence:
    return Evidence(_last_valid(chart))


def _last_valid(chart: Chart) -> WindowEvidence | None:
    """The last valid sample, also of a cuff beside a line, which enters no window."""
    cuff, newest = chart.pressure.last_cuff, _newest(chart.pressure.trend)
    if cuff is None or (newest is not None and newest.end_ms >= cuff.time_ms):
        return newest
    sample = SampleId(cuff.device, cuff.boot, cuff.seq)
    return WindowEvidence(cuff.time_ms, cuff.time_ms, None, sample, sample, 1)


def _channel_alone(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    """The reports of one channel, or of all."""
    names = [name for name in sorted(chart.infusions.channels) if saw.what in ("", name)]
    return Evidence(channels=tuple([_channel(chart, name) for name in names]))


def _pumps(chart: Chart, saw: Sight, heard: Heard) -> Evidence:
    """The reports of a drug's channels, the dose by them, and the time that was looked at."""
    drug = saw.what or chart.terms.titrated_drug
    if drug not in heard:
        heard[drug] = _per_kg_min(chart, drug), _channels_of(chart, drug)
    return Evidence(_dosed(chart, saw), *heard[drug])


def _channels_of(chart: Chart, drug: str) -> tuple[ChannelEvidence, ...]:
    channels = chart.infusions.channels
    return tuple([_channel(chart, name) for name in sorted(channels) if channels[name].status.drug == drug])


def _per_kg_min(chart: Chart, drug: str) -> float | None:
    dose = chart.infusions.dose(drug)
    return None if dose is None or dose.per_kg_nano is None else dose.per_kg_nano / NANO


def _dosed(chart: Chart, saw: Sight) -> WindowEvidence | None:
    """The time over which doses were looked at: it has no samples of its own, only the pumps' reports."""
    if saw.of is Of.STEP:
        step = chart.course.newest_step
        return None if step is None else WindowEvidence(step.at_ms, step.at_ms, None, None, None, 0)
    if saw.of is Of.OPENING:
        began_ms = chart.course.began_ms
        return None if began_ms is None else WindowEvidence(began_ms, chart.now_ms, None, None, None, 0)
    if not saw.span_ms:
        return None
    return WindowEvidence(chart.now_ms - saw.span_ms, chart.now_ms, None, None, None, 0)


def _readings(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    return Evidence(observed=_observed(chart, saw)[-MOST_OBSERVED:])


def _observed(chart: Chart, saw: Sight) -> tuple[Reading, ...]:
    seen = chart.observations
    if saw.of is Of.CRYSTALLOID:
        boluses = seen.of(ObservationKind.FLUID_BOLUS)
        return tuple(bolus for bolus in boluses if chart.terms.site.is_crystalloid(bolus.fluid))[-1:]
    kind = ObservationKind(saw.what)
    if saw.of is Of.SUM:
        return seen.over(kind, saw.span_ms)
    if saw.of is Of.SINCE:
        return tuple(seen.after(kind, chart.now_ms - saw.span_ms))
    return seen.newest(kind, saw.count)


def _patient(chart: Chart, _: Sight, __: Heard) -> Evidence:
    return Evidence(patient_ms=None if chart.context is None else chart.context.time_ms)


def _alerts(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    """The id of a rule's alert, open or ended last; of no rule in particular, those of open alarms."""
    names = [saw.what] if saw.what in chart.alerts else [] if saw.what else chart.open_alarms
    ids = tuple([alert_id for name in names if (alert_id := chart.alerts[name].alert_id)])
    return Evidence(alerts=ids) if ids else NOTHING_SEEN


def _gap(chart: Chart, _: Sight, __: Heard) -> Evidence:
    gap = chart.gap
    return NOTHING_SEEN if gap is None else _noticed(gap.noticed_ms, f"{gap.messages} messages", gap.device)


def _unwatched(chart: Chart, _: Sight, __: Heard) -> Evidence:
    unwatched = chart.unwatched
    return NOTHING_SEEN if unwatched is None else _noticed(unwatched.time_ms, unwatched.why)


def _first_word(chart: Chart, _: Sight, __: Heard) -> Evidence:
    heard_ms = chart.stay_heard_ms
    return NOTHING_SEEN if heard_ms is None else _noticed(heard_ms, "first word")


def _doubt(chart: Chart, saw: Sight, _: Heard) -> Evidence:
    doubted = chart.doubts.get(Doubt(saw.what))
    return NOTHING_SEEN if doubted is None else _noticed(doubted.time_ms, doubted.detail, doubted.device)


def _noticed(time_ms: int, what: str, device: str | None = None) -> Evidence:
    return Evidence(noticed=(Noticed(time_ms, what, device),))


LOOKS: dict[Of, Callable[[Chart, Sight, Heard], Evidence]] = {
    Of.MAP: _map,
    Of.LAST_MAP: _last_map,
    Of.MONITOR: _monitor,
    Of.SYSTOLIC: _systolic,
    Of.DOSE: _pumps,
    Of.STEP: _pumps,
    Of.OPENING: _pumps,
    Of.CHANNEL: _channel_alone,
    Of.READINGS: _readings,
    Of.CRYSTALLOID: _readings,
    Of.SUM: _readings,
    Of.SINCE: _readings,
    Of.PATIENT: _patient,
    Of.ALERTS: _alerts,
    Of.DOUBT: _doubt,
    Of.GAP: _gap,
    Of.UNWATCHED: _unwatched,
    Of.BED: _first_word,
}
"""How each place is looked at."""


def _channel(chart: Chart, name: str) -> ChannelEvidence:
    status = chart.infusions.channels[name].status
    drug = chart.terms.drugs[status.drug]
    form = status.form or drug.charted_as
    form_source = "pump" if status.form else "drug library" if form else None
    weight_kg, since_ms = chart.infusions.weight_kg, chart.infusions.weight_since_ms
    if weight_kg is not None:
        return ChannelEvidence(status, form, form_source, weight_kg, "patient context", since_ms)
    if status.weight_kg is not None:
        return ChannelEvidence(status, form, form_source, status.weight_kg, "pump", status.time_ms)
    return ChannelEvidence(status, form, form_source, None, None, None)
