"""Laws of the door that hold for every message, not only for those that somebody thought of."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import astuple, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isfinite

import pytest
from contract_examples import BED, EXAMPLES, MAP, RECEIVED_MS, TOPIC, changed, decoder, without, written
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_mutations import mutated

from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    MapSample,
    MapSource,
    Observation,
    PatientContext,
    PumpStatus,
)
from streamproc.wire import Reason, Rejected, digest
from streamproc.wire.instant import instant_ms, rfc3339
from streamproc.wire.models import MapMessage, Metric
from streamproc.wire.rejected import Refused
from streamproc.wire.strict_json import compact, load

DECODER = decoder()
FACTS = (MapSample, PumpStatus, PatientContext, BedFreed, Observation, Acknowledged)
SEED = 20_261_123
SEEDED_MESSAGES = 6_000

laws = settings(max_examples=400, deadline=None, print_blob=True)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def figures(value: object) -> list[float]:
    """Every number in a fact, however deep."""
    if isinstance(value, tuple | list):
        return [figure for each in value for figure in figures(each)]
    return [value] if isinstance(value, int | float) else []


def assert_answered(topic: str, payload: bytes, retained: bool = False) -> object:
    """The law of the door: a fact with finite figures, or a refusal from the closed set in clean words."""
    said = DECODER.decode(topic, payload, RECEIVED_MS, retained)
    if isinstance(said, Rejected):
        assert said.reason in Reason
        assert said.detail.isascii()
        assert said.detail.isprintable()
        assert len(said.detail) < 512
        assert "right would be" in said.detail
        assert said.artefact is None or not said.artefact.valid
        return said
    assert isinstance(said, FACTS)
    assert all(isfinite(figure) for figure in figures(astuple(said)))
    return said


@given(kind=st.sampled_from(sorted(TOPIC)), payload=st.binary(max_size=200), retained=st.booleans())
@laws
def test_any_bytes_are_answered(kind: str, payload: bytes, retained: bool) -> None:
    assert_answered(TOPIC[kind], payload, retained)


@given(kind=st.sampled_from(sorted(TOPIC)), value=json_values)
@laws
def test_any_json_is_answered(kind: str, value: object) -> None:
    """Python's own writer also writes NaN, Infinity and lone surrogates."""
    assert_answered(TOPIC[kind], json.dumps(value).encode())


@given(topic=st.text(max_size=60) | st.from_regex(r"bedside/v1/[^/]{1,9}/[^/]{1,9}/(map|pump/[^/]{1,9})"))
@laws
def test_any_topic_is_answered_and_only_plain_names_become_beds(topic: str) -> None:
    said = DECODER.decode(topic, MAP, RECEIVED_MS)
    if isinstance(said, Rejected):
        return
    assert isinstance(said, MapSample)
    unit, bed = said.bed.split("/")
    for name in (unit, bed):
        assert name.isascii()
        assert name.replace("-", "").replace("_", "").isalnum() or set(name) <= {"-", "_"}
        assert 1 <= len(name) <= 32


@given(rng=st.randoms(use_true_random=False))
@laws
def test_any_mutated_message_is_answered(rng: random.Random) -> None:
    assert_answered(*mutated(rng))


@given(
    kind_and_example=st.sampled_from(EXAMPLES),
    at=st.integers(min_value=0),
    inside=st.booleans(),
    value=json_values,
)
@laws
def test_any_value_in_any_field_is_answered(
    kind_and_example: tuple[str, bytes], at: int, inside: bool, value: object
) -> None:
    kind, example = kind_and_example
    fields = json.loads(example)
    name = sorted(fields)[at % len(fields)]
    if inside and isinstance(fields[name], dict):
        fields[name] |= {"value": value}
    else:
        fields[name] = value
    assert_answered(TOPIC[kind], json.dumps(fields).encode())


