"""A unit is only notation: the same history in other units, or by salt, gives the same alerts."""

from __future__ import annotations

from random import Random
from typing import Any

from other_units import PUMP_UNITS, in_units
from themed_stays import law
from ward_histories import History, run


def told_of(history: History) -> list[tuple[Any, ...]]:
    """What is announced; of CONC-UNKNOWN not in words, which are the figures as charted."""
    told = run(history).told()
    return [(*each[:6], *each[7:]) if each[2] == "CONC-UNKNOWN" else each for each in told]


@law(late=False, contexts=False, acks=False)
def test_units_are_only_notation(history: History, chance: Random) -> None:
    """kPa for mm[Hg], other units of the pumps, of base or of salt: the same alerts, values and texts."""
    told = told_of(history)
    for pump_unit in chance.sample(PUMP_UNITS, 2):
        assert told_of(in_units(history, chance.choice(["mm[Hg]", "kPa"]), pump_unit)) == told, pump_unit
