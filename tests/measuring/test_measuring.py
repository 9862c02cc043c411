"""What measures is right: the programs alarm alike, nothing is lost on the way, sizes count what is there.

No clock is judged here. The figures are in `docs/performance.md`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.bedday import bedday
from bench.burst import burst
from bench.contest import Digest, digest, due, turn
from bench.flood import flood
from bench.latency import latency
from bench.limit import PARTS
from bench.memory import START_MS, after_half_an_hour, each_day
from bench.rivals import aiomqtt_naive, aiomqtt_pydantic
from bench.rivals.feed import Task
from bench.scaling import measure
from bench.stage.footprint import bytes_of
from bench.stage.history import lived
from bench.stage.programs import HOLD_S, ours
from bench.stage.station import Heard, heard_in
from bench.stage.telemetry import Ward, run
from streamproc.config import load
from streamproc.core.alert import Phase
from streamproc.shell.journal import Recorded
from tests.conftest import require_program

ROOT = Path(__file__).resolve().parents[2]
WARD = Ward(beds=20, seconds=14)
SETTLE_S = 9
TASK = Task(port=0, ward=WARD, until_ms=START_MS, hold_ms=1000 * HOLD_S)


def sent() -> Iterator[tuple[str, bytes]]:
    for each in run(WARD, SETTLE_S):
        yield each.topic, each.payload(START_MS)


def in_process() -> Digest:
    """What our core alarms in the contest's ward."""
    intake = lived(load(None, [f"rules.ESC-THRESHOLD.for_s={HOLD_S}"]), WARD, START_MS)
    changes = []
    for each in run(WARD, SETTLE_S):
        now_ms = START_MS + each.due_ms
        changes += intake.ward.tick(now_ms)
        intake.take(now_ms, [Recorded(each.topic, each.payload(START_MS), False)])
    changes += intake.ward.tick(START_MS + 1000 * (WARD.seconds + 5))
    began = [change for change in changes if change.phase in (Phase.START, Phase.ESCALATE)]
    heard = [Heard(one.rule.id, one.bed, one.priority.value, one.time_ms, 0.0) for one in began]
    return digest(heard, WARD, START_MS)


def of_rival(told: Iterator[bytes | None]) -> Digest:
    heard = (heard_in(one, 0.0) for one in told if one is not None)
    return digest([one for one in heard if one is not None], WARD, START_MS)


def test_the_rivals_alarm_as_we_do() -> None:
    """Both rules on both beds, at the same message; else their costs could not be compared."""
    program = aiomqtt_pydantic.Program(TASK)
    aiomqtt_naive.remember(TASK)
    ours_told = in_process()
    assert len(ours_told) == due(WARD) == 2
    assert of_rival(program.take(*message) for message in sent()) == ours_told
    assert program.rejected == 0
    assert of_rival(aiomqtt_naive.take(*message, TASK.hold_ms) for message in sent()) == ours_told


@pytest.mark.load
def test_a_turn_over_mosquitto_alarms_as_the_core_does() -> None:
    require_program("mosquitto", "mosquitto")
    assert turn(ours, WARD).digest == in_process()


@pytest.mark.load
def test_a_flood_is_taken_in_whole() -> None:
    """Nothing refused, nothing twice, nothing missing: `flood` asserts it."""
    assert flood(beds=20, seconds=0.5, qos=1).taken > 0


@pytest.mark.load
def test_every_alert_of_a_rate_is_heard() -> None:
    require_program("mosquitto", "mosquitto")
    measured = latency(replace(WARD, rising_one_in=4))
    assert measured.heard == measured.due == 5


@pytest.mark.load
def test_what_a_burst_loses_is_counted() -> None:
    """Sent = received + dropped by the broker, the gaps in the numbers are just those; then all is well."""
    require_program("mosquitto", "mosquitto")
    storm = burst(beds=20, seconds=3, per_second=100, queue=100)
    assert storm.dropped_by_broker == storm.missing_by_sequence == storm.sent - storm.received
    assert storm.unaccounted == 0
    assert (storm.ready_after, storm.calm_heard) == (True, storm.calm_due)
    assert (storm.gap_alerts > 0) == (storm.dropped_by_broker > 0)


def test_bytes_are_counted_once_and_without_what_is_shared() -> None:
    shared, own = [bytes(1000)], bytes(500)
    twice = bytes_of([[shared, own, own]])
    assert twice > bytes_of([[own]]) + 1000
    assert bytes_of([[shared, own, own]], [shared]) < 1000


def test_memory_grows_with_the_window_and_not_with_days() -> None:
    assert after_half_an_hour(beds=1, seconds=60) > after_half_an_hour(beds=1, seconds=10)
    assert len(each_day(days=2, every_s=600)) == 2


def test_each_size_gets_its_figure() -> None:
    by_length, by_beds = measure([300, 600], [5, 50], rounds=1, messages=200, ward_s=1)
    assert (set(by_length), set(by_beds)) == ({300, 600}, {5, 50})
    assert all(cost.median > 0 for cost in (*by_length.values(), *by_beds.values()))


def test_a_recorded_day_is_replayed_whole() -> None:
    assert bedday(seconds=60).messages == 120


def test_a_wrong_part_is_named() -> None:
    command = [sys.executable, "-m", "bench.limit", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert ", ".join(PARTS) in done.stderr
