"""docs/mutation.md, written from the verdicts: figures per module, and the survivors with their reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from tests.mutation.mutant import ROOT, Mutant

PAGE = ROOT / "docs" / "mutation.md"
REASONS = Path(__file__).parent / "survivors.yaml"
RUNS = Path(__file__).parent / "runs.md"
"""Of which sources the verdicts are, in words."""
OUTCOMES = ("killed", "timed out", "survived", "not tried")
HEAD = """# Mutation testing

Written by `./run mutate --report` from the verdicts of `./run mutate`; how it works and what it leaves out is
in [decision 007](decisions/007-mutation-testing.md). A mutant is one small mistake in `core` or `rules`: in a
comparison, a figure, a condition or a sign. Killed: a chart or a table failed. Timed out: it never ended,
which is noticed as well. Not tried: it changes only what an import runs, or is newer than the last run.
"""


def write_report(mutants: Iterable[Mutant], outcomes: Mapping[str, str]) -> None:
    """Write the page; a reason whose mutant is dead or gone is an error."""
    listed = [(mutant, outcomes.get(mutant.digest, "not tried")) for mutant in mutants]
    alive = {mutant.name for mutant, outcome in listed if outcome == "survived"}
    explained = reasons()
    stale = sorted(set(explained) - alive)
    if stale:
        raise SystemExit("no survivors: " + "; ".join(stale))
    figures = [*_figures(listed), *_comparisons(listed)]
    text = [
        HEAD,
        RUNS.read_text(encoding="utf-8"),
        *figures,
        *_survivors(explained, sorted(alive - set(explained))),
    ]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf-8")


def reasons() -> dict[str, str]:
    """Why a survivor cannot be noticed, by its name."""
    groups = YAML(typ="safe", pure=True).load(REASONS.read_text(encoding="utf-8")) or []
    return {name: group["why"] for group in groups for name in group["mutants"]}


def _figures(listed: Iterable[tuple[Mutant, str]]) -> Iterator[str]:
    """The table, one line a module, and the whole."""
    counts: dict[str, Counter[str]] = {}
    for mutant, outcome in listed:
        counts.setdefault(mutant.path.removeprefix("streamproc/"), Counter())[outcome] += 1
    yield "## Figures\n"
    yield "| module | mutants | " + " | ".join(OUTCOMES) + " | noticed |"
    yield "|---|" + "--:|" * (len(OUTCOMES) + 2)
    tried = {module: count for module, count in counts.items() if count["not tried"] < count.total()}
    yield from (_row(module, count) for module, count in tried.items())
    for folder in ("rules", "core"):
        whole = sum((count for module, count in tried.items() if module.startswith(folder)), Counter[str]())
        yield _row(f"**{folder}, these modules**", whole)
    yield _row("**all of these**", sum(tried.values(), Counter[str]()))
    yield f"\nNot run: {', '.join(sorted(set(counts) - set(tried))) or 'none'}.\n"


def _comparisons(listed: Iterable[tuple[Mutant, str]]) -> Iterator[str]:
    """What became of the mutants of a comparison, of all modules together."""
    count = Counter(outcome for mutant, outcome in listed if mutant.is_of_a_comparison)
    told = ", ".join(f"{count[outcome]} {outcome}" for outcome in OUTCOMES)
    yield f"Of them, {count.total()} are mutants of a comparison: {told}.\n"


def _row(module: str, count: Counter[str]) -> str:
    noticed = count["killed"] + count["timed out"]
    tried = noticed + count["survived"]
    share = f"{100 * noticed / tried:.1f} %" if tried else ""
    cells = [module, count.total(), *(count[outcome] for outcome in OUTCOMES), share]
    return "| " + " | ".join(map(str, cells)) + " |"


def _survivors(explained: Mapping[str, str], unexplained: list[str]) -> Iterator[str]:
    """Each survivor under its reason; those without one last."""
    yield "## Survivors that change nothing that can be seen\n"
    for why in dict.fromkeys(explained.values()):
        yield f"{why}\n"
        yield from (f"- `{name}`" for name, reason in explained.items() if reason == why)
        yield ""
    yield "## Survivors that a test should notice, or that nobody has judged yet\n"
    yield "\n".join(f"- `{name}`" for name in unexplained) or "None."
