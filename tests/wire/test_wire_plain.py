"""The short way through the door says what the strict way says, or leaves the message to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import pytest
from contract_examples import EXAMPLES, MAP, PUMP, RECEIVED_MS, TOPIC, changed, decoder, without, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, StringConstraints
from wire_mutations import mutated

from streamproc.wire import Rejected, decode
from streamproc.wire.plain import PLAIN_TEXTS, reader, struct_of
from streamproc.wire.telemetry import MapMessage, PumpMessage

DECODER = decoder()
SEED = 20_261_123
SEEDED_MESSAGES, PLAIN_MIN = 6_000, 500
READ = {"map": reader(MapMessage), "pump": reader(PumpMessage)}
NAMED = ("device", "boot", "drug", "diluent", "route", "line")
"""Fields of a pump's message that hold a name."""


@contextmanager
def strictly() -> Iterator[None]:
    """The door with its strict way alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "_PLAIN", {})
        yield


def both_ways(topic: str, payload: bytes, retained: bool = False) -> tuple[str, str]:
    """What is said by the short way if it will, and by the strict way; in full, with the sign of a zero."""
    said = DECODER.decode(topic, payload, RECEIVED_MS, retained)
    with strictly():
        return repr(said), repr(DECODER.decode(topic, payload, RECEIVED_MS, retained))


def kind_of(topic: str) -> str:
    return "pump" if "/pump/" in topic else topic.rpartition("/")[2]


def test_what_devices_send_is_plain() -> None:
    """The messages that come each second; whoever makes them strict again makes the door slow."""
    for kind, payload in (("map", MAP), ("pump", PUMP)):
        assert READ[kind](payload) is not None
        for name in ("boot", "seq", "quality", "form", "rate", "concentration", "weight", "alarms"):
            assert READ[kind](without(payload, name)) is not None
    for name in ("form", "rate", "concentration", "weight", "volume_remaining", "diluent", "route", "line"):
        assert READ["pump"](changed(PUMP, **{name: None})) is not None


def test_both_ways_say_the_same_of_thousands_of_mutated_messages() -> None:
    print(f"seed {SEED}")
    rng, plain = random.Random(SEED), 0
    for _ in range(SEEDED_MESSAGES):
        topic, payload, retained = mutated(rng)
        said, strictly_said = both_ways(topic, payload, retained)
        assert said == strictly_said, payload
        read = READ.get(kind_of(topic))
        plain += read is not None and read(payload) is not None and not said.startswith("Rejected")
    assert plain >= PLAIN_MIN


@pytest.mark.parametrize("name", NAMED)
def test_both_ways_take_the_same_characters_in_a_name(name: str) -> None:
    """Every ASCII character as it stands and escaped, first and later; and the two lengths at the edge."""
    names = [text.replace("?", sign) for text in ("?", "?x", "x?", "x?x") for sign in map(chr, range(128))]
    escaped = [text.replace("?", rf"\u{sign:04x}") for text in ("?", "x?") for sign in range(128)]
    for text in [*names, *escaped, "", "x" * 64, "x" * 65, "é", "x\u202e"]:
        said, strictly_said = both_ways(TOPIC["pump"], written(PUMP, name, f'"{text}"'))
        assert said == strictly_said, text


FIGURES = [
    *(
        "0",
        "-0",
        "-0.0",
        "0.0",
        "1",
        "1.0",
        "63.5",
        "1e1",
        "1E+2",
        "0.1e3",
        "01",
        "+5",
        ".5",
        "5.",
        "-1",
        "-1e-9",
    ),
    *(
        "1000000",
        "1000000.0000000001",
        "1000001",
        "1e999",
        "NaN",
        "Infinity",
        "true",
        "null",
        '"1"',
        "[1]",
        "{}",
    ),
    *("5e-324", "1e-400", "9007199254740993", "9" * 400, "0." + "0" * 400 + "1", "1_000", "0x10", "1.7e308"),
    *("123456789012345678901234567890", "0.1000000000000000055511151231257827", "2.2250738585072011e-308"),
]


@pytest.mark.parametrize("figure", FIGURES)
def test_both_ways_read_a_figure_alike(figure: str) -> None:
    for kind, payload in (("map", MAP), ("pump", PUMP)):
        for name in ("value", "seq", "bed", "time", "unit"):
            said, strictly_said = both_ways(TOPIC[kind], written(payload, name, figure))
            assert said == strictly_said
    for name in ("rate", "concentration", "volume_remaining", "weight"):
        unit = {"rate": "mL/h", "concentration": "ug/mL", "volume_remaining": "mL", "weight": "kg"}[name]
        said, strictly_said = both_ways(
            TOPIC["pump"], written(PUMP, name, f'{{"value":{figure},"unit":"{unit}"}}')
        )
        assert said == strictly_said


@given(
    value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30),
    seq=st.integers(-1, 2**53 + 2) | st.floats(0, 10),
    unit=st.sampled_from(["mm[Hg]", "kPa"]),
)
@settings(max_examples=400, deadline=None, print_blob=True)
def test_both_ways_read_any_figure_alike(value: float, seq: float, unit: str) -> None:
    said, strictly_said = both_ways(TOPIC["map"], changed(MAP, value=value, seq=seq, unit=unit))
    assert said == strictly_said


TIMES = ["2026-11-23T08:15:02Z", "2026-11-23T08:15:02.1Z", "2026-11-23T08:15:02.123456Z"]
NO_TIMES = [
    *("", "2026-11-23T08:15:02", "2026-11-23T08:15:02.Z", "2026-11-23T08:15:02.1234567Z", "20261123T081502Z"),
    *("2026-11-23T08:15:60Z", "2026-02-30T08:15:02Z", "1969-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z"),
    *(
        "2026-11-23T24:00:00Z",
        "2026-11-23 08:15:02Z",
        "2026-11-23T08:15:02+00:00",
        "2026-11-23T08:15:02.000z",
    ),
    *("2026-11-23T08:15:0٢Z", "2026-11-23T08:15:02.00²Z", "2026-W48-1T08:15:02Z", " 2026-11-23T08:15:02Z"),
]


@pytest.mark.parametrize("time", [*TIMES, *NO_TIMES])
def test_both_ways_read_a_time_alike(time: str) -> None:
    said, strictly_said = both_ways(TOPIC["map"], changed(MAP, time=time))
    assert said == strictly_said
    assert said.startswith("Rejected") == (time in NO_TIMES)


@given(
    kind=st.sampled_from(["map", "pump"]), at=st.integers(0), value=st.sampled_from(["1", '"good"', "null"])
)
@settings(max_examples=200, deadline=None, print_blob=True)
def test_a_key_that_comes_twice_is_never_plain(kind: str, at: int, value: str) -> None:
    """Before or after its namesake, here or one level down, and beside texts that hold a colon themselves."""
    payload = changed(dict(EXAMPLES)[kind], device="a:b")
    names = [name for name in payload.decode().split('"') if name.isidentifier() and name in STRUCT_FIELDS]
    name = names[at % len(names)]
    again = f'"{name}":{value}'
    for twice in (payload[:-1] + f",{again}}}".encode(), payload.replace(b"{", f"{{{again},".encode(), 1)):
        assert READ[kind](twice) is None
    inside = payload.replace(b'{"value"', b'{"unit":"kg:","value"')
    assert inside == payload or READ[kind](inside) is None


STRUCT_FIELDS = {*MapMessage.model_fields, *PumpMessage.model_fields}


def test_each_pattern_of_the_models_is_known_to_the_short_way() -> None:
    """A new kind of text, or a new kind of limit, stops the program at its start: it is never passed over."""

    class Unknown(BaseModel):
        text: Annotated[str, Field(pattern="^[A-C]$")]

    class Unkept(BaseModel):
        text: Annotated[str, StringConstraints(to_upper=True)]

    with pytest.raises(KeyError):
        struct_of(Unknown)
    with pytest.raises(TypeError, match="cannot keep"):
        struct_of(Unkept)
    assert all(pattern.startswith("^") and pattern.endswith("$") for pattern in PLAIN_TEXTS)


def test_a_refusal_is_worded_by_the_strict_way() -> None:
    """Also where the short way could read it: the figure is told as it was charted."""
    said = DECODER.decode(TOPIC["map"], written(MAP, "value", "300"), RECEIVED_MS)
    assert isinstance(said, Rejected)
    assert said.detail.startswith("value: 300 mm[Hg] is no pressure")
    assert READ["map"](written(MAP, "value", "300")) is not None
