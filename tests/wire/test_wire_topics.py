"""The topics of the contract: what is listened to is what is read; roots that mislead are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.wire import Topics
from streamproc.wire.topics import Address

names = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
beds = st.builds("{}/{}".format, names, names)


def matches(filter_: str, topic: str) -> bool:
    """MQTT 5, section 4.7.1.3: `+` stands for one whole level."""
    levels, wanted = topic.split("/"), filter_.split("/")
    return len(levels) == len(wanted) and all(
        w in ("+", level) for level, w in zip(levels, wanted, strict=True)
    )


def test_the_default_topics_are_the_contracts() -> None:
    topics = Topics()
    bed = "icu-a/bed-7"
    assert topics.subscriptions() == [
        "bedside/v1/+/+/map",
        "bedside/v1/+/+/pump/+",
        "bedside/v1/+/+/patient",
        "bedside/v1/+/+/observation",
        "alerts/v1/ack/+",
    ]
    assert topics.map(bed) == "bedside/v1/icu-a/bed-7/map"
    assert topics.pump(bed, "2") == "bedside/v1/icu-a/bed-7/pump/2"
    assert topics.patient(bed) == "bedside/v1/icu-a/bed-7/patient"
    assert topics.observation(bed) == "bedside/v1/icu-a/bed-7/observation"
    assert topics.ack("central-1") == "alerts/v1/ack/central-1"
    assert topics.alert(bed, "MAP-LOW") == "alerts/v1/icu-a/bed-7/MAP-LOW"
    assert topics.feed == "alerts/v1/feed"
    assert topics.status == "alerts/v1/status"
    assert topics.bed(bed) == "alerts/v1/bed/icu-a/bed-7"
    assert topics.dead_letter("not_json") == "alerts/v1/deadletter/not_json"


@given(
    bed=beds, name=names, roots=st.sampled_from([("bedside/v1", "alerts/v1"), ("a.b", "x/y/z"), ("t", "u")])
)
def test_every_topic_is_read_back_and_is_subscribed(bed: str, name: str, roots: tuple[str, str]) -> None:
    topics = Topics(*roots)
    expected = {
        topics.map(bed): Address("map", bed),
        topics.pump(bed, name): Address("pump", bed, name),
        topics.patient(bed): Address("patient", bed),
        topics.observation(bed): Address("observation", bed),
        topics.ack(name): Address("ack", "", name),
    }
    for topic, address in expected.items():
        assert topics.read(topic) == address
        assert sum(matches(each, topic) for each in topics.subscriptions()) == 1


@given(bed=beds, rule=st.sampled_from(["MAP-LOW", "TECH-DOSE"]))
def test_what_we_write_is_never_what_we_listen_to(bed: str, rule: str) -> None:
    """Else an alert would come back as telemetry."""
    topics = Topics()
    ours = [
        topics.alert(bed, rule),
        topics.bed(bed),
        topics.feed,
        topics.status,
        topics.dead_letter("future"),
    ]
    for topic in ours:
        assert topics.read(topic) is None


def test_a_root_is_taken_letter_by_letter() -> None:
    assert Topics("bed.side", "alerts").read("bedXside/a/b/map") is None


@pytest.mark.parametrize(
    "root", ["", "/", "bedside/", "/bedside", "a//b", "a/+", "#", "$SYS/x", "a\n", "a\x00", "x" * 129]
)
def test_a_root_that_no_broker_takes_is_refused_at_start(root: str) -> None:
    with pytest.raises(ValueError, match="right would be"):
        Topics(telemetry_root=root)
    with pytest.raises(ValueError, match="right would be"):
        Topics(alerts_root=root)


@pytest.mark.parametrize(("telemetry", "alerts"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_roots_inside_each_other_are_refused(telemetry: str, alerts: str) -> None:
    with pytest.raises(ValueError, match="overlap"):
        Topics(telemetry, alerts)


def test_roots_that_only_begin_alike_are_fine() -> None:
    assert Topics("bed", "bedside").read("bed/u/b/map") == Address("map", "u/b")
