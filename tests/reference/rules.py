"""The rule page read literally, a function a row: from the courses of a bed to alert events.

Written from the rule page and the agreed readings of it alone. Must never import the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tests.reference import pressure as pressures
from tests.reference.bed import MINUTE_MS, Bed
from tests.reference.course import DAWN_MS, Course, course, judged, lasting, recently, together
from tests.reference.dose import CHANGE_OVER_MS, TOLERANCE, any_of
from tests.reference.dosing import dose_10, dose_daily, dose_duration, dose_start, dose_step
from tests.reference.facts import Fact, Said, Terms
from tests.reference.life import RANK, alerts, always, open_in
from tests.reference.pressure import Window

HALF_HOUR_MS = 30 * MINUTE_MS


def map_low(bed: Bed) -> list[Said]:
    """MAP-LOW: the 5 min mean is below target; high when the 15 min mean is, too."""
    met = together(
        lambda short, long: ("high" if long else "medium") if short else None, bed.below(5), bed.below(15)
    )
    lower = together(
        lambda low, lost: "medium" if low is False and not lost else None,
        bed.below(15, 2_000),
        bed.signal_lost,
    )
    clear = together(lambda low, lost: low is False and not lost, bed.below(5, 2_000), bed.signal_lost)
    return alerts("MAP-LOW", met, clear, lower)


def map_crit(bed: Bed) -> list[Said]:
    """MAP-CRIT: below 55 for a minute without interruption, until 60 for a minute."""
    low = together(lambda value: value is not None and value < 55_000, bed.map)
    well = together(
        lambda value, lost: value is not None and value >= 60_000 and not lost, bed.map, bed.signal_lost
    )
    return alerts("MAP-CRIT", together(always("high"), lasting(low, MINUTE_MS)), lasting(well, MINUTE_MS))


def map_overdue(bed: Bed) -> list[Said]:
    """MAP-OVERDUE: on vasopressor and no valid MAP for 5 or 15 min; 2 or 5 within 30 min of a change."""
    valid = [each.time_ms for each in bed.readings if each.valid]
    heard = [bed.first_word_ms, *valid]
    titrating = course(False, _spells(bed.dose_changes, HALF_HOUR_MS))
    limits = (2 * MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS)
    silence = _silence(heard, limits)

    def due(silent_ms: int, on: bool, soon: bool) -> str | None:
        low, medium = (limits[0], limits[1]) if soon else (limits[1], limits[2])
        if not on or silent_ms < low:
            return None
        return "medium" if silent_ms >= medium else "low"

    met = together(due, silence, bed.on_vasopressor, titrating)
    return _until_next("MAP-OVERDUE", met, valid)


def _spells(begins: Sequence[int], for_ms: int) -> list[tuple[int, bool]]:
    """True for so long from each beginning."""
    changes = {begin + for_ms: False for begin in begins}
    for begin in begins:
        changes = {time_ms: on for time_ms, on in changes.items() if not begin < time_ms < begin + for_ms}
        changes[begin] = True
        changes[begin + for_ms] = False
    return sorted(changes.items())


def _silence(heard: Sequence[int], limits: Sequence[int]) -> Course[int]:
    """How long nothing was heard, in steps of the limits."""
    changes = []
    for at_ms, following in zip(sorted(heard), [*sorted(heard)[1:], -DAWN_MS], strict=True):
        changes += [(at_ms + late, late) for late in (0, *limits) if at_ms + late < following]
    return course(0, changes)


def _until_next(rule: str, met: Course[str | None], ends: Sequence[int]) -> list[Said]:
    """Alerts that nothing but the next of these instants ends; nor does their priority fall before."""
    came = course(0, [(time_ms, number + 1) for number, time_ms in enumerate(ends)])
    said: list[Said] = []
    priority, number = None, 0
    for time_ms in sorted({*met.times, *came.times} - {DAWN_MS}):
        if priority is not None and came.at(time_ms) != number:
            said.append(Said(time_ms, rule, "end", priority))
            priority = None
        number, wanted = came.at(time_ms), met.at(time_ms)
        if wanted is not None and (priority is None or RANK[wanted] > RANK[priority]):
            phase = "start" if priority is None else "escalate"
            said.append(Said(time_ms, rule, phase, wanted))
            priority = wanted
    return said


def esc_threshold(bed: Bed) -> list[Said]:
    """ESC-THRESHOLD: 0.25 or more for a minute, until below 0.22 for a minute."""
    high = together(
        lambda dose, hepatorenal: dose is not None and dose >= Fraction("0.25") and not hepatorenal,
        bed.dose,
        bed.hepatorenal,
    )
    low = together(lambda dose: dose is not None and dose < Fraction("0.22"), bed.dose)
    met = together(always("medium"), lasting(high, MINUTE_MS))
    clear = together(lambda low, hepatorenal: low or hepatorenal, lasting(low, MINUTE_MS), bed.hepatorenal)
    return alerts("ESC-THRESHOLD", met, clear)


def esc_second_agent(bed: Bed) -> list[Said]:
    """ESC-SECOND-AGENT: hypotension over 15 min at 0.10, urgent at 0.25; not while vasopressin runs."""

    def called_for(low: bool | None, dose: Fraction | None, hepatorenal: bool) -> str | None:
        if not low or dose is None or dose < Fraction("0.10") or hepatorenal:
            return None
        return "high" if dose >= Fraction("0.25") else "medium"

    def ended(low: bool | None, lost: int, dose: Fraction | None, hepatorenal: bool) -> bool:
        return (low is False and not lost) or (dose is not None and dose < Fraction("0.08")) or hepatorenal

    wanted = together(called_for, bed.below(15), bed.dose, bed.hepatorenal)
    runs = together(lambda rate: rate is not None and rate >= Fraction("0.03"), bed.vasopressin)
    clear = together(ended, bed.below(15), bed.signal_lost, bed.dose, bed.hepatorenal)
    lower = together(
        lambda low, lost, dose: (low is False and not lost) or (dose is not None and dose < Fraction("0.25")),
        bed.below(15),
        bed.signal_lost,
        bed.dose,
    )
    return _second_agent_life(wanted, runs, clear, lower)


def _second_agent_life(
    wanted: Course[str | None], runs: Course[bool], clear: Course[bool], lower: Course[bool]
) -> list[Said]:
    """No new alert while the second agent runs; an open one goes on as if it did not."""
    said: list[Said] = []
    priority: str | None = None
    for time_ms in sorted({*wanted.times, *runs.times, *clear.times, *lower.times} - {DAWN_MS}):
        want = wanted.at(time_ms)
        if priority is None:
            if want is not None and not runs.at(time_ms):
                said.append(Said(time_ms, "ESC-SECOND-AGENT", "start", want))
                priority = want
        elif clear.at(time_ms):
            said.append(Said(time_ms, "ESC-SECOND-AGENT", "end", priority))
            priority = None
        elif want == "high" and priority == "medium":
            said.append(Said(time_ms, "ESC-SECOND-AGENT", "escalate", "high"))
            priority = "high"
        elif lower.at(time_ms) and priority == "high":
            said.append(Said(time_ms, "ESC-SECOND-AGENT", "deescalate", "medium"))
            priority = "medium"
    return said


def wean_fast(bed: Bed) -> list[Said]:
    """WEAN-FAST: still running, at less than 75 % (0.5 % tolerance) of the last 30 minutes' highest.

    A stop raises nothing and ends nothing: it is a deeper fall."""
    highest = _highest(bed.dose, HALF_HOUR_MS)
    unknown = recently(together(lambda dose: dose is None, bed.dose), HALF_HOUR_MS)
    remaining = Fraction(75, 100) * (1 - Fraction(5, 1000))
    met = together(lambda dose, high: dose is not None and 0 < dose < remaining * high, bed.dose, highest)
    clear = together(
        lambda dose, high, unknown: dose is not None and dose >= remaining * high and not unknown,
        bed.dose,
        highest,
        unknown,
    )
    return alerts("WEAN-FAST", together(always("medium"), met), clear)


def _highest(dose: Course[Fraction | None], within_ms: int) -> Course[Fraction]:
    """The highest dose that is known of the last `within_ms`."""
    known = [(begin, end, value) for begin, end, value in dose.runs() if value is not None]
    changes = []
    for time_ms in sorted({t for begin, end, _ in known for t in (begin, end + within_ms)}):
        recent = [value for begin, end, value in known if begin <= time_ms < end + within_ms]
        changes.append((time_ms, max(recent, default=Fraction(0))))
    return course(Fraction(0), changes)


def wean_stop(bed: Bed) -> list[Said]:
    """WEAN-STOP: from 0.05 or more to nothing, for 5 min or with MAP below target meanwhile."""
    low = together(lambda value, target: value is not None and value < target, bed.map, bed.target)
    well = together(
        lambda value, target, lost: value is not None and value >= target and not lost,
        bed.map,
        bed.target,
        bed.signal_lost,
    )
    held = lasting(well, 15 * MINUTE_MS)
    heard = any_of(
        [together(lambda s, lost: s == "infusing" and not lost, c.state, c.lost) for c in bed.norepinephrine]
    )
    running = together(lambda dose, heard: heard if dose is None else dose > 0, bed.dose, heard)
    said: list[Said] = []
    for waited, end in _stops(bed.dose_unless_resumed):
        raised = next(
            (t for b, e in waited for t in [_raised(low, b, min(e, b + 5 * MINUTE_MS), e)] if t is not None),
            None,
        )
        if raised is None:
            continue
        said.append(Said(raised, "WEAN-STOP", "start", "high"))
        resumed = min((t for t in running.times if t >= raised and running.at(t)), default=end)
        ended = min(end, resumed, _seen_and_held(bed, raised, waited[0][0], held))
        if ended < -DAWN_MS:
            said.append(Said(ended, "WEAN-STOP", "end", "high"))
    return said


def _stops(dose: Course[Fraction | None]) -> list[tuple[list[tuple[int, int]], int]]:
    """(spans in which nothing is known to flow, resumed) of each stop from 0.05 or more.

    Pumps that said they paused and then fell silent have not been heard to resume."""
    stops: list[tuple[list[tuple[int, int]], int]] = []
    last, spans = Fraction(0), list[tuple[int, int]]()
    for begin, end, value in [*dose.runs(), (-DAWN_MS, -DAWN_MS, Fraction(1))]:
        if value is not None and value > 0:
            if spans and last >= Fraction("0.05"):
                stops.append((spans, begin))
            last, spans = value, []
        elif value is not None:
            joins = spans and spans[-1][1] == begin
            spans = [*spans[:-1], (spans[-1][0], end)] if joins else [*spans, (begin, end)]
    return stops


def _raised(low: Course[bool], begin: int, grace: int, end: int) -> int | None:
    """When a stop is no change-over any more: the grace is over, or the pressure is below target."""
    below = [t for t in (begin, *low.times) if begin <= t < min(grace, end) and low.at(t)]
    if below:
        return min(below)
    return grace if begin + 5 * MINUTE_MS < end else None


def _seen_and_held(bed: Bed, raised: int, stopped: int, held: Course[bool]) -> int:
    """When the alert has been acknowledged and MAP has been at target for 15 minutes since the stop."""
    first = max(bed.seen("WEAN-STOP", raised), stopped + 15 * MINUTE_MS)
    return min((t for t in (first, *held.times) if t >= first and held.at(t)), default=-DAWN_MS)


def wean_fail(bed: Bed) -> list[Said]:
    """WEAN-FAIL: the 5 min mean is below target within 30 min after a reduction."""
    reduced = course(False, _after_reductions(bed))
    met = together(lambda low, soon: "medium" if low and soon else None, bed.below(5), reduced)
    clear = together(lambda low, lost: low is False and not lost, bed.below(5, 2_000), bed.signal_lost)
    return alerts("WEAN-FAIL", met, clear)


def _after_reductions(bed: Bed) -> list[tuple[int, bool]]:
    """True within 30 min of a reduction, until the next change of either direction."""
    changes: dict[int, bool] = {}
    settled = sorted(_settled_changes(bed))
    following = [*(certain for certain, _, _ in settled[1:]), -DAWN_MS]
    for (certain, at_ms, down), then in zip(settled, following, strict=False):
        changes[certain] = down
        if at_ms + HALF_HOUR_MS < then:
            changes[max(certain, at_ms + HALF_HOUR_MS)] = False
    return sorted(changes.items())


def _settled_changes(bed: Bed) -> list[tuple[int, int, bool]]:
    """(since when it is certain, when, whether down) of each change, start and stop.

    By weight, and in what flows where no weight is known before it or after it."""
    found = {begin: (begin, begin, False) for begin, _ in bed.infusions}
    found |= {end: (end + CHANGE_OVER_MS, end, True) for _, end in bed.infusions}
    for begin, end in bed.infusions:
        for at, before, down in _changes(bed.flow, begin, end):
            if not (bed.dose.at(before) and bed.dose.at(at)):
                found[at] = (at, at, down)
        found |= {at: (at, at, down) for at, _, down in _changes(bed.dose, begin, end)}
    return sorted(found.values())


def _changes(of: Course[Fraction | None], begin: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(when, the last instant of what was before, whether down) of the changes within an infusion.

    A gap that may be a change-over, or a silence as short, is bridged; over a longer one nobody saw
    when the change was made. What is within the tolerance of the last change adds up."""
    last, until = None, DAWN_MS
    for since, then, value in of.runs():
        if not value or not begin <= since < end:
            continue
        if last is None or since - until > CHANGE_OVER_MS:
            last = value
        elif abs(value - last) > TOLERANCE * last:
            yield since, until - 1, value < last
            last = value
        until = then


