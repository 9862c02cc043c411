"""What we say often, as structs made from its models: put together and written without being checked.

For figures and names of our own alone; the models stay the one definition, and the tests hold what is
said against them.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def unchecked(model: type[M]) -> type[M]:
    """The struct of the model's fields and defaults; it is made and read like the model."""
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        if field.is_required():
            fields.append((name, Any))
        elif field.default_factory is not None:
            fields.append((name, Any, msgspec.field(default_factory=cast(Any, field.default_factory))))
        else:
            fields.append((name, Any, field.default))
    return cast(type[M], msgspec.defstruct(model.__name__, fields, kw_only=True, gc=False))


def checked(model: type[M], said: M) -> M:
    """What such a struct says, as its model has it."""
    return model.model_validate(msgspec.to_builtins(said))
