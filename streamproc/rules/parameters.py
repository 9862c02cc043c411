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

UnitsPerMin = Annotated[float, Interval(gt=0, le=1)]
"""A vasopressin rate, U/min."""

Share = Annotated[float, Interval(gt=0, le=1)]
"""A part of a whole, 0 to 1."""

Percent = Annotated[float, Interval(gt=0, le=100)]
"""A percentage."""
