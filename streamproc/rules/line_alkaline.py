"""LINE-ALKALINE: an alkaline drug runs in the same line as norepinephrine and inactivates it."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import PumpState
from streamproc.core.finding import Finding, found, negated, unknown
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import ALL_PUMPS


@dataclass(frozen=True, slots=True)
class LineAlkaline:
    """No number of its own: which drugs are alkaline stands in the drug library."""


def judge(chart: Chart, p: LineAlkaline) -> Judgement:
    mixed = _mixed(chart)
    variant = _where(chart) or chart.alert("LINE-ALKALINE").variant
    return Judgement(levels=(Level(Priority.HIGH, mixed),), clears=(Clear(negated(mixed)),), variant=variant)


def _mixed(chart: Chart) -> Finding:
    """Whether both infuse on one line id; unknown where a line that matters has no id."""
    ours, alkaline = _bags(chart)
    if not ours or not alkaline:
        return found("same line", False, value="not both run", saw=ALL_PUMPS)
    if where := _where(chart):
        return found("same line", True, value=where, saw=ALL_PUMPS)
    if any(bag.status.line is None for bag in [*ours, *alkaline]):
        return unknown("same line", "a pump does not say which line it is on", saw=ALL_PUMPS)
    return found("same line", False, value="other lines", saw=ALL_PUMPS)


def _bags(chart: Chart) -> tuple[list[Channel], list[Channel]]:
    """The channels of norepinephrine and those of alkaline drugs through which anything flows."""
    terms, channels = chart.terms, [channel for _, channel in sorted(chart.infusions.channels.items())]
    flowing = [bag for bag in channels if bag.status.state in (PumpState.INFUSING, PumpState.KVO)]
    return (
        [bag for bag in flowing if bag.status.drug == terms.titrated_drug],
        [bag for bag in flowing if terms.drugs[bag.status.drug].alkaline],
    )


def _where(chart: Chart) -> str:
    ours, alkaline = _bags(chart)
    lines = {_line(bag) for bag in ours} - {None}
    return ", ".join(f"{b.status.drug} on line {b.status.line}" for b in alkaline if _line(b) in lines)


def _line(bag: Channel) -> str | None:
    """A line's id, whatever its case and blanks."""
    line = bag.status.line
    return None if line is None else "".join(line.split()).casefold()


def word(chart: Chart, p: LineAlkaline, alert: Alert) -> Wording:
    return Wording(
        text=f"Norepinephrine with {alert.variant.replace('_', ' ')}",
        advice=(
            "Separate the lines: alkaline solutions inactivate norepinephrine. Watch MAP: the dose that "
            "reaches the patient may be less than the pump says."
        ),
        figure="lines separated",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="LINE-ALKALINE",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Critical Pitfalls to Avoid", "Before and around the infusion", "S"),
    reads=Reads.PUMPS,
    sentence=(
        "If a drug that the library calls alkaline ({alkaline_drugs}) infuses, or keeps the vein open, on "
        "the same line as norepinephrine, alert (high). Clear once they are separated."
    ),
    parameters=LineAlkaline,
    judge=judge,
    word=word,
)
