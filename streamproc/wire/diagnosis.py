"""From what pydantic found wrong to the one reason that counts, and a sentence for a person.

A message may be wrong in several ways at once. `ORDER` says which is told: whether the fields are
there comes before what they hold, and figures come last, so that a figure is only called wrong
where everything around it can be relied on.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamproc.core.reason import Reason
from streamproc.wire.fields import UNFIT
from streamproc.wire.instant import RIGHT_TIME
from streamproc.wire.rejected import Refused, dotted, shown

ORDER = (
    Reason.MISSING_FIELD,
    Reason.UNKNOWN_FIELD,
    Reason.WRONG_TYPE,
    Reason.BAD_TEXT,
    Reason.BAD_TIME,
    Reason.UNKNOWN_METRIC,
    Reason.UNKNOWN_UNIT,
    Reason.UNKNOWN_VALUE,
    Reason.NOT_FINITE,
    Reason.OUT_OF_RANGE,
)

REASONS = {
    "missing": Reason.MISSING_FIELD,
    "union_tag_not_found": Reason.MISSING_FIELD,
    "extra_forbidden": Reason.UNKNOWN_FIELD,
    "string_pattern_mismatch": Reason.BAD_TEXT,
    "string_too_long": Reason.BAD_TEXT,
    "string_too_short": Reason.BAD_TEXT,
    "string_unicode": Reason.BAD_TEXT,
    "enum": Reason.UNKNOWN_VALUE,
    "literal_error": Reason.UNKNOWN_VALUE,
    "union_tag_invalid": Reason.UNKNOWN_VALUE,
    "none_required": Reason.UNKNOWN_FIELD,
    "finite_number": Reason.NOT_FINITE,
    "greater_than": Reason.OUT_OF_RANGE,
    "greater_than_equal": Reason.OUT_OF_RANGE,
    "less_than": Reason.OUT_OF_RANGE,
    "less_than_equal": Reason.OUT_OF_RANGE,
    "too_long": Reason.OUT_OF_RANGE,
}
"""By the kind of pydantic's error; every other kind is a wrong type."""

OF_FIELD = {
    (Reason.BAD_TEXT, "time"): Reason.BAD_TIME,
    (Reason.BAD_TEXT, "received"): Reason.BAD_TIME,
    (Reason.BAD_TEXT, "alarms"): Reason.UNKNOWN_VALUE,
    (Reason.UNKNOWN_VALUE, "metric"): Reason.UNKNOWN_METRIC,
    (Reason.UNKNOWN_VALUE, "unit"): Reason.UNKNOWN_UNIT,
    (Reason.UNKNOWN_FIELD, "unit"): Reason.UNKNOWN_UNIT,
}
"""Where the field makes the reason a narrower one."""

WORDS = {Reason.BAD_TIME, Reason.UNKNOWN_METRIC, Reason.UNKNOWN_UNIT, Reason.UNKNOWN_VALUE}

RIGHT_TYPES = {
    "string_type": "a text",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list of texts",
    "model_type": "an object with fields of its own",
}

BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}

UNFIT_TEXT = re.compile(rf"[{UNFIT}\ud800-\udfff]")


def refusal(error: ValidationError, fields: Any) -> Refused:
    """The refusal that the first of the faults, by `ORDER`, leads to."""
    faults = [
        (_reason(fault, _path(fault, fields), _value(fault)), fault)
        for fault in error.errors(include_url=False)
        if not _is_other_branch(fault)
    ]
    reason, fault = min(faults, key=lambda found: ORDER.index(found[0]))
    path, value = _path(fault, fields), _value(fault)
    return Refused(reason, f"{dotted(path)}: {_wrong(reason, value)}; right would be {_right(reason, fault)}")


def _is_other_branch(fault: ErrorDetails) -> bool:
    """A text where `true` or a word may be: what is wrong with the word is what matters."""
    return fault["type"] == "bool_type" and fault["loc"][-1] == "bool" and isinstance(fault["input"], str)


def _value(fault: ErrorDetails) -> Any:
    return fault["input"]["kind"] if fault["type"] == "union_tag_invalid" else fault["input"]


def _path(fault: ErrorDetails, fields: Any) -> list[str | int]:
    """Where the fault is in the payload; pydantic's own way there also names models and branches."""
    if fault["type"].startswith("union_tag"):
        return ["kind"]
    path: list[str | int] = []
    here = fields
    for step in fault["loc"]:
        if _is_inside(step, here):
            path.append(step)
            here = here[step]
    if fault["type"] == "missing":
        path.append(fault["loc"][-1])
    return path


def _is_inside(step: str | int, here: Any) -> bool:
    return isinstance(step, int) if isinstance(here, list) else isinstance(here, dict) and step in here


def _reason(fault: ErrorDetails, path: list[str | int], value: Any) -> Reason:
    reason = REASONS.get(fault["type"], Reason.WRONG_TYPE)
    field = next((step for step in reversed(path) if isinstance(step, str)), "")
    reason = OF_FIELD.get((reason, field), reason)
    if isinstance(value, float) and not isfinite(value) and reason is not Reason.UNKNOWN_FIELD:
        return Reason.NOT_FINITE
    if reason in WORDS and not isinstance(value, str):
        return Reason.WRONG_TYPE
    if reason in WORDS and UNFIT_TEXT.search(value):
        return Reason.BAD_TEXT
    return reason


def _wrong(reason: Reason, value: Any) -> str:
    match reason:
        case Reason.MISSING_FIELD:
            return "is missing"
        case Reason.UNKNOWN_FIELD:
            return f"with {shown(value)} is not a field here"
        case Reason.WRONG_TYPE:
            return f"{shown(value)} is of the wrong type"
        case Reason.BAD_TEXT:
            return f"{shown(value)} is empty, too long, or has characters that a name may not have"
        case Reason.BAD_TIME:
            return f"{shown(value)} is not a time of the contract"
        case Reason.NOT_FINITE:
            return f"{shown(value)} is not a finite number"
        case Reason.OUT_OF_RANGE:
            return f"{shown(value)} is out of range"
    return f"{shown(value)} is not known"


def _right(reason: Reason, fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    match reason:
        case Reason.MISSING_FIELD:
            return "to send it"
        case Reason.UNKNOWN_FIELD:
            return "to leave it out"
        case Reason.BAD_TEXT if "alert_id" in fault["loc"]:
            return "the id that the alert came with, such as al-0f3c"
        case Reason.BAD_TEXT:
            return "1 to 64 visible characters, the first not a space"
        case Reason.BAD_TIME:
            return RIGHT_TIME
        case Reason.NOT_FINITE:
            return "a number as JSON has it, or no such field"
        case Reason.OUT_OF_RANGE:
            return _bound(context)
    return _right_word(fault, context)


def _bound(context: dict[str, Any]) -> str:
    if "max_length" in context:
        return f"at most {context['max_length']} of them"
    return " and ".join(f"{BOUNDS[key]} {value:g}" for key, value in context.items() if key in BOUNDS)


def _right_word(fault: ErrorDetails, context: dict[str, Any]) -> str:
    """One of the words that the field may hold, or a value of the type that it has."""
    if words := context.get("expected") or context.get("expected_tags"):
        return str(words)
    if fault["loc"] and fault["loc"][-1] == "bool":
        return "true, false or a word"
    if fault["type"] == "none_required":
        return "no unit, because this kind has none"
    if fault["type"] == "string_pattern_mismatch":
        return "reference ids such as 'MDC_EVT_FLUID_LINE_OCCL'"
    return RIGHT_TYPES.get(fault["type"], "what the schema shows")
