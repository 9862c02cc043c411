"""A ward is many beds in one order of time, and its clock never runs ahead of its telemetry."""

from __future__ import annotations

import json
from itertools import islice, pairwise

import pytest
from simulated_telemetry import START_MS, payload_bytes

from simulators.messages import CLOCK_TOPIC, Message
from simulators.scenarios import SCENARIOS, WARD_ORDER
from simulators.ward import Ward, showcase, with_clock


def ward(beds: int, duration_s: int | None = 30, **settings: object) -> Ward:
    """Beds of the stable scenario."""
    return Ward((SCENARIOS["stable"],), beds, "icu-a", 1, START_MS, duration_s, **settings)  # type: ignore[arg-type]


def test_beds_are_merged_in_order_of_time_and_none_is_missing() -> None:
    messages = list(ward(5).play())
    assert [m.time_ms for m in messages] == sorted(m.time_ms for m in messages)
    beds = [m.topic.split("/")[3] for m in messages]
    assert {bed: beds.count(bed) for bed in beds} == {f"bed-{n}": 61 for n in range(1, 6)}


def test_one_bed_is_the_same_in_any_company() -> None:
    """What a bed sends depends on its own place and seed alone."""
    few = [m for m in ward(2).play() if "/bed-2/" in m.topic]
    many = [m for m in ward(9).play() if "/bed-2/" in m.topic]
    assert payload_bytes(few) == payload_bytes(many)


def test_devices_are_never_shared_between_beds() -> None:
    beds_of: dict[str, set[str]] = {}
    for message in showcase(14, "icu-a", 1, START_MS, 5).play():
        device = json.loads(message.payload).get("device")
        if device is not None:
            beds_of.setdefault(device, set()).add(message.topic.split("/")[3])
    assert len(beds_of) > 28
    assert all(len(beds) == 1 for beds in beds_of.values())


def test_each_bed_of_the_showcase_has_the_next_scenario() -> None:
    """After the last scenario the first comes again."""
    contexts: dict[str, Message] = {}
    for message in showcase(16, "icu-a", 1, START_MS, 1).play():
        if message.retain:
            contexts[message.topic.split("/")[3]] = message
    profiles = [json.loads(contexts[f"bed-{n}"].payload)["profile"] for n in range(1, 17)]
    weights = ["weight" in json.loads(contexts[f"bed-{n}"].payload) for n in range(1, 17)]
    assert [n for n, profile in enumerate(profiles, 1) if profile == "septic_shock"] == [2, 16]
    assert [n for n, known in enumerate(weights, 1) if not known] == [6]
    assert WARD_ORDER[5] is SCENARIOS["no_weight"]


def test_an_endless_bed_gets_a_new_patient_after_its_scenario() -> None:
    """A new session and new boots, and no second without telemetry between."""
    stay_s = SCENARIOS["pump_lost"].minutes * 60
    beds = Ward((SCENARIOS["pump_lost"],), 1, "icu-a", 1, START_MS, stay_s * 2 + 5, endless=True)
    contexts = [m for m in beds.play() if m.retain]
    assert [(m.time_ms - START_MS) / 1000 for m in contexts] == [0, stay_s, 2 * stay_s]
    assert len({json.loads(m.payload)["session"] for m in contexts}) == 3


def test_a_ward_without_a_duration_has_no_end() -> None:
    longest_s = max(scenario.minutes for scenario in WARD_ORDER) * 60
    endless = Ward((SCENARIOS["artefacts"],), 1, "icu-a", 1, START_MS, endless=True)
    last = list(islice(endless.play(), 2 * longest_s))[-1]
    assert last.time_ms > START_MS + SCENARIOS["artefacts"].minutes * 60_000


@pytest.mark.parametrize("duration_s", [1, 7, 600])
def test_a_duration_bounds_every_bed(duration_s: int) -> None:
    last = max(m.time_ms for m in ward(3, duration_s).play())
    assert START_MS + (duration_s - 1) * 1000 <= last < START_MS + duration_s * 1000


def test_the_clock_tells_each_second_after_that_seconds_telemetry() -> None:
    told = list(with_clock(ward(3).play(), START_MS))
    clocks = [json.loads(m.payload)["time"][17:] for m in told if m.topic == CLOCK_TOPIC]
    assert clocks[:3] == ["20.000Z", "21.000Z", "22.000Z"]
    assert len(clocks) == 31
    times = [m.time_ms for m in told]
    assert times == sorted(times)
    for before, message in pairwise(told):
        if before.topic == CLOCK_TOPIC:
            assert message.time_ms > before.time_ms


def test_the_clock_goes_on_through_silence() -> None:
    """Silence must be noticed, so time passes in it."""
    first, last = Message(START_MS, "t", b""), Message(START_MS + 60_500, "t", b"")
    told = list(with_clock(iter([first, last]), START_MS))
    assert [m.topic for m in told] == ["t"] + [CLOCK_TOPIC] * 61 + ["t", CLOCK_TOPIC]
