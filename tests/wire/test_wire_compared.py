"""A line that is compared says what it says when it is read in full; any doubt, and it is read in full."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from contract_examples import ACK, MAP, PUMP, RECEIVED_MS, TOPIC, changed, decoder, without
from wire_mutations import mutated

from streamproc.wire import BadLine, Received, read_lines, rfc3339, write_line
from streamproc.wire.alike import Alike
from streamproc.wire.compared import Lines

DECODER = decoder()
SEED, DAMAGED, COMPARED_MIN = 20_261_123, 20_000, 2_000
WAYS = {
    "map": [MAP, changed(MAP, value=8.6659, unit="kPa"), changed(MAP, value=63.5)],
    "pump": [PUMP, without(PUMP, "volume_remaining")],
}


@dataclass
class Known:
    alike: Alike


def known_after(topic: str, payload: bytes) -> dict[str, Known]:
    """What is known of a topic after this message."""
    alike = DECODER.alike(topic, payload)
    assert alike is not None
    return {topic: Known(alike)}


def compact(payload: bytes) -> bytes:
    return json.dumps(json.loads(payload), separators=(",", ":")).encode()


def read(lines: list[bytes], known: dict[str, Known]) -> list[Received | str]:
    """Each line after the others, with what was compared; a bad one by its complaint."""
    reader = Lines(known)
    return [outcome(lambda line=line: list(reader.read([line]))) for line in lines]


def outcome(reading: Callable[[], list[Received]]) -> Received | str:
    try:
        (message,) = reading()
    except BadLine as bad:
        return str(bad)
    except ValueError:
        return "blank"
    return message


def in_full(line: bytes) -> Received | str:
    return outcome(lambda: list(read_lines([line])))


def plainly(message: Received | str) -> Received | str:
    return message if isinstance(message, str) else message._replace(compared=None)


def is_compared(message: Received | str) -> bool:
    return isinstance(message, Received) and message.compared is not None


def next_of(payload: bytes, n: int) -> bytes:
    """The same device a second later, with another figure."""
    fields = json.loads(payload)
    later = {"seq": fields["seq"] + n, "time": rfc3339(RECEIVED_MS + 1_000 * n)}
    if "value" in fields:
        later["value"] = fields["value"] + n / 2
    elif fields.get("volume_remaining"):
        later["volume_remaining"] = fields["volume_remaining"] | {"value": 100.5 - n / 4}
    return json.dumps(fields | later, separators=(",", ":")).encode()


def line_of(topic: str, payload: bytes, n: int = 0) -> bytes:
    return write_line(Received(RECEIVED_MS + 1_000 * n + 40, topic, payload))


CASES = [(kind, compact(payload)) for kind, payloads in WAYS.items() for payload in payloads]


@pytest.mark.parametrize(("kind", "payload"), CASES)
def test_the_next_lines_of_a_topic_are_compared_and_say_the_same(kind: str, payload: bytes) -> None:
    topic = TOPIC[kind]
    lines = [line_of(topic, next_of(payload, n), n) for n in range(5)]
    known = known_after(topic, payload)
    messages = read(lines, known)
    assert [plainly(message) for message in messages] == [in_full(line) for line in lines]
    assert [is_compared(message) for message in messages] == [False, True, True, True, True]
    for message in messages[1:]:
        assert isinstance(message, Received)
        assert message.compared == (known[topic], known[topic].alike.read(message.payload))


def damaged(rng: random.Random, line: bytes) -> bytes:
    """A line in which one or two places are otherwise."""
    spoiled = bytearray(line)
    for _ in range(rng.choice([0, 1, 1, 2])):
        at = rng.choice([rng.randrange(len(line)), rng.randrange(13, 38)])
        spoiled[at : at + rng.choice([0, 1, 1, 9])] = rng.choice(
            [b"", b" ", b'"', b"\\", b"0", b"1", b"9", b".", b"Z", b"}", b"\n", b"\x7f", b"\xff", b"e5"]
        )
    return bytes(spoiled)


@pytest.mark.parametrize(("kind", "payload"), CASES)
def test_a_damaged_line_is_read_or_refused_as_in_full(kind: str, payload: bytes) -> None:
    print(f"seed {SEED}")
    rng, topic = random.Random(SEED), TOPIC[kind]
    lines = [line_of(topic, next_of(payload, 1), 1)]
    lines += [
        damaged(rng, line_of(topic, next_of(payload, n % 60), n % 60)) for n in range(DAMAGED // len(CASES))
    ]
    messages = read(lines, known_after(topic, payload))
    for line, message in zip(lines, messages, strict=True):
        assert plainly(message) == in_full(line), line
    assert sum(map(is_compared, messages)) > COMPARED_MIN // len(CASES)


def test_any_message_of_the_contract_is_read_or_refused_as_in_full() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    known = {
        topic: each for kind, payload in CASES for topic, each in known_after(TOPIC[kind], payload).items()
    }
    lines = [write_line(Received(RECEIVED_MS, *mutated(rng))) for _ in range(3_000)]
    lines += [line_of(TOPIC["ack"], ACK), b"  \n", b"\n"]
    for line, message in zip(lines, read(lines, known), strict=True):
        assert plainly(message) == in_full(line), line


AS_WE_WRITE = ["63", "63.0", "63.5"]
OTHERWISE = ["0.001", "63.50", "63.00", "0.000001", "1e1", "063", "63.", ".5", "-63", "6 3"]


@pytest.mark.parametrize("figure", [*AS_WE_WRITE, *OTHERWISE])
def test_a_figure_that_is_not_written_as_we_write_it_is_read_in_full(figure: str) -> None:
    """What was received is then not what stands there: its fingerprint is of the payload as it was sent."""
    payload = compact(MAP)
    first = line_of(TOPIC["map"], payload)
    line = first.replace(b'"value":63', b'"value":' + figure.encode())
    _, message = read([first, line], known_after(TOPIC["map"], payload))
    assert plainly(message) == in_full(line)
    assert is_compared(message) == (figure in AS_WE_WRITE)


OUT_OF_PLACE = {
    "spaces": (b'":', b'" :'),
    "kept by the broker": (b"}}\n", b'},"retain":true}\n'),
    "no end of line": (b"}}\n", b"}}"),
    "received to the second": (b':03.140Z","topic"', b':03Z","topic"'),
    "received with a blank": (b':03.140Z","topic"', b':03.14 Z","topic"'),
    "no such second": (b':03.140Z","topic"', b':63.140Z","topic"'),
    "no such day": (b'"received":"2026-11-23', b'"received":"2026-11-31'),
    "another word": (b'{"received"', b'{"receiveD"'),
    "another topic": (b"/map", b"/mapp"),
    "another device": (b"MON-0417", b"MON-0418"),
    "a longer number": (b'"seq":18232', b'"seq":1823200000000000000'),
    "a number with a nought": (b'"seq":18232', b'"seq":018232'),
}


@pytest.mark.parametrize(("there", "instead"), OUT_OF_PLACE.values(), ids=OUT_OF_PLACE)
def test_a_line_with_one_thing_out_of_place_is_read_in_full(there: bytes, instead: bytes) -> None:
    payload = compact(MAP)
    first, line = line_of(TOPIC["map"], payload), line_of(TOPIC["map"], next_of(payload, 1), 1)
    assert there in line
    _, right, wrong = read([first, line, line.replace(there, instead, 1)], known_after(TOPIC["map"], payload))
    assert is_compared(right)
    assert not is_compared(wrong)
    assert plainly(wrong) == in_full(line.replace(there, instead, 1))


def test_a_line_is_compared_with_what_is_known_now() -> None:
    payload = compact(MAP)
    known = known_after(TOPIC["map"], payload)
    lines = Lines(known)

    def is_next_compared(n: int) -> bool:
        (message,) = lines.read([line_of(TOPIC["map"], next_of(payload, n), n)])
        return is_compared(message)

    assert [is_next_compared(n) for n in (1, 2)] == [False, True]
    known |= known_after(TOPIC["map"], payload)
    assert [is_next_compared(n) for n in (3, 4)] == [False, True]
    del known[TOPIC["map"]]
    assert [is_next_compared(n) for n in (5, 6)] == [False, False]


def test_a_bad_line_among_compared_ones_is_named_by_its_number() -> None:
    payload = compact(MAP)
    lines = [line_of(TOPIC["map"], next_of(payload, n), n) for n in range(3)]
    with pytest.raises(BadLine, match=r"^line 5: "):
        list(Lines(known_after(TOPIC["map"], payload)).read([*lines, b"\n", lines[2][:-3]]))
