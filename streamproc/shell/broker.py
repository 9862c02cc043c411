"""An MQTT 5 broker in a child process, for the demo and for tests that need no system package.

It listens on 127.0.0.1 only, keeps nothing on disk, knows no access control, and must never serve
a ward. The child ends by itself when its parent is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Self

import structlog

HOST = "127.0.0.1"
_TRIES = 5
"""A free port may be taken by another process between our asking and the broker's binding."""
_START_S = 15.0
_STOP_S = 5.0
_POLL_S = 0.02

_CONFIGURATION = """\
id = 0
[router]
id = 0
max_connections = {connections_max}
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_max_bytes}
max_inflight_count = {in_flight_max}
dynamic_filters = true
"""

_log = structlog.stdlib.get_logger()


class BrokerFailed(Exception):
    """The broker did not start; the message carries what it said."""


class EmbeddedBroker:
    """`async with EmbeddedBroker() as broker:` and `broker.port` takes MQTT 5 connections."""

    def __init__(
        self,
        port: int = 0,
        *,
        connections_max: int = 1_000,
        payload_max_bytes: int = 1 << 20,
        in_flight_max: int = 100,
    ) -> None:
        self.port = port
        self._wanted_port = port
        self._limits = {
            "connections_max": connections_max,
            "payload_max_bytes": payload_max_bytes,
            "in_flight_max": in_flight_max,
        }
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="embedded-broker-")
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        self._watch = asyncio.create_task(self._tell_if_it_dies())
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def close(self) -> None:
        """Stop the process and release the port; safe to call twice."""
        if self._watch is not None:
            self._watch.cancel()
        if self._process is not None:
            await self._end(self._process)
        if self._directory is not None:
            self._directory.cleanup()

    async def _start(self) -> None:
        for _ in range(1 if self._wanted_port else _TRIES):
            self.port = self._wanted_port or free_port()
            if await self._try_port():
                return
        raise BrokerFailed(f"the embedded broker did not start on {HOST}:{self.port}: {self._said()}")

    async def _try_port(self) -> bool:
        """Start the child and wait until it, and not somebody else, listens on the port."""
        if _listening(self.port):
            return False
        configuration = self._path("broker.toml")
        configuration.write_text(_CONFIGURATION.format(host=HOST, port=self.port, **self._limits))
        with self._path("output").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streamproc.shell.broker", str(configuration)),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C in the terminal is for us; we then stop the broker last
            )
        return await self._came_up(self._process)

    async def _came_up(self, process: asyncio.subprocess.Process) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while process.returncode is None:
                    if _listening(self.port):
                        return True
                    await asyncio.sleep(_POLL_S)  # the broker tells nobody that it listens
        await self._end(process)
        return False

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await process.wait()

    async def _tell_if_it_dies(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        _log.error("embedded_broker_died", code=code, said=self._said())

    def _path(self, name: str) -> Path:
        assert self._directory is not None
        return Path(self._directory.name) / name

    def _said(self) -> str:
        output = self._path("output")
        return output.read_text(errors="replace")[-2000:] if output.exists() else "the port is in use"


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _end_with_parent() -> None:
    """The parent holds our standard input open; its end, however it came, is ours."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(configuration: str) -> None:
    import iotcore  # here, because only the child needs it

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        iotcore.Broker(config_path=configuration).run_forever()
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    _serve(sys.argv[1])
