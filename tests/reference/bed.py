"""A history laid out as courses, each answering one question of the rule page at every instant.

Must hold the page's words only where several rules share them; a rule's own words are in `rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from tests.reference import dose as doses
from tests.reference import pressure as pressures
from tests.reference.course import DAWN_MS, Course, course, together
from tests.reference.dose import Channel
from tests.reference.facts import Acknowledgement, Fact, Patient, Pressure, Report, Terms
from tests.reference.pressure import Window

MINUTE_MS = 60_000
NOBODY = Patient(DAWN_MS, weight=None)
"""Before the context came: the defaults of the site, and no weight."""


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
    def patient(self) -> Course[Patient]:
        """What is known of the patient."""
        return course(NOBODY, [(each.time_ms, each) for each in self.facts if isinstance(each, Patient)])

    @cached_property
    def target(self) -> Course[int]:
        """The MAP target in force."""
        return together(lambda patient: patient.target, self.patient)

    @cached_property
    def weight(self) -> Course[Fraction | None]:
        """The dosing weight in force."""
        return together(lambda patient: patient.weight, self.patient)

    @cached_property
    def hepatorenal(self) -> Course[bool]:
        """Whether HRS-* have taken the place of ESC-*."""
        return together(lambda patient: patient.profile == "hepatorenal", self.patient)

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
        return doses.channels(self.reports, self.weight, self.terms)

    @cached_property
    def norepinephrine(self) -> list[Channel]:
        """The channels that norepinephrine runs, or ran, through."""
        return [each for each in self.channels if each.drug == "norepinephrine"]

    @cached_property
    def dose(self) -> Course[Fraction | None]:
        """The dose of norepinephrine, None where it is unknown."""
        return doses.total([each.dose for each in self.norepinephrine])

    @cached_property
    def flow(self) -> Course[Fraction | None]:
        """What flows of norepinephrine, in mcg/min; it may be known where the dose by weight is not."""
        return doses.total([each.flow for each in self.norepinephrine])

    @cached_property
    def dose_unless_resumed(self) -> Course[Fraction | None]:
        """The same, where pumps that paused and then fell silent are pausing still."""
        return doses.total([doses.by_last_word(each) for each in self.norepinephrine])

    @cached_property
    def dose_changes(self) -> list[int]:
        """When the dose was changed, or what flows while the dose by weight was unknown."""
        flows = doses.dose_changes(self.flow, self.first_dose_ms)
        by_flow = [time_ms for time_ms in flows if self.dose.at(time_ms) is None]
        return sorted({*doses.dose_changes(self.dose, self.first_dose_ms), *by_flow})

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
    def infusions(self) -> list[tuple[int, int]]:
        """When each infusion of norepinephrine began and stopped, change-overs bridged.

        A pump that paused and then fell silent may have resumed: while nobody knows, what runs goes on."""
        told = together(
            lambda on, dose, flow: True if on else None if dose is None and flow is None else False,
            self.on_vasopressor,
            self.dose,
            self.flow,
        )
        changes, runs = list[tuple[int, bool]](), False
        for begin, _, now in told.runs():
            runs = runs if now is None else now
            changes.append((begin, runs))
        return doses.infusions(course(False, changes))

    def seen(self, rule: str, raised: int) -> int:
        """When somebody first acknowledged this alert, as far as it had been announced by then."""
        times = [each.time_ms for each in self.acknowledged if each.rule == rule]
        return min((t for t in times if t - self.terms.hold_back_ms >= raised), default=-DAWN_MS)

    @cached_property
    def vasopressin(self) -> Course[Fraction | None]:
        """What runs of the second agent."""
        return doses.total([each.flow for each in self.channels if each.drug == "vasopressin"])
