"""The command `simulate`: which beds, where to, how fast.

It checks what it was asked for, and says what would be right; the work is done elsewhere.
"""

from __future__ import annotations

import asyncio
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from simulators.faults import Faults, disturb, parse_faults
from simulators.messages import Message
from simulators.publish import Broker, parse_broker, publish_until_told
from simulators.recording import recorded_lines, recording
from simulators.scenarios import SCENARIOS
from simulators.ward import Ward, showcase, with_clock
from streamproc.wire.topics import NAME

WARD = "ward"
LIST = "list"
WARD_BEDS = 8
MOST_BEDS = 2000
FASTEST = 3600.0

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

T = TypeVar("T")


def _parsed(parse: Callable[[str], T], text: str) -> T:
    """Every wrong argument ends the same way: what is wrong, what would be right, exit 2."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _scenario_name(text: str) -> str:
    if text not in {*SCENARIOS, WARD, LIST}:
        raise ValueError(f"no scenario {text!r}; one of {', '.join((WARD, *SCENARIOS))}, or {LIST}")
    return text


def _unit_name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ValueError(f"{text!r} is not a unit; 1 to 32 letters, digits, _ or - were expected")
    return text


def _start_ms(text: str) -> int:
    """RFC 3339 with an offset or Z, whole seconds."""
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        start = datetime.min
    if start.tzinfo is None:
        raise ValueError(f"{text!r} is not a time; something like 2026-11-23T08:00:00Z was expected")
    return int(start.timestamp()) * 1000


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp()) * 1000


def _print_scenarios() -> None:
    for scenario in SCENARIOS.values():
        typer.echo(f"{scenario.name} ({scenario.minutes} min)\n{textwrap.indent(scenario.story, '  ')}\n")
    typer.echo(f"{WARD} (until stopped)\n  Beds 1 to N each get another of these in turn, then anew.")


def _chosen_ward(
    name: str, beds: int | None, unit: str, seed: int, start_ms: int, duration_s: int | None
) -> Ward:
    if name == WARD:
        return showcase(beds or WARD_BEDS, unit, seed, start_ms, duration_s)
    return Ward((SCENARIOS[name],), beds or 1, unit, seed, start_ms, duration_s)


def _record(messages: Iterator[Message], seed: int, path: str) -> None:
    try:
        with recording(path) as file:
            for line in recorded_lines(messages, seed):
                file.write(line)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has had enough; nothing is left to say
    except OSError as error:
        raise typer.BadParameter(f"{path!r} cannot be written ({error.strerror})") from None


def _publish(messages: Iterator[Message], broker: Broker, start_ms: int, speed: float) -> None:
    done = asyncio.run(publish_until_told(messages, broker, start_ms, speed))
    print(f"simulate: {done.acknowledged} messages acknowledged by {broker}", file=sys.stderr)


@app.command(help="Simulate beds: publish their telemetry over MQTT 5, or record it.")
def simulate(
    scenario: Annotated[str, typer.Argument(help=f"a scenario, {WARD}, or {LIST}")] = LIST,
    broker: Annotated[str, typer.Option(help="mqtt://host:port")] = "mqtt://127.0.0.1:1883",
    beds: Annotated[int | None, typer.Option(min=1, max=MOST_BEDS, help="1, or 8 in a ward")] = None,
    unit: Annotated[str, typer.Option(help="the unit in the topics")] = "icu-a",
    speed: Annotated[float, typer.Option(min=0.01, max=FASTEST, help="times real time")] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    duration: Annotated[int | None, typer.Option(min=1, help="simulated seconds")] = None,
    start: Annotated[str | None, typer.Option(help="event time of the first second; else now")] = None,
    record: Annotated[str | None, typer.Option(help="write recorded lines to FILE (.gz, .zst) or -")] = None,
    faults: Annotated[str, typer.Option(help="such as drop=0.01,duplicate=0.01,reorder_ms=500")] = "",
    clock: Annotated[bool, typer.Option("--clock", help="publish the simulated time at speed 1 too")] = False,
    list_scenarios: Annotated[bool, typer.Option("--list", help="print the scenarios")] = False,
) -> None:
    """One run of the simulator; everything random in it comes from the seed."""
    _parsed(_scenario_name, scenario)
    if list_scenarios or scenario == LIST:
        _print_scenarios()
        return
    where, damage = _parsed(parse_broker, broker), _parsed(parse_faults, faults)
    start_ms = _now_ms() if start is None else _parsed(_start_ms, start)
    if record is not None and scenario == WARD and duration is None:
        raise typer.BadParameter("a ward has no end; --record needs --duration SECONDS with it")
    print(f"simulate: {scenario}, seed {seed}", file=sys.stderr)
    ward = _chosen_ward(scenario, beds, _parsed(_unit_name, unit), seed, start_ms, duration)
    messages = ward.play() if damage == Faults() else disturb(ward.play(), damage, seed)
    if record is not None:
        _record(messages, seed, record)
        return
    _publish(with_clock(messages, start_ms) if clock or speed != 1 else messages, where, start_ms, speed)


def main() -> None:
    """The entry point of `simulate`."""
    app()
