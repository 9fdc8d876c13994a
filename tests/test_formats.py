"""Formats of other programs, each read back by its own rules, and any number of them at once."""

import csv
import json
import logging
import sqlite3
import struct
import sys
import uuid
import wave
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality, SampleClock, minute_after
from monitor.effort import Minutes
from monitor.errors import ConfigError, StoreError
from monitor.messages import DetectionMessage
from monitor.recorded import Part, Recorded, guano, riff
from monitor.records import Block, Cause, Gap, Window
from monitor.sinks.origin import Origin
from monitor.sinks.reading import by_hour, read_minutes
from monitor.sinks.store import Store
from monitor.sinks.tables import COLUMNS, NAMES, EffortRows, Format, Heard, HeardFile, Row, open_tables

modest = settings(derandomize=True, deadline=None, max_examples=40)

RATE = 24_000
BAND_HZ = (150.0, 11_000.0)
START = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)
ALL = tuple(Format)


def row(file: str, onset_s: float, name: str = "Parus major", confidence: float = 0.9, **further: object) -> Row:
    """A detection of three seconds."""
    known: dict[str, object] = {"label": name, "id": f"{file}:{onset_s}:{name}", **further}
    utc = ("2026-05-01T04:12:01.500Z", "2026-05-01T04:12:04.500Z")
    return Row(file, onset_s, onset_s + 3, name, name.lower(), confidence, *utc, "valley-1", **known)  # type: ignore[arg-type]


def heard(name: str, duration_s: float, *rows: Row) -> Heard:
    """A recording of one file."""
    return Heard([HeardFile(name, duration_s, rows)])


def written(folder: Path, forms: Sequence[Format], *recordings: Heard) -> Path:
    """Write tables and return their folder."""
    with open_tables(folder, forms, BAND_HZ) as tables:
        for recording in recordings:
            tables.add(recording)
    return folder


def lines(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """A table with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def wav(path: Path, subtype: str = "PCM_16", form: str = "WAV") -> Path:
    """Half a second of noise, an odd number of samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, RATE // 2 + 1), RATE, subtype, format=form)
    return path


# Each by the rules of its program


def test_birdnets_csv_has_its_columns(tmp_path: Path) -> None:
    written(tmp_path, [Format.BIRDNET], heard("a, b.wav", 60, row("a, b.wav", 1.5)))
    (found,) = lines(tmp_path / "detections.birdnet.csv")
    assert found == {
        "Start (s)": "1.5",
        "End (s)": "4.5",
        "Scientific name": "Parus major",
        "Common name": "parus major",
        "Confidence": "0.9",
        "File": "a, b.wav",
    }


@pytest.mark.parametrize("file", ["/media/card/A/a.wav", "card/A/a.wav", "A/a.wav", "a.wav"])
def test_kaleidoscope_finds_the_file_and_the_place_in_it(file: str, tmp_path: Path) -> None:
    written(tmp_path, [Format.KALEIDOSCOPE], heard(file, 60, row(file, 1.5)))
    (found,) = lines(tmp_path / "detections.kaleidoscope.csv")
    assert list(found) == ["INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST"]
    assert Path(found["INDIR"], found["FOLDER"], found["IN FILE"]) == Path(file)
    assert [found[name] for name in ("OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST")] == [
        "1.5",
        "3.0",
        "Parus major",
        "0.1",
    ]


def test_audacity_reads_a_label_track_beside_each_recording(tmp_path: Path) -> None:
    written(
        tmp_path, [Format.AUDACITY], heard("A/a.wav", 60, row("A/a.wav", 1.5), row("A/a.wav", 8)), heard("b.wav", 60)
    )
    tracks = [line.split("\t") for line in (tmp_path / "audacity/A/a.wav.labels.txt").read_text().splitlines()]
    assert [(float(start), float(end), text) for start, end, text in tracks] == [
        (1.5, 4.5, "parus major 0.9000"),
        (8.0, 11.0, "parus major 0.9000"),
    ]
    assert (tmp_path / "audacity/b.wav.labels.txt").read_text() == "", "it was looked for, and nothing found"


def test_raven_opens_a_table_for_each_recording_whose_times_count_from_its_start(tmp_path: Path) -> None:
    written(tmp_path, [Format.RAVEN_EACH], *(heard(name, 60, row(name, 1.5)) for name in ("a.wav", "b.wav")))
    for name in ("a.wav", "b.wav"):
        (found,) = lines(tmp_path / f"raven/{name}.selections.txt", "\t")
        assert (found["Selection"], found["Begin Time (s)"], found["End Time (s)"]) == ("1", "1.500", "4.500")


def test_parquet_gives_back_every_column_with_its_type(tmp_path: Path) -> None:
    rows = [row("a.wav", 1.5, channel=2, site="Moor", latitude=47.91, longitude=11.28), row("h\udce4.wav", 2.25)]
    written(
        tmp_path,
        [Format.PARQUET],
        heard("a.wav", 60, rows[0]),
        heard("quiet.wav", 60),
        heard("h\udce4.wav", 60, rows[1]),
    )
    table = pyarrow.parquet.read_table(tmp_path / "detections.parquet")
    first, second = table.to_pylist()
    assert tuple(table.column_names) == COLUMNS
    assert first["onset_utc"] == START + timedelta(seconds=1.5)
    assert [first[name] for name in ("onset_s", "channel", "site", "latitude", "longitude")] == [
        1.5,
        2,
        "Moor",
        47.91,
        11.28,
    ]
    assert (second["file"], second["channel"], second["site"]) == ("h\ufffd.wav", None, None)


def test_parquet_without_detections_is_a_table_without_rows(tmp_path: Path) -> None:
    written(tmp_path, [Format.PARQUET], heard("a.wav", 60))
    assert pyarrow.parquet.read_table(tmp_path / "detections.parquet").num_rows == 0


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"pip install 'dawnchorus\[fleet\]'"):
        written(tmp_path, [Format.CSV, Format.PARQUET])
    assert list(tmp_path.iterdir()) == []


