"""A history laid out as courses, each answering one question of the rule page at every instant.

Must hold the page's words only where several rules share them; a rule's own words are in `rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from tests.reference import dose as doses
from tests.reference import pressure as pressures
from tests.reference.course import DAWN_MS, Course, course, together
from tests.reference.dose import Channel
from tests.reference.facts import Acknowledgement, Fact, Pressure, Report, Target, Terms
from tests.reference.pressure import Window

MINUTE_MS = 60_000
DEFAULT_TARGET = 65_000


@dataclass(frozen=True)
class Bed:
    """All facts of one bed in order of time, those of one instant in order of their messages."""

    facts: Sequence[Fact]
    terms: Terms

    @cached_property
    def first_word_ms(self) -> int:
        """The first word of the bed's own devices."""
        times = [each.time_ms for each in self.readings] + [each.time_ms for each in self.reports]
        return min(times, default=-DAWN_MS)

    @cached_property
    def readings(self) -> list[Pressure]:
        """Every MAP reading, valid or not."""
        return [each for each in self.facts if isinstance(each, Pressure)]

    @cached_property
    def reports(self) -> list[Report]:
        """Every pump's reports."""
        return [each for each in self.facts if isinstance(each, Report)]

    @cached_property
    def acknowledged(self) -> list[Acknowledgement]:
        """Every acknowledgement."""
        return [each for each in self.facts if isinstance(each, Acknowledgement)]

    @cached_property
    def target(self) -> Course[int]:
        """The MAP target in force."""
        told = [(each.time_ms, each.milli_mmhg) for each in self.facts if isinstance(each, Target)]
        return course(DEFAULT_TARGET, told)

    @cached_property
    def map(self) -> Course[int | None]:
        """The reading that holds."""
        return pressures.holding(pressures.in_force(self.readings, self.terms), self.terms)

    @cached_property
    def signal_lost(self) -> Course[int]:
        """0, 1 or 2: how badly the MAP signal is lost."""
        return pressures.lost(self.readings, self.terms)

    @cached_property
    def monitor_sends(self) -> Course[bool]:
        """Whether a monitor still sends, be it artefacts."""
        return pressures.sends(self.readings, self.terms)

    def below(self, minutes: int, above_target: int = 0) -> Course[bool | None]:
        """Whether the mean of so many minutes is below target (plus a margin); None: not evaluable."""
        window = Window(self.map, minutes * MINUTE_MS)
        limit = together(lambda target: target + above_target, self.target)
        return together(lambda low, covered: low if covered else None, window.below(limit), window.covered())

    @cached_property
    def channels(self) -> list[Channel]:
        """Every pump channel."""
        return doses.channels(self.reports, self.terms)

    @cached_property
    def norepinephrine(self) -> list[Channel]:
        """The channels that norepinephrine runs, or ran, through."""
        return [each for each in self.channels if each.drug == "norepinephrine"]

    @cached_property
    def dose(self) -> Course[Fraction | None]:
        """The dose of norepinephrine, None where it is unknown."""
        return doses.total(self.norepinephrine)

    @cached_property
    def dose_unless_resumed(self) -> Course[Fraction | None]:
        """The same, where pumps that paused and then fell silent are pausing still."""
        return doses.total([replace(each, dose=doses.by_last_word(each)) for each in self.norepinephrine])

    @cached_property
    def dose_changes(self) -> list[int]:
        """When the dose was changed."""
        return doses.dose_changes(self.dose, self.first_dose_ms)

    @cached_property
    def first_dose_ms(self) -> int:
        """The first report of a norepinephrine pump."""
        times = [each.time_ms for each in self.reports if each.drug == "norepinephrine"]
        return min(times, default=-DAWN_MS)

    @cached_property
    def on_vasopressor(self) -> Course[bool]:
        """Whether a channel of norepinephrine reports that it infuses."""
        return doses.any_of([together(lambda s: s == "infusing", c.state) for c in self.norepinephrine])

    @cached_property
    def vasopressin(self) -> Course[Fraction | None]:
        """What runs of the second agent."""
        return doses.total([each for each in self.channels if each.drug == "vasopressin"])
