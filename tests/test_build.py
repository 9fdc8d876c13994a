"""From folders of recordings, in whatever layout, to a manifest whose folds do not leak."""

import contextlib
import dataclasses
import os
import re
import resource
import shutil
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
from command import BIN, run
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import short_folder
from synthetic import read_table, write_data, write_table
from typer.testing import CliRunner

from monitor.errors import ConfigError, RecordingError
from monitor.features import Floats
from monitor.records import Taxon
from training import cli
from training.archive.collection import Fetched
from training.corpus.boxes import match, read_boxes
from training.corpus.build import Built, Order, build
from training.corpus.layouts.kinship import Visit, cut_keys, visit_keys
from training.corpus.layouts.sources import Layout
from training.corpus.layouts.spool import write_once
from training.corpus.manifest import Box, Recording, read_manifest
from training.corpus.split import Label, sessions, split

RATE = 8000
modest = settings(derandomize=True, deadline=None, max_examples=60)


def noise(seed: int) -> Floats:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, 800).astype(np.float32)


def sound(path: Path, seed: int = 0) -> Path:
    """A tenth of a second; equal seeds make equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(seed), RATE)
    return path


def classes(folder: Path, names: Mapping[str, Sequence[str]]) -> Path:
    """Class folders of files that all differ."""
    paths = [folder / label / name for label, files in names.items() for name in files]
    for seed, path in enumerate(paths):
        sound(path, seed)
    return folder


TWO = {"tit": ["a.wav", "b.wav", "c.wav"], "wren": ["d.wav", "e.wav", "f.wav"]}
"""two labels in their own words"""


def order(*sources: Path | str, **more: Any) -> Order:  # noqa: ANN401
    base = Order(tuple(str(source) for source in sources), Path(sources[0]).parent / "spool", folds=2)
    return dataclasses.replace(base, **more)


def by_name(built: Built) -> dict[str, Recording]:
    return {recording.path.name: recording for recording in built.manifest.recordings}


def reasons(built: Built) -> dict[str, str]:
    return {Path(skipped.path).name: skipped.reason for skipped in built.skipped}


# The split


def groups(draw: st.DrawFn) -> tuple[list[dict[Label, int]], int]:
    labels = st.sampled_from([None, "a", "b", "c", "d"])
    sizes = draw(st.lists(st.dictionaries(labels, st.integers(1, 9), min_size=1, max_size=3), max_size=30))
    return sizes, draw(st.integers(2, 6))


structures = st.composite(groups)()
pure = st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers(1, 9)), max_size=40)
"""sessions that hold one label each"""


@modest
@given(structures, st.integers(0, 3))
def test_every_session_gets_a_fold_the_same_one_for_the_same_seed_and_none_stays_empty(
    structure: tuple[list[dict[Label, int]], int], seed: int
) -> None:
    sizes, folds = structure
    found = split(sizes, folds, np.random.default_rng(seed))
    assert found == split(sizes, folds, np.random.default_rng(seed))
    assert len(found) == len(sizes)
    assert set(found) <= set(range(folds))
    assert len(set(found)) == min(folds, len(sizes))


@modest
@given(pure, st.integers(2, 6), st.integers(0, 3))
def test_each_label_with_enough_sessions_is_in_every_fold_and_balanced_to_its_biggest_session(
    drawn: list[tuple[Label, int]], folds: int, seed: int
) -> None:
    found = split([{label: size} for label, size in drawn], folds, np.random.default_rng(seed))
    for label in {label for label, _ in drawn}:
        own = [(size, fold) for (name, size), fold in zip(drawn, found, strict=True) if name == label]
        held = [sum(size for size, fold in own if fold == number) for number in range(folds)]
        assert max(held) - min(held) <= max(size for size, _ in own)
        assert sum(count > 0 for count in held) == min(folds, len(own))


@modest
@given(structures, st.data())
def test_a_session_that_has_a_fold_keeps_it(
    structure: tuple[list[dict[Label, int]], int], drawn: st.DataObject
) -> None:
    sizes, folds = structure
    kept = drawn.draw(st.dictionaries(st.integers(0, len(sizes) - 1), st.integers(0, folds - 1))) if sizes else {}
    found = split(sizes, folds, np.random.default_rng(0), kept)
    assert {session: found[session] for session in kept} == kept


@modest
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=20))
def test_sessions_are_the_connected_parts_of_what_shares_keys(keys: list[list[str]]) -> None:
    """Against the plain definition: spread each number until nothing changes."""
    expected = list(range(len(keys)))
    for _ in keys:
        for i, own in enumerate(keys):
            for j, other in enumerate(keys):
                if set(own) & set(other):
                    expected[i] = expected[j] = min(expected[i], expected[j])
    numbers = sessions(keys)
    assert [expected.index(leader) for leader in expected] == [numbers.index(number) for number in numbers]
    assert sorted(set(numbers)) == list(range(len(set(numbers))))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from(["tit", "wren", "crow", "none"]), st.sampled_from("abcdefg"), st.integers(0, 12)),
        min_size=8,
        max_size=24,
    ),
    st.integers(2, 4),
)
def test_no_session_and_no_sound_lies_in_two_folds_whatever_the_folders_hold(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str, int]], folds: int
) -> None:
    """Arbitrary labels, cuts of arbitrary sources, and copies of the same sound wherever they fall."""
    folder = tmp_path_factory.mktemp("drawn")
    for number, (label, source, seed) in enumerate(drawn):
        sound(folder / label / f"{source}x_{number:03}.wav", seed)
    try:
        manifest = build(order(folder, folds=folds)).manifest
    except (ConfigError, RecordingError) as error:
        assert any(told in str(error) for told in ("cannot fill", "needs another label", "no recording of a species"))  # noqa: PT017
        return
    finally:
        shutil.rmtree(folder)
    in_folds: defaultdict[str, set[int]] = defaultdict(set)
    stems: defaultdict[str, set[str]] = defaultdict(set)
    for recording in manifest.recordings:
        in_folds[recording.session].add(recording.fold)
        in_folds[recording.sha256].add(recording.fold)
        stems[recording.path.stem.split("_")[0]].add(recording.path.parent.name)
    assert all(len(numbers) == 1 for numbers in in_folds.values())
    together = {stem for some in _stems_by_folder(drawn).values() if len(some) > 1 for stem in some}
    for stem in together:
        assert len({r.fold for r in manifest.recordings if r.path.name.startswith(f"{stem}_")}) <= 1


def _stems_by_folder(drawn: list[tuple[str, str, int]]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for label, source, _ in drawn:
        found[label].add(f"{source}x")
    return found


# Kinship


def visit(recordist: str = "Ada", place: str = "wood", date: str = "2024-05-01") -> Visit:
    return Visit(recordist, None, None, place, date)


def kin(*visits: Visit) -> list[int]:
    return sessions(visit_keys(visits))


def test_a_session_is_one_recordist_place_and_day() -> None:
    assert kin(visit(), visit(), visit("Bob"), visit(place="lake"), visit(date="2024-05-02")) == [0, 0, 1, 2, 3]
    assert kin(visit(), visit(" ADA ", "Wood")) == [0, 0]


def test_the_same_coordinates_are_one_place_whatever_it_is_called() -> None:
    here, there = Visit("Ada", 48.11, 11.34, "wood", "2024-05-01"), Visit("Ada", 48.12, 11.32, "forest", "2024-05-01")
    assert kin(here, there) == [0, 0]


def test_a_recording_without_a_day_may_be_of_any_day_at_its_place() -> None:
    assert kin(visit(), visit(date="2024-05-02"), visit(date="2024-00-00"), visit(place="lake")) == [0, 0, 0, 1]


def test_nobody_at_no_place_has_no_session_with_others() -> None:
    assert kin(visit("", ""), visit("", "")) == [0, 1]


def cuts(*names: str) -> list[int]:
    return sessions([keys or (name,) for keys, name in zip(cut_keys([Path(n) for n in names])[0], names, strict=True)])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["t/a_001.wav", "t/a_002.wav", "t/b_001.wav"], [0, 0, 1]),
        (["t/a-0.wav", "t/a-1.wav", "t/b.wav"], [0, 0, 1]),
        (["t/a_0.0_3.0.wav", "t/a_3.0_6.0.wav", "t/b_0.0_3.0.wav"], [0, 0, 1]),
        (["t/a_1.wav", "t/b_1.wav", "w/a_2.wav"], [0, 1, 0]),
        (["t/tit_1.wav", "t/tit_2.wav", "w/wren_1.wav", "w/wren_2.wav"], [0, 1, 2, 3]),
        (["t/1.wav", "t/2.wav", "w/1.wav"], [0, 1, 2]),
        (["t/S1_20240501_043000.wav", "t/S1_20240501_050000.wav", "t/S1_20240502_043000.wav"], [0, 0, 1]),
        (["t/XC12_a.wav", "w/tit XC12.wav", "t/XC99.wav"], [0, 0, 1]),
        (["t/XC12.wav", "t/XC14.wav", "t/XC19.wav", "t/XC25.wav", "w/XC13.wav"], [0, 0, 0, 1, 2]),
    ],
)
def test_cuts_of_one_source_are_known_by_their_names(names: list[str], expected: list[int]) -> None:
    assert cuts(*names) == expected


# A folder a class


def test_class_folders_are_labels_and_a_folder_of_noise_is_negatives(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"Great_Tit": ["a.wav", "b.wav"], "parus_major": ["c.wav"], "Noise": ["d.wav"]})
    manifest = build(order(folder)).manifest
    assert manifest.labels == ("Great_Tit", "parus_major")
    assert manifest.taxa == {
        "Great_Tit": Taxon("Great Tit", "Great Tit"),
        "parus_major": Taxon("Parus major", "Great Tit"),
    }
    assert [r.path.name for r in manifest.recordings if r.label is None] == ["d.wav"]


def test_the_parts_of_a_in_partsare_one_and_what_is_to_test_with_is_left_out(tmp_path: Path) -> None:
    """As BioDCASE-Tiny 2026 lies: Train/ and Validation/, in each a folder a class."""
    for part, names in (("Train", "ab"), ("Validation", "cd"), ("Test", "ef")):
        for number, name in enumerate(names):
            sound(tmp_path / "in" / part / ("Wren", "Background")[number] / f"{name}.wav", ord(name))
    result = build(order(tmp_path / "in"))
    assert {name: r.label for name, r in by_name(result).items()} == {
        "a.wav": "Wren",
        "b.wav": None,
        "c.wav": "Wren",
        "d.wav": None,
    }
    assert any("2 recordings of a test part" in note for note in result.notes)


def test_numbered_files_are_sources_of_their_own_and_that_is_told(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"tit": ["tit_1.wav", "tit_2.wav"], "wren": ["wren_1.wav", "wren_2.wav"]})
    result = build(order(folder))
    assert len({r.session for r in result.manifest.recordings}) == 4
    assert any("named tit..., wren... and numbered through" in note for note in result.notes)


def test_what_cannot_be_trained_on_is_left_out_with_its_reason(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    (folder / "tit" / "text.wav").write_text("no audio\n", encoding="utf-8")
    (folder / "tit" / "empty.flac").touch()
    soundfile.write(folder / "tit" / "silent.wav", np.zeros(0), RATE)
    (folder / "tit" / "gone.ogg").symlink_to(tmp_path / "nowhere")
    (folder / "tit" / "phone.m4a").write_bytes(b"....ftypM4A")
    (folder / "tit" / "notes.txt").write_text("rain\n", encoding="utf-8")
    os.mkfifo(folder / "tit" / "pipe.wav")
    sound(folder / "loose.wav", 99)
    flac = sound(folder / "wren" / "cut.flac", 98)
    flac.write_bytes(flac.read_bytes()[:700])
    result = build(order(folder))
    assert reasons(result) == {
        "text.wav": "cannot be decoded",
        "empty.flac": "is empty",
        "silent.wav": "holds no samples",
        "gone.ogg": "cannot be read",
        "phone.m4a": ".m4a cannot be decoded",
        "pipe.wav": "is no regular file",
        "loose.wav": "lies in no class folder",
        "cut.flac": "cannot be decoded",
    }
    assert sorted(by_name(result)) == ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav", "f.wav"]


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As somebody whom modes of files hold back."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_nobody_may_read_is_left_out_with_its_reason() -> None:
    with short_folder() as above:
        above.chmod(0o755)
        folder = classes(above / "in", {**TWO, "owl": ["g.wav"]})
        build(order(folder))
        for path, mode in ((folder / "tit" / "a.wav", 0o000), (folder / "owl", 0o000)):
            path.chmod(mode)
        with without_rights():
            result = build(order(folder))
        (folder / "owl").chmod(0o755)
    assert reasons(result) == {"a.wav": "cannot be read", "owl": "folder cannot be read"}
    assert sorted(by_name(result)) == ["b.wav", "c.wav", "d.wav", "e.wav", "f.wav"]


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    shutil.copy(folder / "tit" / "a.wav", folder / "tit" / os.fsdecode(b"gr\xfcn.wav"))
    assert list(reasons(build(order(folder))).values()) == ["has a name that is no UTF-8"]


def test_a_label_that_shares_its_sessions_may_miss_a_fold_and_that_is_told(tmp_path: Path) -> None:
    """Two cuts of each source: three labels, each pair on one source, cannot all be in both of two folds."""
    names = {"tit": ["a_1.wav", "b_1.wav"], "wren": ["b_2.wav", "c_1.wav"], "owl": ["c_2.wav", "a_2.wav"]}
    notes = build(order(classes(tmp_path / "in", names))).notes
    assert [note.split(" ", 1)[1] for note in notes] == ["is missing from 1 of 2 folds: it shares its sessions"]


def test_folders_behind_a_link_are_read_and_a_ring_of_links_ends(tmp_path: Path) -> None:
    elsewhere = classes(tmp_path / "elsewhere", {"wren": ["d.wav", "e.wav"]})
    folder = classes(tmp_path / "in", {"tit": ["a.wav"]})
    (folder / "wren").symlink_to(elsewhere / "wren")
    (folder / "tit" / "ring").symlink_to(folder / "tit")
    assert sorted(by_name(build(order(folder)))) == ["a.wav", "d.wav", "e.wav"]


def test_a_copy_under_the_same_label_counts_once_and_one_among_negatives_not_at_all(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    sound(folder / "tit" / "copy.wav", 0)
    sound(folder / "noise" / "copy2.wav", 1)
    result = build(order(folder))
    assert reasons(result) == dict.fromkeys(("copy.wav", "copy2.wav"), "has the same content as another recording")
    assert len(result.manifest.recordings) == 6


def test_the_same_sound_under_two_labels_is_each_also_the_other_in_one_session(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    sound(folder / "wren" / "both.wav", 0)
    found = by_name(build(order(folder)))
    assert found["a.wav"].also == ("wren",)
    assert found["both.wav"].also == ("tit",)
    assert found["a.wav"].session == found["both.wav"].session


def test_files_of_one_name_in_two_folders_are_two_recordings(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"tit": ["1.wav", "2.wav"], "wren": ["1.wav", "2.wav"]})
    recordings = build(order(folder)).manifest.recordings
    assert len({r.session for r in recordings}) == len(recordings) == 4


def test_one_class_needs_negatives(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"wren": ["a.wav", "b.wav"]})
    with pytest.raises(RecordingError, match="all recordings are wren: a classifier needs another label or negatives"):
        build(order(folder))
    rain = classes(tmp_path / "negatives", {"rain": ["r.wav"]})
    sound(rain / "rain" / "r.wav", 50)
    assert build(order(folder, negatives=rain)).manifest.labels == ("wren",)


def test_negatives_whose_table_names_a_source_share_its_session(tmp_path: Path) -> None:
    rain = tmp_path / "negatives"
    for seed, name in enumerate(("x.wav", "y.wav", "z.wav")):
        sound(rain / name, 60 + seed)
    rows = [
        {"file": name, "source_id": source} for name, source in (("x.wav", "FS1"), ("y.wav", "FS1"), ("z.wav", "FS2"))
    ]
    write_table(rain / "recordings.csv", rows)
    found = by_name(build(order(classes(tmp_path / "in", TWO), negatives=rain)))
    assert [found[name].session for name in ("x.wav", "y.wav", "z.wav")] == ["FS1", "FS1", "FS2"]


def test_backgrounds_lie_in_no_fold_and_are_no_recording_of_one(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    sound(tmp_path / "field" / "dawn.wav", 70)
    sound(tmp_path / "field" / "same.wav", 0)
    result = build(order(folder, background=tmp_path / "field"))
    assert [(r.path.name, r.fold) for r in result.manifest.backgrounds] == [("dawn.wav", -1)]
    assert reasons(result) == {"same.wav": "has the same content as another recording"}


@pytest.mark.parametrize("option", ["negatives", "background", "source"])
def test_a_folder_without_audio_is_named(option: str, tmp_path: Path) -> None:
    (tmp_path / "nothing" / "in").mkdir(parents=True)
    folder = classes(tmp_path / "in", TWO)
    with pytest.raises(RecordingError, match=f"{tmp_path / 'nothing'} holds no audio"):
        build(order(tmp_path / "nothing") if option == "source" else order(folder, **{option: tmp_path / "nothing"}))


def test_where_nothing_is_left_the_first_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "in" / "wren").mkdir(parents=True)
    (tmp_path / "in" / "wren" / "a.wav").write_text("no audio\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"no recording of a species is left; 1 were .*a\.wav: cannot be decoded"):
        build(order(tmp_path / "in"))


def test_more_folds_than_sessions_are_refused_and_a_label_of_few_sessions_is_told(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"tit": ["a.wav", "b.wav", "c.wav"], "wren": ["d.wav"]})
    with pytest.raises(ConfigError, match="4 recordings of 4 sessions cannot fill 5 folds"):
        build(order(folder, folds=5))
    notes = build(order(folder, folds=3)).notes
    assert [note.split(":")[0] for note in notes] == ["wren has 1 sessions for 3 folds"]


def test_two_seeds_in_partsotherwise_and_the_same_seed_alike(tmp_path: Path) -> None:
    folder = classes(
        tmp_path / "in", {"tit": [f"a{n}x.wav" for n in range(8)], "wren": [f"b{n}x.wav" for n in range(8)]}
    )
    hashes = [build(order(folder, seed=seed)).manifest.content_hash() for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


# The project's own layout


def test_folds_sessions_and_hash_of_the_own_layout_stay_as_they_are(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    whole = read_manifest(folder)
    manifest = build(order(folder, folds=4)).manifest
    assert manifest.content_hash() == whole.content_hash()
    sound(tmp_path / "more" / "rain.wav", 9)
    more = build(order(folder, folds=4, negatives=tmp_path / "more")).manifest
    assert more.folds == whole.folds
    assert len(more.recordings) == len(whole.recordings) + 1


def test_a_copy_that_ties_two_kept_folds_together_is_refused(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    table = folder / "birds" / "recordings.csv"
    rows = read_table(table)
    for row in rows:
        if row["file"] in {"parus_major1.wav", "parus_major3.wav"}:
            row["session"] = "one visit"
    write_table(table, rows)
    shutil.copy(folder / "birds" / "parus_major0.wav", folder / "birds" / "parus_major1.wav")
    with pytest.raises(RecordingError, match=r"parus_major3\.wav is kept in fold 1, but others .* lie in fold 0"):
        build(order(folder))


# What was fetched


def fetched(folder: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A folder as `fetch` leaves it; rows say what differs from the first."""
    first: dict[str, object] = dict.fromkeys(Fetched.__struct_fields__, "")
    first |= {"latitude": 48.1, "longitude": 11.3, "length_s": 1.0, "date": "2024-05-01", "recordist": "Ada"}
    complete = []
    for number, row in enumerate(rows, start=100):
        name = f"XC{10 * number}"
        complete.append(first | {"file": f"{name}.wav", "id": name, "scientific_name": "Parus major"} | dict(row))
        sound(folder / f"{name}.wav", number)
    write_table(folder / "recordings.csv", complete)
    return folder


