"""A journal gives the events that were told, under their ids, by what it holds itself and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from streamproc.config import Settings, load
from streamproc.core.ward import Ward
from streamproc.shell.broker import free_port
from streamproc.shell.explain import Past
from streamproc.shell.journal import JournalCorrupt, SqliteJournal, read_only
from streamproc.shell.replay import Replay
from streamproc.shell.service import Service
from streamproc.shell.snapshot import snapshot_of
from streamproc.shell.watch import Watch
from streamproc.wire import Received, encode, rfc3339
from streamproc.wire.announce import alert_event

from .bedside import Bedside
from .conftest import StartProcessor

START_MS = 1_795_417_200_000
ROUNDS, ROUND_MS = 240, 500
SILENT_FROM = 60
"""The rounds after this one bring no message: nothing but time passes."""
BED, QUIET, JOINING = "icu-a/bed-1", "icu-a/bed-2", "icu-a/bed-3"
MONITOR_LOST = ("TECH-MAP-LOST", "start")
SITE = (
    "instance=icu-a-processor",
    f"roster=[{BED}, {QUIET}]",
    "event_time.hold_back_s=3",
    "event_time.lateness_s=10",
    "rules.ESC-THRESHOLD.threshold_mcg_per_kg_min=0.15",
    "rules.ESC-THRESHOLD.clear_mcg_per_kg_min=0.12",
    "rules.ESC-THRESHOLD.for_s=1",
    "rules.TECH-BED-SILENT.after_s=10",
)


def arrived(number: int) -> list[Received]:
    """What comes in a round: some of it is on its way for longer than the hold-back."""
    at_ms = START_MS + number * ROUND_MS
    if number > SILENT_FROM:
        return []
    on_its_way_ms = 6_000 if number % 7 == 0 else 400
    bedside = Bedside(BED, number, number)
    sent = (bedside.pump(at_ms - on_its_way_ms, 0.2), bedside.map(at_ms - on_its_way_ms, 60))
    return [Received(at_ms, *message) for message in sent]


def site(*changed: str) -> Settings:
    return load(None, [*SITE, *changed])


async def lived(
    folder: Path,
    settings: Settings,
    reloads: Mapping[int, Settings],
    snapshot_at: int | None = None,
    away: range = range(0),
) -> list[bytes]:
    """What a service tells whose configuration is changed before some rounds; its journal is left behind.

    While it is away the broker keeps what comes."""
    service, watch, told = Service(settings), Watch(settings), list[bytes]()
    watch.begin(settings, None)
    async with SqliteJournal(folder / "journal.db") as journal:
        kept = list[Received]()
        for number in range(ROUNDS):
            if number in away:
                kept += arrived(number)
                continue
            at_ms = START_MS + number * ROUND_MS
            watch.wanted = reloads.get(number, watch.wanted)
            messages = [*watch.tell(at_ms, service.ward.clock_ms), *kept, *arrived(number)]
            kept = []
            position = await journal.append(at_ms, messages)
            changes = service.apply(at_ms, messages)
            told += [encode(alert_event(one, settings.instance, one.ruleset)) for one in changes]
            if number == snapshot_at:
                await journal.save_snapshot(position, snapshot_of(service.intake, {}))
                assert await journal.forget_before(position) > 0
                told.clear()
    assert told
    return told


CASES: dict[str, tuple[Settings, dict[int, Settings]]] = {
    "as it began": (site(), {}),
    "other rules": (site(), {90: site("rules.ESC-THRESHOLD.threshold_mcg_per_kg_min=0.25")}),
    "a longer hold-back": (site(), {40: site("event_time.hold_back_s=9")}),
    "a shorter hold-back": (site(), {40: site("event_time.hold_back_s=1")}),
    "a bed joins while all is quiet": (
        site(),
        {100: site(f"roster=[{BED}, {QUIET}, {JOINING}]")},
    ),
    "simulated time": (site("clock.source=telemetry"), {}),
    "other topics": (site("topics.telemetry=bedside/v1"), {50: site("topics.telemetry=elsewhere/v1")}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("snapshot_at", [None, 30], ids=["whole", "its start forgotten"])
async def test_a_journal_is_replayed_as_it_was_lived_whatever_is_configured_here(
    tmp_path: Path, case: tuple[Settings, dict[int, Settings]], snapshot_at: int | None
) -> None:
    """Roster, rules, hold-back, instance: all from the journal, and from when on each was in force."""
    told = await lived(tmp_path, *case, snapshot_at)
    assert list(Replay(load()).journal(tmp_path / "journal.db")) == told
    explained = Past(load(), state_dir=tmp_path).changes()
    assert [change.alert_id for change in explained] == [json.loads(one)["data"]["alert_id"] for one in told]


async def test_lines_that_tell_of_a_bed_that_joins_are_replayed_alike(tmp_path: Path) -> None:
    """It is expected from when it joined, although no line is near that says that time has passed."""
    told = await lived(tmp_path, *CASES["a bed joins while all is quiet"])
    with read_only(tmp_path / "journal.db") as journal:
        lines = [
            Received(batch.received_ms, message.topic, message.payload)
            for batch in journal.read(1)
            for message in batch.messages
        ]
    assert list(Replay(site()).alerts(lines, START_MS + (ROUNDS - 1) * ROUND_MS)) == told


async def test_our_own_absence_is_told_first_and_blamed_on_no_device(tmp_path: Path) -> None:
    """Half a minute away, in which a monitor and a pump went on, which then fall silent: first is told that
    nobody watched, and the silence when it has been long enough."""
    away = range(20, 55)
    told = await lived(tmp_path, site(), {}, away=away)
    events = [json.loads(one)["data"] | {"time": json.loads(one)["time"]} for one in told]
    back = rfc3339(START_MS + away.stop * ROUND_MS)
    at_return = [event for event in events if event["text"].startswith("Not watched")]
    assert {back in event["text"] for event in at_return} == {True}
    left = rfc3339(START_MS + (away.start - 1) * ROUND_MS - 3_000)
    assert next(event["rule"] for event in events if event["time"] > left) == "TECH-GAP"
    blamed = {"TECH-MAP-LOST", "TECH-PUMP-LOST", "TECH-CLOCK"}
    assert [event for event in events if event["time"] < back and event["rule"] in blamed] == []
    lost = [event["onset"] for event in events if (event["rule"], event["phase"]) == MONITOR_LOST]
    silent_ms = START_MS + SILENT_FROM * ROUND_MS - 400
    assert lost == [rfc3339(silent_ms + 15_000)]
    assert list(Replay(load()).journal(tmp_path / "journal.db")) == told


async def test_a_start_that_nothing_tells_is_refused(tmp_path: Path) -> None:
    """An empty ward in its place would tell the rest under other ids."""
    await lived(tmp_path, site(), {})
    async with SqliteJournal(tmp_path / "journal.db") as journal:
        await journal.save_snapshot(50, [b"part"])
        await journal.forget_before(50)
        journal._database.execute("DELETE FROM snapshot")
    with pytest.raises(JournalCorrupt, match="no sound snapshot"):
        list(Replay(load()).journal(tmp_path / "journal.db"))


@pytest.mark.parametrize("snapshot_at", [None, 30], ids=["whole", "its start forgotten"])
async def test_what_if_judges_by_what_is_given(tmp_path: Path, snapshot_at: int | None) -> None:
    """And by nothing of the journal's own, whatever was in force when, and to the end."""
    await lived(tmp_path, site(), {90: site("event_time.hold_back_s=1")}, snapshot_at)
    run = Replay(load())
    run.intake.obeys_journal = False
    told = list(run.journal(tmp_path / "journal.db"))
    assert run.intake.settings == load()
    assert {json.loads(line)["source"] for line in told} == {"/streamproc/streamproc-1"}


