"""TECH-PUMP: a pump says that something is wrong with it, or its norepinephrine is about to run out.

Any drug's pump counts. A pump that is out of contact keeps what it last said, as silence mends nothing;
but one that had stopped before it fell silent has been put away.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.bag import lasts_less_than
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import NEVER, Finding, any_of, found, negated, unknown
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import ALL_PUMPS, Of, sight
from streamproc.core.terms import PumpAlarm
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import SECONDS_PER_MINUTE, minutes

NO_PUMP = found("pump trouble", False, value="none else", saw=ALL_PUMPS)


@dataclass(frozen=True, slots=True)
class TechPump:
    """How long before its end an infusion of norepinephrine is near it; codes are `pump_alarms`."""

    near_end_s: Seconds


def judge(chart: Chart, p: TechPump) -> Judgement:
    channels = [channel for _, channel in sorted(chart.infusions.channels.items())]
    wrong = any_of(*(troubled(chart, p, channel) for channel in channels), NO_PUMP)
    wrong = wrong.until(min((_put_away_ms(chart, channel) for channel in channels), default=NEVER))
    variant = "; ".join(_troubles(chart, p)) or chart.alert("TECH-PUMP").variant
    return Judgement(
        levels=(Level(Priority.MEDIUM, wrong),), clears=(Clear(negated(wrong)),), variant=variant
    )


def troubled(chart: Chart, p: TechPump, channel: Channel) -> Finding:
    """Whether a channel alarms or is near its end; unknown where a lost one last said so."""
    alarms = ", ".join(channel.status.alarms)
    name = channel.status.channel
    saw = sight(Of.CHANNEL, name)
    alarm = found(f"alarm of channel {name}", bool(alarms), value=alarms or "none", saw=saw)
    trouble = any_of(alarm, near_end(chart, p, channel))
    if channel.is_put_away(chart.now_ms, chart.terms):
        return found(f"channel {name}", False, value="stopped, then silent", saw=saw)
    if channel.lost and trouble.met:
        return unknown(f"channel {name}", "it is out of contact since it alarmed", saw=saw)
    return trouble


def _put_away_ms(chart: Chart, channel: Channel) -> int:
    """When a channel's trouble is told no longer, for which the wording waits even if another's goes on."""
    due_ms = channel.loss_due_ms(chart.terms)
    return due_ms if channel.is_put_away_in_time and due_ms > chart.now_ms else NEVER


def near_end(chart: Chart, p: TechPump, channel: Channel) -> Finding:
    """Whether what is left of a running norepinephrine bag lasts less than the limit."""
    status, terms = channel.status, chart.terms
    if not channel.infusing or status.drug != terms.titrated_drug:
        saw = sight(Of.CHANNEL, status.channel)
        return found(f"bag of channel {status.channel}", False, value="not asked", saw=saw)
    return lasts_less_than(p.near_end_s, channel, terms.drugs[status.drug], chart.infusions.weight_kg)


def _troubles(chart: Chart, p: TechPump) -> list[str]:
    """What each channel says, in words, by channel; computed nearness only where no code said it."""
    told = []
    for name, channel in sorted(chart.infusions.channels.items()):
        if channel.is_put_away(chart.now_ms, chart.terms):
            continue
        words = list(dict.fromkeys(_in_words(chart, code) for code in channel.status.alarms))
        if near_end(chart, p, channel).met and PumpAlarm.NEAR_END not in words:
            words.append(PumpAlarm.NEAR_END)
        if words:
            told.append(f"{', '.join(words)} ({channel.status.drug}, channel {name})")
    return told


def _in_words(chart: Chart, code: str) -> str:
    meaning = chart.terms.alarm_meaning(code)
    return f"{meaning} {code}" if meaning is PumpAlarm.OTHER else meaning


def word(chart: Chart, p: TechPump, alert: Alert) -> Wording:
    left = [
        clause.value
        for channel in chart.infusions.running(chart.terms.titrated_drug)
        for clause in near_end(chart, p, channel).clauses
        if isinstance(clause.value, float)
    ]
    short = [left_min for left_min in left if left_min * SECONDS_PER_MINUTE < p.near_end_s]
    return Wording(
        text=f"Pump: {alert.variant}",
        advice=(
            "Go to the pump: clear the line, close the door or mend its power as it says, and have the next "
            f"bag running before the present one is {minutes(p.near_end_s)} from its end."
        ),
        figure="pump in order",
        value=min(short, default=None),
        limit=p.near_end_s / SECONDS_PER_MINUTE if short else None,
        unit="min" if short else "",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="TECH-PUMP",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Administration Route", "Technical", "E"),
    reads=Reads.PUMPS | Reads.VOLUME | Reads.CONTEXT,
    sentence=(
        "If a pump alarms (occlusion, air in line, empty, door, battery, near end of infusion, or any other"
        " code), or what is left of a norepinephrine bag lasts less than {near_end_s} s at its rate, alert"
        " (medium). Clear once no pump alarms and none is near its end."
    ),
    parameters=TechPump,
    judge=judge,
    word=word,
)
