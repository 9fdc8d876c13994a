"""What becomes of verdicts: the threshold they speak for, and what training is given to learn from."""

import csv
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import yaml
from command import dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import STATION
from scipy import stats
from web_page import clip, configured, filled, message

from monitor.comparison.recalibration import Listened, choose, wilson
from monitor.config.reading import parse
from monitor.errors import StoreError
from monitor.messages import VerdictMessage
from monitor.sinks import verdicts
from monitor.sinks.archive import Archive
from monitor.sinks.database import FILE
from monitor.sinks.store import Store
from monitor.sinks.verdicts import Verdict, Word
from training.archive.collection import read_collection
from training.corpus.build import Order, build

UTC = "2026-06-01T10:00:00.000Z"
modest = settings(derandomize=True, deadline=None, max_examples=150)
judgements = st.lists(st.builds(Listened, st.sampled_from([i / 20 for i in range(21)]), st.booleans()), max_size=80)


def keep(folder: Path, detection: str, verdict: Word, species: str = "") -> None:
    """A verdict of somebody."""
    verdicts.keep(folder / "store" / FILE, STATION, Verdict(detection, verdict, species, "Ada", UTC, ""))


@modest
@given(st.integers(0, 200), st.integers(1, 200))
def test_the_interval_is_the_one_of_scipy(right: int, judged: int) -> None:
    right = min(right, judged)
    oracle = stats.binomtest(right, judged).proportion_ci(0.95, method="wilson")
    assert wilson(right, judged) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert choose([], 0.9, 0) is None


@modest
@given(judgements, st.floats(0.5, 1), st.integers(1, 30), st.booleans())
def test_the_lowest_threshold_that_reaches_what_is_asked_is_chosen_and_no_other(
    listened: list[Listened],
    precision: float,
    least: int,
    surely: bool,  # noqa: FBT001
) -> None:
    reaching = []
    for threshold in {one.confidence for one in listened}:
        above = [one.right for one in listened if one.confidence >= threshold]
        reached = wilson(sum(above), len(above))[0] if surely else sum(above) / len(above)
        if len(above) >= least and reached >= precision:
            reaching.append(threshold)
    choice = choose(listened, precision, least, surely=surely)
    assert (choice.threshold if choice else None) == (min(reaching) if reaching else None)
    if choice is not None:
        above = [one.right for one in listened if one.confidence >= choice.threshold]
        assert (choice.right, choice.judged) == (sum(above), len(above))
        assert choice.right + choice.lost == sum(one.right for one in listened)
        assert choice.low <= choice.precision <= choice.high


def test_a_replay_brings_a_verdict_again_as_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "store" / FILE
    filled(path.parent, 1)
    with closing(sqlite3.connect(path)) as connection:
        (detection,) = connection.execute("SELECT id FROM detections").fetchone()
        sent = verdicts.keep(path, STATION, Verdict(detection, "other", "Sitta europaea", "Ada", UTC, "two of them"))
        connection.execute("DELETE FROM outbox")
        connection.commit()
    archive = Archive(path, STATION)
    (row,) = archive.messages((sent.sequence, sent.sequence), 10)
    archive.close()
    assert msgspec.json.decode(row.payload, type=VerdictMessage) == msgspec.structs.replace(sent, backfilled=True)


def test_a_verdict_on_what_the_store_does_not_hold_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "store", 1)
    with pytest.raises(StoreError, match="the store has none of this id"):
        keep(tmp_path, "00000000-0000-5000-8000-000000000000", "confirmed")


def test_the_last_verdict_counts_and_all_are_kept_with_their_messages(tmp_path: Path) -> None:
    first, second = filled(tmp_path / "store", 2)
    keep(tmp_path, first, "rejected")
    keep(tmp_path, second, "confirmed")
    keep(tmp_path, first, "other", "Parus ater")
    with closing(sqlite3.connect(tmp_path / "store" / FILE)) as connection:
        assert [(one.id, one.verdict, one.heard) for one in verdicts.judged(connection)] == [
            (second, "confirmed", "Parus major"),
            (first, "other", "Parus ater"),
        ]
        assert connection.execute("SELECT count(*) FROM verdicts").fetchone() == (3,)
        sequences = connection.execute("SELECT sequence, topic FROM outbox ORDER BY sequence").fetchall()
        assert sequences == [(1, "detections"), (2, "detections"), *((n, "verdicts") for n in (3, 4, 5))]
        many = verdicts.on(connection, [first, *("x" * n for n in range(1200)), second])
        assert {key: one.verdict for key, one in many.items()} == {first: "other", second: "confirmed"}


