"""The published description of the wire: JSON Schemas and an AsyncAPI 3.0 document, out of the models.

`python -m streamproc.wire.schema` writes them into `docs/`; with `--check` it writes nothing and
exits 1 where the files are not what the models say. The models are never written from the files.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from streamproc.wire.alerting import AlertEvent, BedState, DeadLetter, Heartbeat, Lost
from streamproc.wire.recorded import RecordedLine
from streamproc.wire.telemetry import AckMessage, MapMessage, ObservationMessage, PatientMessage, PumpMessage
from streamproc.wire.topics import NAME, Topics

DOCS = Path(__file__).resolve().parents[2] / "docs"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Published:
    """A payload with its place: the schema's file, the channels, and which way it goes."""

    name: str
    title: str
    model: Any
    addresses: tuple[str, ...]
    way: Literal["in", "out", "file"]
    retained: bool = False


def _published() -> tuple[Published, ...]:
    """Every payload of the contract, with the default roots."""
    topics, bed = Topics(), "{unit}/{bed}"
    alert = (topics.feed, topics.alert(bed, "{rule_id}"))
    return (
        Published("map", "MAP sample", MapMessage, (topics.map(bed),), "in"),
        Published("pump", "Pump channel status", PumpMessage, (topics.pump(bed, "{channel}"),), "in"),
        Published("patient", "Patient context", PatientMessage, (topics.patient(bed),), "in", retained=True),
        Published("observation", "Observation", ObservationMessage, (topics.observation(bed),), "in"),
        Published("ack", "Acknowledgement", AckMessage, (topics.ack("{station}"),), "in"),
        Published("alert", "Alert event (CloudEvent)", AlertEvent, alert, "out", retained=True),
        Published("status", "Heartbeat or Will", Heartbeat | Lost, (topics.status,), "out", retained=True),
        Published("bed", "Bed state", BedState, (topics.bed(bed),), "out", retained=True),
        Published("dead-letter", "Refused message", DeadLetter, (topics.dead_letter("{reason}"),), "out"),
        Published("recorded-line", "Line of a recording", RecordedLine, (), "file"),
    )


PARAMETERS = {
    "unit": f"The care unit; `{NAME}`.",
    "bed": f"The bed within its unit; `{NAME}`.",
    "channel": f"The pump channel; `{NAME}`.",
    "station": f"The central station; `{NAME}`.",
    "rule_id": "The rule that raised the alert, such as `MAP-LOW`.",
    "reason": "Why the message was refused, a word of the closed set.",
}


def documents() -> dict[str, str]:
    """Every generated file: its path below `docs/`, and its text."""
    schemas = {f"schemas/{each.name}.json": _pretty(json_schema(each)) for each in _published()}
    return {**schemas, "asyncapi.yaml": _yaml(asyncapi())}


def json_schema(published: Published) -> dict[str, Any]:
    """What comes in may leave out what has a default; what goes out always has every field."""
    mode: Literal["validation", "serialization"] = "serialization" if published.way == "out" else "validation"
    schema = TypeAdapter(published.model).json_schema(mode=mode)
    schema.pop("discriminator", None)  # OpenAPI's, which AsyncAPI has in another form; oneOf says it all
    return {"$schema": DIALECT, **schema, "title": published.title}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document; payloads are referred to by their schema files."""
    channels = {name: channel for each in _published() for name, channel in _channels(each)}
    operations = {name: operation for each in _published() for name, operation in _operations(each)}
    messages = {each.name: _message(each) for each in _published() if each.addresses}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "streamproc",
            "version": "1.0.0",
            "description": "MAP and norepinephrine telemetry in, clinical alerts out. "
            "MQTT 5, QoS 1. Roots of the topics are configurable; these are the defaults.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _channels(published: Published) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, address in enumerate(published.addresses):
        parameters = {
            name: {"description": text} for name, text in PARAMETERS.items() if f"{{{name}}}" in address
        }
        message = {published.name: {"$ref": f"#/components/messages/{published.name}"}}
        channel = {"address": address, "messages": message}
        yield _channel_name(published, index), channel | ({"parameters": parameters} if parameters else {})


def _operations(published: Published) -> Iterator[tuple[str, dict[str, Any]]]:
    action = "receive" if published.way == "in" else "send"
    for index, address in enumerate(published.addresses):
        name = _channel_name(published, index)
        retained = published.retained and address != Topics().feed
        yield (
            f"{action}-{name}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "bindings": {"mqtt": {"qos": 1, "retain": retained, "bindingVersion": "0.2.0"}},
            },
        )


def _message(published: Published) -> dict[str, Any]:
    return {"title": published.title, "payload": {"$ref": f"./schemas/{published.name}.json"}}


def _channel_name(published: Published, index: int) -> str:
    return published.name if index + 1 == len(published.addresses) else f"{published.name}-feed"


def _pretty(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.width = 4096  # no folded lines
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def differences(docs: Path) -> list[str]:
    """What is missing, different or no longer generated in `docs`."""
    expected = documents()
    there = {f"schemas/{path.name}" for path in (docs / "schemas").glob("*.json")}
    wrong = [name for name, text in expected.items() if not _says(docs / name, text)]
    return sorted({*wrong, *(there - expected.keys())})


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def write(docs: Path) -> None:
    """Write every document, and take away schemas that no model has any more."""
    (docs / "schemas").mkdir(parents=True, exist_ok=True)
    for name in differences(docs):
        (docs / name).unlink(missing_ok=True)
    for name, text in documents().items():
        (docs / name).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write the documents, or only compare them."""
    parser = argparse.ArgumentParser(prog="python -m streamproc.wire.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a difference")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the documents are")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        write(chosen.docs)
        return 0
    wrong = differences(chosen.docs)
    for name in wrong:
        print(f"{name} is not what the models say; right would be: python -m streamproc.wire.schema")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
