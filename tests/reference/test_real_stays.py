"""The product against the reference on charted stays: every alert of the rules that both have.

A dozen stays by default, all of them with REFERENCE_STAYS=all. The data is not part of the project.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from simulators.recordings.charts import Stay, read_stays
from simulators.recordings.lines import record
from tests.reference.charted import TERMS, charted
from tests.reference.facts import Said
from tests.reference.product import replayed
from tests.reference.rules import reference

REALDATA = Path(
    os.environ.get("STREAMPROC_REALDATA", Path(__file__).parents[3] / "shared" / "realdata")
).resolve()
DAY_MS = 86_400_000
CHOSEN = (
    "mimic3/201006",
    "mimic3/210989",
    "mimic3/228977",
    "mimic3/243600",
    "mimic3/248755",
    "mimic3/258147",
    "eicu/1117947",
    "eicu/1814180",
    "eicu/1968908",
    "eicu/2266898",
    "eicu/426975",
    "eicu/3099676",
)
"""The stays on which the two once disagreed, but the longest of them, and some with other units and gaps."""

pytestmark = pytest.mark.skipif(
    not (REALDATA / "facts.csv").exists(),
    reason=f"no charted stays at {REALDATA}: unpack them there, or set STREAMPROC_REALDATA",
)


@cache
def stays() -> dict[str, Stay]:
    """Every stay of the data, by `dataset/stay_id`."""
    return read_stays(REALDATA)


def compared() -> list[str]:
    """The stays of this run; other data than the known has none of the chosen, and is taken whole."""
    if not (REALDATA / "facts.csv").exists():
        return []
    known = [name for name in CHOSEN if name in stays()]
    return known if known and os.environ.get("REFERENCE_STAYS") != "all" else list(stays())


def both(name: str) -> tuple[Counter[Said], Counter[Said]]:
    """What the reference and what the product say of a stay, and of the day after its last line."""
    lines = [line.text for line in record(stays()[name]).lines]
    facts = charted(lines)
    until_ms = max(fact.time_ms for fact in facts) + DAY_MS
    said = (reference(facts, TERMS), replayed(lines, until_ms, TERMS))
    expected, seen = (Counter(each for each in one if each.time_ms <= until_ms) for one in said)
    return expected, seen


@pytest.mark.parametrize("name", compared())
def test_product_and_reference_agree_on_a_charted_stay(name: str) -> None:
    """Every alert's time, rule, phase and priority."""
    expected, seen = both(name)
    assert sorted(expected - seen) == [], "missing"
    assert sorted(seen - expected) == [], "surplus"


def test_the_stays_have_something_to_agree_on() -> None:
    """Agreement on nothing is none: most rules of the reference are raised by real charts."""
    raised = {said.rule for name in compared() for said in both(name)[0] if said.phase == "start"}
    assert {"MAP-LOW", "MAP-CRIT", "ESC-SECOND-AGENT", "WEAN-FAST", "WEAN-FAIL", "DOSE-STEP"} <= raised
