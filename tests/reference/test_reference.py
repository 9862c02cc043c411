"""The product against the reference: the same alerts, at the same millisecond, over generated histories.

A hundred by default; more with REFERENCE_HISTORIES=2500 (some 20 minutes, with `-o faulthandler_timeout=0`,
or the first batch is taken for hanging), other ones with REFERENCE_SEED=1000000.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.reference.facts import Patient, Said
from tests.reference.product import product
from tests.reference.rules import reference
from tests.reference.spells import START_MS, History, Spell, Track, cut, history

HISTORIES = int(os.environ.get("REFERENCE_HISTORIES", "100"))
FIRST_SEED = int(os.environ.get("REFERENCE_SEED", "0"))
BATCHES = 10
ONCE_UNLIKE = (165, 1260, 1320, 1596, 1650, 1689, 1847, 4260)
"""Seeds of histories of which product and reference once said different things."""
RULES = {
    "DOSE-START",
    "DOSE-10",
    "DOSE-DAILY",
    "DOSE-DURATION",
    "DOSE-STEP",
    "MAP-LOW",
    "MAP-CRIT",
    "MAP-OVERDUE",
    "ESC-THRESHOLD",
    "ESC-SECOND-AGENT",
    "WEAN-READY",
    "WEAN-FAST",
    "WEAN-STOP",
    "WEAN-FAIL",
}
OWN = ("charted", "course", "facts", "pressure", "dose", "bed", "life", "dosing", "rules", "spells")


def differences(told: History) -> list[str]:
    """What only one of the two says, as a reviewer reads it."""
    facts, until_ms = told.facts(), told.until_ms()
    expected = Counter(each for each in reference(facts, told.terms) if each.time_ms <= until_ms)
    seen = Counter(each for each in product(facts, until_ms, told.terms) if each.time_ms <= until_ms)
    missing = [(each, "missing") for each in expected - seen]
    surplus = [(each, "surplus") for each in seen - expected]
    return [f"{_clock(each)} {' '.join(each[1:])}: {which}" for each, which in sorted(missing + surplus)]


def _clock(said: Said) -> str:
    minutes, ms = divmod(said.time_ms - START_MS, 60_000)
    return f"{minutes}m{ms / 1000:g}s"


def _subject(unlike: list[str]) -> list[str]:
    """The first difference without its time, so that a cut keeps to one disagreement."""
    return unlike[0].split()[1:] if unlike else []


def test_the_reference_does_not_import_the_product() -> None:
    """Two that share code can be wrong together."""
    for name in OWN:
        tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        modules |= {each.name for n in ast.walk(tree) if isinstance(n, ast.Import) for each in n.names}
        allowed = sys.stdlib_module_names | {"tests"}
        assert {module.split(".")[0] for module in modules} <= allowed, name
        ours = {module for module in modules if module.startswith("tests")}
        assert ours <= {f"tests.reference.{own}" for own in OWN} | {"tests.reference"}, name


def test_the_histories_raise_and_end_every_rule() -> None:
    """Agreement on nothing is none: each rule starts and ends many times, and changes priority."""
    told: Counter[tuple[str, str]] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + 150):
        one = history(seed)
        told.update(
            (e.rule, e.phase) for e in reference(one.facts(), one.terms) if e.time_ms <= one.until_ms()
        )
    for rule in RULES:
        assert told[rule, "start"] >= 5, rule
        assert told[rule, "end"] >= 3, rule
    for rule in ("MAP-LOW", "MAP-OVERDUE", "ESC-SECOND-AGENT"):
        assert told[rule, "escalate"] >= 3, rule
    for rule in ("MAP-LOW", "ESC-SECOND-AGENT"):
        assert told[rule, "deescalate"] >= 1, rule


@pytest.mark.parametrize("batch", range(BATCHES))
def test_product_and_reference_agree_on_every_history(batch: int) -> None:
    """Every alert's time, rule, phase and priority."""
    for seed in range(FIRST_SEED + batch, FIRST_SEED + HISTORIES, BATCHES):
        if differences(history(seed)):
            small = _cut_down(history(seed))
            pytest.fail(f"seed {seed}, cut down to\n{small.chart()}\n" + "\n".join(differences(small)))


