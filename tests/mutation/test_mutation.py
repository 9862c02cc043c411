"""The machine behind `./run mutate`, on one small file: it must make mistakes, and see which are noticed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from streamproc.rules.wean_ready import WeanReady, next_dose
from tests.mutation.graft import changed_functions, graft, import_instead, living_functions
from tests.mutation.mutant import SETTINGS, Mutant, marks_of, mutants_of
from tests.mutation.report import write_report
from tests.mutation.trial import Survey, end_fork, start_fork, tell

FILE = "streamproc/rules/wean_ready.py"
FLOOR = "return lower if lower >= p.floor_mcg_per_kg_min else 0.0"
AT_FLOOR = WeanReady(300, 900, 0.9, 50.0, 0.05)


@pytest.fixture(scope="module")
def mutants() -> list[Mutant]:
    return mutants_of(FILE)


def mutant(mutants: list[Mutant], before: str, after: str) -> Mutant:
    return next(each for each in mutants if (each.before, each.after) == (before, after))


def test_a_comparison_is_tried_at_its_edge_turned_round_and_as_its_opposite(mutants: list[Mutant]) -> None:
    after = {each.after for each in mutants if each.before == FLOOR and "Comparison" in each.operator}
    assert after == {FLOOR.replace(">=", sign) for sign in (">", "<", "==")}


def test_no_two_mutants_have_the_same_name_or_source(mutants: list[Mutant]) -> None:
    assert len({each.name for each in mutants}) == len({each.source for each in mutants}) == len(mutants) > 20


def test_annotations_and_decorators_are_left_alone(mutants: list[Mutant]) -> None:
    assert not [each.before for each in mutants if each.before.startswith("@") or "-> Finding" in each.before]


def test_a_grafted_mistake_is_in_force_in_a_fork_and_nowhere_else(mutants: list[Mutant]) -> None:
    """At the floor the next dose is the floor; under the mutant it is a stop."""
    pairs = changed_functions(mutant(mutants, FLOOR, FLOOR.replace(">=", ">")))
    assert pairs is not None

    def wean(out: int) -> None:
        graft(pairs, living_functions())
        tell(out, next_dose(0.1, AT_FLOOR))

    told, status = end_fork(*start_fork(wean))
    assert (told, os.waitstatus_to_exitcode(status)) == (0.0, 0)
    assert next_dose(0.1, AT_FLOOR) == AT_FLOOR.floor_mcg_per_kg_min


def test_what_only_an_import_runs_is_imported(mutants: list[Mutant]) -> None:
    """The rule reads a set of facts: joined by `|` in the file, by `&` in this mutant."""
    reads = next(each for each in mutants if each.before.startswith("reads=") and "&" in each.after)
    assert changed_functions(reads) is None

    def read(out: int) -> None:
        for name in [name for name in sys.modules if name.startswith("streamproc")]:
            del sys.modules[name]
        import_instead(reads)
        from streamproc.rules.wean_ready import RULE

        tell(out, int(RULE.reads))

    told, _ = end_fork(*start_fork(read))
    from streamproc.rules.wean_ready import RULE

    assert told is not None
    assert told != int(RULE.reads)


def test_a_constant_is_tried_by_its_modules_own_tests_and_by_those_that_run_what_uses_it() -> None:
    """`MOST_DEVICES` of bed.py bounds whose sequence is followed."""
    path = "streamproc/core/bed.py"
    lines = list(
        zip((Path(__file__).parents[2] / path).read_text().splitlines(), marks_of(path), strict=True)
    )
    follows = next(mark for line, mark in lines if "> MOST_DEVICES" in line)
    runs = {
        "tests/a.py::follows": [follows],
        "tests/a.py::other": [lines[0][1]],
        "tests/test_bed.py::own": [],
    }
    survey = Survey(seconds=dict.fromkeys(runs, 0.1), runs=runs)
    most_devices = next(each for each in mutants_of(path) if each.before.startswith("MOST_DEVICES ="))
    assert changed_functions(most_devices) is None
    assert survey.tests_of_import(most_devices) == ["tests/test_bed.py::own", "tests/a.py::follows"]


def test_the_first_test_is_run_and_of_the_others_what_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SETTINGS, "most_s", 3.0)
    survey = Survey(seconds={"long": 9.0, "short": 1.0, "middle": 2.0, "other": 1.0})
    assert list(survey.within_time(["long", "short"])) == ["long"]
    assert list(survey.within_time(["short", "long", "middle", "other"])) == ["short", "middle"]


def test_a_trial_that_dies_tells_nothing() -> None:
    told, status = end_fork(*start_fork(lambda out: os._exit(3)))
    assert told is None
    assert status != 0


def test_the_page_counts_each_outcome_and_refuses_reasons_of_the_dead(
    mutants: list[Mutant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons, page = tmp_path / "survivors.yaml", tmp_path / "mutation.md"
    monkeypatch.setattr("tests.mutation.report.REASONS", reasons)
    monkeypatch.setattr("tests.mutation.report.PAGE", page)
    first, second, *_ = mutants
    reasons.write_text(json.dumps([{"why": "The same.", "mutants": [first.name]}]))
    write_report(mutants, {first.digest: "survived", second.digest: "killed"})
    row = f"| rules/wean_ready.py | {len(mutants)} | 1 | 0 | 1 | {len(mutants) - 2} | 50.0 % |"
    assert row in page.read_text()
    with pytest.raises(SystemExit, match="no survivors"):
        write_report(mutants, {first.digest: "killed"})
