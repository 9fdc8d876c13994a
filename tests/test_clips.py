"""Clips: what is kept, what is withheld, and that nothing of a voice touches the disk."""

import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rigs import Broker, Daemon, configure, kept, need_root, recordings
from voice import voice

from monitor.clock import Quality, SampleClock
from monitor.config.clips import Clips
from monitor.errors import StoreError
from monitor.privacy import Silero, VoiceGate
from monitor.records import Block, Cause, Detection, Gap, Samples, Taxon, Window
from monitor.sinks.clips import LONGEST_S, QUEUED, ClipSink, ClipWriter, Fate
from monitor.soundscape import soundscape
from monitor.windows import windows

RATE = 24_000
START = datetime(2026, 5, 1, 4, 12, 0, tzinfo=UTC)
CLOCK = SampleClock(RATE, START, Quality.NTP)
GREAT_TIT = Taxon("Parus major", "Great Tit")
SCORES = np.zeros(1, np.float32)


def detection(onset_s: float, offset_s: float, number: int = 1, taxon: Taxon = GREAT_TIT) -> Detection:
    """A detection."""
    return Detection(f"{number:08d}-id", "parus_major", taxon, round(onset_s * RATE), round(offset_s * RATE), 0.93)


def made(folder: Path, **others: object) -> Clips:
    """Settings with a second around each detection."""
    return Clips(**{"directory": str(folder), "before_s": 1.0, "after_s": 1.0, **others})  # type: ignore[arg-type]


def _nobody(start: int, end: int) -> None:
    """Keeps no account."""


