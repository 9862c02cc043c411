"""Messages of the contract, right or with something wrong in them, from a seeded source of chance.

They are put together as text, so that they can say what no JSON writer would: a key twice, a figure
of four hundred digits, half a surrogate. It shares no code with the processor.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Fields = list[tuple[str, Any]]
"""An object in the order of its writing: names and values as JSON text; a value may be such a list."""
Message = tuple[str, bytes, bool]
"""Topic, payload, and whether it is a retained one."""

BEDS = [f"icu-a/bed-{number}" for number in range(1, 7)] + ["icu_B/0", "x/-", "-/_"]
MAP_METRICS = ["MDC_PRESS_BLD_ART_ABP_MEAN", "MDC_PRESS_BLD_ART_MEAN", "MDC_PRESS_CUFF_MEAN"]
DRUGS = ["norepinephrine", "noradrenaline", "vasopressin", "epinephrine", "dopamine", "dobutamine"]
DRUGS += ["phenylephrine", "sodium_bicarbonate"]
PROFILES = ["general", "septic_shock", "hepatorenal", "anaphylaxis", "pediatric"]
ROUTES, DILUENTS = ["central", "peripheral", "umbilical", "?"], ["D5W", "NS", "D5NS", "sterile water"]
ALARMS = ["MDC_EVT_FLUID_LINE_OCCL", "MDC_EVT_FLUID_AIR", "MDC_EVT_BATT_LO", "MDC_X"]
OBSERVED: list[tuple[str, Callable[[random.Random], str], str | None]] = [
    ("systolic", lambda rng: str(rng.randint(30, 260)), "mm[Hg]"),
    ("systolic", lambda rng: f"{rng.uniform(5, 53.3):.2f}", "kPa"),
    ("heart_rate", lambda rng: str(rng.randint(0, 250)), "/min"),
    ("lactate", lambda rng: f"{rng.uniform(0, 20):.1f}", "mmol/L"),
    ("urine_output", lambda rng: str(rng.randint(0, 400)), "mL"),
    ("capillary_refill", lambda rng: f"{rng.uniform(0, 8):.1f}", "s"),
    ("extravasation", lambda rng: rng.choice(["true", "false"]), None),
    ("arrhythmia", lambda rng: rng.choice(["true", '"none"', '"atrial_fibrillation"', '"vt"']), None),
]

ODD_NUMBERS = [
    *("0", "-0", "-0.0", "-1", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "5e-324", "1e-400"),
    *(
        "1.7976931348623157e308",
        "1e300",
        "9007199254740993",
        "9007199254740992",
        "1000000",
        "1000000.0000000001",
    ),
    *("0.1e1", "1E+2", "00", "01", ".5", "5.", "+5", "0x10", "1_000", "1" * 400, "1000000.0000000001"),
    *("-" + "9" * 301, "0x1p3"),
    *("0." + "0" * 400 + "1", "10", "250", "9.999999999999999", "250.00000000000003", "700", "0.2", "true"),
]
ODD_TEXTS = [
    *('""', '" "', '"x"', '"' + "x" * 64 + '"', '"' + "x" * 65 + '"', '" x"', '"x "', '"\\u0000"'),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u202e"', '"\\u200b"', '"\\ufeff"'),
    *('"\U0001f600"', '"é"', '"e\\u0301"', '"\u0663"', '"\x01"', '"\x7f"', '"\t"', '"\\"', '"a\\qb"'),
    *('"mmHg"', '"mm[Hg]"', '"kPa"', '"lb"', '"kg"', '"ug/mL"', '"mL/h"', '"U/min"', '"mg/h"', '"true"'),
    *('"bed-1"', '"icu-a/bed-1"', '"MDC_PRESS_BLD_ART_PULM_MEAN"', '"INFUSING"', '"infusing"', "'x'"),
]
ODD_TIMES = [
    *('"1970-01-01T00:00:00Z"', '"1969-12-31T23:59:59.999Z"', '"9999-12-31T23:59:59.999999Z"'),
    *('"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', '"2026-11-23T24:00:00Z"'),
    *('"2026-06-30T23:59:60Z"', '"2026-11-23T08:15:02+00:00"', '"2026-11-23T08:15:02"', '"2026-11-23"'),
    *('"2026-11-23T08:15:02.0000000Z"', '"2026-11-23 08:15:02Z"', '"٢٠٢٦-11-23T08:15:02Z"', "1795421702000"),
    *(
        '"2026-11-23T08:15:02.Z"',
        '"2026-W48-1T08:15:02Z"',
        '"2026-11-23T08:15:02.1Z\\n"',
        '"20261123T081502Z"',
    ),
]
ODD_WHOLES = ["null", "true", "[]", "{}", "[[]]", '{"value":1}', "[1,2", "{", '{"":{}}', "nul", ""]
ODD_NAMES = [
    "value",
    "unit",
    "bed",
    "device",
    "boot",
    "seq",
    "time",
    "kind",
    "weight",
    "rate",
    "fluid",
    "drug",
]
ODD_NAMES += [
    "",
    "\\u0076alue",
    "\\ud800",
    "Value",
    "value ",
    "é",
    "__proto__",
    "alarms",
    "profile",
    "x" * 300,
]
ODD_LEVELS = ["", "+", "#", "$SYS", "bed 1", "b" * 33, "b" * 32, "..", "/", "\u202ebed", "bed\x00", "bed\n"]
ODD_LEVELS += ["\uff42\uff45\uff44", "b\u0131d"]
LIKELY = 0.8
DEPTHS = [1, 5, 31, 32, 33, 40, 1000, 9000]


@dataclass(slots=True)
class Hostile:
    """A ward of devices that mostly tell the truth, and what networks and other people make of it."""

    rng: random.Random
    now_ms: int
    open_alerts: list[str] = field(default_factory=list)
    """Ids that a station may acknowledge."""
    seqs: dict[str, int] = field(default_factory=dict)
    beds: list[str] = field(default_factory=lambda: BEDS)
    """Those that send now."""
    last: Message = ("", b"", False)

    def message(self) -> Message:
        """The next message, or the last one once more."""
        rng = self.rng
        if self.last[1] and rng.random() < 0.05:
            return self.last
        kind = rng.choices(["map", "pump", "patient", "observation", "ack"], [6, 6, 1, 3, 1])[0]
        bed = rng.choice(self.beds)
        fields: Fields = getattr(self, "_" + kind)(bed)
        topic = "alerts/v1/ack/station-1" if kind == "ack" else f"bedside/v1/{bed}/{kind}"
        if kind == "pump":
            topic += rng.choice(["/1", "/1", "/2", "/carrier"])
        if rng.random() < 0.6:
            for _ in range(rng.choice([1, 1, 2, 3])):
                rng.choice(TWISTS)(rng, fields)
        payload = written(fields)
        if rng.random() < 0.2:
            payload = rng.choice(BREAKS)(rng, payload)
        if rng.random() < 0.04:
            topic = twisted_topic(rng, topic)
        self.last = topic, payload, rng.random() < (0.5 if kind == "patient" else 0.02)
        return self.last

    def _stamp(self, device: str) -> Fields:
        rng = self.rng
        self.seqs[device] = self.seqs.get(device, 0) + rng.choice([1, 1, 1, 1, 0, 3, -1])
        late_ms = rng.choices(
            [rng.randint(0, 1500), rng.randint(0, 70_000), rng.randint(-7000, 0)], [16, 2, 1]
        )[0]
        stamp: Fields = [("device", text(device)), ("time", text(instant(self.now_ms - late_ms)))]
        if rng.random() < 0.9:
            stamp += [("boot", text(rng.choice(["b1", "b1", "b2"]))), ("seq", str(self.seqs[device]))]
        return stamp

    def _map(self, bed: str) -> Fields:
        rng = self.rng
        mmhg = rng.choice([rng.uniform(40, 100), rng.uniform(60, 70), 65, rng.uniform(-50, 400)])
        unit = rng.choice(["mm[Hg]", "mm[Hg]", "kPa"])
        value = mmhg if unit == "mm[Hg]" else mmhg / 7.50062
        fields = [("metric", text(rng.choice(MAP_METRICS))), ("value", f"{value:.3f}"), ("unit", text(unit))]
        if rng.random() < 0.3:
            quality = rng.choice(["good", "good", "questionable", "artefact", "calibrating"])
            fields.append(("quality", text(quality)))
        return self._stamp(f"MON-{bed}") + fields

    def _pump(self, bed: str) -> Fields:
        rng = self.rng
        unit = rng.choice(["mL/h", "mL/h", "ug/min", "ug/kg/min", "mg/h", "U/min"])
        top = {"mL/h": 120, "ug/min": 60, "ug/kg/min": 1.5, "mg/h": 4, "U/min": 0.1}[unit]
        fields: Fields = [
            ("status", text(rng.choice(["infusing"] * 6 + ["paused", "stopped", "kvo", "standby"]))),
            ("drug", text(rng.choice(DRUGS[:2] * 4 + DRUGS))),
            ("rate", measured(f"{rng.uniform(0, top):.3f}", unit)),
        ]
        concentration = rng.choice([("16", "ug/mL"), ("4", "ug/mL"), ("0.064", "mg/mL"), ("0.2", "U/mL")])
        fields += [("form", text(rng.choice(["base", "bitartrate"])))] * (rng.random() < 0.8)
        fields += [("concentration", measured(*concentration))] * (rng.random() < 0.8)
        fields += [("weight", measured(str(rng.randint(3, 150)), "kg"))] * (rng.random() < 0.5)
        fields += [("volume_remaining", measured(str(rng.randint(0, 250)), "mL"))] * (rng.random() < 0.5)
        fields += [("diluent", text(rng.choice(DILUENTS)))] * (rng.random() < 0.5)
        fields += [("route", text(rng.choice(ROUTES))), ("line", text("L1"))] * (rng.random() < 0.5)
        fields += [("alarms", f"[{text(rng.choice(ALARMS))}]")] * (rng.random() < 0.2)
        return self._stamp(f"PMP-{bed}-{rng.randint(1, 2)}") + fields

    def _patient(self, bed: str) -> Fields:
        rng = self.rng
        if rng.random() < 0.05:
            return []
        fields: Fields = [("time", text(instant(self.now_ms - rng.randint(0, 86_400_000))))]
        fields += [("session", text(f"S-{rng.randint(1, 9)}")), ("profile", text(rng.choice(PROFILES)))]
        fields += [("weight", measured(f"{rng.uniform(2, 150):.1f}", "kg"))] * (rng.random() < 0.8)
        fields += [("age_group", text(rng.choice(["adult", "adult", "pediatric", "neonatal"])))]
        for flag in ("pregnant", "beta_blocked", "myocardial_dysfunction"):
            fields += [(flag, rng.choice(["true", "false"]))] * (rng.random() < 0.3)
        fields += [("map_target", str(rng.randint(40, 120)))] * (rng.random() < 0.3)
        fields += [("baseline_systolic", str(rng.randint(50, 300)))] * (rng.random() < 0.3)
        return fields

    def _observation(self, bed: str) -> Fields:
        rng = self.rng
        if rng.random() < 0.3:
            bolus = rng.choice(["balanced_crystalloid", "NS", "albumin", "starch", "D5W"])
            charted: Fields = [("kind", '"fluid_bolus"'), ("value", str(rng.randint(1, 2000)))]
            return self._stamp("CHART") + charted + [("unit", '"mL"'), ("fluid", text(bolus))]
        kind, value, unit = rng.choice(OBSERVED)
        fields = [*self._stamp("CHART"), ("kind", text(kind)), ("value", value(rng))]
        return fields if unit is None else [*fields, ("unit", text(unit))]

    def _ack(self, bed: str) -> Fields:
        known = self.open_alerts if self.rng.random() < 0.7 else []
        alert = self.rng.choice(known or ["al-0f3c"])
        told_ms = self.now_ms - self.rng.choice([0, 0, 0, 3_600_000])
        return [("alert_id", text(alert)), ("by", '"nurse 12"'), ("time", text(instant(told_ms)))]


def text(value: str) -> str:
    """A text that needs no escapes."""
    return f'"{value}"'


def measured(value: str, unit: str) -> Fields:
    """A figure with its unit."""
    return [("value", value), ("unit", text(unit))]


def instant(time_ms: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, millis = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def written(fields: Fields) -> bytes:
    """The object as bytes; half a surrogate cannot be written as one and stands as an escape only."""
    return _written(fields).encode() if fields else b""


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "{" + ",".join(f'"{name}":{_written(inside)}' for name, inside in value) + "}"


def odd(rng: random.Random, instead_of: Any = None) -> str:
    """A value that somebody has seen somewhere; mostly of the type that it stands for."""
    numeric = isinstance(instead_of, str) and instead_of[:1] in "-0123456789"
    textual = isinstance(instead_of, str) and instead_of[:1] == '"'
    if numeric and rng.random() < LIKELY:
        return rng.choice(ODD_NUMBERS)
    if textual and rng.random() < LIKELY:
        return rng.choice(ODD_TIMES if instead_of.endswith('Z"') else ODD_TEXTS)
    return rng.choice(rng.choice([ODD_NUMBERS, ODD_TEXTS, ODD_TIMES, ODD_WHOLES]))


def place(rng: random.Random, fields: Fields) -> tuple[Fields, int]:
    """A field, here or one level down."""
    index = rng.randrange(len(fields))
    inside = fields[index][1]
    if isinstance(inside, list) and inside and rng.random() < 0.7:
        return inside, rng.randrange(len(inside))
    return fields, index


def another_value(rng: random.Random, fields: Fields) -> None:
    if fields:
        where, index = place(rng, fields)
        where[index] = (where[index][0], odd(rng, where[index][1]))


def another_name(rng: random.Random, fields: Fields) -> None:
    if fields:
        where, index = place(rng, fields)
        where[index] = (rng.choice(ODD_NAMES), where[index][1])


def one_more(rng: random.Random, fields: Fields) -> None:
    fields.insert(rng.randint(0, len(fields)), (rng.choice(ODD_NAMES), odd(rng)))


def one_less(rng: random.Random, fields: Fields) -> None:
    if fields:
        where, index = place(rng, fields)
        del where[index]


def one_twice(rng: random.Random, fields: Fields) -> None:
    if fields:
        where, index = place(rng, fields)
        where.insert(rng.randint(0, len(where)), where[index])


def two_swapped(rng: random.Random, fields: Fields) -> None:
    if len(fields) > 1:
        one, other = rng.sample(range(len(fields)), 2)
        (name, value), (other_name, other_value) = fields[one], fields[other]
        fields[one], fields[other] = (name, other_value), (other_name, value)


def nested(rng: random.Random, fields: Fields) -> None:
    if fields:
        where, index = place(rng, fields)
        depth, (opening, closing) = rng.choice(DEPTHS), rng.choice([("[", "]"), ('{"a":', "}")])
        where[index] = (where[index][0], opening * depth + "1" + closing * depth)


def another_bed(rng: random.Random, fields: Fields) -> None:
    fields.append(("bed", text(rng.choice([*BEDS, "bed-1", "bed-2"]))))


TWISTS = [another_value, another_value, another_name, one_more, one_less, one_twice, two_swapped]
TWISTS += [nested, another_bed]


def bit_flipped(rng: random.Random, payload: bytes) -> bytes:
    if not payload:
        return payload
    here = rng.randrange(len(payload))
    return payload[:here] + bytes([payload[here] ^ (1 << rng.randrange(8))]) + payload[here + 1 :]


def truncated(rng: random.Random, payload: bytes) -> bytes:
    return payload[: rng.randint(0, len(payload))]


def piece_doubled(rng: random.Random, payload: bytes) -> bytes:
    here, there = sorted(rng.randint(0, len(payload)) for _ in range(2))
    return payload[:there] + payload[here:]


def marked(rng: random.Random, payload: bytes) -> bytes:
    return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b" ", b"\n", b"\x1e", b"//\n"]) + payload


def otherwise_encoded(rng: random.Random, payload: bytes) -> bytes:
    return payload.decode(errors="replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-32-be", "utf-7"]))


def overlong(rng: random.Random, payload: bytes) -> bytes:
    """Bytes that are no UTF-8: an overlong slash, half a surrogate, a lone continuation, beyond U+10FFFF."""
    return payload.replace(b"-", rng.choice([b"\xc0\xaf", b"\xed\xa0\x80", b"\x80", b"\xf4\x90\x80\x80"]), 1)


def padded(rng: random.Random, payload: bytes) -> bytes:
    return payload + rng.choice([b" ", b"\n", b"}", b"\x00", b"1"]) * rng.choice(
        [1, 16_384 - len(payload), 16_385]
    )


def wrapped(rng: random.Random, payload: bytes) -> bytes:
    return rng.choice([b"[%b]", b"[%b,%b]", b'"%b"', b"%b%b"]).replace(b"%b", payload)


BREAKS = [bit_flipped, bit_flipped, truncated, piece_doubled, marked, otherwise_encoded, overlong, padded]
BREAKS += [wrapped]


def twisted_topic(rng: random.Random, topic: str) -> str:
    """One level too many, too few, or of the wrong kind."""
    levels = topic.split("/")
    index = rng.randrange(len(levels))
    match rng.randrange(4):
        case 0:
            levels[index] = rng.choice(ODD_LEVELS)
        case 1:
            del levels[index]
        case 2:
            levels.insert(index, rng.choice([*ODD_LEVELS, "map", "pump"]))
        case _:
            levels[-1] = rng.choice(["map", "pump", "patient", "observation", "Map", "map ", "status"])
    return "/".join(levels)
