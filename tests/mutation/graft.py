"""A mutant put in place of the original: grafted into the living functions, or imported afresh.

Grafting costs nothing, but only reaches what runs after it; what was decided at import needs the import.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType

from tests.mutation.mutant import ROOT, Mutant, compiled, essence_of


def place_of(code: CodeType) -> str:
    """Where a function stands: `streamproc/core/trend.py::Trend.now`."""
    return f"{Path(code.co_filename).relative_to(ROOT)}::{code.co_qualname}"


def lines_of(code: CodeType) -> set[int]:
    """The lines that a function's code stands on, with the functions inside it."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {line for _, _, line in code.co_lines() if line}.union(*map(lines_of, inner))


def changed_functions(mutant: Mutant) -> list[tuple[CodeType, CodeType]] | None:
    """The functions that a mutant changes, before and after; None where it changes what an import runs."""
    old, new = compiled(mutant.original, mutant.path), compiled(mutant.source, mutant.path)
    pairs = list(_pairs(old, new))
    if any(pair is None for pair in pairs):
        return None
    return [pair for pair in pairs if pair is not None]


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType] | None]:
    if essence_of(old) == essence_of(new):
        return
    if old.co_flags & inspect.CO_OPTIMIZED:
        yield old, new
        return
    inner_old = [each for each in old.co_consts if isinstance(each, CodeType)]
    inner_new = [each for each in new.co_consts if isinstance(each, CodeType)]
    if len(inner_old) != len(inner_new) or _shell(old) != _shell(new):
        yield None
        return
    for before, after in zip(inner_old, inner_new, strict=True):
        yield from _pairs(before, after)


def _shell(code: CodeType) -> object:
    """What a module or class does itself, its functions left out."""
    name, ran, names, flags, constants = essence_of(code)
    plain = [c for c, each in zip(constants, code.co_consts, strict=True) if not isinstance(each, CodeType)]
    return name, ran, names, flags, plain


def living_functions() -> dict[str, list[FunctionType]]:
    """Every function of the processor that exists now, by its place."""
    living: dict[str, list[FunctionType]] = {}
    ours = str(ROOT / "streamproc")
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(ours):
            living.setdefault(place_of(each.__code__), []).append(each)
    return living


def graft(pairs: list[tuple[CodeType, CodeType]], living: dict[str, list[FunctionType]]) -> None:
    """Have the living functions run the mutant's code."""
    for before, after in pairs:
        for function in living[place_of(before)]:
            if essence_of(function.__code__) == essence_of(before):
                function.__code__ = after


class MutantFinder(MetaPathFinder):
    """Imports one file as the mutant has it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = mutant.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def find_spec(self, fullname, path, target=None):  # type: ignore[no-untyped-def]
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = _MutantLoader(fullname, str(ROOT / self._mutant.path), self._mutant.source)
        return spec


class _MutantLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname):  # type: ignore[no-untyped-def]
        return compile(self._source, self.path, "exec", dont_inherit=True)


def import_instead(mutant: Mutant) -> None:
    """From now on the file's import gives the mutant; nothing of the processor may be imported yet."""
    early = [name for name in sys.modules if name.startswith("streamproc.core")]
    assert not early, f"already imported: {early}"
    sys.meta_path.insert(0, MutantFinder(mutant))
