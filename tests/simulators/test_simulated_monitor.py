"""A monitor sends what its line and cuff see, which is not always the patient."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from simulators.monitor import FLUSH_MMHG, Monitor


def monitor(**settings: Any) -> Monitor:
    """A monitor with its arterial line connected."""
    return Monitor("MON-1", "b1", Random(1), **settings)


def seen(monitor: Monitor, mmhg: float, seconds: int = 1) -> list[dict[str, Any]]:
    """What it sends while the patient stays at `mmhg`."""
    payloads = [payload for second in range(seconds) for payload in monitor.read(second * 1000, mmhg)]
    return [json.loads(payload) for payload in payloads]


def test_an_arterial_line_gives_one_sample_a_second_counted_from_one() -> None:
    samples = seen(monitor(), 63.4, seconds=3)
    assert [sample["seq"] for sample in samples] == [1, 2, 3]
    assert samples[0] == {
        "device": "MON-1",
        "boot": "b1",
        "seq": 1,
        "time": "1970-01-01T00:00:00.000Z",
        "metric": "MDC_PRESS_BLD_ART_ABP_MEAN",
        "value": 63,
        "unit": "mm[Hg]",
        "quality": "good",
    }


def test_kilopascals_are_the_same_pressure() -> None:
    (sample,) = seen(monitor(unit="kPa"), 75)
    assert (sample["value"], sample["unit"]) == (10.0, "kPa")


@pytest.mark.parametrize(("marked", "quality"), [(True, "artefact"), (False, "good")])
def test_a_flush_shows_the_flush_bag_for_as_long_as_it_lasts(marked: bool, quality: str) -> None:
    bedside = monitor()
    bedside.flush(2, marked=marked)
    samples = seen(bedside, 70, seconds=3)
    assert [sample["value"] for sample in samples] == [FLUSH_MMHG, FLUSH_MMHG, 70]
    assert [sample["quality"] for sample in samples] == [quality, quality, "good"]


def test_zeroing_shows_nothing_and_says_calibrating() -> None:
    bedside = monitor()
    bedside.zero(1)
    assert [(s["value"], s["quality"]) for s in seen(bedside, 70)] == [(0, "calibrating")]


def test_a_doubtful_sample_keeps_its_figure() -> None:
    bedside = monitor()
    bedside.doubt(1)
    assert [(s["value"], s["quality"]) for s in seen(bedside, 70)] == [(70, "questionable")]


def test_a_damped_line_lags_behind_the_patient() -> None:
    bedside = monitor()
    seen(bedside, 80)
    bedside.damp()
    lagging = [sample["value"] for sample in seen(bedside, 60, seconds=60)]
    assert lagging[0] == 79
    assert lagging == sorted(lagging, reverse=True)
    assert 60 <= lagging[-1] < 63
    bedside.damp(False)
    assert seen(bedside, 60)[0]["value"] == 60


def test_a_cuff_measures_at_once_and_then_at_its_interval() -> None:
    bedside = monitor(arterial=False)
    bedside.start_cuff(300)
    samples = seen(bedside, 70, seconds=601)
    assert [sample["time"][14:19] for sample in samples] == ["00:00", "05:00", "10:00"]
    assert {sample["metric"] for sample in samples} == {"MDC_PRESS_BLD_NONINV_MEAN"}
    assert all(55 < sample["value"] < 85 for sample in samples)


def test_cuff_and_line_count_as_one_device() -> None:
    bedside = monitor()
    bedside.start_cuff(300)
    assert [sample["seq"] for sample in seen(bedside, 70, seconds=2)] == [1, 2, 3]


def test_a_lost_monitor_is_silent_and_comes_back_as_a_new_start() -> None:
    bedside = monitor()
    seen(bedside, 70, seconds=5)
    bedside.lose_power()
    assert seen(bedside, 70, seconds=5) == []
    bedside.restart("b2")
    (sample,) = seen(bedside, 70)
    assert (sample["boot"], sample["seq"]) == ("b2", 1)
