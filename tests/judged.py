"""What every rule judged in its charts, clause by clause with what each looked at: the page docs/judged.md.

`.venv/bin/python -m tests.judged > docs/judged.md` renews it; read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streamproc.core.alert import Judgement
from streamproc.core.chart import Chart
from streamproc.core.evidence import ChannelEvidence, Evidence, WindowEvidence, seen_by
from streamproc.core.finding import NEVER, Clause, Figure, Finding
from streamproc.core.rule import Rule
from streamproc.core.samples import SampleId
from tests.announcements import live, page_of
from tests.charts import MINUTE_MS, START_MS

HEAD = """# What the rules judged

Generated from the charts in `tests/scenarios`; `tests/test_judged.py` holds the two together. Each rule is
shown in those of its charts in which it sees something new, at the instants (min) at which one of its
clauses changes its answer. First the answers of its levels and of its clear conditions, and when they are
asked again; then each clause: its answer, its figure and limit, and the messages that it looked at.
"""


@dataclass
class Witness:
    """Notes what a rule judges whenever a clause answers otherwise than before."""

    lines: list[str] = field(default_factory=list)
    last: object = None

    def watched(self, rule: Rule) -> Rule:
        """The rule, with us looking on."""

        def judge(chart: Chart) -> Judgement:
            judgement = rule.judge(chart)
            answers = [_answers(finding) for finding in judgement.findings]
            if answers != self.last:
                self.last = answers
                self.lines += _moment(chart, judgement)
            return restless(judgement)

        return replace(rule, judge=judge)


def restless(judgement: Judgement) -> Judgement:
    """The same, to be asked at every sample: when an answer is first seen is no matter of how seldom the bed
    need ask."""
    first, *others = judgement.levels
    when = replace(first.when, firm_ms=0, uncrossed=None)
    return replace(judgement, levels=(replace(first, when=when), *others))


def _answers(finding: Finding) -> object:
    return finding.state, [(clause.name, clause.state) for clause in finding.clauses]


def _moment(chart: Chart, judgement: Judgement) -> Iterator[str]:
    """All that was judged at one instant, each clause once."""
    levels = [_answer(level.priority, level.when) for level in judgement.levels]
    left = [_answer(f"{x.priority} left", x.left_when) for x in judgement.levels if x.left_when is not None]
    clears = [_answer("clear", clear.when) for clear in judgement.clears]
    kind = f"; {judgement.variant}" if judgement.variant else ""
    yield f"{_minute(chart.now_ms)}: {'; '.join([*levels, *left, *clears])}{kind}"
    clauses = [clause for finding in judgement.findings for clause in finding.clauses]
    yield from (f"  {line}" for line in dict.fromkeys(_line(chart, clause) for clause in clauses))


def _answer(name: str, finding: Finding) -> str:
    until = "" if finding.until_ms == NEVER else f" until {_minute(finding.until_ms)}"
    return f"{name} {finding.state}{until}"


def _line(chart: Chart, clause: Clause) -> str:
    limit = "" if clause.limit is None else f" of {_figure(clause.limit)}"
    told = clause.why or f"{_figure(clause.value)}{limit} {clause.unit}".rstrip()
    return "; ".join([f"{clause.name}: {clause.state}, {told}", *_seen(chart, clause)])


def _figure(figure: Figure | None) -> str:
    return figure if isinstance(figure, str) else "none" if figure is None else f"{float(figure):.12g}"


def _seen(chart: Chart, clause: Clause) -> Iterator[str]:
    seen = seen_by(chart, clause.saw)
    yield from _evidence(seen)
    if seen.patient_ms is not None:
        yield f"patient of {_minute(seen.patient_ms)}"
    yield from (f"alert {alert_id}" for alert_id in seen.alerts)
    yield from (f"{n.what} at {_minute(n.time_ms)} {n.device or ''}".rstrip() for n in seen.noticed)


def _evidence(evidence: Evidence) -> Iterator[str]:
    if evidence.map is not None:
        yield _window(evidence.map)
    if evidence.dose_per_kg_min is not None:
        yield f"dose {evidence.dose_per_kg_min:.12g}"
    yield from map(_channel, evidence.channels)
    yield from (f"{r.kind} {r.fluid or r.value} at {_minute(r.time_ms)}" for r in evidence.observed)


def _window(window: WindowEvidence) -> str:
    span = _minute(window.start_ms)
    if window.end_ms != window.start_ms:
        span += f" to {_minute(window.end_ms)}"
    held = "" if window.coverage is None else f" {window.coverage:.9g} held,"
    if window.first is None or window.last is None:
        return f"{span}:{held} {window.count} samples"
    last = f" to {_sample(window.last)}" if window.count > 1 else ""
    return f"{span}:{held} {window.count} samples, {_sample(window.first)}{last}"


def _channel(c: ChannelEvidence) -> str:
    r = c.report
    rate = f"{r.rate.value:g} {r.rate.unit}" if r.rate else "no rate"
    bag = f", {r.concentration.value:g} {r.concentration.unit}" if r.concentration else ""
    weighed = "" if c.weight_ms is None else f" of {_minute(c.weight_ms)} by {c.weight_source}"
    weight = f", {c.weight_kg:g} kg{weighed}" if c.weight_kg else ""
    reported = f"{r.device}/{r.seq} at {_minute(r.time_ms)}"
    return f"channel {r.channel} {r.state}, {rate}{bag}{weight}, {reported}"


def _sample(sample: SampleId) -> str:
    return f"{sample.device}/{sample.seq}"


def _minute(time_ms: int) -> str:
    return f"{(time_ms - START_MS) / MINUTE_MS:.7g}"


def judged(chart: Mapping[str, Any]) -> list[str]:
    """What a chart's rule judged."""
    witness = Witness()
    live(chart, witness.watched)
    return witness.lines


def page() -> str:
    """The whole page."""
    return page_of(HEAD, judged)


if __name__ == "__main__":
    print(page(), end="")
