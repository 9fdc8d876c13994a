"""Clips: what is kept, what is withheld, and that nothing of a voice touches the disk."""

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image
from rigs import Broker, Daemon, configure, kept, need_root, recordings
from voice import voice

from monitor.classifier import STARTER, Classifier
from monitor.clock import Quality, SampleClock
from monitor.config.clips import Clips
from monitor.errors import ConfigError, StoreError
from monitor.messages import DetectionMessage
from monitor.privacy import Silero, VoiceGate
from monitor.recorded import Position, guano
from monitor.records import Block, Cause, Detection, Gap, Samples, Taxon, Window
from monitor.sinks.clips import ClipSink, ClipWriter, Fate
from monitor.sinks.clips.cutting import LONGEST_S
from monitor.sinks.clips.ledger import Ledger
from monitor.sinks.clips.writing import QUEUED
from monitor.sinks.database import FILE
from monitor.sinks.origin import Origin
from monitor.sinks.store import Store
from monitor.soundscape import soundscape
from monitor.sources.headers import read_header
from monitor.windows import windows

RATE = 24_000
START = datetime(2026, 5, 1, 4, 12, 0, tzinfo=UTC)
CLOCK = SampleClock(RATE, START, Quality.NTP)
GREAT_TIT = Taxon("Parus major", "Great Tit")
SCORES = np.zeros(1, np.float32)
LABELS = Classifier(STARTER).contract.labels


def detection(onset_s: float, offset_s: float, number: int = 1, taxon: Taxon = GREAT_TIT) -> Detection:
    """A detection."""
    return Detection(f"{number:08d}-id", "parus_major", taxon, round(onset_s * RATE), round(offset_s * RATE), 0.93)


def made(folder: Path, **others: object) -> Clips:
    """Settings with a second around each detection, and no pictures."""
    known = {"directory": str(folder), "before_s": 1.0, "after_s": 1.0, "pictures": False}
    return msgspec.convert(known | others, Clips)


def ledger(folder: Path) -> Ledger:
    """The table of a store in a folder."""
    Store(folder, "valley", 1000).close()
    return Ledger(folder / FILE)


def _nobody(start: int, end: int) -> None:
    """Keeps no account."""


class Feed:
    """One stream through a sink, window by window, with detections in between."""

    def __init__(self, settings: Clips, size: int = 3 * RATE, step: int = RATE, store: Path | None = None) -> None:
        self.size, self.step = size, step
        store = store or Path(settings.directory).parent / "store"
        self.writer = ClipWriter(settings, VoiceGate(Silero(), 0.3, 0.5), ledger(store), LABELS)
        self.withheld: list[tuple[int, int]] = []
        self.sink = self.sink_of(CLOCK)

    def sink_of(self, clock: SampleClock) -> ClipSink:
        """For a stream of another clock."""
        origin, place = Origin("valley", "usb:mic", clock, "starter"), Position(48.1, 11.6)
        return ClipSink(self.writer, origin, lambda start, end: self.withheld.append((start, end)), place)

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
    feed.sink = feed.sink_of(SampleClock(RATE, None, Quality.UNKNOWN))
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

    settings = made(tmp_path / "clips", pictures=True)
    writer = ClipWriter(settings, VoiceGate(Slow(), 0.3, 0.5), ledger(tmp_path / "store"), LABELS)
    sink = ClipSink(writer, Origin("valley", "usb:mic", CLOCK, "starter"), _nobody)
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


