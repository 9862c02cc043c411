"""What is made with every message is told apart by what is in it."""

from __future__ import annotations

from streamproc.core.events import MapSample, MapSource


def test_two_of_the_same_are_one() -> None:
    first, again, other = (
        MapSample(1, "icu-a/bed-7", "MON-1", "b1", seq, MapSource.ARTERIAL, 70_000) for seq in (1, 1, 2)
    )
    assert first is not again
    assert {first, again, other} == {first, other}
