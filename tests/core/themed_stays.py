"""Stays drawn by theme, each of which knows the rules that it can raise and end; two make a history.

Circulation: pressure, dose and weaning. Equipment: bags, lines, pumps' alarms, numbers, clocks, serials.
Hepatorenal: that protocol, with urine. Signs: other drugs, children, fluids, and what is charted.

Each history follows from a number. Hypothesis draws the number and an even chance the spells from it, for
hypothesis's own draws repeat themselves so much that rare rules were raised and never ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from ward_histories import BEDS, LENGTH_MIN, Bag, History, Line, Spell, Stay, acknowledging, arrived, run

from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.events import MILLI, ObservationKind, Profile

Traits = tuple[tuple[str, Any], ...]
Draw = Callable[[Random], Spell]

STEADY_MMHG = [64.999, 65.0, 67.0, 70.0, 75.0, 80.0]
MMHG = [48.0, 54.999, 55.0, 58.0, 60.0, 64.9, 64.999, 65.0, 66.9, 67.0, 70.0, 80.0]
STEADY_RATES = [0.02, 0.1, 0.12, 0.15, 0.25]
RATES = [0.02, 0.04, 0.05, 0.07, 0.08, 0.0999, 0.1, 0.12, 0.15, 0.2, 0.22, 0.2499, 0.25, 0.3]
CHILD_RATES = [0.05, 0.2, 1.5, 6.0]
BAG_RATES = [0.05, 0.1, 0.2]
HRS_RATES = [0.1, 0.15, 0.25, 0.7, 0.8]
"""At 70 kg: 0.119 is 0.5 mg/h, and 0.714 the highest, 3 mg/h."""
OTHER_RATES = {
    "vasopressin": [0.02, 0.03, 0.05],
    "epinephrine": [0.05, 0.1, 0.3, 0.6],
    "dobutamine": [10.0, 25.0],
    "dopamine": [3.0, 8.0],
    "phenylephrine": [1.0],
}
PRESSURE_STEPS_S = [5, 10, 15]
PUMP_STEPS_S = [10, 15, 20]
CHART_STEPS_S = [20, 30, 50]
BRIEF_MIN = [0.5, 1, 2, 3]
FIRM_MIN = [1, 2, 3]
CALM_MIN = [5, 6, 8]


# spells


def one_of(kinds: Sequence[str], values: Sequence[float], minutes: Sequence[float] = BRIEF_MIN) -> Draw:
    """How a spell of one of these kinds is drawn."""
    return lambda chance: Spell(chance.choice(kinds), chance.choice(minutes), chance.choice(values))


def line(chance: Random, steps_s: Sequence[int], *draws: Draw) -> Line:
    """Spells drawn in one of these ways each, until the time is full."""
    spells: list[Spell] = []
    while sum(spell.minutes for spell in spells) < LENGTH_MIN:
        spells.append(chance.choice(draws)(chance))
    return Line(tuple(spells), chance.choice(steps_s), chance.choice([0, 0, 0, 2]))


LEVELS = one_of(["level"], MMHG)
TROUBLED = one_of(["silence", "lost", "artefact", "cuff"], MMHG)
CALM_LEVELS = one_of(["level", "level", "cuff"], STEADY_MMHG, CALM_MIN)
DOSES = one_of(["rate"], RATES)
CALM_DOSES = one_of(["rate"], STEADY_RATES, CALM_MIN)
OTHER_THAN_DOSES = one_of(["stopped", "paused", "kvo", "silence", "lost", "blind"], [5.0])


def of_drug(drug: str) -> Draw:
    runs = "units" if drug == "vasopressin" else "rate"
    return one_of([runs, runs, "stopped", "silence"], OTHER_RATES[drug])


READINGS = {
    ObservationKind.SYSTOLIC: one_of(["level"], [60.0, 69.9, 75.0, 110.0, 120.0, 130.0]),
    ObservationKind.LACTATE: one_of(["level"], [1.8, 2.0, 4.0]),
    ObservationKind.URINE_OUTPUT: one_of(["level"], [0.0, 0.2, 4.0], FIRM_MIN),
    ObservationKind.FLUID_BOLUS: one_of(
        ["normal_saline", "lactated_ringers", "albumin"], [250.0, 500.0, 1000.0]
    ),
    ObservationKind.CAPILLARY_REFILL: one_of(["level"], [2.0, 3.0, 4.5]),
    ObservationKind.EXTRAVASATION: one_of(["none", "none", "infiltrated"], [0.0]),
    ObservationKind.ARRHYTHMIA: one_of(["sinus_rhythm", "atrial_fibrillation"], [0.0]),
}
UNCHARTED = one_of(["silence"], [0.0])


def charted(chance: Random, *kinds: ObservationKind) -> tuple[tuple[ObservationKind, Line], ...]:
    return tuple(
        (kind, line(chance, CHART_STEPS_S, READINGS[kind], READINGS[kind], UNCHARTED)) for kind in kinds
    )


def context(chance: Random) -> tuple[int, str, Any]:
    """Something of the patient that changes, and at which minute."""
    what, values = chance.choice(
        [
            ("map_target_milli_mmhg", [60 * MILLI, 65 * MILLI, 75 * MILLI]),
            ("weight_kg", [None, 60.0, 80.0]),
            ("profile", [Profile.GENERAL, Profile.HEPATORENAL]),
            ("session", ["S-2", "S-3"]),
            ("freed", [None]),
        ]
    )
    return chance.randrange(1, LENGTH_MIN), what, chance.choice(values)


def contexts_apart(chance: Random) -> tuple[tuple[int, str, Any], ...]:
    """Two contexts of one instant are in the order of their topic, which is that of their arrival."""
    drawn = {
        minute: (minute, *what) for minute, *what in (context(chance) for _ in range(chance.randrange(3)))
    }
    return tuple(drawn[minute] for minute in sorted(drawn))


# themes

HEARTS: list[Traits] = [
    (),
    (("beta_blocked", True),),
    (("beta_blocked", True), ("myocardial_dysfunction", True)),
    (("baseline_systolic_mmhg", 150.0),),
]
PATIENTS: list[Traits] = [
    (),
    (("profile", Profile.SEPTIC_SHOCK),),
    (("profile", Profile.PEDIATRIC), ("age_group", "pediatric")),
    (("pregnant", True), ("baseline_systolic_mmhg", 150.0)),
]
DRUGS_TOGETHER = [("epinephrine", "dopamine"), ("dobutamine", "phenylephrine"), ("dopamine", "vasopressin")]
OF_PERFUSION = (ObservationKind.LACTATE, ObservationKind.URINE_OUTPUT, ObservationKind.CAPILLARY_REFILL)
OF_THE_REST = (
    ObservationKind.SYSTOLIC,
    ObservationKind.FLUID_BOLUS,
    ObservationKind.ARRHYTHMIA,
    ObservationKind.EXTRAVASATION,
)


def circulation(chance: Random, bed: str) -> Stay:
    """Pressure, dose and weaning: calm (long spells, nothing lost) or not."""
    if chance.random() < 1 / 2:
        pressure = line(chance, PRESSURE_STEPS_S, CALM_LEVELS)
        return Stay(bed, pressure, (("1", "norepinephrine", line(chance, PUMP_STEPS_S, CALM_DOSES)),))
    pumps = [("1", "norepinephrine", line(chance, PUMP_STEPS_S, DOSES, DOSES, OTHER_THAN_DOSES))]
    match chance.choice(["alone", "vasopressin", "second channel"]):
        case "vasopressin":
            pumps.append(("3", "vasopressin", line(chance, PUMP_STEPS_S, of_drug("vasopressin"))))
        case "second channel":
            pumps.append(("2", "norepinephrine", line(chance, PUMP_STEPS_S, DOSES, OTHER_THAN_DOSES)))
    return Stay(
        bed,
        line(chance, PRESSURE_STEPS_S, LEVELS, LEVELS, TROUBLED),
        tuple(pumps),
        charted(chance, ObservationKind.SYSTOLIC),
        chance.choice(HEARTS),
        wobble=chance.random() < 1 / 2,
    )


def bag(chance: Random) -> Bag:
    return Bag(
        strength=chance.choice([16.0, 4.0, 20.0]),
        diluent=chance.choice(["D5W", "NS", None]),
        route=chance.choice(["peripheral", "peripheral", "central", None]),
        line=chance.choice(["A", "A", "B", None]),
        alarms=chance.choice([(), (), ("MDC_EVT_FLUID_LINE_OCCL",), ("MDC_EVT_BATT_LO", "MDC_EVT_X1")]),
        volume_ml=chance.choice([None, 50.0, 1.5]),
    )


def in_bags(draw: Draw) -> Draw:
    """The same spells, each from a bag of its own."""
    return lambda chance: replace(draw(chance), bag=bag(chance))


BAGS = in_bags(one_of(["rate"], BAG_RATES, FIRM_MIN))
OTHER_THAN_BAGS = in_bags(one_of(["stopped", "silence", "lost", "ahead", "behind"], BAG_RATES))
ALKALINE = in_bags(one_of(["rate", "stopped"], [1.0], FIRM_MIN))
MONITORED = one_of(["level"], STEADY_MMHG)
MISHEARD = one_of(["lost", "ahead", "behind", "borrowed"], STEADY_MMHG)


def equipment(chance: Random, bed: str) -> Stay:
    """Bags and lines, pumps that alarm or run dry, numbers missing, clocks wrong, serials at two beds."""
    pumps = [
        ("1", "norepinephrine", line(chance, PUMP_STEPS_S, BAGS, BAGS, OTHER_THAN_BAGS)),
        ("4", "sodium_bicarbonate", line(chance, PUMP_STEPS_S, ALKALINE)),
    ]
    if chance.random() < 1 / 2:
        pumps.append(("2", "norepinephrine", line(chance, PUMP_STEPS_S, BAGS, OTHER_THAN_BAGS)))
    return Stay(bed, line(chance, PRESSURE_STEPS_S, MONITORED, MONITORED, MISHEARD), tuple(pumps))


def hepatorenal(chance: Random, bed: str) -> Stay:
    """That protocol: steps, a maximum, and a response by pressure or urine."""
    steps = one_of(["rate"], HRS_RATES, CALM_MIN)
    others = one_of(["rate", "stopped", "silence", "blind"], HRS_RATES)
    urine = ObservationKind.URINE_OUTPUT
    return Stay(
        bed,
        line(chance, PRESSURE_STEPS_S, one_of(["level"], [55.0, 60.0, 68.0, 80.0], FIRM_MIN)),
        (("1", "norepinephrine", line(chance, PUMP_STEPS_S, steps, others)),),
        ((urine, line(chance, CHART_STEPS_S, READINGS[urine])),),
        (("profile", Profile.HEPATORENAL),),
        wobble=chance.random() < 1 / 2,
    )


def signs(chance: Random, bed: str) -> Stay:
    """Other drugs beside or before norepinephrine, children's doses, fluids, and what is charted."""
    patient = chance.choice(PATIENTS)
    rates = CHILD_RATES if ("profile", Profile.PEDIATRIC) in patient else RATES
    doses, pauses = one_of(["rate"], rates), one_of(["stopped", "silence"], rates)
    pumps = [("1", "norepinephrine", line(chance, PUMP_STEPS_S, doses, doses, pauses))]
    for channel, drug in enumerate(chance.choice(DRUGS_TOGETHER), 3):
        pumps.append((str(channel), drug, line(chance, PUMP_STEPS_S, of_drug(drug))))
    kinds = chance.choice([OF_PERFUSION, OF_THE_REST])
    pressure = line(chance, PRESSURE_STEPS_S, CALM_LEVELS)
    return Stay(bed, pressure, tuple(pumps), charted(chance, *kinds), patient)


