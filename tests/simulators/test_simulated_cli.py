"""The command says what it does not understand, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import app
from simulators.scenarios import SCENARIOS
from streamproc.wire import read_lines

BRIEFLY = ["--duration", "1", "--record", "-"]
RECORD = ["--start", "2026-11-23T08:00:00Z", "--record"]


def simulate(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of `simulate`."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("how", [["list"], ["--list"], []])
def test_every_scenario_is_listed_with_its_story(how: list[str]) -> None:
    code, said, _ = simulate(*how)
    assert code == 0
    for scenario in SCENARIOS.values():
        assert f"{scenario.name} ({scenario.minutes} min)" in said
        assert scenario.story.splitlines()[0] in said
    assert "ward (until stopped)" in said


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["coma"], "one of ward, stable, septic_shock"),
        (["stable", "--broker", "localhost", *BRIEFLY], "mqtt://host:port was expected"),
        (["stable", "--faults", "drop=2", *BRIEFLY], "a share from 0 to 1 was expected"),
        (["stable", "--start", "today", *BRIEFLY], "2026-11-23T08:00:00Z was expected"),
        (["stable", "--start", "2026-11-23T08:00:00", *BRIEFLY], "2026-11-23T08:00:00Z was expected"),
        (["stable", "--unit", "icu/a", *BRIEFLY], "letters, digits, _ or - were expected"),
        (["stable", "--speed", "0"], "0.01"),
        (["stable", "--beds", "0"], "1"),
        (["stable", "--beds", "many"], "integer"),
        (["stable", "--duration", "-5"], "1"),
        (["ward", "--record", "-"], "--record needs --duration"),
        (["stable", "--record", "/nowhere/at/all"], "cannot be written (No such file or directory)"),
        (["stable", "--velocity", "2"], "No such option"),
    ],
)
def test_a_wrong_argument_is_told_what_would_be_right(arguments: list[str], right: str) -> None:
    code, said, complaint = simulate(*arguments)
    assert code == 2
    assert right in complaint
    assert "Traceback" not in said + complaint


def test_a_recording_has_the_beds_and_seconds_that_were_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "beds.jsonl"
    code, _, said = simulate(
        "no_weight", "--beds", "3", "--duration", "10", "--unit", "icu-b", *RECORD, str(file)
    )
    received = list(read_lines(file.read_bytes().splitlines(keepends=True)))
    assert (code, said) == (0, "simulate: no_weight, seed 1\n")
    assert {r.topic.split("/")[2] for r in received} == {"icu-b"}
    assert {r.topic.split("/")[3] for r in received} == {"bed-1", "bed-2", "bed-3"}
    assert len(received) == 3 * (1 + 2 * 10)
    assert json.loads(received[0].payload)["time"].startswith("2026-11-23T08:00:00")


def test_the_default_seed_is_one_and_is_said(tmp_path: Path) -> None:
    for name, seed in (("a", []), ("b", ["--seed", "1"]), ("c", ["--seed", "2"])):
        _, _, said = simulate("stable", "--duration", "5", *seed, *RECORD, str(tmp_path / name))
        assert f"seed {2 if name == 'c' else 1}" in said
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_ward_of_eight_is_the_default(tmp_path: Path) -> None:
    simulate("ward", "--duration", "2", *RECORD, str(tmp_path / "ward"))
    received = read_lines((tmp_path / "ward").read_bytes().splitlines(keepends=True))
    assert len({r.topic.split("/")[3] for r in received}) == 8


def test_faults_reach_the_recording(tmp_path: Path) -> None:
    simulate("stable", "--duration", "60", "--faults", "drop=0.5", *RECORD, str(tmp_path / "half"))
    lines = (tmp_path / "half").read_bytes().splitlines()
    assert 30 < len(lines) < 90
