"""Breaks one promise at a time in a copy of the project, and sees whether the tests notice.

`./run sabotage [NAME…]`. A sabotage is a file of this folder: the promise that it breaks, the text
that it puts in place of another, and the tests that must go red, the quickest first.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent
LEFT_OUT = (".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
TESTS_RED, TESTS_GREEN, NO_VERDICT = 1, 0, -1
"""What pytest exits with; anything else is no verdict."""
LONGEST_S = 900
"""Too slow is no verdict either: it may be the machine."""


class DoesNotApply(Exception):
    """The text that a sabotage replaces is not there exactly once: the code has moved on."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One promise, how it is broken, and who must notice."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    red: tuple[str, ...]

    def apply(self, tree: Path) -> None:
        """Break it in this copy of the project."""
        path = tree / self.file
        path.write_text(replaced(path.read_text(encoding="utf-8"), self), encoding="utf-8")


def read(file: Path) -> Sabotage:
    """A sabotage from its file."""
    written = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    red = tuple(written.pop("red"))
    return Sabotage(name=file.stem, red=red, **written)


def all_sabotages() -> list[Sabotage]:
    """Every sabotage of the folder, by name."""
    return [read(file) for file in sorted(FOLDER.glob("*.yaml"))]


def replaced(source: str, sabotage: Sabotage) -> str:
    """The source with the one text in the other's place; both stand at the indentation of the source."""
    lines, old, new = source.splitlines(), sabotage.old.splitlines(), sabotage.new.splitlines()
    found = [at for at, line in enumerate(lines) if lines[at : at + len(old)] == _indented(old, line)]
    if len(found) != 1:
        raise DoesNotApply(f"{sabotage.name}: {sabotage.file} has {len(found)} places for\n{sabotage.old}")
    (at,) = found
    return "\n".join([*lines[:at], *_indented(new, lines[at]), *lines[at + len(old) :]]) + "\n"


def _indented(lines: Sequence[str], like: str) -> list[str]:
    indentation = like[: len(like) - len(like.lstrip())]
    return [indentation + line if line else line for line in lines]


def run(tree: Path, tests: str) -> int:
    """pytest's exit code in a copy of the project."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(tests)]
    command += ["--hypothesis-seed=20261123"]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return NO_VERDICT
    if done.returncode not in (TESTS_RED, TESTS_GREEN):
        print(done.stdout[-2000:], done.stderr[-2000:])
    return done.returncode


def caught_by(sabotage: Sabotage) -> str | None:
    """The first of its tests that goes red, or None."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        tree = Path(folder) / "project"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        sabotage.apply(tree)
        return next((tests for tests in sabotage.red if run(tree, tests) == TESTS_RED), None)


def main() -> None:
    """Each sabotage with its verdict; exit code 1 if one is not caught."""
    parser = argparse.ArgumentParser(prog="./run sabotage", description=__doc__)
    parser.add_argument("names", nargs="*", help="all of them if none is named")
    parser.add_argument("--green", action="store_true", help="first show that the tests are green")
    wanted = parser.parse_args()
    known = {sabotage.name: sabotage for sabotage in all_sabotages()}
    if unknown := set(wanted.names) - known.keys():
        sys.exit(f"no such sabotage: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in wanted.names] or list(known.values())
    if wanted.green:
        _show_green(chosen)
    missed = [sabotage.name for sabotage in chosen if not _tell(sabotage)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} caught")
    sys.exit(1 if missed else 0)


def _tell(sabotage: Sabotage) -> bool:
    begun_s = time.monotonic()
    try:
        tests = caught_by(sabotage)
    except DoesNotApply as error:
        print(f"DOES NOT APPLY: {error}", flush=True)
        return False
    verdict = "NOT CAUGHT" if tests is None else f"caught by {tests}"
    print(f"{sabotage.name}: {verdict} ({time.monotonic() - begun_s:.0f} s)", flush=True)
    return tests is not None


def _show_green(chosen: Sequence[Sabotage]) -> None:
    for tests in sorted({tests for sabotage in chosen for tests in sabotage.red}):
        if (code := run(ROOT, tests)) != TESTS_GREEN:
            sys.exit(f"{tests}: red without any sabotage (exit code {code})")


if __name__ == "__main__":
    main()
