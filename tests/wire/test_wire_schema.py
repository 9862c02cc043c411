"""The published schemas: what the models say, and what the contract's own examples keep to."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from contract_examples import (
    ACK,
    BOLUS,
    EXAMPLES,
    MAP,
    PATIENT,
    PUMP,
    RECEIVED_MS,
    SIGN,
    TOPIC,
    changed,
    decoder,
    without,
)
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from sample_announcements import ALERT, BED_STATE, HEARTBEAT
from wire_mutations import mutated

from streamproc.wire import WILL, Reason, Received, Rejected, Topics, dead_letter, encode, write_line
from streamproc.wire import schema as published
from streamproc.wire.models import AlertEvent

DOCS = Path(__file__).resolve().parents[2] / "docs"
GOOD = [
    *((kind, example) for kind, example in EXAMPLES),
    ("alert", encode(ALERT)),
    ("status", encode(HEARTBEAT)),
    ("status", WILL),
    ("bed", encode(BED_STATE)),
    ("dead-letter", encode(dead_letter(Reason.NOT_JSON, "payload: no JSON", "t", b"\xff", RECEIVED_MS))),
    ("recorded-line", write_line(Received(RECEIVED_MS, TOPIC["map"], MAP))),
    ("recorded-line", write_line(Received(RECEIVED_MS, TOPIC["patient"], b"", retained=True))),
]


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((DOCS / "schemas" / f"{name}.json").read_text("utf-8")))


@pytest.mark.parametrize("path", sorted((DOCS / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_a_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize(("name", "payload"), GOOD)
def test_an_example_keeps_to_its_schema(name: str, payload: bytes) -> None:
    assert list(validator(name).iter_errors(json.loads(payload))) == []


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("map", changed(MAP, unit="mmHg")),
        ("map", changed(MAP, value="63")),
        ("map", changed(MAP, value=True)),
        ("map", changed(MAP, extra=1)),
        ("map", changed(MAP, time="2026-11-23T08:15:02")),
        ("map", changed(MAP, device="x" * 65)),
        ("map", without(MAP, "metric")),
        ("pump", changed(PUMP, weight={"value": 0, "unit": "kg"})),
        ("pump", changed(PUMP, rate={"value": 1, "unit": "mL/min"})),
        ("patient", changed(PATIENT, profile="sepsis")),
        ("observation", changed(BOLUS, unit="L")),
        ("observation", changed(SIGN, unit="1")),
        ("observation", without(BOLUS, "fluid")),
        ("ack", without(ACK, "by")),
        ("status", b'{"state":"running"}'),
        ("alert", changed(encode(ALERT), type="other")),
        ("alert", without(encode(ALERT), "subject")),
        ("recorded-line", b'{"received":"2026-11-23T08:15:02Z","topic":"t"}'),
    ],
)
def test_what_the_decoder_refuses_the_schema_refuses(name: str, payload: bytes) -> None:
    assert list(validator(name).iter_errors(json.loads(payload)))


def test_whatever_is_accepted_keeps_to_the_published_schema() -> None:
    """Else a gateway that checks itself against the schema would hold back good messages."""
    seed = 11
    print(f"seed {seed}")
    rng = random.Random(seed)
    kinds = {topic: kind for kind, topic in TOPIC.items()}
    accepted = 0
    for _ in range(3_000):
        topic, payload, retained = mutated(rng)
        if isinstance(decoder().decode(topic, payload, RECEIVED_MS, retained), Rejected):
            continue
        accepted += 1
        assert list(validator(kinds[topic]).iter_errors(json.loads(payload))) == [], payload
    assert accepted > 500, f"seed {seed} accepted only {accepted}"


def test_an_alert_leaves_no_field_out() -> None:
    """What goes out has every field, so the schema may promise them all."""
    schema = validator("alert").schema
    assert isinstance(schema, dict)
    assert schema["required"] == list(AlertEvent.model_fields)
    assert schema["$defs"]["AlertPayload"]["required"] == list(type(ALERT.data).model_fields)


def test_the_checked_in_documents_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert published.main(["--check"]) == 0, capsys.readouterr().out


def test_a_difference_is_named_and_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "schemas", docs / "schemas")
    (docs / "schemas" / "map.json").write_text("{}\n", "utf-8")
    (docs / "schemas" / "gone.json").write_text("{}\n", "utf-8")
    assert published.main(["--check", "--docs", str(docs)]) == 1
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == [
        "asyncapi.yaml",
        "schemas/gone.json",
        "schemas/map.json",
    ]
    assert published.main(["--docs", str(docs)]) == 0
    assert published.main(["--check", "--docs", str(docs)]) == 0
    assert not (docs / "schemas" / "gone.json").exists()


def resolved(document: dict[str, Any], reference: str) -> Any:
    here: Any = document
    for step in reference.removeprefix("#/").split("/"):
        here = here[step]
    return here


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = YAML(typ="safe").load((DOCS / "asyncapi.yaml").read_text("utf-8"))
    assert document["asyncapi"] == "3.0.0"
    for operation in document["operations"].values():
        channel = resolved(document, operation["channel"]["$ref"])
        for message in channel["messages"].values():
            payload = resolved(document, message["$ref"])["payload"]
            assert (DOCS / payload["$ref"]).is_file()


def test_the_asyncapi_document_has_every_topic_and_names_its_parts() -> None:
    document = YAML(typ="safe").load((DOCS / "asyncapi.yaml").read_text("utf-8"))
    topics, bed = Topics(), "{unit}/{bed}"
    assert {channel["address"] for channel in document["channels"].values()} == {
        topics.map(bed),
        topics.pump(bed, "{channel}"),
        topics.patient(bed),
        topics.observation(bed),
        topics.ack("{station}"),
        topics.alert(bed, "{rule_id}"),
        topics.feed,
        topics.status,
        topics.bed(bed),
        topics.dead_letter("{reason}"),
    }
    for channel in document["channels"].values():
        named = {part.strip("{}") for part in channel["address"].split("/") if part.startswith("{")}
        assert named == set(channel.get("parameters", {}))