# The store


def account(stream: str, seconds: int, lost_s: int) -> EffortRows:
    """The effort of a recording that was heard but for its last seconds."""
    clock = SampleClock(RATE, START, Quality.RECORDER)
    minutes = Minutes(RATE, lambda sample: minute_after(clock, sample))
    rows = EffortRows(Origin("moor", stream, clock, "valley-1"), minutes, uuid.NAMESPACE_URL)
    heard_samples, end = (seconds - lost_s) * RATE, seconds * RATE
    audio: list[Block | Gap] = [
        Block(0, np.full(heard_samples, 0.1, np.float32)),
        Gap(heard_samples, end, Cause.DAMAGED),
    ]
    for piece in minutes.watched(audio):
        if isinstance(piece, Gap):
            rows.lost(piece)
        else:
            rows.heard(Window(0, piece.end_sample, piece.samples), np.zeros(1, np.float32))
    rows.ended(end)
    return rows


def test_the_store_holds_what_a_station_would_have_kept(tmp_path: Path) -> None:
    effort = account("a.wav", 150, 30)
    recording = Heard([HeardFile("a.wav", 150, [row("a.wav", 1.5)])], effort.minutes, effort.hours)
    written(tmp_path, [Format.SQLITE], recording, heard("b.wav", 60, row("b.wav", 2, "Corvus frugilegus")))
    with closing(sqlite3.connect(tmp_path / "detections.sqlite")) as database:
        database.row_factory = sqlite3.Row
        first, second = database.execute("SELECT * FROM detections ORDER BY sequence")
        assert (first["recording"], first["onset_s"], first["clock_quality"]) == ("a.wav", 1.5, "recorder")
        assert second["scientific_name"] == "Corvus frugilegus"
        (hour,) = database.execute("SELECT * FROM effort")
        assert (hour["heard_s"], hour["lost_s"], hour["lost_damaged_s"]) == (120, 30, 30)
        assert database.execute("SELECT count(*) FROM outbox").fetchone()[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["detections.sqlite"]


def test_a_station_reads_it_and_goes_on_numbering_behind_it(tmp_path: Path) -> None:
    effort = account("a.wav", 150, 30)
    written(
        tmp_path, [Format.SQLITE], Heard([HeardFile("a.wav", 150, [row("a.wav", 1.5)])], effort.minutes, effort.hours)
    )
    sequences: list[int] = []

    def build(sequence: int) -> DetectionMessage:
        sequences.append(sequence)
        return DetectionMessage(
            id="live", station="moor", sequence=sequence, recording="mic", onset_utc=None, offset_utc=None,
            clock_quality="ntp", onset_s=0.0, offset_s=3.0, label="x", scientific_name="x", common_name="x",
            confidence=1.0, model="valley-1",
        )  # fmt: skip

    store = Store(tmp_path, "moor", 1000)
    store.add(build)
    store.close()
    assert sequences == [3]
    (hour,) = by_hour(read_minutes(tmp_path))
    assert (hour.heard_s, hour.lost_s) == (120, 30)


def test_what_one_that_was_killed_left_does_no_harm(tmp_path: Path) -> None:
    recording = heard("a.wav", 60, row("a.wav", 1))
    with open_tables(tmp_path, [Format.SQLITE], BAND_HZ) as tables:
        tables.add(heard("lost.wav", 60, row("lost.wav", 1)))
        tables.flush()
        left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    written(tmp_path, [Format.SQLITE], recording)
    assert [path.name for path in tmp_path.iterdir()] == ["detections.sqlite"]
    with closing(sqlite3.connect(tmp_path / "detections.sqlite")) as database:
        assert database.execute("SELECT recording FROM detections").fetchall() == [("a.wav",)]


def test_the_same_recording_gives_the_same_store(tmp_path: Path) -> None:
    dumps = []
    for name in ("once", "twice"):
        effort = account("a.wav", 150, 30)
        folder = written(tmp_path / name, [Format.SQLITE], Heard([], effort.minutes, effort.hours))
        with closing(sqlite3.connect(folder / "detections.sqlite")) as database:
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1]


