"""Each condition under which a message waits, broken alone: then it goes the way of all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from bench.door import TRANSIT_MS, received
from streamproc.config import load
from streamproc.core.bed import Bed
from streamproc.core.steady import Steady, event_like
from streamproc.core.ward import Ward
from streamproc.shell.intake import Intake

SETTLED_S = 1_000
BED = "icu-a/bed-00001"
MAP, PUMP = f"bedside/v1/{BED}/map", f"bedside/v1/{BED}/pump/1"
Asked = dict[str, Any]


class Settled:
    """A bed that is well, all of whose windows are full, and what its monitor would say next."""

    def __init__(self) -> None:
        self.intake = Intake.from_settings(load())
        for each in received(1, SETTLED_S):
            self.intake.live_through(each.received_ms, [each])
        self.ward, self.bed = self.intake.ward, self.intake.ward.beds[BED]
        self.monitor, self.pump = (self.intake.known[topic].steady for topic in (MAP, PUMP))

    def next_of(self, steady: Steady) -> Asked:
        """The next message of a device, as the ward is asked to follow it."""
        time_ms = steady.heard.newest_ms + 1_000
        return {
            "steady": steady,
            "time_ms": time_ms,
            "seq": steady.start.newest + 1,
            "figure": steady.lowest,
            "received_ms": time_ms + TRANSIT_MS,
            "digest": 1,
        }


@pytest.fixture(scope="module")
def settled() -> Settled:
    return Settled()


def number_left_out(ward: Ward, asked: Asked) -> Asked:
    return asked | {"seq": asked["seq"] + 1}


def number_again(ward: Ward, asked: Asked) -> Asked:
    return asked | {"seq": asked["seq"] - 1}


def lower_than_any(ward: Ward, asked: Asked) -> Asked:
    return asked | {"figure": asked["steady"].lowest - 1}


def higher_than_any(ward: Ward, asked: Asked) -> Asked:
    return asked | {"figure": asked["steady"].highest + 1}


def no_newer(ward: Ward, asked: Asked) -> Asked:
    return asked | {"time_ms": asked["steady"].heard.newest_ms}


def after_a_gap(ward: Ward, asked: Asked) -> Asked:
    time_ms = asked["steady"].until_ms
    return asked | {"time_ms": time_ms, "received_ms": time_ms}


def ahead_of_its_receipt(ward: Ward, asked: Asked) -> Asked:
    return asked | {"received_ms": asked["time_ms"] - ward.terms.clock_ahead_ms - 1}


def behind_its_receipt(ward: Ward, asked: Asked) -> Asked:
    behind_ms = min(ward.terms.clock_behind_ms, ward.limits.lateness_ms)
    return asked | {"received_ms": asked["time_ms"] + behind_ms + 1}


@pytest.mark.parametrize("of", ["monitor", "pump"])
@pytest.mark.parametrize(
    "broken",
    [
        number_left_out,
        number_again,
        lower_than_any,
        higher_than_any,
        no_newer,
        after_a_gap,
        ahead_of_its_receipt,
        behind_its_receipt,
    ],
)
def test_a_message_that_may_be_news_is_not_followed(
    settled: Settled, of: str, broken: Callable[[Ward, Asked], Asked]
) -> None:
    asked = settled.next_of(getattr(settled, of))
    waiting = list(settled.bed.waiting)
    assert not settled.ward.follow(**broken(settled.ward, asked))
    assert settled.bed.waiting == waiting


@contextmanager
def judged_up_to_its_time(settled: Settled, asked: Asked) -> Iterator[None]:
    passed_ms, settled.ward._passed_ms = settled.ward._passed_ms, asked["time_ms"]
    yield
    settled.ward._passed_ms = passed_ms


@contextmanager
def no_room(settled: Settled, asked: Asked) -> Iterator[None]:
    limits, settled.ward.limits = settled.ward.limits, replace(settled.ward.limits, held_messages=0)
    yield
    settled.ward.limits = limits


@contextmanager
def shaken(settled: Settled, asked: Asked) -> Iterator[None]:
    restless, settled.bed.restless = settled.bed.restless, (0,)
    settled.bed._look_ahead()
    yield
    settled.bed.restless = restless
    settled.bed._look_ahead()


@contextmanager
def heard_at_another_bed(settled: Settled, asked: Asked) -> Iterator[None]:
    heard = asked["steady"].heard
    heard.bed = "icu-a/bed-00002"
    yield
    heard.bed = BED


@contextmanager
def given_up(settled: Settled, asked: Asked) -> Iterator[None]:
    """So many other devices were heard since that nobody knows any more where this one was."""
    known = dict(settled.ward.devices)
    settled.ward._give_up_devices()
    yield
    settled.ward.devices |= known
    for heard in known.values():
        heard.bed = BED


@contextmanager
def told_of_as_late_elsewhere(settled: Settled, asked: Asked) -> Iterator[None]:
    """Its device has told as late a time on another topic: its numbers are not in the order of time."""
    heard = asked["steady"].heard
    newest_ms, heard.newest_ms = heard.newest_ms, asked["time_ms"]
    yield
    heard.newest_ms = newest_ms


OTHERWISE = [
    judged_up_to_its_time,
    no_room,
    shaken,
    heard_at_another_bed,
    given_up,
    told_of_as_late_elsewhere,
]


@pytest.mark.parametrize("while_", OTHERWISE)
def test_no_message_is_followed_while_the_bed_or_the_clock_is_otherwise(
    settled: Settled, while_: Callable[[Settled, Asked], Any]
) -> None:
    asked = settled.next_of(settled.monitor)
    with while_(settled, asked):
        assert not settled.ward.follow(**asked)
    assert settled.next_of(settled.monitor) == asked, "it was put back as it was"


def test_the_very_next_one_is_followed(settled: Settled) -> None:
    """Last, since it changes the bed that the others ask about."""
    for steady in (settled.monitor, settled.pump):
        assert settled.ward.follow(**settled.next_of(steady))
    assert len(settled.bed.waiting) >= 2


# what makes a bed calm, and what closes a topic


def now(bed: Bed) -> tuple[bool, dict[str, bool]]:
    """Whether messages may wait at all, and on which topics."""
    bed._look_ahead()
    return bed.calm, {order: each.lowest <= each.highest for order, each in bed.steady.items()}


def test_a_bed_whose_stay_was_never_heard_of_is_not_calm() -> None:
    settled = Settled()
    settled.bed.chart.stay_heard_ms = None
    assert not now(settled.bed)[0]


def test_a_bed_that_awaits_a_word_is_not_calm() -> None:
    settled = Settled()
    settled.bed.chart.word_awaited = True
    assert not now(settled.bed)[0]


def test_a_lost_channel_is_closed_and_so_is_one_that_says_otherwise() -> None:
    settled = Settled()
    assert now(settled.bed) == (True, {"map": True, "pump/1": True})
    channel = settled.bed.chart.infusions.channels["1"]
    channel.lost = True
    assert now(settled.bed) == (True, {"map": True, "pump/1": False})
    channel.lost, channel.status = False, replace(channel.status, route="peripheral")
    assert now(settled.bed) == (True, {"map": True, "pump/1": False})


def test_another_device_on_a_topic_closes_what_was_known_of_it() -> None:
    settled = Settled()
    monitor = settled.monitor
    fact = event_like(monitor.like, monitor.heard.newest_ms + 1_000, 1, monitor.lowest)
    other = replace(fact, device="MON-OTHER")
    settled.ward.offer(other, other.time_ms, 1)
    assert settled.ward.expect(other) is settled.bed.steady["map"]
    assert settled.monitor.lowest > settled.monitor.highest


def test_what_has_just_gone_on_is_asked_about_when_it_may_have_ended() -> None:
    """Not as long after it was asked last: in a quiet bed that would be every few seconds, for nothing."""
    settled = Settled()
    bed, chart = settled.bed, settled.bed.chart
    settled.ward.brought_up(bed.name)
    ends_ms = [chart.pressure.goes_on_until_ms]
    ends_ms += [each.loss_due_ms(chart.terms) for each in chart.infusions.channels.values()]
    assert bed.deadline_ms == min(ends_ms) < bed.judged_again_ms
    assert bed.deadline_ms > chart.now_ms + min(chart.terms.pump_lost_ms, chart.pressure.goes_on_ms) - 2_000
    monitor_only = settled.monitor.heard.newest_ms
    for _ in range(60):
        asked = settled.next_of(settled.monitor)
        settled.ward.tick(asked["received_ms"])
        settled.ward.follow(**asked)
    assert [channel.lost for channel in chart.infusions.channels.values()] == [True]
    assert settled.monitor.heard.newest_ms > monitor_only
