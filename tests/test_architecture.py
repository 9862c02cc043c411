"""The house rules that a reader can check by looking, checked: imports, clocks, sizes, names, numbers.

Each rule is a function from one file's source to its offenders, each `line: what is wrong`. The tests hold
every rule against the whole tree, and against a line that breaks it, so that no rule passes by being blind.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FUNCTION_LINES = 40
PURE_IMPORTS = {"__future__", "array", "bisect", "collections", "collections.abc", "dataclasses", "decimal"}
PURE_IMPORTS |= {"enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math"}
PURE_IMPORTS |= {"operator", "re", "struct", "types", "typing"}
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
NUMBERS_THAT_NEED_NO_NAME = (0, 1, 2)
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "eval", "exec", "__import__"}
IMPURE_MODULES = {"time", "datetime", "random", "os", "sys"}

Offences = Iterator[tuple[int, str]]
Rule = Callable[[str], Offences]


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, with its line; relative imports keep their dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def imports_outside(*allowed_of_ours: str) -> Rule:
    """Imports that are neither pure standard library nor under one of these packages of ours."""

    def rule(source: str) -> Offences:
        for line, module in imported(source):
            ours = any(module == name or module.startswith(name + ".") for name in allowed_of_ours)
            if module not in PURE_IMPORTS and not ours:
                yield line, f"imports {module}"

    return rule


def calls_to_the_outside(source: str) -> Offences:
    """Calls that read, print or look at a clock."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield node.lineno, f"calls {name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in IMPURE_MODULES:
                yield node.lineno, f"calls into {name}"


def long_functions(source: str) -> Offences:
    """Functions longer than a page of the house."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines, more than {LONGEST_FUNCTION_LINES}"


def swallowed_exceptions(source: str) -> Offences:
    """Handlers that catch everything and say nothing."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ExceptHandler(type=None | ast.Name(id="Exception" | "BaseException"), body=body):
                if all(isinstance(each, ast.Pass | ast.Continue) or is_ellipsis(each) for each in body):
                    yield node.lineno, "swallows every exception"
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=caught):
                if any(isinstance(each, ast.Name) and each.id.endswith("Exception") for each in caught):
                    yield node.lineno, "suppresses every exception"


def is_ellipsis(statement: ast.stmt) -> bool:
    """Whether a statement is the bare `...`."""
    match statement:
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
        case _:
            return False


def numbers_in_comparisons(source: str) -> Offences:
    """Numbers that decide something where they stand; a `# number: why` on the line excuses one."""
    lines = source.splitlines()
    comparisons = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare))
    for node in (node for comparison in comparisons for node in ast.walk(comparison)):
        if not isinstance(node, ast.Constant) or not is_unnamed_number(node.value):
            continue
        if "# number: " not in lines[node.lineno - 1]:
            yield node.lineno, f"compares with the bare number {ast.unparse(node)}"


def is_unnamed_number(value: object) -> bool:
    """Any float, and any int that is more than a count of nothing, one or two."""
    if isinstance(value, bool) or not isinstance(value, int | float | complex):
        return False
    return not isinstance(value, int) or value not in NUMBERS_THAT_NEED_NO_NAME


def python_files(*folders: str) -> list[Path]:
    """The Python files under folders of the project; none found is a broken test, not a clean tree."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found, f"no Python file under {folders}"
    return found


def offenders(rule: Rule, *folders: str) -> list[str]:
    """What a rule finds, as `file:line: what is wrong`."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in python_files(*folders)
        for line, what in rule(path.read_text(encoding="utf-8"))
    ]


core_imports = imports_outside("streamproc.core")
# A rule's parameters carry their ranges as annotations, which are constants without any behaviour.
rules_imports = imports_outside("streamproc.core", "streamproc.rules", "annotated_types")
simulator_imports_of_ours = imports_outside("streamproc.wire", "streamproc.core.events", "simulators")


def simulator_imports(source: str) -> Offences:
    """What simulators take from the processor besides its wire and its facts."""
    return ((line, what) for line, what in simulator_imports_of_ours(source) if "imports streamproc" in what)


