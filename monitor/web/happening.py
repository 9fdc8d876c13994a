"""What happens just now, for all who look, as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html

One direction is all that is needed, browsers connect again by themselves, and a proxy lets it through. What comes from
the daemon's socket goes on as it is, line by line; the store is asked twice a second for what is new. Both begin with
the first who looks and end with the last.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from monitor.errors import StoreError
from monitor.web.knowing import Knowing

logger = logging.getLogger(__name__)

LOOK_S = 0.5
AGAIN_S = 2.0
"""after which a daemon that is not there is looked for again"""
QUIET_S = 15.0
"""after which a line without meaning keeps a proxy from hanging up"""
MOST_LOOKERS = 8
WAITING = 100
"""events for one of them; who does not take them is sent away, and comes again"""
LONGEST_LINE = 1 << 20

REMEMBERED = {b"hello": "hello", b"health": "health", b"there": "daemon", b"gone": "daemon"}
"""what who comes later is told, by its kind: the last of each, and of the daemon either that it is there or gone"""

Event = bytes


class Live(Protocol):
    """Where lines come from while somebody looks."""

    def lines(self) -> AsyncIterator[bytes]:
        """JSON objects, for ever."""


class Socket:
    """The daemon's, on this device."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def lines(self) -> AsyncIterator[bytes]:
        """What the daemon tells, and whether it is there."""
        complaint = ""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=LONGEST_LINE)
            except OSError as error:
                if complaint != (complaint := error.strerror or str(error)):
                    yield _said("gone", reason=f"no daemon tells what it hears on {self._path}: {complaint}")
                await asyncio.sleep(AGAIN_S)
                continue
            complaint = ""
            yield _said("there")
            try:
                with suppress(ConnectionError, ValueError):  # ValueError: a line longer than the limit
                    while line := await reader.readline():
                        yield line.rstrip(b"\n")
            finally:
                writer.close()
            yield _said("gone", reason="the daemon has ended, or has let us go")
            await asyncio.sleep(LOOK_S)


class Happening:
    """Fans out to all who look. For one event loop."""

    def __init__(self, live: Live, knowing: Knowing) -> None:
        self._live, self._knowing = live, knowing
        self._lookers: set[asyncio.Queue[Event | None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._remembered: dict[str, Event] = {}

    @property
    def full(self) -> bool:
        """Whether no more may look."""
        return len(self._lookers) >= MOST_LOOKERS

    def close(self) -> None:
        """Send all away: the page is no longer served."""
        for looker in list(self._lookers):
            self._send_away(looker)

    async def events(self) -> AsyncIterator[bytes]:
        """For one who looks, until it goes or is sent away."""
        looker: asyncio.Queue[Event | None] = asyncio.Queue(WAITING)
        self._lookers.add(looker)
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._listen, self._watch)]
        try:
            yield b"retry: 2000\n\n"
            for event in self._remembered.values():
                yield event
            while (event_or_end := await self._next(looker)) is not None:
                yield event_or_end
        finally:
            self._lookers.discard(looker)
            if not self._lookers:
                for task in self._tasks:
                    task.cancel()
                self._tasks, self._remembered = [], {}

    @staticmethod
    async def _next(looker: asyncio.Queue[Event | None]) -> Event | None:
        try:
            return await asyncio.wait_for(looker.get(), QUIET_S)
        except TimeoutError:
            return b":\n\n"

    async def _listen(self) -> None:
        async for line in self._live.lines():
            self._tell(line)

    async def _watch(self) -> None:
        """Tell what is new in the store."""
        last: int | None = None
        complaint = ""
        while True:
            try:
                change = await asyncio.to_thread(self._knowing.since, last)
            except StoreError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    self._tell(_said("store", reason=complaint))
            else:
                if complaint:
                    complaint = ""
                    self._tell(_said("store", reason=""))
                last = change.last
                if change.detections or change.judged:
                    self._tell(msgspec.json.encode({"kind": "news", "news": change}))
            await asyncio.sleep(LOOK_S)

    def _tell(self, line: bytes) -> None:
        event = b"data: " + line + b"\n\n"
        for kind, place in REMEMBERED.items():
            if line.startswith(b'{"kind":"%s"' % kind):
                self._remembered[place] = event
        for looker in list(self._lookers):
            try:
                looker.put_nowait(event)
            except asyncio.QueueFull:
                self._send_away(looker)

    def _send_away(self, looker: asyncio.Queue[Event | None]) -> None:
        self._lookers.discard(looker)
        while not looker.empty():
            looker.get_nowait()
        looker.put_nowait(None)


def _said(kind: str, **more: object) -> bytes:
    return msgspec.json.encode({"kind": kind} | more)