def tech_map_lost(bed: Bed) -> list[Said]:
    """TECH-MAP-LOST: low when lost, medium after a minute of nothing."""
    met = together(lambda lost: (None, "low", "medium")[lost], bed.signal_lost)
    return alerts("TECH-MAP-LOST", met, together(lambda lost: not lost, bed.signal_lost))


def tech_pump_lost(bed: Bed) -> list[Said]:
    """TECH-PUMP-LOST: a pump that was infusing is silent."""
    lost = any_of([each.lost for each in bed.channels])
    return alerts("TECH-PUMP-LOST", together(always("medium"), lost), together(lambda x: not x, lost))


def tech_dose(bed: Bed) -> list[Said]:
    """TECH-DOSE: a pump of norepinephrine infuses at a rate that nobody can tell, lost contact apart; until
    the dose is known, which it is not while contact is lost."""
    heard = [together(lambda no, gone: no and not gone, e.no_figure, e.lost) for e in bed.norepinephrine]
    missing, lost = any_of(heard), any_of([each.lost for each in bed.norepinephrine])
    known = together(lambda missing, lost: not missing and not lost, missing, lost)
    return alerts("TECH-DOSE", together(always("medium"), missing), known)


def tech_map_artefact(bed: Bed) -> list[Said]:
    """TECH-MAP-ARTEFACT: more than a fifth of a minute, until less than a twentieth and still heard."""
    share = pressures.artefact_share(bed.readings)
    met = together(always("low"), _more_than(share, Fraction(12_000)))
    few = together(lambda some: not some, _more_than(share, Fraction(2_999)))
    clear = together(lambda few, sends: few and sends, few, bed.monitor_sends)
    return alerts("TECH-MAP-ARTEFACT", met, clear)


