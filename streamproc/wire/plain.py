"""The short way through the door: messages that are plainly right, read in one go.

It must never accept what the strict way refuses, or read it otherwise: what is not plain (any doubt
at all) gets no answer here, and the strict way alone refuses, and says why. The structs are made
from the models of `telemetry`, which stay the one definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamproc.wire.fields import ALARM, ALERT_ID, IDENTIFIER, INSTANT, LINE

Read = Callable[[bytes], Any]

PLAIN_TEXTS: dict[str, dict[str, Any]] = {
    IDENTIFIER: {"min_length": 1, "max_length": 64},
    LINE: {},
    INSTANT: {},  # `instant_ms` asks for the whole shape
    ALARM: {"pattern": ALARM},
    ALERT_ID: {"pattern": ALERT_ID},
}
"""What is left of a text's pattern where all is ASCII that can be seen and no text begins with a blank."""

BOUNDS: dict[type, str] = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MaxLen: "max_length"}

_as_json = msgspec.json.Encoder().encode


def reader(model: type[BaseModel]) -> Read:
    """What reads a plain message of this model: its struct, or None where the strict way must look."""
    decode = msgspec.json.Decoder(struct_of(model)).decode

    def read(payload: bytes) -> Any:
        if not is_plain(payload):
            return None
        try:
            message = decode(payload)
        except (msgspec.MsgspecError, ValueError):
            return None
        # Where a key came twice, what it said first was read over: then there is more in the payload.
        return message if _as_json(message).count(b":") == payload.count(b":") else None

    return read


def is_plain(payload: bytes) -> bool:
    """No escapes, nothing that can't be seen, and surely no text that begins with a blank."""
    blank = b" " in payload and b'" ' in payload
    return payload.isascii() and b"\\" not in payload and b"\x7f" not in payload and not blank


def struct_of(model: type[BaseModel]) -> type[Struct]:
    """The model as a struct of the same fields and ranges; what was left out is `UNSET`."""
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        kind = _kind(field.annotation, field.metadata)
        fields.append((name, kind) if field.is_required() else (name, kind | UnsetType, UNSET))
    return msgspec.defstruct(model.__name__, fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def _kind(annotation: Any, constraints: Iterable[Any] = ()) -> Any:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        fields = [field for field in inner[1:] if isinstance(field, FieldInfo)]
        return _kind(inner[0], [each for field in fields for each in field.metadata])
    if origin in (Union, UnionType):
        return reduce(or_, map(_kind, inner))
    if origin is list:
        return Annotated[list[_kind(inner[0])], _bounds(constraints)]  # type: ignore[misc]
    if annotation in (str, int, float):
        return Annotated[annotation, _bounds(constraints)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return struct_of(annotation)
    return annotation


def _bounds(constraints: Iterable[Any]) -> Meta:
    bounds: dict[str, Any] = {}
    for each in constraints:
        if (name := BOUNDS.get(type(each))) is not None:
            bounds[name] = getattr(each, name)
        elif (pattern := getattr(each, "pattern", None)) is not None:
            bounds |= PLAIN_TEXTS[pattern]
        else:
            raise TypeError(f"a constraint that plain reading cannot keep: {each!r}")
    return Meta(**bounds)
