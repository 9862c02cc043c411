"""The alert life cycle, as two tables and the waits between their rows.

Before it is raised an alert is quiet or pending; while it is open it is active, clearing, or
latched until somebody acknowledges it. Unknown is not in the tables: it neither raises nor
clears, and it breaks any wait that was running, so that nothing is counted that was not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any

from streamproc.core.finding import MET, NEVER, Finding, all_uncrossed, negated
from streamproc.core.frozen import frozen


class Priority(StrEnum):
    """Alarm priorities as in IEC 60601-1-8, and `info` for advice that is no alarm."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


WORTH_MS = 1_000
"""An answer that is firm for less than this is asked at each ordinary sample instead."""

RANK = {Priority.INFO: 0, Priority.LOW: 1, Priority.MEDIUM: 2, Priority.HIGH: 3}


class Kind(StrEnum):
    """What an alert is about: the patient, the equipment, or advice."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"
    ADVISORY = "advisory"


class Phase(StrEnum):
    """What an alert event announces (contract, `phase`)."""

    START = "start"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    UPDATE = "update"
    END = "end"


class AlertState(StrEnum):
    """How the alert stands towards the outside (contract, `state`)."""

    ACTIVE = "active"
    LATCHED = "latched"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"


Waits = tuple[int | None, ...]
"""Since when each of several conditions has been met without interruption; None where one is not."""


class Stage(StrEnum):
    """Where in its life an alert is."""

    QUIET = "quiet"
    PENDING = "pending"
    ACTIVE = "active"
    CLEARING = "clearing"
    LATCHED = "latched"


QUIET, PENDING = Stage.QUIET, Stage.PENDING


class Sign(StrEnum):
    """What the rule says now: on the raising side, then on the clearing side."""

    NOTHING = "nothing"
    MET = "met, its wait not over"
    DUE = "met for long enough"


RAISING = {
    (Stage.QUIET, Sign.NOTHING): Stage.QUIET,
    (Stage.QUIET, Sign.MET): Stage.PENDING,
    (Stage.QUIET, Sign.DUE): Stage.ACTIVE,
    (Stage.PENDING, Sign.NOTHING): Stage.QUIET,
    (Stage.PENDING, Sign.MET): Stage.PENDING,
    (Stage.PENDING, Sign.DUE): Stage.ACTIVE,
}
"""Quiet or pending, by what the levels say."""

CLEARING = {
    (Stage.ACTIVE, Sign.NOTHING): Stage.ACTIVE,
    (Stage.ACTIVE, Sign.MET): Stage.CLEARING,
    (Stage.ACTIVE, Sign.DUE): Stage.QUIET,
    (Stage.CLEARING, Sign.NOTHING): Stage.ACTIVE,
    (Stage.CLEARING, Sign.MET): Stage.CLEARING,
    (Stage.CLEARING, Sign.DUE): Stage.QUIET,
    (Stage.LATCHED, Sign.NOTHING): Stage.ACTIVE,
    (Stage.LATCHED, Sign.MET): Stage.LATCHED,
    (Stage.LATCHED, Sign.DUE): Stage.QUIET,
}
"""Open, by what the clear condition says; a latching alert goes to LATCHED where this says QUIET,
or stays there, unless it was acknowledged or what clears it unlatches."""


@frozen
class Level:
    """One priority of a rule: when it is reached, after what wait, and when it is left again."""

    priority: Priority
    when: Finding
    for_ms: int = 0
    left_when: Finding | None = None

    @property
    def left(self) -> bool:
        """Known to be no longer at this level."""
        return (negated(self.when) if self.left_when is None else self.left_when).met


@frozen
class Clear:
    """One way in which a rule's alert ends: the condition, and for how long it must hold."""

    when: Finding
    for_ms: int = 0
    unlatches: bool = False
    """Ends a latching alert although nobody has seen it."""


@frozen
class Judgement:
    """What a rule says at one instant: its levels, the highest first, and its ways to clear.

    `variant` names the wording in force; a change of it while the alert is open is an update."""

    levels: tuple[Level, ...]
    clears: tuple[Clear, ...]
    variant: str = ""

    @property
    def findings(self) -> list[Finding]:
        """Every answer that it rests on."""
        left = [level.left_when for level in self.levels if level.left_when is not None]
        return [*[level.when for level in self.levels], *[clear.when for clear in self.clears], *left]


