"""What the contract forbids, case by case: each is refused for its one reason, in words a person can use."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from contract_examples import (
    ACK,
    BED,
    BOLUS,
    MAP,
    PATIENT,
    PUMP,
    RECEIVED_MS,
    SIGN,
    TOPIC,
    changed,
    decoder,
    without,
    written,
)

from streamproc.core.events import MapSample, MapSource, PatientContext, Profile
from streamproc.wire import Reason, Rejected

DECODER = decoder()
DECIDED_BEHIND_THE_DOOR = {
    Reason.FUTURE,
    Reason.TOO_LATE,
    Reason.CONFLICT,
    Reason.BEDS_FULL,
    Reason.BED_FLOODED,
    Reason.UNKNOWN_ALERT,
    Reason.ACK_OUTDATED,
}


@dataclass(frozen=True)
class Bad:
    """A message, why it is refused, and words that the sentence must have."""

    name: str
    kind: str
    payload: bytes
    reason: Reason
    words: tuple[str, ...]
    retained: bool = False


def bad(name: str, kind: str, payload: bytes, reason: Reason, *words: str, retained: bool = False) -> Bad:
    return Bad(name, kind, payload, reason, words, retained)


def weighing(value: object, unit: str = "kg") -> bytes:
    return changed(PUMP, weight={"value": value, "unit": unit})


PAYLOADS = [
    bad("20 KB", "map", changed(MAP, device="x" * 20_000), Reason.TOO_LARGE, "at most 16384 bytes"),
    bad("one byte too many", "map", MAP.ljust(16385), Reason.TOO_LARGE, "16385 bytes"),
    bad("100,000 brackets", "map", b"[" * 100_000, Reason.TOO_DEEP, "32 levels"),
    bad("100,000 objects", "map", b'{"a":' * 100_000, Reason.TOO_DEEP, "32 levels"),
    bad("33 brackets", "map", b"[" * 33 + b"]" * 33, Reason.TOO_DEEP, "32 levels"),
    bad("deep in a field", "map", written(MAP, "boot", "[" * 32 + "]" * 32), Reason.TOO_DEEP, "levels"),
    bad("32 brackets", "map", b"[" * 32 + b"]" * 32, Reason.NOT_AN_OBJECT, "not an object"),
    bad("brackets in a text", "map", changed(MAP, boot="[" * 65), Reason.BAD_TEXT, "boot: '[["),
    bad("UTF-16", "map", MAP.decode().encode("utf-16"), Reason.NOT_UTF8, "UTF-8"),
    bad("UTF-16 without mark", "map", MAP.decode().encode("utf-16-le"), Reason.NOT_UTF8, "UTF-16"),
    bad("UTF-16, big end first", "map", MAP.decode().encode("utf-16-be"), Reason.NOT_UTF8, "UTF-16"),
    bad("UTF-32", "map", MAP.decode().encode("utf-32-be"), Reason.NOT_UTF8, "UTF-32"),
    bad("byte order mark", "map", b"\xef\xbb\xbf" + MAP, Reason.NOT_UTF8, "byte order mark"),
    bad("Latin-1", "map", MAP.replace(b"b7f2", b"b\xfc7"), Reason.NOT_UTF8, "byte 30"),
    bad("surrogate in UTF-8", "map", MAP.replace(b"b7f2", b"\xed\xa0\x80"), Reason.NOT_UTF8, "UTF-8"),
    bad("overlong slash", "map", MAP.replace(b"b7f2", b"\xc0\xaf"), Reason.NOT_UTF8, "UTF-8"),
    bad("nothing", "map", b"", Reason.NOT_JSON, "near its end"),
    bad("no JSON", "map", b"MAP 63", Reason.NOT_JSON, "character 1", "'MAP 63'"),
    bad("cut off", "map", MAP[:-1], Reason.NOT_JSON, "near its end"),
    bad("two values", "map", MAP + MAP, Reason.NOT_JSON, "Extra data"),
    bad("comma at the end", "map", MAP[:-1] + b",}", Reason.NOT_JSON, "RFC 8259"),
    bad("single quotes", "map", MAP.replace(b'"', b"'"), Reason.NOT_JSON, "RFC 8259"),
    bad(
        "raw control character", "map", MAP.replace(b"b7f2", b"b\x072"), Reason.NOT_JSON, "control character"
    ),
    bad("leading zero", "map", written(MAP, "value", "063"), Reason.NOT_JSON, "RFC 8259"),
    bad("plus sign", "map", written(MAP, "value", "+63"), Reason.NOT_JSON, "RFC 8259"),
    bad("hexadecimal", "map", written(MAP, "value", "0x3f"), Reason.NOT_JSON, "RFC 8259"),
    bad("twice, then cut off", "map", b'{"a":{"b":1,"b":2},', Reason.NOT_JSON, "near its end"),
    bad("a list", "map", b"[]", Reason.NOT_AN_OBJECT, "[] is not an object"),
    bad("a number", "map", b"63", Reason.NOT_AN_OBJECT, "63 is not an object"),
    bad("null", "patient", b"null", Reason.NOT_AN_OBJECT, "None is not an object"),
    bad("only NaN", "map", b"NaN", Reason.NOT_AN_OBJECT, "nan is not an object"),
    bad("the same key twice", "map", MAP[:-1] + b',"value":64}', Reason.DUPLICATE_KEY, "value: ", "once"),
    bad("twice, once escaped", "map", MAP[:-1] + rb',"v\u0061lue":64}', Reason.DUPLICATE_KEY, "value: "),
    bad("twice, with the same value", "map", MAP[:-1] + b',"value":63}', Reason.DUPLICATE_KEY, "value: "),
    bad(
        "twice in the rate",
        "pump",
        written(PUMP, "rate", '{"value":1,"unit":"mL/h","value":100}'),
        Reason.DUPLICATE_KEY,
        "rate.value: ",
    ),
    bad(
        "twice in a list",
        "pump",
        written(PUMP, "alarms", '["a",{"x y":1,"x y":1}]'),
        Reason.DUPLICATE_KEY,
        "alarms.1.'x y': ",
    ),
    bad("no device", "map", without(MAP, "device"), Reason.MISSING_FIELD, "device: is missing"),
    bad("no time", "map", without(MAP, "time"), Reason.MISSING_FIELD, "time: "),
    bad("no metric", "map", without(MAP, "metric"), Reason.MISSING_FIELD, "metric: "),
    bad("no value", "map", without(MAP, "value"), Reason.MISSING_FIELD, "value: "),
    bad("no unit", "map", without(MAP, "unit"), Reason.MISSING_FIELD, "unit: "),
    bad("no drug", "pump", without(PUMP, "drug"), Reason.MISSING_FIELD, "drug: "),
    bad("no status", "pump", without(PUMP, "status"), Reason.MISSING_FIELD, "status: "),
    bad("rate without unit", "pump", changed(PUMP, rate={"value": 1}), Reason.MISSING_FIELD, "rate.unit: "),
    bad("no session", "patient", without(PATIENT, "session"), Reason.MISSING_FIELD, "session: "),
    bad("no kind", "observation", without(BOLUS, "kind"), Reason.MISSING_FIELD, "kind: is missing"),
    bad("bolus of what", "observation", without(BOLUS, "fluid"), Reason.MISSING_FIELD, "fluid: "),
    bad("no alert", "ack", without(ACK, "alert_id"), Reason.MISSING_FIELD, "alert_id: "),
    bad(
        "alert id with a blank",
        "ack",
        changed(ACK, alert_id="al 1"),
        Reason.BAD_TEXT,
        "alert_id: 'al 1'",
        "al-",
    ),
    bad("by nobody", "ack", without(ACK, "by"), Reason.MISSING_FIELD, "by: "),
    bad("unknown field", "map", changed(MAP, mean=63), Reason.UNKNOWN_FIELD, "mean: ", "leave it out"),
    bad("field in other case", "map", changed(MAP, Bed="bed-7"), Reason.UNKNOWN_FIELD, "Bed: "),
    bad(
        "unknown field in the rate",
        "pump",
        changed(PUMP, rate={"value": 1, "unit": "mL/h", "programmed": 2}),
        Reason.UNKNOWN_FIELD,
        "rate.programmed: ",
    ),
    bad("name of a patient", "patient", changed(PATIENT, name="Doe"), Reason.UNKNOWN_FIELD, "name: "),
    bad(
        "fluid of a lactate",
        "observation",
        changed(BOLUS, kind="lactate", unit="mmol/L", value=2),
        Reason.UNKNOWN_FIELD,
        "fluid: ",
    ),
    bad("bed of an ack", "ack", changed(ACK, bed=BED), Reason.UNKNOWN_FIELD, "bed: "),
    bad("true as number", "map", changed(MAP, value=True), Reason.WRONG_TYPE, "value: True", "a number"),
    bad("number in a text", "map", changed(MAP, value="63"), Reason.WRONG_TYPE, "value: '63'", "a number"),
    bad("value of null", "map", changed(MAP, value=None), Reason.WRONG_TYPE, "value: None"),
    bad("value of a list", "map", changed(MAP, value=[63]), Reason.WRONG_TYPE, "value: [63]"),
    bad("number as serial", "map", changed(MAP, device=417), Reason.WRONG_TYPE, "device: 417", "a text"),
    bad("seq as text", "map", changed(MAP, seq="1"), Reason.WRONG_TYPE, "seq: '1'", "a whole number"),
    bad("seq with a point", "map", changed(MAP, seq=1.0), Reason.WRONG_TYPE, "seq: 1.0"),
    bad("seq of true", "map", changed(MAP, seq=True), Reason.WRONG_TYPE, "seq: True"),
    bad("time as number", "map", changed(MAP, time=RECEIVED_MS), Reason.WRONG_TYPE, "time: 1795"),
    bad("quality of null", "map", changed(MAP, quality=None), Reason.WRONG_TYPE, "quality: None", "'good'"),
    bad("unit as number", "map", changed(MAP, unit=1), Reason.WRONG_TYPE, "unit: 1"),
    bad("rate without object", "pump", changed(PUMP, rate=9.375), Reason.WRONG_TYPE, "rate: 9.375", "object"),
    bad("alarms as text", "pump", changed(PUMP, alarms="MDC_X"), Reason.WRONG_TYPE, "alarms: ", "a list"),
    bad("alarm as number", "pump", changed(PUMP, alarms=["MDC_X", 1]), Reason.WRONG_TYPE, "alarms.1: 1"),
    bad("pregnant of 1", "patient", changed(PATIENT, pregnant=1), Reason.WRONG_TYPE, "true or false"),
    bad("pregnant of null", "patient", changed(PATIENT, pregnant=None), Reason.WRONG_TYPE, "pregnant: None"),
    bad("kind as number", "observation", changed(BOLUS, kind=5), Reason.WRONG_TYPE, "kind: 5"),
    bad("kind of null", "observation", changed(BOLUS, kind=None), Reason.WRONG_TYPE, "kind: None"),
    bad("sign as number", "observation", changed(SIGN, value=1), Reason.WRONG_TYPE, "true, false or a word"),
    bad("sign of null", "observation", changed(SIGN, value=None), Reason.WRONG_TYPE, "value: None"),
    bad("bolus of a word", "observation", changed(BOLUS, value="much"), Reason.WRONG_TYPE, "value: 'much'"),
    bad("NaN", "map", written(MAP, "value", "NaN"), Reason.NOT_FINITE, "value: nan", "10 to 250"),
    bad("Infinity", "map", written(MAP, "value", "Infinity"), Reason.NOT_FINITE, "value: inf"),
    bad("minus Infinity", "map", written(MAP, "value", "-Infinity"), Reason.NOT_FINITE, "value: -inf"),
    bad("1e999", "map", written(MAP, "value", "1e999"), Reason.NOT_FINITE, "value: inf"),
    bad("400 digits", "map", written(MAP, "value", "9" * 400), Reason.NOT_FINITE, "value: inf"),
    bad("16,000 digits", "map", written(MAP, "value", "9" * 16_000), Reason.NOT_FINITE, "value: inf"),
    bad(
        "rate of NaN",
        "pump",
        written(PUMP, "rate", '{"value":NaN,"unit":"mL/h"}'),
        Reason.NOT_FINITE,
        "rate.value: nan",
    ),
    bad(
        "weight of 1e999", "pump", weighing("X").replace(b'"X"', b"1e999"), Reason.NOT_FINITE, "weight.value"
    ),
    bad(
        "target of NaN",
        "patient",
        written(PATIENT, "map_target", "NaN"),
        Reason.NOT_FINITE,
        "map_target: nan",
    ),
    bad("lactate of NaN", "observation", written(BOLUS, "value", "NaN"), Reason.NOT_FINITE, "value: nan"),
    bad("seq of NaN", "map", written(MAP, "seq", "NaN"), Reason.NOT_FINITE, "seq: nan"),
    bad("device of NaN", "map", written(MAP, "device", "NaN"), Reason.NOT_FINITE, "device: nan"),
    bad("-5 mmHg", "map", changed(MAP, value=-5), Reason.OUT_OF_RANGE, "value: -5 mm[Hg]", "10 to 250"),
    bad("9.9999 mmHg", "map", changed(MAP, value=9.9999), Reason.OUT_OF_RANGE, "value: 9.9999"),
    bad("250.0001 mmHg", "map", changed(MAP, value=250.0001), Reason.OUT_OF_RANGE, "value: 250.0001"),
    bad("801 mmHg", "map", changed(MAP, value=801), Reason.OUT_OF_RANGE, "value: 801"),
    bad("63 kPa", "map", changed(MAP, unit="kPa"), Reason.OUT_OF_RANGE, "value: 63 kPa"),
    bad("1e308 mmHg", "map", written(MAP, "value", "1e308"), Reason.OUT_OF_RANGE, "value: 1e+308"),
    bad("seq of -1", "map", changed(MAP, seq=-1), Reason.OUT_OF_RANGE, "seq: -1", "at least 0"),
    bad("seq past 2^53", "map", changed(MAP, seq=2**53 + 1), Reason.OUT_OF_RANGE, "seq: 9007199254740993"),
    bad("seq of 25 digits", "map", changed(MAP, seq=10**25), Reason.OUT_OF_RANGE, "seq: 1000"),
    bad("weight of 0", "pump", weighing(0), Reason.OUT_OF_RANGE, "weight.value: 0", "more than 0"),
    bad(
        "weight of 70,000 g",
        "pump",
        weighing(70_000),
        Reason.OUT_OF_RANGE,
        "weight.value: 70000",
        "0.2 to 700",
    ),
    bad("weight next to 0", "pump", weighing(1e-300), Reason.OUT_OF_RANGE, "weight.value: 1e-300"),
    bad(
        "patient's weight of 0",
        "patient",
        changed(PATIENT, weight={"value": 0, "unit": "kg"}),
        Reason.OUT_OF_RANGE,
        "weight.value: 0",
    ),
    bad(
        "patient's weight of 701",
        "patient",
        changed(PATIENT, weight={"value": 701, "unit": "kg"}),
        Reason.OUT_OF_RANGE,
        "weight.value: 701",
    ),
    bad(
        "negative rate",
        "pump",
        changed(PUMP, rate={"value": -1, "unit": "mL/h"}),
        Reason.OUT_OF_RANGE,
        "rate.value: -1",
        "at least 0",
    ),
    bad(
        "rate of 1e300",
        "pump",
        changed(PUMP, rate={"value": 1e300, "unit": "mL/h"}),
        Reason.OUT_OF_RANGE,
        "rate.value: 1e+300",
    ),
    bad(
        "concentration of 0",
        "pump",
        changed(PUMP, concentration={"value": 0, "unit": "ug/mL"}),
        Reason.OUT_OF_RANGE,
        "concentration.value: 0",
        "more than 0",
    ),
    bad(
        "negative concentration",
        "pump",
        changed(PUMP, concentration={"value": -16, "unit": "ug/mL"}),
        Reason.OUT_OF_RANGE,
        "concentration.value: -16",
    ),
    bad(
        "negative volume",
        "pump",
        changed(PUMP, volume_remaining={"value": -1, "unit": "mL"}),
        Reason.OUT_OF_RANGE,
        "volume_remaining.value: -1",
    ),
    bad("33 alarms", "pump", changed(PUMP, alarms=["MDC_X"] * 33), Reason.OUT_OF_RANGE, "at most 32 of them"),
    bad("target of 39", "patient", changed(PATIENT, map_target=39), Reason.OUT_OF_RANGE, "at least 40"),
    bad("target of 121", "patient", changed(PATIENT, map_target=121), Reason.OUT_OF_RANGE, "at most 120"),
    bad(
        "baseline of 49",
        "patient",
        changed(PATIENT, baseline_systolic=49),
        Reason.OUT_OF_RANGE,
        "at least 50",
    ),
    bad("negative bolus", "observation", changed(BOLUS, value=-1), Reason.OUT_OF_RANGE, "value: -1"),
    bad(
        "systolic of 401",
        "observation",
        without(changed(BOLUS, kind="systolic", value=401, unit="mm[Hg]"), "fluid"),
        Reason.OUT_OF_RANGE,
        "value: 401",
    ),
    bad(
        "systolic of 120 kPa",
        "observation",
        without(changed(BOLUS, kind="systolic", value=120, unit="kPa"), "fluid"),
        Reason.OUT_OF_RANGE,
        "value: 120",
        "400 mm[Hg]",
    ),
    bad("mmHg", "map", changed(MAP, unit="mmHg"), Reason.UNKNOWN_UNIT, "unit: 'mmHg'", "'mm[Hg]' or 'kPa'"),
    bad("weight in lb", "pump", weighing(154, "lb"), Reason.UNKNOWN_UNIT, "weight.unit: 'lb'", "'kg'"),
    bad(
        "rate per minute",
        "pump",
        changed(PUMP, rate={"value": 1, "unit": "mL/min"}),
        Reason.UNKNOWN_UNIT,
        "rate.unit: 'mL/min'",
        "'ug/kg/min'",
    ),
    bad(
        "concentration in mcg",
        "pump",
        changed(PUMP, concentration={"value": 16, "unit": "mcg/mL"}),
        Reason.UNKNOWN_UNIT,
        "concentration.unit: 'mcg/mL'",
    ),
    bad("bolus in L", "observation", changed(BOLUS, unit="L"), Reason.UNKNOWN_UNIT, "unit: 'L'", "'mL'"),
    bad("a sign's unit", "observation", changed(SIGN, unit="1"), Reason.UNKNOWN_UNIT, "no unit"),
    bad(
        "pulmonary artery",
        "map",
        changed(MAP, metric="MDC_PRESS_BLD_ART_PULM_MEAN"),
        Reason.UNKNOWN_METRIC,
        "metric: 'MDC_PRESS_BLD_ART_PULM_MEAN'",
        "'MDC_PRESS_CUFF_MEAN'",
    ),
    bad(
        "systolic as mean",
        "map",
        changed(MAP, metric="MDC_PRESS_BLD_ART_ABP_SYS"),
        Reason.UNKNOWN_METRIC,
        "metric",
    ),
    bad("metric's code", "map", changed(MAP, metric="150039"), Reason.UNKNOWN_METRIC, "metric: '150039'"),
    bad("quality", "map", changed(MAP, quality="fine"), Reason.UNKNOWN_VALUE, "quality: 'fine'", "'good'"),
    bad(
        "status",
        "pump",
        changed(PUMP, status="running"),
        Reason.UNKNOWN_VALUE,
        "status: 'running'",
        "'infusing'",
    ),
    bad("form", "pump", changed(PUMP, form="salt"), Reason.UNKNOWN_VALUE, "form: 'salt'", "'bitartrate'"),
    bad(
        "alarm",
        "pump",
        changed(PUMP, alarms=["occlusion"]),
        Reason.UNKNOWN_VALUE,
        "alarms.0: 'occlusion'",
        "MDC_",
    ),
    bad(
        "kind",
        "observation",
        changed(BOLUS, kind="weight"),
        Reason.UNKNOWN_VALUE,
        "kind: 'weight'",
        "'lactate'",
    ),
    bad("profile", "patient", changed(PATIENT, profile="sepsis"), Reason.UNKNOWN_VALUE, "profile: 'sepsis'"),
    bad("age group", "patient", changed(PATIENT, age_group="old"), Reason.UNKNOWN_VALUE, "age_group: 'old'"),
    bad(
        "drug",
        "pump",
        changed(PUMP, drug="epinefrine"),
        Reason.UNKNOWN_DRUG,
        "drug: 'epinefrine'",
        "vasopressin",
    ),
    bad(
        "drug in capitals",
        "pump",
        changed(PUMP, drug="NOREPINEPHRINE"),
        Reason.UNKNOWN_DRUG,
        "norepinephrine",
    ),
    bad("another bed", "map", changed(MAP, bed="bed-8"), Reason.BED_MISMATCH, "bed: 'bed-8'", BED),
    bad("another unit", "pump", changed(PUMP, bed="icu-b/bed-7"), Reason.BED_MISMATCH, "bed: 'icu-b/bed-7'"),
    bad("end of the bed's name", "patient", changed(PATIENT, bed="7"), Reason.BED_MISMATCH, "bed: '7'"),
    bad("no bed's name", "observation", changed(BOLUS, bed=""), Reason.BED_MISMATCH, "bed: ''"),
    bad("retained sample", "map", MAP, Reason.RETAINED, "retained", retained=True),
    bad("retained pump", "pump", PUMP, Reason.RETAINED, "retained", retained=True),
    bad("retained observation", "observation", BOLUS, Reason.RETAINED, "retained", retained=True),
    bad("retained ack", "ack", ACK, Reason.RETAINED, "retained", retained=True),
    bad("retained nonsense", "map", b"\xff", Reason.RETAINED, "retained", retained=True),
]

TIMES = [
    ("2026-11-23T08:15:02.000", "naive"),
    ("2026-11-23T08:15:02+00:00", "offset of zero"),
    ("2026-11-23T09:15:02+01:00", "another offset"),
    ("2026-11-23 08:15:02Z", "blank for T"),
    ("2026-11-23t08:15:02z", "small letters"),
    ("2026-11-23T08:15Z", "no seconds"),
    ("2026-11-23T08:15:02.Z", "no digits"),
    ("2026-11-23T08:15:02,5Z", "comma"),
    ("2026-11-23T08:15:02.1234567Z", "nanoseconds"),
    ("20261123T081502Z", "basic form"),
    ("2026-W48-1T08:15:02Z", "week date"),
    ("2026-02-29T00:00:00Z", "no leap year"),
    ("2026-13-01T00:00:00Z", "thirteenth month"),
    ("2026-11-23T24:00:00Z", "hour 24"),
    ("2026-11-23T23:59:60Z", "leap second"),
    ("0000-01-01T00:00:00Z", "year 0"),
    ("0001-01-01T00:00:00Z", "year 1"),
    ("1969-12-31T23:59:59.999Z", "before 1970"),
    ("\uff12\uff10\uff12\uff16-11-23T08:15:02Z", "full-width digits"),
    ("2026-11-23T08:15:02Z ", "blank behind"),
    ("now", "a word"),
    ("", "empty"),
]

TEXTS = [
    ("\ud800", "lone surrogate"),
    ("MON\udfff", "lone low surrogate"),
    ("MON\u0000", "null"),
    ("MON\n1", "line end"),
    ("MON\u001b[2J", "escape"),
    ("MON\u007f", "delete"),
    ("MON\u0085", "next line"),
    ("MON\u202e7140", "turned to the left"),
    ("MON\u2066x", "isolated"),
    ("MON\u200b1", "blank of no width"),
    ("MON\ufeff1", "byte order mark"),
    ("MON\u2028", "line separator"),
    ("", "empty"),
    (" ", "a blank"),
    (" MON", "blank in front"),
    ("x" * 65, "65 characters"),
]


def refused(kind: str, payload: bytes, retained: bool = False) -> Rejected:
    said = DECODER.decode(TOPIC[kind], payload, RECEIVED_MS, retained)
    assert isinstance(said, Rejected), f"accepted as {said}"
    return said


@pytest.mark.parametrize("case", PAYLOADS, ids=lambda case: case.name)
def test_a_bad_payload_is_refused_for_its_reason(case: Bad) -> None:
    said = refused(case.kind, case.payload, case.retained)
    assert said.reason is case.reason, said.detail
    for words in case.words:
        assert words in said.detail
    assert (said.kind, said.bed) == (case.kind, None if case.kind == "ack" else BED)


@pytest.mark.parametrize("kind", ["map", "pump", "patient", "observation", "ack"])
@pytest.mark.parametrize("text", [text for text, _ in TIMES], ids=[name for _, name in TIMES])
def test_a_time_is_rfc_3339_in_utc_with_z(kind: str, text: str) -> None:
    example = {"map": MAP, "pump": PUMP, "patient": PATIENT, "observation": BOLUS, "ack": ACK}[kind]
    said = refused(kind, changed(example, time=text))
    assert said.reason is Reason.BAD_TIME, said.detail
    assert said.detail.startswith("time: ")
    assert "2026-11-23T08:15:02.000Z" in said.detail


@pytest.mark.parametrize(
    ("kind", "example", "field"),
    [
        ("map", MAP, "device"),
        ("map", MAP, "boot"),
        ("pump", PUMP, "drug"),
        ("pump", PUMP, "diluent"),
        ("pump", PUMP, "route"),
        ("pump", PUMP, "line"),
        ("patient", PATIENT, "session"),
        ("observation", BOLUS, "fluid"),
        ("observation", SIGN, "value"),
        ("ack", ACK, "by"),
    ],
)
@pytest.mark.parametrize("text", [text for text, _ in TEXTS], ids=[name for _, name in TEXTS])
def test_a_name_is_short_and_visible(kind: str, example: bytes, field: str, text: str) -> None:
    said = refused(kind, changed(example, **{field: text}))
    assert said.reason is Reason.BAD_TEXT, said.detail
    assert said.detail.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("kind", "example", "field"),
    [
        ("map", MAP, "metric"),
        ("map", MAP, "unit"),
        ("map", MAP, "quality"),
        ("map", MAP, "bed"),
        ("map", MAP, "time"),
        ("pump", PUMP, "status"),
        ("patient", PATIENT, "profile"),
        ("observation", BOLUS, "kind"),
        ("ack", ACK, "alert_id"),
    ],
)
def test_a_lone_surrogate_is_bad_text_wherever_it_is(kind: str, example: bytes, field: str) -> None:
    """One of them in a label would make every scrape fail."""
    said = refused(kind, changed(example, **{field: "x\ud800"}))
    assert said.reason is Reason.BAD_TEXT, said.detail


def test_a_lone_surrogate_as_a_field_name_is_bad_text() -> None:
    assert refused("map", changed(MAP, **{"\ud800": 1})).reason is Reason.BAD_TEXT


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "bedside/v1",
        "bedside/v1/icu-a/map",
        "bedside/v1//bed-7/map",
        "bedside/v1/icu-a//map",
        "/bedside/v1/icu-a/bed-7/map",
        "bedside/v1/icu-a/bed-7/map/",
        "bedside/v1/icu-a/bed-7/map\n",
        "bedside/v1/icu-a/bed-7/pump",
        "bedside/v1/icu-a/bed-7/pump/",
        "bedside/v1/icu-a/bed-7/pump/1/2",
        "bedside/v1/icu-a/bed-7/pump/a+b",
        "bedside/v1/icu-a/bed-7/MAP",
        "bedside/v1/icu-a/bed-7/ecg",
        "bedside/v2/icu-a/bed-7/map",
        "bedside.v1/icu-a/bed-7/map",
        "bedside/v1/icu-a/bed+7/map",
        "bedside/v1/icu-a/bed#7/map",
        "bedside/v1/icu-a/bed/7/map",
        "bedside/v1/icu-a/$bed/map",
        "bedside/v1/icu a/bed-7/map",
        "bedside/v1/icu-a/bed-\uff17/map",
        "bedside/v1/icu-a/bed-\u0667/map",
        "bedside/v1/icu-a/\u202ebed-7/map",
        "bedside/v1/icu-a/\ufeffbed-7/map",
        "bedside/v1/icu-a/b\u00e9d/map",
        "bedside/v1/icu-a/\ud800/map",
        "bedside/v1/icu-a/" + "b" * 33 + "/map",
        "bedside/v1/" + "u" * 33 + "/bed-7/map",
        "bedside/v1/icu-a/bed-7/pump/" + "1" * 33,
        "bedside/v1/" + "x" * 60_000,
        "alerts/v1/ack",
        "alerts/v1/ack/",
        "alerts/v1/ack/a/b",
        "alerts/v1/ack/central\u202e",
        "alerts/v1/feed",
        "alerts/v1/icu-a/bed-7/MAP-LOW",
        "$SYS/broker/uptime",
    ],
    ids=ascii,
)
def test_a_bad_topic_is_refused_before_anything_is_read(topic: str) -> None:
    said = DECODER.decode(topic, MAP, RECEIVED_MS)
    assert isinstance(said, Rejected)
    assert (said.reason, said.kind, said.bed) == (Reason.BAD_TOPIC, None, None)
    assert said.detail.startswith("topic: ")
    assert "bedside/v1/{unit}/{bed}/" in said.detail


def test_every_reason_of_the_door_has_a_case() -> None:
    covered = {case.reason for case in PAYLOADS} | {Reason.BAD_TOPIC, Reason.BAD_TEXT, Reason.BAD_TIME}
    assert covered == set(Reason) - DECIDED_BEHIND_THE_DOOR


def test_a_reason_is_its_name_in_lower_case() -> None:
    assert all(reason.value == reason.name.lower() for reason in Reason)


@pytest.mark.parametrize(
    ("text", "milli_mmhg"),
    [
        ("-5", -5_000),
        ("801", 801_000),
        ("1e308", 10_000_000),
        ("-1e308", -10_000_000),
        ("NaN", 0),
        ("1e999", 0),
    ],
)
def test_an_impossible_map_still_counts_as_an_artefact(text: str, milli_mmhg: int) -> None:
    """TECH-MAP-ARTEFACT judges the share of such samples, so the refusal must carry one."""
    said = refused("map", written(MAP, "value", text))
    assert said.artefact == MapSample(
        1_795_421_702_000, BED, "MON-0417", "b7f2", 18231, MapSource.ARTERIAL, milli_mmhg, valid=False
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"extra": 1}, Reason.UNKNOWN_FIELD),
        ({"device": 5}, Reason.WRONG_TYPE),
        ({"device": ""}, Reason.BAD_TEXT),
        ({"time": "now"}, Reason.BAD_TIME),
        ({"time": "2026-02-30T00:00:00Z"}, Reason.BAD_TIME),
        ({"metric": "MDC_PRESS_BLD_ART_PULM_MEAN"}, Reason.UNKNOWN_METRIC),
        ({"unit": "mmHg"}, Reason.UNKNOWN_UNIT),
        ({"quality": "fine"}, Reason.UNKNOWN_VALUE),
        ({"seq": -1}, Reason.OUT_OF_RANGE),
        ({"bed": "bed-8"}, Reason.BED_MISMATCH),
    ],
)
@pytest.mark.parametrize("figure", ["NaN", "-5"])
def test_an_artefact_needs_everything_else_to_be_right(
    fields: dict[str, object], reason: Reason, figure: str
) -> None:
    """A sample of the wrong bed or metric says nothing about this bed's line."""
    said = refused("map", written(changed(MAP, **fields), "value", figure))
    assert said.reason is reason
    assert said.artefact is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (changed(without(MAP, "device"), mean=1, value=True), Reason.MISSING_FIELD),
        (changed(MAP, mean=1, value=True), Reason.UNKNOWN_FIELD),
        (changed(MAP, value=True, device=""), Reason.WRONG_TYPE),
        (changed(MAP, device="", time="now"), Reason.BAD_TEXT),
        (changed(MAP, time="now", metric="x"), Reason.BAD_TIME),
        (changed(MAP, metric="x", unit="mmHg"), Reason.UNKNOWN_METRIC),
        (changed(MAP, unit="mmHg", quality="x"), Reason.UNKNOWN_UNIT),
        (changed(MAP, quality="x", seq=-1), Reason.UNKNOWN_VALUE),
        (changed(MAP, seq=-1, bed="x"), Reason.OUT_OF_RANGE),
        (changed(MAP, bed="x", time="2026-02-30T00:00:00Z"), Reason.BED_MISMATCH),
        (changed(MAP, time="2026-02-30T00:00:00Z", value=1), Reason.BAD_TIME),
    ],
)
def test_of_several_faults_the_first_in_order_is_told(payload: bytes, reason: Reason) -> None:
    assert refused("map", payload).reason is reason


