"""What happens to messages on their way: lost, doubled, out of order, late, spoiled, or wrongly dated.

Pure and seeded. A fault may change when a message arrives and what it says, never which bed it is for;
retained patient contexts come through unharmed.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from simulators.messages import Message
from streamproc.wire.instant import instant_ms, rfc3339
from streamproc.wire.strict_json import compact

MOST_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Faults:
    """How often (a share from 0 to 1) and how far (milliseconds) things go wrong; all off by default."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder_ms: int = 0
    late: float = 0.0
    late_ms: int = 30_000
    skewed: float = 0.0
    skew_ms: int = 120_000
    malformed: float = 0.0

    @property
    def longest_delay_ms(self) -> int:
        """No message arrives later than this after it was sent."""
        return self.reorder_ms + (self.late_ms if self.late else 0)


def parse_faults(spec: str) -> Faults:
    """From `drop=0.01,reorder_ms=500`; a ValueError says what would be right."""
    known = {field.name: 0 if field.name.endswith("_ms") else 0.0 for field in fields(Faults)}
    given: dict[str, Any] = {}
    for part in filter(None, spec.split(",")):
        name, _, text = part.partition("=")
        if name.strip() not in known:
            raise ValueError(f"no fault {name.strip()!r}; one of {', '.join(known)}")
        given[name.strip()] = _figure(name.strip(), text.strip())
    return Faults(**given)


def _figure(name: str, text: str) -> float:
    try:
        value = int(text) if name.endswith("_ms") else float(text)
    except ValueError:
        value = math.nan
    low, high = _range(name)
    if not low <= value <= high:
        sort = "whole milliseconds" if name.endswith("_ms") else "a share"
        raise ValueError(f"{name}={text}: {sort} from {low} to {high} was expected")
    return value


def _range(name: str) -> tuple[int, int]:
    if not name.endswith("_ms"):
        return 0, 1
    return (-MOST_MS if name == "skew_ms" else 0), MOST_MS


def disturb(messages: Iterator[Message], faults: Faults, seed: int) -> Iterator[Message]:
    """The same messages as they arrive, in order of arrival; `time_ms` becomes the time of arrival."""
    random = Random(f"{seed}/faults")
    on_the_way: list[tuple[int, int, Message]] = []
    number = 0
    for message in messages:
        while on_the_way and on_the_way[0][0] <= message.time_ms:
            yield _arrived(heapq.heappop(on_the_way))
        for copy in _copies(message, faults, random, seed):
            due_ms = message.time_ms + _delay_ms(message, faults, random)
            heapq.heappush(on_the_way, (due_ms, number, copy))
            number += 1
    while on_the_way:
        yield _arrived(heapq.heappop(on_the_way))


def _arrived(entry: tuple[int, int, Message]) -> Message:
    due_ms, _, message = entry
    return message._replace(time_ms=due_ms)


def _copies(message: Message, faults: Faults, random: Random, seed: int) -> list[Message]:
    if message.retain:
        return [message]
    if random.random() < faults.drop:
        return []
    spoiled = _spoil(message, faults, random, seed)
    return [spoiled] * (2 if random.random() < faults.duplicate else 1)


def _delay_ms(message: Message, faults: Faults, random: Random) -> int:
    if message.retain:
        return 0
    jitter_ms = random.randint(0, faults.reorder_ms)
    return jitter_ms + (random.randint(1, faults.late_ms) if random.random() < faults.late else 0)


def _spoil(message: Message, faults: Faults, random: Random, seed: int) -> Message:
    if random.random() < faults.malformed:
        return message._replace(payload=random.choice(SPOILERS)(message.payload))
    if faults.skewed and _is_skewed(json.loads(message.payload)["device"], faults, seed):
        return message._replace(payload=_misdated(message.payload, faults.skew_ms))
    return message


def _is_skewed(device: str, faults: Faults, seed: int) -> bool:
    """A device's clock is right or wrong from its start to its end."""
    return Random(f"{seed}/skew/{device}").random() < faults.skewed


def _misdated(payload: bytes, by_ms: int) -> bytes:
    shown = json.loads(payload)
    return compact(shown | {"time": rfc3339(instant_ms(shown["time"]) + by_ms)})


SPOILERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda payload: payload[: len(payload) // 2],
    lambda payload: payload.decode().encode("utf-16"),
    lambda payload: payload[:-1] + b',"unheard_of":NaN}',
    lambda payload: payload[:-1] + b',"device":"twice"}',
    lambda payload: payload.replace(b'"seq":', b'"seq":-'),
    lambda payload: payload.replace(b'Z"', b'"', 1),
    lambda payload: b"[" * 2000,
    lambda payload: b"",
)
"""Each makes something that no device of the contract sends."""
