"""Recorded telemetry in, alert events out: the same bytes each time, and the bytes that the service gave."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.config import Settings, load
from streamproc.shell.broker import free_port
from streamproc.shell.recordings import read_files
from streamproc.shell.replay import Replay
from streamproc.shell.service import Service
from streamproc.shell.tally import Tally
from streamproc.wire import Received, encode, read_lines, rfc3339
from streamproc.wire.announce import alert_event

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import write_recording
from .processor import POLL_S, ROOT, SOON_S, STREAMPROC, Processor
from .station import listening

START_MS = 1_795_417_200_000
QUICK = (
    "event_time.hold_back_s=2",
    "event_time.lateness_s=20",
    "rules.ESC-THRESHOLD.for_s=1",
    "rules.ESC-THRESHOLD.clear_for_s=1",
    "rules.MAP-LOW.window_s=5",
    "rules.MAP-LOW.long_window_s=10",
)

# --- live and replayed --------------------------------------------------------------------------


@st.composite
def received(draw: st.DrawFn) -> list[Received]:
    """Two beds' reports of a minute, each on its way for up to five seconds, many received together."""
    messages = []
    for bedside in (Bedside("icu-a/bed-1"), Bedside("icu-a/bed-2")):
        for second in range(0, 40, draw(st.integers(1, 3))):
            sent_ms = START_MS + 1000 * second + draw(st.integers(0, 300))
            dose, mmhg = draw(st.sampled_from([0.2, 0.3])), draw(st.sampled_from([60, 70]))
            for topic, payload in (bedside.pump(sent_ms, dose), bedside.map(sent_ms, mmhg)):
                way_ms = draw(st.integers(0, 50)) * 100
                messages.append(Received((sent_ms + way_ms) // 500 * 500 + 500, topic, payload))
    return sorted(draw(st.permutations(messages)), key=lambda message: message.received_ms)


def lived(
    chosen: Settings, messages: Sequence[Received], ticks_ms: Sequence[int], end_ms: int
) -> Iterator[bytes]:
    """What the service announces when each instant's messages come as one batch, with ticks in between."""
    service = Service(chosen)
    batches: dict[int, list[Received]] = {START_MS: [], end_ms: []}
    for at_ms in ticks_ms:
        batches.setdefault(at_ms, [])
    for message in messages:
        batches.setdefault(message.received_ms, []).append(message)
    for at_ms in sorted(batches):
        for change in service.apply(at_ms, batches[at_ms]):
            yield encode(alert_event(change, chosen.instance, chosen.ruleset()))


CHOSEN = load(None, QUICK)


@settings(max_examples=60, deadline=None)
@given(received(), st.lists(st.integers(0, 450).map(lambda tenth: START_MS + 100 * tenth), max_size=60))
def test_the_service_and_a_replay_judge_alike_whenever_the_service_ticked(
    messages: list[Received], ticks_ms: list[int]
) -> None:
    """Late is late by its receipt alone: a replay has no ticks of its own to measure it by."""
    end_ms = START_MS + 50_000
    replay = list(Replay(CHOSEN).alerts(messages, end_ms))
    assert list(lived(CHOSEN, messages, ticks_ms, end_ms)) == replay


# --- the command line ---------------------------------------------------------------------------

HOLD_BACK_S = 2.0
"""As it is configured; lines displaced by no more than this mean the same."""
RULES_AT_LEAST = 5


FAULTS = "drop=0.02,duplicate=0.02,reorder_ms=3000,late=0.01,late_ms=20000"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-two minutes of a simulated ward on a bad line, as its simulator recorded them."""
    file = tmp_path_factory.mktemp("recorded") / "ward.jsonl"
    told = ["--duration", "1320", "--start", "2026-11-23T08:00:00Z", "--faults", FAULTS]
    told += ["--record", str(file)]
    simulate = [sys.executable, "-m", "simulators", "ward", *told]
    subprocess.run(simulate, cwd=ROOT, check=True, capture_output=True)
    return file


@pytest.fixture(scope="module")
def alerts(recording: Path) -> bytes:
    """What a replay of it gives."""
    return replay(str(recording))


def replay(*arguments: str, stdin: bytes = b"") -> bytes:
    """The standard output of a replay that goes well."""
    done = run(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*STREAMPROC, "replay", *arguments], cwd=ROOT, input=stdin, capture_output=True)


def test_with_each_every_file_is_a_ward_of_its_own(recording: Path, tmp_path: Path) -> None:
    """Whatever the others are, in the order in which they are given; what is wrong with one ends it there."""
    lines = recording.read_bytes().splitlines(keepends=True)
    files = [tmp_path / name for name in ("late.jsonl", "early.jsonl")]
    for file, some in zip(files, (lines[len(lines) // 2 :], lines[: len(lines) // 2]), strict=True):
        file.write_bytes(b"".join(some))
    late, early = (replay(str(file)) for file in files)
    assert late
    assert early
    assert replay("--each", *map(str, files)) == late + early
    done = run("--each", str(files[0]), str(tmp_path / "nothing.jsonl"), str(files[1]))
    assert (done.returncode, done.stdout) == (2, late)
    assert b"nothing.jsonl: No such file" in done.stderr


def rules_in(lines: bytes) -> set[str]:
    return {json.loads(line)["data"]["rule"] for line in lines.splitlines()}


def test_a_simulated_ward_raises_alerts_of_many_rules(alerts: bytes) -> None:
    """A simulator's recording is recorded telemetry like any other, and most of the rules are in it."""
    assert len(rules_in(alerts)) >= RULES_AT_LEAST
    numbers = [json.loads(line)["data"]["feed_seq"] for line in alerts.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_same_file_gives_the_same_bytes(recording: Path, alerts: bytes) -> None:
    assert replay(str(recording)) == alerts


def test_lines_shuffled_within_the_hold_back_give_the_same_bytes(
    recording: Path, alerts: bytes, tmp_path: Path
) -> None:
    """As if every message had been written down up to the hold-back later than it came."""
    chance, lines = random.Random(7), recording.read_bytes().splitlines(keepends=True)
    displaced = {line: received_s(line) + chance.uniform(0, HOLD_BACK_S) for line in lines}
    shuffled = sorted(lines, key=displaced.__getitem__)
    assert shuffled != lines
    (tmp_path / "shuffled.jsonl").write_bytes(b"".join(shuffled))
    assert replay(str(tmp_path / "shuffled.jsonl")) == alerts


def written_otherwise(lines: list[bytes], how: str) -> list[bytes]:
    """The recording as it is, in another order, or with many messages at the same instant."""
    print("seed 11")
    chance = random.Random(11)
    if how == "shuffled":
        displaced = {line: received_s(line) + chance.uniform(0, HOLD_BACK_S) for line in lines}
        return sorted(lines, key=displaced.__getitem__)
    if how == "displaced too far":
        return sorted(lines, key=lambda line: received_s(line) + chance.choice([0] * 50 + [20, 90]))
    if how == "at the same instants":
        return [line[: len('{"received":"2026-11-23T08:15:02')] + b".0" + line[34:] for line in lines]
    return lines


def replayed_from(file: Path, *, compared: bool) -> tuple[list[bytes], Tally, dict[str, Any], int]:
    """Alerts, counts and the ward at the end; and how many lines were compared."""
    run, compared_lines = Replay(CHOSEN), 0

    def counted(messages: Iterator[Received]) -> Iterator[Received]:
        nonlocal compared_lines
        for message in messages:
            compared_lines += message.compared is not None
            yield message

    messages = counted(read_files([str(file)], run.intake.known if compared else None))
    told = list(run.alerts(messages))
    for name in run.intake.ward.beds:
        run.intake.ward.brought_up(name)
    return told, run.intake.tally, run.intake.ward.snapshot(), compared_lines


@pytest.mark.parametrize("how", ["as recorded", "shuffled", "displaced too far", "at the same instants"])
def test_lines_that_are_compared_come_to_what_lines_read_in_full_come_to(
    recording: Path, tmp_path: Path, how: str
) -> None:
    lines = written_otherwise(recording.read_bytes().splitlines(keepends=True), how)
    file = tmp_path / "otherwise.jsonl"
    file.write_bytes(b"".join(lines))
    *compared, compared_lines = replayed_from(file, compared=True)
    *in_full, none = replayed_from(file, compared=False)
    assert compared == in_full
    assert compared[0]
    assert none == 0
    assert compared_lines > len(lines) / 2


def test_a_compressed_file_and_standard_input_give_the_same_bytes(
    recording: Path, alerts: bytes, tmp_path: Path
) -> None:
    """Also where a file has grown by appending: several gzip members, several zstd frames."""
    lines = recording.read_bytes()
    half = lines.index(b"\n", len(lines) // 2) + 1
    (tmp_path / "ward.jsonl.gz").write_bytes(gzip.compress(lines[:half]) + gzip.compress(lines[half:]))
    frames = [zstandard.compress(part) for part in (lines[:half], lines[half:])]
    (tmp_path / "ward.jsonl.zst").write_bytes(b"".join(frames))
    assert replay(str(tmp_path / "ward.jsonl.gz")) == alerts
    assert replay(str(tmp_path / "ward.jsonl.zst")) == alerts
    assert replay("-", stdin=lines) == alerts


def test_several_files_are_one_recording(recording: Path, alerts: bytes, tmp_path: Path) -> None:
    lines = recording.read_bytes().splitlines(keepends=True)
    (tmp_path / "first").write_bytes(b"".join(lines[:10_000]))
    (tmp_path / "then").write_bytes(b"".join(lines[10_000:]))
    assert replay(str(tmp_path / "first"), str(tmp_path / "then")) == alerts


def test_until_ends_early_or_lets_time_go_on_without_messages(tmp_path: Path) -> None:
    """Up to a time: what was known by then. Beyond the last message: what silence alone brings."""
    bedside = Bedside("icu-a/bed-1")
    sent = [bedside.map(START_MS + 1000 * second, 50) for second in range(100)]
    messages = [Received(START_MS + 1000 * second + 50, *message) for second, message in enumerate(sent)]
    write_recording(tmp_path / "low.jsonl", messages)
    file = str(tmp_path / "low.jsonl")
    whole = replay(file)
    assert rules_in(whole) == {"MAP-CRIT"}
    assert replay(file, "--until", "2026-11-23T07:01:01.999Z") == b""
    assert replay(file, "--until", "2026-11-23T07:01:02Z") == whole
    longer = replay(file, "--until", "2026-11-23T07:10:00Z")
    assert longer.startswith(whole)
    assert "TECH-MAP-LOST" in rules_in(longer)


WRONG_LINES = {
    "not JSON": b"{",
    "not UTF-8": b"\xff",
    "no payload": b'{"received":"2026-11-23T08:00:00Z","topic":"bedside/v1/icu-a/bed-1/map"}',
    "a naive time": b'{"received":"2026-11-23T08:00:00","topic":"t","payload":{}}',
    "an unknown field": b'{"received":"2026-11-23T08:00:00Z","topic":"t","payload":{},"seen":1}',
}


@pytest.mark.parametrize("wrong", WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_bad_line_ends_it_with_file_and_line(recording: Path, tmp_path: Path, wrong: bytes) -> None:
    """Exit 2, naming that file and that line; another file is not blamed."""
    good = recording.read_bytes().splitlines(keepends=True)[:3]
    (tmp_path / "good.jsonl").write_bytes(b"".join(good))
    (tmp_path / "bad.jsonl").write_bytes(b"".join([*good, wrong + b"\n", *good]))
    done = run(str(tmp_path / "good.jsonl"), str(tmp_path / "bad.jsonl"), str(tmp_path / "good.jsonl"))
    assert done.returncode == 2
    (complaint,) = done.stderr.decode().splitlines()
    assert complaint.startswith(f"{tmp_path}/bad.jsonl: line 4: ")
    assert "good.jsonl" not in complaint


NO_RECORDINGS = {
    "absent.jsonl": None,
    "plain.gz": b"{}",
    "plain.zst": b"{}",
    "torn.gz": gzip.compress(b"\n" * 100_000)[:-1],
    "torn.zst": zstandard.compress(b"\n" * 100_000)[:-1],
}


@pytest.mark.parametrize(("name", "content"), NO_RECORDINGS.items(), ids=NO_RECORDINGS)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run(str(tmp_path / name))
    assert done.returncode == 2
    (complaint,) = done.stderr.decode().splitlines()
    assert complaint.startswith(f"{tmp_path}/{name}: ")


def test_who_has_read_enough_may_go(recording: Path) -> None:
    """`replay … | head -1`: no complaint, for nothing is wrong."""
    command = f"{sys.executable} -m streamproc replay {recording} | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == b""


def received_s(line: bytes) -> float:
    return datetime.fromisoformat(json.loads(line)["received"]).timestamp()


# --- recorded from a broker ---------------------------------------------------------------------


def lines_so_far(file: Path) -> int:
    """How many whole lines can be read of a file that is still being written."""
    content = file.read_bytes() if file.exists() else b""
    if file.suffix == ".gz":
        content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content)
    elif file.suffix == ".zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content.count(b"\n")


async def holds_lines(file: Path, count: int) -> None:
    """Wait until the file has so many lines."""
    await grown(file, lambda: lines_so_far(file) >= count, f"{count} lines")


async def grown(file: Path, holds: Callable[[], bool], claim: str) -> None:
    """Wait until the file holds what is claimed of it."""
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s, f"{lines_so_far(file)} lines, and not {claim}"
        await asyncio.sleep(POLL_S)  # a file tells nobody that it has grown


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
async def test_what_was_recorded_from_a_broker_replays(
    mosquitto: Any, new_processor: StartProcessor, tmp_path: Path, ending: str
) -> None:
    """Every message has its line, whatever it was, in the order in which it came."""
    file = tmp_path / f"recorded.{ending}"
    recorder = await new_processor(mosquitto.port, command=("record", str(file))).launch()
    await recorder.said("mqtt_subscribed")
    bedside, now_ms = Bedside("icu-a/bed-1"), time.time_ns() / 1e6
    sent = [bedside.map(now_ms + number, 50) for number in range(500)]
    sent += [(bedside.map_topic, b"\xff\xfe"), (bedside.map_topic, b"NaN"), bedside.pump(now_ms, 0.3)]
    sent += [("bedside/v1/icu-a/bed-1/patient", b""), ("alerts/v1/ack/station-1", b"{}")]
    async with listening(mosquitto.port) as devices:
        for message in sent:
            await devices.publish(*message)
    await holds_lines(file, len(sent))
    assert await recorder.stop() == 0
    assert (await recorder.said("recording_ended"))["lines"] == len(sent)
    assert [(one.topic, one.payload) for one in read_files([str(file)])] == sent
    later = rfc3339(round(now_ms) + 65_000)
    assert "MAP-CRIT" in rules_in(replay(str(file), "--until", later))


async def test_a_recorder_that_is_killed_has_written_down_what_it_took(
    mosquitto: Any, new_processor: StartProcessor, tmp_path: Path
) -> None:
    """A line is on disk before its message is acknowledged: its successor is given all the rest."""
    files, sent = [tmp_path / "before", tmp_path / "after"], list[tuple[str, bytes]]()
    bedside = Bedside("icu-a/bed-1")
    async with listening(mosquitto.port) as devices:
        for file in files:
            recorder = await new_processor(mosquitto.port, command=("record", str(file))).launch()
            await recorder.said("mqtt_subscribed")
            killed = asyncio.create_task(killed_at(recorder, file, 100))
            while not killed.done() or len(sent) % 100:
                sent.append(bedside.map(time.time_ns() / 1e6, 70))
                await devices.publish(*sent[-1])
    last = await new_processor(mosquitto.port, command=("record", str(tmp_path / "last"))).launch()
    await last.said("mqtt_subscribed")
    recorded = [message for file in files for message in whole_lines(file)]
    if sent[-1] not in recorded:
        rest = tmp_path / "last"  # what was not acknowledged comes again before the last that was sent
        await grown(rest, lambda: sent[-1] in whole_lines(rest), f"{sent[-1]}")
    assert await last.stop() == 0
    recorded += [(one.topic, one.payload) for one in read_files([str(tmp_path / "last")])]
    assert set(recorded) == set(sent)


async def killed_at(recorder: Processor, file: Path, lines: int) -> None:
    await holds_lines(file, lines)
    await recorder.kill()


def whole_lines(file: Path) -> list[tuple[str, bytes]]:
    """The messages of a file whose last line may be torn."""
    lines = file.read_bytes().splitlines(keepends=True)
    return [(one.topic, one.payload) for one in read_lines(line for line in lines if line.endswith(b"\n"))]


async def test_a_recording_is_never_written_over(new_processor: StartProcessor, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("telemetry\n")
    recorder = await new_processor(free_port(), command=("record", str(tmp_path / "kept"))).launch()
    assert await recorder.ended() == 1
    assert f"{tmp_path}/kept: " in recorder.told
    assert (tmp_path / "kept").read_text() == "telemetry\n"
