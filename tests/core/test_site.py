"""The site's words, as people write them: in a list, or of no kind at all."""

from __future__ import annotations

import pytest

from streamproc.core.site import SiteWords, spelled

SITE = SiteWords(
    dextrose_diluents=frozenset({"d5w"}),
    central_routes=frozenset({"picc"}),
    peripheral_routes=frozenset({"piv"}),
    balanced_fluids=frozenset({"plasma_lyte"}),
    saline_fluids=frozenset({"normal_saline"}),
    other_crystalloids=frozenset({"crystalloid"}),
)


@pytest.mark.parametrize("written", [" Plasma-Lyte ", "plasma lyte", "PLASMA_LYTE"])
def test_a_word_is_spelled_in_one_way(written: str) -> None:
    assert spelled(written) == "plasma_lyte"


@pytest.mark.parametrize(
    ("fluid", "balanced", "saline", "crystalloid"),
    [
        ("Plasma-Lyte", True, False, True),
        ("normal saline", False, True, True),
        ("crystalloid", False, False, True),
        ("albumin", False, False, False),
        (None, False, False, False),
        ("", False, False, False),
    ],
)
def test_a_fluid_is_what_its_list_says(
    fluid: str | None, balanced: bool, saline: bool, crystalloid: bool
) -> None:
    kinds = SITE.is_balanced(fluid), SITE.is_saline(fluid), SITE.is_crystalloid(fluid)
    assert kinds == (balanced, saline, crystalloid)


@pytest.mark.parametrize(
    ("route", "peripheral"), [("PIV", True), ("picc", False), ("oral", None), (None, None)]
)
def test_a_route_is_peripheral_central_or_of_no_kind(route: str | None, peripheral: bool | None) -> None:
    assert SITE.is_peripheral(route) is peripheral
    assert (SITE.has_dextrose("D5W"), SITE.has_dextrose("saline")) == (True, False)
