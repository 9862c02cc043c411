"""Faults stay within their bounds: how many, how late, and never another bed's."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from simulated_telemetry import START_MS, payload_bytes, played

from simulators.faults import SPOILERS, Faults, disturb, parse_faults
from simulators.messages import Message
from streamproc.wire import Decoder, Rejected, Topics
from streamproc.wire.instant import instant_ms

SENT = played("stable").messages[:2000]
DECODER = Decoder(Topics(), {"norepinephrine": "norepinephrine"})


def disturbed(seed: int = 1, **faults: float) -> list[Message]:
    """What arrives of what was sent."""
    return list(disturb(iter(SENT), Faults(**faults), seed))  # type: ignore[arg-type]


def test_without_faults_everything_arrives_as_it_was_sent() -> None:
    assert disturbed() == SENT


@pytest.mark.parametrize(
    "faults",
    [
        {"drop": 0.2},
        {"duplicate": 0.2},
        {"reorder_ms": 900},
        {"late": 0.1, "late_ms": 5000},
        {"skewed": 0.5},
        {"malformed": 0.2},
    ],
)
def test_the_same_seed_disturbs_in_the_same_way_and_another_in_another(faults: dict[str, float]) -> None:
    seeds = [payload_bytes(disturbed(seed, **faults)) for seed in range(1, 6)]
    assert payload_bytes(disturbed(1, **faults)) == seeds[0]
    assert len(set(seeds)) > 1
    assert payload_bytes(SENT) not in seeds[:1] or "skewed" in faults


@pytest.mark.parametrize(("fault", "expected"), [("drop", 0.8), ("duplicate", 1.2)])
def test_a_share_is_about_the_share_that_was_asked_for(fault: str, expected: float) -> None:
    assert len(disturbed(**{fault: 0.2})) / len(SENT) == pytest.approx(expected, abs=0.04)


def test_a_duplicate_is_the_same_bytes_twice() -> None:
    counts = Counter(m.payload for m in disturbed(duplicate=0.2, reorder_ms=500))
    assert set(counts) == {m.payload for m in SENT}
    assert set(counts.values()) == {1, 2}


@pytest.mark.parametrize(
    ("faults", "bound_ms"),
    [({"reorder_ms": 900}, 900), ({"late": 0.3, "late_ms": 5000, "reorder_ms": 100}, 5100)],
)
def test_nothing_is_later_than_its_bound_nor_early_nor_lost(faults: dict[str, float], bound_ms: int) -> None:
    """Arrivals come in order, and each within the bound of its own time."""
    arrived = disturbed(**faults)
    assert [m.time_ms for m in arrived] == sorted(m.time_ms for m in arrived)
    delays = [m.time_ms - instant_ms(json.loads(m.payload)["time"]) for m in arrived]
    assert min(delays) >= 0
    assert bound_ms * 0.9 < max(delays) <= bound_ms == Faults(**faults).longest_delay_ms  # type: ignore[arg-type]
    assert sorted(m.payload for m in arrived) == sorted(m.payload for m in SENT)


def test_reordering_does_reorder() -> None:
    arrived = disturbed(reorder_ms=900)
    assert [m.payload for m in arrived] != [m.payload for m in SENT]


@pytest.mark.parametrize("skew_ms", [120_000, -90_000])
def test_a_skewed_device_is_wrong_by_the_same_all_the_time(skew_ms: int) -> None:
    wrong: dict[str, set[int]] = {}
    for message in disturbed(skewed=1.0, skew_ms=skew_ms):
        payload = json.loads(message.payload)
        off_ms = instant_ms(payload["time"]) - message.time_ms
        wrong.setdefault(payload.get("device", "context"), set()).add(off_ms)
    assert wrong == {
        "context": {0},
        "MON-icu-a-bed-1": {skew_ms},
        "PMP-icu-a-bed-1-1": {skew_ms},
    }


def test_each_device_has_its_own_luck_with_its_clock() -> None:
    """Over some seeds both, one, and none of two devices are wrong."""
    wrong: list[int] = []
    for seed in range(24):
        messages = [json.loads(m.payload) for m in disturb(iter(SENT[:10]), Faults(skewed=0.5), seed)]
        skewed = {m["device"] for m in messages if "device" in m and m["time"] > "2026-09-21T14:15"}
        wrong.append(len(skewed))
    assert set(wrong) == {0, 1, 2}


def test_contexts_come_through_whatever_happens() -> None:
    survivors = disturbed(drop=1.0, malformed=1.0)
    assert survivors == [m for m in SENT if m.retain]


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("message", SENT[1:3])
def test_whatever_is_spoiled_is_refused_at_the_door(spoil: object, message: Message) -> None:
    payload = spoil(message.payload)  # type: ignore[operator]
    assert isinstance(DECODER.decode(message.topic, payload, START_MS), Rejected)


def test_faults_are_written_as_a_list_of_figures() -> None:
    spec = "drop=0.01, late=0.5,late_ms=2000,skew_ms=-500"
    assert parse_faults(spec) == Faults(drop=0.01, late=0.5, late_ms=2000, skew_ms=-500)
    assert parse_faults("") == Faults()


@pytest.mark.parametrize(
    ("spec", "right"),
    [
        ("dorp=0.1", "one of drop, duplicate, reorder_ms"),
        ("drop", "a share from 0 to 1"),
        ("drop=1.1", "a share from 0 to 1"),
        ("drop=nan", "a share from 0 to 1"),
        ("late=-0.1", "a share from 0 to 1"),
        ("reorder_ms=0.5", "whole milliseconds from 0 to 3600000"),
        ("reorder_ms=-1", "whole milliseconds from 0 to 3600000"),
        ("skew_ms=9999999", "whole milliseconds from -3600000 to 3600000"),
    ],
)
def test_a_wrong_fault_is_told_what_would_be_right(spec: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        parse_faults(spec)
