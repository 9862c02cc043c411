"""Why an alert, or why none: the past lived again up to one instant, and a rule's clauses as they stood.

Judges by the very rules and findings that the service judges by; it never computes anything of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from streamproc.config import Settings
from streamproc.core.alert import Alert, Judgement, Phase
from streamproc.core.bed import Bed
from streamproc.core.change import Change
from streamproc.core.chart import Chart
from streamproc.core.evidence import Evidence, evidence_for
from streamproc.core.finding import Finding, State
from streamproc.core.rule import Rule
from streamproc.rules import RULES
from streamproc.shell import snapshot
from streamproc.shell.intake import Intake
from streamproc.shell.journal import JOURNAL, JournalView, Message, read_only
from streamproc.shell.recordings import read_files
from streamproc.shell.replay import in_order_of_receipt
from streamproc.wire import encode, rfc3339
from streamproc.wire.alerting import ClauseState
from streamproc.wire.announce import clauses_shown, evidence_shown, figure, reasons_against

DIMENSIONLESS = "1"
"""UCUM's unit of a mere figure."""

Batches = Iterable[tuple[int, Iterable[Message]]]


class Unexplained(Exception):
    """Nothing of that name is known; the message says what is."""


@dataclass(slots=True)
class Past:
    """Where the telemetry of the past is: recordings, or the state folder of a service."""

    settings: Settings
    files: Sequence[str] = ()
    state_dir: Path | None = None

    def changes(self) -> Iterator[Change]:
        """Everything that was announced, from the beginning."""
        with self._batches() as (intake, batches):
            yield from _relived(intake, batches, None)

    def bed_at(self, name: str, at_ms: int | None) -> Bed:
        """The bed as it was judged at this instant of event time; at the end where none is given."""
        hold_back_ms = round(self.settings.event_time.hold_back_s * 1000)
        until_ms = None if at_ms is None else at_ms + hold_back_ms
        with self._batches(until_ms, from_snapshot=True) as (intake, batches):
            for _ in _relived(intake, batches, until_ms):
                pass
        ward = intake.ward
        bed = ward.beds.get(name)
        if bed is None:
            raise Unexplained(f"bed {name} was not heard of; heard of were {_listed(ward.beds)}")
        bed.advance(ward.watermark_ms)
        return bed

    @contextmanager
    def _batches(
        self, until_ms: int | None = None, *, from_snapshot: bool = False
    ) -> Iterator[tuple[Intake, Batches]]:
        intake = Intake.from_settings(self.settings)
        if self.state_dir is None:
            within_ms = intake.ward.limits.hold_back_ms
            ordered = in_order_of_receipt(read_files(self.files), within_ms)
            yield intake, groupby(ordered, key=attrgetter("received_ms"))
            return
        with read_only(self.state_dir / JOURNAL) as journal:
            position = _restored(intake, journal, until_ms) if from_snapshot else journal.first_position - 1
            batches = journal.read(max(position + 1, journal.first_position))
            yield intake, ((batch.received_ms, batch.messages) for batch in batches)


def _restored(intake: Intake, journal: JournalView, until_ms: int | None) -> int:
    """The position of the newest snapshot that is not later than the instant; the ward is put back to it."""
    for kept in journal.snapshots():
        if until_ms is None or snapshot.head_of(kept.parts)["ward"]["clock_ms"] <= until_ms:
            snapshot.restore(intake, kept.parts, kept.base)
            return kept.position
    return journal.first_position - 1


def _relived(intake: Intake, batches: Batches, until_ms: int | None) -> Iterator[Change]:
    """What was announced, batch after batch, up to the instant."""
    for received_ms, messages in batches:
        if until_ms is not None and received_ms > until_ms:
            break
        yield from intake.ward.tick(received_ms)
        intake.take(received_ms, messages)
    end_ms = intake.ward.clock_ms if until_ms is None else until_ms
    if end_ms is None:
        raise Unexplained("there is no telemetry in it")
    yield from intake.ward.tick(end_ms)


