"""The charted rows of one stay, read from `map.csv`, `ne.csv` and `stays.csv` as they stand.

Every cell is untrusted: an unreadable one becomes a `Remark`, never a crash and never a zero.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import product
from math import isfinite
from pathlib import Path

FURTHEST_MIN = 60 * 24 * 366 * 20
"""Twenty years from admission: no stay is longer, and a calendar still holds it."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_BLANKS = frozenset({"", "nan", "na", "n/a", "null", "none", "nat"})


class Why(StrEnum):
    """Why a row was left out, or what about it a reader must know."""

    REWRITTEN = "rewritten"
    VOLUME_ONLY = "volume_only"
    NO_NUMBER = "no_number"
    NOT_USED = "not_used"
    ENDS_BEFORE_START = "ends_before_start"
    SAME_MINUTE = "same_minute"
    OUTLASTED = "outlasted"
    NO_TIME = "no_time"
    NOT_A_NUMBER = "not_a_number"
    UNKNOWN_SOURCE = "unknown_source"
    UNKNOWN_FORM = "unknown_form"
    BAD_NAME = "bad_name"
    UNREADABLE_FILE = "unreadable_file"
    NO_FILE = "no_file"
    NO_UNIT = "no_unit"
    UNIT_UNKNOWN = "unit_unknown"
    NOT_BELIEVED = "not_believed"
    DOSE_COLUMN = "dose_column"
    END_MISSING = "end_missing"
    WEIGHT_CHANGED = "weight_changed"
    WEIGHT_UNUSABLE = "weight_unusable"


@dataclass(frozen=True, slots=True)
class Remark:
    """One row (or file) and what became of it: left out, or sent with something missing."""

    stay: str
    file: str
    row_id: str
    why: Why
    detail: str = ""
    left_out: bool = True


@dataclass(frozen=True, slots=True)
class MapRow:
    """One charted mean arterial pressure, its figure as written; flagged rows are charting errors."""

    row_id: str
    at_min: Decimal
    stored_min: Decimal | None
    source: str
    mmhg: Decimal
    flagged: bool


@dataclass(frozen=True, slots=True)
class DrugRow:
    """One charted norepinephrine row: a point, an interval, or one action upon an order."""

    row_id: str
    place: int
    form: str
    at_min: Decimal
    end_min: Decimal | None
    stored_min: Decimal | None
    action: str
    status: str
    value: Decimal | None
    unit: str
    dose: Decimal | None
    weight_kg: Decimal | None
    concentration_ug_ml: Decimal | None
    order_id: str
    believed: bool = True


@dataclass(slots=True)
class Stay:
    """All that the chart holds of one stay, in the order of its files, and what was remarked in reading."""

    dataset: str
    stay_id: str
    weight_kg: Decimal | None = None
    maps: list[MapRow] = field(default_factory=list)
    drugs: list[DrugRow] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How the command line and the reports call it."""
        return f"{self.dataset}/{self.stay_id}"

    def remark(self, file: str, row_id: str, why: Why, detail: str = "", *, left_out: bool = True) -> None:
        """Take down what became of a row."""
        self.remarks.append(Remark(self.name, file, row_id, why, detail, left_out))


class Row:
    """One row's cells by column name; a column that is not there reads as blank."""

    __slots__ = ("cells", "file", "stay")

    def __init__(self, stay: Stay, file: str, cells: Mapping[str, str]) -> None:
        self.stay, self.file, self.cells = stay, file, cells

    @property
    def row_id(self) -> str:
        return self.text("row_id") or "?"

    def text(self, column: str) -> str:
        """The cell, or an empty string where it is blank in any of the usual spellings."""
        cell = self.cells.get(column, "").strip()
        return "" if cell.lower() in _BLANKS else cell

    def word(self, column: str) -> str:
        """The cell as a code: lower case, nothing but letters and digits and underscores."""
        return self.text(column).lower()

    def number(self, column: str) -> Decimal | None:
        """The cell as a finite figure; unreadable ones are remarked upon and count as missing."""
        cell = self.text(column)
        if not cell:
            return None
        if _NUMBER.fullmatch(cell) and isfinite(float(cell)):
            return Decimal(cell)
        self.remark(Why.NOT_A_NUMBER, f"{column}: {cell[:40]!r}", left_out=False)
        return None

    def minute(self, column: str) -> Decimal | None:
        """The cell as minutes from admission, if a calendar can hold it."""
        minute = self.number(column)
        return minute if minute is not None and abs(minute) <= FURTHEST_MIN else None

    def remark(self, why: Why, detail: str = "", *, left_out: bool = True) -> None:
        self.stay.remark(self.file, self.row_id, why, detail, left_out=left_out)


def read_stays(root: Path) -> dict[str, Stay]:
    """Every stay that any file below `root` mentions, by `dataset/stay_id`."""
    stays: dict[str, Stay] = {}
    _read_weights(root / "stays.csv", stays)
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if (folder / "map.csv").exists() or (folder / "ne.csv").exists():
            _read_folder(folder, stays)
    return stays


