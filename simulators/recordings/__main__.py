"""`python -m simulators.recordings`: charted stays in, recorded lines out, and what was left out and why.

Overwrites only the files it is told to write; never reads anything but the chart's own rows.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from simulators.recordings.charts import read_stays
from simulators.recordings.lines import Line, Recording, record
from streamproc.wire.instant import rfc3339


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert what was asked for; 0 when it could be read, 2 when there is no such stay or folder."""
    asked = _parser().parse_args(arguments)
    if not asked.realdata.is_dir():
        return _refuse(f"--realdata: no such folder: {asked.realdata}")
    stays = read_stays(asked.realdata)
    names = sorted(stays) if asked.all else [asked.stay]
    if not names or names[0] not in stays:
        return _refuse(f"--stay: not in {asked.realdata}: {asked.stay} ({len(stays)} stays there)")
    recordings = [record(stays[name]) for name in names]
    _write(asked.out, recordings)
    if asked.report is not None:
        _write_report(asked.report, recordings)
    _summarise(recordings)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.recordings", description=__doc__)
    parser.add_argument("--realdata", type=Path, required=True, metavar="DIR", help="folder of stays.csv")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--stay", metavar="DATASET/ID", help="one stay, e.g. eicu/258915")
    what.add_argument("--all", action="store_true", help="every stay there is")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE|DIR",
        help="a file (- for standard output; .gz is compressed), or a folder: a file for each stay",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="what became of which row, as JSON lines")
    return parser


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 2


def _write(out: str, recordings: Sequence[Recording]) -> None:
    """One file in order of receipt, or a folder with one for each stay."""
    folder = Path(out)
    if out.endswith("/") or folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for each in recordings:
            _write_file(str(folder / (each.name.replace("/", "-") + ".jsonl")), each.lines)
    else:
        merged = heapq.merge(*(each.lines for each in recordings), key=lambda line: line.received_ms)
        _write_file(out, merged)


def _write_file(out: str, lines: Iterable[Line]) -> None:
    with ExitStack() as open_files:
        file = sys.stdout if out == "-" else open_files.enter_context(_open(Path(out)))
        file.writelines(line.text + "\n" for line in lines)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "wt", encoding="utf-8")
    return path.open("w", encoding="utf-8")


def _write_report(path: Path, recordings: Sequence[Recording]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for recording in recordings:
            file.writelines(json.dumps(asdict(remark)) + "\n" for remark in recording.remarks)


def _summarise(recordings: Sequence[Recording]) -> None:
    lines = [line for each in recordings for line in each.lines]
    print(f"{len(recordings)} stays, {len(lines)} lines", file=sys.stderr)
    if lines:
        latest_s = max(line.received_ms - line.time_ms for line in lines) // 1000
        last = rfc3339(max(line.received_ms for line in lines))
        print(f"last received {last}, at most {latest_s} s late", file=sys.stderr)
    counts = Counter((remark.left_out, remark.why) for each in recordings for remark in each.remarks)
    for (left_out, why), count in sorted(counts.items(), reverse=True):
        print(f"{'left out' if left_out else 'sent, but'}: {count} {why.value}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
