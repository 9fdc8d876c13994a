"""Scores to detections: windows of 10 samples, one every 5, unless a test says otherwise."""

import uuid
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.contract import Calibration, Label
from monitor.errors import ConfigError
from monitor.features import Floats
from monitor.records import Detection, Window
from monitor.tracker import Rules, Thresholds, Tracker

SIZE, STEP = 10, 5
RECORDING = uuid.UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")

modest = settings(derandomize=True, deadline=None, max_examples=200)


def label(name: str, threshold: float = 0.5, scientific_name: str = "", common_name: str = "") -> Label:
    """Make an output of a network."""
    return Label(
        name, scientific_name or f"{name} minor", common_name or f"Lesser {name}", "species", threshold, Calibration()
    )


TIT, JAY = label("tit", 0.5, "Parus major", "Great Tit"), label("jay", 0.8, "Garrulus glandarius", "Eurasian Jay")


def window(start: int, size: int = SIZE) -> Window:
    """Make a window whose samples do not matter."""
    return Window(start, start + size, np.zeros(0, np.float32))


def row(count: int, start: int = 0) -> list[Window]:
    """Windows a step apart."""
    return [window(start + index * STEP) for index in range(count)]


def track(
    windows: Sequence[Window],
    scores: Sequence[Sequence[float]],
    rules: Rules,
    labels: Sequence[Label] = (TIT,),
    recording: uuid.UUID = RECORDING,
) -> list[Detection]:
    """All detections of one recording."""
    tracker = Tracker(labels, rules, recording)
    found: list[Detection] = []
    for one, of_labels in zip(windows, scores, strict=True):
        found += tracker.update(one, np.array(of_labels, np.float32))
    return found + tracker.finish()


def of_tit(scores: Sequence[float], hysteresis: float = 0.1, max_samples: int = 1000) -> list[tuple[int, int, float]]:
    """Onset, offset and confidence of what one label's scores in a row give at a threshold of 0.5."""
    rules = Rules((0.5,), hysteresis, max_samples)
    found = track(row(len(scores)), [[score] for score in scores], rules)
    return [(d.onset_sample, d.offset_sample, round(d.confidence, 3)) for d in found]


@st.composite
def heard(draw: st.DrawFn) -> tuple[list[Window], list[list[float]], Rules, list[Label]]:
    """Windows with gaps between, scores for up to three labels, and rules."""
    labels = [label(name) for name in ("a", "b", "c")[: draw(st.integers(1, 3))]]
    share = st.integers(0, 8).map(lambda eighths: eighths / 8)
    windows, position = [], draw(st.integers(0, 100))
    for apart in draw(st.lists(st.sampled_from([STEP, STEP, STEP, SIZE, SIZE + 1, 40]), max_size=30)):
        windows.append(window(position))
        position += apart
    scores = [draw(st.lists(share, min_size=len(labels), max_size=len(labels))) for _ in windows]
    thresholds = tuple(draw(share) for _ in labels)
    rules = Rules(thresholds, draw(st.sampled_from([0.0, 0.125, 0.375])), draw(st.integers(1, 100)))
    return windows, scores, rules, labels


Heard = tuple[list[Window], list[list[float]], Rules, list[Label]]