class Feed:
    """One stream through a sink, window by window, with detections in between."""

    def __init__(self, settings: Clips, size: int = 3 * RATE, step: int = RATE) -> None:
        self.size, self.step = size, step
        self.writer = ClipWriter(settings, VoiceGate(Silero(), 0.3, 0.5))
        self.withheld: list[tuple[int, int]] = []
        self.sink = ClipSink(self.writer, CLOCK, lambda start, end: self.withheld.append((start, end)))

    def hear(self, pieces: list[Block | Gap], detections: list[Detection]) -> None:
        """Each detection is reported with the first window that lies behind it."""
        waiting, end = list(detections), 0
        for piece in pieces:
            end = piece.end_sample
            if isinstance(piece, Gap):
                self.sink.lost(piece)
                continue
            for window in windows([piece], self.size, self.step):
                self.sink.heard(window, SCORES)
                for found in [one for one in waiting if one.offset_sample <= window.start_sample]:
                    self.sink.handle(found)
                    waiting.remove(found)
        for found in waiting:
            self.sink.handle(found)
        self.sink.ended(end)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that runs many tests may take longer than a station does."""
    monkeypatch.setattr("monitor.sinks.clips.FLUSH_S", 20.0)


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    """A sink that writes to the folder `clips`."""
    return Feed(made(tmp_path / "clips"))


def spoken(start_s: float, end_s: float, seconds: float = 30.0) -> Samples:
    """The soundscape, in which somebody speaks for a while."""
    samples = soundscape(RATE)[: round(seconds * RATE)].copy()
    words = voice(RATE, end_s - start_s)
    samples[round(start_s * RATE) : round(start_s * RATE) + len(words)] += words
    return np.clip(samples, -1, 1)


def files(folder: Path) -> list[Path]:
    """All files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_sound_around_a_detection_becomes_a_file_that_says_when_and_what(feed: Feed, tmp_path: Path) -> None:
    samples = soundscape(RATE)
    feed.hear([Block(0, samples)], [detection(4, 8.5)])
    (file,) = files(tmp_path / "clips")
    assert file == tmp_path / "clips" / "2026-05-01" / "20260501T041203Z_parus-major_0.93_00000001.flac"
    kept, rate = soundfile.read(file, dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(kept, samples[3 * RATE : round(9.5 * RATE)], atol=1 / 32_768)
    assert feed.withheld == []


def test_a_clip_can_be_read_by_its_group_and_by_nobody_else(feed: Feed, tmp_path: Path) -> None:
    kept = os.umask(0o000)
    try:
        feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    finally:
        os.umask(kept)
    (file,) = files(tmp_path / "clips")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(file.parent.stat().st_mode) & stat.S_IRWXO == 0


@pytest.mark.parametrize("speech_s", [(4.5, 6.0), (9.0, 10.5), (1.8, 3.2)])
def test_a_clip_in_which_somebody_speaks_is_withheld_and_accounted_for(
    feed: Feed, tmp_path: Path, speech_s: tuple[float, float]
) -> None:
    feed.hear([Block(0, spoken(*speech_s))], [detection(4, 8.5)])
    assert files(tmp_path / "clips") == []
    assert feed.withheld == [(3 * RATE, round(9.5 * RATE))]
    assert feed.writer.fates == {Fate.WITHHELD: 1}


def test_speech_elsewhere_withholds_nothing(feed: Feed, tmp_path: Path) -> None:
    feed.hear([Block(0, spoken(19.0, 21.0))], [detection(4, 8.5), detection(14, 17.2, 2), detection(20, 21, 3)])
    assert len(files(tmp_path / "clips")) == 2
    assert feed.withheld == [(19 * RATE, 22 * RATE)]


def test_nothing_of_a_voice_touches_the_disk_at_any_time(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real_open = os.open

    def noting(path: str, *arguments: int) -> int:
        opened.append(str(path))
        return real_open(path, *arguments)

    monkeypatch.setattr(os, "open", noting)
    feed.hear([Block(0, spoken(5, 7))], [detection(4, 8.5)])
    assert opened == []
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_clip_ends_at_a_gap_and_none_spans_one(feed: Feed, tmp_path: Path) -> None:
    samples = soundscape(RATE)
    middle, end = round(8.7 * RATE), len(samples)
    gap = Gap(middle, middle + RATE, Cause.OVERRUN)
    pieces = [Block(0, samples[:middle]), gap, Block(gap.end_sample, samples[gap.end_sample : end])]
    feed.hear(pieces, [detection(4, 5.2), detection(9.8, 12, 2)])
    lengths = {path.name[-13:-5]: soundfile.info(path).frames for path in files(tmp_path / "clips")}
    assert lengths["00000001"] == round(3.2 * RATE)
    assert lengths["00000002"] == 13 * RATE - gap.end_sample


def test_a_detection_that_ends_with_the_recording_is_kept_as_far_as_it_was_heard(feed: Feed, tmp_path: Path) -> None:
    feed.hear([Block(0, soundscape(RATE))], [detection(27, 30)])
    (file,) = files(tmp_path / "clips")
    assert soundfile.info(file).frames == 4 * RATE


def test_of_a_long_detection_the_end_is_kept_and_the_memory_stays_bounded(feed: Feed, tmp_path: Path) -> None:
    feed.hear([Block(0, np.tile(soundscape(RATE), 4))], [detection(10, 70)])
    (file,) = files(tmp_path / "clips")
    assert soundfile.info(file).frames == LONGEST_S * RATE
    assert sum(len(part) for part in feed.sink._past) == 0


def test_a_species_has_so_many_clips_a_day_also_after_a_restart(tmp_path: Path) -> None:
    settings = made(tmp_path / "clips", at_most_per_species_and_day=2)
    robin = Taxon("Erithacus rubecula", "Robin")
    for restart in range(2):
        feed = Feed(settings)
        songs = [detection(5 * n + 1, 5 * n + 2, 10 * restart + n) for n in range(3)]
        feed.hear([Block(0, soundscape(RATE))], [*songs, detection(20, 21, 90 + restart, robin)])
    names = [path.name for path in files(tmp_path / "clips")]
    assert sum("parus-major" in name for name in names) == 2
    assert sum("erithacus-rubecula" in name for name in names) == 2
    assert feed.writer.fates[Fate.SURPLUS] == 3


def test_where_nobody_knows_the_time_a_clip_is_named_after_its_place_in_the_recording(tmp_path: Path) -> None:
    feed = Feed(made(tmp_path / "clips"))
    feed.sink = ClipSink(feed.writer, SampleClock(RATE, None, Quality.UNKNOWN), _nobody)
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    (file,) = files(tmp_path / "clips")
    assert file.relative_to(tmp_path / "clips") == Path("undated/3.0s_parus-major_0.93_00000001.flac")


def test_the_pipeline_never_waits_for_clips_and_what_is_dropped_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    class Slow(Silero):
        """Takes its time."""

        def probability(self, frame: Samples) -> float:
            release.wait(30)
            return super().probability(frame)

    writer = ClipWriter(made(tmp_path / "clips"), VoiceGate(Slow(), 0.3, 0.5))
    sink = ClipSink(writer, CLOCK, _nobody)
    window = Window(0, 3 * RATE, soundscape(RATE)[: 3 * RATE])
    sink.heard(window, SCORES)
    for number in range(QUEUED + 5):
        sink.handle(detection(0.5, 0.6, number))
    sink._break()
    assert 4 <= writer.fates[Fate.DROPPED] <= 5
    assert caplog.text.count("clips are dropped") == 1
    release.set()
    assert writer.flush(20)
    assert writer.fates[Fate.WRITTEN] + writer.fates[Fate.DROPPED] == QUEUED + 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    assert os.system(f"mount -t tmpfs -o size=1m none {disk}") == 0  # noqa: S605
    yield disk
    os.system(f"umount {disk}")  # noqa: S605


def test_a_full_disk_costs_clips_and_leaves_no_piece_of_one(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed(made(small_disk / "clips"))
    (small_disk / "ballast").write_bytes(bytes(900_000))
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5), detection(14, 17, 2)])
    assert files(small_disk / "clips") == []
    assert feed.writer.fates == {Fate.DROPPED: 2}
    assert caplog.text.count("No space left on device") == 1
    (small_disk / "ballast").unlink()
    feed.sink.heard(Window(40 * RATE, 43 * RATE, soundscape(RATE)[: 3 * RATE]), SCORES)
    feed.sink.handle(detection(41, 42, 3))
    feed.sink.ended(43 * RATE)
    assert len(files(small_disk / "clips")) == 1


