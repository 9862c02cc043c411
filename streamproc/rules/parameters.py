"""The kinds of number that rules take, each with its plausible range; units stand in the names."""

from typing import Annotated

from annotated_types import Interval

Seconds = Annotated[int, Interval(ge=1, le=604_800)]
"""A wait or a window: up to a week."""

Mmhg = Annotated[float, Interval(ge=0, le=300)]
"""A pressure or a difference of pressures, mm[Hg]."""

McgPerKgMin = Annotated[float, Interval(gt=0, le=10)]
"""A weight-based dose, ug/kg/min."""

InotropeMcgPerKgMin = Annotated[float, Interval(gt=0, le=100)]
"""A weight-based dose of an inotrope, ug/kg/min."""

McgPerMin = Annotated[float, Interval(gt=0, le=500)]
"""A rate that needs no weight, ug/min."""

MgPerHour = Annotated[float, Interval(gt=0, le=20)]
"""A rate as the hepatorenal protocol has it, mg/h."""

Mg = Annotated[float, Interval(gt=0, le=1000)]
"""An amount given, mg of base."""

Factor = Annotated[float, Interval(gt=1, le=100_000)]
"""How many times as much."""

UnitsPerMin = Annotated[float, Interval(gt=0, le=1)]
"""A vasopressin rate, U/min."""

Share = Annotated[float, Interval(gt=0, le=1)]
"""A part of a whole, 0 to 1."""

Percent = Annotated[float, Interval(gt=0, le=100)]
"""A percentage."""

Readings = Annotated[int, Interval(ge=1, le=10)]
"""How many readings in a row."""

MlPerHour = Annotated[float, Interval(gt=0, le=1000)]
"""Urine, mL/h."""

MlPerKgPerHour = Annotated[float, Interval(gt=0, le=10)]
"""Urine by weight, mL/kg/h."""

Ml = Annotated[float, Interval(gt=0, le=10_000)]
"""A volume, mL."""

MlPerKg = Annotated[float, Interval(gt=0, le=100)]
"""A volume by weight, mL/kg."""

MgPerKg = Annotated[float, Interval(gt=0, le=10)]
"""An amount of a drug by weight, mg/kg."""

RefillSeconds = Annotated[float, Interval(gt=0, le=20)]
"""A capillary refill time, s."""
