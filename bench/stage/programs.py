"""The programs that carry the ward: ours as it is deployed, and its rivals; each with the ward's past."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.rivals.node_red import INSTALLED, node_red
from bench.stage.history import write_history
from bench.stage.processes import HOST, ROOT, eventually, running
from bench.stage.service import processor
from bench.stage.telemetry import Ward
from streamproc.config import load

OURS = "streamproc"
HOLD_S = 5
"""The dose must hold so long to alarm, in every program; a minute would not fit into a short round."""
SESSION_S = 3600
BEGIN_MS = 500
"""So soon after all is ready the first message is sent."""

RESTARTED_S = 600
LIKE_NO_RESTART = (
    f"rules.TECH-MAP-LOST.medium_s={RESTARTED_S}",
    f"terms.map_lost_s={RESTARTED_S}",
    f"terms.pump_lost_s={RESTARTED_S}",
    f"rules.TECH-GAP.unwatched_s={RESTARTED_S}",
)
"""The past ends when it is begun to be written: nobody shall be told of that pause."""

Program = Callable[[Path, int, Ward], AbstractContextManager[int]]
"""Given a folder, a broker's port and a ward, whose past it knows: the process, ready for what comes."""


@contextmanager
def ours(folder: Path, port: int, ward: Ward, *settings: str) -> Iterator[int]:
    """The service with its journal, its snapshots, all rules and metrics, and its session at the broker."""
    asyncio.run(leave_session(port, load().mqtt.client_id))
    with watching(folder, port, ward, *settings) as (pid, _):
        yield pid


@contextmanager
def watching(folder: Path, port: int, ward: Ward, *settings: str) -> Iterator[tuple[int, str]]:
    """The service, as if it had watched the ward for a quarter of an hour: its process, its metrics."""
    judged_by = [f"rules.ESC-THRESHOLD.for_s={HOLD_S}", *LIKE_NO_RESTART, *settings]
    state = [f"state.dir={folder / 'state'}", f"roster=[{','.join(ward.names)}]"]
    asyncio.run(write_history(load(None, [*state, *judged_by]), ward, now_ms()))
    with processor(folder, port, ward.names, judged_by) as (pid, metrics):
        yield pid, metrics


async def leave_session(port: int, client_id: str) -> None:
    """What a processor leaves at the broker that was up a moment ago: it missed nothing."""
    stays = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    stays.SessionExpiryInterval = SESSION_S
    v5 = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client(
        HOST, port, identifier=client_id, protocol=v5, clean_start=False, properties=stays
    ) as client:
        await client.subscribe("bedside/v1/+/+/map", qos=1)


@contextmanager
def rival(module: str, folder: Path, port: int, ward: Ward) -> Iterator[int]:
    """A rival in Python."""
    log = folder / "rival.log"
    words = {"--port": port, "--beds": ward.beds, "--until-ms": now_ms(), "--hold-ms": 1000 * HOLD_S}
    command = [sys.executable, "-m", module, *(str(word) for pair in words.items() for word in pair)]
    with running(command, ROOT, log) as pid:
        eventually(lambda: "ready" in log.read_text() or None, log)
        yield pid


@contextmanager
def in_node_red(folder: Path, port: int, ward: Ward) -> Iterator[int]:
    """The rival in JavaScript."""
    with node_red(folder, port, ward, now_ms(), 1000 * HOLD_S) as pid:
        yield pid


PROGRAMS: dict[str, Program] = {
    OURS: ours,
    "aiomqtt + pydantic": partial(rival, "bench.rivals.aiomqtt_pydantic"),
    "aiomqtt + json, recomputed": partial(rival, "bench.rivals.aiomqtt_naive"),
}
if INSTALLED:
    PROGRAMS["Node-RED"] = in_node_red


def now_ms() -> int:
    """The wall's time."""
    return time.time_ns() // 1_000_000
