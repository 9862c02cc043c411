"""How many bytes something holds: all objects that only it leads to, each counted once.

Counted, not sampled: the same state gives the same figure on every machine of one Python version.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Enum)
"""What belongs to the program and not to a bed."""


def bytes_of(roots: Iterable[object], apart_from: Iterable[object] = ()) -> int:
    """The bytes of these and of all that they lead to, without what `apart_from` leads to."""
    seen = set[int]()
    for _ in walk(apart_from, seen):
        pass
    return sum(sys.getsizeof(one) for one in walk(roots, seen))


def walk(roots: Iterable[object], seen: set[int]) -> Iterator[object]:
    """Every object that these lead to and that was not seen yet."""
    left = list(roots)
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, SHARED):
            continue
        seen.add(id(one))
        yield one
        left.extend(gc.get_referents(one))
