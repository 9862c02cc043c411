"""When two reports of a pump say the same: cell by cell, one field at a time."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pump_reports import report

from streamproc.core.events import DrugForm, PatientContext, Profile, PumpState, Quantity

STATUS = report(
    5.0,
    "mL/h",
    concentration=(16.0, "ug/mL"),
    form=DrugForm.BASE,
    weight_kg=70.0,
    volume_remaining_ml=100.0,
    diluent="D5W",
    route="central",
    line="L1",
    alarms=("MDC_X",),
)


@pytest.mark.parametrize(
    ("changed", "delivers_alike", "set_up_alike"),
    [
        ({}, True, True),
        ({"time_ms": 1, "seq": 7, "device": "PMP-9"}, True, True),
        ({"volume_remaining_ml": 99.0}, True, True),
        ({"state": PumpState.PAUSED}, False, False),
        ({"rate": Quantity(5.1, "mL/h")}, False, True),
        ({"rate": None}, False, True),
        ({"drug": "epinephrine"}, False, False),
        ({"form": DrugForm.BITARTRATE}, False, True),
        ({"concentration": Quantity(32.0, "ug/mL")}, False, False),
        ({"concentration": None}, False, False),
        ({"weight_kg": 71.0}, False, False),
        ({"diluent": "NS"}, True, False),
        ({"route": "peripheral"}, True, False),
        ({"line": "L2"}, True, False),
        ({"alarms": ()}, True, False),
    ],
)
def test_a_report_says_the_same_flow_or_the_same_setting(
    changed: dict[str, Any], delivers_alike: bool, set_up_alike: bool
) -> None:
    """Whether its parts are the very same objects or only equal ones."""
    for other in (replace(STATUS, **changed), replace(deepcopy(STATUS), **changed)):
        assert other.delivers_as(STATUS) is STATUS.delivers_as(other) is delivers_alike
        assert other.set_up_as(STATUS) is STATUS.set_up_as(other) is set_up_alike


def test_of_a_patient_of_whom_nothing_is_said_nothing_is_assumed() -> None:
    patient = PatientContext(1, "icu-a/bed-7", session="S-1")
    assert patient.profile is Profile.GENERAL
    assert not patient.beta_blocked
    assert not patient.pregnant