THEMES = (circulation, equipment, hepatorenal, signs)
PAIRS = list(combinations(THEMES, len(BEDS)))


def ward_of(
    number: int, late: bool = True, contexts: bool = True, acks: bool = True, borrowing: bool = True
) -> History:
    """Two beds of different themes; some messages late, some alerts acknowledged, the patients changing, a
    monitor speaking for both."""
    chance = Random(number)
    drawn = [theme(chance, bed) for theme, bed in zip(chance.choice(PAIRS), BEDS, strict=True)]
    drawn = [replace(stay, silent_min=chance.choice([0, 0, 0, 2])) for stay in drawn]
    if contexts:
        drawn = [replace(stay, contexts=contexts_apart(chance)) for stay in drawn]
    if not borrowing:
        drawn = [replace(stay, pressure=stay.pressure.without("borrowed")) for stay in drawn]
    history = arrived(tuple(drawn), chance.randrange(1000), chance.choice([0, 11, 41]) if late else 0)
    if not acks or chance.random() < 1 / 4:
        return history
    return acknowledging(history, [chance.randrange(7) for _ in range(chance.randrange(4, 12))])


# laws

COVERING = (5, 7, 26, 107, 116)
"""Numbers of histories that together raise and end every rule."""
HOW_TO_COVER = "`python tests/core/themed_stays.py` finds other numbers for COVERING"

