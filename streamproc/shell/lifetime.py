"""The service from its start to the signal that ends it, and what it cannot live with."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

import structlog

from streamproc import __version__
from streamproc.config import Settings
from streamproc.shell.clock import ClockWrong
from streamproc.shell.http import CannotListen, serving
from streamproc.shell.intake import ForeignMessage
from streamproc.shell.journal import JournalCorrupt, JournalFailed, JournalInUse, JournalTooNew
from streamproc.shell.mqtt import BrokerRefused, SessionTakenOver
from streamproc.shell.service import Service
from streamproc.shell.snapshot import SnapshotForeign

STOPPED_FOR_GOOD = (
    ClockWrong,
    SessionTakenOver,
    BrokerRefused,
    JournalInUse,
    JournalTooNew,
    JournalCorrupt,
    JournalFailed,
    SnapshotForeign,
    ForeignMessage,
    CannotListen,
)
"""What the service cannot live with; each names itself and its remedy."""

_log = structlog.stdlib.get_logger()


async def serve(settings: Settings, read_anew: Callable[[], Settings], stays: Sequence[str]) -> None:
    """From the broker to the feed, until SIGTERM or SIGINT; SIGHUP reads the configuration anew.

    `stays` are the keys that a file could not change, for the command line has set them."""
    service = Service(settings)
    loop = asyncio.get_running_loop()
    reloads = set[asyncio.Task[None]]()

    def reload() -> None:
        if stays:  # whoever has changed it in a file would wait in vain
            _log.warning("set_on_the_command_line_stays", keys=stays)
        task = loop.create_task(service.reload(read_anew))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    async with serving(service, settings.http.host, settings.http.port) as port:
        _log.info("service_started", version=__version__, http=f"http://{settings.http.host}:{port}")
        await service.run()
