"""The sound of the best detections of an analysis: which they are, that it is the recording's own, and what is lost."""

import csv
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import dawnchorus
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from voice import voice

from monitor.batch.best import best
from monitor.batch.excerpts import Stretch, excerpts
from monitor.recorded import guano
from monitor.records import Block, Cause, Gap, Samples
from monitor.sinks.tables import Row
from monitor.soundscape import soundscape

RATE = 48_000
SONG = soundscape(RATE)[: 19 * RATE]


def row(number: int, species: str, confidence: float, onset_s: float) -> Row:
    """A detection."""
    return Row("a.wav", onset_s, onset_s + 1, species, "", confidence, None, None, "m", "label", f"{number:08d}")


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["Parus major", "Corvus corax", ""]),
        st.sampled_from([0.5, 0.7, 0.9]),
        st.floats(0, 9),
    ),
    max_size=40,
).map(lambda found: [(one[0], row(number, *one[1:])) for number, one in enumerate(found)])


@settings(deadline=None)
@given(ROWS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_best_of_each_species_are_the_same_in_whatever_order_they_come(
    rows: list[tuple[int, Row]], most: int, chance: object
) -> None:
    found = best(rows, most)
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert best(shuffled, most) == found
    chosen = [one for kept in found.values() for one in kept]
    for name in {one.scientific_name for _number, one in rows}:
        all_of_it = sorted((one.confidence for _number, one in rows if one.scientific_name == name), reverse=True)
        mine = sorted((one.confidence for one in chosen if one.scientific_name == name), reverse=True)
        assert mine == all_of_it[:most]
    for kept in found.values():
        assert all(first.onset_s <= second.onset_s for first, second in pairwise(kept))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_cutting_into_blocks_gives_the_same_excerpts_and_none_spans_a_gap(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 60))
    samples = np.arange(length, dtype=np.float32)
    gap = data.draw(
        st.none() | st.integers(0, length - 1).flatmap(lambda a: st.tuples(st.just(a), st.integers(a, length)))
    )
    hearts = data.draw(st.lists(st.integers(0, length + 5), max_size=6))
    margin = data.draw(st.integers(0, 10))
    stretches = [Stretch(max(0, heart - margin), heart + margin + 1, heart) for heart in hearts]
    cuts = sorted(data.draw(st.sets(st.integers(0, length))) | {0, length, *(gap or ())})
    pieces: list[Block | Gap] = [
        Gap(a, b, Cause.DAMAGED) if gap and gap[0] <= a < gap[1] else Block(a, samples[a:b]) for a, b in pairwise(cuts)
    ]
    found = {number: (start, part.tolist()) for number, start, part in excerpts(pieces, stretches)}
    for number, stretch in enumerate(stretches):
        heard = [at for at in range(length) if not (gap and gap[0] <= at < gap[1])]
        run = _run(stretch, set(heard))
        assert found.get(number) == ((run[0], [float(at) for at in run]) if run else None)


def _run(stretch: Stretch, heard: set[int]) -> list[int]:
    """What of a stretch hangs together with its heart."""
    first = last = stretch.heart_sample
    if first not in heard:
        return []
    while first - 1 in heard and first > stretch.start_sample:
        first -= 1
    while last + 1 in heard and last + 1 < stretch.end_sample:
        last += 1
    return list(range(first, last + 1))


def write(path: Path, samples: Samples = SONG, subtype: str = "PCM_16") -> Path:
    """A recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype=subtype)
    return path


def analyze(folder: Path, *options: str | Path, code: int = 0) -> dict[str, bytes]:
    """What `analyze --clips` leaves in clips/, by name; the results are in `results` beside the recordings."""
    told = dawnchorus("analyze", folder, "-o", folder.parent / "results", "--timezone", "UTC", *options)
    assert told.returncode == code, told.stderr
    return clips_of(folder.parent / "results")


def clips_of(results: Path) -> dict[str, bytes]:
    """All that is in clips/."""
    folder = results / "clips"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sounds(clips: dict[str, bytes]) -> list[str]:
    """The names of the sounds."""
    return sorted(name for name in clips if name.endswith(".flac"))


def errors(results: Path) -> list[dict[str, str]]:
    """What could not be done."""
    with (results / "errors.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings with songs, and what was found in them."""
    folder = tmp_path_factory.mktemp("analysis")
    for hour in (4, 5, 7):
        write(folder / "card" / f"202605{hour:02d}_0{hour}5950.wav")
    analyze(folder / "card", "--clips", "4")
    return folder


