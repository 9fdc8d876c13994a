"""What decodes recordings: libsndfile, or ffmpeg as a process; and files that lie about themselves."""

import shutil
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from monitor.errors import MonitorError, RecordingError
from monitor.records import Block, Gap, Samples
from monitor.sources import until_broken
from monitor.sources.recordings import Reading, open_recording, open_recordings

RATE = 24_000


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("not on this system: ffmpeg")


def song(seconds: float = 3.0, rate: int = RATE) -> Samples:
    """A tone that rises, at half of full scale."""
    time_s = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (300 * time_s + 200 * time_s**2))).astype(np.float32)


def wav(path: Path, samples: Samples, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def converted(source: Path, target: Path, *options: str) -> Path:
    """The same by ffmpeg in another format."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, *options, target], check=True)
    return target


def joined(blocks: list[Block | Gap]) -> Samples:
    found = [np.zeros(0, np.float32), *(block.samples for block in blocks if isinstance(block, Block))]
    return np.concatenate(found)


# ffmpeg


@pytest.mark.parametrize(
    ("name", "options", "exact"),
    [
        ("a.wv", [], True),
        ("a.tta", [], True),
        ("a.mka", ["-c:a", "flac"], True),
        ("a.m4a", ["-c:a", "alac"], True),
        ("a.wav", ["-c:a", "adpcm_yamaha"], False),
        ("a.m4a", [], False),
        ("a.webm", ["-c:a", "libopus", "-ar", "48000"], False),
        ("a.wma", [], False),
        ("a.unknown", ["-f", "matroska", "-c:a", "flac"], True),
    ],
)
def test_what_libsndfile_cannot_decode_ffmpeg_does(name: str, options: list[str], exact: bool, tmp_path: Path) -> None:  # noqa: FBT001
    source = wav(tmp_path / "source.wav", song())
    stream = open_recording(converted(source, tmp_path / name, *options))
    found, expected = joined(list(stream.blocks)), song(rate=stream.sample_rate)
    if exact:
        np.testing.assert_allclose(found, expected, atol=2**-14)
    else:
        shared = min(len(found), len(expected))
        assert shared > 0.95 * len(expected)
        spectra = [np.abs(np.fft.rfft(samples[:shared])) for samples in (found, expected)]
        assert np.corrcoef(spectra)[0, 1] > 0.9


def test_the_channels_of_ffmpegs_are_told_apart(tmp_path: Path) -> None:
    both = np.stack([song(), -0.5 * song()], axis=1)
    path = converted(wav(tmp_path / "a.wav", both), tmp_path / "a.wv")
    first, second = (joined(list(s.blocks)) for s in open_recordings([path], Reading(channels="each", block_s=0.3)))
    np.testing.assert_allclose(np.stack([first, second], axis=1), both, atol=2**-14)


def test_the_sound_of_a_video_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "trap.mp4"
    picture = ["-f", "lavfi", "-i", "color=size=64x64:rate=5:duration=3", "-shortest"]
    subprocess.run(
        ["ffmpeg", "-v", "error", *picture[:4], "-i", wav(tmp_path / "a.wav", song()), "-shortest", path], check=True
    )
    stream = open_recording(path)
    assert len(joined(list(stream.blocks))) == pytest.approx(3 * stream.sample_rate, rel=0.05)


def test_a_video_without_sound_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=size=64x64:rate=5:duration=1", path], check=True
    )
    with pytest.raises(RecordingError, match=r"silent.mp4: cannot be read as audio: .+"):
        open_recording(path)


def test_what_holds_no_sample_is_an_error_and_not_an_empty_result(tmp_path: Path) -> None:
    path = converted(wav(tmp_path / "a.wav", song()), tmp_path / "a.mka", "-t", "0", "-c:a", "pcm_s16le")
    with pytest.raises(RecordingError, match=r"a.mka: .+"):
        list(open_recording(path).blocks)


@pytest.mark.parametrize("name", ["a.m4a", "a.wv", "a.mkv", "a.txt", "a"])
def test_what_nobody_can_decode_is_one_sentence(name: str, tmp_path: Path) -> None:
    for content in (b"", b"a great tit sings\n" * 50, bytes(5000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecordingError, match=rf"^{tmp_path}/{name}: cannot be read as audio: .+$"):
            open_recording(tmp_path / name)


@pytest.mark.parametrize("name", ["-version.wv", "http:evil.wv", "%d.wv", "h\udce4her.wv", "concat:a|b.wv"])
def test_no_name_means_anything_else_to_ffmpeg(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted(wav(tmp_path / "source.wav", song()), tmp_path / "a.wv").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(joined(list(open_recording(Path(name)).blocks)), song(), atol=2**-14)


def test_what_is_damaged_is_heard_and_told(tmp_path: Path) -> None:
    path = converted(wav(tmp_path / "a.wav", song(20)), tmp_path / "a.wv")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(5000) + whole[len(whole) // 2 + 5000 :])
    errors: list[MonitorError] = []
    found = joined(list(until_broken(open_recording(path, block_s=1.0).blocks, errors.append)))
    assert len(found) > 5 * RATE
    (error,) = errors
    assert str(error).startswith(f"{path}: not all of it can be decoded, ")


def test_what_ends_before_its_end_is_heard_up_to_there_and_told(tmp_path: Path) -> None:
    path = converted(wav(tmp_path / "a.wav", song(20)), tmp_path / "a.wv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    errors: list[MonitorError] = []
    found = joined(list(until_broken(open_recording(path, block_s=1.0).blocks, errors.append)))
    np.testing.assert_allclose(found[: 5 * RATE], song(20)[: 5 * RATE], atol=2**-14)
    assert len(found) < 15 * RATE
    assert [str(error).startswith(f"{path}: not all of it can be decoded, ") for error in errors] == [True]


def test_without_ffmpeg_one_sentence_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = converted(wav(tmp_path / "a.wav", song()), tmp_path / "a.wv")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecordingError, match=r"a.wv: cannot be read as audio without ffmpeg: ffmpeg cannot be started"):
        open_recording(path)


def test_ffmpeg_ends_when_nobody_listens_any_more(tmp_path: Path) -> None:
    path = converted(wav(tmp_path / "a.wav", song(60)), tmp_path / "a.wv")
    before = {child.pid for child in psutil.Process().children()}
    blocks = open_recording(path, block_s=0.1).blocks
    next(blocks)
    assert len({child.pid for child in psutil.Process().children()} - before) == 1
    blocks.close()  # type: ignore[attr-defined]
    assert {child.pid for child in psutil.Process().children()} <= before


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from monitor.sources.recordings import open_recording
        total = sum(len(block.samples) for block in open_recording(Path(sys.argv[1])).blocks)
        print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """)
    peaks_kib = {}
    for minutes in (1, 10):
        path = tmp_path / f"{minutes}.wv"
        silence = ["-f", "lavfi", "-i", f"anullsrc=r=48000:cl=mono:d={60 * minutes}"]
        subprocess.run(["ffmpeg", "-v", "error", *silence, path], check=True)
        finished = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        samples, peaks_kib[minutes] = map(int, finished.stdout.split())
        assert samples == 60 * minutes * 48_000
    assert peaks_kib[10] < peaks_kib[1] + 20_000


