"""An alert, a bed state and a heartbeat with every field said, as the processor would send them."""

from __future__ import annotations

from contract_examples import BED

from streamproc.core.events import MapSource, Profile, PumpState
from streamproc.wire.models import (
    AlertEvent,
    AlertPayload,
    BedState,
    ChannelProvenance,
    ChannelState,
    Citation,
    DoseState,
    Evidence,
    Heartbeat,
    OpenAlert,
    PressureState,
    Provenance,
    SampleRef,
    Samples,
    WeaningState,
    WindowState,
)

ONSET = "2026-11-23T08:10:02.000Z"
NOW = "2026-11-23T08:15:02.000Z"

ALERT = AlertEvent(
    id="al-0f3c.1",
    source="/streamproc/icu-1",
    subject=BED,
    time=NOW,
    data=AlertPayload(
        alert_id="al-0f3c",
        event_seq=1,
        feed_seq=42,
        rule="MAP-LOW",
        rule_version=1,
        ruleset="5d2c8a",
        kind="physiological",
        priority="medium",
        phase="start",
        state="active",
        text="MAP 58.25 < 65 for 5 min",
        advice="Check the line, then fluid and vasopressor.",
        value=58.25,
        limit=65,
        unit="mm[Hg]",
        onset=ONSET,
        detected=NOW,
        evidence=Evidence(
            window_start=ONSET,
            window_end=NOW,
            coverage=0.9833,
            samples=Samples(
                first=SampleRef(device="MON-0417", boot="b7f2", seq=17931),
                last=SampleRef(device="MON-0417", boot="b7f2", seq=18231),
                count=300,
            ),
            dose_ug_per_kg_min=0.25,
            dose=[
                ChannelProvenance(
                    channel="1",
                    drug="norepinephrine",
                    status=PumpState.INFUSING,
                    rate=Provenance(value=9.375, unit="mL/h", source="pump", time=NOW),
                    concentration=Provenance(value=16, unit="ug/mL", source="pump", time=NOW),
                    weight=Provenance(value=10, unit="kg", source="patient context", time=ONSET),
                )
            ],
        ),
        citation=Citation(section="Target", page="MAP-LOW", says="S", sentence="Keep MAP at 65 or above."),
    ),
)

BED_STATE = BedState(
    bed=BED,
    time=NOW,
    session="S-20931",
    profile=Profile.SEPTIC_SHOCK,
    map_target=65,
    map=PressureState(value=58.25, source=MapSource.ARTERIAL, time=NOW, fresh=True),
    dose=DoseState(ug_per_kg_min=0.25, ug_per_min=17.5),
    windows=[WindowState(seconds=300, value=58.25, coverage=0.9833, evaluable=True)],
    weaning=WeaningState(eligible=False, reasons=["MAP 58.25 is below 65"]),
    channels=[
        ChannelState(
            channel="1", drug="norepinephrine", status=PumpState.INFUSING, rate=9.375, unit="mL/h", time=NOW
        )
    ],
    alerts=[
        OpenAlert(
            alert_id="al-0f3c",
            rule="MAP-LOW",
            kind="physiological",
            priority="medium",
            state="active",
            text="MAP 58.25 < 65 for 5 min",
            onset=ONSET,
        )
    ],
)

HEARTBEAT = Heartbeat(
    state="running", instance="icu-1", version="0.1.0", time=NOW, position=182_310, feed_seq=42, beds=8
)
