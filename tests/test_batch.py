"""Many recordings in one call, good ones and broken ones, through the installed command."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import COMMAND, Result, dawnchorus, run, sentence
from synthetic import LENGTH_S, RATE, SONG_S, great_tit, read_table, write_table

from monitor.batch.journal import NAME as JOURNAL
from monitor.classifier import Classifier
from monitor.records import Samples
from monitor.sinks.reading import by_hour, read_minutes
from monitor.sinks.tables import COLUMNS
from training.corpus.layouts.own import TAXA

FLOOR = 0.2

SONGS = {
    "44100.wav": (44_100, "PCM_16"),
    "48000.wav": (48_000, "PCM_16"),
    "96000.wav": (96_000, "PCM_16"),
    "192000.wav": (192_000, "PCM_16"),
    "24bit.wav": (48_000, "PCM_24"),
    "float.wav": (48_000, "FLOAT"),
    "double.wav": (48_000, "DOUBLE"),
    "song.flac": (48_000, "PCM_16"),
    "song.ogg": (48_000, "VORBIS"),
    "song.mp3": (48_000, "MPEG_LAYER_III"),
    "song.aiff": (44_100, "PCM_16"),
}
"""rate and coding of the same great tit"""
BROKEN = ("empty.wav", "header.wav", "no samples.wav", "text.wav", "0.3 s.wav", "2000 Hz.wav", "damaged.flac")
"""what holds nothing that can be heard"""
PARTLY = ("truncated.wav", "nan.wav")
"""what breaks off after the song"""
QUIET = ("silence.wav", "noise.wav")


@dataclass(frozen=True)
class Analysed:
    """A folder of recordings, and what one call said and wrote about it."""

    folder: Path
    output: Path
    result: Result

    def rows(self, name: str, table: str = "detections.csv") -> list[dict[str, str]]:
        """The rows about a recording."""
        return [row for row in read_table(self.output / table) if row["file"] == str(self.folder / name)]

    def told(self, name: str) -> list[str]:
        """The lines of stderr about a recording."""
        return [line for line in self.result.stderr.splitlines() if f"{self.folder / name}:" in line]


def write(path: Path, samples: Samples, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def noise(seconds: float) -> Samples:
    return (0.05 * np.random.default_rng(3).normal(size=round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    """All kinds of recordings at once."""
    folder = tmp_path_factory.mktemp("card")
    song = great_tit()
    for name, (rate, subtype) in SONGS.items():
        write(folder / name, song if rate == RATE else great_tit(rate), rate, subtype)
    write(folder / "stereo.wav", np.stack([song, 0.5 * song], axis=1))
    write(folder / "silence.wav", np.zeros(5 * RATE, np.float32))
    write(folder / "noise.wav", noise(5))
    healthy = (folder / "48000.wav").read_bytes()
    (folder / "empty.wav").touch()
    (folder / "header.wav").write_bytes(healthy[:44])
    (folder / "text.wav").write_text("this is no audio\n", encoding="utf-8")
    (folder / "truncated.wav").write_bytes(healthy[: len(healthy) * 7 // 8])
    lossless = (folder / "song.flac").read_bytes()
    (folder / "damaged.flac").write_bytes(lossless[: len(lossless) // 2])
    write(folder / "no samples.wav", song[:0])
    write(folder / "0.3 s.wav", song[: RATE * 3 // 10])
    write(folder / "2000 Hz.wav", song[:16_000], 2000)
    song[-RATE] = np.nan
    write(folder / "nan.wav", song, subtype="FLOAT")
    output = tmp_path_factory.mktemp("results")
    return Analysed(folder, output, dawnchorus("analyze", folder, "-o", output, "--scores", str(FLOOR)))


# What becomes of each recording


@pytest.mark.parametrize("name", [*SONGS, "stereo.wav", *PARTLY])
def test_the_great_tit_is_found_in_every_format_where_it_sings(name: str, analysed: Analysed) -> None:
    begin_s, end_s = SONG_S
    window_s = Classifier().contract.window_s
    songs = [row for row in analysed.rows(name) if row["scientific_name"] == "Parus major"]
    assert songs
    for row in songs:
        assert begin_s - window_s < float(row["onset_s"]) < float(row["offset_s"]) < end_s + window_s
        assert 0 < float(row["confidence"]) <= 1


@pytest.mark.parametrize("name", [*SONGS, "stereo.wav"])
def test_nothing_is_said_about_a_good_recording(name: str, analysed: Analysed) -> None:
    assert analysed.told(name) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_recording_without_anything_to_hear_is_one_sentence_and_no_row(name: str, analysed: Analysed) -> None:
    assert len(analysed.told(name)) == 1
    assert analysed.rows(name) == analysed.rows(name, "scores.csv") == []


@pytest.mark.parametrize("name", PARTLY)
def test_a_recording_that_breaks_off_is_one_sentence_and_its_rows(name: str, analysed: Analysed) -> None:
    assert len(analysed.told(name)) == 1
    assert analysed.rows(name)


@pytest.mark.parametrize("name", QUIET)
def test_a_quiet_recording_is_heard_without_a_detection(name: str, analysed: Analysed) -> None:
    assert analysed.rows(name) == []
    assert analysed.told(name) == []


def test_every_recording_is_accounted_for_and_the_call_says_that_some_failed(analysed: Analysed) -> None:
    names = [path.name for path in analysed.folder.iterdir()]
    assert sorted(names) == sorted([*SONGS, "stereo.wav", *QUIET, *BROKEN, *PARTLY])
    assert analysed.result.returncode == 1
    assert "Traceback" not in analysed.result.stderr
    assert len(analysed.result.stderr.splitlines()) == len(BROKEN) + len(PARTLY)
    assert f"{len(names) - len(BROKEN)} of {len(names)} recordings" in analysed.result.stdout
    total = len(read_table(analysed.output / "detections.csv"))
    assert f"{total} detections of 1 species in {analysed.output / 'detections.csv'}" in analysed.result.stdout


def test_quiet_recordings_give_no_detections_but_were_heard(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.zeros(5 * RATE, np.float32))
    write(tmp_path / "b.wav", noise(4))
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out")
    assert result.returncode == 0
    assert not result.stderr
    assert "2 of 2 recordings" in result.stdout
    assert "9.0 s heard, 0.0 s not; 0 detections" in result.stdout
    assert read_table(tmp_path / "out" / "detections.csv") == []


def test_a_slow_recording_of_8_khz_is_heard_to_its_end(tmp_path: Path) -> None:
    result = dawnchorus("analyze", write(tmp_path / "slow.wav", great_tit(8000), 8000), "-o", tmp_path)
    assert result.returncode == 0
    assert f"{LENGTH_S:.1f} s heard, 0.0 s not" in result.stdout


def test_a_recording_too_short_to_judge_is_counted_as_not_heard(tmp_path: Path) -> None:
    write(tmp_path / "short.wav", noise(0.5))
    write(tmp_path / "long.wav", noise(4))
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out")
    assert "short.wav" in sentence(result, 1)
    assert "1 of 2 recordings" in result.stdout
    assert "4.0 s heard, 0.5 s not" in result.stdout


def test_a_recording_that_breaks_off_at_once_was_not_analysed(tmp_path: Path) -> None:
    write(tmp_path / "song.flac", noise(4))
    whole = (tmp_path / "song.flac").read_bytes()
    (tmp_path / "song.flac").write_bytes(whole[: len(whole) // 2])
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out")
    assert "song.flac" in sentence(result, 1)
    assert "0 of 1 recordings" in result.stdout


def test_a_name_that_is_not_utf8_or_looks_like_markup_is_analysed_and_told_as_it_is(tmp_path: Path) -> None:
    strange = [tmp_path / "x[/red].wav", tmp_path / ":bird: [bold].wav", tmp_path / "h\udce4her.wav"]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_text("no audio\n", encoding="utf-8")
    write(tmp_path / "good.wav", great_tit())
    (tmp_path / "good.wav").rename(tmp_path / "g\udcfcte [b].wav")
    result = dawnchorus("analyze", tmp_path, "-o", tmp_path / "out")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "x[/red].wav" in result.stderr
    assert ":bird: [bold].wav" in result.stderr
    assert "1 of 4 recordings" in result.stdout
    table = (tmp_path / "out" / "detections.csv").read_text(encoding="utf-8", errors="surrogateescape")
    assert "g\udcfcte [b].wav" in table


# What is looked for


def test_a_folder_without_audio_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n", encoding="utf-8")
    told = sentence(dawnchorus("analyze", tmp_path, "-o", tmp_path / "out"), 1)
    assert str(tmp_path) in told
    assert "no recordings" in told


def test_what_is_missing_does_not_keep_the_others_from_being_analysed(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", great_tit())
    result = dawnchorus("analyze", tmp_path / "missing.wav", song, song, "-o", tmp_path)
    assert "missing.wav" in sentence(result, 1)
    assert "1 of 1 recordings" in result.stdout
    assert {row["common_name"] for row in read_table(tmp_path / "detections.csv")} >= {"Great Tit"}


# Times


@pytest.mark.parametrize(
    ("name", "zone", "start"),
    [
        ("20260501_041200.wav", "UTC", "2026-05-01T04:12:00"),
        ("SITE_20260501_041200.wav", "+02:00", "2026-05-01T02:12:00"),
        ("20260501_041200.wav", "Europe/Berlin", "2026-05-01T02:12:00"),
        ("20260101_041200.wav", "Europe/Berlin", "2026-01-01T03:12:00"),
        ("20260501T041200+0930_REC.flac", None, "2026-04-30T18:42:00"),
        ("20260501T041200+0930_REC.flac", "UTC", "2026-04-30T18:42:00"),
        ("20260501_041200.wav", None, None),
        ("garden.wav", "UTC", None),
    ],
)
def test_utc_comes_from_the_name_where_it_or_the_call_says_the_zone(
    name: str, zone: str | None, start: str | None, tmp_path: Path
) -> None:
    words = ["--timezone", zone] if zone else []
    assert dawnchorus("analyze", write(tmp_path / name, great_tit()), "-o", tmp_path, *words).returncode == 0
    rows = read_table(tmp_path / "detections.csv")
    assert rows
    for row in rows:
        for edge in ("onset", "offset"):
            if start is None:
                assert not row[f"{edge}_utc"]
            else:
                expected = datetime.fromisoformat(start).replace(tzinfo=UTC)
                expected += timedelta(seconds=float(row[f"{edge}_s"]))
                assert row[f"{edge}_utc"].endswith("Z")
                assert abs(datetime.fromisoformat(row[f"{edge}_utc"]) - expected) <= timedelta(milliseconds=1)


# Scores


def test_scores_have_the_columns_of_detections_and_nothing_below_the_floor(analysed: Analysed) -> None:
    for table in ("detections.csv", "scores.csv"):
        with (analysed.output / table).open(encoding="utf-8") as file:
            assert tuple(next(csv.reader(file))) == COLUMNS
    scores = [float(row["confidence"]) for row in read_table(analysed.output / "scores.csv")]
    assert scores
    assert min(scores) >= FLOOR


def test_scores_are_those_of_every_window_and_label_from_the_floor_up(tmp_path: Path) -> None:
    classifier = Classifier()
    contract = classifier.contract
    assert contract.parity is not None
    rate, size = contract.sample_rate, contract.window_samples
    path = write(tmp_path / "song.wav", great_tit(rate)[: round(6.6 * rate)], rate)
    samples = soundfile.read(path, dtype="float32")[0]
    starts = [*range(0, len(samples) - size, rate // 2), len(samples) - size]
    expected = {
        (round(start / rate, 3), label.scientific_name): float(score)
        for start in starts
        for label, score in zip(contract.labels, classifier.scores(samples[start : start + size]), strict=True)
    }
    for floor in (0.0, FLOOR):
        words = ("--step", "0.5", "--scores", str(floor))
        assert dawnchorus("analyze", path, "-o", tmp_path, *words).returncode == 0
        rows = read_table(tmp_path / "scores.csv")
        found = {(float(row["onset_s"]), row["scientific_name"]): float(row["confidence"]) for row in rows}
        assert len(rows) == len(found)
        wanted = {key: score for key, score in expected.items() if score >= floor}
        # Frames that windows share are summed in other groups, and one rounding may be a step of an INT8 layer.
        assert found == pytest.approx(wanted, abs=contract.parity.tolerance)


def test_a_threshold_for_all_decides_which_windows_begin_a_detection(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", great_tit())
    for threshold in ("0.05", "0.5", "0.9"):
        words = ("--threshold", threshold, "--scores", threshold)
        assert dawnchorus("analyze", path, "-o", tmp_path, *words).returncode == 0
        detections, scores = read_table(tmp_path / "detections.csv"), read_table(tmp_path / "scores.csv")
        assert {row["common_name"] for row in detections} == {row["common_name"] for row in scores}
        highest = {row["common_name"]: 0.0 for row in scores}
        for row in scores:
            highest[row["common_name"]] = max(highest[row["common_name"]], float(row["confidence"]))
        for name, confidence in highest.items():
            assert confidence == max(float(row["confidence"]) for row in detections if row["common_name"] == name)


# Tables


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with and without detections, and two that cannot be analysed."""
    folder = tmp_path_factory.mktemp("night")
    write(folder / "1 silence.wav", np.zeros(5 * RATE, np.float32))
    write(folder / "2 song.wav", great_tit())
    write(folder / "3 too short.wav", noise(0.5))
    write(folder / "4 noise.wav", noise(4.25))
    (folder / "5 text.wav").write_text("no audio\n", encoding="utf-8")
    write(folder / "6 song.flac", great_tit(44_100), 44_100)
    return folder


