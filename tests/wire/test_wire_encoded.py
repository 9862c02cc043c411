"""What goes out: the same bytes for the same message, every field of the contract, nothing unreadable."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from contract_examples import BED, BOLUS, MAP, PATIENT, PUMP, RECEIVED_MS, TOPIC, decoder
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic import TypeAdapter as Adapter
from sample_announcements import ALERT, BED_STATE, HEARTBEAT

from streamproc.wire import TOMBSTONE, WILL, Reason, Rejected, dead_letter, encode
from streamproc.wire.models import (
    AlertEvent,
    AlertPayload,
    Citation,
    Evidence,
    MapMessage,
    ObservationMessage,
    PatientMessage,
    Provenance,
    PumpMessage,
)

CONTRACTS_ALERT_FIELDS = {
    *("alert_id", "event_seq", "feed_seq", "rule", "rule_version", "ruleset", "kind", "priority", "phase"),
    *("state", "acknowledged_by", "acknowledged_at", "text", "advice", "value", "limit", "unit"),
    *("onset", "detected", "ended", "evidence", "citation"),
}


def test_an_alert_is_a_cloud_event_in_the_contracts_words() -> None:
    said = json.loads(encode(ALERT))
    assert list(said) == [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "data",
    ]
    assert (said["specversion"], said["type"], said["subject"]) == ("1.0", "streamproc.alert.v1", BED)
    assert said["source"] == "/streamproc/icu-1"
    assert said["data"].keys() >= CONTRACTS_ALERT_FIELDS


def test_what_an_alert_does_not_say_is_null() -> None:
    """Every alert has the same shape, so that no reader needs to ask whether a field is there."""
    least = AlertPayload(
        alert_id="al-1",
        event_seq=1,
        rule="TECH-DOSE",
        rule_version=1,
        ruleset="ab12",
        kind="technical",
        priority="medium",
        phase="start",
        state="active",
        text="dose unknown: no weight",
        onset="2026-11-23T08:15:02.000Z",
        detected="2026-11-23T08:15:02.000Z",
        evidence=Evidence(),
        citation=Citation(section="Dosing", page="TECH-DOSE"),
    )
    said = json.loads(encode(least))
    assert said.keys() == json.loads(encode(ALERT))["data"].keys()
    assert said["value"] is said["ended"] is said["acknowledged_by"] is None
    assert said["evidence"].keys() == json.loads(encode(ALERT))["data"]["evidence"].keys()


def test_the_will_is_the_contracts() -> None:
    assert WILL == b'{"state":"lost"}'
    assert TOMBSTONE == b""


@pytest.mark.parametrize("message", [ALERT, BED_STATE, HEARTBEAT], ids=["alert", "bed", "heartbeat"])
def test_encoding_is_compact_ordered_and_comes_back(message: Any) -> None:
    payload = encode(message)
    again = json.dumps(json.loads(payload), separators=(",", ":"), ensure_ascii=False).encode()
    assert again == payload
    assert list(json.loads(payload)) == list(type(message).model_fields)
    assert type(message).model_validate_json(payload) == message
    assert encode(type(message).model_validate_json(payload)) == payload


@pytest.mark.parametrize("figure", [0.1, 0.25, 63.0, 58.25, 1e-9, 123456.789, 2 / 3, 5e-324, 1e22])
def test_figures_are_written_as_short_as_they_read_back(figure: float) -> None:
    """No figure gains digits on its way out: 0.1 is never 0.1000000000000000055."""
    text = json.loads(encode(Provenance(value=figure)), parse_float=str)["value"]
    assert float(text) == figure
    assert len(text) <= len(repr(figure))


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (AlertEvent, {"subject": "icu-a"}),
        (AlertEvent, {"source": "streamproc"}),
        (AlertEvent, {"time": "2026-11-23T08:15:02"}),
        (AlertEvent, {"type": "streamproc.alert.v2"}),
        (AlertEvent, {"extra": 1}),
        (AlertPayload, {"value": float("nan")}),
        (AlertPayload, {"text": "two\nlines"}),
        (AlertPayload, {"text": "\ud800"}),
        (AlertPayload, {"event_seq": 0}),
        (AlertPayload, {"priority": "urgent"}),
    ],
)
def test_our_own_mistakes_never_reach_the_wire(model: type[BaseModel], fields: dict[str, Any]) -> None:
    """A broken announcement is a broken invariant: it stops us, it is not sent."""
    right = ALERT if model is AlertEvent else ALERT.data
    with pytest.raises(ValidationError):
        model(**(right.model_dump() | fields))


@pytest.mark.parametrize(
    ("kind", "model", "example"),
    [
        ("map", MapMessage, MAP),
        ("pump", PumpMessage, PUMP),
        ("patient", PatientMessage, PATIENT),
        ("observation", ObservationMessage, BOLUS),
    ],
)
def test_what_a_simulator_encodes_is_what_the_device_would_say(kind: str, model: Any, example: bytes) -> None:
    """Fields that were never set go out as null, and null says as little as absence."""
    message = Adapter(model).validate_json(example)
    said = decoder().decode(TOPIC[kind], encode(message), RECEIVED_MS)
    assert not isinstance(said, Rejected)
    assert said == decoder().decode(TOPIC[kind], example, RECEIVED_MS)


@given(
    topic=st.text(max_size=900),
    detail=st.text(max_size=900),
    payload=st.binary(max_size=3000),
    reason=st.sampled_from(Reason),
)
@settings(deadline=None, print_blob=True)
def test_anything_refused_can_be_shown(topic: str, detail: str, payload: bytes, reason: Reason) -> None:
    """Lone surrogates, control characters and a megabyte included: the dead letter is clean and bounded."""
    letter = encode(dead_letter(reason, detail, topic, payload, RECEIVED_MS))
    assert letter.isascii()
    assert len(letter) < 3000
    said = json.loads(letter)
    assert said["topic"].isprintable() or not topic
    assert said["payload_bytes"] == len(payload)
    assert b64decode(said["payload_base64"]) == payload[:1024]
    assert (said["reason"], said["received"]) == (reason.value, "2026-11-23T08:15:02.100Z")


def test_a_dead_letter_shows_a_plain_topic_as_it_is() -> None:
    letter = dead_letter(Reason.NOT_JSON, "payload: no JSON", TOPIC["map"], b"x", RECEIVED_MS)
    assert letter.topic == TOPIC["map"]
    assert letter.detail == "payload: no JSON"


def test_a_dead_letter_has_the_first_kibibyte() -> None:
    payload = bytes(range(256)) * 20
    letter = dead_letter(Reason.NOT_UTF8, "payload: no UTF-8", TOPIC["map"], payload, RECEIVED_MS)
    assert b64decode(letter.payload_base64) == payload[:1024]
    assert letter.payload_bytes == 5120
