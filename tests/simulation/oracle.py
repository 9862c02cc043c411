"""What must be true of a run, whatever went wrong in it: each promise as a check that names its breach."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

from streamproc.config import Settings
from streamproc.shell.feed import unbroken, unsealed
from streamproc.shell.journal import Batch, Recorded, read_only
from streamproc.shell.service import Service
from streamproc.shell.snapshot import head_of
from streamproc.wire import encode, own
from streamproc.wire.announce import alert_event
from streamproc.wire.instant import instant_ms

from .devices import EPOCH_S, Sent
from .simulation import STATUS, Simulation

TICK_S = 5.0


def journaled(simulation: Simulation) -> list[Batch]:
    """All that was taken over, from the first batch to the last."""
    with read_only(simulation.folder / "journal.db") as journal:
        assert journal.first_position == 1, "the oracle needs the whole journal"
        return list(journal.read(1))


def uninterrupted(settings: Settings, batches: Iterable[Batch]) -> tuple[list[bytes], Service]:
    """The feed of a service that takes these batches without ever being stopped."""
    service = Service(settings)
    feed = [
        encode(alert_event(change, settings.instance, change.ruleset))
        for batch in batches
        for change in service.apply(batch.received_ms, batch.messages)
    ]
    return feed, service


def as_sent(settings: Settings, sent: Sequence[Sent], end_s: float) -> Iterable[Batch]:
    """What a service would have taken over if every message had come at once and nothing had gone wrong."""
    waiting = sorted(sent, key=lambda one: one.at_s, reverse=True)
    messages = [Recorded(own.CONFIGURED, own.configured(settings.clinical()), False)]
    for position in range(1, int(end_s / TICK_S) + 2):
        now_s = position * TICK_S
        while waiting and waiting[-1].at_s <= now_s:
            one = waiting.pop()
            messages.append(Recorded(one.topic, one.payload, False))
        yield Batch(position, round((EPOCH_S + now_s) * 1000), tuple(messages))
        messages = []


def feed_of(simulation: Simulation) -> list[bytes]:
    """The feed as a consumer sees it that knows repeats by their number: contiguous, and never two-faced."""
    by_seq: dict[int, set[bytes]] = defaultdict(set)
    for payload in simulation.feed:
        by_seq[json.loads(payload)["data"]["feed_seq"]].add(payload)
    two_faced = [seq for seq, payloads in by_seq.items() if len(payloads) > 1]
    assert not two_faced, f"numbers of the feed that were given out twice: {two_faced[:5]}"
    assert sorted(by_seq) == list(range(1, len(by_seq) + 1)), f"gaps in the feed: {_gaps(by_seq)}"
    return [by_seq[seq].pop() for seq in sorted(by_seq)]


def _gaps(by_seq: dict[int, Any]) -> list[int]:
    return [seq for seq in range(1, max(by_seq, default=0) + 1) if seq not in by_seq][:5]


def check(simulation: Simulation, judge: Callable[[Simulation, list[bytes]], None]) -> Counter[str]:
    """Every promise at once; what the run has shown, by rule."""
    batches = journaled(simulation)
    feed = feed_of(simulation)
    judge(simulation, feed)
    assert_taken_over(simulation, batches)
    assert_accounted(simulation)
    assert_heartbeats(simulation, batches)
    assert_shown(simulation, feed)
    assert_kept(simulation, feed)
    return Counter(json.loads(payload)["data"]["rule"] for payload in feed)


def check_as_journaled(simulation: Simulation, feed: list[bytes]) -> None:
    """The feed is what a service would have told that took the same journal without ever being stopped."""
    batches = journaled(simulation)
    expected, service = uninterrupted(simulation.settings, batches)
    assert_same(feed, expected, "the uninterrupted run over the journal")
    taken = sum(not own.is_own(message.topic) for batch in batches for message in batch.messages)
    assert service.tally.received.total() == service.tally.accounted == taken


def check_as_sent(simulation: Simulation, feed: list[bytes]) -> None:
    """Where nothing was lost before us and no outage came near the hold-back, the feed tells of none."""
    end_s = simulation.ways.hours * 3600
    judged_s = end_s + simulation.settings.event_time.hold_back_s + TICK_S
    expected, _ = uninterrupted(simulation.settings, as_sent(simulation.settings, simulation.sent, judged_s))
    assert_same(_until(feed, end_s), _until(expected, end_s), "the run without faults")


def _until(feed: Iterable[bytes], end_s: float) -> list[bytes]:
    """Those that were decided before everything ended."""
    end_ms = (EPOCH_S + end_s) * 1000
    return [payload for payload in feed if instant_ms(json.loads(payload)["time"], "time") < end_ms]


def assert_same(feed: Sequence[bytes], expected: Sequence[bytes], whose: str) -> None:
    """Byte for byte; where they part, both are shown."""
    for place, (ours, theirs) in enumerate(zip(feed, expected, strict=False)):
        assert ours == theirs, f"event {place + 1} differs from {whose}:\n  {ours!r}\n  {theirs!r}"
    assert len(feed) == len(expected), (
        f"{len(feed)} events, {whose} has {len(expected)}; the first that is not in both:"
        f" {[*feed[len(expected) :], *expected[len(feed) :]][:1]}"
    )


def assert_taken_over(simulation: Simulation, batches: Sequence[Batch]) -> None:
    """What the broker was told to be in safe hands is in the journal, and nothing else is."""
    in_journal = Counter((m.topic, m.payload) for batch in batches for m in batch.messages)
    acknowledged = Counter((m.topic, m.payload) for m in simulation.broker.acknowledged)
    lost = acknowledged - in_journal
    assert not lost, f"acknowledged, and not in the journal: {list(lost)[:3]}"
    sent = {(one.topic, one.payload) for one in simulation.sent}
    invented = [what for what in in_journal if what not in sent and not own.is_own(what[0])]
    assert not invented, f"in the journal, and never sent: {invented[:3]}"


def assert_accounted(simulation: Simulation) -> None:
    """accepted + rejected + duplicate + late = received, in every life."""
    for received, accounted in simulation.life_tallies:
        assert received == accounted, f"{received} received, {accounted} accounted for"


def assert_heartbeats(simulation: Simulation, batches: Sequence[Batch]) -> None:
    """No heartbeat has told of a position that the journal did not keep."""
    furthest = max((json.loads(payload).get("position", 0) for _, payload in simulation.statuses), default=0)
    assert furthest <= len(batches), f"a heartbeat told of {furthest}, the journal ends at {len(batches)}"
    last = json.loads(simulation.broker.retained[STATUS])["state"]
    assert last == "stopping", f"the service stopped in good order, and the last heard of it is {last}"


def assert_kept(simulation: Simulation, feed: Sequence[bytes]) -> None:
    """Whoever asks for all of the feed is told what was published; the last of it is in the snapshot."""
    path = simulation.folder / "journal.db"
    with closing(sqlite3.connect(path)) as database, read_only(path) as view:
        rows = database.execute("SELECT * FROM event ORDER BY feed_seq").fetchall()
        unkept = head_of(next(view.snapshots()).parts)["outbox"]["unkept"]
    newest = [(feed_seq, payload.encode()) for feed_seq, _, payload in unkept]
    told = [payload for _, payload in unbroken(0, unsealed(rows), newest, len(feed), [])]
    assert_same(told, feed, "what was published")


def assert_shown(simulation: Simulation, feed: Sequence[bytes]) -> None:
    """The retained state of each alert is its newest event, or nothing once it was taken down."""
    newest: dict[str, bytes] = {}
    for payload in feed:
        event = json.loads(payload)
        newest[f"alerts/v1/{event['subject']}/{event['data']['rule']}"] = payload
    for topic, payload in newest.items():
        shown = simulation.broker.retained.get(topic)
        ended = json.loads(payload)["data"]["phase"] == "end"
        assert shown == payload or (shown is None and ended), (
            f"{topic} shows {shown!r}, newest is {payload!r}"
        )
