"""What is made of the samples before anybody analyses them: form, channel, gain, high-pass, silence."""

import io
import logging
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import MicrophoneError
from monitor.records import Block, Cause, Gap, Samples
from monitor.sources.feed import Frames, Piece
from monitor.sources.hearing import Hearing, heard
from monitor.sources.high_pass import HighPass
from monitor.sources.pcm import Decoder, Encoding, Form, wav_header
from monitor.sources.symptoms import SILENT_S, Symptom, Symptoms

modest = settings(derandomize=True, deadline=None, max_examples=40)

RATE = 8000
SUBTYPES = {Encoding.S16LE: "PCM_16", Encoding.S24LE: "PCM_24", Encoding.S32LE: "PCM_32", Encoding.F32LE: "FLOAT"}


def noise(count: int, channels: int = 1, seed: int = 5) -> Samples:
    """White noise, shape (count, channels)."""
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (count, channels)).astype(np.float32)


def as_written(samples: Samples, encoding: Encoding, form: str) -> tuple[bytes, Samples]:
    """What libsndfile makes of samples, as bytes, and what it reads of these."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype=SUBTYPES[encoding], format=form)
    file.seek(0)
    raw = {"samplerate": RATE, "channels": samples.shape[1], "subtype": SUBTYPES[encoding], "format": "RAW"}
    read, _ = soundfile.read(file, dtype="float32", always_2d=True, **(raw if form == "RAW" else {}))
    return file.getvalue(), read


def decoded(written: bytes, form: Form, cuts: Iterable[int]) -> Samples:
    """What a decoder makes of bytes that come in pieces."""
    decoder = Decoder(form)
    edges = [0, *sorted(cuts), len(written)]
    frames = [one for a, b in pairwise(edges) for one in decoder.frames(written[a:b], 0.0)]
    assert all(before.end_sample == after.start_sample for before, after in pairwise(frames))
    return np.concatenate([one.samples for one in frames])


@modest
@given(encoding=st.sampled_from(Encoding), channels=st.integers(1, 4), count=st.integers(1, 50), data=st.data())
def test_raw_samples_are_read_as_libsndfile_reads_them_however_they_come(
    encoding: Encoding, channels: int, count: int, data: st.DataObject
) -> None:
    written, expected = as_written(noise(count, channels), encoding, "RAW")
    cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=8))
    np.testing.assert_array_equal(decoded(written, Form(RATE, encoding, channels), cuts), expected)


def test_floats_that_are_no_numbers_are_silence() -> None:
    written = np.array([0.5, np.nan, np.inf, -0.5], "<f4").tobytes()
    assert decoded(written, Form(RATE, Encoding.F32LE, 1), []).ravel().tolist() == [0.5, 0, 0, -0.5]


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_says_its_form_itself_as_soon_as_its_header_is_there(encoding: Encoding, form: str) -> None:
    written, expected = as_written(noise(20, 2), encoding, form)
    found = [wav_header(written[:length]) for length in range(12, len(written))]
    first = next(index for index, one in enumerate(found) if one is not None)
    assert len(set(found[first:])) == 1
    assert found[first] is not None
    described, begin = found[first]
    assert described == Form(RATE, encoding, 2)
    np.testing.assert_array_equal(decoded(written[begin:], described, [])[:20], expected)


def test_a_wav_of_another_kind_is_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, noise(20), RATE, subtype="ULAW", format="WAV")
    with pytest.raises(MicrophoneError, match="a WAV with format 7, 8 bits: s16le, s24le, s32le, f32le expected"):
        wav_header(file.getvalue())


def blocks_of(samples: Samples, cuts: Iterable[int], start: int = 1000) -> list[Block]:
    """One stretch in blocks, some of them empty, with the time at which each had been taken."""
    edges = [0, *sorted(cuts), len(samples)]
    return [Block(start + a, samples[a:b], 50 + (start + b) / RATE) for a, b in pairwise(edges)]


def passed(high_pass: HighPass, blocks: list[Block]) -> list[Block]:
    """A stretch through the filter."""
    return [out for block in blocks for out in high_pass.add(block)] + list(high_pass.finish())


@modest
@given(count=st.integers(1, 20_000), cutoff_hz=st.sampled_from([50.0, 150.0, 1000.0]), data=st.data())
def test_the_high_pass_gives_the_same_however_the_audio_is_cut(
    count: int, cutoff_hz: float, data: st.DataObject
) -> None:
    samples, high_pass = noise(count)[:, 0], HighPass(cutoff_hz, RATE)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=8))
    whole, pieces = (passed(high_pass, blocks_of(samples, edges)) for edges in ([], cuts))
    for found in (whole, pieces):
        assert found[0].start_sample == 1000
        assert all(before.end_sample == after.start_sample for before, after in pairwise(found))
        assert found[-1].end_sample == 1000 + count
        for block in found:
            assert block.captured == pytest.approx(50 + block.end_sample / RATE)
    np.testing.assert_array_equal(*(np.concatenate([b.samples for b in found]) for found in (whole, pieces)))


@pytest.mark.parametrize("cutoff_hz", [100.0, 400.0])
def test_the_high_pass_is_a_windowed_sinc_as_scipy_designs_it(cutoff_hz: float) -> None:
    samples = noise(6000)[:, 0]
    (found,) = [np.concatenate([b.samples for b in passed(HighPass(cutoff_hz, RATE), blocks_of(samples, []))])]
    size = 2 * int(np.ceil(3.3 * RATE / cutoff_hz / 2)) + 1
    taps = scipy.signal.firwin(size, cutoff_hz, fs=RATE, pass_zero=False, window="hamming")
    expected = np.convolve(np.pad(samples, size // 2, mode="edge"), taps, mode="valid")
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize(("pitch_hz", "gain"), [(0.0, 0.0), (50.0, 0.0), (200.0, 0.5), (400.0, 1.0), (3000.0, 1.0)])
def test_the_high_pass_takes_off_what_is_below_and_leaves_what_is_above_in_its_place(
    pitch_hz: float, gain: float
) -> None:
    tone = 0.5 * np.cos(2 * np.pi * pitch_hz * np.arange(RATE) / RATE).astype(np.float32)
    found = np.concatenate([b.samples for b in passed(HighPass(200.0, RATE), blocks_of(tone, []))])
    np.testing.assert_allclose(found[1000:-1000], gain * tone[1000:-1000], atol=3e-3)


def pieces_of(samples: Samples, start: int = 0) -> list[Piece]:
    """Samples of all channels, a tenth of a second at a time."""
    size = RATE // 10
    return [Frames(start + a, samples[a : a + size], 0.0) for a in range(0, len(samples), size)]


def blocks_heard(pieces: list[Piece], hearing: Hearing) -> Samples:
    """All that is heard, as one."""
    return np.concatenate([b.samples for b in heard(pieces, RATE, hearing, "mic") if isinstance(b, Block)])


def test_a_channel_is_heard_as_it_is_or_all_are_averaged() -> None:
    samples = noise(RATE, 3)
    np.testing.assert_array_equal(blocks_heard(pieces_of(samples), Hearing(1)), samples[:, 1])
    np.testing.assert_allclose(blocks_heard(pieces_of(samples), Hearing(None)), samples.mean(axis=1), atol=1e-6)


def test_a_gain_makes_louder_and_never_leaves_full_scale() -> None:
    samples = noise(RATE)
    louder = blocks_heard(pieces_of(samples), Hearing(0, gain_db=6.0206))
    np.testing.assert_allclose(louder, np.clip(2 * samples[:, 0], -1, 1), atol=1e-5)
    softer = blocks_heard(pieces_of(samples), Hearing(0, gain_db=-20.0))
    np.testing.assert_allclose(softer, samples[:, 0] / 10, atol=1e-6)


def test_a_gap_stays_in_its_place_and_the_high_pass_does_not_reach_across_it() -> None:
    samples = noise(2 * RATE)
    gap = Gap(RATE, 2 * RATE, Cause.OVERRUN)
    pieces: list[Piece] = [*pieces_of(samples[:RATE]), gap, *pieces_of(samples[RATE:], 2 * RATE)]
    found = list(heard(pieces, RATE, Hearing(0, high_pass_hz=100.0), "mic"))
    assert all(before.end_sample == after.start_sample for before, after in pairwise(found))
    where = found.index(gap)
    alone = list(heard(pieces_of(samples[RATE:], 2 * RATE), RATE, Hearing(0, high_pass_hz=100.0), "mic"))
    behind = [b.samples for b in found[where + 1 :] if isinstance(b, Block)]
    np.testing.assert_array_equal(
        np.concatenate(behind), np.concatenate([b.samples for b in alone if isinstance(b, Block)])
    )


def test_digital_silence_counts_as_lost_after_a_minute_until_anything_else_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    before, silent_s = noise(RATE), round(SILENT_S) + 10
    zeros = np.zeros((silent_s * RATE, 1), np.float32)
    pieces = pieces_of(np.concatenate([before, zeros, before, zeros[: 2 * RATE]]))
    found = list(heard(pieces, RATE, Hearing(0), "canopy"))
    missing = [piece for piece in found if isinstance(piece, Gap)]
    assert {gap.cause for gap in missing} == {Cause.DEVICE}
    begin = RATE + round(SILENT_S * RATE)
    assert begin - RATE // 10 <= missing[0].start_sample <= begin
    assert missing[-1].end_sample == (1 + silent_s) * RATE
    assert [record.getMessage() for record in caplog.records] == [
        "canopy gives nothing but zeros, as if it was muted or not connected: this counts as lost; for the 1. time",
        "canopy no longer gives nothing but zeros, as if it was muted or not connected: this counts as lost",
    ]


@pytest.mark.parametrize(
    ("fault", "symptom"),
    [
        (lambda samples: samples * 0.1 + 0.4, Symptom.OFFSET),
        (lambda samples: np.clip(20 * samples, -1, 1), Symptom.CLIPPING),
        (lambda samples: samples * 0.1, None),
    ],
    ids=["offset", "clipping", "well"],
)
def test_an_offset_and_clipping_are_reported_once_and_are_no_loss(
    fault: "object", symptom: Symptom | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    symptoms, well = Symptoms(RATE, "mic"), noise(RATE) * np.float32(0.2)
    assert callable(fault)
    for _ in range(190):
        symptoms.watch(fault(noise(RATE)))
    assert symptoms.present == ({symptom} if symptom else set())
    assert not symptoms.silent
    for _ in range(120):
        symptoms.watch(well)
    assert symptoms.present == set()
    assert symptoms.times.total() == len(caplog.records) // 2 == (symptom is not None)
