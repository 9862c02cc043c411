"""Each mutant before the tests that run its line, in a fork of a process that has collected them.

A fork costs milliseconds where a new pytest costs seconds. A chart is judged by the rules that it names
alone, unless it needs the others; the first test that fails ends the trial.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import inspect
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol
from ruamel.yaml import YAML

from tests.mutation.graft import graft, import_instead, lines_of, living_functions, place_of
from tests.mutation.mutant import ROOT, SETTINGS, Mutant, marks_of, marks_of_users

LEAST_CPU_S = 2.0
TIMES_THE_USUAL = 10
MOST_BYTES = 3 << 30
PROFILE = "mutation"
DEBUG = "MUTATION_DEBUG"
"""An environment variable: with it, the children print what they do."""
ARGUMENTS = ["-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-seed=20261123"]
# What a failing test would say is never read, and costs more than the test.
ARGUMENTS += ["--tb=no", "--assert=plain"]

hypothesis.settings.register_profile(
    PROFILE,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


@dataclass(slots=True)
class Survey:
    """What the tests do without any mutant: which lines each runs, and for how long."""

    seconds: dict[str, float] = field(default_factory=dict)
    runs: dict[str, list[str]] = field(default_factory=dict)
    needs_all_rules: list[str] = field(default_factory=list)
    at_import: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    """A digest of each test, so that only new and changed ones are surveyed again."""

    def tests_of_mutant(self, mutant: Mutant, functions: Iterable[CodeType]) -> list[str]:
        """The tests of its line; where none runs that (not every line has code), those of its function."""
        marks = marks_of(mutant.path)
        numbers = {number for function in functions for number in lines_of(function)}
        return self.tests_of([marks[mutant.line - 1]]) or self.tests_of(marks[n - 1] for n in numbers)

    def tests_of_import(self, mutant: Mutant) -> list[str]:
        """For what only an import runs: the module's own tests, then those of its line, or of the lines that
        use what it names, or of its file; no more than there is time for, for their files are collected."""
        found = (
            self.tests_of_mutant(mutant, [])
            or self.tests_of(marks_of_users(mutant))
            or self.tests_of(marks_of(mutant.path))
        )
        own = [test for test in sorted(self.seconds, key=self.seconds.__getitem__) if is_own(test, mutant)]
        return list(self.within_time([*own, *found] or sorted(self.seconds, key=self.seconds.__getitem__)))

    def within_time(self, tests: Iterable[str]) -> Iterator[str]:
        """The tests that may be run for one mutant: the first, and the others that still fit."""
        spent_s = 0.0
        for test in dict.fromkeys(tests):
            if not spent_s or spent_s + self.seconds[test] <= SETTINGS["most_s"]:
                spent_s += self.seconds[test]
                yield test

    def tests_of(self, lines: Iterable[str]) -> list[str]:
        """The tests that run any of these lines, the quickest first."""
        wanted = set(lines)
        found = [test for test, ran in self.runs.items() if wanted.intersection(ran)]
        return sorted(found, key=lambda test: self.seconds[test])


def is_own(test: str, mutant: Mutant) -> bool:
    """Whether a test is one of the mutated module's own, by the name of its file."""
    return re.search(rf"/test_{Path(mutant.path).stem}(_\w+)?\.py::", test) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial ended: killed (by which test), timed out, or survived."""

    outcome: str
    by: str = ""


OURS = (str(ROOT / "streamproc/core"), str(ROOT / "streamproc/rules"))
MOST_CALLS = 300
"""Of one function in one test whose lines are noted; noting costs far more than running."""


@contextlib.contextmanager
def noting_functions(into: set[str]) -> Iterator[None]:
    """Note each function of `core` and `rules` that is called."""

    def note(frame: Any, event: str, _: object) -> None:
        code = frame.f_code
        if code.co_filename.startswith(OURS) and code.co_flags & inspect.CO_OPTIMIZED:
            into.add(place_of(code))

    with _tracing(note):
        yield


@contextlib.contextmanager
def noting_lines(into: set[str]) -> Iterator[None]:
    """Note each line of `core` and `rules` that is run, in a function's first calls."""
    calls: dict[CodeType, int] = {}
    lines: dict[str, set[int]] = {}

    def note(frame: Any, event: str, _: object) -> Any:
        code = frame.f_code
        left = calls.get(code)
        if left is None:
            left = MOST_CALLS if code.co_filename.startswith(OURS) else 0
        if not left:
            calls[code] = 0
            return None
        calls[code] = left - 1
        ran = lines.setdefault(code.co_filename, set())

        def step(frame: Any, event: str, _: object) -> Any:
            ran.add(frame.f_lineno)
            return step

        return step

    with _tracing(note):
        yield
    for path, ran in lines.items():
        marks = marks_of(str(Path(path).relative_to(ROOT)))
        into.update(sys.intern(marks[number - 1]) for number in ran)


