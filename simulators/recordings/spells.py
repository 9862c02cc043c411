"""From charted norepinephrine rows to what one pump channel would have said, and when.

Rows say three things: it ran from here on, it ran from here to there, it ended here. All rows of
a stay are one channel, for a chart does not number its pumps: of two rows that run at once, the
one that started last is in force. Silence is never turned into a stop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest

from simulators.recordings.charts import STOPS, DrugRow, Stay, Why

POINT_HOLD_MIN = Decimal(240)
"""How long a charted point is taken to hold; after that the chart is silent."""
REPEAT_MIN = Decimal(60)
"""A charted interval vouches for every minute in it: it is said again this often, well inside the hold."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A row in force from `start_min` until `end_min`; `vouched` when the chart covers all of it."""

    start_min: Decimal
    end_min: Decimal
    row: DrugRow
    vouched: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """The chart says that a row's infusion was over at `at_min`."""

    at_min: Decimal
    status: str
    row: DrugRow


@dataclass(frozen=True, slots=True)
class Said:
    """One status of the channel: at this minute, on the word of this row."""

    at_min: Decimal
    status: str
    row: DrugRow


def statuses(stay: Stay) -> list[Said]:
    """What the channel says over the whole stay, one status a minute at most, in order of time."""
    spells, marks = _read_rows(stay)
    said = list(_in_force(spells, marks))
    _remark_unheard(stay, said)
    return said


def _read_rows(stay: Stay) -> tuple[list[Spell], list[Mark]]:
    spells: list[Spell] = []
    marks: list[Mark] = []
    points, orders = [], defaultdict(list)
    for row in stay.drugs:
        if row.form == "action":
            orders[row.order_id].append(row)
        elif row.form == "interval" and row.end_min is not None:
            _add_interval(stay, row, row.end_min, spells, marks)
        else:
            _remark_form(stay, row)
            points.append(row)
    _add_series(stay, points, spells, marks, vouched=False)
    for order in orders.values():
        _add_series(stay, order, spells, marks, vouched=True)
    return spells, marks


def _remark_form(stay: Stay, row: DrugRow) -> None:
    if row.form == "interval":
        stay.remark("ne.csv", row.row_id, Why.END_MISSING, "taken as a point", left_out=False)
    elif row.form != "point":
        stay.remark("ne.csv", row.row_id, Why.UNKNOWN_FORM, row.form + " taken as a point", left_out=False)


def _add_interval(stay: Stay, row: DrugRow, end_min: Decimal, spells: list[Spell], marks: list[Mark]) -> None:
    if end_min <= row.at_min:
        stay.remark("ne.csv", row.row_id, Why.ENDS_BEFORE_START, f"{row.at_min} to {end_min}")
        return
    # The status of an interval tells how it ended: its rate was delivered all the same.
    ending = "paused" if row.status.startswith("paused") else "stopped"
    if _runs(row):
        spells.append(Spell(row.at_min, end_min, row, vouched=True))
        marks.append(Mark(end_min, ending, row))
    else:
        marks.append(Mark(row.at_min, STOPS.get(row.action, "stopped"), row))


def _add_series(
    stay: Stay, rows: Sequence[DrugRow], spells: list[Spell], marks: list[Mark], *, vouched: bool
) -> None:
    """Rows of one series: each in force until the next, the last until the chart falls silent."""
    series = _last_of_each_minute(stay, rows)
    for row, after in zip_longest(series, series[1:]):
        if not _runs(row):
            marks.append(Mark(row.at_min, STOPS.get(row.action, "stopped"), row))
            continue
        silent_min = row.at_min + POINT_HOLD_MIN
        if after is None:
            spells.append(Spell(row.at_min, silent_min, row, vouched=False))
        elif vouched:
            spells.append(Spell(row.at_min, after.at_min, row, vouched=True))
        else:
            spells.append(Spell(row.at_min, min(after.at_min, silent_min), row, vouched=False))


def _last_of_each_minute(stay: Stay, rows: Iterable[DrugRow]) -> list[DrugRow]:
    """In order of time; of two rows of one series in one minute the later in the file corrects the other."""
    standing: dict[Decimal, DrugRow] = {}
    for row in sorted(rows, key=lambda row: (row.at_min, row.place)):
        corrected = standing.get(row.at_min)
        if corrected is not None:
            stay.remark("ne.csv", corrected.row_id, Why.SAME_MINUTE, f"corrected by row {row.row_id}")
        standing[row.at_min] = row
    return list(standing.values())


def _runs(row: DrugRow) -> bool:
    """A row without a figure runs, at a rate that nobody knows; a charted zero does not run."""
    return row.action not in STOPS and row.value != 0


def _in_force(spells: Sequence[Spell], marks: Sequence[Mark]) -> Iterator[Said]:
    """At every minute where something starts, ends or is vouched for again: what then is in force."""
    starting, ending = defaultdict(list), defaultdict(list)
    for spell in spells:
        starting[spell.start_min].append(spell)
        ending[spell.end_min].append(spell)
    marked = {mark.at_min: mark for mark in sorted(marks, key=lambda mark: mark.row.place)}
    running: list[Spell] = []
    last: Said | None = None
    for at_min in _minutes(spells, marked):
        running = [spell for spell in running + starting[at_min] if spell not in ending[at_min]]
        said = _say(at_min, running, marked.get(at_min), last)
        if said is not None:
            yield said
            last = said


def _minutes(spells: Sequence[Spell], marked: Iterable[Decimal]) -> list[Decimal]:
    minutes = {minute for spell in spells for minute in (spell.start_min, spell.end_min)}
    minutes.update(marked)
    for spell in spells:
        if spell.vouched:
            repeats = int((spell.end_min - spell.start_min) / REPEAT_MIN)
            minutes.update(spell.start_min + REPEAT_MIN * k for k in range(1, repeats + 1))
    return sorted(minutes)


def _say(at_min: Decimal, running: Sequence[Spell], mark: Mark | None, last: Said | None) -> Said | None:
    """What the channel says at this minute, or nothing: a stop where something else runs is a hand-over."""
    if not running:
        return None if mark is None else Said(at_min, mark.status, mark.row)
    spell = running[-1]  # they stand in the order in which they started
    known = last is not None and last.row is spell.row and last.status == "infusing"
    if known and not spell.vouched:
        return None
    return Said(at_min, "infusing", spell.row)


def _remark_unheard(stay: Stay, said: Sequence[Said]) -> None:
    """A row that never came into force is left out, and says so."""
    heard = {id(each.row) for each in said}
    spoken_for = {remark.row_id for remark in stay.remarks if remark.left_out and remark.file == "ne.csv"}
    for row in stay.drugs:
        if id(row) not in heard and row.row_id not in spoken_for:
            stay.remark("ne.csv", row.row_id, Why.OUTLASTED, "another row was in force throughout")
