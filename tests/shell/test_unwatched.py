"""What is told of a broker that was out of reach: once, of the deaf time alone, and of no short break."""

from __future__ import annotations

import json

import pytest

from streamproc.config import load
from streamproc.shell.watch import OUT_OF_REACH, RESTARTED, SESSION_LOST, Watch
from streamproc.wire import own, rfc3339

T = 1_790_000_000_000
SITE = load()
LIMIT_MS = SITE.unwatched_ms
ROUND_MS = 250


def running(last_ms: int | None = T) -> Watch:
    """Recovered up to an instant; the broker has not greeted us yet."""
    watch = Watch(SITE)
    watch.begin(SITE, last_ms)
    return watch


def told(watch: Watch, now_ms: int, last_ms: int) -> list[tuple[str, str]]:
    """Each time that is told in a round: since when, and why."""
    messages = [each for each in watch.tell(now_ms, last_ms) if each.topic == own.UNWATCHED]
    said = [json.loads(each.payload) for each in messages]
    return [(each["since"], each["why"].partition(" (")[0]) for each in said]


def lived(watch: Watch, from_ms: int, until_ms: int) -> list[tuple[str, str]]:
    """Round after round."""
    rounds = range(from_ms + ROUND_MS, until_ms + 1, ROUND_MS)
    return [each for now_ms in rounds for each in told(watch, now_ms, now_ms - ROUND_MS)]


@pytest.mark.parametrize(("away_ms", "says"), [(LIMIT_MS - ROUND_MS, False), (LIMIT_MS, True)])
def test_a_broker_out_of_reach_is_told_when_it_is_back_if_it_was_long(away_ms: int, says: bool) -> None:
    """What was sent meanwhile comes late, and no past is judged again: nobody watched."""
    watch = running()
    watch.connected(True)
    assert not lived(watch, T, T + 1000)
    watch.disconnected(T + 1000)
    assert not lived(watch, T + 1000, T + 1000 + away_ms - ROUND_MS)
    watch.connected(True)
    back_ms = T + 1000 + away_ms
    expected = [(rfc3339(T + 1000), OUT_OF_REACH)] if says else []
    assert told(watch, back_ms, back_ms - ROUND_MS) == expected
    assert not lived(watch, back_ms, back_ms + 20_000)


def test_a_try_that_fails_begins_no_other_absence() -> None:
    watch = running()
    watch.connected(True)
    watch.disconnected(T)
    assert not lived(watch, T, T + 4000)
    watch.disconnected(T + 4000)
    assert not lived(watch, T + 4000, T + 8000)
    watch.connected(True)
    assert told(watch, T + 8250, T + 8000) == [(rfc3339(T), OUT_OF_REACH)]


def test_being_down_is_not_told_again_as_being_deaf() -> None:
    """After a restart the broker greets us a few rounds later: that is short, whatever came before it."""
    watch = running()
    assert told(watch, T + 60_000, T) == [(rfc3339(T), RESTARTED)]
    assert not lived(watch, T + 60_000, T + 61_000)
    watch.connected(True)
    assert not lived(watch, T + 61_000, T + 90_000)


def test_a_broker_that_is_away_when_we_start_is_told_from_our_first_round() -> None:
    watch = running(None)
    watch.tell(T, None)
    assert not lived(watch, T, T + 30_000)
    watch.connected(True)
    assert told(watch, T + 30_250, T + 30_000) == [(rfc3339(T), OUT_OF_REACH)]


def test_a_lost_session_is_told_with_it_in_one() -> None:
    watch = running()
    watch.connected(True)
    watch.disconnected(T)
    assert not lived(watch, T, T + 10_000)
    watch.connected(False)
    assert told(watch, T + 10_250, T + 10_000) == [(rfc3339(T), f"{SESSION_LOST}, and {OUT_OF_REACH}")]


def test_a_greeting_that_fails_at_once_hides_no_absence() -> None:
    watch = running()
    watch.connected(True)
    watch.disconnected(T)
    assert not lived(watch, T, T + 60_000)
    watch.connected(True)
    watch.disconnected(T + 60_000)
    watch.connected(True)
    assert told(watch, T + 60_250, T + 60_000) == [(rfc3339(T), OUT_OF_REACH)]


def test_a_short_restart_and_a_short_absence_after_it_are_one() -> None:
    down_ms = LIMIT_MS - 1_000
    watch = running()
    assert told(watch, T + down_ms, T) == []
    assert not lived(watch, T + down_ms, T + down_ms + 4_000)
    watch.connected(True)
    back_ms = T + down_ms + 4_250
    assert told(watch, back_ms, back_ms - 250) == [(rfc3339(T), OUT_OF_REACH)]
