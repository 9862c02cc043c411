"""Mutants: one file of `core` or `rules` with one small change in it, made by cosmic-ray's operators.

Changes of annotations alone are none: nothing evaluates them, and mypy is their test.
"""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import parso.tree
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutation"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in which file, by which operator, and the line before and after."""

    path: str
    operator: str
    line: int
    before: str
    after: str
    nth: int
    """Which of the file's mutants with the same two lines (a line may hold the same figure twice)."""
    original: str
    source: str

    @property
    def name(self) -> str:
        """What stays the same when lines above it come and go."""
        return f"{self.path}: {self.before} -> {self.after}" + (f" ({self.nth})" if self.nth else "")

    @property
    def is_of_a_comparison(self) -> bool:
        """Whether it is a comparison that is changed: these are tried first."""
        return self.operator.startswith("ReplaceComparisonOperator")

    @property
    def digest(self) -> str:
        """What a verdict belongs to: the mutated function, or statement outside of any."""
        first, last = _unit_of(self.original, self.line)
        before, after = self.original.splitlines(), self.source.splitlines()
        last_after = last + len(after) - len(before)
        unit = "\n".join([self.path, *before[first - 1 : last], *after[first - 1 : last_after]])
        return hashlib.sha256(unit.encode()).hexdigest()[:16]


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    original = (ROOT / path).read_text(encoding="utf-8")
    found: list[Mutant] = []
    seen, times = {original}, Counter[tuple[str, str]]()
    for line, operator, source in sorted(_changes(original)):
        if source in seen:
            continue
        seen.add(source)
        before, after = _first_change(original, source)
        if re.search(SETTINGS["leave"], before) or not _is_python(source):
            continue
        found.append(Mutant(path, operator, line, before, after, times[before, after], original, source))
        times[before, after] += 1
    return found


def _unit_of(source: str, line: int) -> tuple[int, int]:
    """The first and last line of the function around a line, or of the statement where there is none."""
    around = [unit for unit in _units(source) if unit[1] <= line <= unit[2]]
    functions = [unit for unit in around if unit[0]]
    _, first, last = functions[0] if functions else around[-1]
    return first, last


@cache
def _units(source: str) -> list[tuple[bool, int, int]]:
    """Every statement, the outer ones first: whether it is a function, its first and its last line."""
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return [
        (isinstance(node, ast.FunctionDef), _first_line(node), node.end_lineno or 0) for node in statements
    ]


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


@cache
def marks_of(path: str) -> tuple[str, ...]:
    """A short mark of each line of a file, the same when other lines come and go."""
    times, marks = Counter[str](), []
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        text = line.strip()
        marks.append(hashlib.sha256(f"{path}:{text}:{times[text]}".encode()).hexdigest()[:8])
        times[text] += 1
    return tuple(marks)


def marks_of_users(mutant: Mutant) -> set[str]:
    """The lines of all modules that speak of what a mutant's line names: a constant, a field, a bit."""
    named = re.match(r"(\w+)(:| =)", mutant.before)
    if named is None or named[1] == "def":
        return set()
    return {
        mark
        for folder in SETTINGS["modules"]
        for path in sorted((ROOT / folder).glob("*.py"))
        for mark, line in zip(marks_of(str(path.relative_to(ROOT))), _lines(path), strict=True)
        if re.search(rf"\b{named[1]}\b", line)
    }


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _changes(original: str) -> Iterator[tuple[int, str, str]]:
    """(line, operator, source) of each change that the operators in force make outside of annotations."""
    tree, unread = get_ast(original), _annotations(original)
    nodes = list(ast_nodes(tree))
    for name in operators():
        operator = plugins.get_operator(name)()
        for node in nodes:
            for index, (start, _) in enumerate(list(operator.mutation_positions(node))):
                if any(first <= start < last for first, last in unread):
                    continue
                with _put_back(node):
                    changed = operator.mutate(node, index)
                    if changed is not node:
                        siblings = node.parent.children
                        siblings[siblings.index(node)] = changed
                    yield start[0], name.rpartition("/")[2], tree.get_code()


def _annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where the annotations of a source go."""
    nodes = ast.walk(ast.parse(source))
    found = [getattr(node, "annotation", None) or getattr(node, "returns", None) for node in nodes]
    return [((a.lineno, a.col_offset), (a.end_lineno, a.end_col_offset)) for a in found if a]


def operators() -> list[str]:
    """Cosmic-ray's operators that pyproject.toml asks for."""
    wanted = [re.compile(pattern) for pattern in SETTINGS["operators"]]
    names = sorted(plugins.operator_names())
    return [name for name in names if any(each.fullmatch(name.rpartition("/")[2]) for each in wanted)]


@contextmanager
def _put_back(node: Any) -> Iterator[None]:
    """Undo what an operator does to a node, its siblings and its children."""
    family = [node.parent, node] if node.parent else [node]
    family = [each for each in family if isinstance(each, parso.tree.BaseNode)]
    children = [(each, list(each.children)) for each in family]
    leaves = [child for _, those in children for child in those if isinstance(child, parso.tree.Leaf)]
    values = [(leaf, leaf.value) for leaf in leaves]
    try:
        yield
    finally:
        for each, those in children:
            each.children = those
        for leaf, value in values:
            leaf.value = value


def _first_change(original: str, source: str) -> tuple[str, str]:
    """The first line that differs, before and after."""
    pairs = zip(original.splitlines(), source.splitlines(), strict=False)
    before, after = next(pair for pair in pairs if pair[0] != pair[1])
    return before.strip(), " ".join(after.split())


def _is_python(source: str) -> bool:
    with suppress(SyntaxError):
        compile(source, "mutant", "exec", dont_inherit=True)
        return True
    return False


@lru_cache(maxsize=64)
def compiled(source: str, path: str) -> CodeType:
    """The code of a file."""
    return compile(source, str(ROOT / path), "exec", dont_inherit=True)


@cache
def essence_of(code: CodeType) -> tuple[Any, ...]:
    """All of a code object that decides what it does; where it stands is left out."""
    constants = tuple(
        essence_of(each) if isinstance(each, CodeType) else (type(each), repr(each))
        for each in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (code.co_name, code.co_code, names, code.co_flags, constants)