def test_what_was_fetched_goes_by_species_and_visit(tmp_path: Path) -> None:
    wren = {"scientific_name": "Troglodytes troglodytes", "common_name": "Eurasian Wren"}
    folder = fetched(
        tmp_path / "in",
        [
            {"common_name": "Great Tit", "also": "Troglodytes troglodytes; Strix aluco", "licence": "CC0"},
            {"common_name": "Great Tit"},
            {"common_name": "Great Tit", "recordist": "Bob"},
            wren | {"date": "2024-05-02", "also": "Parus major"},
        ],
    )
    manifest = build(order(folder)).manifest
    assert manifest.taxa == {
        "parus_major": Taxon("Parus major", "Great Tit"),
        "troglodytes_troglodytes": Taxon("Troglodytes troglodytes", "Eurasian Wren"),
    }
    one, two, three, four = manifest.recordings
    assert one.session == two.session != three.session
    assert (one.also, one.recordist, one.licence, one.source) == (("troglodytes_troglodytes",), "Ada", "CC0", "XC1000")
    assert four.also == ("parus_major",)


def test_rows_without_a_file_and_files_without_a_row_are_told(tmp_path: Path) -> None:
    folder = fetched(
        tmp_path / "in", [{}, {}, {"recordist": "Bob"}, {"scientific_name": "Strix aluco", "date": "2020-01-01"}]
    )
    (folder / "XC1010.wav").unlink()
    sound(folder / "XC7.wav", 7)
    assert reasons(build(order(folder))) == {"XC1010.wav": "cannot be read", "XC7.wav": "has no row in recordings.csv"}


