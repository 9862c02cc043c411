"""Everything that a device, a gateway or somebody else may send and must not, and why it is refused.

Each is a good message with one thing wrong, so that no other check can be the one that refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .bedside import encoded, instant

ABUSED_BED = "icu-a/bed-9"
STATION = "alerts/v1/ack/station-1"


@dataclass(frozen=True, slots=True)
class BadInput:
    """What is published, and why it is refused."""

    name: str
    topic: str
    payload: bytes
    reason: str


def bad_inputs(bed: str, now_ms: int) -> list[BadInput]:
    """All that can be published on the topics of a bed, as if it were measured now."""
    return [*_bad_samples(bed, now_ms), *_bad_bytes(bed, now_ms), *_bad_others(bed, now_ms)]


def bad_topics(now_ms: int) -> list[BadInput]:
    """Good samples of beds whose names could be taken for something else."""
    names = {
        "a dollar in the bed": "$bed",
        "a direction override in the bed": "\u202ebed-9",
        "full-width digits in the bed": "bed-\uff19",
        "no bed at all": "",
        "a space in the bed": "bed 9",
        "a bed name of 33 letters": "b" * 33,
        "a quote in the bed": 'bed"} 1',
    }
    sample = _sample(now_ms, "topics")
    return [
        BadInput(name, f"bedside/v1/icu-a/{bed}/map", encoded(sample), "bad_topic")
        for name, bed in names.items()
    ]


def _sample(now_ms: int, boot: str, **changed: Any) -> dict[str, Any]:
    stamp = {"device": "MON-BAD", "boot": boot, "seq": 1, "time": instant(now_ms)}
    sample = {"metric": "MDC_PRESS_BLD_ART_ABP_MEAN", "value": 63, "unit": "mm[Hg]"}
    return stamp | sample | changed


def _bad_samples(bed: str, now_ms: int) -> list[BadInput]:
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "-5": ({"value": -5}, "out_of_range"),
        "true as a number": ({"value": True}, "wrong_type"),
        "a string number": ({"value": "63"}, "wrong_type"),
        "an unknown field": ({"hint": 1}, "unknown_field"),
        "a lone surrogate": ({"device": "\ud800"}, "bad_text"),
        "a direction override in the device": ({"device": "MON\u202e1"}, "bad_text"),
        "a naive time": ({"time": instant(now_ms).removesuffix("Z")}, "bad_time"),
        "an impossible date": ({"time": "2026-02-30T00:00:00Z"}, "bad_time"),
        "a time of 2099": ({"time": "2099-01-01T00:00:00Z"}, "future"),
        "a time of last year": ({"time": "2025-11-23T08:00:00Z"}, "too_late"),
        "mmHg": ({"unit": "mmHg"}, "unknown_unit"),
        "the pulmonary artery": ({"metric": "MDC_PRESS_BLD_ART_PULM_MEAN"}, "unknown_metric"),
        "an unknown quality": ({"quality": "splendid"}, "unknown_value"),
        "another bed": ({"bed": "bed-1" if bed.endswith("bed-2") else "bed-2"}, "bed_mismatch"),
    }
    topic = f"bedside/v1/{bed}/map"
    return [
        BadInput(name, topic, encoded(_sample(now_ms, name[:16], **changed)), reason)
        for name, (changed, reason) in changes.items()
    ]


def _bad_bytes(bed: str, now_ms: int) -> list[BadInput]:
    good = encoded(_sample(now_ms, "bytes"))
    spoilt: dict[str, tuple[Callable[[], bytes], str]] = {
        "NaN": (lambda: good.replace(b":63,", b":NaN,"), "not_finite"),
        "1e999": (lambda: good.replace(b":63,", b":1e999,"), "not_finite"),
        "a missing field": (lambda: good.replace(b'"value":63,', b""), "missing_field"),
        "duplicate keys": (lambda: good.replace(b":63,", b':63,"value":70,'), "duplicate_key"),
        "UTF-16": (lambda: good.decode().encode("utf-16"), "not_utf8"),
        "UTF-16 without a mark": (lambda: good.decode().encode("utf-16-le"), "not_utf8"),
        "a byte order mark": (lambda: b"\xef\xbb\xbf" + good, "not_utf8"),
        "Latin-1": (lambda: good.replace(b"MON-BAD", b"MON-\xe4"), "not_utf8"),
        "100,000 [": (lambda: b"[" * 100_000, "too_deep"),
        "20 KB": (lambda: good.replace(b"MON-BAD", b"M" * 20_000), "too_large"),
        "half a message": (lambda: good[: len(good) // 2], "not_json"),
        "nothing": (lambda: b"", "not_json"),
        "a list": (lambda: b"[" + good + b"]", "not_an_object"),
    }
    topic = f"bedside/v1/{bed}/map"
    return [BadInput(name, topic, spoil(), reason) for name, (spoil, reason) in spoilt.items()]


def _bad_others(bed: str, now_ms: int) -> list[BadInput]:
    stay = {"time": instant(now_ms), "session": "S-1"}
    in_pounds = stay | {"weight": {"value": 154, "unit": "lb"}}
    weightless = stay | {"weight": {"value": 0, "unit": "kg"}}
    runs = {"device": "PMP-BAD", "time": instant(now_ms), "status": "infusing"}
    unknown_drug = runs | {"drug": "norepinephrine?"}
    ack = {"alert_id": "al-of-nobody", "by": "nurse-7", "time": instant(now_ms)}
    observed = {"device": "CHART", "time": instant(now_ms), "kind": "lactate", "value": 3, "unit": "mg/dL"}
    return [
        BadInput("lb", f"bedside/v1/{bed}/patient", encoded(in_pounds), "unknown_unit"),
        BadInput("a weight of 0", f"bedside/v1/{bed}/patient", encoded(weightless), "out_of_range"),
        BadInput("an unknown drug", f"bedside/v1/{bed}/pump/1", encoded(unknown_drug), "unknown_drug"),
        BadInput("lactate in mg/dL", f"bedside/v1/{bed}/observation", encoded(observed), "unknown_unit"),
        BadInput("the ack of no alert", STATION, encoded(ack), "unknown_alert"),
    ]


def same_number_another_figure(topic: str, payload: bytes) -> BadInput:
    """The last sample once more, with another figure under the same number."""
    sample = json.loads(payload)
    return BadInput("the same number", topic, encoded(sample | {"value": sample["value"] + 1}), "conflict")
