"""The rule of 6 computes a mix for a child by weight, and nothing is ever judged by it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from typer.testing import CliRunner

from streamproc.config import load
from streamproc.core.rule_of_six import mix_for
from streamproc.shell.cli import app
from streamproc.shell.mixing import NotMixed, rule_of_six

ON = "profiles=[general, pediatric]"
SHIPPED = load(None, [ON])


@pytest.mark.parametrize("weight_kg", [0.7, 3.3, 10, 12.5, 40])
def test_one_ml_an_hour_is_a_tenth_of_a_microgram_by_kilogram_at_any_weight(weight_kg: float) -> None:
    """The rule's own promise, exact whatever the float does; and its strength is six times the weight."""
    mix = mix_for(weight_kg, SHIPPED.rule_of_six.mg_per_kg, SHIPPED.rule_of_six.volume_ml)
    assert mix.ug_per_kg_min_at_1_ml_per_h == Fraction(1, 10)
    assert mix.ug_per_ml == 6 * Fraction(str(weight_kg))


def test_it_says_what_to_mix_and_that_the_pump_must_report_it() -> None:
    told = rule_of_six(SHIPPED, 10)
    assert "For 10 kg 6 mg of norepinephrine base in 100 mL" in told
    assert "60 ug/mL, and 1 mL/h is 0.1 mcg/kg/min" in told
    assert "never assumed" in told
    assert "60 ug/mL is not in the drug library" in told


def test_a_strength_that_is_listed_is_told_so() -> None:
    listed = load(None, [ON, "drugs.norepinephrine.concentrations_by_profile_ug_per_ml={pediatric: [60]}"])
    assert "60 ug/mL is in the drug library" in rule_of_six(listed, 10)


def test_a_strength_whose_dose_would_be_unknown_is_told_so() -> None:
    assert "its dose would be unknown" in rule_of_six(SHIPPED, 170)
    assert "its dose would be unknown" not in rule_of_six(SHIPPED, 166)


@pytest.mark.parametrize("weight_kg", [0, -3, 701, float("nan")])
def test_a_weight_that_nobody_has_is_refused(weight_kg: float) -> None:
    with pytest.raises(NotMixed, match="right would be up to 700 kg"):
        rule_of_six(SHIPPED, weight_kg)


def test_a_site_that_has_not_turned_the_profile_on_gets_no_mix() -> None:
    refused = CliRunner().invoke(app, ["rule-of-six", "--weight", "10"])
    assert refused.exit_code == 2
    assert "pediatric is off" in refused.output
    assert CliRunner().invoke(app, ["rule-of-six", "--weight", "10", "--set", ON]).exit_code == 0