@contextlib.contextmanager
def _tracing(note: Any) -> Iterator[None]:
    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(None)


class Court:
    """A pytest plugin that runs a session's tests its own way."""

    def __init__(self) -> None:
        self.items: dict[str, pytest.Item] = {}
        self.needs_all_rules: set[str] = set()
        self._watched: set[str] | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the tests, and have the charts ask us for their ward."""
        self.items = {item.nodeid: item for item in session.items}
        for module in {item.module for item in session.items if isinstance(item, pytest.Function)}:
            if hasattr(module, "test_chart_raises_what_it_says"):
                module.new_ward = self._ward

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running all tests once: the trials."""
        self.sit()
        return True

    def sit(self) -> None:
        """What the session is for."""

    def fails(self, test: str) -> bool:
        """Whether a test fails, with what is grafted in this process."""
        item = self.items[test]
        chart = getattr(getattr(item, "callspec", None), "params", {})
        self._watched = None
        if "chart" in chart and test not in self.needs_all_rules:
            self._watched = {chart["rule"]} | {line.split()[1] for line in chart["chart"]["expect"]}
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))

    def _ward(self, *overrides: str) -> Any:
        from streamproc.core.ward import Ward

        settings = importlib.import_module("tests.charts").settings_in_force(*overrides)
        rules = settings.core_rules()
        if self._watched is not None:
            rules = tuple(rule for rule in rules if rule.id in self._watched)
        return Ward(rules, settings.core_terms(), settings.core_limits(), frozenset(settings.roster))


class Surveyor(Court):
    """Runs each test once, without a mutant, and notes what it runs."""

    def __init__(self, share: slice, at_import: set[str], known: Survey, out: int) -> None:
        super().__init__()
        self._share, self._at_import, self._known, self._out = share, at_import, known, out

    def sit(self) -> None:
        """Survey our share of the tests."""
        survey, known = Survey(at_import=sorted(self._at_import)), self._known
        for test in sorted(self.items)[self._share]:
            survey.contents[test] = content = content_of(self.items[test])
            if known.contents.get(test) == content:
                survey.seconds[test], survey.runs[test] = known.seconds[test], known.runs[test]
                survey.needs_all_rules += [test] * (test in known.needs_all_rules)
            elif not self._passes(test, survey):
                self.needs_all_rules.add(test)
                survey.needs_all_rules.append(test)
                if not self._passes(test, survey):
                    os.write(2, f"left out, for it fails without any mutant: {test}\n".encode())
                    for each in (survey.contents, survey.seconds, survey.runs):
                        del each[test]
        tell(self._out, astuple(survey))

    def _passes(self, test: str, survey: Survey) -> bool:
        """Run it twice: to know its time, and, as that takes several times as long, its lines."""
        ran: set[str] = set()
        began = time.process_time()
        failed = self.fails(test)
        survey.seconds[test] = time.process_time() - began
        with noting_lines(ran):
            self.fails(test)
        survey.runs[test] = sorted(ran)
        return not failed


def content_of(item: pytest.Item) -> str:
    """A digest of a chart, or else of the test's file."""
    chart = getattr(getattr(item, "callspec", None), "params", {}).get("chart")
    content = repr(chart).encode() if chart else item.path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


class Judge(Court):
    """Tries mutants, each in a fork of its own."""

    def __init__(self, grafts: Iterable[tuple[Mutant, Any]], survey: Survey, told: Any) -> None:
        super().__init__()
        self._grafts, self._survey, self._told = grafts, survey, told
        self._kills: Counter[str] = Counter()
        self.needs_all_rules = set(survey.needs_all_rules)

    def sit(self) -> None:
        """Try every mutant that can be grafted."""
        for overrides in {(), *self._overrides()}:
            importlib.import_module("tests.charts").settings_in_force(*overrides)
        living = living_functions()
        gc.freeze()
        for mutant, pairs in self._grafts:
            tests = self._survey.tests_of_mutant(mutant, [before for before, _ in pairs])
            if not tests:
                continue  # no test is known to run it: it is not tried, rather than survived
            tests.sort(key=lambda test, own=mutant: (not is_own(test, own), -self._kills[test]))
            verdict = in_a_fork(lambda out, p=pairs, t=tests: self._try(p, living, t, out))
            self._kills[verdict.by] += 1
            self._told(mutant, verdict)

    def _overrides(self) -> Iterator[tuple[str, ...]]:
        for item in self.items.values():
            chart = getattr(getattr(item, "callspec", None), "params", {}).get("chart", {})
            if "settings" in chart:
                yield tuple(chart["settings"])

    def _try(self, pairs: Any, living: Any, tests: list[str], out: int) -> None:
        graft(pairs, living)
        run_until_one_fails(self, tests, self._survey, out)