Law = Callable[[History, Random], None]


def law(more: int = 2, **without: bool) -> Callable[[Law], Callable[[], None]]:
    """A law is held over the histories that together raise and end every rule, and over some `more` that
    hypothesis draws; what the law itself needs is drawn from a chance of its own.

    Not shrunk: the spells of the history are noted, and can be read as they are."""

    def held_over_all(rule: Law) -> Callable[[], None]:
        @settings(
            max_examples=more,
            deadline=None,
            print_blob=True,
            phases=(Stage.explicit, Stage.reuse, Stage.generate),
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(st.integers(0, 1 << 32))
        def holds(number: int) -> None:
            history = ward_of(number, **without)
            note(repr(history))
            rule(history, Random(~number))

        for number in COVERING:
            holds = example(number)(holds)
        holds.__name__, holds.__doc__, holds.__module__ = rule.__name__, rule.__doc__, rule.__module__
        return holds

    return held_over_all


def find_covering(most: int) -> tuple[int, ...]:
    """Among the first histories some that together raise and end every rule, the most eventful first."""
    done = {number: told_of(run(ward_of(number)).changes) for number in range(most)}
    wanted, chosen = set().union(*done.values()), []
    while wanted:
        best = max(done, key=lambda number: (len(done[number] & wanted), -number))
        chosen.append(best)
        wanted -= done[best]
    return tuple(sorted(chosen))


def told_of(changes: Iterable[Change]) -> set[tuple[str, Phase]]:
    """Which rules were raised, and which ended otherwise than with the stay."""
    return {
        (c.rule.id, c.phase)
        for c in changes
        if c.phase is Phase.START or (c.phase is Phase.END and c.reason is None)
    }


if __name__ == "__main__":
    print(find_covering(200))
