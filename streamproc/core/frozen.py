"""A dataclass for what is made with every message and changed by nobody.

To the type checker it is frozen. When the program runs it is a plain one, which is made in a third of the
time: a frozen dataclass sets each of its fields by a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """As `dataclass(frozen=True, slots=True)`."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