def read_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_raven(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_csv_json_lines_and_raven_hold_the_same_detections(night: Path, tmp_path: Path) -> None:
    for form in ("csv", "jsonl", "raven"):
        assert dawnchorus("analyze", night, "-o", tmp_path, "-f", form).returncode == 1
    table = read_table(tmp_path / "detections.csv")
    lines = read_jsonl(tmp_path / "detections.jsonl")
    selections = read_raven(tmp_path / "detections.selections.txt")
    assert len(table) >= 2
    assert [tuple(line) for line in lines] == [COLUMNS] * len(table)
    assert [{key: "" if value is None else str(value) for key, value in line.items()} for line in lines] == table
    for row, selection in zip(table, selections, strict=True):
        length_s = float(selection["End Time (s)"]) - float(selection["Begin Time (s)"])
        assert length_s == pytest.approx(float(row["offset_s"]) - float(row["onset_s"]), abs=2e-3)
        assert (selection["Begin Path"], selection["File Offset (s)"]) == (row["file"], row["onset_s"])
        assert (selection["Scientific Name"], selection["Common Name"]) == (row["scientific_name"], row["common_name"])
        assert selection["Confidence"] == row["confidence"]


def test_ravens_begin_time_counts_through_all_recordings_that_it_can_open(night: Path, tmp_path: Path) -> None:
    assert dawnchorus("analyze", night, "-o", tmp_path, "-f", "raven").returncode == 1
    begin_s, total_s = {}, 0.0
    for path in sorted(night.iterdir()):
        begin_s[str(path)] = total_s
        if path.name != "5 text.wav":
            total_s += soundfile.info(path).duration
    contract = Classifier().contract
    selections = read_raven(tmp_path / "detections.selections.txt")
    assert {Path(row["Begin Path"]).name for row in selections} == {"2 song.wav", "6 song.flac"}
    assert [row["Selection"] for row in selections] == [str(number + 1) for number in range(len(selections))]
    for row in selections:
        expected = begin_s[row["Begin Path"]] + float(row["File Offset (s)"])
        assert float(row["Begin Time (s)"]) == pytest.approx(expected, abs=2e-3)
        assert (row["View"], row["Channel"]) == ("Spectrogram 1", "1")
        assert (float(row["Low Freq (Hz)"]), float(row["High Freq (Hz)"])) == (
            contract.input.fmin_hz,
            contract.input.fmax_hz,
        )


def test_the_same_recordings_give_the_same_bytes(night: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        dawnchorus("analyze", night, "-o", tmp_path / name, "--scores", "0")
    for table in ("detections.csv", "scores.csv"):
        assert (tmp_path / "once" / table).read_bytes() == (tmp_path / "twice" / table).read_bytes()


def test_nothing_but_the_tables_and_the_journal_is_left(analysed: Analysed) -> None:
    names = sorted(path.name for path in analysed.output.iterdir())
    assert names == [JOURNAL, "detections.csv", "effort.csv", "errors.csv", "scores.csv"]


def _in_a_file(folder: Path) -> Path:
    (folder / "file").write_text("no folder\n", encoding="utf-8")
    return folder / "file" / "out"


def _a_file(folder: Path) -> Path:
    (folder / "file").write_text("no folder\n", encoding="utf-8")
    return folder / "file"


def _taken(folder: Path) -> Path:
    (folder / "out" / "detections.csv").mkdir(parents=True)
    return folder / "out"


@pytest.mark.parametrize("place", [_in_a_file, _a_file, _taken])
def test_a_place_that_cannot_be_written_is_one_sentence(place: Callable[[Path], Path], tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", great_tit())
    told = sentence(dawnchorus("analyze", song, "-o", place(tmp_path)), 1)
    assert (JOURNAL in told) != (place == _taken)
    assert "cannot be written" in told
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_disk_that_takes_no_more_keeps_the_old_table(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", great_tit())
    write_table(tmp_path / "detections.csv", [{"file": "yesterday.wav"}])
    before = (tmp_path / "detections.csv").read_bytes()
    # No file of this process may grow, which is what a full disk feels like.
    words = ("sh", "-c", 'ulimit -f 0; exec "$0" "$@"', COMMAND, "analyze", song, "-o", tmp_path)
    told = sentence(run(*words), 1)
    assert f"{JOURNAL}: the journal of the analysis cannot be written" in told
    assert (tmp_path / "detections.csv").read_bytes() == before
    assert list(tmp_path.rglob("*.partial")) == []


# Real recordings


def test_real_recordings_are_named_right(real_recordings: Path, tmp_path: Path) -> None:
    wanted = ("anas_platyrhynchos", "corvus_frugilegus", "lophophanes_cristatus", "sylvia_atricapilla")
    rows = read_table(real_recordings / "birds" / "recordings.csv")
    chosen = {
        str(real_recordings / "birds" / row["file"]): TAXA[label].scientific_name
        for label in wanted
        for row in [row for row in rows if row["species"] == label][:2]
    }
    assert dawnchorus("analyze", *chosen, "-o", tmp_path, "--scores", "0.1").returncode == 0
    detected = Counter((row["file"], row["scientific_name"]) for row in read_table(tmp_path / "detections.csv"))
    best: dict[str, tuple[float, str]] = {}
    for row in read_table(tmp_path / "scores.csv"):
        score = (float(row["confidence"]), row["scientific_name"])
        best[row["file"]] = max(best.get(row["file"], score), score)
    right = [path for path, name in chosen.items() if best[path][1] == name and detected[path, name]]
    assert len({chosen[path] for path in right}) == len(wanted), (best, chosen)
    assert len(right) >= len(chosen) - 1, (best, chosen)


def test_a_store_holds_the_effort_as_a_stations_does(tmp_path: Path) -> None:
    song = write(tmp_path / "20260501_041200.wav", np.concatenate([great_tit(), noise(70)]))
    result = dawnchorus("analyze", song, "-o", tmp_path / "out", "-f", "sqlite", "--timezone", "UTC")
    assert result.returncode == 0, result.stderr
    minutes = read_minutes(tmp_path / "out")
    assert [minute.start_utc for minute in minutes] == ["2026-05-01T04:12:00.000Z", "2026-05-01T04:13:00.000Z"]
    assert sum(minute.heard for minute in minutes) / minutes[0].sample_rate == pytest.approx(LENGTH_S + 70, abs=0.001)
    (hour,) = by_hour(minutes)
    assert hour.lost_s == 0