# Copies


def guan(path: Path) -> dict[str, str]:
    """GUANO's fields of a WAV, found without the program's own reader."""
    content = path.read_bytes()
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    at = content.rindex(b"guan")
    (size,) = struct.unpack("<I", content[at + 4 : at + 8])
    assert at + 8 + size == len(content)
    assert size % 2 == 0
    pairs = (line.split(": ", 1) for line in content[at + 8 :].decode().strip().split("\n"))
    return {key: value for key, value in pairs}  # noqa: C416 - lists, not pairs


@pytest.mark.parametrize(
    ("subtype", "form"),
    [("PCM_16", "WAV"), ("PCM_24", "WAVEX"), ("FLOAT", "WAV"), ("PCM_U8", "WAV"), ("PCM_16", "RF64")],
)
def test_a_copy_sounds_the_same_and_names_its_species_the_surest_first(subtype: str, form: str, tmp_path: Path) -> None:
    path = wav(tmp_path / "card" / "a.wav", subtype, form)
    before = path.read_bytes()
    rows = [row(str(path), 0, confidence=0.6), row(str(path), 1, "Corvus frugilegus", 0.8), row(str(path), 2)]
    written(tmp_path / "out", [Format.GUANO], heard(str(path), 0.5, *rows))
    (copy,) = (tmp_path / "out" / "annotated").rglob("*.wav")
    np.testing.assert_array_equal(soundfile.read(copy)[0], soundfile.read(path)[0])
    assert soundfile.info(copy).subtype == soundfile.info(path).subtype
    if form != "RF64":
        assert guan(copy)["Species Auto ID"] == "Parus major, Corvus frugilegus"
    assert path.read_bytes() == before, "nothing is written into an original"


