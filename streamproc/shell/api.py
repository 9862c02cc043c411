"""What stations ask over HTTP: open alerts, the feed after a number, beds; and their acknowledgements.

It only reads what the processing path has decided. An acknowledgement goes the way of every message,
through the journal in the next round, and is answered after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from streamproc.core.ward import Ward
from streamproc.shell.feed import FeedDamaged
from streamproc.shell.handed_in import NotTaken
from streamproc.shell.journal import JournalCorrupt, JournalFailed
from streamproc.wire import Reason, Rejected, encode, strict_json
from streamproc.wire.announce import bed_state
from streamproc.wire.rejected import Refused

EVENTS_AT_ONCE = 1000
FOLLOW_S = 0.25
"""How soon a follower hears of a new event; nothing is kept for one who is slower than that."""
KEPT_ALIVE_ROUNDS = 60
NUMBER_DIGITS = 16
ACK_BYTES = 16_384
"""As much as the contract allows for any message."""
NOT_COUNTED = {Reason.UNKNOWN_ALERT: 404, Reason.ACK_OUTDATED: 409}
"""Well said, but no word on an alert that is open; all else is 400."""
UNREADABLE = (FeedDamaged, JournalCorrupt, JournalFailed)
"""What is on disk is not what was written there, or can't be read."""
JSON = "application/json"
Answer = Callable[[Request], Awaitable[Response]]


class Feed(Protocol):
    """What is asked of the service."""

    @property
    def running(self) -> bool: ...
    @property
    def ward(self) -> Ward: ...
    def open_alerts(self) -> Iterable[bytes]: ...
    @property
    def standing_still(self) -> str | None: ...
    async def forgotten_events(self) -> int: ...
    async def events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]: ...
    def hand_in(self, payload: bytes) -> Awaitable[Rejected | None]: ...


