"""Why a message was refused: one closed set, so that every refusal can be counted and shown.

`wire` decides most of them at the door. The last seven need what only the ward knows (its clock,
its roster, its history, its alerts), and are decided by `core` and `shell`. Never free text.
"""

from __future__ import annotations

from enum import StrEnum, auto


class Reason(StrEnum):
    """One word for one kind of refusal; the value is the member's name in lower case."""

    BAD_TOPIC = auto()
    TOO_LARGE = auto()
    NOT_UTF8 = auto()
    NOT_JSON = auto()
    TOO_DEEP = auto()
    NOT_AN_OBJECT = auto()
    DUPLICATE_KEY = auto()
    MISSING_FIELD = auto()
    UNKNOWN_FIELD = auto()
    WRONG_TYPE = auto()
    NOT_FINITE = auto()
    OUT_OF_RANGE = auto()
    BAD_TIME = auto()
    BAD_TEXT = auto()
    UNKNOWN_METRIC = auto()
    UNKNOWN_UNIT = auto()
    UNKNOWN_VALUE = auto()
    UNKNOWN_DRUG = auto()
    BED_MISMATCH = auto()
    RETAINED = auto()
    FUTURE = auto()
    TOO_LATE = auto()
    CONFLICT = auto()
    BEDS_FULL = auto()
    BED_FLOODED = auto()
    UNKNOWN_ALERT = auto()
    ACK_OUTDATED = auto()
