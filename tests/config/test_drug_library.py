"""The drug library as a site writes it: what it means, and what is refused with its place and reason."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from streamproc.config import load
from streamproc.config.load import DEFAULT_DIR, ConfigError
from streamproc.core.events import Profile


def refusals(folder: Path, wrong: str, right: str) -> list[str]:
    """What `load` says of a configuration in which one text of drugs.yaml stands for another."""
    shutil.copytree(DEFAULT_DIR, folder, dirs_exist_ok=True)
    library = folder / "drugs.yaml"
    text = library.read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{right!r} must stand once in drugs.yaml"
    library.write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(folder)
    return [str(problem) for problem in refused.value.problems]


def test_the_shipped_library_lists_what_the_source_names() -> None:
    """16, 4, 32 and 64 for anybody; 10 for anaphylaxis alone (C1, C12)."""
    drug = load().core_terms().drugs["norepinephrine"]
    for strength in (16, 4, 32, 64):
        assert drug.lists(Fraction(strength), Profile.GENERAL)
    assert drug.lists(Fraction(10), Profile.ANAPHYLAXIS)
    assert not drug.lists(Fraction(10), Profile.SEPTIC_SHOCK)


@pytest.mark.parametrize("diluent", ["D5W", "d5w", "D5 half NS", "dextrose-5"])
def test_case_blanks_and_hyphens_do_not_matter(diluent: str) -> None:
    assert load().core_terms().site.has_dextrose(diluent)


def test_saline_has_no_dextrose_and_is_a_crystalloid() -> None:
    site = load().core_terms().site
    assert not site.has_dextrose("NS")
    assert site.is_saline("NS")
    assert site.is_crystalloid("NS")
    assert not site.is_crystalloid("albumin")


def test_a_route_in_no_list_is_neither() -> None:
    """Unknown is never turned into central or peripheral."""
    site = load().core_terms().site
    assert site.is_peripheral("PIV") is True
    assert site.is_peripheral("PICC") is False
    assert site.is_peripheral("intraosseous") is None
    assert site.is_peripheral(None) is None


@pytest.mark.parametrize(
    ("right", "wrong", "key", "why"),
    [
        ("[16, 4, 32, 64]", "[16, 4000]", "drugs.norepinephrine", "4000 ug/mL is listed"),
        ("[16, 4, 32, 64]", "[16, 0]", "concentrations_ug_per_ml.1", "greater than 0"),
        ("[16, 4, 32, 64]", "[sixteen]", "concentrations_ug_per_ml.0", "valid number"),
        ("anaphylaxis: [10]", "asthma: [10]", "concentrations_by_profile_ug_per_ml", "asthma"),
        (
            "premixes_without_dextrose: []",
            "premixes_without_dextrose: [{concentration_ug_per_ml: 8, diluent: NS}]",
            "drugs.norepinephrine",
            "a premix of 8 ug/mL is approved",
        ),
        ("alkaline: true", "alkaline: very", "sodium_bicarbonate.alkaline", "boolean"),
        ("[central, cvc,", "[peripheral, cvc,", "routes", "`peripheral` stands under central and"),
        ("saline: [normal_saline,", "saline: [plasma-lyte,", "crystalloids", "can be only one"),
        ("  with_dextrose: [D5W,", "  with_glucose: [D5W,", "diluents.with_dextrose", "is missing"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    tmp_path: Path, right: str, wrong: str, key: str, why: str
) -> None:
    """File, line, column, key and what is wrong; nothing of it reaches a rule."""
    told = refusals(tmp_path / "config", wrong, right)
    assert any("drugs.yaml:" in line and key in line and why in line for line in told), told
