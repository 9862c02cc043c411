"""Programs of the system and brokers for every test, each broker on a free port and gone with its test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamproc.shell.broker import EmbeddedBroker, free_port

_START_S = 20.0


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that lets a person leave the loads out; nothing leaves them out by itself."""
    config.addinivalue_line("markers", "load: puts a ward's load on the machine for a minute")


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
