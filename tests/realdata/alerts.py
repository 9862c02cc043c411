"""How many alerts the charted stays give with every rule on; and the table that says so.

`python tests/realdata/alerts.py --write` renews the table in `docs/realdata-alerts.md`. Nothing is left
out and nothing is tuned: the table is what a ward fed with charts would hear.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from agreement import CHARTED_SETTINGS, END_S, PROJECT, REALDATA

from simulators.recordings.charts import Stay, read_stays
from simulators.recordings.lines import record
from streamproc.config import Settings, load
from streamproc.core.alert import RANK, Priority
from streamproc.rules import RULES
from streamproc.shell.replay import Replay
from streamproc.wire import read_lines

PAGE = PROJECT / "docs" / "realdata-alerts.md"
BEGIN, END = "<!-- table: alerts.py -->", "<!-- end of table -->"
DAY_MS = 86_400_000
TESTED = ("mimic3/209797", "mimic3/228977", "mimic3/251573", "eicu/426975", "eicu/3098657", "eicu/3099676")
"""Stays of both databases, short ones and one of several days, which the tests replay each time."""


@dataclass(slots=True)
class Heard:
    """What some stays' alerts were: how many of each rule and highest priority, in how many bed-days."""

    days: float = 0
    alerts: Counter[tuple[str, Priority]] = field(default_factory=Counter)

    def of(self, rule: str) -> int:
        """How many alerts of this rule."""
        return sum(count for (name, _), count in self.alerts.items() if name == rule)


@cache
def settings() -> Settings:
    """The shipped configuration, all rules on, with what charted data needs."""
    return load(None, [f"{key}={value}" for key, value in CHARTED_SETTINGS.items()])


def listen(stay: Stay, heard: Heard) -> None:
    """Replay one stay, and count each alert once, by the highest priority that it reached."""
    messages = list(read_lines(line.text.encode() for line in record(stay).lines))
    times = [message.received_ms for message in messages]
    highest: dict[str, tuple[str, Priority]] = {}
    for change in Replay(settings()).changes(messages, max(times) + round(END_S * 1000)):
        before = highest.get(change.alert_id)
        if before is None or RANK[change.priority] > RANK[before[1]]:
            highest[change.alert_id] = (change.rule.id, change.priority)
    heard.alerts.update(highest.values())
    heard.days += (max(times) - min(times)) / DAY_MS


def all_heard(stays: list[Stay]) -> Heard:
    """The alerts of these stays together."""
    heard = Heard()
    for stay in stays:
        listen(stay, heard)
    return heard


def table(heard: Heard, of_tested: Heard) -> str:
    """A row a rule, the loudest first: alerts a bed and day by highest priority."""
    heads = ["rule", *(priority.value for priority in Priority), "all", "alerts", "in the tested stays"]
    rows = [heads, ["---", *["--:"] * (len(heads) - 1)]]
    for rule in sorted((rule.id for rule in RULES), key=lambda name: (-heard.of(name), name)):
        rows.append(_row(rule, heard, of_tested))
    silent = [row[0] for row in rows[2:] if row[-2:] == ["0", "0"]]
    total = [
        "all",
        *(_a_day(sum(n for (_, p), n in heard.alerts.items() if p is each), heard) for each in Priority),
    ]
    total += [_a_day(heard.alerts.total(), heard), str(heard.alerts.total()), str(of_tested.alerts.total())]
    shown = [*(row for row in rows if row[0] not in silent), total]
    return "\n".join(
        [
            f"{heard.alerts.total()} alerts in {heard.days:.1f} bed-days;"
            f" {of_tested.alerts.total()} of them in the {of_tested.days:.1f} bed-days of the tested stays.",
            "",
            *("| " + " | ".join(row) + " |" for row in shown),
            "",
            "Never raised: " + ", ".join(silent) + ".",
        ]
    )


def _row(rule: str, heard: Heard, of_tested: Heard) -> list[str]:
    by_priority = [_a_day(heard.alerts[rule, priority], heard) for priority in Priority]
    return [rule, *by_priority, _a_day(heard.of(rule), heard), str(heard.of(rule)), str(of_tested.of(rule))]


def _a_day(count: int, heard: Heard) -> str:
    return f"{count / heard.days:.3f}" if count else ""


def page_with(page: str, shown: str) -> str:
    """The page with its table renewed."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{shown}\n{END}{after}"


def few(root: Path) -> Heard:
    """The alerts of the stays that the tests replay."""
    stays = read_stays(root)
    return all_heard([stays[name] for name in TESTED])


if __name__ == "__main__":
    everything = all_heard(list(read_stays(REALDATA).values()))
    renewed = page_with(PAGE.read_text(encoding="utf-8"), table(everything, few(REALDATA)))
    if "--write" in sys.argv:
        PAGE.write_text(renewed, encoding="utf-8")
    else:
        print(renewed)
