"""Recordings of every format, healthy and broken, on a real disk."""

import logging
import math
import struct
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality
from monitor.errors import MonitorError, RecordingError
from monitor.records import Block, Samples
from monitor.sources import until_broken, until_stopped
from monitor.sources.recordings import SUFFIXES, find_recordings, open_recording, paced

RATE = 24_000
RIFF_SIZE, CHANNELS, SAMPLE_RATE, DATA_SIZE, HEADER_SIZE = 4, 22, 24, 40, 44
"""offsets in the header of a plain 16-bit WAV"""


def chirp(sample_rate: int = RATE, seconds: float = 2.0) -> Samples:
    """From 200 Hz to 2.2 kHz, at half of full scale, shape (n,)."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * (200 * time_s + 500 * time_s**2))).astype(np.float32)


def wav(folder: Path) -> Path:
    """Two seconds as 16-bit WAV."""
    path = folder / "healthy.wav"
    soundfile.write(path, chirp(), RATE, subtype="PCM_16")
    return path


def changed(path: Path, offset: int, *numbers: bytes) -> Path:
    """Return the same file with other bytes at an offset."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(b"".join(numbers))] = b"".join(numbers)
    path.write_bytes(content)
    return path


def cut(path: Path, size: int) -> Path:
    """Return the same file with its first bytes only."""
    path.write_bytes(path.read_bytes()[:size])
    return path


def heard(blocks: Iterable[Block]) -> Samples:
    """All samples; blocks must follow each other from sample 0."""
    found = [np.zeros(0, np.float32)]
    for block in blocks:
        assert block.start_sample == sum(map(len, found))
        assert block.samples.dtype == np.float32
        assert block.samples.ndim == 1
        found.append(block.samples)
    return np.concatenate(found)


def read(path: Path, block_s: float = 5.0) -> Samples:
    """All samples of a recording."""
    return heard(open_recording(path, block_s=block_s).blocks)


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100, 48_000, 192_000, 384_000])
@pytest.mark.parametrize(
    ("suffix", "subtype", "exact_to"),
    [
        (".wav", "PCM_U8", 2**-6),
        (".wav", "PCM_16", 2**-14),
        (".wav", "PCM_24", 2**-22),
        (".wav", "PCM_32", 2**-24),
        (".wav", "FLOAT", 0),
        (".wav", "DOUBLE", 0),
        (".flac", "PCM_16", 2**-14),
        (".flac", "PCM_24", 2**-22),
        (".aiff", "PCM_16", 2**-14),
        (".aiff", "PCM_24", 2**-22),
        (".aif", "FLOAT", 0),
        (".caf", "ALAC_24", 2**-22),
        (".au", "PCM_16", 2**-14),
        (".w64", "PCM_24", 2**-22),
        (".rf64", "PCM_16", 2**-14),
    ],
)
def test_every_lossless_format_gives_the_samples_that_were_written(
    suffix: str, subtype: str, exact_to: float, sample_rate: int, tmp_path: Path
) -> None:
    path, written = tmp_path / f"chirp{suffix}", chirp(sample_rate, 0.5)
    form = {".aif": "AIFF"}.get(suffix, suffix[1:].upper())
    soundfile.write(path, written, sample_rate, subtype=subtype, format=form)
    assert open_recording(path).sample_rate == sample_rate
    np.testing.assert_allclose(read(path), written, rtol=0, atol=exact_to)


@pytest.mark.parametrize(
    ("name", "subtype", "sample_rate"),
    [
        ("chirp.ogg", "VORBIS", 8_000),
        ("chirp.ogg", "VORBIS", 44_100),
        ("chirp.ogg", "VORBIS", 192_000),
        ("chirp.opus", "OPUS", 48_000),
        ("chirp.mp3", "MPEG_LAYER_III", 22_050),
        ("chirp.mp3", "MPEG_LAYER_III", 44_100),
        ("chirp.mp3", "MPEG_LAYER_III", 48_000),
    ],
)
def test_every_lossy_format_gives_the_sound_that_was_written_at_its_place(
    name: str, subtype: str, sample_rate: int, tmp_path: Path
) -> None:
    path, written = tmp_path / name, chirp(sample_rate)
    soundfile.write(path, written, sample_rate, subtype=subtype, format={".opus": "OGG"}.get(path.suffix))
    found = read(path)
    assert open_recording(path).sample_rate == sample_rate
    assert len(found) == len(written)
    inside = slice(sample_rate // 4, -sample_rate // 4)
    assert np.corrcoef(found[inside], written[inside])[0, 1] > 0.99


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".aiff"])
@pytest.mark.parametrize("block_s", [0.0, 0.0371, 0.1])
def test_the_length_of_blocks_does_not_change_the_samples(suffix: str, block_s: float, tmp_path: Path) -> None:
    path = tmp_path / f"chirp{suffix}"
    soundfile.write(path, chirp(seconds=0.2), RATE)
    np.testing.assert_array_equal(read(path, block_s), read(path))


