"""A mix by the rule of 6: what 1 mL/h of it is, to the last decimal."""

from __future__ import annotations

from fractions import Fraction

from streamproc.core.rule_of_six import Mix, mix_for


def test_6_mg_for_each_kg_in_100_ml_give_a_microgram_at_1_ml_per_h() -> None:
    assert mix_for(12.5, 6, 100) == Mix(Fraction(75), Fraction(100), Fraction(750), Fraction(1))


def test_of_a_tenth_of_it_1_ml_per_h_is_a_tenth() -> None:
    assert mix_for(3.1, 0.6, 100).ug_per_kg_min_at_1_ml_per_h == Fraction(1, 10)