def test_the_same_number_from_two_sources_is_one_session(tmp_path: Path) -> None:
    folder = fetched(tmp_path / "in", [{}, {"recordist": "Bob"}])
    other = classes(tmp_path / "other", {"Strix_aluco": ["XC1000.wav", "x.wav"]})
    result = build(order(folder, other))
    assert len({r.session for r in result.manifest.recordings if r.path.stem == "XC1000"}) == 1


def test_a_species_that_two_sources_call_differently_has_one_label(tmp_path: Path) -> None:
    folder = fetched(tmp_path / "in", [{"common_name": "Great Tit"}, {"recordist": "Bob", "common_name": "Great Tit"}])
    other = classes(tmp_path / "other", {"Parus major": ["a.wav"], "Strix_aluco": ["x.wav"]})
    result = build(order(folder, other))
    assert result.manifest.labels == ("Strix_aluco", "parus_major")
    assert "Parus major is the same species as parus_major and goes by that" in result.notes


# BirdCLEF


def birdclef(folder: Path, rows: Sequence[Mapping[str, object]], table: str = "train_metadata.csv") -> Path:
    for number, row in enumerate(rows):
        sound(folder / "train_audio" / str(row["filename"]), number)
    write_table(folder / table, rows)
    return folder


def row(code: str, number: int, secondary: str = "[]", **more: object) -> dict[str, object]:
    names = {
        "norcar": ("Cardinalis cardinalis", "Northern Cardinal"),
        "amerob": ("Turdus migratorius", "American Robin"),
    }
    cells = {
        "primary_label": code,
        "secondary_labels": secondary,
        "filename": f"{code}/XC{number}.wav",
        "author": "Ada",
    }
    cells |= dict(zip(("scientific_name", "common_name"), names[code], strict=True))
    return {**cells, "latitude": "48.1", "longitude": "11.3", "license": "CC0", **more}


