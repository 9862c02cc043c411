"""How figures are written on a wall display: short, and never rounded across the limit they met."""

from __future__ import annotations

from dataclasses import asdict
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any

from streamproc.core.chart import Chart, ms
from streamproc.core.dose import NANO
from streamproc.core.events import MILLI
from streamproc.core.trend import part_ms


def shown(value: float, limit: float, decimals: int = 1) -> str:
    """A figure in few decimals, rounded away from its limit: 64.9999 is 64.9, never `65 < 65`."""
    rounding = {True: ROUND_FLOOR, False: ROUND_CEILING}[value < limit]
    figure = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=rounding)
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600


def below(value: float | None, limit: float) -> str:
    """`58 < 65` while it is so; `66, was < 65` once it no longer is, or is not known."""
    if value is not None and value < limit:
        return f"{shown(value, limit)} < {limit:g}"
    told = "unknown" if value is None else f"{value:.4g}"
    return f"{told}, was < {limit:g}"


def at_least(value: float | None, limit: float, decimals: int) -> str:
    """`0.26 >= 0.25` while it is so; `0.23, was >= 0.25` once it no longer is, or is not known."""
    if value is not None and value >= limit:
        return f"{shown(value, limit, decimals)} >= {limit:g}"
    told = "unknown" if value is None else shown(value, limit, decimals)
    return f"{told}, was >= {limit:g}"


def minutes(seconds: float) -> str:
    """A duration in the largest unit that stays whole: `5 min`, `90 s`."""
    whole, rest = divmod(seconds, SECONDS_PER_MINUTE)
    return f"{seconds:g} s" if rest else f"{whole:g} min"


def mean_map_mmhg(chart: Chart, window_s: int) -> float | None:
    """The time-weighted mean MAP of a window in mmHg, or None where too little of it is held to judge."""
    window = chart.pressure.trend.window(chart.now_ms, ms(window_s))
    if not window.held_ms or window.held_ms < part_ms(chart.terms.coverage_min, window.span_ms):
        return None
    return round(window.area / window.held_ms / MILLI, 9)


def map_now_mmhg(chart: Chart) -> float | None:
    """The MAP that holds now in mmHg, or None."""
    value = chart.pressure.trend.now(chart.now_ms)
    return None if value is None else value / MILLI


def dose_mcg_per_kg_min(chart: Chart) -> float | None:
    """The norepinephrine dose in mcg/kg/min, or None if it is unknown."""
    return rate_per_kg_min(chart, chart.terms.titrated_drug)


def rate_per_kg_min(chart: Chart, drug: str) -> float | None:
    """A drug's rate in mcg/kg/min, or None if it is unknown."""
    dose = chart.infusions.dose(drug)
    return None if dose is None or dose.per_kg_nano is None else dose.per_kg_nano / NANO


def rate_per_min(chart: Chart, drug: str) -> float | None:
    """A drug's rate in mcg/min (U/min for drugs dosed in units), or None if it is unknown."""
    dose = chart.infusions.dose(drug)
    return None if dose is None or dose.per_min_nano is None else dose.per_min_nano / NANO


def map_figure(value: float | None) -> str:
    """`MAP 63.2`, or that there is none."""
    return "MAP unknown" if value is None else f"MAP {value:.4g}"


def dose_told(value: float | None) -> str:
    """`0.25 mcg/kg/min`, or `at an unknown dose`, to follow the drug's name."""
    return "at an unknown dose" if value is None else f"{value:.4g} mcg/kg/min"


def dose_figure(value: float | None) -> str:
    """`dose 0.25`, or that it is unknown."""
    return "dose unknown" if value is None else f"dose {value:.4g}"


@lru_cache(maxsize=256)
def filled(advice: str, parameters: Any) -> str:
    """An advice with the rule's numbers in it: the same words each time, put together once."""
    return advice.format_map(asdict(parameters))