@pytest.mark.parametrize("profile", ["anaphylaxis", "pediatric"])
def test_a_profile_that_is_off_is_refused_and_the_refusal_says_so(profile: str) -> None:
    """C12: their figures are not to be used before the site has decided to."""
    site = decoder(profiles=frozenset({Profile.GENERAL, Profile.SEPTIC_SHOCK}))
    refused = site.decode(TOPIC["patient"], changed(PATIENT, profile=profile), RECEIVED_MS)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.UNKNOWN_VALUE
    wrong = f"profile: '{profile}' is not turned on at this site"
    assert refused.detail == f"{wrong}; right would be general, septic_shock"


def test_a_profile_that_is_on_is_taken() -> None:
    site = decoder(profiles=frozenset({Profile.GENERAL, Profile.PEDIATRIC}))
    taken = site.decode(TOPIC["patient"], changed(PATIENT, profile="pediatric"), RECEIVED_MS)
    assert isinstance(taken, PatientContext)
    assert taken.profile is Profile.PEDIATRIC


def test_a_refusal_is_printable_and_short() -> None:
    """It goes into logs and metrics of a ward, so nothing that came may come out raw."""
    payload = json.dumps({"\u202e" + "k" * 5000: "\u0007" * 5000} | json.loads(MAP)).encode()
    said = refused("map", payload)
    assert said.detail.isascii()
    assert said.detail.isprintable()
    assert len(said.detail) < 300
