"""Why an alert, or why none: the past lived again up to one instant, and a rule's clauses as they stood.

Judges by the very rules and findings that the service judges by; it never computes anything of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamproc.config import Settings
from streamproc.core.alert import Alert, Judgement, Phase
from streamproc.core.bed import Bed
from streamproc.core.change import Change
from streamproc.core.chart import Chart
from streamproc.core.evidence import Evidence, evidence_for
from streamproc.core.finding import NEVER, Finding, State
from streamproc.core.rule import Rule
from streamproc.rules import RULES
from streamproc.shell.intake import Intake
from streamproc.shell.journal import JOURNAL, read_only
from streamproc.shell.recordings import read_files
from streamproc.shell.relive import begin, relived
from streamproc.shell.replay import Replay
from streamproc.wire import encode, rfc3339
from streamproc.wire.alerting import ClauseState
from streamproc.wire.announce import clauses_shown, evidence_shown, figure, reasons_against

DIMENSIONLESS = "1"
"""UCUM's unit of a mere figure."""


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
        yield from self._lived(Replay(self.settings), None, None)

    def bed_at(self, name: str, at_ms: int | None) -> Bed:
        """The bed as it was judged at this instant of event time; at the end where none is given."""
        run = Replay(self.settings)
        for _ in self._lived(run, at_ms, NEVER if at_ms is None else at_ms):
            pass
        if at_ms is not None and run.begins_ms is not None and at_ms < run.begins_ms:
            begins = rfc3339(run.begins_ms)
            raise Unexplained(f"what is recorded begins at {begins}; right would be an instant from then on")
        ward = run.intake.ward
        bed = ward.beds.get(name)
        if bed is None:
            raise Unexplained(f"bed {name} was not heard of; heard of were {_listed(ward.beds)}")
        bed.advance(ward.watermark_ms)
        return bed

    def _lived(self, run: Replay, at_ms: int | None, nearest_to_ms: int | None) -> Iterator[Change]:
        """All up to an instant of event time; of a journal only what follows the snapshot nearest to one."""
        intake = run.intake
        if self.state_dir is None:
            yield from run.changes(read_files(self.files), _until(intake, at_ms))
        else:
            with read_only(self.state_dir / JOURNAL) as journal:
                position = begin(intake, journal, newest_up_to_ms=nearest_to_ms)
                _refuse_before_what_is_kept(intake, at_ms)
                first = next(journal.read(1), None) if position == 0 else None
                run.begins_ms = None if first is None else first.received_ms
                yield from relived(intake, journal, position, _until(intake, at_ms))
        if intake.ward.clock_ms is None:
            raise Unexplained("there is no telemetry in it")


def _refuse_before_what_is_kept(intake: Intake, at_ms: int | None) -> None:
    """The nearest that is known would be another alert, at another time."""
    ward = intake.ward
    if at_ms is not None and ward.clock_ms is not None and ward.watermark_ms > at_ms:
        kept_from = rfc3339(ward.watermark_ms)
        raise Unexplained(f"the journal is kept from {kept_from} on; right would be a later --at")


def _until(intake: Intake, at_ms: int | None) -> int | None:
    """When the clock shows that an instant of event time has been judged."""
    return None if at_ms is None else at_ms + intake.ward.limits.hold_back_ms


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
    """When and why an alert started, with its evidence, how it went on, and why it escalated.

    Explained as of the instants at which these were decided: what they tell of may have been known only
    later."""
    told = [change for change in past.changes() if change.alert_id == alert_id]
    if not told or told[0].phase is not Phase.START:
        raise Unexplained(f"alert {alert_id} did not start in this telemetry")
    start = told[0]
    lines = [f"{alert_id}: {start.rule.id} on {start.bed}"]
    lines += [f"  {rfc3339(c.time_ms)} {c.phase} {c.priority} {c.state}: {c.wording.text}" for c in told]
    lines += [f"onset {rfc3339(start.onset_ms)}, detected {rfc3339(start.detected_ms)}"]
    lines += _evidence(start.evidence)
    hold_back_ms = past.settings.core_limits().hold_back_ms
    for change in told:
        if change.phase in (Phase.START, Phase.ESCALATE):
            decided_ms = max(change.time_ms, change.decided_ms - hold_back_ms)
            lines += ["", explain_rule(past, change.bed, change.rule.id, decided_ms)]
    return "\n".join(lines)


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
    """One comparison: its state, what it is to be if it is not that, value, limit and unit, or why it is
    unknown."""
    told = f"{clause.state:<8} {clause.name}"
    if clause.state != clause.needed:
        told += f" (needed: {clause.needed})"
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
