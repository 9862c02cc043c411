"""The converter, row by row: what each form of charted row becomes on the wire, and what never does."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dose_history import dose_history
from processor import replay

from simulators.recordings.__main__ import main
from simulators.recordings.charts import Stay, Why, read_stays
from simulators.recordings.lines import Line, record
from simulators.recordings.spells import statuses

MAP_COLUMNS = ["dataset", "stay_id", "row_id", "t_min", "map_mmhg", "source", "item", "t_store_min", "error"]
DRUG_COLUMNS = [
    *("dataset", "stay_id", "row_id", "form", "t_min", "t_end_min", "action", "dose_mcgkgmin"),
    *("charted_value", "charted_unit", "charted_label", "charted_original_rate", "pump_rate_mlh"),
    *("weight_kg", "weight_source", "conc_mcg_ml", "conc_source", "amount_mg", "order_id"),
    *("link_order_id", "status", "t_store_min", "use", "note"),
]
STAY_COLUMNS = ["dataset", "stay_id", "patient_id", "weight_kg", "los_min", "raw_system"]

Cells = dict[str, Any]
Chart = Callable[..., Stay]


def write_csv(path: Path, columns: list[str], rows: list[Cells]) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = [",".join(columns), *(",".join(str(row.get(c, "")) for c in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_chart(
    root: Path, drugs: list[Cells], maps: list[Cells], weight: object = 80, dataset: str = "db"
) -> None:
    own = {"dataset": dataset, "stay_id": "1"}
    numbered = [own | {"row_id": 100 + k} | row for k, row in enumerate(drugs)]
    write_csv(root / dataset / "ne.csv", DRUG_COLUMNS, numbered)
    pressures = [own | {"row_id": 500 + k, "error": 0} | row for k, row in enumerate(maps)]
    write_csv(root / dataset / "map.csv", MAP_COLUMNS, pressures)
    write_csv(root / "stays.csv", STAY_COLUMNS, [own | {"weight_kg": weight}])


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    """A stay as the converter reads it, from rows given as cells."""

    def read(*drugs: Cells, maps: list[Cells] | None = None, weight: object = 80) -> Stay:
        write_chart(tmp_path, list(drugs), maps or [], weight)
        return read_stays(tmp_path)["db/1"]

    return read


def point(t: object, value: object = "", unit: str = "mcg/kg/min", **more: object) -> Cells:
    cells = {"form": "point", "action": "rate", "use": 1}
    return {**cells, "t_min": t, "charted_value": value, "charted_unit": unit, **more}


def interval(t: object, end: object, value: object, status: str = "Changed", **more: object) -> Cells:
    return point(t, value) | {"form": "interval", "t_end_min": end, "status": status} | more


def lines_of(stay: Stay) -> list[Line]:
    return list(record(stay).lines)


def pumps(stay: Stay) -> list[dict[str, Any]]:
    return [line.payload for line in lines_of(stay) if "/pump/" in line.topic]


def minute(payload: dict[str, Any]) -> str:
    """Hours and minutes since the admission, for the short charts of these tests."""
    return str(payload["time"])[11:16]


def said(stay: Stay) -> list[tuple[str, str, float | None]]:
    rate = [(pump.get("rate") or {}).get("value") for pump in pumps(stay)]
    return [(minute(p), p["status"], r) for p, r in zip(pumps(stay), rate, strict=True)]


def remarks(stay: Stay, *, left_out: bool) -> list[tuple[str, Why]]:
    return [(each.row_id, each.why) for each in record(stay).remarks if each.left_out == left_out]


@pytest.mark.parametrize(
    ("unit", "value", "rate"),
    [
        ("mcg/kg/min", "0.0999", {"value": 0.0999, "unit": "ug/kg/min"}),
        ("mcgkgmin", "0.0250000004", {"value": 0.0250000004, "unit": "ug/kg/min"}),
        ("\u00b5g/kg/min", "0.1", {"value": 0.1, "unit": "ug/kg/min"}),
        ("mcg/min", "8", {"value": 8.0, "unit": "ug/min"}),
        ("mcgmin", "8", {"value": 8.0, "unit": "ug/min"}),
        ("ml/hr", "9.375", {"value": 9.375, "unit": "mL/h"}),
        ("mL/hour", "9.375", {"value": 9.375, "unit": "mL/h"}),
        ("mg/hr", "0.5", {"value": 0.5, "unit": "mg/h"}),
        ("mcg/hr", "500", {"value": 0.5, "unit": "mg/h"}),
        ("mcg/kg/hr", "15", {"value": 0.25, "unit": "ug/kg/min"}),
        ("units/min", "0.04", {"value": 0.04, "unit": "U/min"}),
    ],
)
def test_a_rate_goes_out_as_charted(chart: Chart, unit: str, value: str, rate: dict[str, Any]) -> None:
    """The charted figure in the charted unit, or in one that says exactly the same."""
    (pump,) = pumps(chart(point(0, value, unit)))
    assert pump["rate"] == rate
    assert pump["status"] == "infusing"


@pytest.mark.parametrize(
    ("unit", "value", "why"),
    [
        ("blank", "15", Why.NO_UNIT),
        ("", "15", Why.NO_UNIT),
        ("mg/kg/min", "0.1", Why.UNIT_UNKNOWN),
        ("drops/min", "15", Why.UNIT_UNKNOWN),
        ("mcg/min", "", Why.NO_NUMBER),
        ("mcg/min", "nan", Why.NO_NUMBER),
    ],
)
def test_what_determines_no_rate_runs_without_one(chart: Chart, unit: str, value: str, why: Why) -> None:
    """A pump that runs at a rate nobody can tell is sent so: its dose is unknown, and not the last one."""
    stay = chart(point(0, "0.1"), point(30, value, unit))
    assert said(stay)[-1] == ("00:30", "infusing", None)
    assert ("101", why) in remarks(stay, left_out=False)


def test_an_unreadable_rate_is_no_rate(chart: Chart) -> None:
    stay = chart(point(0, "see note", "mcg/min"))
    assert said(stay) == [("00:00", "infusing", None)]
    assert ("100", Why.NOT_A_NUMBER) in remarks(stay, left_out=False)


def test_the_set_s_own_conversion_stands_in_for_an_unknown_unit(chart: Chart) -> None:
    (pump,) = pumps(chart(point(0, "6", "drops/min", dose_mcgkgmin="0.12")))
    assert pump["rate"] == {"value": 0.12, "unit": "ug/kg/min"}


@pytest.mark.parametrize("action", ["stop", "pause"])
def test_a_stop_mark_keeps_its_charted_rate(chart: Chart, action: str) -> None:
    stay = chart(point(0, "0.5"), point(60, "0.11", action=action))
    status = {"stop": "stopped", "pause": "paused"}[action]
    assert said(stay) == [("00:00", "infusing", 0.5), ("01:00", status, 0.11)]


def test_a_charted_zero_is_a_stop(chart: Chart) -> None:
    assert said(chart(point(0, "0.5"), point(60, "0.0")))[-1] == ("01:00", "stopped", 0.0)


def test_the_silence_after_a_point_is_never_a_stop(chart: Chart) -> None:
    """Five hours of nothing: no message comes, so that the processor loses the pump."""
    assert said(chart(point(0, "0.5"), point(300, "0.4"))) == [
        ("00:00", "infusing", 0.5),
        ("05:00", "infusing", 0.4),
    ]


def test_a_hand_over_never_says_stopped(chart: Chart) -> None:
    """The old bag ends in the minute in which the new one starts; in either order of the rows."""
    old, new = interval(0, 30, "0.3"), interval(30, 50, "0.2", "Stopped")
    expected = [("00:00", "infusing", 0.3), ("00:30", "infusing", 0.2), ("00:50", "stopped", None)]
    assert said(chart(old, new)) == expected
    assert said(chart(new, old)) == expected


def test_of_two_intervals_the_one_that_started_last_is_in_force(chart: Chart) -> None:
    """They are not added up: one order charted over another is one infusion, not two pumps."""
    stay = chart(interval(0, 50, "0.1"), interval(20, 30, "0.3"))
    assert said(stay) == [
        ("00:00", "infusing", 0.1),
        ("00:20", "infusing", 0.3),
        ("00:30", "infusing", 0.1),
        ("00:50", "stopped", None),
    ]


def test_an_interval_that_another_covers_is_left_out_and_named(chart: Chart) -> None:
    stay = chart(interval(0, 50, "0.1"), interval(0, 50, "0.3"))
    assert said(stay)[0] == ("00:00", "infusing", 0.3)
    assert remarks(stay, left_out=True) == [("100", Why.OUTLASTED)]


def test_an_interval_is_said_again_before_its_pump_would_be_lost(chart: Chart) -> None:
    """The chart vouches for every minute of an interval, however long."""
    stay = chart(interval(0, 600, "0.3"))
    assert [at for at, status, _ in said(stay) if status == "infusing"] == [f"{h:02}:00" for h in range(10)]
    doses = dose_history(line.text for line in lines_of(stay))
    assert [float(each.dose) for each in doses if each.dose is not None] == [0.3] * 10 + [0.0]


def test_a_paused_interval_ran_until_it_was_paused(chart: Chart) -> None:
    stay = chart(interval(0, 30, "0.3", "Paused"))
    assert said(stay) == [("00:00", "infusing", 0.3), ("00:30", "paused", None)]


def test_an_interval_without_an_end_holds_like_a_point(chart: Chart) -> None:
    stay = chart(interval(0, "", "0.3"))
    assert said(stay) == [("00:00", "infusing", 0.3)]
    assert ("100", Why.END_MISSING) in remarks(stay, left_out=False)


def test_action_rows_run_by_order_until_their_order_says_otherwise(chart: Chart) -> None:
    """One order's stop does not stop another's infusion."""
    rows = [
        point(0, "0.1", form="action", action="start", order_id="a"),
        point(10, "0.2", form="action", action="start", order_id="b"),
        point(20, "0", form="action", action="stop", order_id="a"),
        point(40, "0.3", form="action", action="dose_change", order_id="b"),
        point(50, "0", form="action", action="stop", order_id="b"),
    ]
    assert said(chart(*rows)) == [
        ("00:00", "infusing", 0.1),
        ("00:10", "infusing", 0.2),
        ("00:20", "infusing", 0.2),
        ("00:40", "infusing", 0.3),
        ("00:50", "stopped", 0.0),
    ]


def test_a_form_nobody_knows_is_taken_as_a_point(chart: Chart) -> None:
    stay = chart(point(0, "0.1", form="sketch"))
    assert said(stay) == [("00:00", "infusing", 0.1)]
    assert remarks(stay, left_out=False) == [("100", Why.UNKNOWN_FORM)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (interval(30, 60, "0.4", "Rewritten", use=0), Why.REWRITTEN),
        (point(30, "", "", action="volume_only", use=0, amount_mg="0.1"), Why.VOLUME_ONLY),
        (point(30, "", "none", action="no_value", use=0), Why.NO_NUMBER),
        (point(30, "0", use=0), Why.NOT_USED),
        (interval(30, 29, "0.4"), Why.ENDS_BEFORE_START),
        (interval(30, 30, "0.4"), Why.ENDS_BEFORE_START),
        (point("", "0.4"), Why.NO_TIME),
        (point("soon", "0.4"), Why.NO_TIME),
        (point("1e12", "0.4"), Why.NO_TIME),
    ],
)
def test_a_row_that_says_nothing_of_the_pump_is_left_out(chart: Chart, row: Cells, why: Why) -> None:
    stay = chart(point(0, "0.1"), row)
    assert said(stay) == [("00:00", "infusing", 0.1)]
    assert remarks(stay, left_out=True) == [("101", why)]


def test_the_later_row_of_a_minute_corrects_the_earlier(chart: Chart) -> None:
    stay = chart(point(0, "0.1"), point(0, "0.2"))
    assert said(stay) == [("00:00", "infusing", 0.2)]
    assert remarks(stay, left_out=True) == [("100", Why.SAME_MINUTE)]


def test_an_unbelievable_bag_goes_out_with_the_concentration_that_was_charted(chart: Chart) -> None:
    """4000 mg in 250 mL: neither mended nor hidden, and its computed dose is never sent."""
    bag = point(30, "10", "ml/hr", conc_mcg_ml="16000", conc_source="drugamount/volumeoffluid", use=0)
    stay = chart(point(0, "0.1"), bag | {"dose_mcgkgmin": "35.65", "note": "implausible concentration"})
    pump = pumps(stay)[-1]
    assert pump["rate"] == {"value": 10.0, "unit": "mL/h"}
    assert pump["concentration"] == {"value": 16000.0, "unit": "ug/mL"}
    assert ("101", Why.NOT_BELIEVED) in remarks(stay, left_out=False)
    assert dose_history(line.text for line in lines_of(stay))[-1].why == "concentration not believed"


def test_an_unbelievable_dose_in_any_other_unit_goes_out_without_a_rate(chart: Chart) -> None:
    row = point(30, "35.65", "mcg/kg/min", use=0, dose_mcgkgmin="35.65", note="implausible concentration")
    assert said(chart(point(0, "0.1"), row))[-1] == ("00:30", "infusing", None)


def test_a_concentration_calculated_back_from_the_dose_is_not_sent(chart: Chart) -> None:
    derived = {"conc_mcg_ml": "32", "conc_source": "derived: dose*weight*60/carrier rate"}
    (pump,) = pumps(chart(point(0, "0.1") | derived))
    assert "concentration" not in pump


def test_a_late_entry_is_received_when_it_was_stored(chart: Chart) -> None:
    rows = [point(10, "0.1", t_store_min=95), point(20, "0.2", t_store_min=5), point(30, "0.3")]
    lines = [line for line in lines_of(chart(*rows)) if "/pump/" in line.topic]
    received = [json.loads(line.text)["received"][11:16] for line in lines]
    assert received == ["00:20", "00:30", "01:35"]
    assert [minute(line.payload) for line in lines] == ["00:20", "00:30", "00:10"]
    assert [line.payload["seq"] for line in lines] == [1, 2, 3]


def test_impossible_pressures_go_out_as_charted(chart: Chart) -> None:
    """To refuse them is the processor's work; only the chart's own error flag is passed on."""
    values = ["-27", "0", "329", "801"]
    maps = [{"t_min": k, "map_mmhg": value, "source": "art"} for k, value in enumerate(values)]
    stay = chart(maps=[*maps, {"t_min": 9, "map_mmhg": "-2", "source": "art", "error": 1}])
    sent = [line.payload for line in lines_of(stay) if line.topic.endswith("/map")]
    assert [payload["value"] for payload in sent] == [-27.0, 0.0, 329.0, 801.0, -2.0]
    assert [payload.get("quality") for payload in sent] == [None] * 4 + ["artefact"]


def test_all_sources_of_one_minute_are_sent_and_the_best_of_a_kind_is_applied_last(chart: Chart) -> None:
    """The contract orders one minute's messages of a topic by device."""
    sources = ["art", "nibp", "iabp", "manual", "art2"]
    stay = chart(maps=[{"t_min": 0, "map_mmhg": 70, "source": source} for source in sources])
    sent = [line.payload for line in lines_of(stay) if line.topic.endswith("/map")]
    arterial = [p for p in sorted(sent, key=lambda p: str(p["device"])) if "_ART_" in p["metric"]]
    cuff = [p for p in sorted(sent, key=lambda p: str(p["device"])) if "_ART_" not in p["metric"]]
    assert [p["metric"] for p in arterial][-1] == "MDC_PRESS_BLD_ART_ABP_MEAN"
    assert len(arterial) == 3
    assert [p["metric"] for p in cuff] == ["MDC_PRESS_CUFF_MEAN", "MDC_PRESS_BLD_NONINV_MEAN"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"t_min": 0, "map_mmhg": "nan", "source": "art"}, Why.NO_NUMBER),
        ({"t_min": 0, "map_mmhg": "1e999", "source": "art"}, Why.NO_NUMBER),
        ({"t_min": 0, "map_mmhg": "70", "source": "pulmonary"}, Why.UNKNOWN_SOURCE),
        ({"t_min": "", "map_mmhg": "70", "source": "art"}, Why.NO_TIME),
    ],
)
def test_a_pressure_that_no_message_can_hold_is_left_out(chart: Chart, row: Cells, why: Why) -> None:
    stay = chart(maps=[row])
    assert remarks(stay, left_out=True) == [("500", why)]
    assert [line.topic for line in lines_of(stay)] == ["bedside/v1/db/1/patient"]


