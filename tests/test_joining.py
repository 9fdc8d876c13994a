"""Files that continue each other, and channels that are recordings of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import SampleClock
from monitor.errors import RecordingError
from monitor.records import Block, Cause, Gap, Samples, Taxon
from monitor.sinks.tables import Row, Source, row_of
from monitor.sources import Stream
from monitor.sources.joining import continuing
from monitor.sources.recordings import Reading, open_recording, open_recordings

RATE = 8_000
START = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)
IN_UTC = Reading(zone=UTC)


def noise(seconds: float, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


def at(folder: Path, seconds: float, samples: Samples, prefix: str = "A_", suffix: str = ".wav") -> Path:
    """A file of a recorder that began so many seconds after the start; its name says whole seconds."""
    path = folder / f"{prefix}{START + timedelta(seconds=seconds):%Y%m%d_%H%M%S}{suffix}"
    soundfile.write(path, samples, RATE, subtype="PCM_24" if suffix == ".flac" else "FLOAT")
    return path


def heard(stream: Stream) -> list[Block | Gap]:
    """All of a stream, whose pieces follow each other."""
    pieces, end = list(stream.blocks), 0
    for piece in pieces:
        assert piece.start_sample == end
        end = piece.end_sample
    return pieces


def samples_of(pieces: Sequence[Block | Gap]) -> Samples:
    """Samples in their places; what is missing is NaN."""
    found = np.full(pieces[-1].end_sample, np.nan, np.float32)
    for piece in pieces:
        if isinstance(piece, Block):
            found[piece.start_sample : piece.end_sample] = piece.samples
    return found


def row(stream: Stream, onset_s: float) -> Row:
    """What a table says of three seconds of a stream, heard by a model of another rate."""
    source = Source(stream.name, SampleClock(24_000, stream.start, stream.quality), 0.0, "m", stream.recorded)
    return row_of(source, (round(onset_s * 24_000), round((onset_s + 3) * 24_000)), Taxon("x", "x"), 1.0)


# Which continue each other


def test_files_that_follow_each_other_are_one_recording_and_others_are_not(tmp_path: Path) -> None:
    hour = [at(tmp_path, 4 * index, noise(4)) for index in range(3)]
    later = at(tmp_path, 60, noise(4))
    others = [at(tmp_path, 4 * index, noise(4), "B_") for index in range(2)]
    assert continuing([*hour, later, *others], UTC) == [tuple(hour), (later,), tuple(others)]


def test_a_longer_gap_may_be_allowed(tmp_path: Path) -> None:
    first, second = at(tmp_path, 0, noise(4)), at(tmp_path, 9, noise(4))
    assert continuing([first, second], UTC) == [(first,), (second,)]
    assert continuing([first, second], UTC, longest_gap_s=5) == [(first, second)]


def test_files_that_overlap_do_not_continue_each_other(tmp_path: Path) -> None:
    first, second = at(tmp_path, 0, noise(4)), at(tmp_path, 2, noise(4))
    assert continuing([first, second], UTC) == [(first,), (second,)]


def test_nothing_is_joined_whose_time_length_rate_or_channels_do_not_say_so(tmp_path: Path) -> None:
    first, other = at(tmp_path, 0, noise(4)), tmp_path / "A_20260501_041204.wav"
    for samples, rate in ((noise(4), 16_000), (np.stack([noise(4)] * 2, axis=1), RATE)):
        soundfile.write(other, samples, rate)
        assert len(continuing([first, other], UTC)) == 2
    soundfile.write(other, noise(4), RATE)
    assert len(continuing([first, other], UTC)) == 1
    assert len(continuing([first, other], None)) == 2, "in an unknown zone, the clock may have been changed between"
    other.write_text("no audio\n", encoding="utf-8")
    assert continuing([first, other], UTC) == [(first,), (other,)]


# What is heard of them


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 3 * RATE), min_size=2, max_size=4),
    lags_s=st.lists(st.floats(-0.999, 0.0), min_size=3, max_size=3),
    block_s=st.sampled_from([0.1, 0.7, 5.0]),
)
def test_a_seam_loses_and_doubles_no_sample_whatever_the_names_round(
    lengths: list[int], lags_s: list[float], block_s: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, whole = tmp_path_factory.mktemp("card"), noise(sum(lengths) / RATE)
    paths, begun = [], 0
    for index, length in enumerate(lengths):
        time = START + timedelta(seconds=begun / RATE + (lags_s[index - 1] if index else 0.0))
        path = folder / f"{index}_{time:%Y%m%d_%H%M%S}.{time.microsecond:06}.wav"
        soundfile.write(path, whole[begun : begun + length], RATE, subtype="FLOAT")
        paths.append(path)
        begun += length
    (stream,) = open_recordings(paths, Reading(zone=UTC, block_s=block_s))
    np.testing.assert_array_equal(samples_of(heard(stream)), whole)


def test_a_hole_between_files_is_a_gap_of_its_length(tmp_path: Path) -> None:
    first, second = noise(4), noise(4, 1)
    paths = [at(tmp_path, 0, first), at(tmp_path, 9, second)]
    (stream,) = open_recordings(paths, IN_UTC)
    pieces = heard(stream)
    assert [piece for piece in pieces if isinstance(piece, Gap)] == [Gap(4 * RATE, 9 * RATE, Cause.UNKNOWN)]
    found = samples_of(pieces)
    np.testing.assert_array_equal(found[9 * RATE :], second)


def test_each_detection_names_its_file_its_place_there_and_its_time(tmp_path: Path) -> None:
    paths = [at(tmp_path, 0, noise(4)), at(tmp_path, 4, noise(4)), at(tmp_path, 12, noise(4))]
    (stream,) = open_recordings(paths, IN_UTC)
    heard(stream)
    over, second, third = row(stream, 3), row(stream, 5.5), row(stream, 13)
    assert (over.file, over.onset_s, over.offset_s, over.onset_utc) == (
        str(paths[0]),
        3.0,
        6.0,
        "2026-05-01T04:12:03.000Z",
    )
    assert (second.file, second.onset_s, second.onset_utc) == (str(paths[1]), 1.5, "2026-05-01T04:12:05.500Z")
    assert (third.file, third.onset_s, third.onset_utc) == (str(paths[2]), 1.0, "2026-05-01T04:12:13.000Z")


def test_what_is_damaged_in_the_middle_is_a_gap_and_told_and_the_rest_is_heard(tmp_path: Path) -> None:
    paths = [at(tmp_path, 4 * index, noise(4, index), suffix=".flac") for index in range(3)]
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    errors: list[RecordingError] = []
    (stream,) = open_recordings(paths, Reading(zone=UTC, block_s=0.5), errors.append)
    found = samples_of(heard(stream))
    assert len(found) == 12 * RATE
    assert ["decoding broke off" in str(error) for error in errors] == [True]
    missing = np.flatnonzero(np.isnan(found))
    assert 4 * RATE < missing[0] < missing[-1] == 8 * RATE - 1
    np.testing.assert_allclose(found[8 * RATE :], noise(4, 2), atol=2**-22)


def test_one_that_vanished_is_told_and_the_others_are_heard(tmp_path: Path) -> None:
    paths = [at(tmp_path, 4 * index, noise(4, index)) for index in range(3)]
    paths[1].unlink()
    errors: list[RecordingError] = []
    (stream,) = open_recordings(paths, IN_UTC, errors.append)
    found = samples_of(heard(stream))
    assert [str(paths[1]) in str(error) for error in errors] == [True]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found))[[0, -1]], [4 * RATE, 8 * RATE - 1])
    paths[0].unlink()
    paths[2].unlink()
    with pytest.raises(RecordingError, match="No such file"):
        open_recordings(paths, IN_UTC)


def test_one_that_has_become_another_since_is_told(tmp_path: Path) -> None:
    paths = [at(tmp_path, 4 * index, noise(4, index)) for index in range(2)]
    soundfile.write(paths[1], np.stack([noise(4)] * 2, axis=1), RATE)
    errors: list[RecordingError] = []
    (stream,) = open_recordings(paths, IN_UTC, errors.append)
    np.testing.assert_array_equal(samples_of(heard(stream)), noise(4))
    assert [str(error) for error in errors] == [
        f"{paths[1]}: 8000 Hz and 2 channels: 8000 Hz and 1 expected, as before it"
    ]


# Channels


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """Two channels."""
    path = tmp_path / "20260501_041200.wav"
    soundfile.write(path, np.stack([noise(2, 1), noise(2, 2)], axis=1), RATE, subtype="FLOAT")
    return path


def test_one_channel_may_be_chosen(stereo: Path) -> None:
    for channel in (1, 2):
        (stream,) = open_recordings([stereo], Reading(channels=channel))
        np.testing.assert_array_equal(samples_of(heard(stream)), noise(2, channel))
        assert row(stream, 0).channel == channel


def test_each_channel_may_be_a_recording_of_its_own(stereo: Path) -> None:
    streams = open_recordings([stereo], Reading(channels="each", block_s=0.3))
    found = [samples_of(heard(stream)) for stream in reversed(streams)]
    np.testing.assert_array_equal(found[::-1], [noise(2, 1), noise(2, 2)])
    assert len({stream.id for stream in [*streams, open_recording(stereo)]}) == 3
    assert [row(stream, 0).channel for stream in streams] == [1, 2]


def test_a_recording_of_one_channel_stays_what_it_is(tmp_path: Path) -> None:
    path = at(tmp_path, 0, noise(1))
    (stream,) = open_recordings([path], Reading(channels="each"))
    assert stream.id == open_recording(path).id
    assert row(stream, 0).channel is None


def test_a_channel_that_there_is_not_is_one_sentence(stereo: Path) -> None:
    with pytest.raises(RecordingError, match=r"041200.wav: channel 3 is asked for, and there are 2"):
        open_recordings([stereo], Reading(channels=3))


def test_channels_of_files_that_continue_each_other_are_joined_each(tmp_path: Path) -> None:
    both = [np.stack([noise(2, seed), noise(2, seed + 1)], axis=1) for seed in (10, 20)]
    paths = [at(tmp_path, 2 * index, samples) for index, samples in enumerate(both)]
    streams = open_recordings(paths, Reading(zone=UTC, channels="each"))
    for stream, channel in zip(streams, np.concatenate(both).T, strict=True):
        np.testing.assert_array_equal(samples_of(heard(stream)), channel)
