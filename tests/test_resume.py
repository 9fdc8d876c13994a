"""An analysis that is ended at any moment, by any means, goes on from there to the same bytes."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from command import COMMAND, dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import until
from synthetic import RATE, great_tit, read_table
from test_batch import noise, write
from test_formats import account

from monitor.batch.found import Failure, Recording
from monitor.batch.journal import NAME, Journal
from monitor.batch.outcome import Outcome, Packed, unpack
from monitor.batch.progress import Account
from monitor.errors import ConfigError, StoreError
from monitor.sinks.tables import Heard, HeardFile, Row

CONFIGURATION = 78
TERMS = {"threshold": "0.5"}
TABLES = ("detections.csv", "scores.csv", "errors.csv", "effort.csv", "detections.selections.txt")
WORDS = ("--scores", "0.1", "-f", "csv", "-f", "raven")
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
seconds = st.integers(0, 10**8).map(lambda milliseconds: milliseconds / 1000)
rows = st.builds(Row, names, seconds, seconds, names, names, st.floats(0, 1), st.none() | names, st.none(), names)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of different lengths, one of them broken."""
    folder = tmp_path_factory.mktemp("card")
    song = great_tit()
    for number in range(10):
        write(folder / f"{number}.wav", song[: RATE * (2 + 6 * number % 7)])
    (folder / "broken.wav").write_text("no audio\n", encoding="utf-8")
    (folder / "h\udce4her.wav").write_bytes((folder / "5.wav").read_bytes())
    return folder


@pytest.fixture(scope="module")
def undisturbed(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one call writes that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert dawnchorus("analyze", card, "-o", folder, *WORDS).returncode == 1
    return folder


def assert_same(folder: Path, undisturbed: Path) -> None:
    for table in TABLES:
        assert (folder / table).read_bytes() == (undisturbed / table).read_bytes(), table
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in undisturbed.iterdir())


