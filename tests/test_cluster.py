"""The same work on a Dask cluster: a real one of processes, of which some are killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import pytest
from command import COMMAND, dawnchorus
from distributed import Client, LocalCluster
from rigs import free_port, until
from synthetic import RATE, great_tit
from test_batch import write
from test_resume import kept

from monitor.batch import cluster as cluster_module
from monitor.batch.cluster import Cluster
from monitor.batch.found import Recording
from monitor.batch.terms import Terms
from monitor.errors import MonitorError

TABLES = ("detections.csv", "errors.csv", "effort.csv")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, one of them broken."""
    folder = tmp_path_factory.mktemp("card")
    for number in range(12):
        write(folder / f"{number}.wav", great_tit()[: RATE * (3 + number % 5)])
    (folder / "broken.wav").write_text("no audio\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def alone(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine writes by itself."""
    folder = tmp_path_factory.mktemp("alone")
    assert dawnchorus("analyze", card, "-o", folder).returncode == 1
    return folder


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and two workers, each a process."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, silence_logs="CRITICAL", scheduler_kwargs={"dashboard": False}
    ) as started:
        yield started


def assert_same(folder: Path, alone: Path) -> None:
    for table in TABLES:
        assert (folder / table).read_bytes() == (alone / table).read_bytes(), table


def test_a_cluster_of_this_machine_writes_the_same_bytes(card: Path, alone: Path, tmp_path: Path) -> None:
    result = dawnchorus("analyze", card, "-o", tmp_path, "--scheduler", "local", "--jobs", "2")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"error: {card / 'broken.wav'}: cannot be read as audio: Format not recognised"
    ]
    assert_same(tmp_path, alone)


def test_a_worker_of_a_cluster_that_is_killed_in_the_middle_costs_nothing_but_time(
    card: Path, alone: Path, cluster: LocalCluster, tmp_path: Path
) -> None:
    workers = [int(nanny.pid) for nanny in cluster.workers.values()]
    output = tmp_path / "out"
    words = [COMMAND, "analyze", card, "-o", output, "--scheduler", cluster.scheduler_address]
    with subprocess.Popen(
        list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: process.poll() is not None or kept(output), "the first outcome")
        assert process.poll() is None
        os.kill(workers[0], signal.SIGKILL)
        _out, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in told
    assert_same(output, alone)
    until(lambda: cluster.workers[0].pid not in {None, workers[0]}, "another worker in its place")


def test_a_recording_that_loses_the_cluster_too_many_workers_is_reported(tmp_path: Path) -> None:
    night = write(tmp_path / "night.wav", np.zeros(8_000 * 3600, np.float32), 8_000)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, silence_logs="CRITICAL", dashboard_address=None)
    with cluster, Client(cluster) as client, ThreadPoolExecutor(1) as others:
        crew = Cluster(Terms(), cluster.scheduler_address, 1)
        told = others.submit(lambda: list(crew.outcomes([Recording.of([night])])))
        until(lambda: any(client.processing().values()), "the analysis")
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        ((_recording, outcome),) = told.result(30)
    assert [str(failure) for failure in outcome.failures] == [f"{night}: its analysis ended several workers"]


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(MonitorError, match=f"scheduler {address}: "):
        next(Cluster(Terms(), address, 1).outcomes([Recording.of([Path("a.wav")])]))


def test_a_model_that_the_workers_cannot_open_is_one_sentence(cluster: LocalCluster, tmp_path: Path) -> None:
    terms = Terms((str(tmp_path / "none.onnx"),))
    with pytest.raises(MonitorError, match=r"none\.onnx: no such file"):
        next(Cluster(terms, cluster.scheduler_address, 1).outcomes([Recording.of([Path("a.wav")])]))
