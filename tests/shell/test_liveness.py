"""Whether the processing path still comes round is measured by a clock that nobody sets."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from streamproc.config import load
from streamproc.shell.http import serving
from streamproc.shell.machine import Machine
from streamproc.shell.service import Service


class Clocks:
    """Both clocks of a machine, set by hand."""

    wall_s, steady_s = 1_795_417_200.0, 100.0


def asked(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("wall_s", "steady_s", "status"),
    [(3600.0, 1.0, 200), (-3600.0, 1.0, 200), (0.0, 16.0, 503), (-3600.0, 16.0, 503)],
    ids=["set ahead", "set back", "hung", "hung and set back"],
)
async def test_a_clock_that_is_set_is_no_hang_and_hides_none(
    tmp_path: Path, wall_s: float, steady_s: float, status: int
) -> None:
    """And where it hangs, beds and alerts are not shown as if they were of now."""
    clocks = Clocks()
    machine = Machine(wall_s=lambda: clocks.wall_s, steady_s=lambda: clocks.steady_s)
    service = Service(load(None, [f"state.dir={tmp_path}"]), machine)
    service.running = True
    async with serving(service, "127.0.0.1", 0) as port:
        clocks.wall_s, clocks.steady_s = clocks.wall_s + wall_s, clocks.steady_s + steady_s
        alive = await asyncio.to_thread(asked, port, "/healthz")
        assert alive == (status, {"alive": status == 200, "last_step_age_s": steady_s})
        shown, told = await asyncio.to_thread(asked, port, "/api/v1/beds")
        assert shown == status
        assert status == 200 or "no round for 16 s" in told["wrong"]