class Wrong(Exception):
    """The question can't be answered; the message says what would be right."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def routes(feed: Feed) -> list[Route]:
    """The paths of the contract below `/api/v1`."""

    def answered(answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            if not feed.running:
                return JSONResponse({"wrong": "not recovered yet"}, 503)
            if (why := feed.standing_still) is not None:
                return JSONResponse({"wrong": f"what could be shown is out of date: {why}"}, 503)
            try:
                return await answer(request)
            except Wrong as wrong:
                return JSONResponse({"wrong": str(wrong)}, wrong.status)
            except UNREADABLE as failure:
                return JSONResponse({"wrong": str(failure)}, 503)

        return guarded

    return [
        Route(path, answered(answer), methods=["POST"] if path.endswith("/ack") else ["GET"])
        for path, answer in (_alerts(feed) | _beds(feed)).items()
    ]


def _alerts(feed: Feed) -> dict[str, Answer]:
    async def alerts(request: Request) -> Response:
        if request.query_params.get("state") == "active":
            return _listed(feed.open_alerts())
        if "state" in request.query_params:
            raise Wrong("state: right would be state=active, or after=<feed_seq>")
        after = await _kept_after(feed, request.query_params.get("after"), "after")
        found = await feed.events(after, EVENTS_AT_ONCE)
        body = b'{"events":[%s],"next":%d,"newest":%d}'
        events, last = b",".join(event for _, event in found), found[-1][0] if found else after
        return Response(body % (events, last, feed.ward.feed_seq), media_type=JSON)

    async def stream(request: Request) -> Response:
        began = request.query_params.get("after", str(feed.ward.feed_seq))
        last = request.headers.get(
            "last-event-id", began
        )  # a browser comes back to the address it began with
        after = await _kept_after(feed, last or began, "Last-Event-ID, or after")
        return StreamingResponse(
            _followed(feed, after), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def acknowledge(request: Request) -> Response:
        alert_id = request.path_params["alert_id"]
        if alert_id not in feed.ward.open_alerts():
            raise Wrong(f"no open alert is named {alert_id}", 404)
        payload = _with_id(await _bounded(request), alert_id)
        try:
            rejected = await feed.hand_in(payload)
        except NotTaken as why:
            raise Wrong(f"nothing is taken over: {why}", 503) from None
        if rejected is not None:
            raise Wrong(rejected.detail, NOT_COUNTED.get(rejected.reason, 400))
        return JSONResponse({"accepted": True}, 202)

    return {
        "/api/v1/alerts": alerts,
        "/api/v1/alerts/stream": stream,
        "/api/v1/alerts/{alert_id:path}/ack": acknowledge,
    }


def _beds(feed: Feed) -> dict[str, Answer]:
    async def beds(request: Request) -> Response:
        return _listed(encode(bed_state(feed.ward.brought_up(name))) for name in sorted(feed.ward.beds))

    async def bed(request: Request) -> Response:
        name = f"{request.path_params['unit']}/{request.path_params['bed']}"
        if name not in feed.ward.beds:
            return JSONResponse({"wrong": f"bed {name} was not heard of"}, 404)
        return Response(encode(bed_state(feed.ward.brought_up(name))), media_type=JSON)

    return {"/api/v1/beds": beds, "/api/v1/beds/{unit}/{bed}": bed}


def _listed(payloads: Iterable[bytes]) -> Response:
    return Response(b"[%s]" % b",".join(payloads), media_type=JSON)


def _number(text: str | None, name: str, newest: int) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > NUMBER_DIGITS:
        raise Wrong(f"{name}: right would be a number of the feed, 0 for all that is kept")
    if int(text) > newest:  # of another feed: whoever waits for its next number would be deaf to this one
        wrong = f"{name}: this feed has come to {newest} only; right would be 0, and to begin anew"
        raise Wrong(wrong, 409)
    return int(text)


async def _kept_after(feed: Feed, text: str | None, name: str) -> int:
    """A number after which the feed is kept without a gap; 0 asks for whatever is kept."""
    after, forgotten = _number(text, name, feed.ward.feed_seq), await feed.forgotten_events()
    if 0 < after < forgotten:
        wrong = f"{name}: the feed is kept from {forgotten + 1} on"
        raise Wrong(f"{wrong}; right would be 0, and to take what came in between for missed", 410)
    return after


async def _bounded(request: Request) -> bytes:
    """The body, as long as it is no longer than an acknowledgement can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > ACK_BYTES:
            raise Wrong(f"right would be at most {ACK_BYTES} bytes", 413)
    return body


def _with_id(body: bytes, alert_id: str) -> bytes:
    """The body as a station would publish it; it need not say again what the address says."""
    try:
        told = strict_json.load(body)
    except Refused as refused:
        raise Wrong(refused.detail) from None
    if not isinstance(told, dict):
        raise Wrong('right would be {"by": "who", "time": "2026-11-23T08:15:02Z"}')
    if told.get("alert_id", alert_id) != alert_id:
        raise Wrong(f"alert_id: is another than in the address; right would be {alert_id}, or none")
    try:
        return strict_json.compact({**told, "alert_id": alert_id})
    except ValueError as error:  # a number that is not finite, or a lone surrogate
        raise Wrong(f"payload: {error}; right would be by and time as text") from None


async def _followed(feed: Feed, after: int) -> AsyncIterator[bytes]:
    """Every event after a number, then each as it comes; a sign of life in between.

    It ends, saying why, where nothing new can come: silence would look like a quiet ward."""
    quiet = 0
    while feed.running:
        why = feed.standing_still
        found: Sequence[tuple[int, bytes]] = ()
        if why is None and feed.ward.feed_seq > after:
            try:
                found = await feed.events(after, EVENTS_AT_ONCE)
            except UNREADABLE as failure:
                why = str(failure)
        if why is not None:
            yield b"event: standing-still\ndata: %s\n\n" % strict_json.compact({"wrong": why})
            return
        for after, event in found:
            yield b"id: %d\ndata: %s\n\n" % (after, event)
        quiet = 0 if found else quiet + 1
        if quiet % KEPT_ALIVE_ROUNDS == 1:
            yield b": listening\n\n"
        if len(found) < EVENTS_AT_ONCE:
            await asyncio.sleep(FOLLOW_S)
