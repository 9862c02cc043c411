"""The named courses of a bed: each a script, with what happens when and which rules it is made to raise.

Times are minutes of event time from the start, doses ug/kg/min of norepinephrine. A script only acts on
its bed; after its last act the bed goes on as it then is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simulators.bedside import (
    MINUTE_S,
    Bedside,
    Script,
    norepinephrine_bag,
    start_infusion,
    vasopressin_bag,
)
from simulators.messages import Message
from simulators.pump import AIR_IN_LINE, OCCLUSION, PumpChannel
from streamproc.core.events import Profile
from streamproc.wire.models import Concentration, Rate

VASOPRESSIN_U_PER_MIN = 0.03


def stable(bed: Bedside) -> Script:
    """Norepinephrine at 0.08 holds MAP near 76 for an hour, and nobody touches anything. Made to raise
    WEAN-READY near minute 34 (half an hour after the first five-minute mean), and nothing else."""
    bed.admit()
    start_infusion(bed, 0.08, mmhg=76)
    yield 0


def septic_shock(bed: Bedside) -> Script:
    """MAP is near 72 on 0.10 until minute 4; then vasoplegia outruns the nurse: MAP is about 60 from
    minute 8 to 34, while the dose goes up to 0.15 (minute 10), 0.20 (18) and 0.26 (26). At minute 34
    vasopressin 0.03 U/min starts on channel 3 and norepinephrine goes to 0.30; MAP is above 70 from
    minute 42. Reductions to 0.225 at minute 75 and to 0.17 at 107. Made to raise MAP-LOW near minute 9
    (high near 14), ESC-SECOND-AGENT (medium near 14, high at 26) and ESC-THRESHOLD from minute 27 to
    108."""
    bed.admit(profile=Profile.SEPTIC_SHOCK)
    norepinephrine = start_infusion(bed, 0.10, mmhg=72)
    bed.add_pump("2", norepinephrine_bag())
    vasopressin = bed.add_pump("3", vasopressin_bag(), volume_ml=100)
    yield 4
    bed.head_for(59, over_min=4)
    for minute, dose in ((10, 0.15), (18, 0.20), (26, 0.26)):
        yield minute
        bed.give(norepinephrine, dose)
        bed.head_for(59, over_min=12)
    yield 34
    vasopressin.program(Rate(value=VASOPRESSIN_U_PER_MIN, unit="U/min"))
    bed.give(norepinephrine, 0.30)
    bed.head_for(78, over_min=6)
    for minute, dose in ((75, 0.225), (107, 0.17)):
        yield from _recover_and_reduce(bed, norepinephrine, minute, dose)


def weaning_well(bed: Bedside) -> Script:
    """A recovering patient on 0.20, MAP near 76. A quarter comes off a little over every half hour: 0.15
    at minute 36, then 0.113 (68), 0.085 (100), 0.064 (132) and 0.048 (164); the dose is never below 75 %
    of the highest of the last 30 minutes, and MAP never below 65. Made to raise WEAN-READY near minute 34
    and two minutes before each further step, which ends it; and nothing else."""
    bed.admit()
    norepinephrine = start_infusion(bed, 0.20, mmhg=76)
    for minute, dose in ((36, 0.15), (68, 0.113), (100, 0.085), (132, 0.064), (164, 0.048)):
        yield from _recover_and_reduce(bed, norepinephrine, minute, dose)


def weaning_fast(bed: Bedside) -> Script:
    """On 0.16 with MAP near 78. At minute 10 down to 0.12, as one may; at minute 18 down to 0.08, half of
    what ran within the last half hour. MAP falls to about 60 by minute 28. At minute 34 back to 0.12, and
    MAP is above 70 from minute 45. Made to raise WEAN-FAST at minute 18, WEAN-FAIL and MAP-LOW near 28
    (high near 34), and ESC-SECOND-AGENT while MAP recovers."""
    bed.admit()
    norepinephrine = start_infusion(bed, 0.16, mmhg=78)
    yield 10
    bed.give(norepinephrine, 0.12)
    bed.head_for(74, over_min=4)
    yield 18
    bed.give(norepinephrine, 0.08)
    bed.head_for(58, over_min=4)
    yield 34
    bed.give(norepinephrine, 0.12)
    bed.head_for(74, over_min=5)


def abrupt_stop(bed: Bedside) -> Script:
    """On 0.12 with MAP near 74; at minute 12 the pump is stopped. MAP is below 65 by minute 15 and below
    55 from minute 21 until the infusion, resumed at minute 26, has worked. Made to raise WEAN-STOP once
    MAP is below the target, MAP-LOW near minute 17 and MAP-CRIT near 22, and ESC-SECOND-AGENT while MAP
    recovers."""
    bed.admit()
    norepinephrine = start_infusion(bed, 0.12, mmhg=74)
    yield 12
    norepinephrine.stop()
    yield 14
    bed.head_for(48, over_min=3)
    yield 26
    bed.give(norepinephrine, 0.12)
    bed.head_for(74, over_min=5)


def line_lost(bed: Bedside) -> Script:
    """On 0.10 with MAP near 74. At minute 10 the arterial line is lost. From minute 17 a cuff measures
    every 5 minutes; at minute 45 the line is back and the cuff stops. Made to raise TECH-MAP-LOST (low
    after 15 s, medium after 60 s) and MAP-OVERDUE at minute 15; the first cuff reading ends both."""
    bed.admit()
    start_infusion(bed, 0.10, mmhg=74)
    yield 10
    bed.monitor.arterial = False
    yield 17
    bed.monitor.start_cuff(5 * MINUTE_S)
    yield 45
    bed.monitor.arterial = True
    bed.monitor.cuff_every_s = None


def monitor_lost(bed: Bedside) -> Script:
    """On 0.10 with MAP near 74, on a monitor that shows kPa. At minute 10 the monitor falls silent
    altogether, for 20 minutes; it comes back with a new boot. Made to raise TECH-MAP-LOST, and
    MAP-OVERDUE (low at minute 15, medium at 25)."""
    bed.admit()
    bed.monitor.unit = "kPa"
    start_infusion(bed, 0.10, mmhg=74)
    yield 10
    bed.monitor.lose_power()
    yield 30
    bed.monitor.restart(bed.new_boot())


def pump_lost(bed: Bedside) -> Script:
    """On 0.10 with MAP near 74. From minute 12 to 18 nothing is heard of the pump, which infuses on. Made
    to raise TECH-PUMP-LOST 15 s later, and TECH-GAP for the unheard messages when it is back; the dose is
    unknown meanwhile, never 0."""
    bed.admit()
    pump = start_infusion(bed, 0.10, mmhg=74)
    yield 12
    pump.in_contact = False
    yield 18
    pump.in_contact = True


def bag_changeover(bed: Bedside) -> Script:
    """On 0.08 with MAP near 84, from a bag that lasts 25 minutes. At minute 20 channel 1 stops and
    channel 2 takes over in the same second. At minute 45 channel 2 stops, and channel 1 with its new bag
    starts two minutes later: a gap within the grace. Made to raise the near end of infusion (TECH-PUMP)
    from minute 15; neither WEAN-STOP nor WEAN-FAST."""
    bed.admit()
    lasting_25_min_ml = 25 * 0.08 * bed.patient.weight_kg / 16
    first = start_infusion(bed, 0.08, mmhg=84, volume_ml=lasting_25_min_ml)
    second = bed.add_pump("2", norepinephrine_bag())
    yield 20
    first.stop()
    bed.give(second, 0.08)
    yield 25
    first.hang(norepinephrine_bag(), volume_ml=250)
    yield 45
    second.stop()
    yield 47
    bed.give(first, 0.08)


def wrong_concentration(bed: Bedside) -> Script:
    """On 0.10 with MAP near 74. At minute 15 a like bag is hung, but entered as 160 ug/mL instead of 16,
    at the same mL/h: the charted dose is ten times the true one, and MAP does not move. Entered rightly
    at minute 25. Made to raise ESC-THRESHOLD at minute 16, DOSE-STEP and CONC-UNKNOWN; the correction
    looks like a fall to a tenth, and raises WEAN-FAST."""
    bed.admit()
    pump = start_infusion(bed, 0.10, mmhg=74)
    yield 15
    pump.hang(norepinephrine_bag(), volume_ml=250, entered=Concentration(value=160, unit="ug/mL"))
    yield 25
    pump.enter_concentration(pump.bag.content)


def hypotension_missed(bed: Bedside) -> Script:
    """On 0.10 with MAP near 72, sinking to 59 from minute 6 to 10, and to about 50 from minute 21 to 28.
    Nobody touches the pump until minute 40, when the dose goes to 0.15; MAP is above 65 from minute 48.
    Made to raise MAP-LOW near minute 10, high near 16, and with it ESC-SECOND-AGENT (medium); MAP-CRIT
    near minute 23."""
    bed.admit()
    norepinephrine = start_infusion(bed, 0.10, mmhg=72)
    yield 6
    bed.head_for(59, over_min=4)
    yield 21
    bed.head_for(50, over_min=1)
    yield 28
    bed.head_for(59, over_min=1)
    yield 40
    bed.give(norepinephrine, 0.15)
    bed.head_for(72, over_min=4)


def no_weight(bed: Bedside) -> Script:
    """Norepinephrine runs in mL/h, MAP near 74, and no weight is charted anywhere; it is given with the
    patient context at minute 25. Made to raise TECH-DOSE from the start until minute 25."""
    bed.admit(weight_known=False)
    start_infusion(bed, 0.10, mmhg=74)
    yield 25
    bed.admit()


def artefacts(bed: Bedside) -> Script:
    """On 0.10 with MAP near 74. A flush of 8 s at minute 6 is too short to matter. At minute 15 a blood
    sample takes 40 s and is marked as an artefact; at minute 22 a flush of 30 s is not marked, only
    absurd; at minute 28 the line is zeroed for 20 s. From minute 34 it is damped, and from 36 to 40 says
    so. Made to raise TECH-MAP-ARTEFACT and, 15 s without a valid sample, TECH-MAP-LOST at minutes 15, 22,
    28 and 36; no pressure alarm."""
    bed.admit()
    start_infusion(bed, 0.10, mmhg=74)
    yield 6
    bed.monitor.flush(8)
    yield 15
    bed.monitor.flush(40)
    yield 22
    bed.monitor.flush(30, marked=False)
    yield 28
    bed.monitor.zero(20)
    yield 34
    bed.monitor.damp()
    yield 36
    bed.monitor.doubt(4 * MINUTE_S)
    yield 40
    bed.monitor.damp(False)


def pump_alarms(bed: Bedside) -> Script:
    """On 0.06 with MAP near 80. The line is occluded from minute 10 to 11, and has air in it from 20 to
    21; the pump alarms and holds. From minute 30 to 31 it is paused, from 40 to 42 it keeps the vein open.
    MAP stays above 65. Made to raise TECH-PUMP at minutes 10 and 20, and no WEAN-STOP: none of it is a
    stop."""
    bed.admit()
    pump = start_infusion(bed, 0.06, mmhg=80)
    for minute, code in ((10, OCCLUSION), (20, AIR_IN_LINE)):
        yield minute
        pump.alarm(code)
        yield minute + 1
        pump.clear_alarms()
        pump.resume()
    yield 30
    pump.pause()
    yield 31
    pump.resume()
    yield 40
    pump.keep_vein_open()
    yield 42
    pump.resume()


def _recover_and_reduce(bed: Bedside, norepinephrine: PumpChannel, minute: float, dose: float) -> Script:
    """The patient mends before the dose is reduced, so that MAP is held through the reduction."""
    yield minute - 12
    bed.head_for(82, over_min=10)
    yield minute
    bed.give(norepinephrine, dose)
    bed.head_for(76, over_min=8)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script by its name, and how long it takes until all of it has been seen."""

    script: Callable[[Bedside], Script]
    minutes: int

    @property
    def name(self) -> str:
        """As it is asked for."""
        return self.script.__name__

    @property
    def story(self) -> str:
        """What happens when, and which rules it is made to raise."""
        return inspect.getdoc(self.script) or ""

    def play(
        self, unit: str, bed: str, seed: str, start_ms: int, duration_s: int | None = None
    ) -> Iterator[Message]:
        """All that one bed sends; the same arguments give the same bytes."""
        bedside = Bedside(unit, bed, seed, start_ms)
        seconds = self.minutes * MINUTE_S if duration_s is None else duration_s
        return bedside.play(self.script(bedside), seconds)


WARD_ORDER = (
    Scenario(stable, 60),
    Scenario(septic_shock, 120),
    Scenario(weaning_fast, 60),
    Scenario(abrupt_stop, 60),
    Scenario(line_lost, 60),
    Scenario(no_weight, 60),
    Scenario(hypotension_missed, 60),
    Scenario(weaning_well, 190),
    Scenario(bag_changeover, 70),
    Scenario(wrong_concentration, 60),
    Scenario(monitor_lost, 60),
    Scenario(pump_lost, 45),
    Scenario(artefacts, 50),
    Scenario(pump_alarms, 60),
)
"""The order in which a ward's beds get their scenarios: the first eight show most rules within an
hour."""

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in WARD_ORDER})