class Examiner(Court):
    """Tries the one mutant that this process has imported."""

    def __init__(self, tests: list[str], survey: Survey, out: int) -> None:
        super().__init__()
        self._tests, self._survey, self._out = tests, survey, out
        self.needs_all_rules = set(survey.needs_all_rules)

    def sit(self) -> None:
        """Run the tests that may notice it."""
        gone = [test for test in self._tests if test not in self.items]
        if gone:
            tell(self._out, ["killed", gone[0]])
        else:
            run_until_one_fails(self, self._tests, self._survey, self._out)


def run_until_one_fails(court: Court, tests: list[str], survey: Survey, out: int) -> None:
    """Run tests, each within its time, and tell the first that fails."""
    for test in survey.within_time(tests):
        signal.setitimer(signal.ITIMER_VIRTUAL, max(LEAST_CPU_S, TIMES_THE_USUAL * survey.seconds[test]))
        if court.fails(test):
            tell(out, ["killed", test])
            return
    tell(out, ["survived", ""])


def try_import(mutant: Mutant, tests: list[str], survey: Survey) -> Verdict:
    """Try a mutant that changes what its file does when it is imported."""

    def attempt(out: int) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 30 * LEAST_CPU_S)
        import_instead(mutant)
        if session(Examiner(tests, survey, out), sorted({test.partition("::")[0] for test in tests})):
            tell(out, ["killed", "collection"])

    return in_a_fork(attempt)


def read_charts_once() -> None:
    """Read every chart before the forks; that is half of what it costs to import them."""
    load, known = YAML.load, dict[str, Any]()

    def remembered(reader: Any, stream: Any) -> Any:
        if stream not in known:
            return load(reader, stream)
        return deepcopy(known[stream])

    for path in (ROOT / "tests" / "scenarios").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        known[text] = YAML(typ="safe", pure=True).load(text)
    YAML.load = remembered


def session(court: Court, where: list[str]) -> int:
    """One session of pytest, quiet."""
    return int(pytest.main([*ARGUMENTS, f"--hypothesis-profile={PROFILE}", *where], plugins=[court]))


def survey_tests(processes: int, known: Survey) -> Survey:
    """Run every test that is not known yet, shared among processes."""

    def share(number: int, out: int) -> None:
        ran: set[str] = set()
        with noting_functions(ran):
            importlib.import_module("tests.test_scenarios")
        session(Surveyor(slice(number, None, processes), ran, known, out), SETTINGS["tests"])

    whole = Survey()
    started = [start_fork(lambda out, n=n: share(n, out)) for n in range(processes)]
    for child, heard in started:
        told, status = end_fork(child, heard)
        if not told:
            sys.exit(f"the tests could not be surveyed: status {status}")
        part = Survey(*told)
        whole.seconds |= part.seconds
        whole.runs |= part.runs
        whole.contents |= part.contents
        whole.needs_all_rules += part.needs_all_rules
        whole.at_import = part.at_import
    return whole


def in_a_fork(work: Any) -> Verdict:
    """Do a trial in a child; one that used up its time, or died otherwise, says so too."""
    told, status = end_fork(*start_fork(work))
    if told:
        return Verdict(*told[-2:])
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGVTALRM:
        return Verdict("timed out")
    return Verdict("killed", f"the process ended with status {status}")


def start_fork(work: Any) -> tuple[int, int]:
    """A child that works and tells; its number, and where it is heard."""
    heard, out = os.pipe()
    child = os.fork()
    if child:
        os.close(out)
        return child, heard
    try:
        os.close(heard)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in () if os.environ.get(DEBUG) else (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(silent, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        work(out)
    except BaseException:  # the parent hears that nothing was told
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def end_fork(child: int, heard: int) -> tuple[Any, int]:
    """What a child told, if anything, and how it ended."""
    with os.fdopen(heard, "rb") as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    return (json.loads(lines[0]) if lines else None), status


def tell(out: int, what: object) -> None:
    """Send one line to the parent."""
    with os.fdopen(os.dup(out), "wb") as pipe:
        pipe.write(json.dumps(what).encode() + b"\n")