@dataclass(slots=True)
class Alert:
    """One rule's alert on one bed, through all its lives in one stay."""

    stage: Stage = Stage.QUIET
    level_since: Waits = ()
    clear_since: Waits = ()
    priority: Priority | None = None
    alert_id: str = ""
    event_seq: int = 0
    onset_ms: int = 0
    detected_ms: int = 0
    variant: str = ""
    acknowledged_by: str | None = None
    acknowledged_ms: int | None = None
    due_ms: int = NEVER
    is_firm: bool = field(default=False, compare=False)
    """Whether ordinary MAP samples that cross none of its limits change nothing until it is due."""
    limits: tuple[int, ...] = field(default=(), compare=False)
    """Those, in thousandths of a mmHg; where there is none, no ordinary sample does."""
    escalated_ms: int | None = None
    ended_ms: int | None = None

    @property
    def open(self) -> bool:
        """Started and not ended."""
        return self.stage is not QUIET and self.stage is not PENDING

    @property
    def state(self) -> AlertState:
        """How it stands towards the outside."""
        if not self.open:
            return AlertState.ENDED
        if self.acknowledged_ms is not None:
            return AlertState.ACKNOWLEDGED
        return AlertState.LATCHED if self.stage is Stage.LATCHED else AlertState.ACTIVE

    def meant_by(self, at_ms: int, told_ms: int) -> bool:
        """Whether an acknowledgement of this time can mean the alert as it stands.

        Its name is proof that the start was told; an escalation after `told_ms` was told to nobody."""
        return at_ms >= self.onset_ms and (self.escalated_ms is None or told_ms >= self.escalated_ms)

    def step(
        self,
        at_ms: int,
        judgement: Judgement,
        bed: str,
        rule: str,
        *,
        latches: bool,
        line_goes_on: bool = False,
    ) -> Phase | None:
        """Go on to what the judgement calls for; the phase to announce, or None."""
        self.level_since = _since(self.level_since, [level.when for level in judgement.levels], at_ms)
        self.clear_since = _since(self.clear_since, [clear.when for clear in judgement.clears], at_ms)
        if self.open:
            phase = self._go_on(at_ms, judgement, latches)
        else:
            phase = self._rise(at_ms, judgement, bed, rule)
        self._set_due(at_ms, judgement, line_goes_on)
        if phase is Phase.END and any(level.when.met for level in judgement.levels):
            self.due_ms, self.is_firm = at_ms + 1, False  # what ended it was no word on this: it begins anew
        return phase

    def acknowledge(self, by: str, at_ms: int) -> Phase | None:
        """Somebody has seen it as it stands; a latched alert whose cause is gone ends with that."""
        if not self.open or self.acknowledged_ms is not None:
            return None
        self.acknowledged_by, self.acknowledged_ms = by, at_ms
        if self.stage is Stage.LATCHED:
            self.stage, self.ended_ms = Stage.QUIET, at_ms
            self._begin_waits_anew()
            return Phase.END
        return Phase.UPDATE

    def end(self) -> Phase | None:
        """The stay is over: whatever was open ends, whatever waited is forgotten."""
        was_open = self.open
        self.stage = Stage.QUIET
        self.level_since = self.clear_since = ()
        return Phase.END if was_open else None

    def _rise(self, at_ms: int, judgement: Judgement, bed: str, rule: str) -> Phase | None:
        if self.level_since.count(None) == len(self.level_since):
            self.stage = RAISING[self.stage, Sign.NOTHING]
            return None
        due = [
            (level, since)
            for level, since in zip(judgement.levels, self.level_since, strict=True)
            if since is not None and at_ms - since >= level.for_ms
        ]
        self.stage = RAISING[self.stage, Sign.DUE if due else Sign.MET]
        if not due:
            return None
        level, self.onset_ms = due[0]
        self.detected_ms, self.priority, self.variant = at_ms, level.priority, judgement.variant
        self.alert_id = alert_id(f"{bed}|{rule}", self.onset_ms)
        self.event_seq = 0
        self.acknowledged_by = self.acknowledged_ms = self.escalated_ms = None
        return Phase.START

    def _go_on(self, at_ms: int, judgement: Judgement, latches: bool) -> Phase | None:
        sign = self._clear_sign(at_ms, judgement)
        stage = CLEARING[self.stage, sign]
        if stage is Stage.QUIET and latches and self.acknowledged_ms is None:
            stage = Stage.QUIET if self._unlatched(at_ms, judgement) else Stage.LATCHED
        latched_anew_or_no_more = (stage is Stage.LATCHED) is not (self.stage is Stage.LATCHED)
        self.stage = stage
        if stage is Stage.QUIET:
            self.ended_ms = at_ms
            self._begin_waits_anew()
            return Phase.END
        told = Phase.UPDATE if latched_anew_or_no_more else None
        if stage is Stage.LATCHED:
            return told
        return self._change_level(at_ms, judgement) or self._reword(judgement) or told

    def _begin_waits_anew(self) -> None:
        """What was met before the end is no onset of the next alert: no two share a name."""
        self.level_since, self.clear_since = _none(len(self.level_since)), _none(len(self.clear_since))

    def _clear_sign(self, at_ms: int, judgement: Judgement) -> Sign:
        pairs = list(zip(judgement.clears, self.clear_since, strict=True))
        if any(since is not None and at_ms - since >= clear.for_ms for clear, since in pairs):
            return Sign.DUE
        return Sign.MET if any(since is not None for _, since in pairs) else Sign.NOTHING

    def _unlatched(self, at_ms: int, judgement: Judgement) -> bool:
        return any(
            clear.unlatches and since is not None and at_ms - since >= clear.for_ms
            for clear, since in zip(judgement.clears, self.clear_since, strict=True)
        )

    def _change_level(self, at_ms: int, judgement: Judgement) -> Phase | None:
        """Up as soon as a higher level's wait is over; down when the present one is known to be left."""
        for level, since in zip(judgement.levels, self.level_since, strict=True):
            if level.priority is self.priority:
                return self._step_down(judgement) if level.left else None
            higher = self.priority is None or RANK[level.priority] > RANK[self.priority]
            if higher and since is not None and at_ms - since >= level.for_ms:
                self.priority, self.variant = level.priority, judgement.variant
                self.acknowledged_by = self.acknowledged_ms = None
                self.escalated_ms = at_ms
                return Phase.ESCALATE
        return None

    def _step_down(self, judgement: Judgement) -> Phase | None:
        assert self.priority is not None
        lower = [lv for lv in judgement.levels if RANK[lv.priority] < RANK[self.priority]]
        if not lower:
            return None
        level = next((lv for lv in lower if not lv.left), lower[-1])
        self.priority, self.variant = level.priority, judgement.variant
        return Phase.DEESCALATE

    def _reword(self, judgement: Judgement) -> Phase | None:
        if judgement.variant == self.variant:
            return None
        self.variant = judgement.variant
        return Phase.UPDATE

    def _set_due(self, at_ms: int, judgement: Judgement, line_goes_on: bool) -> None:
        """When a wait that is running will be over, or an answer may differ."""
        parts: list[Level | Clear] = [*judgement.levels, *judgement.clears]
        waits = [
            since + part.for_ms
            for part, since in zip(parts, [*self.level_since, *self.clear_since], strict=True)
            if since is not None and since + part.for_ms > at_ms
        ]
        findings = judgement.findings
        firm_ms, self.limits = min([*[finding.firm_ms for finding in findings], *waits]), ()
        if firm_ms < at_ms + WORTH_MS and (sided := all_uncrossed(findings)) is not None:
            firm_ms, self.limits = min([sided.firm_ms, *waits]), sided.limits
        self.is_firm = line_goes_on and firm_ms >= at_ms + WORTH_MS
        if self.is_firm:
            self.due_ms = firm_ms
        else:
            self.due_ms = min([*[finding.until_ms for finding in findings], *waits])

    def snapshot(self) -> list[Any]:
        """All state as plain values."""
        return [*_all_of_it(self)]

    def restore(self, kept: list[Any]) -> None:
        """Take over what `snapshot` gave."""
        for name, value in zip(KEPT, kept, strict=True):
            setattr(self, name, value)
        self.level_since, self.clear_since = tuple(self.level_since), tuple(self.clear_since)
        self.limits, self.stage = tuple(self.limits), Stage(self.stage)
        self.priority = self.priority and Priority(self.priority)