def _read_weights(path: Path, stays: dict[str, Stay]) -> None:
    for cells in _cells(path, []):
        stay = _stay(stays, cells.get("dataset", "").strip(), cells)
        if stay is None:
            continue
        row = Row(stay, "stays.csv", cells)
        stay.weight_kg = usable_weight(row)


def _read_folder(folder: Path, stays: dict[str, Stay]) -> None:
    faults: dict[str, list[tuple[Why, str]]] = {"map.csv": [], "ne.csv": []}
    for name, read in (("map.csv", read_map_row), ("ne.csv", read_drug_row)):
        for place, cells in enumerate(_cells(folder / name, faults[name])):
            stay = _stay(stays, folder.name, cells)
            if stay is not None:
                read(Row(stay, name, cells), place)
    concerned = [stay for stay in stays.values() if stay.dataset == folder.name]
    for stay, name in product(concerned, faults):
        for why, detail in faults[name]:
            stay.remark(name, "-", why, detail)


def _stay(stays: dict[str, Stay], dataset: str, cells: Mapping[str, str]) -> Stay | None:
    stay_id = cells.get("stay_id", "").strip()
    if not dataset or not stay_id:
        return None
    return stays.setdefault(f"{dataset}/{stay_id}", Stay(dataset, stay_id))


def _cells(path: Path, faults: list[tuple[Why, str]]) -> Iterator[dict[str, str]]:
    """The rows of a file as far as it can be read; what stopped the reading goes into `faults`."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for cells in csv.DictReader(file, restval=""):
                yield {key.strip(): cell for key, cell in cells.items() if key and isinstance(cell, str)}
    except FileNotFoundError:
        faults.append((Why.NO_FILE, path.name))
    except (OSError, csv.Error) as error:
        faults.append((Why.UNREADABLE_FILE, f"{path.name}: {error}"))


def read_map_row(row: Row, _place: int) -> None:
    """Add one pressure to its stay, or say why it cannot be a message at all."""
    at_min, mmhg = row.minute("t_min"), row.number("map_mmhg")
    if at_min is None:
        row.remark(Why.NO_TIME, row.text("t_min"))
    elif mmhg is None:
        row.remark(Why.NO_NUMBER, row.text("map_mmhg"))
    else:
        flagged = row.number("error") == 1
        stored = row.minute("t_store_min")
        row.stay.maps.append(MapRow(row.row_id, at_min, stored, row.word("source"), mmhg, flagged))


def read_drug_row(row: Row, place: int) -> None:
    """Add one norepinephrine row to its stay, or say why it takes no part."""
    at_min, value = row.minute("t_min"), row.number("charted_value")
    if at_min is None:
        row.remark(Why.NO_TIME, row.text("t_min"))
        return
    why = _no_part(row, value)
    if why is not None:
        row.remark(why, row.text("note") or row.text("status"))
        return
    believed = row.number("use") != 0
    if not believed:
        row.remark(Why.NOT_BELIEVED, row.text("note"), left_out=False)
    row.stay.drugs.append(_drug_row(row, place, at_min, value, believed))


def _no_part(row: Row, value: Decimal | None) -> Why | None:
    """Why a row says nothing about the pump; one that runs with an unbelievable figure does say something."""
    action, unused = row.word("action"), row.number("use") == 0
    if row.word("status") == "rewritten":
        return Why.REWRITTEN
    if action in _SILENT_ACTIONS:
        return _SILENT_ACTIONS[action]
    if unused and (action in STOPS or value is None or value <= 0):
        return Why.NOT_USED
    return None


_SILENT_ACTIONS = {"volume_only": Why.VOLUME_ONLY, "no_value": Why.NO_NUMBER}
STOPS: Mapping[str, str] = {"stop": "stopped", "stopped": "stopped", "pause": "paused", "paused": "paused"}
"""Charted actions that end a running infusion, and the pump status that says so."""


def _drug_row(row: Row, place: int, at_min: Decimal, value: Decimal | None, believed: bool) -> DrugRow:
    # A concentration that was calculated back from the dose proves nothing about the bag: not sent.
    derived = row.word("conc_source").startswith("derived")
    end_min = row.minute("t_end_min")
    return DrugRow(
        row_id=row.row_id,
        place=place,
        form=row.word("form") or ("point" if end_min is None else "interval"),
        at_min=at_min,
        end_min=end_min,
        stored_min=row.minute("t_store_min"),
        action=row.word("action"),
        status=row.word("status"),
        value=value,
        unit=row.text("charted_unit"),
        dose=row.number("dose_mcgkgmin"),
        weight_kg=usable_weight(row),
        concentration_ug_ml=None if derived else row.number("conc_mcg_ml"),
        order_id=row.text("order_id"),
        believed=believed,
    )


def usable_weight(row: Row) -> Decimal | None:
    """The row's weight; what no body weighs is left out, the rest is the processor's to judge."""
    weight = row.number("weight_kg")
    if weight is not None and weight <= 0:
        row.remark(Why.WEIGHT_UNUSABLE, str(weight), left_out=False)
        return None
    return weight
