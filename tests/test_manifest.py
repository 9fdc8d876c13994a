"""What a network learns from: a data folder or a manifest file, its folds, and the hash over all of it."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import PITCH_HZ, read_table, write_data, write_table

from monitor.errors import RecordingError
from training.corpus.layouts.own import TAXA
from training.corpus.manifest import Box, read_manifest, sha256_of, write_manifest

Change = Callable[[list[dict[str, str]]], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the data folder that a test may change."""
    return shutil.copytree(folder, tmp_path / "data")


def changed(table: Path, change: Change) -> None:
    rows = read_table(table)
    change(rows)
    write_table(table, rows)


# The manifest


def test_the_manifest_holds_what_the_tables_say(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.labels == tuple(sorted(PITCH_HZ))
    assert manifest.folds == (0, 1)
    birds = [recording for recording in manifest.recordings if recording.label is not None]
    assert len(birds) == 4 * len(PITCH_HZ)
    for recording in birds:
        first = recording.path.stem.endswith("0")
        assert recording.source == (recording.path.stem if first else recording.source)
        assert recording.source.startswith("XC") or first
        assert recording.boxes == ((Box(0.0, 4.5, TAXA[str(recording.label)].scientific_name),) if first else None)


def test_an_annotated_recording_without_a_box_is_not_one_that_nobody_annotated(copied: Path) -> None:
    changed(copied / "birds" / "annotations.csv", lambda rows: rows.pop(0))
    boxes = [recording.boxes for recording in read_manifest(copied).recordings]
    assert boxes.count(()) == 1


def test_no_session_lies_in_two_folds_and_a_fold_and_the_rest_are_everything(folder: Path) -> None:
    manifest = read_manifest(folder)
    for fold in manifest.folds:
        heard, unheard = manifest.without(fold), manifest.fold(fold)
        assert {r.session for r in heard}.isdisjoint(r.session for r in unheard)
        assert set(heard) | set(unheard) == set(manifest.recordings)
    assert manifest.without(None) == manifest.recordings


def test_no_session_of_the_real_recordings_lies_in_two_folds(real_recordings: Path) -> None:
    manifest = read_manifest(real_recordings)
    assert len(manifest.folds) > 1
    folds: dict[str, set[int]] = {}
    for recording in manifest.recordings:
        folds.setdefault(recording.session, set()).add(recording.fold)
    assert max(map(len, folds.values())) == 1
    for fold in manifest.folds:
        assert {r.label for r in manifest.without(fold)} == {r.label for r in manifest.fold(fold)}


def test_a_session_in_two_folds_is_refused(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[1].update(session=rows[0]["session"]))
    with pytest.raises(RecordingError, match="must stay in one fold"):
        read_manifest(copied)


@pytest.mark.parametrize("missing", ["birds/recordings.csv", "birds/annotations.csv", "negatives/recordings.csv"])
def test_a_missing_table_is_named(missing: str, copied: Path) -> None:
    (copied / missing).unlink()
    with pytest.raises(RecordingError, match=missing):
        read_manifest(copied)


def test_a_missing_recording_is_named(copied: Path) -> None:
    (copied / "negatives" / "wind1.wav").unlink()
    with pytest.raises(RecordingError, match=r"1 recordings .* missing, the first is .*wind1\.wav"):
        read_manifest(copied)


def _other_sound(data: Path) -> None:
    path = data / "negatives" / "wind2.wav"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _other_label(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(species="parus_major"))


def _other_session(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(session="another"))


def _other_fold(data: Path) -> None:
    changed(data / "negatives" / "recordings.csv", lambda rows: rows[0].update(fold="1"))


def _other_box(data: Path) -> None:
    changed(data / "birds" / "annotations.csv", lambda rows: rows[0].update(end_s="4.4"))


def _box_of_another(data: Path) -> None:
    changed(data / "birds" / "annotations.csv", lambda rows: rows[0].update(label="Parus major"))


def _not_annotated(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(annotated="0"))


def _recording_less(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows.pop())


@pytest.mark.parametrize(
    "change",
    [
        _other_sound,
        _other_label,
        _other_session,
        _other_fold,
        _other_box,
        _box_of_another,
        _not_annotated,
        _recording_less,
    ],
)
def test_the_hash_changes_with_anything_that_is_trained_on(change: Callable[[Path], None], copied: Path) -> None:
    before = read_manifest(copied).content_hash()
    change(copied)
    assert read_manifest(copied).content_hash() != before


def test_the_hash_does_not_depend_on_where_the_data_lies(folder: Path, copied: Path) -> None:
    assert read_manifest(copied).content_hash() == read_manifest(folder).content_hash()


def test_backgrounds_are_no_recordings_of_any_fold_and_change_the_hash(copied: Path) -> None:
    before = read_manifest(copied)
    (copied / "background").mkdir()
    soundfile.write(copied / "background" / "dawn.wav", np.zeros(24_000), 24_000)
    (copied / "background" / "notes.txt").write_text("wind from the west\n", encoding="utf-8")
    after = read_manifest(copied)
    assert [recording.path.name for recording in after.backgrounds] == ["dawn.wav"]
    assert before.backgrounds == ()
    assert after.recordings == before.recordings
    assert after.content_hash() != before.content_hash()


def test_a_species_without_a_taxon_is_named_with_the_nearest(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[0].update(species="parus_mayor"))
    with pytest.raises(RecordingError, match=r"recordings\.csv names .*'parus_mayor'; did you mean parus_major"):
        read_manifest(copied)


def test_a_species_like_none_is_answered_with_the_known_ones(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[0].update(species="0000"))
    with pytest.raises(RecordingError, match=r"'0000'; known are anas_platyrhynchos"):
        read_manifest(copied)


@pytest.mark.parametrize(
    ("table", "column"),
    [("birds/recordings.csv", "session"), ("birds/annotations.csv", "end_s"), ("negatives/recordings.csv", "fold")],
)
def test_a_missing_column_is_named(table: str, column: str, copied: Path) -> None:
    changed(copied / table, lambda rows: [row.pop(column) for row in rows])
    with pytest.raises(RecordingError, match=rf"{table} lacks the column {column}"):
        read_manifest(copied)


# The file


@pytest.fixture
def stored(copied: Path) -> Path:
    """A manifest file above the data folder that it was made of."""
    path = copied.parent / "manifest.json"
    whole = read_manifest(copied)
    stated = [dataclasses.replace(r, sha256=sha256_of(r.path)) for r in whole.recordings]
    stated[0] = dataclasses.replace(stated[0], also=("parus_major",), recordist="Ada", licence="CC0")
    write_manifest(dataclasses.replace(whole, recordings=tuple(stated)), path)
    return path


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_manifest_file_gives_back_what_was_written(stored: Path, copied: Path) -> None:
    manifest, whole = read_manifest(stored), read_manifest(copied)
    assert [r.path.resolve() for r in manifest.recordings] == [r.path.resolve() for r in whole.recordings]
    for found, expected in zip(manifest.recordings, whole.recordings, strict=True):
        assert (found.label, found.session, found.fold, found.boxes) == (
            expected.label,
            expected.session,
            expected.fold,
            expected.boxes,
        )
    first = manifest.recordings[0]
    assert (first.also, first.recordist, first.licence) == (("parus_major",), "Ada", "CC0")
    assert manifest.taxa == {label: TAXA[label] for label in whole.labels}
    assert manifest.content_hash() == json.loads(stored.read_text(encoding="utf-8"))["content_hash"]


def test_labels_in_the_background_change_the_hash(stored: Path, copied: Path) -> None:
    assert read_manifest(stored).content_hash() != read_manifest(copied).content_hash()


def test_a_manifest_moves_together_with_its_recordings(stored: Path, copied: Path, tmp_path: Path) -> None:
    before = read_manifest(stored).content_hash()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(stored, elsewhere)
    shutil.move(copied, elsewhere)
    assert read_manifest(elsewhere / stored.name).content_hash() == before


def test_a_recording_of_another_size_is_named_at_once(stored: Path, copied: Path) -> None:
    (copied / "negatives" / "wind1.wav").write_bytes(b"RIFF")
    with pytest.raises(RecordingError, match=r"wind1\.wav is not what it was .* has 4 bytes, expected \d+"):
        read_manifest(stored)


def test_another_content_of_the_same_size_is_named_when_the_content_is_read(stored: Path, copied: Path) -> None:
    _other_sound(copied)
    manifest = read_manifest(stored)
    with pytest.raises(RecordingError, match=r"wind2\.wav is not what it was when the manifest was built"):
        manifest.content_hash()


def test_a_recording_that_a_manifest_file_misses_is_named(stored: Path, copied: Path) -> None:
    (copied / "negatives" / "wind1.wav").unlink()
    with pytest.raises(RecordingError, match=r"wind1\.wav, which .*manifest\.json names, cannot be read"):
        read_manifest(stored)


def test_a_label_without_a_taxon_is_named_with_the_nearest(stored: Path) -> None:
    edited(stored, lambda document: document["recordings"][0].update(label="parus_mayor"))
    with pytest.raises(RecordingError, match="a label without a taxon: 'parus_mayor'; did you mean parus_major"):
        read_manifest(stored)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(version=2), "has version 2, this program reads up to 1"),
        (lambda d: d.pop("taxa"), "is no manifest, or a damaged one: .*taxa"),
        (lambda d: d["recordings"][0].update(fold="x"), "is no manifest, or a damaged one: .*fold"),
        (lambda d: d["recordings"][1].update(session=d["recordings"][0]["session"]), "must stay in one fold"),
        (lambda d: d["recordings"][0].update(session="other"), "was changed after it was built"),
        (lambda d: d["recordings"].pop(), "was changed after it was built"),
    ],
)
def test_a_manifest_file_that_does_not_hold_together_is_refused(
    change: Callable[[dict[str, Any]], object], told: str, stored: Path
) -> None:
    with pytest.raises(RecordingError, match=told):
        read_manifest(edited(stored, change))


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_a_damaged_manifest_file_is_never_read_as_another(drawn: st.DataObject, stored: Path) -> None:
    whole = stored.read_bytes()
    expected = read_manifest(stored)
    at = drawn.draw(st.integers(0, len(whole) - 1))
    byte = drawn.draw(st.integers(0, 255))
    damaged = stored.with_name("damaged.json")
    damaged.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    try:
        found = read_manifest(damaged)
    except RecordingError:
        return
    same = [(r.label, r.session, r.fold, r.boxes, r.also, r.path) for r in found.recordings]
    assert same == [(r.label, r.session, r.fold, r.boxes, r.also, r.path) for r in expected.recordings]


def test_a_manifest_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"manifest .*nowhere\.json cannot be read: No such file"):
        read_manifest(tmp_path / "nowhere.json")


def test_a_manifest_is_written_whole_or_not_at_all(stored: Path) -> None:
    manifest = read_manifest(stored)
    before = stored.read_bytes()
    with pytest.raises(RecordingError, match="cannot be written"):
        write_manifest(manifest, stored / "below.json")
    assert stored.read_bytes() == before
    write_manifest(manifest, stored)
    assert stored.read_bytes() == before
    assert not list(stored.parent.glob(".*"))


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [("birds/recordings.csv", "fold", "first"), ("birds/annotations.csv", "end_s", "4,5")],
)
def test_a_cell_that_is_no_number_is_named(table: str, column: str, text: str, copied: Path) -> None:
    changed(copied / table, lambda rows: rows[0].update({column: text}))
    with pytest.raises(RecordingError, match=rf"{table}: {column} must be a number, got '{text}'"):
        read_manifest(copied)