def test_a_full_disk_costs_clips_and_leaves_no_piece_of_one(
    small_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(made(small_disk / "clips", keep={"free_megabytes": 0}), store=tmp_path / "store")
    (small_disk / "ballast").write_bytes(bytes(900_000))
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5), detection(14, 17, 2)])
    assert files(small_disk / "clips") == []
    assert feed.writer.fates == {Fate.DROPPED: 2}
    assert caplog.text.count("no room for one") == 1
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
        Feed(made(tmp_path / "file" / "clips"), store=tmp_path / "store")


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
    rules = [{"species": ["great tit"], "above": 0.4}]
    clips = {"directory": str(tmp_path / "clips"), "before_s": 1, "after_s": 1, "rules": rules}
    config = configure(tmp_path, played, broker.port, clips=clips, detection={"threshold": 0.4})
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    song, talk = (str(tmp_path / f"{name}.wav") for name in ("song", "talk"))
    assert {row["recording"] for row in tables["detections"]} == {song, talk}
    ids = [row["id"][:8] for row in tables["detections"] if row["recording"] == song]
    flacs, pictures = ([path for path in files(tmp_path / "clips") if path.suffix == one] for one in (".flac", ".png"))
    assert sorted(path.name[-13:-5] for path in flacs) == sorted(ids)
    assert [path.with_suffix(".flac") for path in pictures] == flacs
    kept_clips = {f"{row['folder']}/{row['file']}": row for row in tables["clips"]}
    assert kept_clips.keys() == {str(path) for path in flacs}
    for path in flacs:
        row = kept_clips[str(path)]
        assert row["bytes"] == path.stat().st_size + path.with_suffix(".png").stat().st_size
        assert (row["state"], row["species"], row["detection"][:8]) == ("kept", "Parus major", path.name[-13:-5])
    account = {row["recording"]: row for row in tables["effort"]}
    assert (account[song]["heard_s"], account[song]["withheld_s"]) == (9, 0)
    assert account[talk]["withheld_s"] > 2
    assert account[talk]["heard_s"] + account[talk]["withheld_s"] == pytest.approx(9)


def test_a_clip_says_itself_when_where_and_what_it_is(feed: Feed, tmp_path: Path) -> None:
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    (file,) = files(tmp_path / "clips")
    told = guano.comment_fields(soundfile.SoundFile(file).comment)
    assert told == {
        "GUANO|Version": "1.0",
        "Timestamp": "2026-05-01T04:12:03.000Z",
        "Length": "6.500",
        "Samplerate": "24000",
        "Loc Position": "48.100000 11.600000",
        "Original Filename": "usb:mic",
        "Species Auto ID": "Parus major",
        "DawnChorus|Station": "valley",
        "DawnChorus|Common Name": "Great Tit",
        "DawnChorus|Label": "parus_major",
        "DawnChorus|Confidence": "0.9300",
        "DawnChorus|Detection": "00000001-id",
        "DawnChorus|Onset": "1.000",
        "DawnChorus|Offset": "5.500",
        "DawnChorus|Classifier": "starter",
        "DawnChorus|Clock": "ntp",
    }
    renamed = file.rename(tmp_path / "a.flac")
    header = read_header(renamed, None)
    assert (header.start, header.position) == (START + timedelta(seconds=3), Position(48.1, 11.6))


def test_a_picture_lies_beside_a_clip_with_the_detection_marked_where_it_is(tmp_path: Path) -> None:
    feed = Feed(made(tmp_path / "clips", pictures=True))
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    picture, clip = sorted(files(tmp_path / "clips"), key=lambda path: path.suffix, reverse=True)
    assert (picture.suffix, picture.with_suffix("")) == (".png", clip.with_suffix(""))
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    marked = np.flatnonzero((np.abs(pixels - np.array([86, 180, 233])).sum(axis=2) == 0).sum(axis=0) > 20)
    left, across = 96, 700
    seconds = (marked[[0, -1]] - left) / across * 6.5
    assert seconds == pytest.approx([1.0, 5.5], abs=0.05)
    assert picture.stat().st_size < 150_000


def test_where_the_configuration_names_no_place_a_clip_says_where_the_receiver_is(tmp_path: Path) -> None:
    feed = Feed(made(tmp_path / "clips"))
    feed.sink = ClipSink(feed.writer, Origin("valley", "usb:mic", CLOCK, "starter"), _nobody)
    store = Store(tmp_path / "store", "valley", 1000)
    store.locate(-33.5, 151.25)
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 8.5)])
    (file,) = files(tmp_path / "clips")
    assert guano.comment_fields(soundfile.SoundFile(file).comment)["Loc Position"] == "-33.500000 151.250000"