def test_the_length_of_blocks_does_not_change_the_samples_of_an_mp3(tmp_path: Path) -> None:
    path = tmp_path / "tone.mp3"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE), RATE)
    np.testing.assert_array_equal(read(path, block_s=0.1), read(path))


def test_blocks_have_the_length_asked_for_but_for_the_last(tmp_path: Path) -> None:
    lengths = [len(block.samples) for block in open_recording(wav(tmp_path), block_s=0.3).blocks]
    assert lengths == [7200] * 6 + [4800]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_several_channels_are_averaged_into_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"stereo{suffix}"
    left, right, middle = chirp(), np.zeros_like(chirp()), -0.2 * chirp()
    soundfile.write(path, np.column_stack([left, right, middle]), RATE, subtype="PCM_16")
    np.testing.assert_allclose(read(path), (left + middle) / 3, atol=2**-14)


def test_a_recorders_name_and_comment_say_when_it_began(tmp_path: Path) -> None:
    named, commented = tmp_path / "20260501_041200.WAV", tmp_path / "20260501_041300.WAV"
    soundfile.write(named, chirp(), RATE)
    with soundfile.SoundFile(commented, "w", RATE, 1) as file:
        file.comment = "Recorded at 06:14:00 01/05/2026 (UTC+2) by AudioMoth 247AA5065E0FF99A"
        file.write(chirp())
    unknown = open_recording(named)
    assert (unknown.start, unknown.quality) == (None, Quality.UNKNOWN)
    known = open_recording(named, UTC)
    assert (known.start, known.quality) == (datetime(2026, 5, 1, 4, 12, tzinfo=UTC), Quality.RECORDER)
    stated = open_recording(commented, UTC)
    assert (stated.start, stated.quality) == (datetime(2026, 5, 1, 4, 14, tzinfo=UTC), Quality.RECORDER)


def test_a_comment_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "20260501_041300.WAV"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        file.comment = "Recorded at 04:14:00 01/05/2026 (UTC) by Xrtchen"
        file.write(chirp())
    path.write_bytes(path.read_bytes().replace(b"Xrtchen", b"\xc4rtchen"))
    assert open_recording(path).start == datetime(2026, 5, 1, 4, 14, tzinfo=UTC)


def test_a_recording_has_the_same_id_whenever_and_from_wherever_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wav(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert open_recording(Path(path.name)).id == open_recording(path).id
    assert open_recording(Path(path.name)).name == path.name
    other = tmp_path / "other.wav"
    other.write_bytes(path.read_bytes())
    assert open_recording(other).id != open_recording(path).id


@pytest.mark.parametrize("name", ["empty.wav", "empty.flac", "empty.ogg", "empty.mp3"])
def test_an_empty_file_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(RecordingError, match=f"{name}: cannot be read as audio"):
        open_recording(tmp_path / name)


def test_text_that_is_named_wav_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("04:12 a great tit sings\n" * 50, encoding="utf-8")
    with pytest.raises(RecordingError, match=r"notes.wav: cannot be read as audio: Format not recognised$"):
        open_recording(path)


@pytest.mark.parametrize("size", [HEADER_SIZE, 12, 20, 36])
def test_a_wav_of_which_only_the_header_was_written_is_an_error(size: int, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"healthy.wav: (holds no audio.+|cannot be read as audio: .+)$"):
        open_recording(cut(wav(tmp_path), size))


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".aiff", ".flac"])
def test_a_recording_of_no_samples_is_an_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"nothing{suffix}"
    soundfile.write(path, np.zeros(0, np.float32), RATE)
    with pytest.raises(RecordingError, match=f"nothing{suffix}: (holds no audio.+|cannot be read as audio)"):
        open_recording(path)


