"""The judge of every interruption: what the feed told is what an uninterrupted processor would have told."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .journaled import Taken, replayed


def fed_once(payloads: Iterable[bytes]) -> list[bytes]:
    """The feed without its repeats; a number with two contents, or one that is missing, fails the test."""
    by_seq: dict[int, set[bytes]] = {}
    for payload in payloads:
        by_seq.setdefault(json.loads(payload)["data"]["feed_seq"], set()).add(payload)
    twice = {seq for seq, contents in by_seq.items() if len(contents) > 1}
    assert not twice, f"numbers of the feed that were given out twice: {sorted(twice)}"
    missing = set(range(1, len(by_seq) + 1)) - by_seq.keys()
    assert not missing, f"numbers of the feed that never came: {sorted(missing)}"
    return [by_seq[seq].pop() for seq in sorted(by_seq)]


def first_difference(fed: list[bytes], lines: list[bytes]) -> str:
    """Where the feed and the replay part, for the person who has to find out why."""
    at = next((at for at, both in enumerate(zip(fed, lines, strict=False)) if both[0] != both[1]), None)
    at = min(len(fed), len(lines)) if at is None else at
    there = "\n".join(repr(told[at : at + 1]) for told in (fed, lines))
    return f"of {len(fed)} events told and {len(lines)} replayed, number {at + 1} differs:\n{there}"


async def assert_told_as_uninterrupted(
    payloads: Iterable[bytes], taken: Taken, overrides: tuple[str, ...]
) -> list[bytes]:
    """The feed is, byte for byte, what `replay` makes of the journal, and every message is accounted for."""
    fed = fed_once(payloads)
    lines, account = await replayed(taken.state, overrides=overrides)
    assert fed == lines, first_difference(fed, lines)
    different = len(set(taken.contents))
    assert account["received"] == len(taken.messages), account
    assert account["accepted"] + account.get("late", 0) == different, f"{different} messages: {account}"
    assert account.get("duplicate", 0) == len(taken.messages) - different, account
    return fed
