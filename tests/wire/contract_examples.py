"""The contract's own examples, word for word, and small ways to change one thing in them."""

from __future__ import annotations

import json
from typing import Any

from streamproc.wire import Decoder, Topics

BED = "icu-a/bed-7"
ROOT = f"bedside/v1/{BED}"
RECEIVED_MS = 1_795_421_702_100  # 2026-11-23T08:15:02.100Z

MAP = (
    b'{"device":"MON-0417","boot":"b7f2","seq":18231,"time":"2026-11-23T08:15:02.000Z",\n'
    b' "metric":"MDC_PRESS_BLD_ART_ABP_MEAN","value":63,"unit":"mm[Hg]","quality":"good"}'
)
PUMP = (
    b'{"device":"PMP-0022","boot":"11","seq":912,"time":"2026-11-23T08:15:02.500Z",\n'
    b' "status":"infusing","drug":"norepinephrine","form":"base",\n'
    b' "rate":{"value":9.375,"unit":"mL/h"},"concentration":{"value":16,"unit":"ug/mL"},\n'
    b' "volume_remaining":{"value":112,"unit":"mL"},"diluent":"D5W","route":"central","line":"L1",\n'
    b' "weight":{"value":70,"unit":"kg"},"alarms":["MDC_EVT_FLUID_LINE_OCCL"]}'
)
PATIENT = (
    b'{"time":"2026-11-23T07:50:00Z","session":"S-20931","weight":{"value":70,"unit":"kg"},\n'
    b' "profile":"septic_shock","age_group":"adult","pregnant":false,"beta_blocked":false,\n'
    b' "myocardial_dysfunction":false,"baseline_systolic":null,"map_target":65}'
)
BOLUS = (
    b'{"device":"CHART-1","boot":"1","seq":4,"time":"2026-11-23T08:10:00Z",'
    b'"kind":"fluid_bolus","value":500,"unit":"mL","fluid":"balanced_crystalloid"}'
)
SIGN = b'{"device":"CHART-1","time":"2026-11-23T08:10:00Z","kind":"arrhythmia","value":true}'
ACK = b'{"alert_id":"al-0f3c","by":"nurse 12","time":"2026-11-23T08:15:09.000Z"}'

TOPIC = {
    "map": f"{ROOT}/map",
    "pump": f"{ROOT}/pump/1",
    "patient": f"{ROOT}/patient",
    "observation": f"{ROOT}/observation",
    "ack": "alerts/v1/ack/central-1",
}
EXAMPLES = [
    ("map", MAP),
    ("pump", PUMP),
    ("patient", PATIENT),
    ("observation", BOLUS),
    ("observation", SIGN),
    ("ack", ACK),
]
DRUGS = {
    "norepinephrine": "norepinephrine",
    "noradrenaline": "norepinephrine",
    "vasopressin": "vasopressin",
}


def decoder(**limits: Any) -> Decoder:
    """A decoder with the default topics and a small drug library."""
    return Decoder(Topics(), DRUGS, **limits)


def changed(example: bytes, **fields: Any) -> bytes:
    """The example with these fields set."""
    return json.dumps(json.loads(example) | fields).encode()


def without(example: bytes, *names: str) -> bytes:
    """The example without these fields."""
    return json.dumps({k: v for k, v in json.loads(example).items() if k not in names}).encode()


def written(example: bytes, field: str, text: str) -> bytes:
    """The example with a field's value written as this text, JSON or not."""
    marked = changed(example, **{field: "<here>"})
    return marked.replace(b'"<here>"', text.encode())
