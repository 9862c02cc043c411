"""`./run mutate [MODULE…]`: try every mutant of `core` and `rules`, or of the modules named.

Verdicts are kept in var/mutation; the next run tries survivors without a reason and what is new again
(`--again`: all).
`--report` writes docs/mutation.md from them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from tests.mutation.graft import changed_functions, place_of
from tests.mutation.mutant import ROOT, SETTINGS, Mutant, marks_of, mutants_of
from tests.mutation.report import reasons, write_report
from tests.mutation.trial import (
    DEBUG,
    Judge,
    Survey,
    Verdict,
    read_charts_once,
    session,
    survey_tests,
    try_import,
)

FOLDER = ROOT / "var" / "mutation"
VERDICTS = FOLDER / "verdicts.jsonl"
SURVEYED = FOLDER / "survey.json"
NEW = Verdict("not tried")
MARKS = {"killed": ".", "survived": "S", "timed out": "t"}


def main() -> None:
    """Try, keep the verdicts, say how many survived; with `--report`, write the page."""
    asked = _arguments()
    FOLDER.mkdir(parents=True, exist_ok=True)
    modules = _modules(asked.module)
    mutants = [mutant for path in modules for mutant in mutants_of(path)]
    known = verdicts()
    if asked.report:
        write_report(mutants, {digest: verdict.outcome for digest, verdict in known.items()})
        return
    outcomes = {mutant: known.get(mutant.digest, NEW).outcome for mutant in mutants}
    explained = reasons()
    due = [
        mutant
        for mutant in mutants
        if asked.again
        or outcomes[mutant] == "not tried"
        or (outcomes[mutant] == "survived" and mutant.name not in explained)
    ]
    due.sort(key=lambda mutant: (not mutant.is_of_a_comparison, outcomes[mutant] == "survived"))
    print(f"{len(mutants)} mutants, {len(due)} of them to try", flush=True)
    SETTINGS["most_s"] = asked.most
    if due:
        _share_out(due, _survey(modules, asked.survey, asked.processes), asked)
    _say(mutants)


def _say(mutants: list[Mutant]) -> None:
    """The survivors by line, and the sums."""
    known = verdicts()
    outcomes = [known.get(mutant.digest, NEW).outcome for mutant in mutants]
    for mutant, outcome in zip(mutants, outcomes, strict=True):
        if outcome == "survived":
            print(f"survived  {mutant.path}:{mutant.line}  {mutant.before}  ->  {mutant.after}")
    print(", ".join(f"{number} {outcome}" for outcome, number in Counter(outcomes).most_common()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run mutate", description=__doc__)
    parser.add_argument("module", nargs="*", help="map_low, core/trend, rules; without one: core and rules")
    parser.add_argument("--again", action="store_true", help="try those that were killed before as well")
    parser.add_argument("--quick", action="store_true", help="leave out what needs an import of its own")
    parser.add_argument("--imports", action="store_true", help="try only what needs an import of its own")
    parser.add_argument("--survey", action="store_true", help="see anew what runs these modules' lines")
    parser.add_argument("--processes", type=int, default=SETTINGS["processes"])
    parser.add_argument(
        "--most", type=float, default=SETTINGS["most_s"], help="seconds of tests for a mutant"
    )
    parser.add_argument("--report", action="store_true", help="write docs/mutation.md from the verdicts")
    return parser.parse_args()


def _modules(asked: list[str]) -> list[str]:
    paths = [path for folder in SETTINGS["modules"] for path in sorted((ROOT / folder).glob("*.py"))]
    named = [str(path.relative_to(ROOT)) for path in paths]
    if not asked:
        return named
    found = [path for path in named if any(Path(path).match(f"{a}.py") or f"/{a}/" in path for a in asked)]
    return found or sys.exit(f"no such module of core or rules: {' '.join(asked)}")


def verdicts() -> dict[str, Verdict]:
    """The newest verdict on each mutant, by its digest."""
    if not VERDICTS.exists():
        return {}
    lines = map(json.loads, VERDICTS.read_text(encoding="utf-8").splitlines())
    return {digest: Verdict(outcome, by) for digest, outcome, by, _ in lines}


def _told(mutant: Mutant, verdict: Verdict) -> None:
    line = json.dumps([mutant.digest, verdict.outcome, verdict.by, mutant.name])
    with VERDICTS.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    os.write(2, MARKS[verdict.outcome].encode())


def _survey(modules: list[str], anew: bool, processes: int) -> Survey:
    """What each test runs; only new and changed tests are surveyed, and those of these modules if it is
    wanted (once a module has changed, what ran its old lines is not known to run its new ones)."""
    known = Survey()
    if SURVEYED.exists():
        known = Survey(*json.loads(SURVEYED.read_text(encoding="utf-8")))
    for test in known.tests_of(mark for path in modules for mark in marks_of(path)) if anew else ():
        del known.contents[test]
    print("surveying the tests", flush=True)
    whole = survey_tests(processes, known)
    SURVEYED.write_text(json.dumps(astuple(whole)), encoding="utf-8")
    return whole


def _share_out(due: list[Mutant], survey: Survey, asked: argparse.Namespace) -> None:
    """Have each process try its share."""
    children = []
    for number in range(asked.processes):
        child = os.fork()
        if not child:
            os._exit(_try_all(due[number :: asked.processes], survey, asked))
        children.append(child)
    failed = [status for _, status in map(lambda child: os.waitpid(child, 0), children) if status]
    print(file=sys.stderr)
    if failed:
        sys.exit(f"a process ended early; {DEBUG}=1 shows why")


def _try_all(due: Iterable[Mutant], survey: Survey, asked: argparse.Namespace) -> int:
    """Those that need an import of their own first, before this process imports the processor."""
    at_import, grafts, imports = set(survey.at_import), [], []
    for mutant in due:
        pairs = changed_functions(mutant)
        places = [place_of(before) for before, _ in pairs or []]
        if places and not at_import.intersection(places):
            grafts.append((mutant, pairs))
        else:
            imports.append(mutant)
    if not os.environ.get(DEBUG):
        os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
    if imports and not asked.quick:
        read_charts_once()
    for mutant in [] if asked.quick else imports:
        _told(mutant, try_import(mutant, survey.tests_of_import(mutant), survey))
    return 0 if asked.imports else session(Judge(grafts, survey, _told), SETTINGS["tests"])


if __name__ == "__main__":
    main()