LAWS: dict[str, tuple[Rule, list[str]]] = {
    "core imports only pure modules": (core_imports, ["streamproc/core"]),
    "rules import only pure modules and the core": (rules_imports, ["streamproc/rules"]),
    "core and rules look at nothing outside": (calls_to_the_outside, ["streamproc/core", "streamproc/rules"]),
    "simulators use the wire": (simulator_imports, ["simulators"]),
    "functions fit a page": (long_functions, ["streamproc", "simulators"]),
    "no exception is swallowed": (swallowed_exceptions, ["streamproc", "simulators", "tests"]),
    "numbers live in config": (numbers_in_comparisons, ["streamproc/rules"]),
}

BREACHES = [
    ("core imports only pure modules", "from datetime import datetime"),
    ("core imports only pure modules", "from streamproc.rules import map_low"),
    ("core imports only pure modules", "from ..shell import clock"),
    ("rules import only pure modules and the core", "import logging"),
    ("rules import only pure modules and the core", "from streamproc.shell import metrics"),
    ("core and rules look at nothing outside", "now = time.monotonic()"),
    ("core and rules look at nothing outside", "now = datetime.now(tz=UTC)"),
    ("core and rules look at nothing outside", "print('low')"),
    ("simulators use the wire", "from streamproc.core.bed import Bed"),
    ("functions fit a page", "def long():\n" + "    x = 0\n" * LONGEST_FUNCTION_LINES),
    ("functions fit a page", "class A:\n  async def long(self):\n" + "    x = 0\n" * LONGEST_FUNCTION_LINES),
    ("no exception is swallowed", "try:\n    f()\nexcept Exception:\n    pass"),
    ("no exception is swallowed", "for x in y:\n    try:\n        f()\n    except:\n        continue"),
    ("no exception is swallowed", "with contextlib.suppress(Exception):\n    f()"),
    ("numbers live in config", "low = map_mmhg < 65"),
    ("numbers live in config", "low = dose >= 0.5 * top"),
    ("numbers live in config", "low = 1.0 > share"),
]


@pytest.mark.parametrize("law", LAWS)
def test_the_tree_keeps_the_law(law: str) -> None:
    """An offender is named by file and line."""
    rule, folders = LAWS[law]
    found = offenders(rule, *folders)
    assert not found, "\n".join([law, *found])


@pytest.mark.parametrize(("law", "breach"), BREACHES)
def test_a_breach_is_seen(law: str, breach: str) -> None:
    """Each law finds what breaks it, so that a green tree means something."""
    rule, _ = LAWS[law]
    assert list(rule(breach)), f"{law}: blind to {breach}"


def test_every_law_has_a_breach_that_proves_it() -> None:
    assert {law for law, _ in BREACHES} == set(LAWS)


@pytest.mark.parametrize(
    ("rule", "innocent"),
    [
        (core_imports, "from collections.abc import Iterator\nfrom streamproc.core.events import Tick"),
        (calls_to_the_outside, "self.time.append(5)\nevent.time_ms"),
        (long_functions, "def page():\n" + "    x = 0\n" * (LONGEST_FUNCTION_LINES - 1)),
        (swallowed_exceptions, "try:\n    f()\nexcept ValueError:\n    pass"),
        (swallowed_exceptions, "try:\n    f()\nexcept Exception:\n    raise Stop from None"),
        (numbers_in_comparisons, "enough = len(readings) >= 2 and flag is True"),
        (numbers_in_comparisons, "full = percent == 100  # number: a whole in percent"),
        (numbers_in_comparisons, "grace_s = 300"),
    ],
)
def test_what_the_house_allows_is_not_reported(rule: Rule, innocent: str) -> None:
    assert list(rule(innocent)) == []


def test_every_file_is_named_after_what_it_holds() -> None:
    """A name that fits anything attracts everything."""
    folders = [name for name in ("streamproc", "simulators", "tests", "bench") if (ROOT / name).is_dir()]
    files = [path.relative_to(ROOT) for path in python_files(*folders)]
    vague = [str(path) for path in files if path.stem in NAMES_THAT_SAY_NOTHING]
    assert not vague, f"files named after nothing: {vague}"
