"""Silence is never health: over all rules, a lost signal ends no physiological alert and makes no bed ready.

A signal is cut off shortly before something would have ended, or would have been advised, by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from open_spans import covers, open_spans
from quick_site import RULES, every_rule, quick_site
from themed_stays import law
from ward_histories import History, Run, run

from streamproc.core.alert import Kind, Phase
from streamproc.core.change import Change
from streamproc.core.chart import Reads
from streamproc.core.events import MapSample, Observation, ObservationKind, PumpState, PumpStatus

PHYSIOLOGICAL = {rule.id: rule for rule in every_rule() if rule.kind is Kind.PHYSIOLOGICAL}
UNSETTLED = Reads.DOUBTS | Reads.PRESENCE
READINGS = Reads.OBSERVATIONS | Reads.SYSTOLIC
"""What any message tells; rules that read it are not compared when some are missing."""
AFTER_OTHERS = {"BETA-BLOCKED", "WEAN-READY"}
"""Rules that follow other rules' alerts."""
DRUG_OF = {"VASO-RANGE": "vasopressin", "EPI-RANGE": "epinephrine", "DOBU-RANGE": "dobutamine"}
CUTS = 4
"""How often each history is cut, each time for another rule."""
CUT_BEFORE_MS = 40_000
"""How long before: some of it is before the loss is noticed, most of it not."""
RESPONSE_MS = RULES["HRS-STEP"]["window_s"] * 1_000
"""For so long after a step a reading that came before may still be what decides."""


@dataclass(frozen=True)
class Cut:
    """A history whose signals of some kinds are lost from an instant on, what became of it, and what would
    have become of it."""

    history: History
    from_ms: int
    lived: Run
    whole: Run

    def abated(self, bed: str, since_ms: int) -> Iterator[Change]:
        """Each physiological alert that ended or abated on a bed after an instant."""
        for change in self.lived.changes:
            late = change.bed == bed and change.time_ms > since_ms
            if late and change.rule.id in PHYSIOLOGICAL and change.phase in (Phase.END, Phase.DEESCALATE):
                yield change

    def ready_since(self, bed: str, since_ms: int) -> bool:
        """Whether a bed became ready for weaning after an instant."""
        return any(
            (c.rule.id, c.phase, c.bed) == ("WEAN-READY", Phase.START, bed) and c.time_ms > since_ms
            for c in self.lived.changes
        )

    def said(self, bed: str, type_: type[Any], from_ms: int, to_ms: int, **what: Any) -> bool:
        """Whether a message of a kind that says this came from a bed, of a time between two instants."""
        return any(
            isinstance(a.event, type_)
            and a.event.bed == bed
            and from_ms <= a.event.time_ms <= to_ms
            and all(getattr(a.event, name) == value for name, value in what.items())
            for a in self.history.arrivals
        )


def cuts(history: History, chance: Random, reads: int, *kinds: type[Any]) -> Iterator[Cut]:
    """The history without these signals, from shortly before alerts end that rest on them; each rule
    as likely as any other."""
    whole = run(history)
    ends: dict[str, list[int]] = {}
    for change in whole.changes:
        rests = change.rule.id in PHYSIOLOGICAL and change.rule.reads & reads and change.phase is Phase.END
        if rests or change.rule.id == "WEAN-READY":
            ends.setdefault(change.rule.id, []).append(change.time_ms)
    for rule in chance.sample(sorted(ends), min(CUTS, len(ends))):
        from_ms = chance.choice(ends[rule]) - chance.randrange(1_000, CUT_BEFORE_MS)
        left = history.arriving(
            a for a in history.arrivals if not (isinstance(a.event, kinds) and a.event.time_ms >= from_ms)
        )
        yield Cut(left, from_ms, run(left), whole)


def assert_untouched(lost: Cut, reads: int) -> None:
    """Whatever rests on other signals went on as it would have."""
    others = {rule.id for rule in every_rule() if not rule.reads & (reads | UNSETTLED)} - AFTER_OTHERS
    after, before = ([told for told in each.told() if told[2] in others] for each in (lost.lived, lost.whole))
    assert after == before


def lost_ms(lived: Run, bed: str) -> int | None:
    """From when on a bed's pressure counts as lost; None if there never was one."""
    pressure = lived.ward.beds[bed].chart.pressure
    if pressure.cadence.last_ms is None:
        return None
    return pressure.cadence.last_ms + pressure.loss_ms(quick_site().core_terms().map_lost_ms)


def out_of_contact_ms(lived: Run, bed: str, drug: str = "norepinephrine") -> int | None:
    """From when on a drug may run unheard; None if each of its pumps said that it stopped, or it has none."""
    terms, channels = quick_site().core_terms(), lived.ward.beds[bed].chart.infusions.channels.values()
    running = [c for c in channels if c.status.drug == drug and c.may_run_unheard]
    return min((channel.loss_due_ms(terms) for channel in running), default=None)


Excuse = Callable[[Cut, Change], bool]


def by_known_dose(_: Cut, change: Change) -> bool:
    return change.evidence.dose_per_kg_min is not None


def by_infusing(lost: Cut, change: Change) -> bool:
    """Drug flows, or a pump says at this very instant that it does, at whatever dose."""
    at_ms, infusing = change.time_ms, {"drug": "norepinephrine", "state": PumpState.INFUSING}
    return bool(change.evidence.dose_per_kg_min) or lost.said(
        change.bed, PumpStatus, at_ms, at_ms, **infusing
    )


def by_step_or_urine(lost: Cut, change: Change) -> bool:
    """A pump says something new, or urine was measured."""
    at_ms, urine = change.time_ms, {"kind": ObservationKind.URINE_OUTPUT}
    return lost.said(change.bed, PumpStatus, at_ms, at_ms) or lost.said(
        change.bed, Observation, at_ms - RESPONSE_MS, at_ms, **urine
    )


