"""JSON as the contract has it: UTF-8, RFC 8259, no key twice, not too large and not too deep.

The standard parser takes more than that (duplicate keys, UTF-16, any depth until the stack ends);
what it would take too much is refused here. Figures that are not finite (`NaN`, `1e999`) come out
as floats that are not finite, so that the one who knows the field can say which it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from streamproc.core.reason import Reason
from streamproc.wire.rejected import Refused, dotted, shown

MAX_BYTES = 16384
MAX_DEPTH = 32
INTEGER_DIGITS = 300
"""Longer ones are beyond any float, and Python refuses to convert very long ones at all."""
DIGITS = b"0123456789"
NEAR_CHARACTERS = 16

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class _DuplicateKey(Exception):
    """Leaves the parser at the first object that has a key twice."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, for finding where a key came twice."""


def load(payload: bytes, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value that the payload says; raises `Refused` in the documented order of checks."""
    _check_depth(payload[:max_bytes], max_depth)
    if len(payload) > max_bytes:
        raise Refused(
            Reason.TOO_LARGE,
            f"payload: {len(payload)} bytes is too large; right would be at most {max_bytes} bytes",
        )
    return _parsed(_text(payload))


def compact(value: Any) -> bytes:
    """The shortest plain encoding; raises ValueError for what strict JSON cannot carry."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def is_compact(payload: bytes) -> bool:
    """Whether this is surely what `load` and `compact` make of it; then it has no key twice either."""
    if not payload.isascii() or b"\\" in payload or payload.count(b"[") + payload.count(b"{") > MAX_DEPTH:
        return False
    if len(payload) - len(payload.translate(None, DIGITS)) >= INTEGER_DIGITS:
        return False
    try:
        return _ENCODE(_DECODE(payload)) == payload
    except (msgspec.MsgspecError, ValueError):
        return False


def _as_charted(figure: str) -> float | None:
    """The figure, where it stands as Python writes it; msgspec reads and writes more than that."""
    value = float(figure)
    return value if repr(value) == figure else None


def _check_depth(head: bytes, max_depth: int) -> None:
    """Looks at no more than the permitted size, so that a huge payload costs no more than a large one."""
    if head.count(b"[") + head.count(b"{") <= max_depth:
        return
    depth = 0
    for byte in STRING.sub(b"", head):
        if byte in b"[{":
            depth += 1
            if depth > max_depth:
                raise Refused(
                    Reason.TOO_DEEP,
                    f"payload: nested more than {max_depth} levels deep; right would be an object of "
                    "fields as the contract shows it",
                )
        elif byte in b"]}":
            depth -= 1


def _parsed(text: str) -> Any:
    try:
        return _STRICT.decode(text)
    except json.JSONDecodeError as error:
        raise _not_json(error) from None
    except _DuplicateKey:
        raise _twice(text) from None


def _twice(text: str) -> Refused:
    """Where the key came twice; only found by reading to the end, and the rest may not be JSON at all."""
    try:
        path = _duplicate(_FAITHFUL.decode(text))
    except json.JSONDecodeError as error:
        return _not_json(error)
    return Refused(
        Reason.DUPLICATE_KEY,
        f"{dotted(path)}: the key comes more than once in its object; right would be each key once",
    )


def _not_json(error: json.JSONDecodeError) -> Refused:
    near = (
        shown(error.doc[error.pos : error.pos + NEAR_CHARACTERS]) if error.pos < len(error.doc) else "its end"
    )
    return Refused(
        Reason.NOT_JSON,
        f"payload: {error.msg} at character {error.pos + 1}, near {near}; "
        "right would be one JSON object (RFC 8259)",
    )


def _text(payload: bytes) -> str:
    if payload.startswith(BYTE_ORDER_MARK):
        raise Refused(Reason.NOT_UTF8, _encoding(payload, "begins with a byte order mark"))
    if b"\0" in payload[:4]:
        raise Refused(Reason.NOT_UTF8, _encoding(payload, "looks like UTF-16 or UTF-32"))
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_UTF8, _encoding(payload, f"is not UTF-8 at byte {error.start}")) from None


def _encoding(payload: bytes, wrong: str) -> str:
    return f"payload: {shown(payload)} {wrong}; right would be UTF-8 without a byte order mark"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _DuplicateKey
    return fields


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < INTEGER_DIGITS else float(digits)


def _duplicate(value: Any) -> list[str | int]:
    """The path of the first key that its object has twice; empty where there is none."""
    seen: set[str | int] = set()
    for step, inner in _members(value):
        if step in seen:
            return [step]
        seen.add(step)
        if path := _duplicate(inner):
            return [step, *path]
    return []


def _members(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, _Pairs):
        return value
    return enumerate(value) if isinstance(value, list) else ()


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
_FAITHFUL = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_integer)
_DECODE = msgspec.json.Decoder(float_hook=_as_charted).decode
_ENCODE = msgspec.json.Encoder().encode
