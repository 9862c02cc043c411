"""What TECH-PUMP says of a pump that nobody hears any more."""

from __future__ import annotations

import pytest

from streamproc.config import load
from streamproc.core.alert import Phase
from streamproc.core.events import PumpState, PumpStatus
from streamproc.core.finding import State
from streamproc.shell.intake import Intake
from streamproc.shell.journal import Recorded
from streamproc.wire import rfc3339
from tests.charts import BED, MINUTE_MS, START_MS, chart_events, new_ward, play

STEP_MS = 10_000


def test_a_lost_pump_that_last_alarmed_is_unknown_not_alarming() -> None:
    """Its last word keeps the alert, but nothing says that it still holds."""
    ward = new_ward()
    written = {"map": "70x10", "norepinephrine": "0.1x5 _x5", "norepinephrine_pump": {"alarms": "batteryx5"}}
    play(ward, chart_events(written), START_MS + 9 * MINUTE_MS)
    bed = ward.beds[BED]
    rule = next(rule for rule in ward.rules if rule.id == "TECH-PUMP")
    assert rule.judge(bed.chart).levels[0].when.state is State.UNKNOWN
    assert bed.alerts["TECH-PUMP"].open


def test_a_pump_that_was_put_away_and_speaks_again_with_its_alarm_is_told_again() -> None:
    """Its alarm ended by silence alone; the first word shows that it still stands."""
    ward, told = new_ward(), []
    ward.tick(START_MS)
    for number in [*range(1, 13), *range(36, 49)]:  # four minutes of silence between
        at_ms = START_MS + number * STEP_MS
        told += ward.tick(at_ms)
        origin = ("PMP-1", "b1", number)
        stands, occluded = PumpState.STOPPED, ("MDC_EVT_FLUID_LINE_OCCL",)
        status = PumpStatus(at_ms, BED, *origin, "1", stands, "norepinephrine", alarms=occluded)
        ward.offer(status, at_ms, number)
    told += ward.tick(at_ms + MINUTE_MS // 12)
    phases = [(c.phase, c.time_ms) for c in told if c.rule.id == "TECH-PUMP" and c.phase is not Phase.UPDATE]
    assert [phase for phase, _ in phases] == [Phase.START, Phase.END, Phase.START]
    assert phases[-1][1] == START_MS + 36 * STEP_MS


@pytest.mark.parametrize("known", [False, True])
def test_of_a_pump_that_speaks_more_often_now_a_silence_is_measured_by_that(known: bool) -> None:
    """Its alarm ends with the silence of its present rhythm, also where its topic is known."""
    intake, told = Intake.from_settings(load()), []
    spoken_s = [*range(0, 50, 10), *range(65, 170, 25), *range(225, 470, 60), 467, 469, 471]
    for at_s in range(700):
        at_ms = START_MS + 1_000 * at_s
        payloads = {"map": steady(at_s, at_ms)}
        if at_s in spoken_s:
            payloads["pump/1"] = occluded(spoken_s.index(at_s), at_ms)
        messages = [
            Recorded(f"bedside/v1/{BED}/{kind}", payload, False) for kind, payload in payloads.items()
        ]
        told += intake.live_through(at_ms, messages)
        if not known:
            intake.known.clear()
    silent_ms = intake.ward.terms.pump_lost_ms
    assert silent_ms == 15_000, "three intervals of 2 s are less, three of a minute are more"
    assert intake.ward.beds[BED].calm
    phases = [(c.phase, c.time_ms) for c in told if c.rule.id == "TECH-PUMP"]
    assert phases == [(Phase.START, START_MS), (Phase.END, START_MS + 471_000 + silent_ms)]


def steady(number: int, at_ms: int) -> bytes:
    """What a monitor reports again and again."""
    return (
        f'{{"device":"MON-1","boot":"1","seq":{number},"time":"{rfc3339(at_ms)}",'
        '"metric":"MDC_PRESS_BLD_ART_ABP_MEAN","value":80,"unit":"mm[Hg]","quality":"good"}'
    ).encode()


def occluded(number: int, at_ms: int) -> bytes:
    """What a stopped pump reports again and again."""
    return (
        f'{{"device":"PMP-1","boot":"1","seq":{number},"time":"{rfc3339(at_ms)}","status":"stopped",'
        '"drug":"norepinephrine","form":"base","alarms":["MDC_EVT_FLUID_LINE_OCCL"]}'
    ).encode()