def test_what_a_recorder_wrote_into_guano_stays_and_the_version_is_first(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    fields = {"GUANO|Version": "1.0", "OAD|Gain": "medium", "Note": "two  blanks\\n and more", "Species Auto ID": "Old"}
    with_chunk(path, b"guan", guano.chunk(fields))
    written(tmp_path, [Format.GUANO], heard(str(path), 0.5, row(str(path), 0)))
    (copy,) = (tmp_path / "annotated").rglob("*.wav")
    found = guan(copy)
    assert next(iter(found)) == "GUANO|Version"
    assert found == fields | {"Original Filename": "a.wav", "Species Auto ID": "Parus major"}
    with wave.open(str(copy)) as opened:
        assert opened.getnframes() == RATE // 2 + 1


def with_chunk(path: Path, name: bytes, content: bytes) -> None:
    """Put a chunk before the others."""
    whole = path.read_bytes()
    chunk = name + struct.pack("<I", len(content)) + content
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8 + len(chunk)) + b"WAVE" + chunk + whole[12:])


def test_no_copy_is_made_of_what_holds_nothing_or_is_no_wav(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    quiet, flac, gone = wav(tmp_path / "quiet.wav"), tmp_path / "a.flac", tmp_path / "gone.wav"
    soundfile.write(flac, np.zeros(RATE), RATE)
    with caplog.at_level(logging.WARNING):
        written(
            tmp_path,
            [Format.GUANO],
            heard(str(quiet), 0.5),
            heard(str(flac), 1, row(str(flac), 0)),
            heard(str(gone), 1, row(str(gone), 0)),
        )
    assert [path for path in (tmp_path / "annotated").rglob("*") if path.is_file()] == []
    assert caplog.messages == [
        f"{flac}: not copied for GUANO: no WAV with samples",
        "2 recordings could not be copied",
    ]


def test_a_wav_that_was_cut_short_becomes_a_whole_copy(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-1001])
    written(tmp_path, [Format.GUANO], heard(str(path), 0.5, row(str(path), 0)))
    (copy,) = (tmp_path / "annotated").rglob("*.wav")
    assert guan(copy)["Species Auto ID"] == "Parus major"
    with copy.open("rb") as file:
        assert all(chunk.whole for chunk in riff.chunks(file))
    np.testing.assert_array_equal(soundfile.read(copy)[0], soundfile.read(path)[0])


# All at once