def by_pressure(lost: Cut, change: Change) -> bool:
    since_ms = change.time_ms - quick_site().core_terms().map_hold_cuff_ms
    return lost.said(change.bed, MapSample, since_ms, change.time_ms, valid=True)


def by_pressure_or_urine(lost: Cut, change: Change) -> bool:
    return by_pressure(lost, change) or by_step_or_urine(lost, change)


def by_step_or_pressure(lost: Cut, change: Change) -> bool:
    at_ms = change.time_ms
    return by_pressure(lost, change) or lost.said(change.bed, PumpStatus, at_ms, at_ms)


def by_reading(lost: Cut, change: Change) -> bool:
    """Something was charted at this very instant."""
    return lost.said(change.bed, Observation, change.time_ms, change.time_ms)


WITHOUT_PRESSURE: dict[str, Excuse] = {
    "ESC-SECOND-AGENT": by_known_dose,
    "WEAN-STOP": by_infusing,
    "HRS-STEP": by_step_or_urine,
}
WITHOUT_PUMPS: dict[str, Excuse] = {
    "ESC-SECOND-AGENT": by_pressure,
    "WEAN-FAIL": by_pressure,
    "HRS-STEP": by_pressure_or_urine,
    "ARRHYTHMIA": by_reading,
    "VASOCONSTRICTION": by_reading,
}
WITHOUT_READINGS: dict[str, Excuse] = {"HRS-STEP": by_step_or_pressure}
"""Of rules that read a lost signal: what of the others may still end their alerts. A rule that is not here
ends none; a rule that is new has to be thought about."""


@law(late=False, contexts=False, acks=False)
def test_losing_the_pressure_ends_no_physiological_alert(history: History, chance: Random) -> None:
    """Once the silence counts as loss nothing ends or abates on the strength of a pressure that is not there,
    and no bed becomes ready; what other signals decide goes on as it did."""
    for lost in cuts(history, chance, Reads.MAP, MapSample):
        for stay in history.stays:
            since_ms = lost_ms(lost.lived, stay.bed)
            if since_ms is None:
                continue
            assert not lost.ready_since(stay.bed, since_ms)
            for change in lost.abated(stay.bed, since_ms):
                assert excused(lost, change, Reads.MAP, WITHOUT_PRESSURE), (change.rule.id, change.time_ms)
        assert_untouched(lost, Reads.MAP)


def excused(lost: Cut, change: Change, reads: int, excuses: dict[str, Excuse]) -> bool:
    """Whether an alert ended by something else than the signals that are lost."""
    excuse = excuses.get(change.rule.id)
    return not change.rule.reads & reads or (excuse is not None and excuse(lost, change))


@law(late=False, contexts=False, acks=False)
def test_losing_the_pumps_ends_no_physiological_alert(history: History, chance: Random) -> None:
    """Once contact is lost nothing ends or abates on the strength of a dose that nobody knows, and no bed
    becomes ready; what other signals decide goes on as it did."""
    reads = Reads.DOSE | Reads.PUMPS | Reads.VOLUME
    for lost in cuts(history, chance, reads, PumpStatus):
        for stay in history.stays:
            since_ms = out_of_contact_ms(lost.lived, stay.bed)
            assert since_ms is None or not lost.ready_since(stay.bed, since_ms)
            for change in lost.abated(stay.bed, lost.from_ms):
                drug = DRUG_OF.get(change.rule.id, "norepinephrine")
                since_ms = out_of_contact_ms(lost.lived, stay.bed, drug)
                if since_ms is None or change.time_ms <= since_ms:
                    continue  # it said that it stopped, or is not lost yet
                assert excused(lost, change, reads, WITHOUT_PUMPS), (change.rule.id, change.time_ms)
        assert_untouched(lost, reads)


@law(late=False, contexts=False, acks=False)
def test_losing_the_readings_ends_no_physiological_alert(history: History, chance: Random) -> None:
    """Nothing ends because nothing is charted any more, and a bed becomes ready only at times when no alarm
    but those that readings would have raised kept it from that."""
    by_readings = [rule.id for rule in PHYSIOLOGICAL.values() if rule.reads & READINGS]
    for lost in cuts(history, chance, READINGS, Observation):
        for stay in history.stays:
            for change in lost.abated(stay.bed, lost.from_ms):
                told = change.rule.id, change.time_ms
                assert excused(lost, change, READINGS, WITHOUT_READINGS), told
            may_be = [
                span
                for rule in ("WEAN-READY", *by_readings)
                for span in open_spans(lost.whole, rule, stay.bed, history.until_ms)
            ]
            ready = open_spans(lost.lived, "WEAN-READY", stay.bed, history.until_ms)
            assert covers(may_be, ready), (stay.bed, ready)
        assert_untouched(lost, READINGS)


@law(late=False, contexts=False, acks=False)
def test_a_bed_that_falls_silent_ends_no_physiological_alert(history: History, chance: Random) -> None:
    """Where nothing at all is heard any more, only a pump that said that it stopped lets an alert end."""
    for lost in cuts(history, chance, Reads.EVERYTHING, MapSample, PumpStatus, Observation):
        for stay in history.stays:
            silent_ms = max(lost_ms(lost.lived, stay.bed) or 0, lost.from_ms + RESPONSE_MS)
            assert not lost.ready_since(stay.bed, silent_ms)
            for change in lost.abated(stay.bed, silent_ms):
                told = change.rule.id, change.time_ms
                drug = DRUG_OF.get(change.rule.id, "norepinephrine")
                assert change.rule.reads & Reads.DOSE, told
                assert out_of_contact_ms(lost.lived, stay.bed, drug) is None, told
