"""Which metrics and labels a PromQL expression names; enough of the grammar for that, and no more.

Whether the expression is valid is Prometheus's own to say: the tests ask it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STRING = re.compile(r'"(?:\\.|[^"\\])*"')
RANGE = re.compile(r"\[[^\]]*\]")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)\b(?!\s*\()\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "by", "without"}


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics of an expression, each with the labels that its selector names; labels grouped by."""

    selected: dict[str, frozenset[str]]
    grouped: frozenset[str]


def names(expression: str) -> Names:
    """Every metric and label that an expression names."""
    bare = RANGE.sub("", STRING.sub('""', expression))
    grouped = {label.strip() for clause in GROUPING.findall(bare) for label in clause.split(",")}
    selected: dict[str, frozenset[str]] = {}
    for metric, matchers in SELECTOR.findall(GROUPING.sub("", bare)):
        if metric not in WORDS:
            selected[metric] = selected.get(metric, frozenset()) | frozenset(MATCHER.findall(matchers))
    return Names(selected, frozenset(grouped - {""}))
