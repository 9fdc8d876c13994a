"""Recordings in an object store: moto's server, which speaks S3, behind a line that stumbles when it is told to."""

import asyncio
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncssh
import fsspec
import numpy as np
import psutil
import pytest
import soundfile
from command import COMMAND, dawnchorus, sentence
from rigs import answers, free_port, until
from synthetic import RATE, great_tit
from test_batch import write
from test_resume import kept
from typer.testing import CliRunner

from monitor.batch.terms import Terms
from monitor.cli import app
from monitor.errors import ConfigError, RecordingError
from monitor.sources import remote
from monitor.sources.finding import SUFFIXES, is_recording, search

TABLES = ("detections.csv", "scores.csv", "effort.csv", "errors.csv")
BUCKET = "season"
WORDS = ("--timezone", "UTC", "--scores", "0.1")
BODY_BYTES = 20_000
"""an answer longer than that is a recording's"""


class Line:
    """Passes on what goes to a port and comes from it; cuts so many long answers, and takes its time if told to."""

    def __init__(self, port: int) -> None:
        self._port, self.cuts, self.delay_s = port, 0, 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _address = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                for ends in ((here, there, False), (there, here, True)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answer: bool) -> None:  # noqa: FBT001
        passed = 0
        with suppress(OSError):
            while data := source.recv(1 << 14):
                passed += len(data)
                if answer and passed > BODY_BYTES:
                    time.sleep(self.delay_s)
                    if self.cuts:
                        self.cuts -= 1
                        break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def store() -> Iterator[int]:
    """An object store on a port of the loopback."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(port), "the object store")
            yield port
        finally:
            process.terminate()


@pytest.fixture
def line(store: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A way to the store, which is the only one that the program knows."""
    line = Line(store)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{line.port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    yield line
    line.close()


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of several kinds, in folders, and one that is broken."""
    folder = tmp_path_factory.mktemp("card")
    (folder / "b").mkdir()
    for number, name in enumerate(("20260501_041200.wav", "20260501_051200.wav", "b/x.flac", "b/y.mp3")):
        soundfile.write(folder / name, great_tit()[: RATE * (8 - number)], RATE)
    (folder / "broken.wav").write_text("no audio\n", encoding="utf-8")
    (folder / "notes.txt").write_text("no recording\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def local(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes of the same files on this machine."""
    folder = tmp_path_factory.mktemp("local")
    assert dawnchorus("analyze", card, "-o", folder, *WORDS).returncode == 1
    return folder


@pytest.fixture
def bucket(line: Line, card: Path) -> Iterator[str]:
    """The card in the store."""
    del line
    system = fsspec.filesystem("s3")
    system.mkdir(BUCKET)
    system.put(str(card), f"{BUCKET}/card", recursive=True)
    yield f"s3://{BUCKET}/card"
    system.rm(BUCKET, recursive=True)


def told(folder: Path, place: Path | str) -> dict[str, list[list[str]]]:
    """The tables, without where the recordings lie and the ids that are made of that."""
    found = {}
    for name in TABLES:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        kept = [index for index, column in enumerate(head) if column != "id"]
        found[name] = [[row[index].removeprefix(f"{place}/") for index in kept] for row in rows]
    return found


@pytest.mark.parametrize("words", [(), ("--jobs", "2"), ("--jobs", "2", "--scheduler", "local")], ids=" ".join)
def test_recordings_in_an_object_store_give_what_they_give_on_this_machine(
    words: tuple[str, ...], bucket: str, card: Path, local: Path, tmp_path: Path
) -> None:
    result = dawnchorus("analyze", bucket, "-o", tmp_path, *WORDS, *words)
    assert result.returncode == 1
    broken = f"error: {bucket}/broken.wav: cannot be read as audio: Format not recognised"
    assert broken in result.stderr.splitlines()  # Dask has words of its own on a busy machine
    found = told(tmp_path, bucket)
    assert found == told(local, card)
    assert len(found["detections.csv"]) == 4


def test_a_pattern_and_a_list_name_recordings_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    found = search([f"{bucket}/2026*.wav", f"{bucket}/b"])
    assert [str(one) for one in found.recordings] == [
        f"{bucket}/{name}" for name in ("20260501_041200.wav", "20260501_051200.wav", "b/x.flac", "b/y.mp3")
    ]
    listing = tmp_path / "list"
    listing.write_text(f"{bucket}/b/x.flac\n{bucket}/b/none.flac\n", encoding="utf-8")
    result = dawnchorus("analyze", "--list", listing, "-o", tmp_path)
    assert sentence(result, 1) == (
        f"error: {bucket}/b/none.flac: cannot be looked into: there is no such recording or folder"
    )
    assert "1 of 1 recordings analysed" in result.stdout


def test_only_what_is_new_or_has_changed_is_fetched_again(bucket: str, card: Path, tmp_path: Path) -> None:
    system = fsspec.filesystem("s3")
    system.rm(f"{bucket}/broken.wav")
    assert dawnchorus("analyze", bucket, "-o", tmp_path, *WORDS).returncode == 0
    system.put(str(card / "20260501_041200.wav"), f"{bucket}/20260501_051200.wav")
    system.put(str(card / "20260501_041200.wav"), f"{bucket}/20260501_061200.wav")
    result = dawnchorus("analyze", bucket, "-o", tmp_path, *WORDS, "--progress", "json")
    assert result.returncode == 0
    assert '"done": 3, "total": 5' in result.stdout.splitlines()[0]
    assert len(told(tmp_path, bucket)["detections.csv"]) == 5


def test_a_download_that_breaks_off_goes_on(bucket: str, local: Path, card: Path, line: Line, tmp_path: Path) -> None:
    line.cuts = 2
    result = dawnchorus("analyze", bucket, "-o", tmp_path, *WORDS)
    assert line.cuts == 0
    assert result.returncode == 1
    assert told(tmp_path, bucket) == told(local, card)


def test_a_recording_that_cannot_be_fetched_is_an_error_and_not_an_empty_result(
    bucket: str, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "WAITS_S", (0.1, 0.2))
    waits: list[float] = []
    (one,) = search([f"{bucket}/b/x.flac"]).recordings
    line.cuts = 10**6
    fetched = remote.here([one], waits.append)
    with pytest.raises(RecordingError, match=rf"^{bucket}/b/x\.flac: could not be fetched: "), fetched:
        pytest.fail("it was fetched")
    assert waits == [0.1, 0.2]
    analysis = Terms().open()
    outcome = analysis.outcome([one])
    assert str(outcome.failures[0]).startswith(f"{bucket}/b/x.flac: could not be fetched: ")
    assert (outcome.heard, outcome.heard_s) == ((), 0.0)
    line.cuts = 0
    outcome = analysis.outcome([one])
    assert (outcome.failures, len(outcome.rows)) == ((), 1)


def test_a_recording_that_was_written_to_since_it_was_found_is_not_taken_for_what_it_was(
    bucket: str, card: Path
) -> None:
    (one,) = search([f"{bucket}/b/x.flac"]).recordings
    fsspec.filesystem("s3").pipe(f"{bucket}/b/x.flac", (card / "b" / "x.flac").read_bytes()[::-1])
    with pytest.raises(RecordingError, match="it has changed since it was found"), remote.here([one]):
        pytest.fail("it was fetched")


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_without_credentials_nothing_is_found_and_that_is_said(
    name: str, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    result = dawnchorus("analyze", bucket, "-o", tmp_path)
    assert f"error: {bucket}: cannot be looked into: " in sentence(result, 1)
    assert "credentials" in result.stderr.lower()


@pytest.mark.timeout(400)
def test_killed_in_the_middle_it_goes_on_from_there_and_leaves_nothing_behind(
    bucket: str, local: Path, card: Path, line: Line, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    output = tmp_path / "out"
    words = [COMMAND, "analyze", bucket, "-o", str(output), *WORDS, "--jobs", "2"]
    line.delay_s = 0.05
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: kept(output), "the first outcome", 150)
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=30)
    assert _recordings(spool) == []
    line.delay_s = 0.02
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: process.poll() is not None or _workers(process.pid), "a worker", 90)
        os.kill(_workers(process.pid)[0], signal.SIGKILL)
        assert process.wait(150) == 1
    assert _recordings(spool) == []
    assert told(output, bucket) == told(local, card)


