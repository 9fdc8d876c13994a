"""A socket in the file system on which whoever may open it hears what the daemon says just now, line by line.

Nobody is waited for: who reads too slowly is dropped. While nobody is connected its thread sleeps.
"""

import logging
import os
import selectors
import socket
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

logger = logging.getLogger(__name__)

MODE = 0o660
MOST_LISTENERS = 8
BUFFER_BYTES = 1 << 19
"""of one listener: a minute and more of picture and scores"""

Line = Mapping[str, object]


class Broadcast:
    """Listens on a path from a thread of its own, and tells all who are connected the same.

    Raises OSError where there can be no socket on the path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listeners: set[socket.socket] = set()
        self._greetings: list[Callable[[], Line | None]] = []
        self._lock = threading.Lock()
        self._door = _opened(path)
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="broadcast", daemon=True)
        self._thread.start()

    @property
    def heard(self) -> bool:
        """Whether anybody is connected: else nothing need be computed for them."""
        return bool(self._listeners)

    def greet(self, greeting: Callable[[], Line | None]) -> None:
        """Tell this to each who comes, first of all; None: there is nothing to tell yet."""
        self._greetings.append(greeting)

    def tell(self, line: Line) -> None:
        """Tell all, from any thread; never waits."""
        if not self._listeners:
            return
        encoded = _encoded(line)
        with self._lock:
            for listener in list(self._listeners):
                self._send(listener, encoded)

    def close(self) -> None:
        """Listen no more, and take the socket out of the file system."""
        self._rope.close()
        self._thread.join(5)

    def _run(self) -> None:
        with selectors.DefaultSelector() as watched:
            watched.register(self._bell, selectors.EVENT_READ)
            watched.register(self._door, selectors.EVENT_READ)
            while self._attend(watched):
                pass
        self._door.close()
        self._bell.close()
        with self._lock:
            for listener in self._listeners:
                listener.close()
            self._listeners.clear()
        with suppress(OSError):
            self.path.unlink()

    def _attend(self, watched: selectors.BaseSelector) -> bool:
        """Wait for somebody to come or go; False when it is to end."""
        for key, _ in watched.select():
            if key.fileobj is self._bell:
                return False
            if key.fileobj is self._door:
                self._admit(watched)
            elif isinstance(key.fileobj, socket.socket) and _gone(key.fileobj):
                watched.unregister(key.fileobj)
                with self._lock:
                    self._listeners.discard(key.fileobj)
                key.fileobj.close()
        return True

    def _admit(self, watched: selectors.BaseSelector) -> None:
        try:
            listener, _ = self._door.accept()
        except OSError as error:
            logger.warning("live socket: nobody can be let in: %s", error.strerror or error)
            return
        listener.settimeout(0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                listener.close()
                return
            self._listeners.add(listener)
            watched.register(listener, selectors.EVENT_READ)
            for greeting in self._greetings:
                if (line := greeting()) is not None:
                    self._send(listener, _encoded(line))

    def _send(self, listener: socket.socket, encoded: bytes) -> None:
        """All of a line, or the end of the connection: half a line would garble all that follows."""
        try:
            whole = listener.send(encoded) == len(encoded)
        except OSError:
            whole = False
        if not whole:
            self._listeners.discard(listener)
            with suppress(OSError):  # its own end is noticed by the thread, which closes it
                listener.shutdown(socket.SHUT_RDWR)


def _opened(path: Path) -> socket.socket:
    """A socket that listens on the path. What an earlier run left there goes; anything else there stays: OSError."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            msg = f"{path} is there and is no socket"
            raise FileExistsError(msg)
        path.unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(str(path))
        os.chmod(path, MODE)  # noqa: PTH101 - beside bind, which made it
        door.listen(4 * MOST_LISTENERS)
    except OSError:
        door.close()
        raise
    return door


def _gone(listener: socket.socket) -> bool:
    """Whether the other side has ended it. What it says is thrown away."""
    try:
        return not listener.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _encoded(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"