def explain_rule(past: Past, bed_name: str, rule_id: str, at_ms: int | None) -> str:
    """Why, or why not: every clause of a rule on a bed at an instant."""
    bed = past.bed_at(bed_name, at_ms)
    rule = _rule(bed, rule_id)
    judgement = rule.judge(bed.chart)
    alert = bed.alerts[rule_id]
    lines = [f"{rule_id} on {bed_name} at {rfc3339(bed.chart.now_ms)}: {_standing(alert, judgement)}"]
    lines += ["", rule.sentence, ""]
    lines += _judged(bed.chart, judgement)
    lines += _reasons(judgement)
    lines += _evidence(_evidence_of(rule, bed, alert, judgement))
    return "\n".join(lines)


def explain_alert(past: Past, alert_id: str) -> str:
    """When and why an alert started, with its evidence, and how it went on."""
    told = [change for change in past.changes() if change.alert_id == alert_id]
    if not told or told[0].phase is not Phase.START:
        raise Unexplained(f"alert {alert_id} did not start in this telemetry")
    start = told[0]
    lines = [f"{alert_id}: {start.rule.id} on {start.bed}"]
    lines += [f"  {rfc3339(c.time_ms)} {c.phase} {c.priority} {c.state}: {c.wording.text}" for c in told]
    lines += [f"onset {rfc3339(start.onset_ms)}, detected {rfc3339(start.detected_ms)}"]
    lines += _evidence(start.evidence)
    return "\n".join([*lines, "", explain_rule(past, start.bed, start.rule.id, start.detected_ms)])


def _rule(bed: Bed, rule_id: str) -> Rule:
    """The rule as the bed was judged by it."""
    rule = next((rule for rule in bed.rules if rule.id == rule_id), None)
    if rule is not None:
        return rule
    if rule_id in {each.id for each in RULES}:
        raise Unexplained(f"rule {rule_id} is off at this site")
    raise Unexplained(f"rule {rule_id} is not known; known are {_listed(each.id for each in RULES)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _standing(alert: Alert, judgement: Judgement) -> str:
    if alert.open and alert.priority is not None:
        return f"{alert.state} at {alert.priority} since {rfc3339(alert.onset_ms)} ({alert.alert_id})"
    states = {level.when.state for level in judgement.levels}
    for state in (State.MET, State.UNKNOWN):
        if state in states:
            return f"no alert; {'met, its wait not over' if state is State.MET else state}"
    return "no alert; not met"


def _judged(chart: Chart, judgement: Judgement) -> list[str]:
    lines = []
    for level in judgement.levels:
        wait = f", for {level.for_ms / 1000:g} s" if level.for_ms else ""
        lines += [f"{level.priority}{wait}: {level.when.state}", *_clauses(chart, level.when)]
    for clear in judgement.clears:
        wait = f", for {clear.for_ms / 1000:g} s" if clear.for_ms else ""
        lines += [f"clears{wait}: {clear.when.state}", *_clauses(chart, clear.when)]
    return lines


def _clauses(chart: Chart, finding: Finding) -> list[str]:
    """Each comparison, and below it what it looked at."""
    lines = []
    for clause in clauses_shown(chart, finding):
        lines += [
            f"  {_clause(clause)}",
            f"    {clause.looked_at}: {clause.evidence.model_dump_json(exclude_none=True)}",
        ]
    return lines


def _clause(clause: ClauseState) -> str:
    """One comparison: its state, value, limit and unit, or why it is unknown."""
    told = f"{clause.state:<8} {clause.name}"
    if clause.why is not None:
        return f"{told}: {clause.why}"
    if clause.value is not None:
        told += f": {figure(clause.value)}"
    if clause.limit is not None:
        told += f" against {figure(clause.limit)}"
    return told if clause.unit in (None, DIMENSIONLESS) else f"{told} {clause.unit}"


def _reasons(judgement: Judgement) -> list[str]:
    """Why the lowest level is not reached: the list that a bed's state shows for weaning."""
    finding = judgement.levels[-1].when
    if finding.met:
        return []
    return ["reasons against", *(f"  {reason}" for reason in reasons_against(finding))]


def _evidence_of(rule: Rule, bed: Bed, alert: Alert, judgement: Judgement) -> Evidence:
    if not alert.open:
        alert = Alert(priority=judgement.levels[-1].priority, variant=judgement.variant)
    return evidence_for(bed.chart, rule.word(bed.chart, alert))


def _evidence(evidence: Evidence) -> list[str]:
    return [f"evidence {encode(evidence_shown(evidence)).decode()}"]