def test_the_weight_that_the_chart_divided_by_goes_into_the_context(chart: Chart) -> None:
    """77 kg at admission, 70 kg in the infusion row: one weight at a time, never two that conflict."""
    stay = chart(point(30, "7", "mcg/min", weight_kg=70), weight=77)
    lines = lines_of(stay)
    contexts = [line.payload for line in lines if line.topic.endswith("/patient")]
    assert [(minute(p), p["weight"]["value"]) for p in contexts] == [("00:00", 77.0), ("00:30", 70.0)]
    assert {p["session"] for p in contexts} == {"db-1"}
    assert "weight" not in pumps(stay)[0]
    assert float(dose_history(line.text for line in lines)[-1].dose or 0) == 0.1


@pytest.mark.parametrize("weight", ["", "nan", "0", "-3"])
def test_a_stay_without_a_weight_has_a_context_without_one(chart: Chart, weight: str) -> None:
    lines = lines_of(chart(point(30, "7", "mcg/min"), weight=weight))
    assert "weight" not in lines[0].payload
    assert dose_history(line.text for line in lines)[-1].why == "no weight"


def test_the_admission_is_told_before_rows_that_precede_it(chart: Chart) -> None:
    lines = lines_of(chart(point(-62, "0.05"), point(9, "0.1")))
    assert [line.topic.rsplit("/", 1)[1] for line in lines] == ["patient", "chart", "chart"]
    assert lines[0].payload["time"] == "2025-12-31T22:58:00.000Z"


