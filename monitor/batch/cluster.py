"""Analysis on a cluster, by Dask distributed, which the extra `cluster` brings.

Workers need the same program and see recordings and models under the same paths as this machine; URLs they ask
themselves. Each opens the models once. Dask gives what a lost worker had to another one; a recording that loses it too
many is reported.
"""

import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.batch.found import Failure, Recording
from monitor.batch.outcome import Outcome
from monitor.batch.terms import Terms
from monitor.errors import ConfigError, MonitorError
from monitor.sources.remote import Named

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

LOCAL = "local"
AHEAD = 3
"""recordings handed out for each worker: more would only fill the scheduler's memory"""
CONNECT_S = 10
_OPENED = "dawnchorus"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler and what its workers are asked."""

    terms: Terms
    scheduler: str
    """address such as tcp://host:8786, or `LOCAL`: processes of this machine"""
    count: int
    """of the processes of this machine"""

    def outcomes(self, recordings: Iterable[Recording]) -> Generator[tuple[Recording, Outcome]]:
        """Each recording with what it came to, as they are done.

        ConfigError where Dask is not installed, MonitorError where the scheduler does not answer or its workers cannot
        begin.
        """
        waiting = deque(recordings)
        if not waiting:
            return
        with ExitStack() as stack:
            client = self._client(stack)
            yield from _outcomes(client, waiting)

    def _client(self, stack: ExitStack) -> "Client":
        try:
            from distributed import Client, LocalCluster  # noqa: PLC0415
        except ImportError as error:
            msg = "--scheduler needs Dask, which is not installed: pip install 'dawnchorus[cluster]'"
            raise ConfigError(msg) from error
        address: Any = self.scheduler
        if self.scheduler == LOCAL:
            quiet = {"silence_logs": logging.ERROR, "scheduler_kwargs": {"dashboard": False}}
            cluster = LocalCluster(n_workers=self.count, threads_per_worker=1, dashboard_address=None, **quiet)
            address = stack.enter_context(cluster)
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_S))
            client.register_plugin(_plugin(self.terms))
        except (OSError, ValueError) as error:
            msg = f"scheduler {self.scheduler}: {error or 'no answer'}"
            raise MonitorError(msg) from error
        return client


def _plugin(terms: Terms) -> Any:  # noqa: ANN401 - its class has a base that may not be installed
    from distributed import WorkerPlugin  # noqa: PLC0415

    class Opened(WorkerPlugin):
        """Opens the models in each worker, also in one that joins later or comes back."""

        name = _OPENED

        def setup(self, worker: "Worker") -> None:
            setattr(worker, _OPENED, terms.open())

    return Opened()


def _outcomes(client: "Client", waiting: deque[Recording]) -> Generator[tuple[Recording, Outcome]]:
    from distributed import KilledWorker, as_completed  # noqa: PLC0415

    sent: dict[Future[Outcome], Recording] = {}
    done = as_completed()

    def send() -> None:
        recording = waiting.popleft()
        future = client.submit(_analysed, recording.paths, pure=False)
        sent[future] = recording
        done.add(future)

    for _ in range(min(len(waiting), AHEAD * max(1, len(client.nthreads())))):
        send()
    for future in done:
        recording, error = sent.pop(future), future.exception()
        if waiting:
            send()
        if isinstance(error, KilledWorker):
            yield recording, Outcome(failures=(Failure(str(recording.paths[0]), "its analysis ended several workers"),))
        elif error is not None:
            raise error
        else:
            yield recording, future.result()


def _analysed(paths: Sequence[Named]) -> Outcome:
    """Runs in a worker."""
    from distributed import get_worker  # noqa: PLC0415

    outcome: Outcome = getattr(get_worker(), _OPENED).outcome(paths)
    return outcome