async def test_event_time_never_goes_back_with_a_longer_hold_back(tmp_path: Path) -> None:
    """Beds that were judged up to an instant are not asked about an earlier one, after a restart either."""
    settings, longer = site(), site("event_time.hold_back_s=60", "event_time.lateness_s=60")
    service = Service(settings)
    service.apply(START_MS, arrived(0))
    service.apply(START_MS + 10_000, arrived(10))
    before_ms = service.ward.watermark_ms
    service.intake.turn_to(longer, START_MS + 10_000)
    service.intake.tick(START_MS + 10_000)
    again = Ward(service.ward.rules, service.ward.terms, service.ward.limits)
    again.restore(service.ward.snapshot())
    assert service.ward.watermark_ms == before_ms == again.watermark_ms


async def test_another_instance_is_refused_a_state_folder(new_processor: StartProcessor) -> None:
    """Its events would bear another name under the same ids."""
    processor = await new_processor(free_port(), "instance=icu-a").start()
    await processor.until(lambda metrics: metrics.value("journal_position") > 0, "a first batch")
    assert await processor.stop() == 0
    other = await new_processor(free_port(), "instance=icu-b", state=processor.state).launch()
    assert await other.ended() == 1
    assert "is that of instance icu-a, not of icu-b" in (await other.said("service_failed"))["detail"]