def test_missing_files_and_columns_are_reported_and_the_rest_is_converted(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "ne.csv").write_text("stay_id,t_min,charted_value,charted_unit\n1,0,0.1,mcg/kg/min\n")
    (stay,) = read_stays(tmp_path).values()
    assert said(stay) == [("00:00", "infusing", 0.1)]
    assert remarks(stay, left_out=True) == [("-", Why.NO_FILE)]
    assert all("weight" not in line.payload for line in lines_of(stay))


def test_a_name_that_no_topic_can_hold_gives_no_lines(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "ne.csv").write_text("stay_id,t_min,charted_value,charted_unit\n1/#,0,0.1,mcg/min\n")
    (stay,) = read_stays(tmp_path).values()
    assert lines_of(stay) == []
    assert record(stay).remarks[-1].why is Why.BAD_NAME


GARBAGE = ["", "nan", "-1", "0", "1e400", "-1e-400", "12:30", "0.1.2", "\u0661\u0662", "\x00", "inf", "#"]


def some_drug_row(chance: random.Random, place: int) -> Cells:
    at, rate = place * 7, chance.choice(["0.1", "0.25", "0", ""])
    match chance.choice(["point", "interval", "action"]):
        case "interval":
            return interval(
                at, at + chance.randint(-3, 90), rate or "0.3", chance.choice(["Paused", "Changed"])
            )
        case "action":
            action = chance.choice(["start", "going", "stop"])
            return point(at, rate, form="action", action=action, order_id=chance.randint(1, 2))
        case _:
            return point(at, rate, chance.choice(["mcg/min", "ml/hr", "blank"]), use=chance.choice([0, 1]))


