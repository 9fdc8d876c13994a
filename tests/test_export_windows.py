"""Which windows calibrate, which judge, and what is known of those."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from synthetic import write_data

from export.windows import (
    KINDS,
    WINDOWS_A_RECORDING,
    apart,
    calibration,
    in_turn,
    judged,
)
from monitor.errors import RecordingError
from monitor.features import Floats, picture
from training.corpus.manifest import Box, Manifest, Recording, read_manifest
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.evaluation.claims import UNKNOWN

N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(write_data(tmp_path_factory.mktemp("data")))


def recording(label: str | None, index: int = 0, fold: int = 0, boxes: tuple[Box, ...] | None = None) -> Recording:
    name = f"{label}{index}"
    return Recording(Path(name), label, name, fold, name, boxes)


def some_power(rng: np.random.Generator, n_frames: int = N_FRAMES) -> Floats:
    return rng.gamma(1.0, size=(SPEC.n_mels, n_frames)).astype(np.float32)


# Apart


@pytest.mark.parametrize("left_out", [None, 0, 1])
def test_no_session_both_calibrates_and_judges(manifest: Manifest, left_out: int | None) -> None:
    calibrate, judge = apart(manifest, left_out)
    assert not {r.session for r in calibrate} & {r.session for r in judge}
    assert {r.fold for r in judge} == {left_out or 0}
    assert {r.path for r in (*calibrate, *judge)} == {r.path for r in manifest.recordings}


def test_recordings_of_a_single_fold_are_refused() -> None:
    with pytest.raises(RecordingError, match="all recordings lie in fold 3: an export needs two folds"):
        apart(Manifest((recording("a", 0, 3), recording("b", 0, 3))), None)
    with pytest.raises(RecordingError, match="no recording lies in fold 7"):
        apart(Manifest((recording("a", 0, 3),)), 7)


def test_recordings_are_in_turn_however_many_a_species_has() -> None:
    many = [recording("a", index) for index in range(4)]
    ordered = in_turn([*many, recording("b"), recording(None), recording(None, 1)])
    assert [r.label for r in ordered] == [None, "a", "b", None, "a", "a", "a"]
    assert [r for r in ordered if r.label == "a"] == many


# Calibration


def test_calibration_windows_are_calls_noise_mixtures_and_soft_calls_in_the_same_shares() -> None:
    """Told apart by the bands in which the two recordings sound."""
    call, noise = np.full((2, SPEC.n_mels, N_FRAMES), 1e-4, np.float32)
    call[10] = 100.0 * np.random.default_rng(0).gamma(1.0, size=N_FRAMES)
    noise[60] = 100.0 * np.random.default_rng(1).gamma(1.0, size=N_FRAMES)
    recordings = [recording("a"), recording(None)]
    spectra = {recordings[0].path: call, recordings[1].path: noise}
    windows = calibration(recordings, spectra, SPEC, N_FRAMES, np.random.default_rng(2), 800)

    def kind(window: Floats) -> str:
        if np.array_equal(window, picture(call, SPEC)):
            return "call"
        if np.array_equal(window, picture(noise, SPEC)):
            return "noise"
        level = window[0].mean(axis=1)
        return "mixed" if level[60] > level[30] + 1 else "soft"

    assert Counter(map(kind, windows)) == {name: 100 * count for name, count in Counter(KINDS).items()}


def test_soft_calls_show_the_floor() -> None:
    """What is louder than the rest by the same factor stands out by less where both sink into the floor."""
    rng = np.random.default_rng(0)
    call = some_power(rng) * np.float32(1e-5)
    call[:8] *= 1000
    windows = calibration([recording("a")], {Path("a0"): call}, SPEC, N_FRAMES, rng, 800)
    plain = picture(call, SPEC)[0]
    spread = np.median(plain[8:].std())
    soft = [window[0, 8:].std() for window, name in zip(windows, KINDS * 100, strict=True) if name == "soft"]
    assert max(soft) > 0.9 * spread
    assert min(soft) < 0.1 * spread


def test_pieces_of_a_long_recording_come_from_everywhere_and_the_same_for_the_same_seed() -> None:
    power = some_power(np.random.default_rng(4), N_FRAMES + 5)
    noise = recording(None)
    pieces = [picture(power[:, start : start + N_FRAMES], SPEC) for start in range(6)]
    first, again = (
        calibration([noise], {noise.path: power}, SPEC, N_FRAMES, np.random.default_rng(1), 200) for _ in range(2)
    )
    assert np.array_equal(first, again)
    plain = [window for window, name in zip(first, KINDS * 25, strict=True) if name == "noise"]
    assert all(any(np.array_equal(window, piece) for piece in pieces) for window in plain)
    assert all(any(np.array_equal(window, piece) for window in plain) for piece in pieces)


# What judges


def test_truth_is_that_of_boxes_of_negatives_and_of_the_window_in_which_a_label_is_heard_best(
    manifest: Manifest,
) -> None:
    rng = np.random.default_rng(0)
    labels = list(manifest.labels)
    taxa = {label: manifest.taxa[label] for label in labels}
    found = judged(
        manifest.recordings,
        taxa,
        SPEC,
        WINDOW_SAMPLES,
        lambda windows: rng.normal(size=(len(windows), len(labels))).astype(np.float32),
    )
    assert len(found.pictures) == len(found.truth) == len(found.logits)
    begin = 0
    for one in manifest.recordings:
        n_windows = 4  # of 4.5 or 5 s: at 0, 1 and 2 s, and one at the end
        truth, logits = found.truth[begin : begin + n_windows], found.logits[begin : begin + n_windows]
        begin += n_windows
        if one.label is None:
            assert not truth.any()
            continue
        own = labels.index(one.label)
        wanted = np.eye(len(labels), dtype=np.int8)[own]
        if one.boxes is not None:
            assert np.array_equal(truth, np.tile(wanted, (n_windows, 1)))
            continue
        best = int(logits[:, own].argmax())
        assert np.array_equal(truth[best], wanted)
        assert (np.delete(truth, best, axis=0) == UNKNOWN).all()
    assert begin == len(found.truth)


def test_a_long_recording_gives_windows_from_its_whole_length_but_not_all(manifest: Manifest, tmp_path: Path) -> None:
    import soundfile  # noqa: PLC0415 for this test alone

    rng = np.random.default_rng(0)
    path = tmp_path / "long.wav"
    soundfile.write(path, rng.normal(0, 0.1, 100 * SPEC.sample_rate), SPEC.sample_rate)
    long = Recording(path, None, "long", 0, "long")
    taxa = {label: manifest.taxa[label] for label in manifest.labels}
    seen: list[Floats] = []

    def logits(windows: list[Floats]) -> Floats:
        seen.extend(windows)
        return np.zeros((len(windows), len(taxa)), np.float32)

    found = judged([long], taxa, SPEC, WINDOW_SAMPLES, logits)
    assert len(found.pictures) == WINDOWS_A_RECORDING
    assert len(found.sounds) == 1
    assert found.sounds[0].shape == (WINDOW_SAMPLES,)
    assert len({window.tobytes() for window in seen}) == WINDOWS_A_RECORDING
