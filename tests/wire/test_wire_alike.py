"""What is read as like an earlier message is what the door reads; what the door refuses is like none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from typing import Any, cast

import pytest
from contract_examples import BED, MAP, PUMP, RECEIVED_MS, TOPIC, changed, decoder, without, written
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_mutations import mutated

from streamproc.core.events import MapSample, PumpStatus
from streamproc.core.steady import Steady, event_like
from streamproc.wire import Decoder
from streamproc.wire.alike import Alike
from tests.service.bad_input import bad_inputs

DECODER = decoder()
SEED = 20_261_123
MUTATED, LIKE_MIN = 4_000, 500
Change = Callable[[random.Random, bytes], bytes]


def said(payload: bytes, topic: str, door: Decoder = DECODER) -> MapSample | PumpStatus | None:
    """What the door reads, where it is a sample or a report."""
    event = door.decode(topic, payload, RECEIVED_MS)
    return event if isinstance(event, MapSample | PumpStatus) else None


def like(payload: bytes, topic: str, door: Decoder = DECODER) -> tuple[Alike, Steady] | None:
    """What is like a message, and the device that goes on so; None where the door would ask for neither."""
    event = said(payload, topic, door)
    alike = None if event is None else door.alike(topic, payload)
    if event is None or alike is None:
        return None
    nobody = cast(Any, None)
    return alike, Steady(nobody, event, nobody, nobody, 0, event.order, event.device)


def answers(first: bytes, payloads: Iterable[bytes], topic: str, door: Decoder = DECODER) -> int:
    """How many payloads are read as like the first one, each as the door reads it."""
    found = like(first, topic, door)
    if found is None:
        return 0
    alike, steady = found
    read = 0
    for payload in payloads:
        differing = alike.read(payload)
        if differing is not None:
            event = event_like(steady.like, *differing)
            assert repr(event) == repr(door.decode(topic, payload, RECEIVED_MS)), (first, payload)
            read += 1
    return read


def kind_of(topic: str) -> str:
    return "pump" if "/pump/" in topic else "map"


COMPACT, SPACED = (",", ":"), (", ", ": ")
WAYS = {
    "as in the contract": (MAP, PUMP),
    "compact": tuple(json.dumps(json.loads(each), separators=COMPACT).encode() for each in (MAP, PUMP)),
    "with spaces": tuple(json.dumps(json.loads(each), separators=SPACED).encode() for each in (MAP, PUMP)),
    "without a figure": (MAP, without(PUMP, "volume_remaining")),
    "with no volume": (MAP, changed(PUMP, volume_remaining=None)),
    "in kPa": (changed(MAP, value=8.6659, unit="kPa"), PUMP),
    "of doubtful quality": (changed(MAP, quality="questionable"), PUMP),
    "the unit before the volume": (MAP, changed(PUMP, volume_remaining={"unit": "mL", "value": 112})),
    "on lines of their own": tuple(json.dumps(json.loads(each), indent=1).encode() for each in (MAP, PUMP)),
    "a line after each colon": tuple(
        json.dumps(json.loads(each), separators=(",", ":\n")).encode() for each in (MAP, PUMP)
    ),
    "two blanks after each colon": tuple(
        json.dumps(json.loads(each), separators=(",", ":  ")).encode() for each in (MAP, PUMP)
    ),
    "a line before each comma": tuple(
        json.dumps(json.loads(each), separators=("\n,", ":")).encode() for each in (MAP, PUMP)
    ),
    "a bed named": tuple(changed(each, bed=BED) for each in (MAP, PUMP)),
    "names that look like parts": tuple(
        changed(each, device="seq:1", boot="time:2026", line="value:1") if each is PUMP else each
        for each in (MAP, PUMP)
    ),
}
"""How devices may write what the contract allows."""
FIRSTS = [(TOPIC[kind], pair[place]) for pair in WAYS.values() for place, kind in ((0, "map"), (1, "pump"))]


def test_what_devices_send_each_second_is_read_as_like_the_last() -> None:
    """Otherwise all would be read anew, rightly and slowly."""
    for way in ("as in the contract", "compact", "with spaces"):
        for kind, first in zip(("map", "pump"), WAYS[way], strict=True):
            later = first.replace(b"02.", b"03.").replace(b"18231", b"18232").replace(b"912", b"913")
            figure = later.replace(b"63", b"64.5").replace(b"112", b"111.75")
            assert answers(first, [first, later, figure], TOPIC[kind]) == 3


@pytest.mark.parametrize(("topic", "first"), FIRSTS)
def test_no_byte_changed_lost_or_added_is_passed_over(topic: str, first: bytes) -> None:
    """Each byte in turn: any other in its place, none, and one more before it."""
    some = b'0123456789.-+eEZT:"{}[],\\ \n\t\x00\x7f\x80\xc3\xffabn'

    def spoilt() -> Iterator[bytes]:
        for at in range(len(first)):
            before, behind = first[:at], first[at + 1 :]
            yield from (before + bytes([byte]) + behind for byte in range(256))
            yield before + behind
            yield first[:at]
            yield from (before + bytes([byte]) + first[at:] for byte in some)

    answers(first, spoilt(), topic)


@pytest.mark.parametrize(("topic", "first"), FIRSTS)
def test_no_blank_added_makes_it_like_another(topic: str, first: bytes) -> None:
    """Wherever JSON allows it, or not."""
    for at in range(len(first)):
        for blank in (b" ", b"\n", b"  ", b"\r\t"):
            blanked = first[:at] + blank + first[at:]
            answers(blanked, [blanked, first], topic)


FIGURES = [
    *(
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "1.0",
        "63.5",
        "63.50",
        "1e1",
        "6E1",
        "01",
        "00",
        "+5",
        ".5",
        "5.",
        "-1",
    ),
    *(
        "9.999",
        "10",
        "250",
        "250.001",
        "250.0000001",
        "249.9999996",
        "999999",
        "1000000",
        "1000000.5",
        "1e999",
    ),
    *(
        "NaN",
        "Infinity",
        "true",
        "null",
        '"63"',
        "[63]",
        "{}",
        "",
        " 63",
        "63 ",
        "6 3",
        "63\n",
        "1_0",
        "0x10",
    ),
    *(
        "0.000001",
        "0.0000001",
        "64.9995",
        "64.9994999",
        "123456.123456",
        "1.333223",
        "33.3",
        "33.331",
        "64.99949",
    ),
    *("9" * 16, "9" * 400, "18231", "\u0661\u0662", "\uff16\uff13", '63,"value":64', '63,"seq":5', "63}"),
]
SEQS = [
    *(
        "0",
        "00",
        "01",
        "-0",
        "-1",
        "1",
        "18232",
        "1.0",
        "1e3",
        "999999999999999",
        "1000000000000000",
        "\u0663",
    ),
    *(str(2**53), str(2**53 + 1), "9" * 400, "true", "null", '"1"', "", " 1", "1 ", "1\n", "\u00b2", "1_0"),
]
TIMES = [
    *(
        "2026-11-23T08:15:03Z",
        "2026-11-23T08:15:03.1Z",
        "2026-11-23T08:15:03.123456Z",
        "",
        "2026-11-23T08:15:03",
    ),
    *("2026-11-23T08:15:03.Z", "2026-11-23T08:15:60Z", "2026-02-30T08:15:02Z", "1969-12-31T23:59:59.999Z"),
    *(
        "2026-11-23T24:00:00Z",
        "2026-11-23 08:15:02Z",
        "2026-11-23T08:15:02+00:00",
        "2026-11-23T08:15:02.1234567Z",
    ),
    *(
        "2026-11-23t08:15:02Z",
        "2026-W48-1T08:15:02Z",
        " 2026-11-23T08:15:02Z",
        "2026-11-23T08:15:0\u0662Z",
        "Z",
    ),
    *('2026-11-23T08:15:03Z","time":"2026-11-23T08:15:04Z', "\\u0032026-11-23T08:15:03Z"),
]


def parts_of(first: bytes) -> dict[str, bytes]:
    """The message with `?` for its number, for its time, and for its figure."""
    fields = json.loads(first)
    mark = "<here>"
    marked = {name: {**fields, name: mark} for name in ("seq", "time")}
    if "value" in fields:
        marked["figure"] = {**fields, "value": mark}
    elif fields.get("volume_remaining"):
        marked["figure"] = {**fields, "volume_remaining": {**fields["volume_remaining"], "value": mark}}
    return {name: json.dumps(each).encode() for name, each in marked.items()}


@pytest.mark.parametrize(("topic", "first"), FIRSTS)
def test_numbers_times_and_figures_are_read_as_by_the_door(topic: str, first: bytes) -> None:
    first = json.dumps(json.loads(first)).encode()
    texts = {"seq": SEQS, "time": [f'"{time}"' for time in TIMES], "figure": FIGURES}
    payloads = [
        marked.replace(b'"<here>"', text.encode())
        for part, marked in parts_of(first).items()
        for text in texts[part]
    ]
    assert answers(first, payloads, topic) >= len(parts_of(first)) or like(first, topic) is None


@pytest.mark.parametrize("kind", ["map", "pump"])
def test_any_order_of_the_fields_is_read_as_by_the_door(kind: str) -> None:
    """As a first message, and of a later one against the others."""
    example = json.loads(MAP if kind == "map" else PUMP)
    moved = ("seq", "time", "value" if kind == "map" else "volume_remaining", "unit", "device")
    moved = tuple(name for name in moved if name in example)
    orders = [
        json.dumps({**{name: example[name] for name in order}, **example}, separators=COMPACT).encode()
        for order in permutations(moved)
    ]
    behind = [
        json.dumps({**{n: v for n, v in example.items() if n not in order}, **{n: example[n] for n in order}})
        for order in permutations(moved)
    ]
    payloads = [*orders, *(each.encode() for each in behind)]
    for first in payloads:
        assert answers(first, payloads, TOPIC[kind]) >= 1


def test_a_key_that_comes_twice_is_never_like_another_message() -> None:
    for kind, first in (("map", MAP), ("pump", PUMP)):
        again = [b',"seq":1}', b',"time":"2026-11-23T08:15:03Z"}', b',"value":64}', b',"unit":"kPa"}']
        twice = [first[:-1] + each for each in again] + [
            first.replace(b"{", b"{" + each[1:-1] + b",", 1) for each in again
        ]
        assert answers(first, twice, TOPIC[kind]) == 0


@given(
    value=st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**30), 10**30)
    | st.decimals(0, 400, places=4),
    seq=st.integers(-1, 2**53 + 2),
    unit=st.sampled_from(["mm[Hg]", "kPa"]),
)
@settings(max_examples=400, deadline=None, print_blob=True)
def test_any_pressure_is_read_as_by_the_door(value: object, seq: int, unit: str) -> None:
    first = changed(MAP, value=9.25 if unit == "kPa" else 63, unit=unit)
    payload = written(changed(first, seq=seq), "value", str(value))
    answers(first, [payload, first], TOPIC["map"])


@given(value=st.floats(0, 2_000_000) | st.integers(-10, 2_000_000) | st.decimals(0, 1_000_001, places=5))
@settings(max_examples=400, deadline=None, print_blob=True)
def test_any_volume_is_read_as_by_the_door(value: object) -> None:
    payload = written(PUMP, "volume_remaining", f'{{"value": {value}, "unit": "mL"}}')
    answers(changed(PUMP, seq=5), [payload], TOPIC["pump"])


def test_a_message_that_is_longer_than_the_site_permits_is_not_like_one_that_is_not() -> None:
    """However much room the first one left."""
    for kind, first in (("map", MAP), ("pump", PUMP)):
        longest = first.replace(b"18231", b"9" * 15).replace(b"912", b"9" * 15)
        longest = longest.replace(b"02.000Z", b"02.000000Z").replace(b"02.500Z", b"02.500000Z")
        longest = longest.replace(b'"value":63', b'"value":63.000000').replace(b":112", b":111111.111111")
        doors = [decoder(max_bytes=max_bytes) for max_bytes in range(len(first), len(longest) + 80)]
        read = [answers(first, [first, longest], TOPIC[kind], door) for door in doors]
        assert read[0] == 0
        assert read[-1] == 2


def test_bounds_of_the_site_hold_for_each_site() -> None:
    """What one site takes for a pressure another refuses."""
    payloads = [written(MAP, "value", figure) for figure in ("20", "63", "200", "240")]
    first = written(MAP, "value", "70")
    for low_mmhg, high_mmhg, plausible in ((10, 250, 4), (30, 210, 2), (10, 220, 3), (30, 250, 3)):
        door = decoder(map_low_mmhg=low_mmhg, map_high_mmhg=high_mmhg)
        assert answers(first, payloads, TOPIC["map"], door) == plausible


def renumbered(rng: random.Random, payload: bytes) -> bytes:
    """The next message of the same device, or what might look like it."""
    text = payload.decode(errors="replace")
    for _ in range(rng.randrange(1, 4)):
        digits = [at for at, sign in enumerate(text) if sign.isdigit()]
        if digits:
            at = rng.choice(digits)
            text = text[:at] + rng.choice("0123456789.e -") + text[at + rng.randrange(2) :]
    return text.encode()


def test_thousands_of_mutated_messages_are_read_as_by_the_door() -> None:
    """Each that the door takes is the first once, and is followed by some that are much like it."""
    print(f"seed {SEED}")
    rng, read, before = random.Random(SEED), 0, {"map": [MAP], "pump": [PUMP]}
    for _ in range(MUTATED):
        topic, payload, retained = mutated(rng)
        if retained or topic not in (TOPIC["map"], TOPIC["pump"]):
            continue
        kind = kind_of(topic)
        later = [payload, *before[kind][-3:], *(renumbered(rng, payload) for _ in range(6))]
        read += answers(payload, later, topic)
        read += answers(rng.choice((MAP, PUMP)), later, topic)
        before[kind].append(payload)
    assert read >= LIKE_MIN


def test_no_bad_input_is_like_a_good_one() -> None:
    bad = bad_inputs(BED, RECEIVED_MS)
    for kind, first in (("map", MAP), ("pump", PUMP)):
        payloads = [each.payload for each in bad if each.reason not in ("future", "too_late")]
        assert answers(first, payloads, TOPIC[kind]) == 0
    for each in bad:
        if said(each.payload, each.topic) is not None:  # refused by its time alone
            answers(each.payload, [other.payload for other in bad], each.topic)