@pytest.fixture
def copy(card: Path, tmp_path: Path) -> Path:
    """The recordings, and nothing found yet."""
    shutil.copytree(card / "card", tmp_path / "card", copy_function=shutil.copy2)
    return tmp_path / "card"


def test_a_clip_holds_every_bit_of_the_recording_and_says_where_it_is_from(card: Path) -> None:
    clips = clips_of(card / "results")
    assert len(sounds(clips)) == 4
    assert {name.replace(".png", ".flac") for name in clips if name.endswith(".png")} == set(sounds(clips))
    with (card / "results" / "clips" / "clips.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert sorted(line["clip"] for line in listed) == sounds(clips)
    for line in listed:
        path = card / "results" / "clips" / line["clip"]
        start = round(float(line["start_s"]) * RATE)
        sound, rate = soundfile.read(path, dtype="int16")
        whole, _ = soundfile.read(line["file"], dtype="int16")
        assert rate == RATE
        np.testing.assert_array_equal(sound, whole[start : start + len(sound)])
        told = guano.comment_fields(soundfile.SoundFile(path).comment)
        assert told["Timestamp"] == line["start_utc"]
        assert (told["Original Filename"], told["Species Auto ID"]) == (line["file"], "Parus major")
        assert Image.open(path.with_suffix(".png")).size[0] > 700


def test_the_clips_are_of_the_most_confident_detections_with_two_seconds_around_each(card: Path) -> None:
    with (card / "results" / "detections.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["confidence"]))
    clips = sounds(clips_of(card / "results"))
    confident = {row["id"][:8] for row in rows if float(row["confidence"]) > float(rows[4]["confidence"])}
    assert confident <= {name[-13:-5] for name in clips}
    for row in rows:
        for name in clips:
            if name[-13:-5] == row["id"][:8]:
                told = guano.comment_fields(soundfile.SoundFile(card / "results" / "clips" / name).comment)
                lasts_s = float(row["offset_s"]) - float(row["onset_s"])
                assert float(told["DawnChorus|Onset"]) == pytest.approx(min(2.0, float(row["onset_s"])), abs=0.002)
                assert float(told["DawnChorus|Offset"]) == pytest.approx(
                    min(2.0, float(row["onset_s"])) + lasts_s, abs=0.002
                )


def test_however_many_processes_work_and_however_often_it_is_run_the_bytes_are_the_same(copy: Path) -> None:
    first = analyze(copy, "--clips", "4", "--jobs", "2")
    results = copy.parent / "results"
    for name in sounds(first)[:2]:
        (results / "clips" / name).unlink()
    assert analyze(copy, "--clips", "4", "--fresh") == first
    (results / "clips" / "parus-major" / "mine.flac").touch()
    fewer = analyze(copy, "--clips", "1")
    assert len(sounds(fewer)) == 2
    assert "parus-major/mine.flac" in fewer
    assert fewer.items() - {("parus-major/mine.flac", b""), ("clips.csv", fewer["clips.csv"])} <= first.items()


def test_of_recordings_that_are_gone_the_clips_are_missed_aloud_and_the_others_are_made(copy: Path) -> None:
    gone = min(copy.iterdir())
    listing = copy.parent / "list.txt"
    listing.write_text("".join(f"{path}\n" for path in sorted(copy.iterdir())))
    results = copy.parent / "results"
    made = analyze(copy, "--clips", "9")
    gone.rename(copy.parent / "away.wav")
    told = dawnchorus(
        "analyze",
        "--list",
        listing,
        "-o",
        results,
        "--timezone",
        "UTC",
        "--clips",
        "9",
        "--keep-going",
        "--progress",
        "json",
    )
    assert told.returncode == 0
    assert sounds(clips_of(results)) == [name for name in sounds(made) if "20260504" not in name]
    assert [error["file"] for error in errors(results)] == [str(gone)]


def test_a_recording_that_vanishes_after_its_analysis_costs_its_clips_and_not_those_that_were_made(copy: Path) -> None:
    from monitor.batch.analyze import Season  # noqa: PLC0415
    from monitor.batch.clips import Clipping  # noqa: PLC0415
    from monitor.batch.found import Search  # noqa: PLC0415
    from monitor.batch.journal import Journal  # noqa: PLC0415
    from monitor.batch.sheets import Results  # noqa: PLC0415
    from monitor.batch.terms import Terms  # noqa: PLC0415

    results, terms = copy.parent / "results", Terms(zone="UTC")
    made = analyze(copy, "--clips", "9")
    analysis = terms.open()
    recordings, _ = Search([copy], terms.read_zone()).find()
    gone = min(copy.iterdir())
    gone.rename(copy.parent / "away.wav")
    journal = Journal(results, terms.signature())
    season = Season(journal, NotNeeded(), Results(results), analysis.band_hz, Clipping(results, 9, analysis.reading))  # type: ignore[arg-type]
    summary = season.analyze(recordings)
    journal.close()
    (failure,) = summary.failures
    assert failure.path == str(gone)
    assert failure.reason == "2 clips could not be made: cannot be read as audio: No such file or directory"
    assert errors(results) == [{"file": str(gone), "reason": failure.reason}]
    assert sounds(clips_of(results)) == sounds(made)
    assert summary.clips == len(sounds(made))


class NotNeeded:
    """All is known already."""

    def outcomes(self, recordings: list[object]) -> object:
        """Nothing to do."""
        assert recordings == []
        return (one for one in ())


def test_what_cannot_be_said_with_16_bits_is_kept_with_24_and_each_channel_is_its_own(tmp_path: Path) -> None:
    both = np.stack([SONG, 0.5 * SONG], axis=1)
    write(tmp_path / "card" / "20260504_045950.wav", both, "PCM_24")
    clips = analyze(tmp_path / "card", "--clips", "1", "--channels", "2")
    (name,) = sounds(clips)
    path = tmp_path / "results" / "clips" / name
    assert soundfile.info(path).subtype == "PCM_24"
    whole, _ = soundfile.read(tmp_path / "card" / "20260504_045950.wav")
    told = guano.comment_fields(soundfile.SoundFile(path).comment)
    begun = 60 * int(told["Timestamp"][14:16]) + float(told["Timestamp"][17:-1]) - (59 * 60 + 50)
    start = round((begun + 3600 if begun < 0 else begun) * RATE)
    sound, _ = soundfile.read(path)
    np.testing.assert_array_equal(sound, whole[start : start + len(sound), 1])


def test_a_clip_goes_on_in_the_next_file_of_a_recording_that_was_joined(tmp_path: Path) -> None:
    at = round(6.5 * RATE)  # in the middle of the first song
    write(tmp_path / "card" / "20260504_050000.wav", SONG[: 7 * RATE])
    write(tmp_path / "card" / "20260504_050007.wav", SONG[7 * RATE :])
    clips = analyze(tmp_path / "card", "--clips", "9", "--join", "0.5")
    first = tmp_path / "results" / "clips" / sounds(clips)[0]
    told = guano.comment_fields(soundfile.SoundFile(first).comment)
    start = round(float(told["Timestamp"][17:-1]) * RATE)
    sound, _ = soundfile.read(first)
    assert start < at < start + len(sound)
    whole = np.concatenate([soundfile.read(path)[0] for path in sorted((tmp_path / "card").iterdir())])
    np.testing.assert_array_equal(sound, whole[start : start + len(sound)])


def test_who_speaks_is_heard_unless_it_is_asked_otherwise(tmp_path: Path) -> None:
    spoken = SONG[: 16 * RATE].copy()
    words = voice(RATE, 2.0)
    spoken[9 * RATE : 9 * RATE + len(words)] += words
    write(tmp_path / "card" / "talk.wav", np.clip(spoken, -1, 1))
    everything = analyze(tmp_path / "card", "--clips", "9", "--threshold", "0.4")
    assert len(sounds(everything)) >= 2
    told = dawnchorus(
        *("analyze", tmp_path / "card", "-o", tmp_path / "results", "--threshold", "0.4", "--timezone", "UTC"),
        *("--clips", "9", "--withhold-speech"),
    )
    assert told.returncode == 0, told.stderr
    left = sounds(clips_of(tmp_path / "results"))
    assert set(left) < set(sounds(everything))
    withheld = len(sounds(everything)) - len(left)
    assert f"{len(left)} clips; {withheld} withheld, because somebody speaks in them" in told.stdout