# Lies and damage


def test_a_header_that_claims_a_thousand_channels_costs_no_memory(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", song())
    content = bytearray(path.read_bytes())
    content[22:24] = struct.pack("<H", 1000)
    content[24:28] = struct.pack("<I", 768_000)
    content[32:34] = struct.pack("<H", 2000)
    path.write_bytes(content)
    sizes = [len(block.samples) for block in open_recording(path).blocks if isinstance(block, Block)]
    assert sum(sizes) == len(song()) // 1000


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_hundred_files_that_are_damaged_are_heard_or_told_and_no_more(suffix: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / f"whole{suffix}", song(10.0 if suffix == ".ogg" else 1.0), RATE)
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    rng = np.random.default_rng(7)
    heard = told = 0
    for number in range(100):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(_damaged(whole, rng))
        begun = time.monotonic()
        errors: list[MonitorError] = []
        try:
            found = joined(list(until_broken(open_recording(path).blocks, errors.append)))
        except RecordingError as error:
            errors.append(error)
            found = np.zeros(0, np.float32)
        assert time.monotonic() - begun < 20
        assert all(str(error).startswith(f"{path}: ") for error in errors)
        assert np.isfinite(found).all()
        assert len(found) or errors, "nothing turns a failure into an empty result"
        heard += len(found) > 0
        told += bool(errors)
    assert heard
    assert told


def _damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, in the header or anywhere, and perhaps the end cut off."""
    content = bytearray(whole)
    reach = 64 if rng.random() < 0.5 else len(content)
    for offset in rng.integers(0, reach, rng.integers(1, 12)):
        content[offset] ^= 1 << int(rng.integers(0, 8))
    return bytes(content[: int(rng.integers(0, len(content)))] if rng.random() < 0.3 else content)


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "FLAC", "AIFF", "CAF", "AU"])
def test_samples_of_16_bits_are_those_that_libsndfile_makes_of_them(form: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 30_001).astype(np.int16)
    samples[:4] = (-32_768, 32_767, -1, 0)
    path = tmp_path / f"a.{form.lower()}"
    soundfile.write(path, samples, 24_000, subtype="PCM_16", format=form)
    heard = np.concatenate([block.samples for block in open_recording(path, block_s=0.25).blocks])
    assert heard.dtype == np.float32
    assert np.array_equal(heard, soundfile.read(path, dtype="float32")[0])
