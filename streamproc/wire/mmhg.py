"""Pressures as charted, to thousandths of a mmHg: exact until the one rounding, half to even.

The charted figure is the shortest decimal that reads back as the float, never the float's own
binary fraction, so that 8.6659 kPa is judged as it stands on the monitor.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from streamproc.core.events import MILLI

MMHG_PER_KPA = Fraction(1000) / Fraction("133.322387415")
"""One mmHg is 133.322387415 Pa (BIPM, SI brochure, 8th edition, table 8)."""
SURELY_CHARTED = 10**12
"""Below it, thousandths have at most fifteen digits, of which no two decimals read as the same float."""


def mmhg(value: float, unit: str) -> float | Fraction:
    """A charted pressure in mmHg, exactly."""
    return value if unit == "mm[Hg]" else _from_kpa(value)


def milli_mmhg(pressure: float | Fraction) -> int:
    """Thousandths of a mmHg, rounded half to even."""
    if isinstance(pressure, float):
        if abs(pressure) < SURELY_CHARTED and (milli := round(pressure * MILLI)) / MILLI == pressure:
            return milli
        pressure = charted(pressure)
    return round(pressure * MILLI)


@lru_cache(maxsize=4096)
def _from_kpa(value: float) -> Fraction:
    return charted(value) * MMHG_PER_KPA


def charted(value: float) -> Fraction:
    """The decimal that was charted."""
    return Fraction(repr(value))
