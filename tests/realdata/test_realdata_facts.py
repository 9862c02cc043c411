"""Every charted stay, replayed: it crashes nothing, and agrees with the reference or is explained.

The data is not part of the project: it is read from where `STREAMPROC_REALDATA` says, by default
from `shared/realdata` beside the project.
"""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest
from agreement import (
    CHARTED_SETTINGS,
    PAGE,
    REALDATA,
    Agreement,
    agreements,
    differences,
    page_with,
    reference_facts,
)
from processor import replay

from simulators.recordings.charts import MapRow, Why, read_stays
from simulators.recordings.lines import record

pytestmark = pytest.mark.skipif(
    not (REALDATA / "facts.csv").exists(),
    reason=f"no charted stays at {REALDATA}: unpack them there, or set STREAMPROC_REALDATA",
)

EXPLAINED: dict[str, list[str]] = {}
"""Stays whose facts differ, and which; each has its paragraph in `docs/realdata.md`."""


@pytest.fixture(scope="module")
def compared() -> list[Agreement]:
    return agreements(REALDATA)


def test_every_stay_agrees_with_the_reference_or_is_explained(compared: list[Agreement]) -> None:
    """First minute at 0.1 and at 0.25, highest dose and its minute, and whether any dose is unknown."""
    unexplained = {row.name: row.unexplained for row in compared if row.unexplained}
    assert {name: unlike for name, unlike in unexplained.items() if EXPLAINED.get(name) != unlike} == {}


def test_the_plain_way_agrees_with_the_processor(compared: list[Agreement]) -> None:
    """Two calculators that share no code read the same doses out of the same lines."""
    assert [row.name for row in compared if differences(row.plain, row.ours)] == []


def test_every_line_gets_its_verdict(compared: list[Agreement]) -> None:
    """Nothing but impossible pressures is refused, and every one of those is."""
    impossible = {
        stay.name: sum(_impossible(row) for row in stay.maps) for stay in read_stays(REALDATA).values()
    }
    for row in compared:
        refused = impossible[row.name]
        expected = Counter(accepted=row.lines - refused) + Counter(out_of_range=refused)
        assert row.verdicts == expected, row.name


def _impossible(row: MapRow) -> bool:
    return not 10 <= row.mmhg <= 250


def test_a_chart_replayed_as_it_arrived_is_late_and_loses_nothing() -> None:
    """With the hold-back of a live ward late rows only enter the history; none is too late."""
    settings = [f"{key}={value}" for key, value in CHARTED_SETTINGS.items() if "hold_back" not in key]
    late = Counter[str]()
    for stay in read_stays(REALDATA).values():
        if any(row.stored_min is not None for row in stay.maps[:500]):
            lines = [line.text for line in record(stay).lines]
            late += replay(lines, settings).verdicts
    assert set(late) <= {"accepted", "late", "out_of_range"}
    assert late["late"] > 0


def test_the_reference_has_something_to_agree_on(compared: list[Agreement]) -> None:
    """The agreement is not one of empty answers: thresholds, doses and unknown doses do occur."""
    assert len(compared) == len(reference_facts(REALDATA))
    for name in ("first_at_0_10_min", "first_at_0_25_min", "max_dose", "dose_unknown"):
        assert any(getattr(row.ours, name) for row in compared), name


@pytest.fixture
def _the_page_s_own_stays(compared: list[Agreement]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    if strangers := [row.name for row in compared if f"| {row.name} |" not in page]:
        pytest.skip(f"{REALDATA} holds other stays than docs/realdata.md, e.g. {strangers[0]}")


@pytest.mark.usefixtures("_the_page_s_own_stays")
def test_the_page_shows_these_very_results(compared: list[Agreement]) -> None:
    """Renew it with `python tests/realdata/agreement.py --write`."""
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(page, compared) == page


def test_the_page_names_every_setting_of_the_replay() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [key for key, value in CHARTED_SETTINGS.items() if f"--set {key}={value}" not in page] == []


def test_every_charted_row_is_sent_or_left_out_by_name() -> None:
    rows = {file: _count(file) for file in ("map.csv", "ne.csv")}
    left_out: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for stay in read_stays(REALDATA).values():
        recording = record(stay)
        gone = {each.row_id for each in recording.remarks if each.left_out and each.file == "ne.csv"}
        sent["map.csv"] += sum(line.topic.endswith("/map") for line in recording.lines)
        sent["ne.csv"] += len({row.row_id for row in stay.drugs} - gone)
        left_out.update(each.file for each in recording.remarks if each.left_out and each.row_id != "-")
    assert {file: sent[file] + left_out[file] for file in rows} == rows


def _count(name: str) -> int:
    total = 0
    for path in REALDATA.glob(f"*/{name}"):
        with path.open(encoding="utf-8", newline="") as file:
            total += sum(1 for _ in csv.DictReader(file))
    return total


@pytest.mark.usefixtures("_the_page_s_own_stays")
def test_the_impossible_pressures_are_in_the_lines() -> None:
    """What the processor has to refuse is really there to be refused."""
    values = []
    for stay in read_stays(REALDATA).values():
        payloads = [json.loads(line.text)["payload"] for line in record(stay).lines]
        values += [p["value"] for p in payloads if "metric" in p and not 10 <= p["value"] <= 250]
    assert min(values) < 0 < 250 < max(values)


@pytest.mark.usefixtures("_the_page_s_own_stays")
def test_a_row_s_weight_sent_as_the_pump_s_own_would_blind_the_processor() -> None:
    """Why it goes into the context: in some stays it differs from the admission's by over 5 %."""
    conflicts = {
        stay.name
        for stay in read_stays(REALDATA).values()
        for row in stay.drugs
        if row.weight_kg and stay.weight_kg and abs(row.weight_kg / stay.weight_kg - 1) * 20 > 1
    }
    changed = {
        each.stay
        for stay in read_stays(REALDATA).values()
        for each in record(stay).remarks
        if each.why is Why.WEIGHT_CHANGED
    }
    assert conflicts
    assert conflicts <= changed
