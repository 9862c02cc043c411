"""The retained state of an alert is its newest, whatever is sent late, again, or was refused before."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from streamproc.shell.outbox import GHOST_MS, Outbox
from streamproc.wire import TOMBSTONE, Topics

STATE = "alerts/v1/icu-a/bed-1/MAP-LOW"
START, END = "the start", "the end"


@dataclass
class Sent:
    """A connection that takes everything, and what it was given."""

    publish_room: int = 100
    published: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, **told: Any) -> None:
        self.published.append((topic, payload))

    def on(self, topic: str) -> list[bytes]:
        return [payload for where, payload in self.published if where == topic]


def an_outbox(**changed: Any) -> Outbox:
    """As restored from a snapshot: two events of one alert, of which the broker has said nothing."""
    waiting = [[1, STATE, START, 0], [2, STATE, END, 0]]
    kept = {"acknowledged_seq": 0, "done": [], "waiting": waiting, "shown": {STATE: END}, "taken_down": []}
    outbox = Outbox(Topics(), "test", 1000, numbered_seq=2)
    outbox.restore(kept | {"unkept": [], "gone": {}} | changed)
    return outbox


def test_what_a_mark_says_was_delivered_is_not_sent_again() -> None:
    """Seed 8 of the simulation: an older snapshot's event overwrote the newest state after a crash."""
    outbox, sent = an_outbox(), Sent()
    outbox.delivered_up_to(1)
    outbox.send(sent, 0)
    assert sent.on("alerts/v1/feed") == [END.encode()]
    assert sent.on(STATE) == [END.encode()]


def test_an_event_that_was_refused_and_is_sent_later_does_not_hide_a_newer_state() -> None:
    outbox, sent = an_outbox(), Sent()
    outbox.send(sent, 0)
    outbox.refuse(1)
    outbox.acknowledge(2)
    outbox.try_refused_again()
    outbox.send(sent, 0)
    assert sent.on("alerts/v1/feed") == [START.encode(), END.encode(), START.encode()]
    assert sent.on(STATE)[-1] == END.encode()


@pytest.mark.parametrize(("shown", "again"), [({STATE: END}, END.encode()), ({}, TOMBSTONE)])
def test_a_state_that_was_refused_is_shown_on_the_next_connection(
    shown: dict[str, str], again: bytes
) -> None:
    """And one that was to be taken down is taken down."""
    outbox, sent = an_outbox(shown=shown, waiting=[]), Sent()
    outbox.refuse_state(STATE)
    outbox.send(sent, 0)
    assert not sent.published, "tried again on the same connection, which would refuse it again"
    outbox.show_again()
    outbox.send(sent, 0)
    assert sent.published == [(STATE, again)]


def test_each_new_connection_is_told_what_stands() -> None:
    """A broker may come back with our session and without, or with older, retained states."""
    outbox, sent = an_outbox(waiting=[]), Sent()
    outbox.show_again()
    outbox.send(sent, 0)
    assert sent.published == [(STATE, END.encode())]


def test_a_broker_that_goes_back_to_an_older_memory_shows_no_alert_that_was_taken_down() -> None:
    """Seeds 25 and 61 of the simulation: the ended alert was shown again, and no connection took it down."""
    outbox, due_ms = an_outbox(waiting=[], taken_down=[[1000, STATE, 2]]), 1000
    outbox.shown[STATE] = json.dumps({"data": {"feed_seq": 2}}).encode()
    outbox.send(Sent(), due_ms)
    again = an_outbox(**outbox.snapshot())
    for told, now_ms in ((TOMBSTONE, due_ms + GHOST_MS - 1), (None, due_ms + GHOST_MS)):
        sent = Sent()
        again.send(Sent(), now_ms)
        again.show_again()
        again.send(sent, now_ms)
        assert sent.published == ([(STATE, told)] if told is not None else [])


def test_an_alert_that_starts_again_is_no_ghost() -> None:
    outbox, sent = an_outbox(waiting=[], shown={STATE: END}, gone={STATE: GHOST_MS}), Sent()
    outbox.show_again()
    outbox.send(sent, 0)
    assert sent.published == [(STATE, END.encode())]
