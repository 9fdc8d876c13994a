"""`dawnchorus find`: what is most like some examples."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import run
from standins import write_small
from strange import buzz, calm, clicks, placed, whistle, write

from monitor.classifier import Classifier
from monitor.errors import ModelError, RecordingError
from monitor.sinks.unknown.shelf import FILE as STORE
from monitor.sinks.unknown.shelf import Network, Shelf, Unknown
from monitor.sources.recordings import Reading
from monitor.unknown import cache, gathering
from monitor.unknown.collection import Collection, Origin, Windows
from monitor.unknown.likeness import Space, examples, likeness_of, ranked


@pytest.fixture(scope="module")
def starter() -> Classifier:
    """The bundled model."""
    return Classifier()


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings in which a buzz is heard at 12 s of the first and 24 s of the second, among other sounds."""
    folder = tmp_path_factory.mktemp("season")
    write(folder / "a.wav", placed([buzz(1), whistle(1), clicks(1)], 12, 48, 1))
    write(folder / "deep" / "b.wav", placed([whistle(2), buzz(2)], 12, 40, 2))
    write(folder / "c.wav", placed([clicks(3), whistle(3)], 12, 40, 3))
    return folder


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A buzz that is none of those."""
    return write(tmp_path / "example.wav", placed([buzz(9)], 0.2, 2, 9))


def collected(starts_s: list[float], origin: list[int], vectors: np.ndarray | None = None) -> Collection:
    """Windows of two seconds, wherever a test wants them."""
    count = len(starts_s)
    zeros = np.zeros(count, np.float32)
    given_vectors = np.ones((count, 3), np.float16) if vectors is None else vectors.astype(np.float16)
    windows = Windows(np.array(starts_s), zeros, zeros, zeros, np.zeros(count, np.int64), given_vectors)
    origins = [Origin(f"{number}.wav", None) for number in range(max(origin) + 1)]
    ones = np.ones(count, np.int64)
    return Collection(Network("a", "a", 8), 2.0, ["x"], origins, np.array(origin), windows, ones, lambda _: iter(()))


def test_it_finds_the_same_sound_in_other_recordings_and_each_time_once(season: Path, example: Path) -> None:
    found = run("find", example, "--in", season, "--csv", "-n", 2)
    assert found.returncode == 0, found.stderr
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    places = {(Path(row["file"]).name, round(float(row["start_s"]) / 12)) for row in rows}
    assert places == {("a.wav", 1), ("b.wav", 2)}
    assert float(rows[0]["likeness"]) >= float(rows[1]["likeness"])


def test_an_example_that_lies_among_what_is_searched_is_not_found_again(season: Path) -> None:
    found = run("find", season / "a.wav", "--in", season, "--json", "-n", 50)
    names = {Path(row["file"]).name for row in json.loads(found.stdout)}
    assert names == {"b.wav", "c.wav"}


def test_a_damaged_recording_is_told_of_and_the_others_are_searched(
    season: Path, example: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(season, tmp_path / "season", ignore=shutil.ignore_patterns(".*"))
    (folder / "broken.wav").write_bytes(b"RIFF....nothing")
    found = run("find", example, "--in", folder, "--no-cache", "-n", 1)
    assert found.returncode == 1
    assert "broken.wav: " in found.stderr
    assert "a.wav" in found.stdout or "b.wav" in found.stdout
    assert not (folder / cache.FILE).exists()


def test_nothing_that_could_be_searched_is_no_empty_answer(example: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = run("find", example, "--in", tmp_path / "empty")
    assert found.returncode == 1
    assert "no recordings in this folder" in found.stderr
    assert found.stdout == ""


def test_without_a_place_to_look_it_says_what_to_name(example: Path) -> None:
    found = run("find", example)
    assert found.returncode == 78
    assert "nowhere to look: recordings, a folder of them, or unknown: {directory: ...}" in found.stderr


def test_a_second_question_hears_nothing_again_but_what_has_changed(
    season: Path, starter: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(season, tmp_path / "season", ignore=shutil.ignore_patterns(".*"))
    heard: list[str] = []
    real = gathering.embed

    def embed(recording: gathering.Recording, *others: object) -> object:
        heard.append(Path(str(recording.paths[0])).name)
        return real(recording, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(gathering, "embed", embed)
    first = gathering.from_recordings([folder], starter, Reading()).collection
    assert sorted(heard) == ["a.wav", "b.wav", "c.wav"]
    heard.clear()
    again = gathering.from_recordings([folder], starter, Reading()).collection
    assert heard == []
    for name in ("starts_s", "levels_dbfs", "standings_db", "scores", "labels", "vectors"):
        np.testing.assert_array_equal(getattr(again.windows, name), getattr(first.windows, name))
    write(folder / "c.wav", calm(12))
    (folder / "a.wav").unlink()
    changed = gathering.from_recordings([folder], starter, Reading()).collection
    assert heard == ["c.wav"]
    assert sorted(Path(origin.name).name for origin in changed.origins) == ["b.wav", "c.wav"]


def test_a_damaged_cache_is_made_anew(season: Path, starter: Classifier, tmp_path: Path) -> None:
    folder = shutil.copytree(season, tmp_path / "season", ignore=shutil.ignore_patterns(".*"))
    (folder / cache.FILE).write_bytes(b"not a database, " * 100)
    gathering.from_recordings([folder], starter, Reading())
    assert (folder / cache.FILE).read_bytes().startswith(b"SQLite format 3")


def test_a_folder_that_takes_no_cache_is_searched_all_the_same(
    season: Path, starter: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(season, tmp_path / "season", ignore=shutil.ignore_patterns(".*"))
    (folder / cache.FILE).mkdir()
    found = gathering.from_recordings([folder], starter, Reading())
    assert len(found.collection.origins) == 3
    assert "what is found here is not remembered for the next time" in caplog.text


def test_a_recording_too_short_to_judge_is_a_failure_and_no_silence(starter: Classifier, tmp_path: Path) -> None:
    write(tmp_path / "short.wav", calm(0.3))
    with pytest.raises(RecordingError, match=r"too short to judge: at least 0\.666667 s expected"):
        gathering.from_recordings([tmp_path / "short.wav"], starter, Reading())


def test_a_model_without_vectors_says_so(season: Path, tmp_path: Path) -> None:
    model = write_small(tmp_path / "small.onnx").with_suffix(".onnx")
    with pytest.raises(ModelError, match="gives no embedding"):
        gathering.from_recordings([season], Classifier(model), Reading())


def test_what_another_network_described_is_not_compared(starter: Classifier, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Network("0123456789abcdef", "other", 24_000), 1)
    shelf.add([Unknown("valley", "canopy", None, 0.0, 20.0, "parus_major", 0.1, np.ones(4, np.float32), b"flac")])
    shelf.close()
    with pytest.raises(ModelError, match=r"kept with the model other .* say nothing about those"):
        gathering.from_store(tmp_path / STORE, starter)


def test_the_sound_of_a_window_is_what_was_heard_there(season: Path, starter: Classifier) -> None:
    collection = gathering.from_recordings([season], starter, Reading()).collection
    rows = np.array([40, 3, 70])
    read = dict(collection.read(rows))
    assert set(read) == {3, 40, 70}
    for row, samples in read.items():
        np.testing.assert_allclose(starter.describe(samples), collection.windows.vectors[row], atol=0.02)
    some = collection.at(rows)
    np.testing.assert_array_equal(dict(some.read(np.array([1])))[1], read[3])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=1, max_size=60), st.integers(1, 20))
def test_neighbours_of_one_call_count_once_and_the_best_of_them_stands(
    places: list[tuple[int, int]], count: int
) -> None:
    collection = collected([float(start) for _, start in places], [origin for origin, _ in places])
    found = np.random.default_rng(len(places)).normal(size=len(places)).astype(np.float32)
    matches = ranked(collection, found, count)
    kept = [(places[one.row], one.likeness) for one in matches]
    assert [likeness for _, likeness in kept] == sorted((likeness for _, likeness in kept), reverse=True)
    for index, ((origin, start), _) in enumerate(kept):
        assert all(origin != other or abs(start - at) >= 2 for (other, at), _ in kept[:index])
    if len(matches) < count:  # all others are neighbours of something better
        for row, (origin, start) in enumerate(places):
            near = [likeness for (other, at), likeness in kept if other == origin and abs(start - at) < 2]
            assert near, "each is found, or beside what is"
            assert max(near) >= found[row]


def test_examples_are_the_loudest_windows_taken_evenly_from_the_clips() -> None:
    clips = collected([0, 1, 2, 3, 0, 0], [0, 0, 0, 0, 1, 2])
    clips.windows.levels_dbfs[:] = [-30, -10, -50, -20, -60, -40]
    assert examples(clips, most=4).tolist() == [1, 4, 5, 3]
    assert examples(clips, most=2).tolist() == [1, 4, 5], "one of each clip, however many there are"


def test_whatever_a_place_has_in_common_counts_for_nothing() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 12)) + 50  # what all have in common
    call = 4 * rng.normal(size=12)
    vectors[[10, 200, 333]] += call
    collection = collected([10.0 * row for row in range(400)], [0] * 400, vectors)
    wanted = (rng.normal(size=(3, 12)) + 50 + call).astype(np.float32)
    found = ranked(collection, likeness_of(collection, wanted), 3)
    assert {match.row for match in found} == {10, 200, 333}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.integers(1, 20), st.booleans())
def test_a_space_of_any_size_places_vectors_at_length_one(count: int, values: int, flat: bool) -> None:  # noqa: FBT001
    vectors = np.random.default_rng(count).normal(size=(count, values)).astype(np.float16)
    if flat:
        vectors[:] = vectors[0]
    placed_there = Space.of(vectors, np.random.default_rng(0)).placed(vectors)
    lengths = np.linalg.norm(placed_there, axis=1)
    assert np.isfinite(placed_there).all()
    assert np.all((abs(lengths - 1) < 1e-3) | (lengths < 1e-3) | (lengths <= 1.001))


def test_a_space_of_few_windows_is_the_same_however_it_is_reckoned() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 40)) @ np.diag(np.linspace(1, 9, 40))
    wide = np.hstack([vectors, np.zeros((200, 300))])  # more values than windows, and nothing in most of them
    narrow_space, wide_space = (
        Space.of(one.astype(np.float16), np.random.default_rng(0), 12) for one in (vectors, wide)
    )
    there, here = narrow_space.placed(vectors.astype(np.float16)), wide_space.placed(wide.astype(np.float16))
    np.testing.assert_allclose(there @ there.T, here @ here.T, atol=2e-3)


def test_without_examples_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(ValueError, match="at least one expected"):
        likeness_of(collected([0.0], [0]), np.zeros((0, 3), np.float32))


def test_a_tinamou_is_found_by_others_of_its_kind(real_recordings: Path) -> None:
    folder = real_recordings / "other_birds"
    own = sorted((folder / "tinamotis_pentlandii").glob("*Tinamou1*.ogg"))
    others = [path for path in folder.glob("[nt]*/*.ogg") if path not in own]
    listed = [option for path in others for option in ("--in", path)]
    found = run("find", *own, *listed, "--csv", "-n", 5)
    assert found.returncode == 0, found.stderr
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert sum("tinamotis_pentlandii" in row["file"] for row in rows) >= 3
