"""Processors and stations for the tests of the service as a whole, against a real broker process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from .processor import Processor

StartProcessor = Callable[..., Processor]


@pytest_asyncio.fixture
async def new_processor(tmp_path: Path) -> AsyncIterator[StartProcessor]:
    """A processor that is not started yet: `new_processor(broker_port, "alerts.heartbeat_s=1")`."""
    made: list[Processor] = []

    def make(broker_port: int, *overrides: str, state: Path | None = None, **more: Any) -> Processor:
        processor = Processor(broker_port, state or tmp_path / "state", overrides, **more)
        made.append(processor)
        return processor

    yield make
    for processor in made:
        if processor.running:
            await processor.kill()
