"""Analysis in processes that share nothing: each opens the models once and is handed one recording after the other.

A worker that dies takes one recording with it, which is tried once more; if that kills another worker, the recording
is reported and the others go on. Workers end by themselves when this process does, however it ends.
"""

import contextlib
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection

from monitor.batch.found import Failure, Recording
from monitor.batch.outcome import Outcome
from monitor.batch.terms import Terms
from monitor.errors import MonitorError

TRIES = 2
DEATHS_IN_A_ROW = 10
"""after which it is not the recordings"""


@dataclass(frozen=True, slots=True)
class Workers:
    """So many processes with the same terms."""

    terms: Terms
    count: int
    begun: Callable[[], None]
    """called first in each of them; can be pickled"""

    def outcomes(self, recordings: Iterable[Recording]) -> Generator[tuple[Recording, Outcome]]:
        """Each recording with what it came to, as they are done. MonitorError where no worker can begin."""
        shift = _Shift(self, deque(recordings))
        try:
            yield from shift.outcomes()
        finally:
            shift.end()


class _Shift:
    """The workers while there is work. Each has one recording at most, so that none waits behind a long one."""

    def __init__(self, crew: Workers, waiting: deque[Recording]) -> None:
        self._crew, self._waiting = crew, waiting
        self._deaths: Counter[Recording] = Counter()
        self._in_a_row = 0
        self._workers = [_Worker(crew) for _ in range(min(crew.count, len(waiting)))]

    def outcomes(self) -> Iterator[tuple[Recording, Outcome]]:
        for worker in self._workers:
            self._feed(worker)
        while busy := [worker for worker in self._workers if worker.recording is not None]:
            answering = connection.wait([worker.pipe for worker in busy])
            for worker in [one for one in busy if one.pipe in answering]:
                recording, told = worker.answer()
                if isinstance(told, MonitorError):
                    raise told
                if told is None:
                    told = self._buried(worker, recording)
                else:
                    self._in_a_row = 0
                    self._feed(worker)  # before its outcome is written down: it shall not wait
                if told is not None:
                    yield recording, told

    def end(self) -> None:
        for worker in self._workers:
            worker.end()

    def _feed(self, worker: "_Worker") -> None:
        if self._waiting:
            worker.give(self._waiting.popleft())

    def _buried(self, worker: "_Worker", recording: Recording) -> Outcome | None:
        """Put another in the place of a dead worker; what is said of a recording that has killed too many."""
        died = worker.end()
        self._workers.remove(worker)
        self._deaths[recording] += 1
        self._in_a_row += 1
        if self._in_a_row >= DEATHS_IN_A_ROW:
            msg = f"{self._in_a_row} worker processes in a row ended without an answer, the last with {died}"
            raise MonitorError(msg)
        given_up = self._deaths[recording] >= TRIES
        if not given_up:
            self._waiting.appendleft(recording)
        if self._waiting:
            self._workers.append(_Worker(self._crew))
            self._feed(self._workers[-1])
        told = Failure(str(recording.paths[0]), f"its analysis ended {TRIES} worker processes, the last with {died}")
        return Outcome(failures=(told,)) if given_up else None


class _Worker:
    """A process and what it works on."""

    def __init__(self, crew: Workers) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.recording: Recording | None = None
        self._process = context.Process(target=_work, args=(theirs, crew.terms, crew.begun), daemon=True)
        with _uninterrupted():
            self._process.start()
        theirs.close()

    def give(self, recording: Recording) -> None:
        """Hand it a recording."""
        self.recording = recording
        with contextlib.suppress(OSError):  # it is dead: its answer will say so
            self.pipe.send(recording.paths)

    def answer(self) -> tuple[Recording, Outcome | MonitorError | None]:
        """What it says of its recording; None where it died of it."""
        if (recording := self.recording) is None:
            msg = "asked for an answer without having been given a recording"
            raise RuntimeError(msg)
        self.recording = None
        try:
            return recording, self.pipe.recv()
        except (EOFError, OSError):
            return recording, None

    def end(self) -> str:
        """End it, if it has not; how it ended."""
        self._process.terminate()
        self._process.join()
        self.pipe.close()
        code = self._process.exitcode or 0
        return f"exit code {code}" if code >= 0 else signal.strsignal(-code) or f"signal {-code}"


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """SIGINT has to wait: a process that is half begun tells of it in its own words.

    One that begins here never gets any. The terminal sends it to all, and this process decides.
    """
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: asked.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    for number in asked[:1]:
        signal.raise_signal(number)


def _work(pipe: Connection, terms: Terms, begun: Callable[[], None]) -> None:
    """What a worker does until it is ended."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begun()
    try:
        analysis = terms.open()
    except MonitorError as error:
        pipe.send(error)
        return
    while True:
        try:
            paths = pipe.recv()
        except EOFError:
            return
        pipe.send(analysis.outcome(paths))


def _end_with_parent() -> None:
    """A worker whose parent was killed would analyse for nobody, beside those of the next call."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
