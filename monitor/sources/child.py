"""A process whose standard output is read, with patience, and which is ended whatever it does."""

import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Sequence

from monitor.errors import MicrophoneError

READ_BYTES = 1 << 16
SLICE_S = 0.1
"""how long a wait may keep us from noticing that all shall stop"""
KILLED_S = 1.0
"""a process that is not gone so long after SIGKILL hangs in the kernel, and is left to it"""
SAID_BYTES = 2000


class Child:
    """A running program. Raises MicrophoneError where it cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=0,  # Ctrl-C is for us
            )
        except OSError as error:
            msg = f"{command[0]} cannot be started: {error.strerror}"
            raise MicrophoneError(msg) from error
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: PT018, S101
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self._ready = selectors.DefaultSelector()
        for pipe in (self._stdout, self._stderr):
            self._ready.register(pipe, selectors.EVENT_READ)
        self._held, self._errors = b"", b""

    @property
    def last_words(self) -> str:
        """The last line of its standard error, read so far."""
        lines = self._errors.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def tell(self, line: str) -> None:
        """Write a line to its standard input; whether it still reads, its output will show."""
        with contextlib.suppress(OSError):
            self._stdin.write(line.encode() + b"\n")

    def line(self, patience_s: float, stop: threading.Event) -> bytes | None:
        """The next line of its output; None where none comes in time, or before `stop` is set. EOFError at its end."""
        deadline = time.monotonic() + patience_s
        while b"\n" not in self._held:
            if time.monotonic() > deadline or stop.is_set():
                return None
            self._held += self._fetch(SLICE_S)
        line, _, self._held = self._held.partition(b"\n")
        return line

    def read(self, patience_s: float) -> bytes:
        """What came since the last time, or comes within `patience_s`. EOFError at the end of its output."""
        if self._held:
            read, self._held = self._held, b""
            return read
        return self._fetch(patience_s)

    def end(self) -> None:
        """Kill it: a process that hangs in a sound server listens to nothing else."""
        self._process.kill()
        self._ready.close()
        for pipe in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILLED_S)

    def _fetch(self, patience_s: float) -> bytes:
        for key, _ in self._ready.select(patience_s):
            read = os.read(key.fd, READ_BYTES)
            if key.fileobj is self._stdout:
                if not read:
                    self._ready.unregister(self._stdout)
                    self._listen_to_the_end()
                    raise EOFError
                return read
            self._note(read)
        return b""

    def _note(self, read: bytes) -> None:
        if not read:
            self._ready.unregister(self._stderr)
        self._errors = (self._errors + read)[-SAID_BYTES:]

    def _listen_to_the_end(self) -> None:
        while self._ready.get_map() and self._ready.select(SLICE_S):
            self._note(os.read(self._stderr.fileno(), READ_BYTES))
