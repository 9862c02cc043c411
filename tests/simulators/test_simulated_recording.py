"""A recording is what would have been received, line by line, and the same bytes each time."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from simulated_telemetry import SEEDS, START_MS, played

from simulators.faults import Faults, disturb
from simulators.recording import recorded_lines, recording
from simulators.scenarios import SCENARIOS
from streamproc.wire import read_lines

SENT = list(SCENARIOS["septic_shock"].play("icu-a", "bed-1", SEEDS[0], START_MS, 120))


def test_a_recording_holds_every_message_with_a_small_latency() -> None:
    received = list(read_lines(recorded_lines(SENT, seed=1)))
    assert sorted((r.topic, r.payload) for r in received) == sorted((m.topic, m.payload) for m in SENT)
    sent_ms = {m.payload: m.time_ms for m in SENT}
    latencies = [r.received_ms - sent_ms[r.payload] for r in received]
    assert min(latencies) >= 20
    assert max(latencies) <= 200
    assert len(set(latencies)) > 50


def test_lines_are_in_order_of_receipt() -> None:
    received = [r.received_ms for r in read_lines(recorded_lines(SENT, seed=1))]
    assert received == sorted(received)


def test_the_seed_decides_the_latencies() -> None:
    assert list(recorded_lines(SENT, 1)) == list(recorded_lines(SENT, 1))
    assert list(recorded_lines(SENT, 1)) != list(recorded_lines(SENT, 2))


def test_a_spoiled_payload_is_recorded_byte_for_byte() -> None:
    spoiled = list(disturb(iter(SENT), Faults(malformed=0.5), seed=1))
    received = read_lines(recorded_lines(spoiled, seed=1))
    assert sorted(r.payload for r in received) == sorted(m.payload for m in spoiled)


@pytest.mark.parametrize("name", ["telemetry.jsonl", "telemetry.jsonl.gz", "telemetry.jsonl.zst"])
def test_a_file_is_compressed_as_its_name_ends_and_the_same_each_time(tmp_path: Path, name: str) -> None:
    unpack = {".gz": gzip.decompress, ".zst": zstandard.ZstdDecompressor().stream_reader}
    lines = list(recorded_lines(SENT, seed=1))
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        with recording(str(folder / name)) as file:
            for line in lines:
                file.write(line)
        written.append((folder / name).read_bytes())
    assert written[0] == written[1]
    assert not name.endswith(".gz") or written[0][4:8] == bytes(4)  # gzip's own time stamp
    packed = Path(name).suffix in unpack
    plain = unpack[Path(name).suffix](written[0]) if packed else written[0]
    assert (plain if isinstance(plain, bytes) else plain.read()) == b"".join(lines)
    assert (len(written[0]) < len(b"".join(lines)) / 4) == packed


def test_every_scenario_can_be_recorded() -> None:
    lines = list(recorded_lines(played("artefacts").messages, seed=1))
    assert len(lines) == len(played("artefacts").messages)