def test_birdclef_recordings_go_by_code_with_names_from_the_table(tmp_path: Path) -> None:
    rows = [row("norcar", 10, "['amerob', 'comrav']"), row("norcar", 30, author="Bob"), row("amerob", 50, "['']")]
    folder = birdclef(tmp_path / "in", rows)
    for source in (folder, folder / "train_audio"):
        manifest = build(order(source)).manifest
        assert manifest.taxa["norcar"] == Taxon("Cardinalis cardinalis", "Northern Cardinal")
        found = {r.source: r for r in manifest.recordings}
        assert (found["XC10"].also, found["XC50"].also) == (("amerob",), ())
        assert found["XC10"].session == found["XC50"].session != found["XC30"].session
        assert (found["XC30"].recordist, found["XC30"].licence) == ("Bob", "CC0")


def test_birdclef_tables_of_other_years_are_read_too(tmp_path: Path) -> None:
    """2021: names without folders, days; 2020: the code in a column of its own."""
    rows = [row("norcar", 10, date="2019-05-01"), row("norcar", 30, date="2019-05-02")]
    rows.append(row("amerob", 50, date="nan", author="Bob"))
    folder = birdclef(tmp_path / "in", rows, "train.csv")
    bare = [
        {**cells, "filename": str(cells["filename"]).rsplit("/", 1)[-1], "ebird_code": cells["primary_label"]}
        for cells in rows
    ]
    write_table(
        folder / "train.csv",
        [{**cells, "primary_label": "Some name_Another", "latitude": "Not specified"} for cells in bare],
    )
    manifest = build(order(folder)).manifest
    assert manifest.labels == ("amerob", "norcar")
    assert len({r.session for r in manifest.recordings}) == len(manifest.recordings) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"secondary_labels": "amerob"},
            r"secondary_labels must be a list as \['norcar'\], got 'amerob' in the row of norcar",
        ),
        ({"primary_label": None}, "lacks the column primary_label or ebird_code"),
        ({"filename": None}, "lacks the column filename"),
    ],
)
def test_a_birdclef_table_that_makes_no_sense_is_refused(
    change: dict[str, str | None], told: str, tmp_path: Path
) -> None:
    folder = birdclef(tmp_path / "in", [row("norcar", 10)])
    cells = {name: cell for name, cell in {**row("norcar", 10), **change}.items() if cell is not None}
    write_table(folder / "train_metadata.csv", [cells])
    with pytest.raises(RecordingError, match=told):
        build(order(folder))
    with pytest.raises(RecordingError, match="this is no BirdCLEF folder"):
        build(order(tmp_path, layout=Layout.BIRDCLEF))