def _recordings(spool: Path) -> list[Path]:
    """Libraries leave small files of their own."""
    return [path for path in spool.iterdir() if path.stat().st_size > BODY_BYTES]


def _workers(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]


def test_what_does_not_fit_the_disk_is_one_sentence(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    result = dawnchorus("analyze", f"{bucket}/b/x.flac", "-o", tmp_path)
    size = fsspec.filesystem("s3").info(f"{bucket}/b/x.flac")["size"]
    reason = f"could not be fetched: its {size} bytes do not go into {tmp_path}/none: No such file or directory"
    assert sentence(result, 1) == f"error: {bucket}/b/x.flac: {reason}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s3://a/b.wav", "--join", "1"], "--join"),
        (["s3://a/b.wav", "--watch"], "--watch"),
        (["s3://a/b.wav", "-f", "guano"], "--format guano"),
        (["sftp://me:secret@host/b.wav"], "holds a password"),
        (["zip://b.wav::s3://a/b.zip"], "a URL in a URL"),
        (["nowhere://a/b.wav"], "Protocol not known: nowhere"),
    ],
)
def test_what_is_not_done_with_urls_is_refused_before_anything_is_begun(
    words: list[str], said: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["analyze", *words, "-o", str(tmp_path / "out")], env={"COLUMNS": "200"})
    told = f"{result.output} {result.exception}"
    assert result.exit_code
    assert isinstance(result.exception, ConfigError | SystemExit)
    assert said in told
    assert "secret" not in told
    assert not (tmp_path / "out").exists()