def test_a_recording_of_one_sample_has_one_sample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.full(1, 0.5, np.float32), RATE)
    assert read(tmp_path / "click.wav").tolist() == [0.5]


@pytest.mark.parametrize("size", [60_000, 60_001, 1_000, HEADER_SIZE + 2])
def test_a_truncated_wav_is_analysed_as_far_as_it_goes_and_not_in_silence(
    size: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = cut(wav(tmp_path), size)
    with caplog.at_level(logging.WARNING):
        found = read(path)
    present = (size - HEADER_SIZE) // 2
    np.testing.assert_allclose(found, chirp()[:present], atol=2**-14)
    (message,) = caplog.messages
    assert message == f"{path}: cut short: its header promises 96036 bytes, {size - 8} are there"


@pytest.mark.parametrize("sizes", [(0, 96_000), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_a_wav_whose_recorder_lost_power_is_read_to_its_end(
    sizes: tuple[int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = changed(wav(tmp_path), RIFF_SIZE, struct.pack("<I", sizes[0]))
    changed(path, DATA_SIZE, struct.pack("<I", sizes[1]))
    np.testing.assert_allclose(read(path), chirp(), atol=2**-14)
    assert "cut short" in caplog.text


def test_a_wav_whose_header_promises_nothing_is_an_error_and_not_an_empty_result(tmp_path: Path) -> None:
    path = changed(wav(tmp_path), RIFF_SIZE, bytes(4))
    with pytest.raises(RecordingError, match=r"healthy.wav: "):
        open_recording(changed(path, DATA_SIZE, bytes(4)))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
def test_a_healthy_wav_is_not_called_cut_short(
    subtype: str, channels: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros((1001, channels), np.float32), RATE, subtype=subtype)
    assert len(read(path)) == 1001
    assert not caplog.messages


@pytest.mark.parametrize("name", ["whole.flac", "whole.mp3"])
def test_a_recording_that_breaks_off_is_heard_up_to_there_and_says_where(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(5).normal(0, 0.1, 12 * RATE), RATE)
    whole = read(path)
    cut(path, path.stat().st_size * 2 // 3)
    errors: list[MonitorError] = []
    found = heard(until_broken(open_recording(path, block_s=1.0).blocks, errors.append))
    assert 7 * RATE <= len(found) <= 9 * RATE
    np.testing.assert_allclose(found[: 6 * RATE], whole[: 6 * RATE], atol=1e-6)
    (error,) = errors
    assert isinstance(error, RecordingError)
    where = f"{len(found)} of {12 * RATE} samples" if path.suffix == ".mp3" else f"{len(found) / RATE:.1f} s: "
    assert str(error).startswith(f"{path}: decoding broke off after {where}")


def test_a_flac_that_breaks_off_at_once_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short.flac"
    soundfile.write(path, np.random.default_rng(5).normal(0, 0.1, RATE), RATE)
    cut(path, 2000)
    with pytest.raises(RecordingError, match=r"short.flac: decoding broke off after 0.0 s"):
        read(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_an_error_that_says_where(bad: float, tmp_path: Path) -> None:
    path, samples = tmp_path / "broken.wav", chirp()
    samples[int(1.25 * RATE)] = bad
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    errors: list[MonitorError] = []
    found = heard(until_broken(open_recording(path, block_s=0.5).blocks, errors.append))
    np.testing.assert_array_equal(found[:RATE], chirp()[:RATE])
    assert [str(e) for e in errors] == [f"{path}: holds samples that are not numbers, the first at 1.250 s"]


def test_what_comes_before_samples_that_are_not_numbers_is_heard_however_long_blocks_are(tmp_path: Path) -> None:
    path, samples = tmp_path / "broken.wav", chirp()
    samples[int(1.25 * RATE)] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    errors: list[MonitorError] = []
    found = heard(until_broken(open_recording(path).blocks, errors.append))
    np.testing.assert_array_equal(found, chirp()[: int(1.25 * RATE)])


@pytest.mark.parametrize("sample_rate", [1, 3_999, 768_001, 2_000_000_000])
def test_an_absurd_rate_is_an_error_that_says_what_is_expected(sample_rate: int, tmp_path: Path) -> None:
    path = changed(wav(tmp_path), SAMPLE_RATE, struct.pack("<I", sample_rate))
    with pytest.raises(RecordingError, match=f"sample rate of {sample_rate} Hz: 4000 to 768000 Hz expected"):
        open_recording(path)


@pytest.mark.parametrize("sample_rate", [4_000, 768_000])
def test_the_slowest_and_the_fastest_rate_are_read(sample_rate: int, tmp_path: Path) -> None:
    path = changed(wav(tmp_path), SAMPLE_RATE, struct.pack("<I", sample_rate))
    assert open_recording(path).sample_rate == sample_rate


@pytest.mark.parametrize("offset", [CHANNELS, SAMPLE_RATE])
def test_a_header_that_makes_no_sense_is_an_error(offset: int, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"healthy.wav: cannot be read as audio"):
        open_recording(changed(wav(tmp_path), offset, bytes(2), bytes(2 * (offset == SAMPLE_RATE))))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(damage=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_header_gives_audio_or_an_error_and_nothing_else(
    damage: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    soundfile.write(path, chirp(seconds=0.1), RATE, subtype="PCM_16")
    for offset, value in damage:
        changed(path, offset, bytes([value]))
    try:
        found = read(path)
    except RecordingError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert np.isfinite(found).all()
        assert len(found)


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.wav"
    with pytest.raises(RecordingError, match=r"nowhere.wav: no such file or folder"):
        find_recordings([missing])
    with pytest.raises(RecordingError, match=r"nowhere.wav: cannot be read as audio"):
        open_recording(missing)


def test_a_folder_cannot_be_opened_as_a_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read as audio"):
        open_recording(tmp_path)


def test_a_folder_without_audio_is_an_error_and_not_an_empty_result(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(RecordingError, match=r"no recordings in this folder; looked for .*\.flac.*\.wav"):
        find_recordings([tmp_path])


def test_recordings_are_found_in_a_stable_order_and_once(tmp_path: Path) -> None:
    names = ["b/2.wav", "b/1.FLAC", "a/z.Mp3", "c.ogg", "a/y/x.aif", "a/readme.txt", "a.opus"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    expected = [tmp_path / name for name in ["a/y/x.aif", "a/z.Mp3", "a.opus", "b/1.FLAC", "b/2.wav", "c.ogg"]]
    assert find_recordings([tmp_path]) == expected
    assert find_recordings([tmp_path / "c.ogg", tmp_path]) == [expected[-1], *expected[:-1]]
    assert find_recordings([tmp_path, tmp_path / "b"]) == expected


def test_a_file_that_is_named_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    path = wav(tmp_path).rename(tmp_path / "recording.bin")
    assert find_recordings([path]) == [path]
    assert len(read(path)) == 2 * RATE


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_a_folder_is_searched_for_every_suffix(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"x{suffix}").touch()
    assert find_recordings([tmp_path]) == [tmp_path / f"x{suffix}"]


class _Time:
    """A clock that only sleeping moves, and the sleeper."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
def test_blocks_are_paced_as_a_microphone_would_give_them(speed: float) -> None:
    time = _Time()
    blocks = [Block(start, np.zeros(RATE, np.float32)) for start in range(0, 5 * RATE, RATE)]
    arrived = [time.now - 1000 for _ in paced(blocks, RATE, speed, time.monotonic, time.sleep)]
    np.testing.assert_allclose(arrived, np.arange(1, 6) / speed)


def test_pacing_catches_up_after_a_slow_consumer() -> None:
    time = _Time()
    blocks = [Block(start, np.zeros(RATE, np.float32)) for start in range(0, 5 * RATE, RATE)]
    arrived = []
    for number, _ in enumerate(paced(blocks, RATE, 1.0, time.monotonic, time.sleep)):
        arrived.append(time.now - 1000)
        time.now += 2.5 * (number == 0)
    np.testing.assert_allclose(arrived, [1, 3.5, 3.5, 4, 5])


def test_blocks_end_as_soon_as_a_stop_is_asked_for(tmp_path: Path) -> None:
    stop = threading.Event()
    found = []
    for block in until_stopped(open_recording(wav(tmp_path), block_s=0.5).blocks, stop):
        found.append(block.start_sample / RATE)
        if math.isclose(found[-1], 0.5):
            stop.set()
    assert found == [0.0, 0.5]


def test_blocks_end_by_themselves_where_no_stop_is_asked_for(tmp_path: Path) -> None:
    path = wav(tmp_path)
    np.testing.assert_array_equal(heard(until_stopped(open_recording(path).blocks, threading.Event())), read(path))