def started(*words: str | Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [COMMAND, "analyze", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kept(output: Path) -> int:
    """How many outcomes the journal of an analysis holds, that was killed or goes on."""
    copy = output.with_name("copy")
    copy.mkdir(exist_ok=True)
    for name in (NAME, f"{NAME}-wal"):
        (copy / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy(output / name, copy / name)
    with closing(sqlite3.connect(copy / NAME)) as database, suppress(sqlite3.OperationalError):
        return int(database.execute("SELECT count(*) FROM outcomes WHERE NOT failed").fetchone()[0])
    return 0


# The same whatever happens


def test_any_number_of_workers_writes_the_same_bytes(card: Path, undisturbed: Path, tmp_path: Path) -> None:
    result = dawnchorus("analyze", card, "-o", tmp_path / "out", *WORDS, "--jobs", "3")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert_same(tmp_path / "out", undisturbed)


def test_killed_at_any_moment_and_started_again_it_does_nothing_twice_and_misses_nothing(
    card: Path, undisturbed: Path, tmp_path: Path
) -> None:
    rng, output = np.random.default_rng(4), tmp_path / "out"
    done = [0]
    for _kill in range(6):
        with started(card, "-o", output, *WORDS, "--jobs", "2") as process:
            _await_outcome(process, output, done[-1] if len(done) > 1 else -1)
            time.sleep(rng.uniform(0, 0.2))
            workers = _workers(process.pid)
            process.kill()
        _gone, alive = psutil.wait_procs(workers, 10)
        assert not alive, "workers outlive their parent"
        done.append(kept(output))
        assert done[-1] >= done[-2]
    assert done[-1] > 0
    result = dawnchorus("analyze", card, "-o", output, *WORDS, "--progress", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0] == {"event": "progress", "done": done[-1], "total": 12, "failed": 0} | {
        key: lines[0][key] for key in ("audio_s", "elapsed_s", "speed", "eta_s")
    }
    for left in output.glob("*.partial"):
        pytest.fail(f"{left} is left")
    assert_same(output, undisturbed)


def _await_outcome(process: "subprocess.Popen[bytes]", output: Path, more_than: int) -> None:
    until(lambda: process.poll() is not None or kept(output) > more_than, "another outcome")


def test_what_is_done_is_not_done_again_and_costs_no_more_than_another_table(
    card: Path, undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(undisturbed, output)
    result = dawnchorus("analyze", card, "-o", output, "--scores", "0.1", "-f", "jsonl", "--progress", "json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["done"] == 11  # all but the broken one, which is worth another look
    assert [event["audio_s"] for event in events if event["event"] == "progress"][-1] == 0
    lines, table = ((output / name).read_bytes().splitlines() for name in ("detections.jsonl", "detections.csv"))
    assert len(lines) == len(table) - 1


def test_a_recording_that_has_changed_is_done_again_and_one_that_is_gone_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", great_tit())
    write(tmp_path / "b.wav", noise(3))
    assert dawnchorus("analyze", tmp_path, "-o", tmp_path / "out").returncode == 0
    write(tmp_path / "b.wav", great_tit())
    (tmp_path / "a.wav").unlink()
    assert dawnchorus("analyze", tmp_path, "-o", tmp_path / "out").returncode == 0
    assert {row["file"] for row in read_table(tmp_path / "out" / "detections.csv")} == {str(tmp_path / "b.wav")}


def test_a_worker_that_is_killed_costs_nothing_but_time(card: Path, undisturbed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = started(card, "-o", output, *WORDS, "--jobs", "2")
    try:
        workers = until(lambda: _workers(process.pid), "a worker")
        until(lambda: kept(output) or process.poll() is not None, "the first outcome")
        workers[0].send_signal(signal.SIGKILL)
        assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()
    assert_same(output, undisturbed)


def _workers(pid: int) -> list[psutil.Process]:
    """The workers of an analysis, which may end while one looks."""
    try:
        return [child for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def test_a_recording_whose_workers_are_killed_again_and_again_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", great_tit())
    process, killed = started(tmp_path, "-o", tmp_path / "out", "--jobs", "2"), set[int]()
    try:
        while process.poll() is None:
            for worker in _workers(process.pid):
                killed.add(worker.pid)
                worker.kill()
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert len(killed) == 2
    (error,) = read_table(tmp_path / "out" / "errors.csv")
    assert error["file"] == str(tmp_path / "a.wav")
    assert error["reason"] == "its analysis ended 2 worker processes, the last with Killed"
    assert read_table(tmp_path / "out" / "effort.csv") == []


def test_an_interrupted_analysis_says_how_to_go_on(card: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "analyze", str(card), "-o", str(tmp_path / "out"), "--jobs", "2"], stderr=subprocess.PIPE, text=True
    )
    until((tmp_path / "out" / NAME).exists, "the journal")
    process.send_signal(signal.SIGINT)
    _out, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert told == "interrupted: the same call goes on from here\n"


# Other terms


def test_an_unfinished_analysis_on_other_terms_is_refused_in_one_sentence_unless_all_is_to_begin_anew(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.wav", great_tit())
    words = ("analyze", tmp_path / "a.wav", "-o", tmp_path / "out")
    assert dawnchorus(*words, "--threshold", "0.3").returncode == 0
    with closing(sqlite3.connect(tmp_path / "out" / NAME)) as database, database:
        database.execute("DELETE FROM complete")
    told = sentence(dawnchorus(*words, "--threshold", "0.5"), CONFIGURATION)
    assert "detection.threshold 0.3, now 0.5" in told
    assert "--fresh" in told
    assert dawnchorus(*words, "--threshold", "0.3").returncode == 0
    assert dawnchorus(*words, "--threshold", "0.5", "--fresh").returncode == 0


def test_a_finished_analysis_on_other_terms_is_done_anew_and_that_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", great_tit())
    words = ("analyze", tmp_path / "a.wav", "-o", tmp_path / "out")
    assert dawnchorus(*words).returncode == 0
    result = dawnchorus(*words, "--threshold", "1")
    assert result.returncode == 0
    assert result.stderr == "done anew, because of another detection.threshold\n"
    assert read_table(tmp_path / "out" / "detections.csv") == []


def test_another_model_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "monitor" / "models" / "starter.onnx", tmp_path / "model.onnx")
    write(tmp_path / "a.wav", great_tit())
    words = ("analyze", tmp_path / "a.wav", "-o", tmp_path / "out", "-m", tmp_path / "model.onnx")
    assert dawnchorus(*words).returncode == 0
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"\x00" * 0 + b"\xba\x06\x00")  # a field of protobuf that nobody reads
    result = dawnchorus(*words)
    assert result.returncode == 0, result.stderr
    assert "because of another models" in result.stderr


# Added while one looks on


def test_a_watched_folder_s_new_recording_is_taken_when_it_has_stopped_growing(tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write(folder / "a.wav", great_tit())
    write(tmp_path / "b.wav", great_tit())
    whole = (tmp_path / "b.wav").read_bytes()
    process = started(folder, "-o", output, "--watch", "--settle", "1")
    try:
        until(lambda: _files(output) == ["a.wav"], "the first recording")
        with (folder / "b.wav").open("wb") as file:
            for at in range(0, len(whole), len(whole) // 8):
                file.write(whole[at : at + len(whole) // 8])
                file.flush()
                time.sleep(0.3)
                assert _files(output) == ["a.wav"]
        until(lambda: _files(output) == ["a.wav", "b.wav"], "the second recording")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert read_table(output / "errors.csv") == []
    assert {Path(row["file"]).name for row in read_table(output / "detections.csv")} == {"a.wav", "b.wav"}


def _files(output: Path) -> list[str]:
    path = output / "effort.csv"
    return [Path(row["file"]).name for row in read_table(path)] if path.exists() else []


# What is told


def test_keep_going_makes_failures_no_failure(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", noise(3))
    (tmp_path / "b.wav").touch()
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out", "--keep-going")
    assert result.returncode == 0
    assert [Path(row["file"]).name for row in read_table(tmp_path / "out" / "errors.csv")] == ["b.wav"]
    assert read_table(tmp_path / "out" / "errors.csv")[0]["reason"]
    assert "b.wav" in result.stderr


def test_a_program_is_told_all_in_json_lines(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", great_tit())
    (tmp_path / "b\udcff.wav").touch()
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out", "--progress", "json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.stderr == ""
    assert {event["event"] for event in events} == {"progress", "failure", "summary"}
    last = [event for event in events if event["event"] == "progress"][-1]
    assert (last["done"], last["total"], last["failed"], last["audio_s"], last["eta_s"]) == (2, 2, 1, 8.0, 0.0)
    (failure,) = [event for event in events if event["event"] == "failure"]
    assert failure["file"] == str(tmp_path / "b\udcff.wav")
    assert events[-1]["detections"] == {"Great Tit": len(read_table(tmp_path / "out" / "detections.csv"))}


def test_the_time_left_is_told_by_bytes() -> None:
    now = [0.0]
    account = Account(3, [recording("a", 10), recording("b", 90)], lambda: now[0])
    assert account.now().eta_s is None
    now[0] = 2.0
    account.add(recording("a", 10), outcome(100.0))
    assert (account.now().done, account.now().eta_s, account.now().speed) == (2, 18.0, 50.0)


def recording(name: str, size: int = 1, stamp: str = "1") -> Recording:
    return Recording((Path(name),), size, stamp)


def outcome(length_s: float, *failures: Failure) -> Outcome:
    return Outcome((Heard([HeardFile("a", length_s, [])]),), failures, length_s)


def test_a_library_that_is_missing_costs_no_earlier_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.wav", great_tit())
    words = ("analyze", tmp_path / "a.wav", "-o", tmp_path / "out")
    assert dawnchorus(*words).returncode == 0
    before = (tmp_path / "out" / NAME).read_bytes()
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "pyarrow.py").write_text("raise ImportError\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"))
    told = sentence(dawnchorus(*words, "--threshold", "0.3", "-f", "parquet"), CONFIGURATION)
    assert told == "dawnchorus: Parquet files need pyarrow, which is not installed: pip install 'dawnchorus[fleet]'"
    assert (tmp_path / "out" / NAME).read_bytes() == before


# The journal


@settings(derandomize=True, deadline=None, max_examples=60)
@given(found=st.lists(rows, max_size=4), scores=st.lists(rows, max_size=40), failure=st.none() | names)
def test_whatever_an_outcome_holds_comes_back(found: list[Row], scores: list[Row], failure: str | None) -> None:
    packed = Packed()
    packed.write(scores, 0.0)
    failures = () if failure is None else (Failure("h\udce4her.wav", failure),)
    effort = account("a.wav", 150, 30)
    heard = Heard([HeardFile("h\udce4her.wav", 1.5, found)], effort.minutes, effort.hours)
    told = Outcome((heard,), failures, 1.25, None, True, packed.close())  # noqa: FBT003
    back = Outcome.read(told.text(), told.scores)
    assert back == told
    assert list(unpack(back.scores)) == scores
    assert told.text().isascii()


def test_a_journal_keeps_what_it_was_told_and_nothing_of_a_recording_that_changed_or_failed(tmp_path: Path) -> None:
    with closing(Journal(tmp_path, TERMS)) as journal:
        journal.add(recording("a"), outcome(1.0))
        journal.add(recording("b"), outcome(2.0, Failure("b", "broke off")))
    with closing(Journal(tmp_path, TERMS)) as journal:
        assert journal.knows(recording("a"))
        assert not journal.knows(recording("a", stamp="2"))
        assert not journal.knows(recording("b"))
        assert journal.outcome(recording("b")).failures == (Failure("b", "broke off"),)
        with pytest.raises(StoreError, match="damaged"):
            journal.outcome(recording("c"))


def test_two_analyses_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with closing(Journal(tmp_path, TERMS)), pytest.raises(StoreError, match="another analysis is writing"):
        Journal(tmp_path, TERMS)


def test_what_is_no_journal_is_one_sentence_until_all_is_to_begin_anew(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"what is this?" * 1000)
    with pytest.raises(StoreError, match="--fresh begins anew"):
        Journal(tmp_path, TERMS)
    with closing(Journal(tmp_path, TERMS, fresh=True)) as journal:
        assert not journal.knows(recording("a"))


def test_an_unfinished_journal_of_other_terms_is_kept_as_it_is(tmp_path: Path) -> None:
    with closing(Journal(tmp_path, TERMS)) as journal:
        journal.add(recording("a"), outcome(1.0))
    with pytest.raises(ConfigError, match=r"threshold 0\.5, now 0\.6; step none, now 1"):
        Journal(tmp_path, {"threshold": "0.6", "step": "1"})
    with closing(Journal(tmp_path, TERMS)) as journal:
        assert journal.knows(recording("a"))
        journal.complete()
    with closing(Journal(tmp_path, {"threshold": "0.6"})) as journal:
        assert journal.replaced == ["threshold"]
        assert not journal.knows(recording("a"))