def kept_of_all(alerts: Mapping[str, Alert]) -> dict[str, Any]:
    """All state of a bed's alerts as plain values; of one that has never been open, its waits and until when
    its answer stands are all there is."""
    every = alerts.values()
    return {
        "rules": [*alerts],
        "due_ms": [alert.due_ms for alert in every],
        "firm": [alert.is_firm for alert in every],
        "levels": [alert.level_since for alert in every],
        "clears": [alert.clear_since for alert in every],
        "limits": {rule: alert.limits for rule, alert in alerts.items() if alert.limits},
        "opened": {
            rule: alert.snapshot()
            for rule, alert in alerts.items()
            if alert.stage is not QUIET or alert.alert_id
        },
    }


def restore_all(alerts: Mapping[str, Alert], kept: Mapping[str, Any]) -> None:
    """Take over what `kept_of_all` gave; a rule that is new since then stays quiet."""
    columns = (kept[name] for name in ("rules", "due_ms", "firm", "levels", "clears"))
    for rule, due_ms, is_firm, levels, clears in zip(*columns, strict=True):
        if (alert := alerts.get(rule)) is not None:
            alert.due_ms, alert.is_firm = due_ms, is_firm
            alert.level_since, alert.clear_since = tuple(levels), tuple(clears)
    for rule, limits in kept["limits"].items():
        if rule in alerts:
            alerts[rule].limits = tuple(limits)
    for rule, opened in kept["opened"].items():
        if rule in alerts:
            alerts[rule].restore(opened)


KEPT = tuple(each.name for each in fields(Alert))
_all_of_it = attrgetter(*KEPT)


def _since(before: Waits, findings: list[Finding], at_ms: int) -> Waits:
    """Since when each is met; not met or unknown starts the count anew."""
    met = [finding.state is MET for finding in findings]
    if True not in met:
        return _none(len(met))
    times = zip(met, before or _none(len(met)), strict=True)
    return tuple([(at_ms if since is None else since) if is_met else None for is_met, since in times])


@cache
def _none(count: int) -> Waits:
    """So many that do not wait: one for all alerts, for most are like that most of the time."""
    return (None,) * count


def alert_id(origin: str, onset_ms: int) -> str:
    """The alert's name, computed from where and when it began, so that a replay gives the same."""
    return "al-" + hashlib.blake2b(f"{origin}|{onset_ms}".encode(), digest_size=10).hexdigest()
