"""Messages of the contract with something wrong in them, from a seeded source of chance."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from contract_examples import BED, EXAMPLES, TOPIC

ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 63, 1e300, 10**30, 63.5, "", "x", "63", [], {}, [[]], {"value": 1}),
    *(
        "\ud800",
        "\u202e",
        "\u0007",
        "x" * 65,
        "mmHg",
        "lb",
        "kPa",
        "2026-11-23T08:15:02Z",
        "0001-01-01T00:00:00Z",
    ),
    *(float("nan"), float("inf"), "bed-8", BED, "MDC_PRESS_BLD_ART_PULM_MEAN"),
    *({"value": 1, "unit": "mL/h"}, {"value": 0, "unit": "kg"}, {"value": 1, "unit": "ug/mL", "x": 1}),
]
ODD_FIELDS = ["value", "unit", "bed", "weight", "rate", "name", "\ud800", "seq", "fluid", "profile"]


def with_an_odd_value(rng: random.Random, fields: dict[str, Any]) -> None:
    """One field, here or one level down, gets a value that somebody has seen somewhere."""
    name = rng.choice(sorted(fields))
    inside = fields[name]
    if isinstance(inside, dict) and inside and rng.random() < 0.7:
        with_an_odd_value(rng, inside)
    else:
        fields[name] = deepcopy(rng.choice(ODD_VALUES))


def with_a_field_less(rng: random.Random, fields: dict[str, Any]) -> None:
    del fields[rng.choice(sorted(fields))]


def with_a_field_more(rng: random.Random, fields: dict[str, Any]) -> None:
    fields[rng.choice(ODD_FIELDS)] = deepcopy(rng.choice(ODD_VALUES))


def with_broken_bytes(rng: random.Random, payload: bytes) -> bytes:
    """A byte turned, a piece cut, doubled, or another encoding, as a bad line or a bad gateway does it."""
    here = rng.randrange(len(payload))
    there = min(len(payload), here + rng.randrange(1, 20))
    return rng.choice(
        [
            payload[:here] + bytes([rng.randrange(256)]) + payload[here + 1 :],
            payload[:here] + payload[there:],
            payload[:there] + payload[here:],
            payload[:-1] + b"," + payload[1:],
            payload.replace(b":", b": [" * rng.choice([1, 40]), 1),
            payload.decode(errors="replace").encode("utf-16"),
            payload + b" " * 16_384,
        ]
    )


MUTATIONS: list[Callable[[random.Random, dict[str, Any]], None]] = [
    with_an_odd_value,
    with_a_field_less,
    with_a_field_more,
]


def mutated(rng: random.Random) -> tuple[str, bytes, bool]:
    """A message of the contract with one to three things wrong, or perhaps right after all."""
    kind, example = rng.choice(EXAMPLES)
    fields = json.loads(example)
    for _ in range(rng.randrange(3)):
        if fields:
            rng.choice(MUTATIONS)(rng, fields)
    payload = json.dumps(fields).encode()
    if rng.random() < 0.3:
        payload = with_broken_bytes(rng, payload)
    topic = TOPIC[kind] if rng.random() < 0.95 else TOPIC[kind] + "+"
    return topic, payload, rng.random() < 0.1
