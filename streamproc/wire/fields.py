"""The kinds of text and figure that the contract's messages are made of, and their common ground.

Strict: a number is never taken for a text, nor `true` for a number; a field nobody knows is refused.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

UNFIT = (
    r"\u0000-\u001f\u007f-\u009f"  # control characters
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what is read
    r"\u200b-\u200d\u2060\ufeff"  # invisible: two names would look like one
    r"\u2028\u2029\ufff9-\ufffb"  # break a line where none should break
)
"""Characters no name or sentence may hold, as the inside of a character class."""

IDENTIFIER = rf"^[^\s{UNFIT}][^{UNFIT}]{{0,63}}$"
ALERT_ID = r"^[A-Za-z0-9_:./-]{1,128}$"
LINE = rf"^[^{UNFIT}]*$"
BED = r"^[A-Za-z0-9_-]{1,32}/[A-Za-z0-9_-]{1,32}$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
ALARM = r"^MDC_[A-Z0-9_]{1,60}$"

FIGURE_MAX = 1_000_000
"""No rate, volume or concentration at a bed is near this; what is, is not a reading."""
SEQ_MAX = 2**53
"""The largest whole number that every JSON reader keeps (RFC 8259, section 6)."""

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
Instant = Annotated[str, Field(pattern=INSTANT, examples=["2026-11-23T08:15:02.000Z"])]
BedName = Annotated[str, Field(pattern=BED, examples=["icu-a/bed-7"])]
AlertId = Annotated[str, Field(pattern=ALERT_ID)]
Line = Annotated[str, Field(pattern=LINE, max_length=512)]
Prose = Annotated[str, Field(pattern=LINE, max_length=2048)]
Seq = Annotated[int, Field(ge=0, le=SEQ_MAX)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=FIGURE_MAX)]
PositiveAmount = Annotated[float, Field(gt=0, le=FIGURE_MAX)]

# A word of a closed set arrives as text; strict would ask for the enum's own member.
Word = Field(strict=False)


class Message(BaseModel):
    """What every payload of the contract keeps to: known fields only, no conversion, no change."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )
    absent_when_unset: ClassVar[bool] = False
    """Whether a field that nobody set is left out; otherwise it is written as null."""
