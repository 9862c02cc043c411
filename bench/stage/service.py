"""The service as its users run it: a process, its address from its log, its figures from a scrape."""

from __future__ import annotations

import contextlib
import re
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.stage.processes import ANSWER_S, ROOT, eventually, is_alive, running

FATES = ("received", "accepted", "rejected", "duplicate", "late")


@contextlib.contextmanager
def processor(
    folder: Path, port: int, roster: Sequence[str], settings: Sequence[str] = ()
) -> Iterator[tuple[int, str]]:
    """The service with these beds on its roster, ready: its process, and where its metrics are."""
    log = folder / "processor.log"
    with running(processor_command(folder, port, roster, settings), ROOT, log) as pid:
        eventually(lambda: address_in(log) or not is_alive(pid) or None, log)
        metrics = f"{address_in(log)}/metrics"
        eventually(lambda: is_ready(metrics) or not is_alive(pid) or None, log, 4 * ANSWER_S)
        if not is_alive(pid):
            raise RuntimeError(f"the processor has ended by itself:\n{log.read_text()[-2000:]}")
        yield pid, metrics


def processor_command(
    folder: Path, port: int, roster: Sequence[str], settings: Sequence[str] = ()
) -> list[str]:
    """What starts it; its state is in `state` of the folder."""
    command = [sys.executable, "-m", "streamproc", "run"]
    fixed = (f"mqtt.port={port}", f"state.dir={folder / 'state'}", "http.port=0", "log.format=json")
    for setting in (*fixed, f"roster=[{','.join(roster)}]", *settings):
        command += ["--set", setting]
    return command


def address_in(log: Path) -> str | None:
    """Where the processor says that it serves."""
    said = re.search(r'"http": "(http://[^"]+)"', log.read_text())
    return said and said[1]


def is_ready(metrics: str) -> bool:
    """Whether it says so; one that is too busy to answer is not."""
    try:
        return "\nstreamproc_ready 1.0" in fetched(metrics)
    except OSError:
        return False


def fetched(url: str) -> str:
    """What is served there."""
    with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
        return str(answer.read().decode())


def scraped(metrics: str) -> dict[str, int]:
    """What became of the messages, each fate summed over its labels."""
    text = fetched(metrics)
    return {fate: round(summed(text, f"messages_{fate}_total")) for fate in FATES}


def summed(text: str, name: str, labelled: str = "") -> float:
    """The series of a name, added up over those labels that hold `labelled`."""
    found = re.findall(rf"^streamproc_{name}({{.*?}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for labels, value in found if labelled in labels)