def test_thresholds_are_printed_as_the_configuration_takes_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", STATION, 1_000_000)
    for number in range(60):
        store.add(lambda sequence, number=number: message(number, sequence, confidence=0.4 + number / 100))  # type: ignore[misc]
    for number in range(60, 65):
        owl = partial(message, number, scientific_name="Athene noctua", label="athene_noctua")
        store.add(lambda sequence, owl=owl: owl(sequence))  # type: ignore[misc]
    store.close()
    with closing(sqlite3.connect(tmp_path / "store" / FILE)) as connection:
        rows = connection.execute("SELECT id, confidence FROM detections").fetchall()
    for detection, confidence in rows:
        keep(tmp_path, detection, "confirmed" if confidence >= 0.6 or round(confidence * 100) % 2 else "rejected")
    config = configured(tmp_path)
    ended = dawnchorus("verdicts", "thresholds", "--config", config, "--precision", "0.9", "--least", "20")
    assert ended.returncode == 0, ended.stderr
    printed = yaml.safe_load(ended.stdout)
    assert list(printed["detection"]["thresholds"]) == ["Parus major"]
    threshold = parse(ended.stdout).detection.thresholds["Parus major"]
    above = [confidence for _, confidence in rows[:60] if confidence >= threshold]
    wrong = [one for one in above if one < 0.6 and not round(one * 100) % 2]
    assert 1 - len(wrong) / len(above) >= 0.9
    assert len(above) > 40
    assert "Athene noctua (test): none; 5 of 5 verdicts say that it was right" in ended.stderr


def test_too_few_verdicts_choose_nothing_and_say_so(tmp_path: Path) -> None:
    (found,) = filled(tmp_path / "store", 1)
    keep(tmp_path, found, "confirmed")
    ended = dawnchorus("verdicts", "thresholds", "--store", tmp_path / "store")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "no threshold can be chosen" in ended.stderr


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    ended = dawnchorus("verdicts", "export", tmp_path / "out", "--store", tmp_path)
    assert "no store in this folder" in sentence(ended, 1)
    assert not (tmp_path / "out").exists()


def sound(path: Path, seed: int) -> None:
    """Real FLAC, another for each."""
    noise = np.random.default_rng(seed).normal(0, 0.1, 96_000).astype(np.float32)
    soundfile.write(path, noise, 32_000, format="FLAC", subtype="PCM_16")


def test_judged_sound_is_exported_as_training_reads_it(tmp_path: Path) -> None:
    found = filled(tmp_path / "store", 24)
    for number, detection in enumerate(found[:22]):
        sound(clip(tmp_path, detection), number)
    for detection in found[:10]:
        keep(tmp_path, detection, "confirmed")
    for detection in found[10:16]:
        keep(tmp_path, detection, "other", "Parus ater / evil: ../../x")
    for detection in found[16:24]:
        keep(tmp_path, detection, "rejected")
    out = tmp_path / "judged"
    ended = dawnchorus("verdicts", "export", out, "--config", configured(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "24 verdicts" in ended.stdout
    assert "sound of 16 of known species and of 6 with none; 2 have no clip, 0 were rejected" in ended.stdout
    rows = read_collection(out / "confirmed")
    assert {row.scientific_name for row in rows} == {"Parus major", "Parus ater / evil: ../../x"}
    assert all((out / "confirmed" / row.file).is_file() for row in rows)
    built = build(Order((str(out / "confirmed"),), tmp_path / "spool", negatives=out / "negatives", folds=2))
    labels = [recording.label for recording in built.manifest.recordings]
    assert (labels.count("parus_major"), labels.count(None)) == (10, 6)
    assert built.skipped == ()
    with (out / "verdicts.csv").open(encoding="utf-8", newline="") as table:
        assert len(list(csv.DictReader(table))) == 24
    again = dawnchorus("verdicts", "export", out, "--config", configured(tmp_path))
    assert "a folder that is not there yet expected" in sentence(again, 1)


def test_what_was_rejected_beside_another_species_is_no_negative(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", STATION, 1_000_000)
    store.add(lambda sequence: message(1, sequence))
    store.add(lambda sequence: message(2, sequence, onset_utc="2026-05-01T00:01:32.000Z", label="other"))
    store.close()
    with closing(sqlite3.connect(tmp_path / "store" / FILE)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM detections ORDER BY sequence")]
    sound(clip(tmp_path, ids[0]), 1)
    keep(tmp_path, ids[0], "rejected")
    ended = dawnchorus("verdicts", "export", tmp_path / "out", "--config", configured(tmp_path))
    assert "of 0 with none; 0 have no clip, 1 were rejected beside another species" in ended.stdout
    keep(tmp_path, ids[1], "rejected")
    ended = dawnchorus("verdicts", "export", tmp_path / "again", "--config", configured(tmp_path))
    assert "of 1 with none" in ended.stdout
