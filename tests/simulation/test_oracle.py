"""The simulation is not blind: each of these breaks the product in one place, and is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamproc.config import Settings
from streamproc.core.events import Acknowledged
from streamproc.core.ward import Ward
from streamproc.shell.journal import SqliteJournal
from streamproc.shell.outbox import Outbox
from streamproc.shell.service import Service

from . import database
from .every_step import Interruption, breach
from .seeds import BrokenPromise, live_through_all

STEPS = range(40, 330, 5)
SEEDS = range(2, 12)
Break = Callable[[pytest.MonkeyPatch], object]


def acknowledged_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    append = SqliteJournal.append

    async def hasty(self: SqliteJournal, *what: Any) -> int:
        service = _running[-1]
        service.connection.acknowledge(list(service.connection._owed._owed))
        return await append(self, *what)

    _running.clear()
    began = Service.__post_init__
    patch.setattr(Service, "__post_init__", lambda self: (_running.append(self), began(self))[1])
    patch.setattr(SqliteJournal, "append", hasty)


_running: list[Service] = []


def never_synced(patch: pytest.MonkeyPatch) -> None:
    execute = database.Database.execute

    def careless(self: Any, sql: str, *parameters: Any) -> Any:
        return execute(self, sql.replace("synchronous = FULL", "synchronous = OFF"), *parameters)

    patch.setattr(database.Database, "execute", careless)


def told_of_before_it_is_delivered(patch: pytest.MonkeyPatch) -> None:
    """What was handed to the connection counts as delivered."""
    send = Outbox.send

    def rash(self: Outbox, sender: Any, now_ms: int) -> None:
        send(self, sender, now_ms)
        for feed_seq in list(self.sent):
            self.acknowledge(feed_seq)

    patch.setattr(Outbox, "send", rash)


def outbox_forgotten_on_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Service, "_apply_again", lambda self, batch: self.apply(batch.received_ms, batch.messages))


@pytest.mark.parametrize(
    ("break_it", "how"),
    [
        (acknowledged_before_it_is_durable, "kept"),
        (never_synced, "dropped"),
        (outbox_forgotten_on_restart, "kept"),
    ],
)
def test_a_broken_product_is_found_by_crashing_it_at_every_step(
    monkeypatch: pytest.MonkeyPatch, break_it: Break, how: str
) -> None:
    break_it(monkeypatch)
    found = [step for step in STEPS if breach(Interruption("crash", how, step))]
    assert found, "no crash of the short history shows it"


def alerts_by_arrival(patch: pytest.MonkeyPatch) -> None:
    """Event time stands still: messages are judged as they come."""
    patch.setattr(Ward, "watermark_ms", property(lambda self: self.clock_ms))


def reloaded_without_a_word_in_the_journal(patch: pytest.MonkeyPatch) -> None:
    def judge_by(self: Service, settings: Settings) -> None:
        self.intake.turn_to(self.settings.judging_by(settings.clinical()), self.ward.clock_ms or 0)

    patch.setattr(Service, "_judge_by", judge_by)


def acknowledged_by_arrival(patch: pytest.MonkeyPatch) -> None:
    """What was told counts as known when the acknowledgement comes, however long ago it was given."""
    offer = Ward.offer

    def as_if_given_now(self: Ward, event: Any, received_ms: int, digest: int) -> Any:
        ack = isinstance(event, Acknowledged)
        return offer(self, replace(event, time_ms=received_ms) if ack else event, received_ms, digest)

    patch.setattr(Ward, "offer", as_if_given_now)


@pytest.mark.parametrize(
    "break_it",
    [
        alerts_by_arrival,
        told_of_before_it_is_delivered,
        reloaded_without_a_word_in_the_journal,
        acknowledged_by_arrival,
    ],
)
def test_a_broken_product_is_found_by_a_seed(monkeypatch: pytest.MonkeyPatch, break_it: Break) -> None:
    break_it(monkeypatch)
    with pytest.raises(BrokenPromise, match=r"see it again: \./run bench simulation --from"):
        live_through_all(SEEDS)


def test_the_journal_of_a_run_is_on_the_simulated_disk(tmp_path: Path) -> None:
    """And its clock, its chance and its network are the world's: nothing of the machine is left to it."""
    from .short_history import short_run

    simulation = short_run(tmp_path)
    assert any(Path(name).name == "journal.db" for name in simulation.disk.files)
    assert simulation.feed
