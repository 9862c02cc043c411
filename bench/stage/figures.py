"""Measured figures: quantiles, medians with their spread, and how they are printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the most among them."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{plain(self.median)} ({plain(self.least)}-{plain(self.most)})"


def spread(rounds: Iterable[float]) -> Spread:
    """What several rounds gave."""
    ordered = sorted(rounds)
    return Spread(median(ordered), ordered[0], ordered[-1])


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed; infinite where there is none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else inf


def plain(value: object) -> str:
    """A figure as people write it: three digits that count, thousands apart."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(measured: dict[str, Any], as_json: bool) -> None:
    """Print figures by their names: one JSON object, or a line each."""
    if as_json:
        print(json.dumps(measured))
        return
    width = max(map(len, measured))
    for name, value in measured.items():
        print(f"{name:{width}} {plain(value):>12}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under a head, the first column to the left and all others to the right."""
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
