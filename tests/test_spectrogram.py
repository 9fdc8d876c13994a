"""Pictures of sound: levels, axes, letters, files, and the command that draws them."""

import io
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from monitor.pictures import png
from monitor.pictures.colours import shades
from monitor.pictures.drawing import MOST_LANES, Caption, drawing, shaded
from monitor.pictures.lanes import Mark, lanes
from monitor.pictures.spectrum import Stretch, even_edges, spectrum
from monitor.pictures.text import HEIGHT, WIDTH, written
from monitor.pictures.ticks import clock, ticks, time_ticks
from monitor.records import Block, Cause, Gap, Samples
from monitor.soundscape import soundscape

RATE = 32_000


def sine(hertz: float, seconds: float, rate: int = RATE) -> Samples:
    """Of full scale."""
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def levels_of(samples: Samples, rate: int = RATE, columns: int = 20, rows: int = 64) -> np.ndarray:
    """The levels of one block."""
    stretch = Stretch(0, len(samples), rate)
    return spectrum([Block(0, samples)], stretch, columns, even_edges(stretch, rows))


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.05, 0.95), rate=st.sampled_from([8_000, 32_000, 48_000, 192_000]))
def test_a_sine_of_full_scale_has_0_db_at_its_frequency_and_nowhere_else(share: float, rate: int) -> None:
    levels = levels_of(sine(share * rate / 2, 1.0, rate), rate, rows=32)
    power = 10 ** (levels[:, 1:-1] / 10)
    np.testing.assert_allclose(10 * np.log10(power.sum(axis=0)), 0, atol=0.1)
    row = int(share * 32)
    assert (power[max(0, row - 1) : row + 2].sum(axis=0) > 0.97).all()


def test_the_levels_of_noise_add_up_to_its_power() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)
    power = (10 ** (levels_of(noise) / 10)).sum(axis=0).mean()
    assert power == pytest.approx(2 * np.mean(np.square(noise)), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(1, RATE - 1), max_size=8, unique=True),
    start=st.integers(0, RATE // 2),
    length=st.integers(100, RATE // 2),
)
def test_any_cutting_of_the_same_audio_gives_the_same_picture(cuts: list[int], start: int, length: int) -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, RATE).astype(np.float32)
    stretch, edges = Stretch(start, start + length, RATE), np.linspace(0, RATE / 2, 17)
    bounds = [0, *sorted(cuts), RATE]
    blocks = [Block(a, samples[a:b]) for a, b in itertools.pairwise(bounds)]
    np.testing.assert_allclose(
        spectrum(blocks, stretch, 10, edges), spectrum([Block(0, samples)], stretch, 10, edges), atol=1e-3
    )


def test_where_nothing_was_heard_there_is_no_level_and_the_drawing_is_grey() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 3 * RATE).astype(np.float32)
    pieces = [
        Block(0, noise[:RATE]),
        Gap(RATE, 2 * RATE, Cause.DEVICE),
        Block(2 * RATE, noise[2 * RATE :]),
    ]
    stretch = Stretch(0, 3 * RATE, RATE)
    levels = spectrum(pieces, stretch, 30, even_edges(stretch, 16))
    assert np.isfinite(levels[:, :10]).all()
    assert np.isnan(levels[:, 11:19]).all()
    assert np.isfinite(levels[:, 20:]).all()
    sheet = drawing(levels, stretch, Caption("x"))
    assert (sheet == (150, 150, 150)).all(axis=2).sum() >= 16 * 8


@pytest.mark.parametrize("count", [1, 3, 700, 5000])
def test_however_short_a_stretch_is_it_can_be_drawn(count: int) -> None:
    for samples in (np.zeros(count, np.float32), np.ones(count, np.float32)):
        levels = levels_of(samples, columns=50)
        assert drawing(levels, Stretch(0, count, RATE), Caption("short", [Mark(0, 1, "bird")])).shape[2] == 3


