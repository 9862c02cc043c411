"""What the source and the rule page say that is deliberately no rule, with the reason for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotARule:
    """A statement that nothing here alerts on; `section` is the source's."""

    statement: str
    section: str
    reason: str


NOT_RULES: tuple[NotARule, ...] = (
    NotARule(
        "Maintenance typically at 2-4 mcg/min",
        "Titration Strategy",
        "A band for orientation (C6): most patients in shock are above it, and it would never be quiet.",
    ),
    NotARule(
        "Rates in mL/min of the standard dilution",
        "Initial Dosing; Titration Strategy",
        "There are two standard dilutions (C1): a volume says nothing without its concentration.",
    ),
    NotARule(
        "Rule of 6",
        "Special Populations",
        "It computes a concentration and judges none (C10): `streamproc rule-of-six --weight KG` does so "
        "where the pediatric profile is on; CONC-UNKNOWN judges what the pump reports.",
    ),
    NotARule(
        "Titrate to the response; individual doses vary greatly",
        "Titration Strategy",
        "No condition to test: the dose that a patient needs is what the clinician finds.",
    ),
    NotARule(
        "Mental status as a marker of perfusion",
        "Target Blood Pressure and Monitoring",
        "No message carries it; PERFUSION judges lactate and urine output.",
    ),
    NotARule(
        "More restrictive fluid in pregnancy, fetal monitoring beside vasopressin",
        "Special Populations",
        "The smaller volume is a parameter of FLUID-FIRST; fetal monitoring is beyond what this bed tells.",
    ),
    NotARule(
        "Myocardial oxygen consumption in ischemic heart disease",
        "Monitoring for Adverse Effects",
        "No message measures it; ARRHYTHMIA judges the sign that is observed.",
    ),
    NotARule(
        "Phentolamine, glucagon and their doses",
        "Management of Extravasation; Special Populations",
        "Treatments to advise, not conditions: EXTRAVASATION and BETA-BLOCKED say them.",
    ),
    NotARule(
        "Central venous access strongly preferred",
        "Administration Route",
        "A preference at the start; ROUTE-PERIPHERAL asks for it once a peripheral line has run for long.",
    ),
    NotARule(
        "Terms of the rule page (target, dose, time-weighted mean, coverage, session)",
        "Rule page",
        "Definitions that rules are made of; each is a number under `terms` or a question of the chart.",
    ),
)
