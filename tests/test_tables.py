"""Tables: whole or not at all, and the same rows in every format."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.classifier import Classifier
from monitor.clock import Quality, SampleClock
from monitor.errors import StoreError
from monitor.recorded import Part, Position, Recorded
from monitor.records import Detection, Taxon, Window
from monitor.sinks.tables import (
    COLUMNS,
    NAMES,
    DetectionRows,
    Format,
    Row,
    ScoreRows,
    Source,
    row_of,
    score_table,
)
from monitor.sinks.tables.delimited import CsvRows
from monitor.sinks.tables.lines import Encoder, Table
from monitor.sinks.tables.text import JsonRows, RavenRows

RATE = 24_000
TIT = Taxon("Parus major", "Great Tit")
ROW = Row("garden.wav", 1.5, 4.5, "Parus major", "Great Tit", 0.9876, None, None, "valley-1")
modest = settings(derandomize=True, deadline=None, max_examples=100)

# Python before 3.11.9 and 3.12.3 writes a lone carriage return into CSV without quotes (python/cpython#67044).
names = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20)
seconds = st.integers(0, 10**8).map(lambda milliseconds: milliseconds / 1000)
times = st.none() | st.just("2026-05-01T04:12:07.250Z")
places = st.none() | st.floats(-90, 90)
rows = st.builds(
    Row,
    *(names, seconds, seconds, names, names, st.integers(0, 10**4).map(lambda n: n / 10**4), times, times, names),
    label=names,
    id=st.none() | st.uuids().map(str),
    channel=st.none() | st.integers(1, 8),
    site=st.none() | names,
    latitude=places,
    longitude=places,
)


def source(name: str = "garden.wav", start: datetime | None = None, offset_s: float = 0.0) -> Source:
    quality = Quality.UNKNOWN if start is None else Quality.RECORDER
    return Source(name, SampleClock(RATE, start, quality), offset_s, "valley-1")


def detection(taxon: Taxon, onset_s: float, offset_s: float) -> Detection:
    return Detection("id", taxon.scientific_name, taxon, round(onset_s * RATE), round(offset_s * RATE), 0.75)


def encoded(encoder: Encoder, row: Row, file_offset_s: float = 0.0) -> str:
    file = io.StringIO(newline="")
    encoder.begin(file)
    encoder.write(file, row, file_offset_s)
    return file.getvalue()


# Rows


@modest
@given(onset=st.integers(0, 10**10), length=st.integers(0, 10**8), confidence=st.floats(0, 1))
def test_a_row_says_seconds_to_the_millisecond_and_utc_that_agrees(onset: int, length: int, confidence: float) -> None:
    start = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)
    row = row_of(source(start=start), (onset, onset + length), TIT, confidence)
    assert row.onset_s == pytest.approx(onset / RATE, abs=5.001e-4)
    assert row.offset_s - row.onset_s == pytest.approx(length / RATE, abs=1e-3 + 1e-9)
    assert row.confidence == pytest.approx(confidence, abs=5.001e-5)
    assert row.onset_utc is not None
    off = datetime.fromisoformat(row.onset_utc) - start - timedelta(seconds=onset / RATE)
    assert abs(off) <= timedelta(milliseconds=1)


def test_nobody_knows_the_time_of_a_row_whose_recording_does_not_say() -> None:
    row = row_of(source(), (0, RATE), TIT, 1.0)
    assert row.onset_utc is None
    assert row.offset_utc is None


def test_a_row_of_a_recording_of_several_files_names_the_one_in_which_it_begins_and_counts_from_its_start() -> None:
    start = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)
    parts = [
        Part("a.wav", 0, 10 * 48_000, start),
        Part("b.wav", 10 * 48_000, 20 * 48_000, start + timedelta(seconds=10.5)),
        Part("c.wav", 25 * 48_000, None, None),
    ]
    recorded = Recorded(48_000, parts, 2, Position(47.91, 11.28), "Moor")
    at = Source("a.wav", SampleClock(RATE, start, Quality.RECORDER), 0.0, "valley-1", recorded)
    over_seam, second, third = (row_of(at, (onset * RATE, (onset + 3) * RATE), TIT, 1.0) for onset in (8, 10, 26))
    assert (over_seam.file, over_seam.onset_s, over_seam.offset_s) == ("a.wav", 8.0, 11.0)
    assert (second.file, second.onset_s, second.onset_utc) == ("b.wav", 0.0, "2026-05-01T04:12:10.500Z")
    assert (third.file, third.onset_s, third.onset_utc) == ("c.wav", 1.0, None)
    assert (third.channel, third.site, third.latitude, third.longitude) == (2, "Moor", 47.91, 11.28)


# Formats


@modest
@given(row=rows)
def test_whatever_a_row_holds_comes_back_from_csv(row: Row) -> None:
    header, cells = csv.reader(io.StringIO(encoded(CsvRows(), row), newline=""))
    assert tuple(header) == COLUMNS
    assert cells == ["" if cell is None else str(cell) for cell in astuple(row)]


@modest
@given(row=rows)
def test_whatever_a_row_holds_comes_back_from_one_line_of_json(row: Row) -> None:
    text = encoded(JsonRows(), row)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert Row(**json.loads(text)) == row


@modest
@given(row=rows, file_offset_s=seconds)
def test_a_selection_is_one_line_whose_cells_stand_below_their_names(row: Row, file_offset_s: float) -> None:
    header, selection, end = encoded(RavenRows(150.0, 11_000.0), row, file_offset_s).split("\n")
    cells = dict(zip(header.split("\t"), selection.split("\t"), strict=True))
    assert not end
    assert float(cells["Begin Time (s)"]) == pytest.approx(file_offset_s + row.onset_s, abs=1e-3)
    assert float(cells["End Time (s)"]) == pytest.approx(file_offset_s + row.offset_s, abs=1e-3)
    assert float(cells["File Offset (s)"]) == row.onset_s
    assert cells["Begin Path"].split() == row.file.split()
    assert cells["Common Name"].split() == row.common_name.split()


def test_selections_are_numbered_from_one_through_all_recordings() -> None:
    file, encoder = io.StringIO(), RavenRows(150.0, 11_000.0)
    for file_offset_s in (0.0, 60.0, 60.0):
        encoder.write(file, ROW, file_offset_s)
    assert [line.split("\t")[0] for line in file.getvalue().splitlines()] == ["1", "2", "3"]


def test_the_columns_of_ravens_table_are_those_that_raven_knows() -> None:
    header = encoded(RavenRows(150.0, 11_000.0), ROW).splitlines()[0].split("\t")
    needed = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    assert header[: len(needed)] == needed
    assert {"Begin Path", "File Offset (s)"} <= set(header)


def test_every_format_has_a_name_of_its_own() -> None:
    assert set(NAMES) == set(Format)
    assert len(set(NAMES.values())) == len(Format)


# Whole or not at all


def test_a_table_appears_when_it_is_complete_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "rows.csv"
    with Table(path, CsvRows()) as table:
        table.write([ROW], 0.0)
        assert not path.exists()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, StoreError, KeyboardInterrupt])
def test_a_table_that_is_given_up_leaves_the_old_one(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("yesterday\n", encoding="utf-8")

    def give_up() -> None:
        with Table(path, CsvRows()) as table:
            table.write([ROW], 0.0)
            raise error

    with pytest.raises(error):
        give_up()
    assert path.read_text(encoding="utf-8") == "yesterday\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("yesterday\n" * 1000, encoding="utf-8")
    with Table(path, CsvRows()):
        pass
    assert path.read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"


def _folder_in_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "rows.csv"


def _full_disk(folder: Path) -> Path:
    (folder / "rows.csv.partial").symlink_to("/dev/full")
    return folder / "rows.csv"


def _folder_of_that_name(folder: Path) -> Path:
    (folder / "rows.csv").mkdir()
    return folder / "rows.csv"


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (_folder_in_a_file, "File exists"),
        (_full_disk, "No space left on device"),
        (_folder_of_that_name, "Is a directory"),
    ],
)
def test_a_table_that_cannot_be_written_says_which_and_why_and_leaves_no_part(
    place: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    path = place(tmp_path)

    def write() -> None:
        with Table(path, CsvRows()) as table:
            table.write([ROW], 0.0)

    with pytest.raises(StoreError, match=reason) as refused:
        write()
    assert str(path) in str(refused.value)
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_disk_that_fills_up_while_rows_are_written_is_an_error_at_once(tmp_path: Path) -> None:
    asked = iter(range(100_000))
    with pytest.raises(StoreError, match="No space left"), Table(_full_disk(tmp_path), CsvRows()) as table:
        table.write((ROW for _ in asked), 0.0)
    assert next(asked) < 1000


def test_a_name_that_is_not_utf8_comes_back_as_the_bytes_that_it_is(tmp_path: Path) -> None:
    with Table(tmp_path / "rows.csv", CsvRows()) as table:
        table.write([Row("h\udce4her.wav", 0.0, 1.0, "Parus major", "Great Tit", 1.0, None, None, "valley-1")], 0.0)
    assert b"h\xe4her.wav" in (tmp_path / "rows.csv").read_bytes()


# What is collected


def test_detections_are_sorted_by_onset_when_the_recording_has_ended() -> None:
    found = DetectionRows(source())
    rook = Taxon("Corvus frugilegus", "Rook")
    for late in (detection(TIT, 5, 8), detection(TIT, 1, 9), detection(rook, 1, 20)):
        found.handle(late)
    found.ended(20 * RATE)
    assert [(row.onset_s, row.common_name) for row in found.rows] == [
        (1.0, "Rook"),
        (1.0, "Great Tit"),
        (5.0, "Great Tit"),
    ]


@modest
@given(
    floor=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    values=st.lists(st.sampled_from([0, 0.2, 0.25, 0.5, 1]), min_size=10, max_size=10),
)
def test_every_score_from_the_floor_up_is_a_row_of_its_window(
    tmp_path_factory: pytest.TempPathFactory, floor: float, values: list[float]
) -> None:
    labels, folder = Classifier().contract.labels, tmp_path_factory.mktemp("scores")
    window = Window(RATE, 4 * RATE, np.zeros(3 * RATE, np.float32))
    with score_table(folder) as table:
        ScoreRows(source(), labels, floor, table).heard(window, np.array(values, np.float32))
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    above = [(x.scientific_name, score) for x, score in zip(labels, values, strict=True) if score >= floor]
    assert [row["scientific_name"] for row in written] == [name for name, _score in above]
    assert [float(row["confidence"]) for row in written] == pytest.approx([score for _name, score in above])
    assert {(row["onset_s"], row["offset_s"]) for row in written} <= {("1.0", "4.0")}