# BirdSet


def birdset(folder: Path, change: Mapping[str, Sequence[object]] | None = None, *, in_parts: bool = True) -> Path:
    """A data set with BirdSet's columns, saved by the library itself."""
    codes = ["no_call", "houspa", "norcar"]
    files = [sound(folder.parent / "raw" / f"XC{10 * number}.wav", number) for number in range(1, 5)]
    columns: dict[str, Sequence[object]] = {
        "audio": [str(path) for path in files],
        "filepath": [str(path) for path in files],
        "ebird_code": [1, 1, 2, 0],
        "ebird_code_multilabel": [[1, 2], [1], [2], [0]],
        "ebird_code_secondary": [["norcar", "amerob"], None, None, None],
        "recordist": ["Ada", "Bob", "Ada", None],
        "license": ["CC0", None, None, None],
        "lat": [48.1, 48.1, 48.1, None],
        "long": [11.3, 11.3, 11.3, None],
        "detected_events": [[[0.0, 0.05]], [], [], []],
    }
    features = datasets.Features(
        {
            "audio": datasets.Audio(),
            "filepath": datasets.Value("string"),
            "ebird_code": datasets.ClassLabel(names=codes),
            "ebird_code_multilabel": datasets.Sequence(datasets.ClassLabel(names=codes)),
            "ebird_code_secondary": datasets.Sequence(datasets.Value("string")),
            "recordist": datasets.Value("string"),
            "license": datasets.Value("string"),
            "lat": datasets.Value("float64"),
            "long": datasets.Value("float64"),
            "detected_events": datasets.Sequence(datasets.Sequence(datasets.Value("float64"))),
        }
    )
    columns |= change or {}
    columns["audio"] = [{"bytes": None, "path": path} for path in columns["audio"]]
    stored = {**features, "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    made = datasets.Dataset.from_dict(columns, features=datasets.Features(stored)).cast(features)
    (datasets.DatasetDict({"train": made}) if in_parts else made).save_to_disk(str(folder))
    return folder


@pytest.mark.parametrize("in_parts", [True, False])
def test_a_saved_birdset_is_written_out_as_flac_that_is_the_sound_itself(in_parts: bool, tmp_path: Path) -> None:  # noqa: FBT001
    folder = birdset(tmp_path / "set", in_parts=in_parts)
    spool = tmp_path / "out" / "spool"
    raw = soundfile.read(tmp_path / "raw" / "XC10.wav", dtype="int16")[0]
    shutil.rmtree(tmp_path / "raw")
    manifest = build(order(folder, spool=spool)).manifest
    found = {r.source: r for r in manifest.recordings}
    assert {name: r.label for name, r in found.items()} == {
        "XC10": "houspa",
        "XC20": "houspa",
        "XC30": "norcar",
        "XC40": None,
    }
    assert (found["XC10"].also, found["XC10"].recordist, found["XC10"].licence) == (("norcar",), "Ada", "CC0")
    assert found["XC10"].session == found["XC30"].session != found["XC20"].session
    assert all(r.boxes is None for r in manifest.recordings)
    samples, rate = soundfile.read(found["XC10"].path, dtype="int16")
    assert rate == RATE
    assert np.array_equal(samples, raw)


def test_24_bits_stay_24_bits(tmp_path: Path) -> None:
    path = tmp_path / "deep.wav"
    soundfile.write(path, noise(0), RATE, subtype="PCM_24")
    write_once({"bytes": path.read_bytes(), "path": None}, tmp_path / "deep.flac")
    assert np.array_equal(*(soundfile.read(p, dtype="int32")[0] for p in (path, tmp_path / "deep.flac")))


def test_what_was_written_out_already_is_not_written_again_and_what_is_missing_is(tmp_path: Path) -> None:
    folder, spool = birdset(tmp_path / "set"), tmp_path / "spool"
    first = build(order(folder, spool=spool)).manifest
    one, other = (r.path for r in first.recordings[:2])
    before = one.stat().st_mtime_ns
    other.unlink()
    assert build(order(folder, spool=spool)).manifest.content_hash() == first.content_hash()
    assert one.stat().st_mtime_ns == before
    assert not [path for path in spool.rglob("*") if "partial" in path.name]


def test_a_disk_that_refuses_ends_the_writing_and_leaves_nothing_half(tmp_path: Path) -> None:
    folder = birdset(tmp_path / "set")
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"houspa/XC10\.flac cannot be written: Not a directory"):
        build(order(folder, spool=tmp_path / "file"))
    with full_disk(), pytest.raises(RecordingError, match=r"houspa/XC10\.flac cannot be written: File too large"):
        build(order(folder, spool=tmp_path / "spool"))
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 64 bytes, which is what a full disk feels like."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_row_that_is_no_audio_or_of_no_species_is_left_out(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio\n", encoding="utf-8")
    files = [sound(tmp_path / "more" / f"XC{number}.wav", 80 + number) for number in (70, 80, 90)]
    change: dict[str, Sequence[object]] = {
        "audio": [str(text), *map(str, files)],
        "ebird_code": [1, 1, 2, None],
        "ebird_code_multilabel": [[1], [1], [2], [1, 2]],
    }
    result = build(order(birdset(tmp_path / "set", change), spool=tmp_path / "spool"))
    assert reasons(result) == {"XC10.flac": "cannot be decoded", "XC40.flac": "names no main species"}


