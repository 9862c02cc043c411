"""The plausible range of each kind of number that rules take: what a site may write, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from streamproc.rules import parameters

RANGES = {
    "Seconds": ([1, 604_800], [0, 604_801]),
    "Mmhg": ([0, 300], [-0.1, 300.1]),
    "McgPerKgMin": ([0.001, 10], [0, 10.1]),
    "InotropeMcgPerKgMin": ([0.001, 100], [0, 100.1]),
    "McgPerMin": ([0.001, 500], [0, 500.1]),
    "MgPerHour": ([0.001, 20], [0, 20.1]),
    "Mg": ([0.001, 1_000], [0, 1_000.1]),
    "Factor": ([1.001, 100_000], [1, 100_000.1]),
    "UnitsPerMin": ([0.001, 1], [0, 1.1]),
    "Share": ([0.001, 1], [0, 1.1]),
    "Percent": ([0.001, 100], [0, 100.1]),
    "Readings": ([1, 10], [0, 11]),
    "MlPerHour": ([0.001, 1_000], [0, 1_000.1]),
    "MlPerKgPerHour": ([0.001, 10], [0, 10.1]),
    "Ml": ([0.001, 10_000], [0, 10_000.1]),
    "MlPerKg": ([0.001, 100], [0, 100.1]),
    "MgPerKg": ([0.001, 10], [0, 10.1]),
    "RefillSeconds": ([0.001, 20], [0, 20.1]),
}
"""The edges that are taken, and what lies just beyond them."""


def kinds() -> dict[str, Any]:
    return {name: kind for name, kind in vars(parameters).items() if hasattr(kind, "__metadata__")}


def test_every_kind_of_number_has_its_edges_here() -> None:
    assert set(kinds()) == set(RANGES)


@pytest.mark.parametrize("name", RANGES)
def test_a_number_is_taken_up_to_its_edges_and_not_beyond(name: str) -> None:
    kind, (taken, refused) = TypeAdapter(kinds()[name]), RANGES[name]
    assert [kind.validate_python(value) for value in taken] == taken
    for value in refused:
        with pytest.raises(ValidationError):
            kind.validate_python(value)