ROBIN = Taxon("Erithacus rubecula", "Robin")


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ([], [1, 2, 3, 4, 5]),
        ([{"above": 0.9}], [1, 3, 5]),
        ([{"species": ["GREAT TIT"]}], [1, 2, 3]),
        ([{"at_most": 1}], [1, 4]),
        ([{"first_of_day": True, "above": 0.9}], [1, 5]),
        ([{"rare": 3}], [1, 2, 4, 5]),
        ([{"new": True}], [1, 4]),
        ([{"species": ["parus_major"], "at_most": 2}, {"species": ["Erithacus rubecula"], "above": 0.9}], [1, 2, 5]),
    ],
)
def test_rules_say_which_detections_become_clips(
    tmp_path: Path, rules: list[dict[str, object]], kept: list[int]
) -> None:
    feed = Feed(made(tmp_path / "clips"))
    feed.writer.settings = made(tmp_path / "clips", rules=rules)  # the robin is no label of the model
    sung = [(1, GREAT_TIT, 0.93), (2, GREAT_TIT, 0.5), (3, GREAT_TIT, 0.95), (4, ROBIN, 0.6), (5, ROBIN, 0.97)]
    songs = [
        replace(detection(4 * number, 4 * number + 1, number, taxon), label=label_of(taxon), confidence=confidence)
        for number, taxon, confidence in sung
    ]
    feed.hear([Block(0, soundscape(RATE))], songs)
    assert sorted(int(path.name[-13:-5]) for path in files(tmp_path / "clips")) == kept
    assert feed.writer.fates[Fate.WRITTEN] == len(kept)
    assert feed.writer.fates[Fate.SURPLUS] == 5 - len(kept)


def label_of(taxon: Taxon) -> str:
    """As models name it."""
    return taxon.scientific_name.lower().replace(" ", "_")


def test_what_is_rare_or_new_is_kept_however_many_clips_the_day_has(tmp_path: Path) -> None:
    rules = [{"rare": 3}, {"above": 0.5}]
    feed = Feed(made(tmp_path / "clips", at_most_per_species_and_day=1, rules=rules))
    feed.hear([Block(0, soundscape(RATE))], [detection(4 * number, 4 * number + 1, number) for number in range(1, 6)])
    assert sorted(int(path.name[-13:-5]) for path in files(tmp_path / "clips")) == [1, 2]


def test_what_is_rare_counts_all_that_the_store_holds_and_each_detection_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "valley", 1000)
    for number in range(2):
        store.add(lambda sequence, number=number: stored(sequence, f"before-{number}"))  # type: ignore[misc]
    feed = Feed(made(tmp_path / "clips", rules=[{"rare": 4}]))
    store.add(lambda sequence: stored(sequence, "meanwhile"))  # as the daemon does: it is also handed to the sink
    feed.writer.seen("Parus major")
    feed.hear([Block(0, soundscape(RATE))], [detection(4, 5)])
    assert feed.writer.fates == {Fate.SURPLUS: 1}
    other = Feed(made(tmp_path / "others", rules=[{"rare": 6}]))
    other.hear([Block(0, soundscape(RATE))], [detection(4, 5)])
    assert other.writer.fates == {Fate.WRITTEN: 1}
    store.close()


def stored(sequence: int, number: str) -> DetectionMessage:
    """A great tit in the store."""
    return DetectionMessage(
        id=number,
        station="valley",
        sequence=sequence,
        recording="usb:mic",
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.9,
        onset_s=0.0,
        offset_s=1.0,
        onset_utc=None,
        offset_utc=None,
        clock_quality="unknown",
        clock_error_s=None,
        model="starter",
    )


def test_a_rule_for_a_species_that_the_model_does_not_know_stops_the_start(tmp_path: Path) -> None:
    settings = made(tmp_path / "clips", rules=[{"species": ["Parus majro"]}])
    with pytest.raises(ConfigError, match=r"clips\.rules names 'Parus majro', .* did you mean 'Parus major'"):
        Feed(settings)
    feed = Feed(made(tmp_path / "clips"))
    with pytest.raises(ConfigError, match=r"clips\.rules"):
        feed.writer.revise(settings)
    assert feed.writer.settings.rules == []
