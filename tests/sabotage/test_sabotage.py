"""Every sabotage still applies and compiles, and names tests that are there; `./run sabotage` runs them."""

from __future__ import annotations

import shlex

import pytest

from .saboteur import ROOT, DoesNotApply, Sabotage, all_sabotages, replaced

SABOTAGES = all_sabotages()
AT_LEAST = 15


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_it_applies_and_compiles(sabotage: Sabotage) -> None:
    """One that has lost its place breaks nothing, and would be called caught by whatever else is red."""
    source = (ROOT / sabotage.file).read_text(encoding="utf-8")
    broken = replaced(source, sabotage)
    assert broken != source
    compile(broken, sabotage.file, "exec")


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_the_tests_that_must_notice_are_there(sabotage: Sabotage) -> None:
    assert sabotage.breaks
    assert sabotage.red
    for tests in sabotage.red:
        path, *chosen = shlex.split(tests)
        assert (ROOT / path).exists(), path
        if chosen:
            words = chosen[-1].split(" or ")
            source = (ROOT / path).read_text(encoding="utf-8")
            assert all(word in source for word in words), tests


def test_there_are_enough() -> None:
    assert len(SABOTAGES) >= AT_LEAST


@pytest.mark.parametrize("source", ["other = 1\n", "old = 1\nold = 1\n"])
def test_one_that_has_lost_its_place_says_so(source: str) -> None:
    sabotage = Sabotage("one", "a promise", "a.py", "old = 1\n", "new = 1\n", ())
    with pytest.raises(DoesNotApply, match=r"has [02] places"):
        replaced(source, sabotage)


def test_it_stands_where_the_old_text_stood() -> None:
    sabotage = Sabotage(
        "one", "a promise", "a.py", "if old:\n    go()\n", "if new:\n    stay()\n", ("tests",)
    )
    source = "def f():\n    if old:\n        go()\n    return\n"
    assert replaced(source, sabotage) == "def f():\n    if new:\n        stay()\n    return\n"
