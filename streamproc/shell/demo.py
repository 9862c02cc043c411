"""The main job on one machine: broker process, simulator process and the service, in front of you.

Nothing here is for a ward: the broker keeps nothing, the state is thrown away at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from streamproc.config import load
from streamproc.core.alert import Phase, Priority
from streamproc.core.change import Change
from streamproc.shell.broker import BrokerFailed, EmbeddedBroker
from streamproc.shell.http import CannotListen, serving
from streamproc.shell.log import set_up
from streamproc.shell.service import Service
from streamproc.wire import rfc3339

UNIT = "icu-a"
HOLD_BACK_S, LATENESS_S = 2.0, 60.0
"""By the wall. Of simulated time so much more passes as it is faster, while a message is on its way."""
STYLES = {Priority.HIGH: "bold red", Priority.MEDIUM: "yellow", Priority.LOW: "cyan", Priority.INFO: "green"}
SIGNS = {Phase.START: "!", Phase.ESCALATE: "^", Phase.DEESCALATE: "v", Phase.UPDATE: "~", Phase.END: "."}


@dataclass(frozen=True, slots=True)
class Demonstration:
    """How many beds, how fast, for how long, from which seed, and where the metrics are served."""

    beds: int
    speed: float
    seconds: float | None
    seed: int
    port: int


def demonstrate(asked: Demonstration) -> int:
    """Run it; the exit code: 0, or 1 if a part of it failed."""
    set_up("warning", "auto")
    screen = Console(highlight=False)
    try:
        return asyncio.run(_demonstrate(asked, screen))
    except (BrokerFailed, CannotListen) as error:
        screen.print(f"[red]{error}[/red]")
        return 1


async def _demonstrate(asked: Demonstration, screen: Console) -> int:
    with tempfile.TemporaryDirectory(prefix="streamproc-demo-") as state:
        async with EmbeddedBroker() as broker:
            service = _service(asked, broker.port, Path(state))
            service.on_change = lambda change: screen.print(_line(change), soft_wrap=True)
            async with serving(service, "127.0.0.1", asked.port) as port:
                _opening(screen, asked, broker.port, port)
                failure = await _run(service, asked, broker.port)
                _closing(screen, service, port)
    if failure:
        screen.print(f"[red]{failure}[/red]")
    return 1 if failure else 0


def _service(asked: Demonstration, broker_port: int, state: Path) -> Service:
    roster = ",".join(f"{UNIT}/bed-{number}" for number in range(1, asked.beds + 1))
    clock = "wall" if asked.speed == 1 else "telemetry"
    return Service(
        load(
            None,
            [
                f"mqtt.port={broker_port}",
                f"roster=[{roster}]",
                f"clock.source={clock}",
                f"event_time.hold_back_s={HOLD_BACK_S * asked.speed}",
                f"event_time.lateness_s={LATENESS_S * asked.speed}",
                f"state.dir={state}",
                "mqtt.client_id=streamproc-demo",
            ],
        )
    )


async def _run(service: Service, asked: Demonstration, broker_port: int) -> str | None:
    """Process until the time is up or somebody stops it; what went wrong, or None."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    running = asyncio.create_task(service.run())
    async with _simulators(asked, broker_port, running) as simulators:
        ended = asyncio.create_task(simulators.wait())
        done, _ = await asyncio.wait(
            [running, ended], timeout=asked.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        failure = None
        if ended in done:
            failure = f"the simulators ended by themselves, exit code {ended.result()}"
        ended.cancel()
        service.stop()
        await running
    return failure


@contextlib.asynccontextmanager
async def _simulators(
    asked: Demonstration, broker_port: int, running: asyncio.Task[None]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The simulators in a process of their own, ended with the context."""
    arguments = ["ward", "--broker", f"mqtt://127.0.0.1:{broker_port}", "--unit", UNIT]
    arguments += ["--beds", str(asked.beds), "--speed", f"{asked.speed:g}", "--seed", str(asked.seed)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C in the terminal is for us; we then end the simulators
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _opening(screen: Console, asked: Demonstration, broker_port: int, port: int) -> None:
    until = f"for {asked.seconds:g} s" if asked.seconds else "until Ctrl-C"
    screen.print("[bold]streamproc demo[/bold]: simulated patients, not a medical device")
    screen.print(f"{asked.beds} beds at {asked.speed:g} times real time, seed {asked.seed}, {until}")
    screen.print(f"broker  mqtt://127.0.0.1:{broker_port}")
    listen = f"mosquitto_sub -V mqttv5 -p {broker_port} -t 'alerts/v1/#' -v"
    screen.print(f"listen  {listen}")
    screen.print(f"metrics http://127.0.0.1:{port}/metrics\n")


def _line(change: Change) -> str:
    style = "dim" if change.phase is Phase.END else STYLES[change.priority]
    clock = rfc3339(change.time_ms)[11:19]
    told = f"{SIGNS[change.phase]} {change.priority.value:6} {change.rule.id:17}"
    return f"[{style}]{clock} {change.bed:12} {told} {change.wording.text}[/{style}]"


def _closing(screen: Console, service: Service, port: int) -> None:
    tally = service.tally
    taken = ", ".join(f"{number} {what.value}" for what, number in sorted(tally.taken.items()))
    screen.print(f"\n{tally.received.total()} messages: {taken}, {tally.rejected.total()} rejected")
    starts: Counter[tuple[str, str]] = Counter()
    for (rule, priority, phase), number in service.meters.alerts.items():
        if phase == Phase.START.value:
            starts[rule, priority] += number
    table = Table("rule", "priority at start", "alerts")
    for (rule, priority), number in sorted(starts.items()):
        table.add_row(rule, priority, str(number))
    screen.print(table)
    screen.print(f"alert events on the feed: {service.ward.feed_seq}, undelivered: {service.undelivered}")
    screen.print(f"metrics were at http://127.0.0.1:{port}/metrics")
