"""Metrics and health over HTTP: what the processor says of itself, never a patient's name.

`/healthz` says whether the processing path still comes round, `/readyz` whether it is connected,
caught up and able to commit. The server shares the loop, so a hung loop answers nothing: a silent
endpoint is a sign, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streamproc.shell import api
from streamproc.shell.exposition import exposition
from streamproc.shell.metrics import Watched, gathered
from streamproc.shell.service import HUNG_AFTER_S

INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>streamproc</title>
<h1>streamproc</h1><p>Bedside event-stream processor. Research, simulation and secondary notification only:
not a medical device.</p><ul><li><a href="/metrics">metrics</a><li><a href="/healthz">alive</a>
<li><a href="/readyz">ready</a></ul></html>"""


class CannotListen(Exception):
    """The address of the HTTP server is not to be had; the message says which and why."""


class Served(Watched, api.Feed, Protocol):
    """What is served: figures, health, alerts and beds."""

    @property
    def step_age_s(self) -> float: ...


def application(watched: Served) -> Starlette:
    """The routes over a service."""

    async def index(request: Request) -> Response:
        return HTMLResponse(INDEX)

    async def metrics(request: Request) -> Response:
        families = await gathered(watched)
        accept = request.headers.get("accept", "")
        text, content_type = await asyncio.to_thread(exposition, families, accept)
        return Response(text, headers={"content-type": content_type})

    async def healthz(request: Request) -> Response:
        age_s = watched.step_age_s
        alive = age_s < HUNG_AFTER_S
        return JSONResponse({"alive": alive, "last_step_age_s": round(age_s, 3)}, 200 if alive else 503)

    async def readyz(request: Request) -> Response:
        told = {
            "ready": watched.ready,
            "connected": watched.connected,
            "position": watched.position,
            "undelivered": watched.undelivered,
            "problems": watched.problems,
        }
        return JSONResponse(told, 200 if watched.ready else 503)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *api.routes(watched),
        ]
    )


class _Server(uvicorn.Server):
    """Leaves the signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(watched: Served, host: str, port: int) -> AsyncIterator[int]:
    """Serve for as long as the context lasts; gives the port, which is a free one if 0 was asked."""
    listener = _listener(host, port)
    config = uvicorn.Config(
        application(watched), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from now on nobody is refused: who comes early waits until the loop turns
    except OSError as error:
        listener.close()
        wrong = f"http.host {host}, http.port {port}: {error.strerror}"
        raise CannotListen(f"{wrong}; right would be a free port, or 0 for any") from None
    return listener