@pytest.mark.parametrize("seed", range(40))
def test_no_garbage_in_any_cell_breaks_it_and_every_row_is_accounted_for(tmp_path: Path, seed: int) -> None:
    """A pressure is a line or is left out by name; a drug row was in force or is left out by name."""
    chance = random.Random(seed)
    drugs = [some_drug_row(chance, k) for k in range(30)]
    maps = [{"t_min": k, "map_mmhg": 70, "source": "art", "t_store_min": k + 9} for k in range(30)]
    for row in chance.choices(drugs + maps, k=25):
        row[chance.choice([*row])] = chance.choice(GARBAGE)
    write_chart(tmp_path, drugs, maps)
    (stay,) = read_stays(tmp_path).values()
    left_out = [each for each in record(stay).remarks if each.left_out]
    drugs_left_out = {each.row_id for each in left_out if each.file == "ne.csv"}
    in_force = {each.row.row_id for each in statuses(stay)}
    assert in_force | drugs_left_out == {str(100 + k) for k in range(30)}
    assert not in_force & drugs_left_out
    lines = [json.loads(line.text) for line in lines_of(stay)]
    maps_sent = sum(line["topic"].endswith("/map") for line in lines)
    assert maps_sent + sum(each.file == "map.csv" for each in left_out) == 30
    verdicts = replay((line.text for line in lines_of(stay)), [], end_s=3600).verdicts
    assert sum(verdicts.values()) == len(lines)
    assert set(verdicts) <= {"accepted", "late", "too_late", "out_of_range"}
    assert [line["received"] for line in lines] == sorted(line["received"] for line in lines)


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_file_is_read_as_far_as_it_goes(tmp_path: Path, seed: int) -> None:
    """Bytes that are no text, quotes that never close, rows that end early: no crash, no bad line."""
    chance = random.Random(seed)
    write_chart(tmp_path, [some_drug_row(chance, k) for k in range(30)], [])
    path = tmp_path / "db" / "ne.csv"
    torn = bytearray(path.read_bytes())
    header = torn.index(b"\n")
    for _ in range(20):
        torn[chance.randrange(header, len(torn))] = chance.choice(b'"\n\r,\xff\x00\xc39')
    path.write_bytes(torn[: chance.randrange(header + 200, len(torn))])
    for stay in read_stays(tmp_path).values():
        for line in lines_of(stay):
            assert json.loads(line.text)["topic"].startswith("bedside/v1/db/")


