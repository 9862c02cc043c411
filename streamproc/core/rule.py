"""What a rule is: a row of the rule table, its numbers, its condition and its wording.

A definition knows no numbers; bound to the site's parameters it becomes a rule. Judging is a
function of the chart alone, and wording is only asked for when there is something to announce.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from streamproc.core.alert import Alert, Judgement, Kind
from streamproc.core.chart import Chart
from streamproc.core.frozen import frozen
from streamproc.core.observations import Reading

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a rule comes from: the source's section, our rule table's section, and who says it
    (`S` the source, `E` an engineering default, `L` a stricter label or guideline)."""

    section: str
    page: str
    says: str


@frozen
class Wording:
    """What an alert says: one line for a wall display, advice, and the figure that decided.

    `figure` is that figure in words without a verdict, for the line that announces the end."""

    text: str
    advice: str
    figure: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    window_s: int = 0
    with_dose: bool = False
    observed: tuple[Reading, ...] = ()
    """The charted readings that decided."""
    proposal: float | None = None
    """The dose that the rule proposes, mcg/kg/min; 0 proposes to stop."""


@dataclass(frozen=True, slots=True)
class RuleDefinition(Generic[P]):
    """A rule without its numbers. `sentence` names its parameters, and terms that rules share, in braces."""

    id: str
    version: int
    kind: Kind
    citation: Citation
    reads: int
    sentence: str
    parameters: type[P]
    judge: Callable[[Chart, P], Judgement]
    word: Callable[[Chart, P, Alert], Wording]
    latches: bool = False
    text: Callable[[Chart, P, Alert], str] | None = None
    """The wording's text alone, of a rule whose alert is open so often and long that it pays."""

    def bind(self, parameters: P, shared: Mapping[str, Any]) -> Rule:
        """The rule with the site's numbers in it; `shared` are those of its terms and library."""
        return Rule(
            self.id,
            self.version,
            self.kind,
            self.citation,
            self.reads,
            self.sentence.format_map(_plain(shared) | _plain(_numbers(parameters))),
            self.latches,
            lambda chart: self.judge(chart, parameters),
            lambda chart, alert: self.word(chart, parameters, alert),
            lambda chart, alert: self._text(chart, parameters, alert),
        )

    def _text(self, chart: Chart, parameters: P, alert: Alert) -> str:
        if self.text is None:
            return self.word(chart, parameters, alert).text
        return self.text(chart, parameters, alert)


def _numbers(parameters: Any) -> dict[str, Any]:
    return asdict(parameters)


def _plain(numbers: Mapping[str, Any]) -> dict[str, str]:
    """Numbers as the sentence shows them."""
    return {name: _shown(value) for name, value in numbers.items()}


def _shown(value: Any) -> str:
    """A number in few digits: 2.0 is 2; of several, each."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A row of the rule table in force at this site; equal to itself alone."""

    id: str
    version: int
    kind: Kind
    citation: Citation
    reads: int
    sentence: str
    latches: bool
    judge: Callable[[Chart], Judgement]
    word: Callable[[Chart, Alert], Wording]
    text: Callable[[Chart, Alert], str]
    """The text of that wording."""
