"""Recorded lines: nothing is lost, and what replay decodes is what the service decoded."""

from __future__ import annotations

import gzip
import io
import json
import random

import pytest
from contract_examples import ACK, BOLUS, EXAMPLES, MAP, PATIENT, PUMP, RECEIVED_MS, TOPIC, decoder, written
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_mutations import mutated

from streamproc.wire import BadLine, Received, digest, read_line, read_lines, recorded, write_line

DECODER = decoder()
CONTRACTS_LINE = (
    b'{"received":"2026-11-23T08:15:02.100Z","topic":"bedside/v1/icu-a/bed-7/map","payload":{"value":63.0}}'
)

laws = settings(max_examples=400, deadline=None, print_blob=True)


def decoded(message: Received) -> object:
    return DECODER.decode(message.topic, message.payload, message.received_ms, message.retained)


def test_the_contracts_line_is_read() -> None:
    assert read_line(CONTRACTS_LINE) == Received(
        RECEIVED_MS, "bedside/v1/icu-a/bed-7/map", b'{"value":63.0}', False
    )


def test_a_line_is_written_as_the_contract_has_it() -> None:
    message = Received(RECEIVED_MS, TOPIC["map"], b'{ "value": 63.0 }')
    assert write_line(message) == CONTRACTS_LINE + b"\n"


def test_retain_is_written_only_where_it_is_so() -> None:
    line = write_line(Received(RECEIVED_MS, TOPIC["patient"], PATIENT, retained=True))
    assert json.loads(line)["retain"] is True
    assert read_line(line).retained
    assert "retain" not in json.loads(write_line(Received(RECEIVED_MS, TOPIC["patient"], PATIENT)))


@pytest.mark.parametrize(
    "example", [MAP, PUMP, PATIENT, BOLUS, ACK], ids=["map", "pump", "patient", "bolus", "ack"]
)
def test_json_is_recorded_as_json(example: bytes) -> None:
    """Lines are for people and `jq`, so only what must be is base64."""
    assert json.loads(write_line(Received(RECEIVED_MS, "t", example)))["payload"] == json.loads(example)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"MAP 63",
        b"\xff\xfe\x00",
        MAP.decode().encode("utf-16"),
        b"\xef\xbb\xbf{}",
        written(MAP, "value", "NaN"),
        written(MAP, "value", "1e999"),
        MAP[:-1] + b',"value":64}',
        written(MAP, "device", r'"\ud800"'),
        b"[" * 100,
        b"9" * 5_000,
        b"{}" + b" " * 20_000,
    ],
    ids=[
        "empty",
        "no json",
        "bytes",
        "utf-16",
        "bom",
        "nan",
        "1e999",
        "twice",
        "surrogate",
        "deep",
        "long",
        "large",
    ],
)
def test_what_only_lenient_readers_take_is_kept_byte_for_byte(payload: bytes) -> None:
    line = write_line(Received(RECEIVED_MS, TOPIC["map"], payload))
    assert "payload_raw" in json.loads(line)
    assert read_line(line).payload == payload


def test_a_payload_as_deep_as_allowed_is_recorded_as_json() -> None:
    deepest = b"[" * 32 + b"]" * 32
    line = write_line(Received(RECEIVED_MS, TOPIC["map"], deepest))
    assert "payload" in json.loads(line)
    assert read_line(line).payload == deepest


@given(
    time_ms=st.integers(0, 4_000_000_000_000),
    topic=st.text(st.characters(codec="utf-8"), max_size=40),
    payload=st.binary(max_size=80) | st.sampled_from([example for _, example in EXAMPLES]),
    retained=st.booleans(),
)
@laws
def test_a_line_is_one_line_and_comes_back(time_ms: int, topic: str, payload: bytes, retained: bool) -> None:
    line = write_line(Received(time_ms, topic, payload, retained))
    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    back = read_line(line)
    assert (back.received_ms, back.topic, back.retained) == (time_ms, topic, retained)
    assert write_line(back) == line
    assert read_line(write_line(back)) == back


@given(rng=st.randoms(use_true_random=False))
@laws
def test_replay_decodes_what_the_service_decoded(rng: random.Random) -> None:
    """Facts and refusals alike: a recording is evidence."""
    topic, payload, retained = mutated(rng)
    message = Received(RECEIVED_MS, topic, payload, retained)
    assert decoded(read_line(write_line(message))) == decoded(message)


def test_replay_decodes_what_the_service_decoded_for_many_a_fault() -> None:
    seed = 7
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(3_000):
        topic, payload, retained = mutated(rng)
        message = Received(RECEIVED_MS, topic, payload, retained)
        assert decoded(read_line(write_line(message))) == decoded(message), payload


def test_a_payload_is_hashed_as_its_compact_encoding() -> None:
    """A line that somebody has formatted by hand is still the same message."""
    spread = CONTRACTS_LINE.replace(b'{"value":63.0}', b'{ "value" : 63.0 }')
    assert digest(read_line(spread).payload) == digest(b'{"value":63.0}')


def test_a_recording_is_read_in_order_without_its_blank_lines() -> None:
    lines = [write_line(Received(RECEIVED_MS + i, TOPIC["map"], MAP)) for i in range(3)]
    recording = gzip.compress(lines[0] + b"\n" + lines[1] + b"  \n" + lines[2].rstrip())
    with gzip.open(io.BytesIO(recording)) as file:
        assert [each.received_ms - RECEIVED_MS for each in read_lines(file)] == [0, 1, 2]


def both_ways(line: bytes) -> tuple[object, object]:
    """What a line says to whoever looks where things should stand, and to the strict reader."""
    with pytest.MonkeyPatch.context() as patched:
        said = read_line_or_complaint(line)
        patched.setattr(recorded, "as_written", lambda line: None)
        return said, read_line_or_complaint(line)