def test_no_more_is_read_than_the_stretch_needs() -> None:
    def audio():  # noqa: ANN202
        yield Block(0, np.zeros(RATE, np.float32))
        yield Block(RATE, np.zeros(RATE, np.float32))
        raise AssertionError

    levels = spectrum(audio(), Stretch(RATE // 2, 2 * RATE, RATE), 5, np.linspace(0, 16_000, 5))
    assert np.isfinite(levels).all()


def test_every_picture_can_be_read_by_others() -> None:
    grey = np.arange(77, dtype=np.uint8).reshape(7, 11)
    assert np.array_equal(np.array(Image.open(io.BytesIO(png.grey(grey)))), grey)
    coloured = np.random.default_rng(4).integers(0, 255, (5, 9, 3), dtype=np.uint8)
    assert np.array_equal(np.array(Image.open(io.BytesIO(png.rgb(coloured)))), coloured)
    few = np.random.default_rng(5).integers(0, 16, (4, 9), dtype=np.uint8)
    read = Image.open(io.BytesIO(png.paletted(few, shades(16)))).convert("RGB")
    assert np.array_equal(np.array(read), shades(16)[few])
    with pytest.raises(ValueError, match="17 colours"):
        png.paletted(few, shades(17))


def test_each_shade_is_lighter_than_the_one_before_also_to_who_sees_no_colours() -> None:
    luminance = shades(64) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > 0).all()


def test_levels_become_shades_with_the_highest_frequency_above() -> None:
    shown = shaded(levels_of(sine(14_000, 1.0)), 256)
    assert shown.shape == (64, 20)
    assert shown[:32].max() == 255
    assert shown[32:, 1:-1].max() < 128
    assert not shaded(np.full((4, 4), np.nan), 256).any()


def test_letters_are_pixels_and_one_that_the_font_lacks_is_a_question_mark() -> None:
    assert written("Żuraw ж").shape == (HEIGHT, 7 * WIDTH)
    assert written("ab", 3).shape == (3 * HEIGHT, 6 * WIDTH)
    assert not np.array_equal(written("I"), written("l"))
    assert np.array_equal(written("鶴"), written("?"))
    assert not written("  ").any()


@given(low=st.floats(0, 1e5), span=st.floats(1e-3, 1e6), most=st.integers(2, 20))
def test_ticks_are_round_evenly_apart_and_no_more_than_there_is_room_for(low: float, span: float, most: int) -> None:
    for made in (ticks, time_ticks):
        found = made(low, low + span, most)
        assert len(found) <= most
        assert all(low - span * 1e-6 <= one <= low + span * (1 + 1e-6) for one in found)
        steps = np.diff(found)
        assert np.allclose(steps, steps[:1])


def test_times_are_read_as_on_a_clock() -> None:
    assert [clock(*one) for one in [(2.5, 0.5), (0, 10), (50, 10), (60, 10), (3725, 5)]] == [
        *("2.5 s", "0 s", "50 s", "1:00", "1:02:05")
    ]
    assert clock(61.5, 0.5) == "1:01.5"
    assert time_ticks(0, 3600, 5) == [0, 900, 1800, 2700, 3600]


MARKS = st.builds(
    lambda start, length, text: Mark(start, start + length, text),
    st.floats(0, 100),
    st.floats(0, 20),
    st.text("ab", max_size=9),
)


@given(st.lists(MARKS, max_size=20))
def test_marks_share_a_lane_only_where_neither_covers_the_others_text(marks: list[Mark]) -> None:
    found = lanes(marks, 0.5)
    assert sorted(map(str, marks)) == sorted(str(mark) for lane in found for mark in lane)
    for lane in found:
        for one, other in itertools.pairwise(lane):
            assert other.start_s >= max(one.end_s, one.start_s + 0.5 * len(one.text))


def test_more_marks_than_there_is_room_for_are_counted() -> None:
    stretch = Stretch(0, 10 * RATE, RATE)
    levels = np.zeros((200, 300))
    few = drawing(levels, stretch, Caption("", [Mark(1, 2, "a")] * MOST_LANES))
    many = drawing(levels, stretch, Caption("", [Mark(1, 2, "a")] * 50))
    assert many.shape == few.shape


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """The soundscape, in which a great tit sings."""
    soundfile.write(tmp_path / "garden.wav", soundscape(RATE), RATE)
    return tmp_path / "garden.wav"


def test_a_recording_is_drawn_with_what_analyze_finds_in_it(wav: Path, tmp_path: Path) -> None:
    detected = dawnchorus("spectrogram", wav, "--detect", "-o", tmp_path / "new" / "one.png")
    assert detected.returncode == 0, detected.stderr
    assert dawnchorus("analyze", wav, "-o", tmp_path).returncode == 0
    tabled = dawnchorus("spectrogram", wav, "--detections", tmp_path / "detections.csv", "-o", tmp_path / "two.png")
    assert (tmp_path / "new" / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert tabled.stdout.splitlines()[1] == detected.stdout.splitlines()[1]
    assert int(detected.stdout.splitlines()[1].split()[0]) > 0
    picture = np.array(Image.open(tmp_path / "two.png"))
    assert (picture == (86, 180, 233)).all(axis=2).any()
    plain = dawnchorus("spectrogram", wav, "-o", tmp_path / "plain.png")
    assert plain.stdout.count("\n") == 1
    assert not (np.array(Image.open(tmp_path / "plain.png")) == (86, 180, 233)).all(axis=2).any()


def test_a_stretch_is_drawn_in_the_terminal_with_its_axes_and_marks(wav: Path, tmp_path: Path) -> None:
    table = tmp_path / "detections.csv"
    table.write_text(
        "file,onset_s,offset_s,common_name,confidence\ngarden.wav,12,14,Great [b] Tit,0.9\nx.wav,1,2,y,1\n"
    )
    result = dawnchorus("spectrogram", wav, "--from", "10", "--to", "20", "--detections", table)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("         ▀▀▀")
    assert "  10 kHz ▀" in result.stdout
    assert lines[12].split() == ["10", "s", "12", "s", "14", "s", "16", "s", "18", "s", "20", "s"]
    assert lines[13] == " " * 9 + " " * 14 + "▔" * 15 + " Great [b] Tit 0.90"
    assert lines[14] == "1 detections in this stretch"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--from", "30"], "within the 30 s"),
        (["--from", "5", "--to", "5"], "--from 5 --to 5"),
        (["--detect", "--detections", "x.csv"], "expected one of them"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(wav: Path, asked: list[str], said: str) -> None:
    result = dawnchorus("spectrogram", wav, *asked)
    assert result.returncode == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_what_cannot_be_read_or_written_is_one_sentence(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.txt").write_text("hush")
    assert "noise.txt: cannot be read as audio" in sentence(dawnchorus("spectrogram", tmp_path / "noise.txt"), 1)
    said = sentence(dawnchorus("spectrogram", wav, "-o", tmp_path / "noise.txt" / "x.png"), 1)
    assert "noise.txt/x.png cannot be written" in said
    said = sentence(dawnchorus("spectrogram", wav, "--detections", tmp_path / "noise.txt"), 78)
    assert "noise.txt has no column file: one that analyze has written as CSV expected" in said


def test_of_a_damaged_recording_is_drawn_what_is_there_and_the_rest_is_told(wav: Path, tmp_path: Path) -> None:
    samples, _rate = soundfile.read(wav, dtype="float32")
    soundfile.write(tmp_path / "whole.flac", samples, RATE)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(content[: len(content) // 2])
    result = dawnchorus("spectrogram", tmp_path / "half.flac", "-o", tmp_path / "half.png")
    assert result.returncode == 0, result.stderr
    assert "half.flac: decoding broke off" in result.stderr
    picture = np.array(Image.open(tmp_path / "half.png"))
    assert (picture == (150, 150, 150)).all(axis=2).sum() > 100_000
    width, height = struct.unpack(">II", (tmp_path / "half.png").read_bytes()[16:24])
    assert picture.shape == (height, width, 3)
