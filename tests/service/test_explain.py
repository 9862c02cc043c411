"""`streamproc explain`: offline, from recordings or a journal, each clause as it stood at that instant."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from streamproc.config import load
from streamproc.core.alert import Phase
from streamproc.shell.cli import app
from streamproc.shell.explain import Past
from streamproc.shell.journal import JournalFailed, JournalView, Recorded, SqliteJournal, read_only
from streamproc.shell.recordings import read_files
from streamproc.shell.replay import Replay
from streamproc.shell.service import Service
from streamproc.shell.snapshot import snapshot_of
from streamproc.wire import Received, own, rfc3339, write_line
from streamproc.wire.announce import bed_state

from .bedside import Bedside

START_MS = 1_795_417_200_000
BED = "icu-a/bed-7"
STEP_MS = 5_000
MINUTE_MS = 60_000


def telemetry(minutes: int = 12) -> list[Received]:
    """A bed at MAP 60 and 0.3 mcg/kg/min, every 5 s, received at once."""
    bedside = Bedside(BED)
    return [
        Received(at_ms, topic, payload)
        for at_ms in range(START_MS, START_MS + minutes * MINUTE_MS, STEP_MS)
        for topic, payload in (bedside.pump(at_ms, 0.3), bedside.map(at_ms, 60))
    ]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "bed.jsonl"
    path.write_bytes(b"".join(map(write_line, telemetry())))
    return path


@pytest.fixture(autouse=True)
def log_set_up_for_this_test_only() -> Iterator[None]:
    """The command sets up logging to a terminal that is gone after it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def explained(*words: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def batches(messages: Sequence[Received]) -> Iterator[tuple[int, list[Received]]]:
    for at_ms in dict.fromkeys(message.received_ms for message in messages):
        yield at_ms, [message for message in messages if message.received_ms == at_ms]


async def journaled(folder: Path, *, snapshot_at: int | None = None) -> SqliteJournal:
    """A journal of the same telemetry, still open and locked as a running service has it."""
    service, journal = Service(load()), SqliteJournal(folder / "journal.db")
    for number, (at_ms, messages) in enumerate(batches(telemetry()), start=1):
        await journal.append(at_ms, messages)
        service.apply(at_ms, messages)
        if number == snapshot_at:
            await journal.save_snapshot(number, snapshot_of(service.intake, {}))
    return journal


def test_every_clause_is_told_with_value_limit_and_unit(recording: Path) -> None:
    """Met, not met and unknown are three answers here, too."""
    told = explained("--bed", BED, "--rule", "MAP-LOW", "--at", rfc3339(START_MS + 6 * MINUTE_MS), recording)
    assert told.exit_code == 0, told.output
    assert f"MAP-LOW on {BED} at {rfc3339(START_MS + 6 * MINUTE_MS)}: active at medium since" in told.stdout
    assert "  met      TWA(5 min) below: 60 against 65 mm[Hg]\n" in told.stdout
    assert "  unknown  TWA(15 min) below (needed: met): only 40% of 900 s is covered\n" in told.stdout
    assert '"count":60' in told.stdout or '"count":61' in told.stdout


def test_an_instant_before_the_wait_is_over_says_why_not(recording: Path) -> None:
    told = explained("--bed", BED, "--rule", "MAP-LOW", "--at", rfc3339(START_MS + MINUTE_MS), recording)
    assert "no alert; unknown" in told.stdout


def test_an_alert_is_told_with_its_start_its_course_and_its_evidence(recording: Path) -> None:
    changes = list(Replay(load()).changes(telemetry()))
    start = next(change for change in changes if change.rule.id == "ESC-THRESHOLD")
    told = explained(start.alert_id, recording)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"{start.alert_id}: ESC-THRESHOLD on {BED}\n")
    assert f"{rfc3339(start.time_ms)} start medium active: {start.wording.text}" in told.stdout
    assert f"onset {rfc3339(start.onset_ms)}, detected {rfc3339(start.detected_ms)}" in told.stdout
    assert "dose at least: 0.3 against 0.25 ug/kg/min" in told.stdout
    assert '"dose_ug_per_kg_min":0.3' in told.stdout


def test_an_alert_that_escalated_is_explained_as_of_that_too(tmp_path: Path) -> None:
    sent, path = telemetry(20), tmp_path / "escalates.jsonl"
    path.write_bytes(b"".join(map(write_line, sent)))
    course = [change for change in Replay(load()).changes(sent) if change.rule.id == "MAP-LOW"]
    assert [change.phase for change in course] == [Phase.START, Phase.ESCALATE]
    told = explained(course[0].alert_id, path).stdout
    each = [part.splitlines()[0] for part in told.split("\n\n") if part.startswith(f"MAP-LOW on {BED} at")]
    ends = [f"active at {change.priority} since" for change in course]
    assert [line.partition(": ")[2].partition(" 20")[0] for line in each] == ends
    assert [rfc3339(change.time_ms) in line for change, line in zip(course, each, strict=True)] == [True] * 2


def test_the_reasons_against_weaning_are_those_of_the_bed_state(recording: Path) -> None:
    """One list, wherever it is read."""
    weaning = bed_state(Past(load(), [str(recording)]).bed_at(BED, None)).weaning
    assert weaning is not None
    assert weaning.reasons
    told = explained("--bed", BED, "--rule", "WEAN-READY", recording).stdout
    listed = told[told.index("reasons against\n") : told.index("evidence")].splitlines()[1:]
    assert [line.strip() for line in listed] == weaning.reasons


