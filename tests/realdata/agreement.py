"""Each charted stay, converted and replayed, held against the reference facts; and the table that says so.

`python tests/realdata/agreement.py --write` renews the table in `docs/realdata.md`. Facts are compared
exactly: no tolerance makes a late threshold look punctual.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

from dose_history import SILENT, DoseAt, dose_history
from processor import replay

from simulators.recordings.charts import Stay, Why, read_stays
from simulators.recordings.lines import ADMISSION_MS, record

PROJECT = Path(__file__).parents[2]
REALDATA = Path(os.environ.get("STREAMPROC_REALDATA", PROJECT.parent / "shared" / "realdata"))
PAGE = PROJECT / "docs" / "realdata.md"
HEAD = [
    "stay",
    "lines",
    "rows left out",
    "refused",
    "at 0.1",
    "at 0.25",
    "highest",
    "at",
    "unknown",
    "agrees",
]
ROUNDED = 1e-6
BEGIN, END = "<!-- table: agreement.py -->", "<!-- end of table -->"

CHARTED_SETTINGS = {
    "event_time.hold_back_s": 172_800,
    "event_time.lateness_s": 172_800,
    "terms.map_hold_arterial_s": 3_600,
    "terms.map_hold_cuff_s": 3_600,
    "terms.pump_lost_s": 14_400,
}
"""What a replay of charted data needs, each explained in `docs/realdata.md`."""
END_S = CHARTED_SETTINGS["event_time.hold_back_s"] + 86_400
"""The replay goes on until the last line has been judged, and a day more: silence is judged too."""


@dataclass(frozen=True, slots=True)
class DoseFacts:
    """What is said of one stay's dose: minutes from admission, mcg/kg/min."""

    first_at_0_10_min: int | None
    first_at_0_25_min: int | None
    max_dose: float | None
    max_dose_min: int | None
    dose_unknown: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """One stay: what came of its rows and lines, the doses as the processor saw them, and the reference."""

    name: str
    lines: int
    left_out: Counter[str]
    verdicts: Counter[str]
    ours: DoseFacts
    plain: DoseFacts
    """The same lines by the plain calculator of these tests."""
    reference: DoseFacts
    disbelieved: bool
    """Whether a running pump's figures were not to be believed: the reference ignores such a row."""

    @property
    def differences(self) -> list[str]:
        """The facts in which processor and reference differ."""
        return differences(self.ours, self.reference)

    @property
    def unexplained(self) -> list[str]:
        """The differences, without the one that an unbelievable row makes on purpose."""
        return [name for name in self.differences if not (self.disbelieved and name == "dose_unknown")]


def reference_facts(root: Path) -> dict[str, DoseFacts]:
    """The reference's own rows, by `dataset/stay_id`."""
    with (root / "facts.csv").open(encoding="utf-8", newline="") as file:
        return {f"{row['dataset']}/{row['stay_id']}": _reference(row) for row in csv.DictReader(file)}


def _reference(row: dict[str, str]) -> DoseFacts:
    return DoseFacts(
        _minute(row["first_t_ge_0.10"]),
        _minute(row["first_t_ge_0.25"]),
        float(row["max_dose"]) if row["max_dose"] else None,
        _minute(row["t_max_dose"]),
        float(row["dur_unknown_dose_min"]) > 0,
    )


def _minute(cell: str) -> int | None:
    return int(float(cell)) if cell else None


def dose_facts(history: list[DoseAt]) -> DoseFacts:
    """The same facts of a dose history."""
    known = [(each.time_ms, each.dose) for each in history if each.dose is not None and each.dose > 0]
    highest = max((dose for _, dose in known), default=None)
    return DoseFacts(
        _first(known, Fraction(1, 10)),
        _first(known, Fraction(1, 4)),
        None if highest is None else float(highest),
        None if highest is None else _first(known, highest),
        any(each.dose is None and each.why != SILENT for each in history),
    )


def _first(known: list[tuple[int, Fraction]], limit: Fraction) -> int | None:
    at_ms = next((time_ms for time_ms, dose in known if dose >= limit), None)
    return None if at_ms is None else (at_ms - ADMISSION_MS) // 60_000


def compare(stay: Stay, reference: DoseFacts) -> Agreement:
    """Convert one stay, replay it, and compute its dose by the plain way as well."""
    recording = record(stay)
    lines = [line.text for line in recording.lines]
    replayed = replay(lines, [f"{key}={value}" for key, value in CHARTED_SETTINGS.items()], end_s=END_S)
    return Agreement(
        name=stay.name,
        lines=len(lines),
        left_out=Counter(remark.why.value for remark in recording.remarks if remark.left_out),
        verdicts=replayed.verdicts,
        ours=dose_facts(replayed.history),
        plain=dose_facts(dose_history(lines)),
        reference=reference,
        disbelieved=any(remark.why is Why.NOT_BELIEVED for remark in recording.remarks),
    )


def differences(ours: DoseFacts, reference: DoseFacts) -> list[str]:
    """The facts that are not the same, by name; the reference rounds a dose to six decimals."""
    return [each.name for each in fields(DoseFacts) if not _same(ours, reference, each.name)]


def _same(ours: DoseFacts, reference: DoseFacts, name: str) -> bool:
    one, other = ours.max_dose, reference.max_dose
    if name == "max_dose" and one is not None and other is not None:
        return abs(one - other) <= ROUNDED
    return bool(getattr(ours, name) == getattr(reference, name))


def agreements(root: Path) -> list[Agreement]:
    """All stays of the reference, in its order."""
    stays = read_stays(root)
    return [compare(stays[name], facts) for name, facts in reference_facts(root).items()]


def table(rows: list[Agreement]) -> str:
    """The table of the page, a row a stay."""
    return "\n".join([_row(HEAD), _row(["---"] * len(HEAD)), *map(_table_row, rows)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _table_row(row: Agreement) -> str:
    ours = row.ours
    refused = row.verdicts - Counter(accepted=row.lines)
    highest = None if ours.max_dose is None else f"{ours.max_dose:.6f}"
    doses = (ours.first_at_0_10_min, ours.first_at_0_25_min, highest, ours.max_dose_min)
    shown = ["" if each is None else str(each) for each in doses]
    agrees = "yes" if not row.differences else "no: " + ", ".join(row.differences)
    unknown = "yes" if ours.dose_unknown else ""
    return _row([row.name, str(row.lines), _counts(row.left_out), _counts(refused), *shown, unknown, agrees])


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(counter.items()))


def page_with(page: str, rows: list[Agreement]) -> str:
    """The page with its table renewed."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


if __name__ == "__main__":
    renewed = page_with(PAGE.read_text(encoding="utf-8"), agreements(REALDATA))
    if "--write" in sys.argv:
        PAGE.write_text(renewed, encoding="utf-8")
    else:
        print(renewed)