def test_pieces_that_a_power_cut_left_are_removed(tmp_path: Path) -> None:
    day = tmp_path / "clips" / "2026-04-30"
    day.mkdir(parents=True)
    (day / ".20260430T041203Z_parus-major_0.93_00000001.flac.part").write_bytes(b"fLaC")
    feed = Feed(made(tmp_path / "clips"))
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    assert [path.parent.name for path in files(tmp_path / "clips")] == ["2026-05-01"]


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"clips in .*/file/clips cannot be written: Not a directory"):
        Feed(made(tmp_path / "file" / "clips"))


@pytest.mark.parametrize(("size", "step"), [(RATE, RATE), (3 * RATE, RATE // 2), (2 * RATE, 2 * RATE)])
def test_windows_of_any_length_and_step_give_the_same_clip(tmp_path: Path, size: int, step: int) -> None:
    feed, samples = Feed(made(tmp_path / "clips"), size, step), soundscape(RATE)
    feed.hear([Block(0, samples)], [detection(4, 8.5)])
    (file,) = files(tmp_path / "clips")
    np.testing.assert_allclose(soundfile.read(file)[0], samples[3 * RATE : round(9.5 * RATE)], atol=1 / 32_768)


def test_the_daemon_keeps_a_song_and_withholds_one_that_somebody_speaks_into(broker: Broker, tmp_path: Path) -> None:
    rate = 48_000
    for name, spoken_s in (("song", 0.0), ("talk", 2.0)):
        samples = soundscape(rate)[3 * rate : 12 * rate].copy()
        words = voice(rate, spoken_s) if spoken_s else np.zeros(0, np.float32)
        samples[rate // 2 : rate // 2 + len(words)] += words
        soundfile.write(tmp_path / f"{name}.wav", np.clip(samples, -1, 1), rate, subtype="PCM_16")
    played = recordings(tmp_path / "song.wav", tmp_path / "talk.wav")
    clips = {"directory": str(tmp_path / "clips"), "before_s": 1, "after_s": 1}
    config = configure(tmp_path, played, broker.port, clips=clips, detection={"threshold": 0.4})
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    song, talk = (str(tmp_path / f"{name}.wav") for name in ("song", "talk"))
    assert {row["recording"] for row in tables["detections"]} == {song, talk}
    ids = [row["id"][:8] for row in tables["detections"] if row["recording"] == song]
    assert sorted(path.name[-13:-5] for path in files(tmp_path / "clips")) == sorted(ids)
    account = {row["recording"]: row for row in tables["effort"]}
    assert (account[song]["heard_s"], account[song]["withheld_s"]) == (9, 0)
    assert account[talk]["withheld_s"] > 2
    assert account[talk]["heard_s"] + account[talk]["withheld_s"] == pytest.approx(9)
