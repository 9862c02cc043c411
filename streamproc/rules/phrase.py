"""How figures are written on a wall display: short, and never rounded across the limit they met."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from streamproc.core.chart import Chart, ms
from streamproc.core.dose import NANO
from streamproc.core.events import MILLI


def shown(value: float, limit: float, decimals: int = 1) -> str:
    """A figure in few decimals, rounded away from its limit: 64.9999 is 64.9, never `65 < 65`."""
    rounding = {True: ROUND_FLOOR, False: ROUND_CEILING}[value < limit]
    figure = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=rounding)
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600


def minutes(seconds: float) -> str:
    """A duration in the largest unit that stays whole: `5 min`, `90 s`."""
    whole, rest = divmod(seconds, SECONDS_PER_MINUTE)
    return f"{seconds:g} s" if rest else f"{whole:g} min"


def mean_map_mmhg(chart: Chart, window_s: int) -> float | None:
    """The time-weighted mean MAP of a window in mmHg, or None if nothing of it is held."""
    window = chart.pressure.trend.window(chart.now_ms, ms(window_s))
    return round(window.area / window.held_ms / MILLI, 9) if window.held_ms else None


def map_now_mmhg(chart: Chart) -> float | None:
    """The MAP that holds now in mmHg, or None."""
    value = chart.pressure.trend.now(chart.now_ms)
    return None if value is None else value / MILLI


def dose_mcg_per_kg_min(chart: Chart) -> float | None:
    """The norepinephrine dose in mcg/kg/min, or None if it is unknown."""
    dose = chart.dose
    return None if dose is None or dose.per_kg_nano is None else dose.per_kg_nano / NANO


def map_figure(value: float | None) -> str:
    """`MAP 63.2`, or that there is none."""
    return "MAP unknown" if value is None else f"MAP {value:.4g}"


def dose_figure(value: float | None) -> str:
    """`dose 0.25`, or that it is unknown."""
    return "dose unknown" if value is None else f"dose {value:.4g}"