def read_line_or_complaint(line: bytes) -> object:
    try:
        return read_line(line)
    except BadLine as bad:
        return str(bad)


@pytest.mark.parametrize("example", [MAP, PUMP, BOLUS, ACK], ids=["map", "pump", "bolus", "ack"])
def test_a_line_of_ours_is_read_where_things_stand(example: bytes) -> None:
    line = write_line(Received(RECEIVED_MS, TOPIC["map"], example))
    assert recorded.as_written(line) is not None
    assert recorded.as_written(line) == recorded._received(line)


@given(rng=st.randoms(use_true_random=False))
@laws
def test_both_ways_read_a_damaged_line_alike(rng: random.Random) -> None:
    topic, payload, _ = mutated(rng)
    line = bytearray(write_line(Received(RECEIVED_MS, topic, payload)))
    for _ in range(rng.choice([0, 1, 1, 2])):
        at = rng.randrange(len(line))
        line[at : at + rng.choice([0, 1, 1, 9])] = rng.choice(
            [b"", b" ", b'"', b"\\", b"0", b"}", b"\x7f", b"\t"]
        )
    said, strictly_said = both_ways(bytes(line))
    assert said == strictly_said


COMPACT = [
    "63",
    "63.5",
    "0.0001",
    "1e-05",
    "1e+16",
    "-0.0",
    "[]",
    "null",
    '"x"',
    "10000000000000000000000",
    "{}",
]
NOT_COMPACT = [
    *(
        "63.50",
        "0.00001",
        "1e-5",
        "1E-05",
        "1e16",
        "-0",
        "1e999",
        "NaN",
        "1 ",
        "[1, 2]",
        '{"a":1,"a":1}',
        '"\\u0041"',
    ),
    *(
        "9" * 300,
        "0.1000000000000000055511151231257827",
        "01",
        "1.",
        "0.30000000000000000001",
        '{"a":1}{}',
        "",
    ),
]


@pytest.mark.parametrize("payload", [*COMPACT, *NOT_COMPACT])
def test_both_ways_read_a_payload_alike(payload: str) -> None:
    """Whether it stands as Python would write it or not; `9` three hundred times is no whole number to us."""
    for line in (payload, f'{{"value":{payload}}}', f"[{payload},1]"):
        said, strictly_said = both_ways(CONTRACTS_LINE.replace(b'{"value":63.0}', line.encode()) + b"\n")
        assert said == strictly_said


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b"icu-a", b"icu\ta"),
        (b"icu-a", b"icu\xff"),
        (b"icu-a", "icu-é".encode()),
        (b'{"received', b'["received'),
        (b"}}\n", b"}]\n"),
        (b"}}\n", b"}}"),
        (b',"payload":', b',"payloaD":'),
        (b'"value"', b'"v\xff"'),
        (b"63.0", b"[" * 32 + b"]" * 32),
    ],
)
def test_both_ways_read_a_line_alike_where_one_thing_is_out_of_place(there: bytes, instead: bytes) -> None:
    line = CONTRACTS_LINE + b"\n"
    assert there in line
    said, strictly_said = both_ways(line.replace(there, instead, 1))
    assert said == strictly_said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "right would be one JSON object"),
        (b"{", "right would be one JSON object"),
        (b"[]", "wrong type"),
        (b"\xff", "UTF-8"),
        (CONTRACTS_LINE.replace(b'"topic"', b'"topics"'), "topic: is missing"),
        (CONTRACTS_LINE.replace(b'"received"', b'"at"'), "received: is missing"),
        (CONTRACTS_LINE.replace(b'.100Z"', b'.100"'), "received: '2026-11-23T08:15:02.100'"),
        (CONTRACTS_LINE.replace(b"11-23", b"11-31"), "received: '2026-11-31"),
        (CONTRACTS_LINE.replace(b'"payload"', b'"payload_json"'), "payload_json: "),
        (CONTRACTS_LINE.replace(b',"payload":{"value":63.0}', b""), "either payload or payload_raw"),
        (CONTRACTS_LINE[:-1] + b',"payload_raw":{"base64":""}}', "either payload or payload_raw"),
        (CONTRACTS_LINE.replace(b"63.0", b"NaN"), "payload_raw"),
        (CONTRACTS_LINE.replace(b"63.0", b'"\\ud800"'), "payload_raw"),
        (CONTRACTS_LINE.replace(b'"value":63.0', b'"value":63.0,"value":64.0'), "payload.value: "),
        (CONTRACTS_LINE.replace(b'"payload":{"value":63.0}', b'"payload_raw":{"base64":"!"}'), "base64"),
        (CONTRACTS_LINE.replace(b'"payload":{"value":63.0}', b'"payload_raw":"AA=="'), "payload_raw: 'AA=='"),
        (CONTRACTS_LINE[:-1] + b',"retain":1}', "retain: 1"),
        (CONTRACTS_LINE.replace(b"bedside", b"\\ud800"), "topic: '\\ud800"),
        (b'{"payload":' * 40 + b"1" + b"}" * 40, "levels deep"),
    ],
)
def test_a_bad_line_is_named_with_what_would_be_right(line: bytes, words: str) -> None:
    with pytest.raises(BadLine) as bad:
        read_line(line, 17)
    assert str(bad.value).startswith("line 17: ")
    assert bad.value.number == 17
    assert words in bad.value.detail
    assert "right would be" in bad.value.detail


def test_the_number_of_a_bad_line_counts_blank_ones() -> None:
    with pytest.raises(BadLine, match=r"^line 3: "):
        list(read_lines([CONTRACTS_LINE, b"\n", b"{\n"]))
