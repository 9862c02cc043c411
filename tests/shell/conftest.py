"""Brokers for the shell's tests, each on a free port of 127.0.0.1 and gone with its test.

Real ones for what must hold in the world; a scripted one for what a real one can't be made to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

import mqtt5
import pytest
import pytest_asyncio

from streamproc.shell.broker import EmbeddedBroker, free_port

_START_S = 20.0
_ANSWER_S = 10.0
PacketT = TypeVar("PacketT", bound=mqtt5.Packet)


def require_program(name: str, package: str) -> str:
    """The program's path; without it the test is skipped with the line that mends it, and fails in CI."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is not None:
        return path
    reason = f"{name} is not installed: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Mosquitto:
    """A mosquitto process with a configuration file of its own; its port survives a restart."""

    def __init__(self, directory: Path, *lines: str, log_type: str = "error") -> None:
        self.port = free_port()
        self._program = require_program("mosquitto", "mosquitto")
        self._process: subprocess.Popen[str] | None = None
        self._running = threading.Event()
        self._reader: threading.Thread | None = None
        self.log: list[str] = []
        self._configuration = directory / f"mosquitto-{self.port}.conf"
        settings = [
            f"listener {self.port} 127.0.0.1",
            "max_queued_messages 0",
            "log_dest stderr",
            "log_timestamp false",
            f"log_type {log_type}",
            *("log_type information", "log_type notice", "log_type warning"),
            *(["user root"] if os.geteuid() == 0 else []),
            *([] if any(line.startswith("allow_anonymous") for line in lines) else ["allow_anonymous true"]),
            *lines,
        ]
        self._configuration.write_text("\n".join(settings) + "\n")

    def start(self) -> None:
        """Start it and wait until it says that it runs."""
        self._running.clear()
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._configuration)], stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        if not self._running.wait(_START_S) or self._process.poll() is not None:
            self.kill()
            raise RuntimeError("mosquitto did not start:\n" + "\n".join(self.log[-20:]))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip())
            if line.rstrip().endswith(" running"):
                self._running.set()
        self._running.set()

    def stop(self) -> None:
        """Stop it in good order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """Have it read its password and access files again (SIGHUP)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The process stands still (SIGSTOP): its sockets stay open and say nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(_START_S)
        if self._reader is not None:
            self._reader.join(_START_S)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None


class ScriptedLink:
    """The broker's side of one connection, played by the test; it hangs up on a DISCONNECT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._heard: asyncio.Queue[mqtt5.Packet] = asyncio.Queue(maxsize=1)  # unheard packets push back
        self.listening = asyncio.create_task(self._listen())

    async def hear(self, kind: type[PacketT]) -> PacketT:
        """The next packet of this kind; what comes before it is passed over."""
        async with asyncio.timeout(_ANSWER_S):
            while True:
                packet = await self._heard.get()
                if isinstance(packet, kind):
                    return packet

    async def _listen(self) -> None:
        unread = b""
        while more := await self._reader.read(65536):
            unread += more
            with contextlib.suppress(IndexError):  # the codec's way of saying: not all here
                while unread:
                    packet, used = mqtt5.read(memoryview(unread))
                    unread = unread[used:]
                    await self._heard.put(packet)
                    if isinstance(packet, mqtt5.DisconnectPacket):
                        self.close()

    def say(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))

    async def greet(self, *, session_present: bool = False, receive_maximum: int = 65535) -> None:
        """Take the client's CONNECT and SUBSCRIBE, and grant both."""
        await self.hear(mqtt5.ConnectPacket)
        self.say(mqtt5.ConnAckPacket(session_present=session_present, receive_max=receive_maximum).write())
        wanted = await self.hear(mqtt5.SubscribePacket)
        granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(wanted.topic_filters)
        self.say(mqtt5.SubAckPacket(wanted.packet_id, granted).write())

    async def said(self) -> None:
        """Wait until the client has taken what was said, or stops taking it for good."""
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class ScriptedBroker:
    """A listener whose every answer the test gives, for faults that no real broker shows on demand."""

    async def __aenter__(self) -> Self:
        self._links: asyncio.Queue[ScriptedLink] = asyncio.Queue()
        self._opened: list[ScriptedLink] = []
        self._server = await asyncio.start_server(self._on_link, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._server.close()
        for link in self._opened:
            link.listening.cancel()
            link.close()

    def _on_link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = ScriptedLink(reader, writer)
        self._opened.append(link)
        self._links.put_nowait(link)

    async def accept(self) -> ScriptedLink:
        """The next connection that a client opens."""
        async with asyncio.timeout(_ANSWER_S):
            return await self._links.get()


@pytest_asyncio.fixture
async def scripted_broker() -> AsyncIterator[ScriptedBroker]:
    """A broker that the test plays."""
    async with ScriptedBroker() as broker:
        yield broker


@pytest.fixture
def start_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start a mosquitto with further configuration lines: `start_mosquitto("max_packet_size 2000")`."""
    started: list[Mosquitto] = []

    def start(*lines: str, log_type: str = "error") -> Mosquitto:
        broker = Mosquitto(tmp_path, *lines, log_type=log_type)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running mosquitto that keeps nothing on disk; the reference broker."""
    return start_mosquitto()


@pytest_asyncio.fixture
async def embedded_broker() -> AsyncIterator[EmbeddedBroker]:
    """A running embedded broker."""
    async with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "embedded_broker"])
def broker_port(request: pytest.FixtureRequest) -> int:
    """The port of each kind of broker in turn, for laws that hold on both."""
    port = request.getfixturevalue(request.param).port
    assert isinstance(port, int)
    return port