@pytest.mark.parametrize("seed", ONCE_UNLIKE)
def test_what_once_told_them_apart_does_no_more(seed: int) -> None:
    """Another weight, a lost channel beside one that is not, small steps, a leap in two measures."""
    assert differences(history(seed)) == []


def _cut_down(told: History) -> History:
    subject = _subject(differences(told))
    return cut(told, lambda smaller: _subject(differences(smaller)) == subject)


def test_the_comparison_notices_another_target() -> None:
    """A product that took 65 for 63 would be seen."""
    told = History({"map": Track((Spell(64_000, 10),))})
    meant = History(told.tracks, patients=(Patient(0, 63_000),))
    assert differences(told) == []
    seen = [each.rule for each in product(told.facts(), told.until_ms(), told.terms)]
    assert "MAP-LOW" in seen
    assert "MAP-LOW" not in [each.rule for each in reference(meant.facts())]


def test_a_cuff_beside_a_line_does_not_make_the_line_look_lost() -> None:
    """A line that speaks once a minute is not lost 15 s later because a cuff spoke 5 s before it."""
    told = History(
        {
            "map": Track((Spell(70_000, 8),), every_s=60),
            "cuff": Track((Spell(70_000, 8),), every_s=60, phase_ms=55_000),
        }
    )
    assert differences(told) == []


READINGS = {
    "a monitor that only sent artefacts is lost from its first sample on": (
        {"map": Track((Spell("artefact", 3),))},
        {"0m15s TECH-MAP-LOST start low", "1m0s TECH-MAP-LOST escalate medium"},
        set(),
    ),
    "artefacts do not end by silence": (
        {"map": Track((Spell(70_000, 3), Spell("artefact", 1), Spell("_", 10), Spell(70_000, 2)))},
        {"3m12.001s TECH-MAP-ARTEFACT start low", "14m0s TECH-MAP-ARTEFACT end low"},
        {"4m55s TECH-MAP-ARTEFACT end low"},
    ),
    "a stop does not end a reduction that was too fast": (
        {"norepinephrine": Track((Spell(2_000, 5), Spell(1_000, 5), Spell("off", 40)))},
        {"5m0s WEAN-FAST start medium", "40m0s WEAN-FAST end medium"},
        {"10m0s WEAN-FAST end medium"},
    ),
    "a pump that paused and fell silent has stopped": (
        {"norepinephrine": Track((Spell(2_000, 5), Spell("paused", 1), Spell("_", 10), Spell(2_000, 1)))},
        {"10m0s WEAN-STOP start high", "16m0s WEAN-STOP end high"},
        set(),
    ),
    "a pump that comes back now and then is lost each time": (
        {
            "norepinephrine": Track(
                tuple(Spell(v, m) for _ in range(6) for v, m in ((2_000, 1), ("_", 4))), every_s=60
            )
        },
        {f"{5 * nth}m15s TECH-PUMP-LOST start medium" for nth in range(6)},
        set(),
    ),
    "a line that comes back now and then is lost each time": (
        {"map": Track(tuple(Spell(v, m) for _ in range(6) for v, m in ((70_000, 1), ("_", 4))), every_s=60)},
        {f"{5 * nth}m15s TECH-MAP-LOST start low" for nth in range(6)},
        set(),
    ),
}


@pytest.mark.parametrize("reading", READINGS)
def test_both_keep_to_an_agreed_reading(reading: str) -> None:
    """What the page left open and decision 005 settles, whatever the seeds happen to draw."""
    tracks, told, not_told = READINGS[reading]
    one = History(tracks)
    assert differences(one) == []
    said = {f"{_clock(each)} {' '.join(each[1:])}" for each in reference(one.facts(), one.terms)}
    assert told <= said, sorted(said)
    assert not not_told & said, sorted(said)
