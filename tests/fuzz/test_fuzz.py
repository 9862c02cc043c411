"""Fifty thousand hostile messages in CI, a million by command: `./run bench fuzz`."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from pathlib import Path

import pytest

from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken
from streamproc.wire import decode

from .hostile import Hostile
from .law import FACTS, keeps_the_law
from .ordeal import START_MS, Ordeal

INPUTS, SEED = 50_000, 20_261_123
RULES_MIN, PLAIN_MIN, ALIKE_MIN = 25, 10_000, 50
PAST_FAILURES = Path(__file__).with_name("past_failures.jsonl").read_text().splitlines()


def test_fifty_thousand_hostile_messages_are_answered_and_harm_nothing() -> None:
    """An accepted fact within its bounds or an enumerated refusal, and nothing that the ward then raises;
    the messages reach every reason, every fact, every verdict and most rules, or they would prove nothing."""
    print(f"seed {SEED}")
    ordeal = Ordeal(SEED)
    ordeal.run(INPUTS)
    tally = ordeal.intake.tally
    assert ordeal.accounted == tally.received.total() == INPUTS
    assert set(Reason) - tally.rejected.keys() == set()
    assert set(Taken) - tally.taken.keys() == set()
    assert {fact.__name__ for fact in FACTS} - ordeal.door.answers.keys() == set()
    assert len(ordeal.alarmed) >= RULES_MIN, sorted(ordeal.alarmed)
    assert ordeal.door.alike_read >= ALIKE_MIN


def test_both_ways_through_the_door_say_the_same_of_fifty_thousand_hostile_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The short way accepts nothing that the strict way refuses, and reads nothing otherwise."""
    print(f"seed {SEED}")
    hostile, decoder, plain = Hostile(random.Random(SEED), START_MS), Ordeal(SEED).door.decoder, 0
    readers = dict(decode._PLAIN)
    for _ in range(INPUTS):
        topic, payload, retained = hostile.message()
        monkeypatch.setattr(decode, "_PLAIN", readers)
        said = decoder.decode(topic, payload, START_MS, retained)
        monkeypatch.setattr(decode, "_PLAIN", {})
        assert repr(said) == repr(decoder.decode(topic, payload, START_MS, retained)), payload
        address = decoder.topics.read(topic)
        plain += (
            address is not None and address.kind in readers and readers[address.kind](payload) is not None
        )
    assert plain >= PLAIN_MIN


def test_the_same_seed_is_the_same_ordeal() -> None:
    """What it found can be found again."""
    one, other = Ordeal(7), Ordeal(7)
    one.run(3_000)
    other.run(3_000)
    assert one.door.answers == other.door.answers
    assert one.intake.tally == other.intake.tally
    assert one.alarmed == other.alarmed


@pytest.mark.parametrize("line", PAST_FAILURES)
def test_what_failed_once_is_answered(line: str) -> None:
    """Each line is a message that was once answered wrongly, or that decoders are known to stumble over."""
    message = json.loads(line)
    door = Ordeal(0).door
    said = door.decode(message["topic"], b64decode(message["payload_base64"]), START_MS, message["retained"])
    assert keeps_the_law(said)