def _more_than(share: Window, limit_ms: Fraction) -> Course[bool]:
    """Whether artefacts held for more than this of the last minute."""
    return judged(lambda time_ms: share.sums(time_ms)[0] > limit_ms, share.breaks())


ALARMS = (
    map_low,
    map_crit,
    map_overdue,
    esc_threshold,
    esc_second_agent,
    wean_fast,
    wean_stop,
    wean_fail,
    dose_daily,
    dose_step,
    tech_map_lost,
    tech_pump_lost,
    tech_dose,
    tech_map_artefact,
)
"""Every rule that is physiological or technical: while one of their alerts is open, nobody is weaned."""
ADVICE = (dose_start, dose_10, dose_duration)
"""Rules that forbid nothing."""


def wean_ready(bed: Bed, alarms: Sequence[Sequence[Said]]) -> list[Said]:
    """WEAN-READY: at target and at one dose for half an hour, and nothing else is the matter."""
    well = together(lambda low: low is False, bed.below(5))
    covered = Window(bed.map, HALF_HOUR_MS).covered(Fraction(9, 10))
    known = together(lambda dose: dose is not None, bed.dose)
    known = together(lambda a, b: a and b, known, course(False, [(bed.first_dose_ms, True)]))
    changed = course(False, _spells(bed.dose_changes, HALF_HOUR_MS))
    alarm = any_of([open_in(said) for said in alarms])
    ready = together(
        lambda well, covered, known, changed, dose, alarm: (
            well and covered and known and not changed and dose is not None and dose > 0 and not alarm
        ),
        lasting(well, HALF_HOUR_MS),
        covered,
        lasting(known, HALF_HOUR_MS),
        changed,
        bed.dose,
        alarm,
    )
    return alerts("WEAN-READY", together(always("info"), ready), together(lambda x: not x, ready))


def reference(facts: Sequence[Fact], terms: Terms | None = None) -> list[Said]:
    """Every alert event of a history, in order of time and rule."""
    bed = Bed(facts, terms or Terms())
    alarms = [rule(bed) for rule in ALARMS]
    advice = [rule(bed) for rule in ADVICE]
    said = [each for rule in [*alarms, *advice] for each in rule]
    return sorted([*said, *wean_ready(bed, alarms)])