def test_a_long_recording_comes_in_pieces_that_are_not_kept_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the file system that fsspec has of this machine."""
    path = write(tmp_path / "20260501T041200+0200_REC_-18.2656+144.5564.wav", great_tit())
    monkeypatch.setattr(remote, "PIECE_BYTES", 1000)
    (one,) = search([f"file://{path}"]).recordings
    with remote.here([one]) as (fetched,):
        assert remote.bytes_of(fetched).read_bytes() == path.read_bytes()
        assert (fetched.name, fetched.suffix, str(fetched)) == (path.name, ".wav", f"file://{path}")
        lying = remote.bytes_of(fetched)
    assert not lying.exists()


def test_a_key_may_look_like_no_path_at_all(line: Line, tmp_path: Path) -> None:
    del line
    system = fsspec.filesystem("s3")
    write(tmp_path / "a.wav", np.zeros(RATE * 2, np.float32))
    system.mkdir("odd")
    names = ("a b.wav", "x//y.wav", "ü?#.wav", "._c.wav", "d.WAV")
    for name in names:
        system.put(str(tmp_path / "a.wav"), f"odd/{name}")
    found = search(["s3://odd"]).recordings
    assert [str(one) for one in found] == [
        "s3://odd/a b.wav",
        "s3://odd/d.WAV",
        "s3://odd/x//y.wav",
        "s3://odd/ü?#.wav",
    ]
    result = dawnchorus("analyze", "s3://odd/x//y.wav", "s3://odd/ü?#.wav", "-o", tmp_path / "out")
    assert "2 of 2 recordings analysed" in result.stdout, result.stderr
    system.rm("odd", recursive=True)


def test_a_url_is_named_by_its_last_part() -> None:
    assert remote.file_name("https://host/a/20260501_041200.wav?signature=x/y") == "20260501_041200.wav"
    assert remote.file_name("s3://bucket/a?b.wav") == "a?b.wav"
    assert remote.named("s3://bucket//a.wav") == "s3://bucket//a.wav"
    assert remote.named("card/a.wav") == Path("card/a.wav")
    assert all(is_recording(f"x{suffix.upper()}") for suffix in SUFFIXES)


# Behind SSH


@pytest.fixture
def behind_ssh(card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The card on a server that lets in whoever holds the key, which fsspec's settings name."""
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host", "ours", "strange")}
    for name, key in keys.items():
        key.write_private_key(tmp_path / name)
        key.write_public_key(tmp_path / f"{name}.pub")
    monkeypatch.setenv("FSSPEC_CONFIG_DIR", str(tmp_path))
    let_in_with(tmp_path / "ours")
    loop = asyncio.new_event_loop()

    async def listen() -> int:
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[keys["host"]],
            authorized_client_keys=str(tmp_path / "ours.pub"),
            sftp_factory=True,
        )
        return int(server.get_port())

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"sftp://127.0.0.1:{asyncio.run_coroutine_threadsafe(listen(), loop).result(30)}{card}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def let_in_with(key: Path) -> None:
    """What fsspec says when it is asked who it is."""
    settings = {"sftp": {"username": "someone", "key_filename": str(key), "look_for_keys": False}}
    (key.parent / "fsspec.json").write_text(json.dumps(settings), encoding="utf-8")


def test_recordings_behind_ssh_give_what_they_give_on_this_machine(
    behind_ssh: str, card: Path, local: Path, tmp_path: Path
) -> None:
    result = dawnchorus("analyze", behind_ssh, "-o", tmp_path / "out", *WORDS, "--jobs", "2")
    assert f"error: {behind_ssh}/broken.wav: cannot be read as audio: Format not recognised" in result.stderr
    assert result.returncode == 1
    assert told(tmp_path / "out", behind_ssh) == told(local, card)


def test_a_key_that_a_server_does_not_know_is_one_sentence(behind_ssh: str, tmp_path: Path) -> None:
    let_in_with(tmp_path / "strange")
    result = dawnchorus("analyze", behind_ssh, "-o", tmp_path / "out", *WORDS)
    assert result.returncode == 1
    assert f"error: {behind_ssh}: cannot be looked into: Authentication failed" in result.stderr
