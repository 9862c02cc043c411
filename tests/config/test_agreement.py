"""Numbers that make no sense together are refused, each with its place; at the same number they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamproc.config import ConfigError, Problem, load
from streamproc.config.agreement import AT_MOST, DOSED_IN, SPEAKS_OF, THE_SAME

SHIPPED = load().model_dump(by_alias=True)
LITTLE = 0.001


def value(key: str) -> Any:
    """The shipped number of a key."""
    tree: Any = SHIPPED
    for part in key.split("."):
        tree = tree[part]
    return tree


def problems(overrides: Sequence[str]) -> Sequence[Problem]:
    try:
        load(None, overrides)
    except ConfigError as refused:
        return refused.problems
    return ()


def told(overrides: Sequence[str], key: str, other: str) -> bool:
    """Whether a pair of keys is refused."""
    return any(each.key == key and other in each.wrong.split(", ")[0] for each in problems(overrides))


@pytest.mark.parametrize(("lower", "upper"), AT_MOST)
def test_what_must_not_be_above_another_number_is_refused_there(lower: str, upper: str) -> None:
    least = value(lower)
    below = least - 1 if isinstance(least, int) else round(least - LITTLE, 9)
    assert told([f"{upper}={below}"], lower, upper)
    assert not told([f"{upper}={least}"], lower, upper)


@pytest.mark.parametrize(("key", "other"), THE_SAME)
def test_what_one_rule_advises_and_another_judges_is_one_number(key: str, other: str) -> None:
    changed = value(other) + 1 if isinstance(value(other), int) else round(value(other) + LITTLE, 9)
    assert told([f"{key}={changed}"], key, other)
    assert not told([f"{key}={changed}", f"{other}={changed}"], key, other)


def test_a_bed_that_is_on_the_roster_twice_is_refused_at_its_second_place() -> None:
    """The second was meant to be another bed, which nobody would miss."""
    (problem,) = problems(["roster=[icu-a/bed-1, icu-a/bed-2, icu-a/bed-1]"])
    assert (problem.key, problem.wrong.split()[0]) == ("roster.2", "icu-a/bed-1")
    assert not problems(["roster=[icu-a/bed-1, icu-a/bed-2]"])


def test_a_step_that_would_alarm_is_not_proposed() -> None:
    """WEAN-FAST leaves 75 % less its tolerance, so a step of 25.375 % passes and a larger one does not."""
    key = "rules.WEAN-READY.step_percent"
    assert told([f"{key}=25.376"], key, "WEAN-FAST.remaining_percent")
    assert not told([f"{key}=25.375"], key, "WEAN-FAST.remaining_percent")
    assert [each.key for each in problems([f"{key}=101"])] == [key]


def test_urine_is_kept_for_both_spans_that_are_compared() -> None:
    key = "rules.VASOCONSTRICTION.urine_span_s"
    assert told([f"{key}=43201"], key, "terms.observation_retention_s")
    assert not told([f"{key}=43200"], key, "terms.observation_retention_s")


@pytest.mark.parametrize(("rule", "drug"), SPEAKS_OF[1:])
def test_a_rule_that_is_on_has_its_drug_in_the_library(rule: str, drug: str) -> None:
    """A site that calls it otherwise, or has none of it, would wait for an alert that never comes."""
    library = {**SHIPPED["drugs"], f"other_{drug}": {}}
    del library[drug]
    off = f"rules.{rule}.enabled=false"
    assert [each.key for each in problems([f"drugs={library}".replace("None", "null")])] == ["drugs"]
    assert problems([f"drugs={library}".replace("None", "null"), off]) == ()


@pytest.mark.parametrize(("drug", "kind"), DOSED_IN)
def test_a_drug_is_dosed_in_what_its_rules_count(drug: str, kind: str) -> None:
    other = {"mass": "units", "units": "mass"}[kind]
    assert told([f"drugs.{drug}.dosed_in={other}"], f"drugs.{drug}.dosed_in", kind)


def test_a_library_without_alkaline_drugs_has_no_rule_on_them() -> None:
    wrong = ["drugs.sodium_bicarbonate.alkaline=false"]
    assert [each.key for each in problems(wrong)] == ["drugs"]
    assert problems([*wrong, "rules.LINE-ALKALINE.enabled=false"]) == ()