def test_rows_of_one_file_name_are_files_of_their_own(tmp_path: Path) -> None:
    folder = birdset(tmp_path / "set", {"filepath": ["a/XC1.ogg", "b/XC1.ogg", "b/XC2.ogg", "XC9.ogg"]})
    result = build(order(folder, spool=tmp_path / "spool"))
    assert sorted(by_name(result)) == ["XC1-0.flac", "XC1-1.flac", "XC2.flac", "XC9.flac"]


def test_a_data_set_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"data set .*set cannot be read"):
        build(order(tmp_path / "set"))
    made = datasets.Dataset.from_dict({"text": ["a"]})
    made.save_to_disk(str(tmp_path / "text"))
    with pytest.raises(RecordingError, match="lacks the column audio, ebird_code"):
        build(order(tmp_path / "text"))
    datasets.DatasetDict({"test_5s": made}).save_to_disk(str(tmp_path / "test"))
    with pytest.raises(RecordingError, match="has no split train: its splits are test_5s"):
        build(order(tmp_path / "test"))
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text("", encoding="utf-8")
    with pytest.raises(
        RecordingError, match=r"no longer supported.* load it with datasets below 4, write it with save"
    ):
        build(order(tmp_path / "script", layout=Layout.BIRDSET))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"needs the package datasets: install dawnchorus\[birdset\]"):
        build(order(tmp_path / "set"))


