"""What the log looks like: for people, and for journald, which knows the level of each line."""

import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rigs import COMMAND, configure, recordings, song

from monitor.cli.journal import JournalFormatter, is_journal

LINE = re.compile(r"<[34567]>monitor\.[a-z_.]+: \S.*")


def record(level: int, message: str) -> logging.LogRecord:
    """As a logger makes it."""
    return logging.LogRecord("monitor.sinks.store", level, __file__, 1, message, None, None)


@pytest.mark.parametrize(
    ("level", "syslog"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (25, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_levels_are_those_of_syslog(level: int, syslog: int) -> None:
    assert JournalFormatter().format(record(level, "disk full")) == f"<{syslog}>monitor.sinks.store: disk full"


def test_each_line_of_a_traceback_has_its_level() -> None:
    try:
        os.fspath(1)  # type: ignore[call-overload]
    except TypeError:
        failed = record(logging.ERROR, "failed")
        failed.exc_info = sys.exc_info()
    lines = JournalFormatter().format(failed).split("\n")
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


def test_a_stream_that_was_redirected_is_not_the_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, (tmp_path / "other").open("wb") as other:
        status = os.fstat(log.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert is_journal(log.fileno())
        assert not is_journal(other.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", "nonsense")
        assert not is_journal(log.fileno())
    monkeypatch.delenv("JOURNAL_STREAM")
    assert not is_journal(0)


def test_a_daemon_that_writes_to_the_journal_puts_a_level_before_each_line(tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav")), 9)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        status = os.fstat(theirs.fileno())
        environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        command = [str(COMMAND), "run", "--config", str(config)]
        with subprocess.Popen(command, stderr=theirs, env=environment) as daemon:
            theirs.close()
            said = b"".join(iter(lambda: ours.recv(65536), b"")).decode()
        assert daemon.returncode == 0
    lines = said.splitlines()
    assert lines
    assert all(LINE.fullmatch(line) for line in lines), said
    assert [line for line in lines if line.startswith("<4>")]  # that no broker is there
    assert [line for line in lines if line.startswith("<6>") and "heard Great Tit" in line]


def test_no_secret_is_in_the_log_even_when_all_is_logged(tmp_path: Path) -> None:
    secret, key = "wren-7f3a9c-password", "k" * 40 + "-wren-key"
    for name, content in (("password", secret), ("key", key)):
        (tmp_path / name).write_text(f"{content}\n", encoding="utf-8")
    mqtt = {
        "host": "127.0.0.1",
        "port": 9,
        "username": "valley",
        "password_file": str(tmp_path / "password"),
        "commands": {"key_file": str(tmp_path / "key")},
    }
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav")), 9, mqtt=mqtt, log="debug")
    command = [str(COMMAND), "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "DEBUG" in done.stderr or "INFO" in done.stderr
    misplaced = yaml.safe_load(config.read_text(encoding="utf-8"))
    misplaced["mqtt"]["password"] = secret
    config.write_text(yaml.safe_dump(misplaced), encoding="utf-8")
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 78
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        assert secret not in text
        assert key not in text
