"""Where the source contradicts itself, and what this program does about each: for a reviewer to judge.

Read by the catalogue only; no rule decides anything by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements of the source that cannot both be followed; `rules` are those it touches."""

    id: str
    source_says: str
    resolved: str
    rules: tuple[str, ...]


CONTRADICTIONS: tuple[Contradiction, ...] = (
    Contradiction(
        "C1",
        "The standard dilution is 16 mcg/mL in one place and 4 mcg/mL in another; 2-3 mL/min would be 8-12 "
        "mcg/min of the weaker and 32-48 mcg/min of the stronger.",
        "No concentration is ever a default: without one the dose is unknown. No rule counts in mL/min.",
        ("TECH-DOSE", "CONC-UNKNOWN"),
    ),
    Contradiction(
        "C2",
        "8-12 mcg/min is put level with 0.1-0.5 mcg/kg/min for 70 kg, but is 0.11-0.17 mcg/kg/min there.",
        "Both are bands of their own in their own unit; neither is converted into the other.",
        ("DOSE-START",),
    ),
    Contradiction(
        "C3",
        "Infusions start at 0.02 mcg/kg/min, at 0.1-0.5 mcg/kg/min, or at 8-12 mcg/min.",
        "The patient's profile chooses the band, and what is outside it is information, no alarm.",
        ("DOSE-START",),
    ),
    Contradiction(
        "C4",
        "0.1 mcg/kg/min is both where escalation begins and an ordinary dose to start at.",
        "At the lower bound a second agent is advised only together with hypotension that persists; the dose "
        "alone alerts at the upper bound.",
        ("ESC-SECOND-AGENT", "ESC-THRESHOLD"),
    ),
    Contradiction(
        "C5",
        "More than 10 mcg/min (0.14 mcg/kg/min at 70 kg) is to be avoided, yet infusions start at 8-12 "
        "mcg/min and escalate at 0.25 mcg/kg/min.",
        "Information only: it says what the dose is associated with and asks for nothing.",
        ("DOSE-10", "ESC-THRESHOLD"),
    ),
    Contradiction(
        "C6",
        "Maintenance is 2-4 mcg/min, below every dose to start at, with great variation between patients.",
        "Shown as a band for orientation; nothing alerts on it.",
        (),
    ),
    Contradiction(
        "C7",
        "Masses are given now of the base, now without saying of what: 2 mg of bitartrate are 1 mg of base.",
        "Pump or drug library must declare the form; where neither does, the dose is unknown.",
        ("TECH-DOSE", "DOSE-DAILY"),
    ),
    Contradiction(
        "C8",
        "The hepatorenal scheme of 0.5-3 mg/h is 8-50 mcg/min and crosses the escalation bounds by plan.",
        "The hepatorenal profile has rules of its own, in mg/h, in place of those of escalation.",
        ("HRS-STEP", "HRS-MAX", "HRS-RESPONSE", "ESC-THRESHOLD", "ESC-SECOND-AGENT"),
    ),
    Contradiction(
        "C9",
        "Dextrose is essential to the solution, yet the alternative mix for anaphylaxis is made in saline.",
        "A diluent without dextrose alerts at low priority, but for that profile and for premixes that the "
        "site has approved.",
        ("DILUENT",),
    ),
    Contradiction(
        "C10",
        "The rule of 6 (0.6 mg/kg in 100 mL, so that 1 mL/h is 0.1 mcg/kg/min) makes a concentration that "
        "depends on the patient, beside fixed standard ones.",
        "`streamproc rule-of-six` computes a concentration for a child; none is ever assumed: the pump "
        "has to report it.",
        ("CONC-UNKNOWN", "TECH-DOSE"),
    ),
    Contradiction(
        "C11",
        "Never start before hypovolemia is dealt with; but start at once where pressure threatens life.",
        "Advice on fluids, never an interlock; beside life-threatening hypotension it is information only.",
        ("FLUID-FIRST", "SBP-CRIT"),
    ),
    Contradiction(
        "C12",
        "1 mg in 100 mL, 10 mcg/mL, the rule of 6 and the doses for children read like figures for "
        "epinephrine.",
        "The profiles `anaphylaxis` and `pediatric` are off until a site turns them on; a patient context "
        "that names one that is off is rejected.",
        ("PED-MAX", "DOSE-START", "CONC-UNKNOWN"),
    ),
)
