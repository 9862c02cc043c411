"""A unit is only notation: the same history in other units, or by salt, gives the same alerts."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from other_units import PUMP_UNITS, in_units
from themed_stays import histories, laws
from ward_histories import History, run


def told_of(history: History) -> list[tuple[Any, ...]]:
    """What is announced; of CONC-UNKNOWN not in words, which are the figures as charted."""
    told = run(history).told()
    return [(*each[:6], *each[7:]) if each[2] == "CONC-UNKNOWN" else each for each in told]


@settings(laws, max_examples=5)
@given(histories(late=False, contexts=False, acks=False))
def test_units_are_only_notation(history: History) -> None:
    """kPa for mm[Hg], and every unit of a pump, of base or of salt: the same alerts, values and texts."""
    told = told_of(history)
    assert told_of(in_units(history, "mm[Hg]", "as charted")) == told
    for pump_unit in PUMP_UNITS[1:]:
        assert told_of(in_units(history, "kPa", pump_unit)) == told, pump_unit