def test_an_endless_cell_is_reported_with_its_file(tmp_path: Path) -> None:
    write_chart(tmp_path, [point(0, "0.1"), point(9, "9" * 200_000)], [])
    (stay,) = read_stays(tmp_path).values()
    assert said(stay) == [("00:00", "infusing", 0.1)]
    assert [each.why for each in stay.remarks] == [Why.UNREADABLE_FILE]


def convert(root: Path, *arguments: str) -> int:
    return main(["--realdata", str(root), *arguments])


def test_the_command_writes_one_stay_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_chart(tmp_path, [point(0, "0.1"), point(9, "", action="volume_only", use=0)], [])
    out, report = tmp_path / "one.jsonl.gz", tmp_path / "report.jsonl"
    assert convert(tmp_path, "--stay", "db/1", "--out", str(out), "--report", str(report)) == 0
    with gzip.open(out, "rt") as file:
        assert [json.loads(line)["topic"] for line in file] == [
            "bedside/v1/db/1/patient",
            "bedside/v1/db/1/pump/chart",
        ]
    assert json.loads(report.read_text())["why"] == "volume_only"
    assert "left out: 1 volume_only" in capsys.readouterr().err


def test_all_stays_go_into_a_folder_or_into_one_file_in_order_of_receipt(tmp_path: Path) -> None:
    for dataset in ("db", "other"):
        write_chart(tmp_path, [point(0, "0.1"), point(9, "0.2", t_store_min=99)], [], dataset=dataset)
    assert convert(tmp_path, "--all", "--out", str(tmp_path / "out") + "/") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["db-1.jsonl", "other-1.jsonl"]
    assert convert(tmp_path, "--all", "--out", str(tmp_path / "all.jsonl")) == 0
    received = [json.loads(line)["received"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert len(received) == 6
    assert received == sorted(received)


def test_the_command_refuses_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_chart(tmp_path, [point(0, "0.1")], [])
    assert convert(tmp_path, "--stay", "db/2", "--out", "-") == 2
    assert "db/2" in capsys.readouterr().err
    assert convert(tmp_path / "nowhere", "--all", "--out", "-") == 2
    assert "no such folder" in capsys.readouterr().err
