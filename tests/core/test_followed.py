"""Messages that are followed, and lived through together later, come to what each read by itself comes to.

Two ways in take the same mail in the same batches: one follows what says nothing new, the other reads all.
At each tick both tell the same, of each message they say the same, and whoever looks sees the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, ClassVar

import pytest
from posted_histories import Mail, Posted, Style, as_posted, mail_of
from quick_site import RULES, TERMS
from read_again import read_again
from ward_histories import BEDS, START_MS

from streamproc.config import Settings, load
from streamproc.core.alert import Phase
from streamproc.core.bed import MOST_WAITING, PATIENCE_MS, Bed, held_in
from streamproc.core.change import Change
from streamproc.core.events import MapSample, MapSource, PumpState, PumpStatus, Quantity
from streamproc.core.reason import Reason
from streamproc.shell.intake import Intake, Known
from streamproc.shell.journal import Message
from streamproc.wire import Rejected, encode, own, rfc3339
from streamproc.wire.alike import Said
from streamproc.wire.announce import alert_event, bed_state

SEEDS = int(os.environ.get("FOLLOWED_SEEDS", "16"))
FIRST = int(os.environ.get("FOLLOWED_FIRST", "0"))
MINUTES = float(os.environ.get("FOLLOWED_MINUTES", "4"))
"""How many histories are lived through, from which on, and how much of each."""
ONCE_APART = (7, 274, 3_021, 3_041, 3_100, 3_126, 7_194)
"""Histories in which the two ways once did not come to the same."""
FLOODED = (20_015, 20_031, 20_095)
"""Histories in which a bed is flooded while messages wait there that the other way has lived through."""
WAITING = (2, 4, 5)
AFTERMATH_MS = 60_000
STALLS_MS = (3_000, 8_000, 20_000)
SMALL = ("limits.held_messages=100", "limits.remembered_messages=100")
SITES: tuple[tuple[str, ...], ...] = (
    (),
    (),
    SMALL,
    ("event_time.hold_back_s=0.3", "event_time.lateness_s=2"),
    ("event_time.hold_back_s=6",),
    ("terms.pump_lost_s=4", "terms.map_lost_s=4"),
)
TURNS: tuple[tuple[str, ...], ...] = (
    ("rules.MAP-LOW.enabled=false", "rules.TECH-GAP.enabled=false"),
    ("rules.TECH-PUMP.near_end_s=240", "terms.map_target_mmhg=70"),
    (f"roster=[{BEDS[0]}]",),
    ("event_time.hold_back_s=1", "terms.map_hold_arterial_s=20"),
)


@cache
def site(*overrides: str) -> Settings:
    """The site of the laws, watching both beds."""
    scaled = [f"terms.{key}={value}" for key, value in TERMS.items()]
    scaled += [
        f"rules.{rule}.{key}={value}" for rule, numbers in RULES.items() for key, value in numbers.items()
    ]
    return load(overrides=[*scaled, f"roster=[{','.join(BEDS)}]", *overrides])


class ReadingAnew(Intake):
    """The way in that gets to know no topic, and reads each message for itself."""

    __slots__ = ()

    def _get_to_know(self, event: MapSample | PumpStatus, message: Message) -> None:
        return


class Following(Intake):
    """The way in as it is, which counts what waits."""

    waited: ClassVar[int] = 0

    def _follow(self, known: Known, said: Said, message: Message, received_ms: int) -> bool:
        followed = super()._follow(known, said, message, received_ms)
        Following.waited += followed
        return followed


@dataclass
class Side:
    """One way in, and what it said of each message that it refused."""

    intake: Intake
    refused: list[str] = field(default_factory=list)
    lags: int = 0

    def __post_init__(self) -> None:
        self.intake.on_rejected = lambda rejected, message, now_ms: self._note(rejected, message)
        self.intake.on_tick = lambda ward, now_ms: self._count(len(ward.lags_ms))

    def _note(self, rejected: Rejected, message: Message) -> None:
        self.refused.append(f"{rejected} of {message.topic} {message.payload!r}")

    def _count(self, lags: int) -> None:
        self.lags += lags

    def told(self, changes: Sequence[Change]) -> list[tuple[bytes, int]]:
        """What is announced, byte for byte, and when it was decided."""
        return [
            (encode(alert_event(each, "streamproc-1", each.ruleset)), each.decided_ms) for each in changes
        ]

    def verdicts(self) -> tuple[Any, ...]:
        tally = self.intake.tally
        return tally.received, tally.taken, tally.rejected, self.refused

    def looked_at(self, in_full: bool) -> dict[str, Any]:
        """Every bed, brought up and as of the same instant: what is shown, and what is kept."""
        ward, seen = self.intake.ward, {}
        for name in sorted(ward.beds):
            bed = ward.brought_up(name)
            assert all(time_ms > ward.watermark_ms for time_ms, *_ in bed.waiting), "somebody sees too little"
            assert bed.advance(ward.watermark_ms, ward.lags_ms) == [], "told late"
            ward._schedule(bed)
            snapshot = bed.snapshot()
            snapshot["held"] = held_in(snapshot)
            del snapshot["waiting"]
            del snapshot["deadline_ms"]  # who is followed is asked later, where nothing comes of it sooner
            kept = (snapshot, list(bed.sequences.items())) if in_full else None
            seen[name] = (encode(bed_state(bed)).decode(), kept, bed.remembered.snapshot())
        assert not ward._waiting, "something was told while somebody looked"
        return {
            "beds": seen,
            "devices": list(ward.devices.items()),
            "clock": ward.clock_ms,
            "seq": ward.feed_seq,
        }


@dataclass
class Trial:
    """One history, lived through both ways at once."""

    mail: Mail
    chance: Random
    followed: Side
    anew: Side
    now_ms: int = START_MS
    acks: list[Posted] = field(default_factory=list)
    base: Any = None
    apart: bool = False
    """Whether one way has begun anew and the other not: then they keep the same otherwise."""

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.followed, self.anew

    def live(self) -> None:
        """All batches, and then a minute in which nothing comes."""
        kinds = self.chance.choice([(20, 60), (20, 1000), (100, 100), (800, 1000)])
        end_ms, mail, at = self.mail.until_ms + AFTERMATH_MS, self.mail.posted, 0
        while self.now_ms < end_ms:
            before_ms = self.now_ms
            self.now_ms += self.chance.randint(*kinds)
            own_word = self._own_words(before_ms)
            batch: list[Posted] = []
            while at < len(mail) and mail[at].received_ms <= self.now_ms:
                batch.append(mail[at])
                at += 1
            batch += [ack for ack in self.acks if ack.received_ms <= self.now_ms]
            self.acks = [ack for ack in self.acks if ack.received_ms > self.now_ms]
            self._batch([*own_word, *batch])
            self._meanwhile()
        self._look()

    def _own_words(self, before_ms: int) -> Iterator[Posted]:
        """What the journal says of ourselves: we stood still, or are to judge by something else."""
        if self.chance.random() < 1 / 1_500:
            self.now_ms += self.chance.choice(STALLS_MS)
            yield Posted(self.now_ms, own.UNWATCHED, own.unwatched(before_ms, self.now_ms, "hang"))
        if self.chance.random() < 1 / 1_500:
            turned = site(*self.chance.choice(TURNS))
            yield Posted(self.now_ms, own.CONFIGURED, own.configured(turned.judged_by()))

    def _batch(self, batch: list[Posted]) -> None:
        told = [side.intake.live_through(self.now_ms, batch) for side in self.sides]
        self._compare(told)

    def _compare(self, changes: list[list[Change]]) -> None:
        watermark_ms = self.followed.intake.ward.watermark_ms
        for bed in self.followed.intake.ward.beds.values():
            times_ms = [time_ms for time_ms, *_ in bed.waiting]
            assert all(time_ms > watermark_ms - PATIENCE_MS for time_ms in times_ms[:1]), self._where("kept")
            assert all(time_ms > watermark_ms for time_ms in times_ms[MOST_WAITING - 1 :][:1]), self._where(
                "kept"
            )
        one, other = (side.told(each) for side, each in zip(self.sides, changes, strict=True))
        assert one == other, self._where("told")
        for change in changes[0]:
            if change.phase is Phase.START and self.chance.random() < 1 / 3:
                self._acknowledge(change)
        judged = [{name: asked(bed) for name, bed in side.intake.ward.beds.items()} for side in self.sides]
        assert self.apart or judged[0] == judged[1], self._where("judged")
        one_said, other_said = (side.verdicts() for side in self.sides)
        assert one_said == other_said, self._where("said of a message")
        for side in self.sides:
            side.refused.clear()

    def _acknowledge(self, change: Change) -> None:
        at_ms = self.now_ms + self.chance.choice([500, 7_000, 30_000])
        told = {"alert_id": change.alert_id, "by": "rn", "time": rfc3339(at_ms)}
        self.acks.append(Posted(at_ms, "alerts/v1/ack/station-1", json.dumps(told).encode()))

    def _meanwhile(self) -> None:
        """Between two batches: a tick, somebody who looks, or a restart."""
        chance, tick_ms = self.chance.random(), self.now_ms + self.chance.randint(1, 15)
        if chance < 1 / 8:
            self.now_ms = tick_ms
            self._compare([side.intake.tick(tick_ms) for side in self.sides])
        elif chance > 1 - 1 / 600:
            self._look()
        elif chance > 1 - 1 / 200:
            self._restart()

    def _look(self) -> None:
        one, other = (side.looked_at(in_full=not self.apart) for side in self.sides)
        assert one == other, self._where("seen")

    def _restart(self) -> None:
        """Both ways, or one, take over what the one that follows has kept: whole, or what is new."""
        ward = self.followed.intake.ward
        base = self.base if self.chance.random() < 1 / 2 else None
        kept = read_again(ward.snapshot(base and base["clock_ms"]))
        self.apart = self.chance.random() < 1 / 4
        for side in (self.followed,) if self.apart else self.sides:
            intake = type(side.intake).from_settings(side.intake.settings)
            intake.tally = side.intake.tally
            intake.ward.restore(kept, base and base["beds"])
            side.intake = intake
            side.__post_init__()
        self.base = kept if base is None else base

    def _where(self, what: str) -> str:
        return f"seed {self.mail.number}, {(self.now_ms - START_MS) / 1000} s: another thing was {what}"


def asked(bed: Bed) -> tuple[Any, ...]:
    """What changes when a bed is judged: what is news is so at the same tick for both."""
    return list(bed.dues_ms), bed.restless, bed.judged_again_ms


def lived(number: int, minutes: float = MINUTES, sites: Sequence[tuple[str, ...]] = SITES) -> Trial:
    """A history lived through both ways, at one of these sites."""
    chance = Random(f"trial {number}")
    settings = site(*chance.choice(sites))
    trial = Trial(
        mail_of(number, minutes),
        chance,
        Side(Following.from_settings(settings)),
        Side(ReadingAnew.from_settings(settings)),
    )
    trial.live()
    return trial


@pytest.mark.parametrize("number", [*ONCE_APART, *range(FIRST, FIRST + SEEDS)])
def test_both_ways_tell_say_and_keep_the_same(number: int) -> None:
    print(f"FOLLOWED_FIRST={number} FOLLOWED_SEEDS=1 FOLLOWED_MINUTES={MINUTES} shows it again")
    lived(number)


@pytest.mark.parametrize(("every_s", "quick_s", "line_s"), [(12, 0.5, 1), (10, 2.0, 5), (14, 1.0, 14)])
def test_a_pump_that_changes_its_pace_and_is_lost_is_told_at_the_same_tick(
    every_s: int, quick_s: float, line_s: int
) -> None:
    """It is lost by its rhythm, and what waits has another one than what was lived through."""
    slow_s = [5.18 + every_s * report for report in range(9)]
    reports_s = [*slow_s, *(slow_s[-1] + quick_s * report for report in (1, 2, 3))]
    samples_s = [0.5 + at_s for at_s in range(0, 200, line_s)]
    events = [pumped(at_s, seq) for seq, at_s in enumerate(reports_s)]
    events += [sampled(at_s, seq) for seq, at_s in enumerate(samples_s)]
    style = Style("mm[Hg]", "as charted", (",", ":"), 1)
    posted = [
        as_posted(each, style, each.time_ms + 50) for each in sorted(events, key=lambda one: one.time_ms)
    ]
    settings = load(overrides=[f"roster=[{BEDS[0]}]"])
    sides = Side(Following.from_settings(settings)), Side(ReadingAnew.from_settings(settings))
    trial = Trial(Mail(0, 3.5, posted), Undisturbed(), *sides)
    trial.live()
    assert trial.followed.intake.ward.beds[BEDS[0]].alerts["TECH-PUMP-LOST"].alert_id


@pytest.mark.parametrize("last_s", [100, 101, 112])
@pytest.mark.parametrize("way", ["read anew", "followed"])
@pytest.mark.parametrize("rule", ["TECH-MAP-LOST", "TECH-PUMP-LOST"])
def test_who_falls_silent_after_a_reload_is_lost_by_the_terms_in_force(
    rule: str, way: str, last_s: int
) -> None:
    """They were longer when it was last heard before: that promised nothing for after it."""
    longer, shorter = ([f"terms.{kind}_lost_s={lost_s}" for kind in ("map", "pump")] for lost_s in (60, 15))
    style, line = Style("mm[Hg]", "as charted", (",", ":"), 1), rule == "TECH-MAP-LOST"
    events = [sampled(0.5 + at_s, at_s) for at_s in range(last_s + 1 if line else 200)]
    events += [pumped(0.7 + at_s, at_s) for at_s in range(200 if line else last_s + 1)]
    posted = [as_posted(each, style, each.time_ms + 50) for each in events]
    turned = load(overrides=[f"roster=[{BEDS[0]}]", *shorter])
    posted.append(Posted(START_MS + 100_000, own.CONFIGURED, own.configured(turned.judged_by())))
    settings = load(overrides=[f"roster=[{BEDS[0]}]", *longer])
    intake = (Following if way == "followed" else ReadingAnew).from_settings(settings)
    began = list[int]()
    for now_ms in range(START_MS + 200, START_MS + 180_000, 200):
        batch = [each for each in posted if now_ms - 200 < each.received_ms <= now_ms]
        changes = intake.live_through(now_ms, batch)
        began += [now_ms for each in changes if each.rule.id == rule and each.phase is Phase.START]
    silent_ms = START_MS + 1_000 * last_s + (500 if line else 700)
    assert [round((at_ms - silent_ms) / 1_000, 1) for at_ms in began] == [pytest.approx(17.1, abs=0.15)]


class Undisturbed(Random):
    """Batches every fifth of a second, and nobody who looks or begins anew in between."""

    def choice(self, seq: Any) -> Any:
        return (200, 200)

    def random(self) -> float:
        return 1 / 2


def pumped(at_s: float, seq: int) -> PumpStatus:
    """A report of a pump that runs."""
    rate, state = Quantity(0.1, "ug/kg/min"), PumpState.INFUSING
    at_ms = START_MS + round(at_s * 1000)
    return PumpStatus(at_ms, BEDS[0], "PMP", "b1", seq, "1", state, "norepinephrine", rate=rate)


def sampled(at_s: float, seq: int) -> MapSample:
    """A pressure that stays as it is."""
    at_ms = START_MS + round(at_s * 1000)
    return MapSample(at_ms, BEDS[0], "MON", "b1", seq, MapSource.ARTERIAL, 75_000, True)


@pytest.mark.parametrize("number", FLOODED)
def test_what_waits_takes_no_room_from_a_small_bed(number: int) -> None:
    print(f"seed {number}")
    refused = lived(number, sites=[SMALL]).followed.intake.tally.rejected
    assert refused[Reason.BED_FLOODED]


def test_in_these_histories_messages_wait() -> None:
    """Of those that are taken a tenth; otherwise what is above means nothing."""
    before, taken = Following.waited, 0
    for number in WAITING:
        taken += lived(number).followed.intake.tally.taken.total()
    assert Following.waited - before > taken / 10