@modest
@given(heard=heard())
def test_detections_of_a_label_never_overlap_and_come_in_order(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    found = track(windows, scores, rules, labels)
    for one in labels:
        mine = [d for d in found if d.label == one.label]
        assert all(d.onset_sample < d.offset_sample for d in mine)
        assert all(before.offset_sample <= after.onset_sample for before, after in pairwise(mine))


@modest
@given(heard=heard())
def test_detections_lie_where_windows_heard_and_nowhere_else(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    covered = {sample for one in windows for sample in range(one.start_sample, one.end_sample)}
    for detection in track(windows, scores, rules, labels):
        assert set(range(detection.onset_sample, detection.offset_sample)) <= covered


@modest
@given(heard=heard())
def test_every_window_at_its_threshold_is_inside_detections_of_that_label(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    found = track(windows, scores, rules, labels)
    for index, one in enumerate(labels):
        reported = {s for d in found if d.label == one.label for s in range(d.onset_sample, d.offset_sample)}
        for at, of_labels in zip(windows, scores, strict=True):
            if of_labels[index] >= rules.thresholds[index]:
                assert set(range(at.start_sample, at.end_sample)) <= reported


@modest
@given(heard=heard())
def test_a_detection_needs_a_window_within_the_hysteresis_and_has_its_highest_score(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    for detection in track(windows, scores, rules, labels):
        index = [one.label for one in labels].index(detection.label)
        inside = [
            of_labels[index]
            for at, of_labels in zip(windows, scores, strict=True)
            if at.end_sample > detection.onset_sample and at.start_sample < detection.offset_sample
        ]
        assert detection.confidence in inside
        assert detection.confidence >= rules.thresholds[index] - rules.hysteresis


@modest
@given(heard=heard())
def test_no_detection_is_longer_than_the_longest_allowed_or_a_window(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    for detection in track(windows, scores, rules, labels):
        assert detection.offset_sample - detection.onset_sample <= max(rules.max_samples, SIZE)


@modest
@given(heard=heard())
def test_labels_do_not_see_each_other(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    together = track(windows, scores, rules, labels)
    for index, one in enumerate(labels):
        alone_rules = Rules((rules.thresholds[index],), rules.hysteresis, rules.max_samples)
        alone = track(windows, [[of_labels[index]] for of_labels in scores], alone_rules, [one])
        assert [d for d in together if d.label == one.label] == alone


@modest
@given(heard=heard())
def test_the_same_recording_gives_the_same_detections_with_the_same_unique_ids(heard: Heard) -> None:
    windows, scores, rules, labels = heard
    found = track(windows, scores, rules, labels)
    assert track(windows, scores, rules, labels) == found
    ids = {d.id for d in found}
    assert len(ids) == len(found)
    elsewhere = track(windows, scores, rules, labels, uuid.UUID(int=1))
    assert not ids & {d.id for d in elsewhere}
    assert all(str(uuid.UUID(one)) == one for one in ids)


class _EveryLabel(Tracker):
    """Looks at every label of every window, one after the other."""

    def update(self, window: Window, scores: Floats) -> list[Detection]:
        """Take the next window."""
        return [d for index, score in enumerate(scores) for d in self._update_label(index, window, float(score))]


@modest
@given(heard=heard(), absent=st.sets(st.tuples(st.integers(0, 30), st.integers(0, 2))))
def test_the_labels_that_are_passed_over_are_those_that_cannot_matter(
    heard: Heard, absent: set[tuple[int, int]]
) -> None:
    windows, scores, rules, labels = heard
    trackers = [kind(labels, rules, RECORDING) for kind in (Tracker, _EveryLabel)]
    found: list[list[Detection]] = [[], []]
    for number, (one, of_labels) in enumerate(zip(windows, scores, strict=True)):
        row = [np.nan if (number, index) in absent else score for index, score in enumerate(of_labels)]
        for tracker, of_tracker in zip(trackers, found, strict=True):
            of_tracker.extend(tracker.update(one, np.array(row, np.float32)))
    assert found[0] + trackers[0].finish() == found[1] + trackers[1].finish()


def test_a_label_is_active_at_its_threshold_and_not_below() -> None:
    assert of_tit([0.5]) == [(0, 10, 0.5)]
    assert of_tit([0.499]) == []


def test_a_label_stays_active_down_to_the_hysteresis() -> None:
    assert of_tit([0.6, 0.45, 0.45, 0.3]) == [(0, 20, 0.6)]
    assert of_tit([0.6, 0.45, 0.45, 0.3], hysteresis=0.0) == [(0, 10, 0.6)]


def test_hysteresis_begins_nothing() -> None:
    assert of_tit([0.45, 0.45, 0.45]) == []
    assert of_tit([0.6, 0.3, 0.45, 0.3]) == [(0, 10, 0.6)]


def test_active_windows_that_touch_or_overlap_are_one_detection() -> None:
    assert of_tit([0.6, 0.1, 0.7]) == [(0, 20, 0.7)]


def test_active_windows_that_do_not_touch_are_two_detections() -> None:
    assert of_tit([0.6, 0.1, 0.1, 0.7]) == [(0, 10, 0.6), (15, 25, 0.7)]


def test_a_gap_ends_a_detection() -> None:
    found = track([window(0), window(11)], [[0.9], [0.8]], Rules((0.5,), 0.1, 1000))
    assert [(d.onset_sample, d.offset_sample) for d in found] == [(0, 10), (11, 21)]


def test_hysteresis_does_not_reach_over_a_gap() -> None:
    found = track([window(0), window(40)], [[0.9], [0.45]], Rules((0.5,), 0.1, 1000))
    assert [(d.onset_sample, d.offset_sample) for d in found] == [(0, 10)]


def test_a_long_song_is_reported_in_pieces_that_touch() -> None:
    assert of_tit([0.6, 0.7, 0.8, 0.9, 0.55, 0.5], max_samples=20) == [(0, 20, 0.8), (20, 35, 0.9)]


def test_a_piece_is_reported_while_the_bird_still_sings() -> None:
    tracker = Tracker([TIT], Rules((0.5,), 0.1, 20), RECORDING)
    lengths = [len(tracker.update(one, np.array([0.9], np.float32))) for one in row(8)]
    assert lengths == [0, 0, 0, 1, 0, 0, 0, 1]


def test_a_detection_is_reported_as_soon_as_nothing_can_join_it() -> None:
    tracker = Tracker([TIT], Rules((0.5,), 0.1, 1000), RECORDING)
    scores = [0.9, 0.1, 0.1, 0.1, 0.1]
    lengths = [len(tracker.update(one, np.array([s], np.float32))) for one, s in zip(row(5), scores, strict=True)]
    assert lengths == [0, 0, 0, 1, 0]


def test_the_end_of_the_recording_completes_what_is_open_once() -> None:
    tracker = Tracker([TIT, JAY], Rules((0.5, 0.8), 0.1, 1000), RECORDING)
    assert tracker.update(window(0), np.array([0.9, 0.9], np.float32)) == []
    assert [d.label for d in tracker.finish()] == ["tit", "jay"]
    assert tracker.finish() == []


def test_a_score_that_is_not_a_number_is_not_a_bird() -> None:
    assert of_tit([np.nan, 0.6, np.nan, np.nan]) == [(5, 15, 0.6)]


def test_a_detection_carries_its_taxon() -> None:
    (found,) = track([window(0)], [[0.9]], Rules((0.5,), 0.1, 1000))
    assert (found.label, found.taxon) == ("tit", TIT.taxon)
    assert (found.taxon.scientific_name, found.taxon.common_name) == ("Parus major", "Great Tit")


def test_the_thresholds_are_the_models_own() -> None:
    assert Rules.of([TIT, JAY], max_samples=7) == Rules((0.5, 0.8), 0.1, 7)


def test_one_threshold_is_for_all_labels() -> None:
    assert Rules.of([TIT, JAY], threshold=0.0, max_samples=7).thresholds == (0.0, 0.0)


@pytest.mark.parametrize("name", ["jay", "Garrulus glandarius", "Eurasian Jay"])
def test_a_labels_own_threshold_counts_more_than_the_one_for_all(name: str) -> None:
    assert Rules.of([TIT, JAY], threshold=0.3, own={name: 0.0}, max_samples=7).thresholds == (0.3, 0.0)
    assert Rules.of([TIT, JAY], own={name: 0.9}, max_samples=7).thresholds == (0.5, 0.9)


def test_a_threshold_for_a_bird_that_the_model_does_not_know_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"'Dodo'.*Parus major, Garrulus glandarius"):
        Rules.of([TIT, JAY], own={"tit": 0.4, "Dodo": 0.5}, max_samples=7)


def test_the_thresholds_given_stay_as_they_were() -> None:
    own = {"tit": 0.4}
    Rules.of([TIT], own=own, max_samples=7)
    assert own == {"tit": 0.4}


def test_a_threshold_by_name_is_for_every_label_of_that_name() -> None:
    song, call = label("song", 0.5, "Parus major", "Great Tit"), label("call", 0.5, "Parus major", "Great Tit")
    assert Rules.of([song, call], own={"Parus major": 0.7}, max_samples=7).thresholds == (0.7, 0.7)


@modest
@given(one=heard())
def test_what_is_open_becomes_a_detection_of_that_id_and_only_grows_until_then(
    one: tuple[list[Window], list[list[float]], Rules, list[Label]],
) -> None:
    windows, scores, rules, labels = one
    tracker = Tracker(labels, rules, RECORDING)
    known: dict[str, Detection] = {}
    complete: list[Detection] = []
    for window_, of_labels in zip(windows, scores, strict=True):
        complete += tracker.update(window_, np.array(of_labels, np.float32))
        now = {detection.id: detection for detection in tracker.open()}
        assert not now.keys() & {detection.id for detection in complete}
        for detection in now.values():
            before = known.get(detection.id, detection)
            assert before.onset_sample == detection.onset_sample
            assert before.offset_sample <= detection.offset_sample
            assert before.confidence <= detection.confidence
        known |= now
    complete += tracker.finish()
    assert tracker.open() == []
    assert {detection.id: detection for detection in complete} == known


def test_a_detection_that_is_cut_leaves_its_next_piece_open() -> None:
    tracker = Tracker([TIT], Rules((0.5,), 0.1, 12), RECORDING)
    found = [tracker.update(one, np.array([0.9], np.float32)) for one in row(3)]
    assert [[(d.onset_sample, d.offset_sample) for d in done] for done in found] == [[], [(0, 10)], []]
    assert [(d.onset_sample, d.offset_sample) for d in tracker.open()] == [(10, 20)]


# Thresholds that change


def test_a_threshold_that_was_ordered_outlives_another_configuration_until_it_is_taken_back() -> None:
    thresholds = Thresholds((0.5, 0.8))
    thresholds.change([0], 0.3)
    thresholds.configure((0.6, 0.9))
    assert thresholds.values.tolist() == [0.3, 0.9]
    thresholds.change([0, 1], None)
    assert thresholds.values.tolist() == [0.6, 0.9]


def test_a_tracker_obeys_a_threshold_that_changes_while_it_runs() -> None:
    thresholds = Thresholds((0.5,))
    tracker = Tracker([TIT], Rules((0.5,), 0.1, 1000), RECORDING, thresholds)
    assert not tracker.update(window(0), np.array([0.4], np.float32))
    thresholds.change([0], 0.3)
    assert not tracker.update(window(2 * SIZE), np.array([0.4], np.float32))
    assert [(d.onset_sample, d.offset_sample) for d in tracker.finish()] == [(2 * SIZE, 3 * SIZE)]
