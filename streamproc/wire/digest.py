"""A short fingerprint of a payload, to tell a repeated message from one that contradicts it."""

from __future__ import annotations

from hashlib import blake2b


def digest(payload: bytes) -> int:
    """Eight bytes of BLAKE2b as a whole number: the same on every machine and in every run."""
    return int.from_bytes(blake2b(payload, digest_size=8).digest(), "big")
