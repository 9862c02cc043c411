"""A question's answer: met, not met or unknown, with its reasons and how long it stands.

Unknown is an answer like the others and never turns into one of them: `all_of` and `any_of`
follow Kleene's three-valued logic. `until_ms` is a promise: with no new event the state does
not change before it, so it is the next instant at which the question must be asked again.
`firm_ms` is another, for as long as the arterial line goes on: until then the state does not change
whatever ordinary MAP samples come (those that `Pressure` calls so), so that a steady patient is not
judged anew at every beat. `uncrossed` is a third, while they stay on one side of some limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from streamproc.core.frozen import frozen
from streamproc.core.sight import Sight

NEVER = 1 << 62
"""An instant that does not come: the answer stands until an event changes it."""


Figure = int | float | Fraction | str


class State(StrEnum):
    """The three answers."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


MET, NOT_MET, UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN
"""An enum's own look-up takes ten times as long as that of a name."""


@frozen
class Clause:
    """One elementary comparison: what was compared, with what, where it was seen, and why it is unknown if
    it is. A value in words has no limit."""

    name: str
    state: State
    value: Figure | None
    limit: Figure | None
    unit: str
    why: str
    saw: Sight


class Uncrossed(NamedTuple):
    """Until when an answer does not change while ordinary MAP samples cross none of these limits, in
    thousandths of a mmHg: a pressure at a limit is above it."""

    firm_ms: int
    limits: tuple[int, ...]


@frozen
class Finding:
    """An answer, what it was put together from, and the first instants (event time, ms) at which it may
    differ: with no new event, while the line goes on, and where that is longer, while the pressure also stays
    on one side of its limits. `opposite` is true of a negation."""

    state: State
    until_ms: int
    parts: tuple[Clause | Finding, ...]
    firm_ms: int = NEVER
    opposite: bool = False
    uncrossed: Uncrossed | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every comparison in it."""
        return tuple(clause for clause, _ in self.asked())

    def asked(self, wanted: bool = True) -> list[tuple[Clause, bool]]:
        """Every comparison in it, and whether it must be met for the whole to be met, or must not."""
        asked: list[tuple[Clause, bool]] = []
        self._ask(asked, wanted)
        return asked

    def _ask(self, asked: list[tuple[Clause, bool]], wanted: bool) -> None:
        wanted = wanted is not self.opposite
        for part in self.parts:
            if isinstance(part, Clause):
                asked.append((part, wanted))
            else:
                part._ask(asked, wanted)

    @property
    def met(self) -> bool:
        """Known to hold."""
        return self.state is MET

    @property
    def saw(self) -> Sight:
        """Where its last clause was seen."""
        return self.parts[-1].saw

    @property
    def known(self) -> bool:
        """Either answer, but an answer."""
        return self.state is not UNKNOWN

    def until(self, until_ms: int) -> Finding:
        """The same answer, to be asked again at `until_ms` at the latest."""
        firm_ms = min(self.firm_ms, until_ms)
        return Finding(self.state, min(self.until_ms, until_ms), self.parts, firm_ms, self.opposite)

    def asked_with(self, other: Finding) -> Finding:
        """The same answer, to be asked again whenever the other is: it only sees what it is asked about."""
        until_ms, firm_ms = min(self.until_ms, other.until_ms), min(self.firm_ms, other.firm_ms)
        return Finding(self.state, until_ms, self.parts, firm_ms, self.opposite)


def found(
    name: str,
    holds: bool,
    until_ms: int = NEVER,
    *,
    saw: Sight,
    value: Figure | None,
    limit: Figure | None = None,
    unit: str = "",
    firm_ms: int | None = None,
    uncrossed: Uncrossed | None = None,
) -> Finding:
    """The finding of one comparison whose outcome is known; without MAP it is firm until it is due."""
    state = MET if holds else NOT_MET
    clause = Clause(name, state, value, limit, unit, "", saw)
    return Finding(state, until_ms, (clause,), until_ms if firm_ms is None else firm_ms, uncrossed=uncrossed)


def unknown(name: str, why: str, until_ms: int = NEVER, firm_ms: int | None = None, *, saw: Sight) -> Finding:
    """The finding of one comparison that cannot be made, and why not."""
    clause = Clause(name, UNKNOWN, None, None, "", why, saw)
    return Finding(UNKNOWN, until_ms, (clause,), until_ms if firm_ms is None else firm_ms)


def all_of(*findings: Finding) -> Finding:
    """Met if every one is met; not met as soon as one is not, whatever the unknown ones are."""
    return _combine(findings, decides=NOT_MET, otherwise=MET)


def any_of(*findings: Finding) -> Finding:
    """Met as soon as one is met, whatever the unknown ones are; not met if none is."""
    return _combine(findings, decides=MET, otherwise=NOT_MET)


def _combine(findings: tuple[Finding, ...], decides: State, otherwise: State) -> Finding:
    states = [f.state for f in findings]
    if decides in states:  # stands as long as any one of the deciding ones does
        deciding = [f for f in findings if f.state is decides]
        until_ms, firm_ms = max([f.until_ms for f in deciding]), max([f.firm_ms for f in deciding])
        sided = [f.uncrossed for f in deciding if f.uncrossed is not None and f.uncrossed.firm_ms > firm_ms]
        return Finding(decides, until_ms, findings, firm_ms, uncrossed=max(sided, default=None))
    until_ms, firm_ms = min([f.until_ms for f in findings]), min([f.firm_ms for f in findings])
    state = UNKNOWN if UNKNOWN in states else otherwise
    return Finding(state, until_ms, findings, firm_ms, uncrossed=all_uncrossed(findings))


def all_uncrossed(findings: Sequence[Finding]) -> Uncrossed | None:
    """Until when none of these changes while the pressure crosses none of their limits; None where that is
    no longer than it is without."""
    sided = [f.uncrossed for f in findings if f.uncrossed is not None]
    if not sided:
        return None
    firm_ms = min([f.firm_ms if f.uncrossed is None else f.uncrossed.firm_ms for f in findings])
    if firm_ms <= min([f.firm_ms for f in findings]):
        return None
    return Uncrossed(firm_ms, tuple(sorted({limit for each in sided for limit in each.limits})))


_OPPOSITE = {MET: NOT_MET, NOT_MET: MET, UNKNOWN: UNKNOWN}


def negated(finding: Finding) -> Finding:
    """Met where the finding is not met; unknown stays unknown."""
    return _opposite(_OPPOSITE[finding.state], finding)


def not_shown(finding: Finding) -> Finding:
    """Met where the finding is not met *or unknown*: for rules that fail closed."""
    state = NOT_MET if finding.met else MET
    return _opposite(state, finding)


def _opposite(state: State, finding: Finding) -> Finding:
    return Finding(
        state, finding.until_ms, finding.parts, finding.firm_ms, not finding.opposite, finding.uncrossed
    )


ALWAYS_NOT = Finding(NOT_MET, NEVER, ())
"""A condition that nothing meets: a level or a clear path that a rule does not have."""