@modest
@given(durations=st.lists(st.integers(1, 3600), min_size=1, max_size=8), draw=st.data())
def test_ravens_times_count_through_all_files_also_those_without_detections(
    durations: list[int], draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("raven")
    counts = [draw.draw(st.integers(0, 2)) for _ in durations]
    recordings = [
        heard(f"{index}.wav", duration, *(row(f"{index}.wav", 0.5 * number) for number in range(count)))
        for index, (duration, count) in enumerate(zip(durations, counts, strict=True))
    ]
    found = lines(written(folder, [Format.RAVEN], *recordings) / NAMES[Format.RAVEN], "\t")
    assert len(found) == sum(counts)
    for selection in found:
        before_s = sum(durations[: int(Path(selection["Begin Path"]).stem)])
        assert float(selection["Begin Time (s)"]) == pytest.approx(before_s + float(selection["File Offset (s)"]))


def test_channels_of_one_file_are_one_file_in_every_table(tmp_path: Path) -> None:
    for_channel = [[row("a.wav", 2.0 + channel, channel=channel)] for channel in (1, 2)]
    first, second = (Heard([HeardFile("a.wav", 60, rows)]) for rows in for_channel)
    written(tmp_path, [Format.RAVEN, Format.RAVEN_EACH, Format.CSV], first, second, heard("b.wav", 60, row("b.wav", 1)))
    combined = lines(tmp_path / NAMES[Format.RAVEN], "\t")
    assert [(cells["Begin Time (s)"], cells["Channel"]) for cells in combined] == [
        ("3.000", "1"),
        ("4.000", "2"),
        ("61.000", "1"),
    ]
    assert len(lines(tmp_path / "raven/a.wav.selections.txt", "\t")) == 2


def test_files_that_are_one_recording_are_files_of_their_own_in_every_table(tmp_path: Path) -> None:
    parts = [Part("a.wav", 0, 60 * RATE, START), Part("b.wav", 65 * RATE, 125 * RATE, START + timedelta(seconds=65))]
    rows = [row("b.wav", 1.0), row("a.wav", 59.0)]
    written(
        tmp_path,
        [Format.RAVEN, Format.CSV],
        Heard.of(Recorded(RATE, parts), 100.0, rows),
        heard("c.wav", 9, row("c.wav", 0)),
    )
    begins = [cells["Begin Time (s)"] for cells in lines(tmp_path / NAMES[Format.RAVEN], "\t")]
    assert begins == ["59.000", "61.000", "95.000"], "Raven opens files one behind the other, without the gap"
    assert [cells["file"] for cells in lines(tmp_path / "detections.csv")] == ["a.wav", "b.wav", "c.wav"]


def test_all_formats_at_once_hold_the_same_detections(tmp_path: Path) -> None:
    paths = [str(wav(tmp_path / "card" / name)) for name in ("A/a.wav", "B/a.wav", "c.wav")]
    recordings = [heard(path, 0.5, *(row(path, 0.1 * n) for n in range(index))) for index, path in enumerate(paths)]
    folder = written(tmp_path / "out", ALL, *recordings)
    assert {path.name for path in folder.iterdir()} == set(NAMES.values())
    expected = [(cells["file"], float(cells["onset_s"])) for cells in lines(folder / NAMES[Format.CSV])]
    assert len(expected) == 3
    objects = [json.loads(line) for line in (folder / NAMES[Format.JSONL]).read_text().splitlines()]
    assert [(cells["file"], cells["onset_s"]) for cells in objects] == expected
    assert [(x["File"], float(x["Start (s)"])) for x in lines(folder / NAMES[Format.BIRDNET])] == expected
    assert [x["TOP1MATCH"] for x in lines(folder / NAMES[Format.KALEIDOSCOPE])] == ["Parus major"] * 3
    parquet = pyarrow.parquet.read_table(folder / NAMES[Format.PARQUET]).to_pylist()
    assert [(x["file"], x["onset_s"]) for x in parquet] == expected
    assert len(list((folder / "audacity").rglob("*.txt"))) == len(list((folder / "raven").rglob("*.txt"))) == 3
    assert len(list((folder / "annotated").rglob("a.wav"))) == 1, "of that in A nothing was found"


def test_what_is_given_up_leaves_no_table_and_none_that_is_half_written(tmp_path: Path) -> None:
    written(tmp_path, [Format.CSV], heard("yesterday.wav", 60))
    before = (tmp_path / "detections.csv").read_bytes()

    def give_up() -> None:
        with open_tables(tmp_path, ALL, BAND_HZ) as tables:
            tables.add(heard("a.wav", 60, row("a.wav", 1)))
            tables.add(heard("b.wav", 60, row("b.wav", 1)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert (tmp_path / "detections.csv").read_bytes() == before
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"detections.csv", "a.wav.selections.txt", "a.wav.labels.txt"}, "those of a whole file are whole"


IN_ONE_FILE = [form for form in Format if "." in NAMES[form]]


@pytest.mark.parametrize("form", IN_ONE_FILE)
def test_a_table_whose_name_is_taken_by_a_folder_is_one_sentence(form: Format, tmp_path: Path) -> None:
    (tmp_path / NAMES[form] / "inside").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be written"):
        written(tmp_path, [form], heard("a.wav", 60, row("a.wav", 1)))
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[form]]


@pytest.mark.parametrize("form", [form for form in IN_ONE_FILE if form != Format.SQLITE])
def test_a_full_disk_is_one_sentence(form: Format, tmp_path: Path) -> None:
    (tmp_path / f"{NAMES[form]}.partial").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left"):
        written(tmp_path, [form], heard("a.wav", 60, *(row("a.wav", n) for n in range(30_000))))
    assert list(tmp_path.iterdir()) == []


def test_files_of_the_same_name_and_of_any_alphabet_have_tables_of_their_own(tmp_path: Path) -> None:
    names = ["A/a.wav", "B/a.wav", "A/a.flac", "/A/b.wav", "../A/c.wav", "Wald/große Ätsche 鳥.wav", "h\udce4her.wav"]
    written(tmp_path / "out", [Format.AUDACITY], *(heard(name, 60, row(name, 1)) for name in names))
    tracks = list((tmp_path / "out" / "audacity").rglob("*.labels.txt"))
    assert len(tracks) == len(names)
    assert all(track.read_text() for track in tracks)
