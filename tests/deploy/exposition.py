"""Figures for every exported metric, as a processor would serve them: what dashboards are tried on.

The figures are made up; no test may depend on more than that they are there and that counters rise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from .exported import FAMILIES, PREFIX, Metric

EXAMPLES = {
    "unit": ("icu-a", "icu-b"),
    "bed": ("bed-1", "bed-2"),
    "source": ("arterial", "cuff"),
    "kind": ("map", "pump"),
    "reason": ("too_late", "schema"),
    "rule": ("MAP-LOW", "WEAN-READY"),
    "priority": ("high", "medium", "low", "info"),
    "phase": ("start", "end"),
    "version": ("0.1.0",),
}
BUCKETS = (("0.1", 1), ("1", 2), ("10", 3), ("+Inf", 3))
SCRAPED_AS = 'job="streamproc",instance="processor:9464"'


def exposition(at_s: int) -> str:
    """What `/metrics` answers at this second."""
    lines = itertools.chain.from_iterable(samples(family, at_s, "") for family in FAMILIES)
    return "".join(line + "\n" for line in lines)


def history(instants_s: Sequence[int]) -> Iterator[str]:
    """OpenMetrics lines of these seconds, for `promtool tsdb create-blocks-from openmetrics`."""
    for family in FAMILIES:
        yield f"# TYPE {PREFIX}{family.name.removesuffix('_total')} {family.kind}"
        for at_s in instants_s:
            yield from (f"{line} {at_s}" for line in samples(family, at_s, SCRAPED_AS))
    yield "# TYPE up gauge"
    yield from (f"up{{{SCRAPED_AS}}} 1 {at_s}" for at_s in instants_s)
    yield "# EOF"


def samples(family: Metric, at_s: int, scraped: str) -> Iterator[str]:
    """One family at one second: `name{labels} figure`, a line a series."""
    for values in itertools.product(*(EXAMPLES[label] for label in family.labels)):
        pairs = [f'{label}="{value}"' for label, value in zip(family.labels, values, strict=True)]
        labels = ",".join([*pairs, scraped] if scraped else pairs)
        yield from figures(PREFIX + family.name, family.kind, labels, at_s)


def figures(name: str, kind: str, labels: str, at_s: int) -> Iterator[str]:
    """The series of one metric with these labels; counters count seconds, the heartbeat has just been."""
    if kind == "histogram":
        inner = labels + "," if labels else ""
        yield from (f'{name}_bucket{{{inner}le="{le}"}} {share * at_s}' for le, share in BUCKETS)
        yield f"{name}_sum{{{labels}}} {2 * at_s}"
        yield f"{name}_count{{{labels}}} {3 * at_s}"
    elif kind == "counter" or name.endswith("timestamp_seconds"):
        yield f"{name}{{{labels}}} {at_s}"
    else:
        yield f"{name}{{{labels}}} 1"
