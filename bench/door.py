"""What a message costs at the door alone: received, journaled, decoded, taken in, but judged by no ward.

MAP and pump of many beds in turn, as simulators and gateways write them. Each figure is the least of
several rounds, in us of CPU a message: the other rounds tell of the machine. It passes no judgement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from unittest.mock import patch

import mqtt5

from bench.memory import START_MS
from bench.stage.figures import show
from bench.stage.telemetry import Ward as Sending
from bench.stage.telemetry import interval
from streamproc.config import load
from streamproc.core.ward import Taken, Ward
from streamproc.shell.intake import Intake
from streamproc.shell.journal import decode_frames, encode_frames
from streamproc.shell.packets import Delivery, OwedAcknowledgements, PacketReader
from streamproc.wire import Received, read_lines, write_line

TRANSIT_MS = 40
AT_ONCE = 50
"""Messages of one round of the processor: 1,000 beds at 25 rounds a second send a few more."""
PACKET_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Door:
    """us of CPU a message; `live` and `replayed` are the sums of their parts."""

    messages: int
    packets: float
    acknowledged: float
    journaled: float
    decoded: float
    alike: float
    """Read as one that differs from the last of its topic only in number, time and figure."""
    taken_in: float
    line_read: float
    journal_read: float
    live: float
    replayed: float


def received(beds: int, intervals: int, every_ms: int = 1_000) -> list[Received]:
    """What the beds send in so many intervals, in the order of its receipt."""
    ward = Sending(beds, 1, quiet=True)
    places = [(beat, bed) for beat in range(intervals) for bed in range(1, beds + 1)]
    sent = [each for beat, bed in places for each in interval(ward, bed, beat, every_ms)]
    return [
        Received(START_MS + each.due_ms + TRANSIT_MS, each.topic, each.payload(START_MS))
        for each in sorted(sent, key=lambda each: each.due_ms)
    ]


def measure(beds: int, seconds: int, rounds: int) -> Door:
    """Each part over all messages, so many times."""
    messages = received(beds, seconds)
    stream = b"".join(
        mqtt5.PublishPacket(
            each.topic, each.payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1 + number % 65_000
        ).write()
        for number, each in enumerate(messages)
    )
    lines = [write_line(each) for each in messages]
    batches = [messages[at : at + AT_ONCE] for at in range(0, len(messages), AT_ONCE)]
    frames = [encode_frames(1, START_MS, batch) for batch in batches]
    intake = Intake.from_settings(load(None, []))
    decoder = intake.decoder
    known = {each.topic: alike for each in messages if (alike := decoder.alike(each.topic, each.payload))}

    def least(part: Callable[[], object]) -> float:
        return min(cpu_s(part) for _ in range(rounds)) * 1e6 / len(messages)

    packets = least(lambda: deliveries(stream))
    parts = {
        "packets": packets,
        "acknowledged": least(lambda: settle(deliveries(stream))) - packets,
        "journaled": least(lambda: [encode_frames(1, START_MS, batch) for batch in batches]),
        "decoded": least(
            lambda: [decoder.decode(each.topic, each.payload, each.received_ms) for each in messages]
        ),
        "alike": least(lambda: [known[each.topic].read(each.payload) for each in messages]),
        "taken_in": least(lambda: take(intake, batches)),
        "line_read": least(lambda: list(read_lines(lines))),
        "journal_read": least(lambda: [decode_frames(1, START_MS, each) for each in frames]),
    }
    live = parts["packets"] + parts["acknowledged"] + parts["journaled"] + parts["taken_in"]
    return Door(len(messages), **parts, live=live, replayed=parts["line_read"] + parts["taken_in"])


def cpu_s(part: Callable[[], object]) -> float:
    """The CPU that it takes once."""
    began_s = time.process_time()
    part()
    return time.process_time() - began_s


def deliveries(stream: bytes) -> list[Delivery]:
    """Bytes to deliveries, as the connection makes them."""
    return [each for each in PacketReader(PACKET_BYTES).feed(stream) if isinstance(each, Delivery)]


def settle(received: Sequence[Delivery]) -> bytes:
    """Owe each of them an acknowledgement, and pay."""
    owed = OwedAcknowledgements()
    owed.received(received)
    return owed.settle(received)


def take(intake: Intake, batches: Sequence[Sequence[Received]]) -> None:
    """Read anew, sort, fingerprint and count; the ward only says that it has taken it."""
    with (
        patch.object(Ward, "offer", lambda ward, event, received_ms, fingerprint: Taken.ACCEPTED),
        patch.object(Ward, "expect", lambda ward, event: None),
    ):
        for batch in batches:
            intake.take(START_MS, batch)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="bench door", description=__doc__)
    parser.add_argument("--beds", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    show(asdict(measure(asked.beds, asked.seconds, asked.rounds)), asked.json)


if __name__ == "__main__":
    main()