def test_explaining_a_rule_changes_nothing_about_it(recording: Path) -> None:
    words = ("--bed", BED, "--rule", "MAP-LOW", recording)
    assert explained(*words).stdout == explained(*words).stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--bed", "icu-a/bed-9", "--rule", "MAP-LOW"], f"heard of were {BED}"),
        (["--bed", BED, "--rule", "MAP-HIGH"], "known are"),
        (["--bed", BED, "--rule", "MAP-LOW", "--set", "rules.MAP-LOW.enabled=false"], "off at this site"),
        (["--bed", BED, "--rule", "MAP-LOW", "--at", "noon"], "--at"),
        (["--bed", BED], "say which"),
        (["al-0123456789"], "did not start in this telemetry"),
    ],
)
def test_what_is_not_known_ends_with_2_and_says_what_is(
    recording: Path, words: list[str], complaint: str
) -> None:
    told = explained(*words, recording)
    assert told.exit_code == 2
    assert complaint in told.output


def test_it_says_that_it_needs_telemetry() -> None:
    told = explained("--bed", BED, "--rule", "MAP-LOW")
    assert told.exit_code == 2
    assert "--state" in told.output


# --- a journal that a service holds ---------------------------------------------------------------


@pytest.mark.parametrize("snapshot_at", [None, 40])
async def test_a_journal_explains_what_its_recording_explains(
    tmp_path: Path, recording: Path, snapshot_at: int | None
) -> None:
    """While the service holds the lock, with a snapshot to begin from or without."""
    async with await journaled(tmp_path, snapshot_at=snapshot_at):
        for words in (["--at", rfc3339(START_MS + 6 * MINUTE_MS)], []):
            asked = ["--bed", BED, "--rule", "MAP-LOW", *words]
            from_journal = explained(*asked, "--state", tmp_path)
            assert from_journal.exit_code == 0, from_journal.output
            assert from_journal.stdout == explained(*asked, recording).stdout


async def test_what_was_noticed_afterwards_is_explained_as_of_then(tmp_path: Path) -> None:
    """A time that nobody watched is told as of its beginning, when nobody knew of it."""
    since_ms = START_MS + 12 * MINUTE_MS
    back_ms = since_ms + MINUTE_MS
    async with await journaled(tmp_path) as journal:
        note = Recorded(own.UNWATCHED, own.unwatched(since_ms, back_ms, "restarted"), False)
        await journal.append(back_ms, [note])
        for later_ms in range(back_ms, back_ms + 10_000, 1_000):
            await journal.append(later_ms, [])
    changes = [json.loads(one)["data"] for one in Replay(load()).journal(tmp_path / "journal.db")]
    gap = next(each for each in changes if each["rule"] == "TECH-GAP")
    told = explained(gap["alert_id"], "--state", tmp_path)
    assert told.exit_code == 0, told.output
    assert f"active at low since {gap['onset']} ({gap['alert_id']})" in told.stdout


async def test_a_journal_is_replayed_like_its_recording(tmp_path: Path, recording: Path) -> None:
    async with await journaled(tmp_path):
        from_journal = Replay(load()).journal(tmp_path / "journal.db")
        replays = [list(from_journal), list(Replay(load()).alerts(read_files([str(recording)])))]
    assert len(replays[0]) > 1
    assert replays[0] == replays[1]


async def test_a_journal_is_named_alone_and_as_what_it_is(tmp_path: Path, recording: Path) -> None:
    """It has a beginning and a configuration of its own: nothing can come before it in a row."""
    async with await journaled(tmp_path):
        mixed = CliRunner().invoke(app, ["replay", str(recording), str(tmp_path)])
        unnamed = explained("--bed", BED, "--rule", "MAP-LOW", tmp_path)
    assert (mixed.exit_code, unnamed.exit_code) == (2, 2)
    assert "right would be it alone" in mixed.output
    assert "--state" in unnamed.output


async def test_an_instant_before_what_is_kept_is_refused_with_where_it_begins(tmp_path: Path) -> None:
    """The nearest that is known would be another alert, at another time."""
    async with await journaled(tmp_path, snapshot_at=100) as journal:
        assert await journal.forget_before(100) > 0
        asked = [
            "--bed",
            BED,
            "--rule",
            "MAP-LOW",
            "--at",
            rfc3339(START_MS + MINUTE_MS),
            "--state",
            tmp_path,
        ]
        refused = explained(*asked)
    assert refused.exit_code == 2
    assert "kept from 2026-" in refused.output


def test_an_instant_before_the_recording_is_refused_with_where_it_begins(recording: Path) -> None:
    """Not as a bed that nobody has heard of."""
    refused = explained("--bed", BED, "--rule", "MAP-LOW", "--at", rfc3339(START_MS - MINUTE_MS), recording)
    assert refused.exit_code == 2
    assert f"what is recorded begins at {rfc3339(START_MS)[:-5]}" in refused.output


async def test_a_view_stays_at_its_moment_while_the_service_writes_on(tmp_path: Path) -> None:
    """What is appended or forgotten meanwhile is neither seen nor missed."""
    async with await journaled(tmp_path, snapshot_at=100) as journal:
        with read_only(tmp_path / "journal.db") as view:
            last = view.position
            await journal.append(START_MS * 2, [])
            assert await journal.forget_before(50) > 0
            assert [batch.position for batch in view.read(view.first_position)] == list(range(1, last + 1))


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"")
    for path in (tmp_path / "none.db", tmp_path / "journal.db"):
        with pytest.raises(JournalFailed, match=path.name), read_only(path) as view:
            assert isinstance(view, JournalView)
    told = explained("--bed", BED, "--rule", "MAP-LOW", "--state", tmp_path)
    assert told.exit_code == 2