# Boxes

CSV = "file,begin_s,end_s,label\ntit/a.wav,0.01,0.02,tit\ntit/a.wav,0.05,0.06,Strix aluco\n"
RAVEN = (
    "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
    "1\tWaveform 1\t0.01\t0.02\tTit\n1\tSpectrogram 1\t0.01\t0.02\tTit\n2\tSpectrogram 1\t0.05\t0.06\tStrix aluco\n"
)
RAVEN_OF_SEVERAL = (
    "Selection\tBegin Time (s)\tEnd Time (s)\tBegin Path\tFile Offset (s)\tCommon Name\n"
    "1\t60.01\t60.02\tC:\\field\\tit\\a.wav\t0.01\tTit\n2\t60.05\t60.06\tC:\\field\\tit\\a.wav\t0.05\tStrix aluco\n"
)
AUDACITY = "0.01\t0.02\ttit\n\\\t2000.0\t8000.0\n0,05\t0,06\tStrix aluco\n"
BOXES = (Box(0.01, 0.02, "Tit"), Box(0.05, 0.06, "Strix aluco"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("boxes.csv", CSV),
        ("a.Table.1.selections.txt", RAVEN),
        ("a.wav.BirdNET.selection.table.txt", RAVEN),
        ("all.txt", RAVEN_OF_SEVERAL),
        ("a.txt", AUDACITY),
        ("a.txt", "\ufeff" + AUDACITY.replace("\n", "\r\n")),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_every_kind_of_table_gives_the_same_boxes(name: str, text: str, whole: bool, tmp_path: Path) -> None:  # noqa: FBT001
    folder = classes(tmp_path / "in", TWO)
    table = tmp_path / "tables" / name
    table.parent.mkdir()
    table.write_text(text, encoding="utf-8", newline="")
    result = build(order(folder, boxes=table.parent if whole else table))
    boxes = {path: r.boxes for path, r in by_name(result).items()}
    assert boxes == {**dict.fromkeys(boxes), "a.wav": BOXES}
    assert result.notes == ("1 boxes are of no label and taken for other species: Strix aluco (1)",)


def test_a_misspelt_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {"Great_Tit": ["a.wav"], "Wren": ["b.wav"]})
    (tmp_path / "a.txt").write_text("0.01\t0.02\tGraet tit\n", encoding="utf-8")
    assert any(
        "Graet tit (1, did you mean Great Tit?)" in note
        for note in build(order(folder, boxes=tmp_path / "a.txt")).notes
    )


def test_a_box_without_a_name_is_of_the_recordings_own_species(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", TWO)
    (tmp_path / "a.txt").write_text("0.01\t0.02\n", encoding="utf-8")
    assert by_name(build(order(folder, boxes=tmp_path / "a.txt")))["a.wav"].boxes == (Box(0.01, 0.02, "Tit"),)


def test_a_table_without_a_row_says_that_somebody_looked(tmp_path: Path) -> None:
    table = tmp_path / "a.Table.1.selections.txt"
    table.write_text(RAVEN.partition("\n")[0] + "\n", encoding="utf-8")
    found = by_name(build(order(classes(tmp_path / "in", TWO), boxes=table)))
    assert (found["a.wav"].boxes, found["b.wav"].boxes) == ((), None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CSV.replace("0.06", "x"), "line 3: begin and end must be seconds, got '0.05', 'x', ''"),
        (CSV.replace("0.06", "0.04"), "line 3: a box must begin at 0 or later and end after that, got 0.05 to 0.04 s"),
        (CSV.replace("0.06", "inf"), "line 3: a box must begin at 0 or later"),
        (CSV.replace("begin_s", "start"), "is no table of annotations: expected is a CSV file with the columns file, "),
        (CSV.replace("tit/a", "tit/z"), "fit no recording: the first is of tit/z.wav"),
        ("", "is no table of annotations"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(text: str, told: str, tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=re.escape(told)):
        build(order(classes(tmp_path / "in", TWO), boxes=table))


def test_annotations_of_a_name_that_two_recordings_have_need_their_folder() -> None:
    paths = [Path("in/tit/1.ogg"), Path("in/wren/1.ogg")]
    assert match({"wren/1.wav": [Box(0, 1, "x")]}, paths).boxes == {paths[1]: (Box(0, 1, "x"),)}
    with pytest.raises(RecordingError, match=r"annotations of 1\.wav fit in/tit/1\.ogg and in/wren/1\.ogg"):
        match({"1.wav": []}, paths)


def test_annotations_that_are_missing_or_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"annotations .*nowhere\.csv cannot be read"):
        read_boxes(tmp_path / "nowhere.csv")
    (tmp_path / "latin.txt").write_bytes(b"0.1\t0.2\tgr\xfcn\n")
    with pytest.raises(RecordingError, match=r"annotations .*latin\.txt are no text in UTF-8"):
        read_boxes(tmp_path / "latin.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="holds no annotations"):
        read_boxes(tmp_path / "empty")


def test_what_the_tables_hold_beyond_the_recordings_is_told(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "boxes.csv").write_text(CSV + "owl/z.wav,1,2,tit\n", encoding="utf-8")
    (tables / "read me.txt").write_text("made in spring\n", encoding="utf-8")
    notes = build(order(classes(tmp_path / "in", TWO), boxes=tables)).notes
    assert "1 recordings with annotations are not here, as owl/z.wav" in notes
    assert f"1 tables hold no annotations, as {tables / 'read me.txt'}" in notes


# The command


def test_the_command_writes_a_manifest_that_training_reads(tmp_path: Path) -> None:
    folder = classes(tmp_path / "in", {**TWO, "noise": ["r.wav", "s.wav"]})
    (folder / "tit" / "[red]text.wav").write_text("no audio\n", encoding="utf-8")
    out = tmp_path / "out" / "manifest.json"
    result = run(BIN / "dawnchorus-training", "build", folder, "-o", out, "--folds", "2")
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["label", "0", "1", "all", "sessions", "boxed"] in lines
    assert [line for line in lines if line[:1] == ["(negatives)"]] == [["(negatives)", "1", "1", "2", "2", "0"]]
    assert f"wrote {out}: 8 recordings, 1 left out" in result.stdout
    assert "left out, cannot be decoded: 1" in result.stderr
    assert "[red]text.wav" in result.stderr
    assert len(read_manifest(out).recordings) == 8
    assert [path.name for path in out.parent.iterdir()] == ["manifest.json"]


def test_a_source_that_is_no_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["build", str(tmp_path / "nowhere"), "-o", str(tmp_path / "m.json")])
    assert isinstance(result.exception, ConfigError)
    assert "nowhere is no folder; a data set of the hub needs --layout birdset" in str(result.exception)
    assert not (tmp_path / "m.json").exists()


def test_the_help_of_build_holds_an_example() -> None:
    result = CliRunner().invoke(cli.app, ["build", "--help"])
    assert result.exit_code == 0
    assert "Example: dawnchorus-training build" in result.stdout


# Real recordings


def test_real_recordings_in_class_folders_do_not_leak(real_recordings: Path, tmp_path: Path) -> None:
    """Sessions known by people against sessions found by names alone, over three species with many visits."""
    wanted = {"burhinus_oedicnemus", "corvus_frugilegus", "parus_major"}
    folder = tmp_path / "in"
    folder.mkdir()
    for label in wanted:
        (folder / label).symlink_to(real_recordings / "birds" / "recordings" / label)
    manifest = build(order(folder, folds=4, boxes=real_recordings / "birds" / "annotations.csv")).manifest
    known = {r.path.name: r for r in read_manifest(real_recordings).recordings if r.label in wanted}
    found: defaultdict[str, set[int]] = defaultdict(set)
    for recording in manifest.recordings:
        found[known[recording.path.name].session].add(recording.fold)
        assert recording.label == known[recording.path.name].label
        assert sorted(recording.boxes or (), key=repr) == sorted(known[recording.path.name].boxes or (), key=repr)
    assert len(manifest.recordings) == len(known)
    assert max(map(len, found.values())) == 1
    assert all({r.fold for r in manifest.recordings if r.label == label} == {0, 1, 2, 3} for label in wanted)