def test_the_mutations_reach_every_reason_of_the_door_and_every_fact() -> None:
    """A generator that could not would prove nothing."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    answers = [assert_answered(*mutated(rng)) for _ in range(SEEDED_MESSAGES)]
    reasons = Counter(said.reason for said in answers if isinstance(said, Rejected))
    facts = {type(said) for said in answers if not isinstance(said, Rejected)}
    behind = {
        Reason.FUTURE,
        Reason.TOO_LATE,
        Reason.CONFLICT,
        Reason.BEDS_FULL,
        Reason.BED_FLOODED,
        Reason.UNKNOWN_ALERT,
        Reason.ACK_OUTDATED,
    }
    missed = set(Reason) - behind - reasons.keys() - {Reason.NOT_AN_OBJECT, Reason.UNKNOWN_DRUG}
    assert not missed, f"seed {SEED} never led to {missed}"
    assert facts == set(FACTS) - {BedFreed}


def test_the_door_keeps_nothing_between_messages() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    messages = [mutated(rng) for _ in range(500)]
    first = [DECODER.decode(topic, payload, RECEIVED_MS, retained) for topic, payload, retained in messages]
    order = list(range(len(messages)))
    rng.shuffle(order)
    for index in order:
        topic, payload, retained = messages[index]
        assert DECODER.decode(topic, payload, RECEIVED_MS, retained) == first[index]


@given(
    value=st.decimals("10", "250", places=6),
    seq=st.integers(0, 2**53),
    time_ms=st.integers(0, 4_000_000_000_000),
    metric=st.sampled_from(Metric),
)
@laws
def test_every_plausible_sample_is_accepted_as_it_was_charted(
    value: Decimal, seq: int, time_ms: int, metric: Metric
) -> None:
    """Compared with the rounding of decimal arithmetic, which shares nothing with ours."""
    payload = changed(written(MAP, "value", str(value)), seq=seq, time=rfc3339(time_ms), metric=metric.value)
    said = DECODER.decode(TOPIC["map"], payload, RECEIVED_MS)
    exact = Decimal(repr(float(value))) * 1000
    arterial = metric in (Metric.ARTERIAL, Metric.ARTERIAL_ABP)
    source = MapSource.ARTERIAL if arterial else MapSource.CUFF
    rounded = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    assert said == MapSample(time_ms, BED, "MON-0417", "b7f2", seq, source, rounded)


@given(kpa=st.decimals("1.34", "33.33", places=5))
@laws
def test_kpa_agrees_with_fifty_digits_of_decimal_arithmetic(kpa: Decimal) -> None:
    payload = written(changed(MAP, unit="kPa"), "value", str(kpa))
    said = DECODER.decode(TOPIC["map"], payload, RECEIVED_MS)
    fifty = Context(prec=50, rounding=ROUND_HALF_EVEN)
    milli = fifty.divide(
        fifty.multiply(Decimal(repr(float(kpa))), Decimal(1_000_000)), Decimal("133.322387415")
    )
    assert isinstance(said, MapSample)
    assert said.milli_mmhg == int(milli.quantize(Decimal(1), ROUND_HALF_EVEN))


@given(rng=st.randoms(use_true_random=False), indent=st.none() | st.integers(0, 3), escaped=st.booleans())
@laws
def test_blanks_order_and_escapes_change_nothing(
    rng: random.Random, indent: int | None, escaped: bool
) -> None:
    kind, example = rng.choice(EXAMPLES)
    items = list(json.loads(example).items())
    rng.shuffle(items)
    turned = json.dumps(dict(items), indent=indent)
    if escaped:
        turned = turned.replace('"time"', r'"\u0074ime"')
    assert DECODER.decode(TOPIC[kind], turned.encode(), 0) == DECODER.decode(TOPIC[kind], example, 0)


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=[kind for kind, _ in EXAMPLES])
def test_each_field_is_either_needed_or_may_be_absent(kind: str, example: bytes) -> None:
    """Leaving one field out never leads to another fault than its being missing."""
    for name in json.loads(example):
        said = DECODER.decode(TOPIC[kind], without(example, name), RECEIVED_MS)
        assert not isinstance(said, Rejected) or said.reason is Reason.MISSING_FIELD


@given(kind_and_example=st.sampled_from(EXAMPLES), at=st.integers(min_value=0), value=json_values)
@laws
def test_a_key_that_comes_twice_is_never_taken(
    kind_and_example: tuple[str, bytes], at: int, value: object
) -> None:
    """Whatever the second value is: readers differ in which of two they take."""
    kind, example = kind_and_example
    names = list(json.loads(example))
    again = json.dumps({names[at % len(names)]: value})[1:-1].encode()
    said = DECODER.decode(TOPIC[kind], example[:-1] + b"," + again + b"}", RECEIVED_MS)
    assert isinstance(said, Rejected)
    assert said.reason is Reason.DUPLICATE_KEY


@given(kind_and_example=st.sampled_from(EXAMPLES), cut=st.integers(1, 40), rest=st.binary(max_size=4))
@laws
def test_a_key_that_comes_twice_hides_no_broken_syntax(
    kind_and_example: tuple[str, bytes], cut: int, rest: bytes
) -> None:
    """The parser stops at the object with the key twice, and what follows may be anything."""
    kind, example = kind_and_example
    payload = b'{"weight":{"unit":"kg","unit":"lb"},' + example[1:-cut] + rest
    assert isinstance(assert_answered(TOPIC[kind], payload), Rejected)


strict_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=strict_values)
@laws
def test_strict_json_reads_what_it_writes(value: object) -> None:
    assert load(compact(value)) == value


@given(
    depth=st.integers(1, 60),
    opening=st.sampled_from([b"[", b'{"a":']),
    beside=st.sampled_from([b"", b"[]," * 40, b'{"a":{}},' * 40, b'"[[[[{{{{",' * 40, rb'"\"[{",' * 40]),
)
@laws
def test_the_depth_limit_is_exact(depth: int, opening: bytes, beside: bytes) -> None:
    """What counts is how deep, not how many: neighbours and brackets in texts are no depth."""
    closing = b"]" if opening == b"[" else b"}"
    payload = b"[" + beside + opening * depth + b"1" + closing * depth + b"]"
    if depth + 1 <= 32:
        assert load(payload) is not None
    else:
        with pytest.raises(Refused) as refused:
            load(payload)
        assert refused.value.reason is Reason.TOO_DEEP


def test_what_lies_beyond_the_permitted_size_is_not_looked_at() -> None:
    """A huge message costs no more than a large one."""
    with pytest.raises(Refused) as refused:
        load(b" " * 16_384 + b"[" * 100)
    assert refused.value.reason is Reason.TOO_LARGE


@given(opening=st.sampled_from([b"[", b"{", b'{"a":', b"[[{"]), times=st.integers(1_000, 200_000))
@settings(max_examples=20, deadline=None, print_blob=True)
def test_no_nesting_reaches_the_stack(opening: bytes, times: int) -> None:
    said = DECODER.decode(TOPIC["map"], opening * times, RECEIVED_MS)
    assert isinstance(said, Rejected)
    assert said.reason is Reason.TOO_DEEP


@given(time_ms=st.integers(0, 253_402_300_799_999))
@laws
def test_a_time_comes_back_from_its_text(time_ms: int) -> None:
    text = rfc3339(time_ms)
    assert len(text) == len("2026-11-23T08:15:02.000Z")
    assert instant_ms(text) == time_ms


@given(one=st.binary(max_size=64), other=st.binary(max_size=64))
@laws
def test_a_digest_tells_payloads_apart(one: bytes, other: bytes) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert 0 <= digest(one) < 2**63


@given(st.binary(min_size=4, max_size=300), st.integers(0), st.integers(1, 2**32 - 1))
@laws
def test_a_payload_that_differs_in_one_place_has_another_digest(payload: bytes, at: int, bits: int) -> None:
    """In no more than 32 bits in a row: a digit or four that came wrong are always told."""
    at %= len(payload) - 3
    wrong = int.from_bytes(payload[at : at + 4], "big") ^ bits
    other = payload[:at] + wrong.to_bytes(4, "big") + payload[at + 4 :]
    assert digest(payload) != digest(other)


def test_a_digest_is_the_same_on_every_machine() -> None:
    """It is kept in snapshots: another algorithm would take every repeat for a contradiction."""
    assert digest(b'{"value": 65}') == 5917204367688532495
    assert digest(MAP) == digest(bytes(bytearray(MAP)))


def test_a_model_says_what_the_decoder_hears() -> None:
    """What a simulator builds from the models is accepted with every field as it was set."""
    message = MapMessage.model_validate_json(MAP)
    heard = DECODER.decode(TOPIC["map"], message.model_dump_json().encode(), RECEIVED_MS)
    assert isinstance(heard, MapSample)
    assert heard == replace(heard, device=message.device, boot=message.boot, seq=message.seq)
    assert heard.milli_mmhg == message.value * 1000
