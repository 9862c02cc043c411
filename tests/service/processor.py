"""The service as its own process: started, read (log, metrics, health), stopped or killed.

Its log goes to a pipe that is always being read, so that no test waits for what has already been said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
STREAMPROC = (sys.executable, "-m", "streamproc")
SOON_S = 20.0
"""Longer than anything here takes on a loaded machine; what fails, fails after it."""
POLL_S = 0.02
"""How often we look at what announces itself to nobody, such as a counter."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """One scrape: every sample by its name and labels."""

    text: str
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def read(cls, text: str) -> Self:
        """What Prometheus would make of the text; raises ValueError where it would make nothing of it."""
        return cls(
            text,
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            },
        )

    def value(self, name: str, **labels: str) -> float:
        """One series; absent is 0."""
        return self.samples.get((f"streamproc_{name}", frozenset(labels.items())), 0.0)

    def by(self, name: str, label: str) -> dict[str, float]:
        """The series of a name that are not 0, by one of their labels."""
        return {
            dict(labels)[label]: value
            for (series, labels), value in self.samples.items()
            if series == f"streamproc_{name}" and value
        }

    @property
    def received(self) -> int:
        """Messages of all kinds."""
        return round(sum(self.by("messages_received_total", "kind").values()))

    @property
    def accounted(self) -> int:
        """accepted + rejected + duplicate + late."""
        one_by_one = ("messages_accepted_total", "messages_duplicate_total", "messages_late_total")
        rejected = sum(self.by("messages_rejected_total", "reason").values())
        return round(rejected + sum(self.value(name) for name in one_by_one))


@dataclass(slots=True)
class Processor:
    """`streamproc run` on a broker's port and a state folder; any further `key=value` overrides a setting.

    Another command that listens to a broker (`record FILE`) may run in its place.
    """

    broker_port: int
    state: Path
    overrides: tuple[str, ...] = ()
    command: tuple[str, ...] = ("run",)
    log: list[dict[str, Any]] = field(default_factory=list)
    _process: Process | None = None
    _reader: asyncio.Task[None] | None = None
    _silent: bool = False
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> Self:
        """Start it; returns once it says where its metrics are."""
        await self.launch()
        await self.said("service_started")
        return self

    async def launch(self) -> Self:
        """Start it without waiting for anything."""
        settings = [
            *("mqtt.host=127.0.0.1", f"mqtt.port={self.broker_port}", f"state.dir={self.state}"),
            *("http.port=0", "log.format=json", "mqtt.reconnect_max_s=0.5", *self.overrides),
        ]
        arguments = [part for setting in settings for part in ("--set", setting)]
        self.log.clear()
        self._silent = False
        self._process = await asyncio.create_subprocess_exec(
            *(*STREAMPROC, *self.command, *arguments), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, cwd=ROOT
        )
        self._reader = asyncio.create_task(self._read(self._process))
        return self

    async def _read(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": line.decode(errors="replace").rstrip(), "level": "unreadable"}
            async with self._news:
                self.log.append(entry)
                self._news.notify_all()
        async with self._news:
            self._silent = True
            self._news.notify_all()

    async def said(self, event: str, within_s: float = SOON_S) -> dict[str, Any]:
        """The first log line of this event since the start, as soon as there is one."""

        def found() -> dict[str, Any] | None:
            return next((entry for entry in self.log if entry["event"] == event), None)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: found() is not None or self._silent)
        entry = found()
        assert entry is not None, f"not said within {within_s} s, or before its end: {event}\n{self.told}"
        return entry

    @property
    def told(self) -> str:
        """The end of the log, for a failure."""
        return "\n".join(json.dumps(entry) for entry in self.log[-30:])

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Started, and not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def address(self) -> str:
        """Where its metrics are."""
        return str(next(entry["http"] for entry in self.log if entry["event"] == "service_started"))

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of an HTTP answer."""
        return await asyncio.to_thread(_get, self.address + path)

    async def metrics(self) -> Metrics:
        """A scrape; anything but a readable one fails the test."""
        status, text = await self.get("/metrics")
        assert status == 200, text
        return Metrics.read(text)

    async def until(self, holds: Callable[[Metrics], bool], claim: str, within_s: float = SOON_S) -> Metrics:
        """The first scrape of which this holds."""
        deadline_s = asyncio.get_running_loop().time() + within_s
        while not holds(scrape := await self.metrics()):
            if asyncio.get_running_loop().time() > deadline_s:
                raise AssertionError(f"not within {within_s} s: {claim}\n{scrape.text}\n{self.told}")
            await asyncio.sleep(POLL_S)
        return scrape

    async def ready(self) -> Self:
        """Wait until it has the broker's word on every subscription."""
        await self.until(lambda metrics: metrics.value("ready") == 1, "ready")
        return self

    async def took_over(self, messages: int) -> Metrics:
        """The scrape at which so many messages have been received."""
        return await self.until(lambda metrics: metrics.received >= messages, f"{messages} messages received")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still (SIGSTOP): its connections stay open, and nothing is taken from them."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        """SIGKILL: as in a crash, nothing is said or saved."""
        return await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self.ended()

    async def ended(self, within_s: float = SOON_S) -> int:
        """Its exit code, once it has ended and all that it said has been read."""
        assert self._process is not None
        assert self._reader is not None
        try:
            async with asyncio.timeout(within_s):
                code = await self._process.wait()
                await self._reader
        except TimeoutError:
            raise AssertionError(f"still running after {within_s} s\n{self.told}") from None
        return code


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=SOON_S) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
