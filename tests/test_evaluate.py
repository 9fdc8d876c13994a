"""Figures, their intervals, calibration and thresholds, against counts by hand and worlds that are known."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import PITCH_HZ, write_data
from typer.testing import CliRunner

from export.describe import write_contract
from monitor.classifier import STARTER, Classifier
from monitor.contract import Calibration, Label
from monitor.errors import ConfigError, ModelError, RecordingError
from monitor.features import Floats, log_mel
from monitor.records import Block, Detection, Taxon
from monitor.windows import windows as device_windows
from training import cli
from training.checkpoint import Checkpoint, Schedule
from training.cli.evaluate import _summary as summary
from training.corpus.layouts.own import TAXA
from training.corpus.manifest import Box, Manifest, Recording, read_manifest
from training.drawing.spectra import SPEC, read_samples, read_spectra
from training.evaluation import calibration, networks
from training.evaluation.bins import bin_sessions, second_bins, window_truths
from training.evaluation.claims import UNKNOWN, claims_of
from training.evaluation.decisions import false_reports
from training.evaluation.events import detections, match
from training.evaluation.hear import hear
from training.evaluation.heard import Heard, Playlist, in_turn, read_scores, recordings_in, write_scores
from training.evaluation.intervals import NOT_MEASURED, estimate, rate, session_weights, share
from training.evaluation.judged import Judged
from training.evaluation.metrics import (
    aurocs,
    average_precision,
    average_precisions,
    balanced_shares,
    calibration_errors,
    class_mean,
    mass_bins,
    shares,
    width_bins,
)
from training.evaluation.mixing import SNR_DB, call_start, hear_mixed, mixed
from training.evaluation.networks import Kind, check_folds, read_networks, read_whole
from training.evaluation.page import N_WORST, false_detections, worst_recordings, write_evaluation
from training.evaluation.report import report
from training.evaluation.scored import Listener, Scored, starts_of, windows_of
from training.evaluation.thresholds import (
    GRID,
    Wanted,
    choose,
    fit_labels,
    lowered,
    raised,
    recalls_of,
    reported,
    smoothed_precisions,
)
from training.network import EfficientNetLite
from training.train import sigmoid

TIT, ROOK, OWL = "parus_major", "corvus_frugilegus", "athene_noctua"
PAIR = {ROOK: TAXA[ROOK], TIT: TAXA[TIT]}
THREE = {label: TAXA[label] for label in sorted(PITCH_HZ)}
WINDOW_S = 3.0
WINDOW_SAMPLES = round(WINDOW_S * SPEC.sample_rate)
N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
SIZE = "0.25"
N_PLOTS = 7
modest = settings(derandomize=True, deadline=None, max_examples=60)


def scored(
    label: str | None,
    logits: Sequence[Sequence[float]],
    boxes: tuple[Box, ...] | None = None,
    *,
    session: str = "s",
    fold: int = 0,
) -> Scored:
    recording = Recording(Path(f"{session}.wav"), label, session, fold, session, boxes)
    return Scored(recording, np.array(logits, np.float32), len(logits) - 1.0)


def heard_of(recordings: Sequence[Scored], taxa: dict[str, Taxon] = PAIR, **parts: tuple[Scored, ...]) -> Heard:
    return Heard(taxa, SPEC.sample_rate, WINDOW_SAMPLES, "a trial", tuple(recordings), **parts)


def simulated(seed: int, n_each: int = 24, *, boxed: bool = True) -> Heard:
    """Three species that a network knows fairly well, negatives, other birds and a place, over four folds."""
    rng = np.random.default_rng(seed)
    labels = list(THREE)

    def one(label: str | None, index: int, strength: float) -> Scored:
        logits = rng.normal(-4, 1.2, (6, 3))
        name = f"{label}{index}-{strength:g}"
        if label is not None:
            logits[:, labels.index(label)] += strength + rng.normal(0, 1.5, 6)
        else:
            logits[rng.integers(6), rng.integers(3)] += strength
        boxes = (Box(0.5, 2.0, TAXA[label].scientific_name),) if label and boxed and index < 4 else None
        return scored(label, logits.tolist(), boxes, session=name, fold=index % 4)

    birds = [one(label, index, 4.5) for label in labels for index in range(n_each)]
    negatives = [one(None, index, 0.5) for index in range(2 * n_each)]
    return heard_of(
        [*birds, *negatives],
        THREE,
        strangers=tuple(one(None, index, 4.2) for index in range(n_each)),
        elsewhere=tuple(one(None, index, 1.0) for index in range(8)),
    )


# Measures


def slow_average_precision(relevant: list[bool], scores: list[float]) -> float:
    """For each relevant item: how many of those at least as good are relevant."""
    precisions = []
    for own, score in zip(relevant, scores, strict=True):
        if own:
            above = [hit for hit, other in zip(relevant, scores, strict=True) if other >= score]
            precisions.append(sum(above) / len(above))
    return sum(precisions) / len(precisions)


@modest
@given(relevant=st.lists(st.booleans(), min_size=1, max_size=40).filter(any), seed=st.integers(0, 10**6))
def test_average_precision_is_that_of_a_count_by_hand(relevant: list[bool], seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(len(relevant)).astype(np.float32)
    found = average_precision(np.array(relevant), scores)
    assert found == pytest.approx(slow_average_precision(relevant, scores.tolist()))


def test_average_precision_is_1_where_all_relevant_items_come_first() -> None:
    assert average_precision(np.array([False, True, True]), np.array([0.1, 0.3, 0.2], np.float32)) == 1


Rows = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=25)


@modest
@given(rows=Rows)
def test_auroc_is_the_share_of_pairs_in_order_where_an_item_counts_as_often_as_it_is_drawn(
    rows: list[tuple[bool, int, int]],
) -> None:
    drawn = [(hit, score) for hit, score, times in rows for _ in range(times)]
    pairs = [
        (score > other) + (score == other) / 2
        for hit, score in drawn
        if hit
        for also_hit, other in drawn
        if not also_hit
    ]
    relevant, scores, times = (np.array(column) for column in zip(*rows, strict=True))
    found = aurocs(relevant, scores.astype(np.float32), times[None].astype(np.float64))[0]
    assert found == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found)


@modest
@given(rows=Rows)
def test_an_item_that_is_not_drawn_is_as_if_it_were_not_there(rows: list[tuple[bool, int, int]]) -> None:
    relevant, scores, times = (np.array(column) for column in zip(*rows, strict=True))
    kept = times > 0
    one = average_precisions(relevant, scores, kept[None].astype(np.float64))
    other = average_precisions(relevant[kept], scores[kept], np.ones((1, int(kept.sum()))))
    assert one == pytest.approx(other, nan_ok=True)


def test_a_label_that_is_nowhere_is_left_out_of_a_mean_and_what_is_unknown_counts_for_nobody() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.7, 0.6], [0.2, 0.9, 0.7]], np.float32)
    truth = np.array([[1, 0, 0], [0, 1, 0], [0, UNKNOWN, 0]], np.int8)
    assert class_mean(average_precisions, truth, scores, np.ones((1, 3))).tolist() == [1.0]
    wrong = np.where(truth == UNKNOWN, 0, truth).astype(np.int8)
    assert class_mean(average_precisions, wrong, scores, np.ones((1, 3))).tolist() == [0.75]


@modest
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=50))
def test_balanced_shares_are_the_mean_of_the_labels_shares(pairs: list[tuple[int, bool]]) -> None:
    label, hits = (np.array(column) for column in zip(*pairs, strict=True))
    own = [[hit for other, hit in pairs if other == one] for one in {one for one, _ in pairs}]
    found = balanced_shares(hits, label, np.ones((1, len(pairs))))[0]
    assert found == pytest.approx(np.mean([sum(some) / len(some) for some in own]))


@modest
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=100))
def test_the_calibration_error_is_that_of_a_count_bin_by_bin(pairs: list[tuple[float, bool]]) -> None:
    confidences, truth = np.array([one for one, _ in pairs], np.float32), np.array([one for _, one in pairs])
    for bins in (mass_bins(confidences), width_bins(confidences)):
        slow = 0.0
        for one in set(bins.tolist()):
            own = bins == one
            slow += own.sum() / len(pairs) * abs(confidences[own].mean(dtype=np.float64) - truth[own].mean())
        assert calibration_errors(confidences, truth, bins, np.ones((1, len(pairs))))[0] == pytest.approx(slow)
    assert np.ptp(np.bincount(mass_bins(confidences), minlength=15)) <= 1


# Intervals


def test_a_session_is_drawn_as_a_whole_and_as_many_sessions_as_there_are() -> None:
    sessions = np.array([0, 0, 0, 1, 2, 2])
    weights = session_weights(sessions, np.random.default_rng(0), 200)
    for session in range(3):
        assert np.ptp(weights[:, sessions == session], axis=1).max() == 0
    assert (weights[:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert len(np.unique(weights, axis=0)) == 10


def test_the_bootstrap_of_independent_recordings_agrees_with_the_binomial_distribution() -> None:
    hits = np.arange(400) % 4 == 0
    found = estimate(lambda w: shares(hits, w), session_weights(np.arange(400), np.random.default_rng(0), 4000))
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert found.value == 0.25
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.005)


def test_sessions_of_like_recordings_widen_the_interval() -> None:
    hits = np.arange(400) % 4 == 0
    rng = np.random.default_rng(0)
    alone = estimate(lambda w: shares(hits, w), session_weights(np.arange(400), rng))
    alike = estimate(lambda w: shares(np.sort(hits), w), session_weights(np.arange(400) // 20, rng))
    assert alike.value == alone.value
    assert alike.low < alone.low < alone.high < alike.high


def test_what_cannot_be_measured_is_no_number() -> None:
    nothing = session_weights(np.zeros(0, np.int64), np.random.default_rng(0))
    assert estimate(lambda w: shares(np.zeros(0, bool), w), nothing) == NOT_MEASURED
    assert share(0, 0) == rate(0, 0.0) == NOT_MEASURED


def test_no_event_in_some_hours_leaves_three_by_those_hours_open() -> None:
    assert (rate(0, 2.0).value, rate(0, 2.0).low) == (0, 0)
    assert rate(0, 2.0).high == pytest.approx(-np.log(0.05) / 2, abs=1e-4)


def test_an_interval_of_a_count_is_garwoods() -> None:
    """Ulm (1990), "A simple method to calculate the confidence interval of an SMR": 4.80 to 18.39 for 10."""
    found = rate(10, 1.0)
    assert (found.low, found.high) == pytest.approx((4.795, 18.391), abs=0.001)


def test_an_interval_of_a_share_is_wilsons() -> None:
    """Newcombe (1998), table I: 15 of 148 is 0.0624 to 0.1605."""
    found = share(15, 148)
    assert (found.low, found.high) == pytest.approx((0.0624, 0.1605), abs=1e-4)


# Bins and claims


def test_second_bins_hold_the_boxes_and_the_best_window_over_them() -> None:
    """Windows of 3 s at 0, 1 and 2 s, so bins 0 to 4; the tit calls in bin 1, and for too short in bin 3."""
    boxes = (
        Box(1.2, 1.5, TAXA[TIT].scientific_name),
        Box(3.0, 3.05, TAXA[TIT].scientific_name),
        Box(1.95, 2.5, TAXA[ROOK].scientific_name),
        Box(4.0, 4.06, TAXA[ROOK].scientific_name),
        Box(4.5, 4.56, TAXA[ROOK].scientific_name),
    )
    taxa = {TIT: TAXA[TIT], ROOK: TAXA[ROOK]}
    recordings = [scored(TIT, [[0.9, 0.1], [0.5, 0.3], [0.2, 0.7]], boxes), scored(ROOK, [[0.0, 1.0]])]
    relevant, ranked = second_bins(recordings, taxa, WINDOW_S)
    assert relevant.tolist() == [[False, False], [True, False], [False, True], [False, False], [False, True]]
    assert ranked == pytest.approx(np.array([[0.9, 0.1], [0.9, 0.3], [0.9, 0.7], [0.5, 0.7], [0.2, 0.7]]))
    assert bin_sessions(recordings, WINDOW_S).tolist() == [0] * 5


def test_recordings_that_nobody_annotated_have_no_second_bins() -> None:
    relevant, ranked = second_bins([scored(TIT, [[0.5]])], {TIT: TAXA[TIT]}, WINDOW_S)
    assert relevant.shape == ranked.shape == (0, 1)


def test_a_window_holds_what_boxes_cover_for_a_tenth_of_a_second() -> None:
    boxes = (Box(2.9, 3.05, TAXA[TIT].scientific_name),)
    one = dataclasses.replace(scored(TIT, [[0.0, 0.0]] * 3, boxes), last_s=1.4)
    assert one.starts_s.tolist() == [0, 1, 1.4]
    assert window_truths(one, PAIR, WINDOW_S).tolist() == [[False, True]] * 3
    short = dataclasses.replace(
        one, recording=dataclasses.replace(one.recording, boxes=(Box(2.94, 3.05, "Parus major"),))
    )
    assert window_truths(short, PAIR, WINDOW_S)[:, 1].tolist() == [False, True, True]


def test_boxes_say_what_is_there_and_what_the_recordist_heard_behind_is_unknown() -> None:
    also = scored(TIT, [[1.0, -1.0], [0.0, 2.0]])
    also = dataclasses.replace(also, recording=dataclasses.replace(also.recording, also=(ROOK,)))
    boxed = scored(TIT, [[0.0, 0.0]], (Box(0, 1, TAXA[ROOK].scientific_name),), session="t")
    found = claims_of([also, boxed, scored(None, [[0.0, 0.0]])], PAIR)
    assert found.truth.tolist() == [[UNKNOWN, 1], [1, 1], [0, 0]]
    assert found.logits[0].tolist() == [1, 2]
    assert found.label.tolist() == [1, 1, -1]
    assert found.session.tolist() == [0, 1, 0]


@modest
@given(st.lists(st.floats(-80, 80, width=32), min_size=1))
def test_scores_are_torchs_sigmoid_of_logits(logits: list[float]) -> None:
    expected = torch.sigmoid(torch.tensor(logits, dtype=torch.float64))
    assert sigmoid(np.array(logits, np.float32)) == pytest.approx(expected.numpy(), abs=1e-6)


# Calibration


def sigmoid_claims(
    n: int, slope: float, intercept: float, seed: int
) -> tuple[Floats, "np.ndarray[tuple[int, int], np.dtype[np.int8]]"]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (n, 1)).astype(np.float32)
    return logits, (rng.random((n, 1)) < 1 / (1 + np.exp(-(slope * logits + intercept)))).astype(np.int8)


def test_a_calibration_finds_the_curve_that_claims_were_drawn_from() -> None:
    logits, truth = sigmoid_claims(20_000, 0.7, -1.5, 0)
    (found,) = calibration.fit(logits, truth)
    assert (found.slope, found.intercept) == pytest.approx((0.7, -1.5), abs=0.06)
    after = calibration.confidences(logits, [found])[:, 0]
    every = np.ones((1, len(after)))
    assert calibration_errors(after, truth[:, 0] == 1, mass_bins(after), every)[0] < 0.02
    before = sigmoid(logits)[:, 0]
    assert calibration_errors(before, truth[:, 0] == 1, mass_bins(before), every)[0] > 0.05


def test_a_label_of_few_recordings_is_drawn_to_the_curve_of_all_and_one_of_many_is_not() -> None:
    one, true = sigmoid_claims(5000, 1.0, 0.0, 0)
    other, true_other = sigmoid_claims(5000, 1.0, -4.0, 1)
    counts = (0, 12, 5000)
    rows = np.arange(5000)[:, None]
    truths = [np.where(rows < count, true_other, UNKNOWN).astype(np.int8) for count in counts]
    fits = calibration.fit(np.concatenate([one, *[other] * 3], axis=1), np.concatenate([true, *truths], axis=1))
    first, *others = (-fit.intercept / fit.slope for fit in fits)
    assert first == pytest.approx(0, abs=0.2)
    assert others == sorted(others)
    assert others[0] == pytest.approx(2, abs=0.4)
    assert others[2] == pytest.approx(4, abs=0.2)


@modest
@given(st.lists(st.tuples(st.floats(-30, 30, width=32), st.sampled_from([0, 1, UNKNOWN])), max_size=20))
def test_a_calibration_always_rises_and_is_finite(claims: list[tuple[float, int]]) -> None:
    logits = np.array([[logit] for logit, _ in claims], np.float32).reshape(-1, 1)
    (found,) = calibration.fit(logits, np.array([[true] for _, true in claims], np.int8).reshape(-1, 1))
    assert 0 < found.slope < 100
    assert np.isfinite(found.intercept)


def test_confidences_are_those_of_the_device() -> None:
    classifier = Classifier()
    calibrations = [Calibration(0.5 + index / 10, index - 4.0) for index in range(len(classifier.contract.labels))]
    logits = np.random.default_rng(0).normal(0, 5, (20, len(calibrations))).astype(np.float32)
    classifier._slopes = np.array([one.slope for one in calibrations], np.float32)
    classifier._intercepts = np.array([one.intercept for one in calibrations], np.float32)
    assert calibration.confidences(logits, calibrations) == pytest.approx(classifier._calibrated(logits), abs=1e-5)


# Thresholds

Confidences = st.lists(st.tuples(st.floats(0, 1, width=32), st.sampled_from([0, 1, UNKNOWN])), max_size=40)


@modest
@given(claims=Confidences, precision=st.floats(0.5, 0.99))
def test_a_threshold_is_the_lowest_one_with_the_precision_or_the_best_balance(
    claims: list[tuple[float, int]], precision: float
) -> None:
    scores = np.array([one for one, _ in claims], np.float32).reshape(-1, 1)
    truth = np.array([one for _, one in claims], np.int8).reshape(-1, 1)

    def smoothed(threshold: float) -> float:
        above = [true for one, true in claims if one >= np.float32(threshold) and true != UNKNOWN]
        return (sum(above) + 0.5) / (len(above) + 1)

    def balance(threshold: float) -> float:
        hits = sum(true == 1 for one, true in claims if one >= np.float32(threshold))
        recall = hits / max(1, sum(true == 1 for _, true in claims))
        return 1.25 * smoothed(threshold) * recall / (0.25 * smoothed(threshold) + recall)

    at = choose(smoothed_precisions(scores, truth), recalls_of(scores, truth), precision)[0]
    every = [smoothed(float(threshold)) for threshold in GRID]
    if max(every) >= precision:
        assert every[at] >= precision
        assert all(other < precision for other in every[:at])
    else:
        assert balance(float(GRID[at])) == pytest.approx(max(balance(float(threshold)) for threshold in GRID))


@modest
@given(seed=st.integers(0, 10**6), most=st.integers(0, 10))
def test_raised_thresholds_leave_no_more_false_reports_than_allowed_and_none_is_lowered(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    false = rng.beta(1, 2, (30, 3)).astype(np.float32)
    steps = rng.integers(0, 10, 3)
    recalls = np.sort(rng.random((len(GRID), 3)), axis=0)[::-1]
    found = raised(steps, recalls, false, most)
    assert (found >= steps).all()
    left = false[(false >= GRID[found].astype(np.float32)).any(axis=1)]
    assert len(left) <= most or (left.max(axis=1) >= np.float32(GRID[-1])).all()


def test_the_threshold_that_costs_least_recall_is_the_one_that_is_raised() -> None:
    """Both labels have one false report; raising the first label's threshold loses nothing, the second's all."""
    false = np.array([[0.8, 0.0], [0.0, 0.8]], np.float32)
    recalls = np.stack([np.ones(len(GRID)), (GRID <= 0.8).astype(float)], axis=1)
    found = GRID[raised(np.array([0, 0]), recalls, false, 1)]
    assert found.tolist() == [0.81, 0.5]


@modest
@given(seed=st.integers(0, 10**6), most=st.integers(0, 10))
def test_lowered_thresholds_keep_the_bounds_and_lose_no_recall(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    bounds = [(rng.beta(1, 2, (30, 3)).astype(np.float32), most) for _ in range(2)]
    least = rng.integers(0, 10, 3)
    recalls = np.sort(rng.random((len(GRID), 3)), axis=0)[::-1]
    steps = least
    for false, bound in bounds:
        steps = raised(steps, recalls, false, bound)
    found = lowered(steps, least, recalls, bounds)
    assert ((least <= found) & (found <= steps)).all()
    for false, bound in bounds:
        before, after = ((false >= GRID[some].astype(np.float32)).any(axis=1).sum() for some in (steps, found))
        assert after <= max(bound, before)


def test_a_threshold_whose_raising_became_needless_goes_down_again() -> None:
    """One false row may be reported, so the first label, whose recall that costs, may be reported in it."""
    false = np.array([[0.8, 0.8]], np.float32)
    recalls = np.stack([(GRID <= 0.7).astype(float), np.zeros(len(GRID))], axis=1)
    high = int(np.flatnonzero(GRID == 0.81)[0])
    found = lowered(np.array([high, high]), np.array([0, 0]), recalls, [(false, 1)])
    assert GRID[found].tolist() == [0.5, 0.81]


def test_a_stated_least_threshold_raises_what_ships_and_nothing_else() -> None:
    heard, wanted = simulated(0), Wanted()
    plain, careful = (Judged.of(heard, wanted, least) for least in ({}, {ROOK: 0.99, OWL: 0.0}))
    before, after = ({one.label: one.threshold for one in judged.shipped} for judged in (plain, careful))
    assert after == {**before, ROOK: 0.99}
    assert plain.by_fold == careful.by_fold
    with pytest.raises(ConfigError, match="stated for cuckoo, but the labels are"):
        Judged.of(heard, wanted, {"cuckoo": 0.9})


@pytest.mark.parametrize("text", ["parus_major", "=0.5", "parus_major=high", "parus_major=1.5", "parus_major="])
def test_a_least_threshold_that_says_nothing_is_wrong_usage(text: str) -> None:
    result = CliRunner().invoke(cli.app, ["evaluate", "--at-least", text])
    assert result.exit_code == 2
    assert "a threshold from 0 to 1 expected" in " ".join(result.output.replace("│", " ").split())


def test_what_ships_reports_strangers_and_negatives_as_seldom_as_was_asked_for() -> None:
    heard, wanted = simulated(0), Wanted(precision=0.9, strangers=0.1, hourly=30.0)
    labels = fit_labels(heard, wanted)
    strangers = claims_of(heard.strangers, THREE)
    assert reported(strangers, labels).any(axis=1).mean() <= 0.1
    quiet = (*heard.negatives, *heard.elsewhere)
    listened = sum(one.last_s + WINDOW_S for one in quiet) / 3600
    assert sum(len(detections(one, labels, heard)) for one in quiet) <= 30 * listened
    lax = fit_labels(heard, Wanted(precision=0.9, strangers=1.0, hourly=1e6))
    assert reported(strangers, lax).any(axis=1).mean() > 0.1
    assert all(one.threshold <= other.threshold for one, other in zip(lax, labels, strict=True))


def test_the_network_that_ships_is_held_to_what_those_of_the_folds_are() -> None:
    heard, wanted = simulated(0), Wanted(precision=0.9, strangers=0.1, hourly=10.0)
    louder = simulated(1)
    whole = dataclasses.replace(
        heard_of([one for one in louder.recordings if one.recording.label is None], THREE),
        strangers=tuple(dataclasses.replace(one, logits=one.logits + 1) for one in louder.strangers),
        elsewhere=tuple(dataclasses.replace(one, logits=one.logits + 3) for one in louder.elsewhere),
    )
    unasked, judged = Judged.of(heard, wanted), Judged.of(heard, wanted, whole=whole)
    assert judged.by_fold == unasked.by_fold
    told, untold = (false_reports(dataclasses.replace(one, whole=whole)) for one in (judged, unasked))
    assert told is not None
    assert untold is not None
    assert told["strangers_reported"] <= 0.1 * told["strangers"] < untold["strangers_reported"]
    assert told["detections"] <= 10 * told["hours"] < untold["detections"]
    assert false_reports(unasked) is None


def test_nothing_of_a_fold_has_a_part_in_what_decides_on_it() -> None:
    heard = simulated(0)
    rng = np.random.default_rng(5)

    def changed(one: Scored) -> Scored:
        if one.recording.fold != 2:
            return one
        return dataclasses.replace(one, logits=rng.normal(0, 9, one.logits.shape).astype(np.float32))

    other = dataclasses.replace(
        heard,
        **{name: tuple(map(changed, getattr(heard, name))) for name in ("recordings", "strangers", "elsewhere")},
    )
    one, another = (Judged.of(some, Wanted()) for some in (heard, other))
    assert one.by_fold[2] == another.by_fold[2]
    assert all(one.by_fold[fold] != another.by_fold[fold] for fold in (0, 1, 3))
    assert one.shipped != another.shipped


# Events


def detection(label: str, onset_s: float, offset_s: float) -> Detection:
    rate_hz = SPEC.sample_rate
    return Detection("", label, TAXA[label], round(onset_s * rate_hz), round(offset_s * rate_hz), 0.9)


def test_detections_are_held_against_the_boxes_of_their_label() -> None:
    tit, rook = TAXA[TIT].scientific_name, TAXA[ROOK].scientific_name
    boxes = (
        Box(1.0, 1.5, tit),
        Box(2.0, 2.5, tit),
        Box(9.0, 9.5, tit),
        Box(2.95, 3.0, tit),
        Box(2.0, 2.5, rook),
        Box(0, 9, "Turdus merula"),
    )
    found = [detection(TIT, 0.0, 3.0), detection(TIT, 5.0, 8.0), detection(ROOK, 6.0, 9.0), detection(TIT, 7.0, 9.05)]
    result = match(found, boxes, PAIR, SPEC.sample_rate)
    assert (result.detections, result.right) == (4, 1)
    assert (result.boxes, result.found) == (5, 3)
    assert result.onset_errors_s == (-1.0,)


def test_a_recording_without_detections_or_boxes_is_counted_as_such() -> None:
    assert match([], (), PAIR, SPEC.sample_rate).found == 0
    assert match([detection(TIT, 0, 3)], (), PAIR, SPEC.sample_rate).right == 0
    assert match([], (Box(0, 1, "Parus major"),), PAIR, SPEC.sample_rate).boxes == 1


def test_windows_that_follow_each_other_are_one_detection_by_the_devices_rule() -> None:
    labels = [Label(name, *dataclasses.astuple(taxon), "species", 0.5, Calibration()) for name, taxon in PAIR.items()]
    one = scored(None, [[-9, 3], [-9, 2], [-9, -9], [-9, -9], [-9, -9], [-9, -9], [-9, 1]])
    found = detections(one, labels, heard_of([one]))
    assert [(d.label, d.onset_sample / SPEC.sample_rate, d.offset_sample / SPEC.sample_rate) for d in found] == [
        (TIT, 0, 4),
        (TIT, 6, 9),
    ]
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-3)))


# Listening


@modest
@given(length_s=st.floats(3.0, 12.0))
def test_windows_begin_where_those_of_the_device_do(length_s: float) -> None:
    n_samples = round(length_s * SPEC.sample_rate)
    samples = np.zeros(n_samples, np.float32)
    device = [one.start_sample for one in device_windows([Block(0, samples)], WINDOW_SAMPLES, SPEC.sample_rate)]
    power = np.zeros((SPEC.n_mels, SPEC.n_frames(n_samples)), np.float32)
    ours = [start * SPEC.hop for start in starts_of(power, SPEC, WINDOW_SAMPLES)]
    assert len({*device}) - len(ours) in (0, 1)
    assert all(abs(one - other) <= SPEC.hop for one, other in zip(ours, device, strict=False))
    assert n_samples - (ours[-1] + WINDOW_SAMPLES) < SPEC.hop + SPEC.n_fft


def loudest_bands(windows: Sequence[Floats]) -> Floats:
    """A network that one can follow by hand: the highest level in three parts of the band."""
    return np.array([[window[0, part].max() for part in np.split(np.arange(96), 3)] for window in windows], np.float32)


LISTENER = Listener(loudest_bands, SPEC, WINDOW_SAMPLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic recordings, with other birds and places beside them."""
    data = write_data(tmp_path_factory.mktemp("data"))
    rng = np.random.default_rng(1)
    for name in ("other_birds/a/1.wav", "other_birds/a/2.wav", "other_birds/b/1.wav", "field_minutes/1.wav"):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.1, 0.1, 4 * SPEC.sample_rate), SPEC.sample_rate)
    (data / "background").mkdir()
    soundfile.write(data / "background" / "dawn.wav", rng.uniform(-0.1, 0.1, 96_000), SPEC.sample_rate)
    return data


@pytest.fixture(scope="module")
def playlist(folder: Path) -> Playlist:
    manifest = read_manifest(folder)
    return Playlist(
        {label: manifest.taxa[label] for label in manifest.labels},
        manifest.recordings,
        strangers=recordings_in(folder / "other_birds", manifest.folds),
        elsewhere=recordings_in(folder / "field_minutes", manifest.folds),
        backgrounds=in_turn(manifest.backgrounds, manifest.folds),
    )


@pytest.fixture(scope="module")
def heard(playlist: Playlist) -> Heard:
    return hear(playlist, {0: LISTENER, 1: LISTENER}, "by hand", np.random.default_rng(0))


def test_every_recording_is_scored_by_the_network_of_its_fold(playlist: Playlist) -> None:
    def saying(number: float) -> Listener:
        return Listener(lambda windows: np.full((len(windows), 3), number, np.float32), SPEC, WINDOW_SAMPLES)

    found = hear(playlist, {0: saying(0.0), 1: saying(1.0)}, "by hand", np.random.default_rng(0))
    for name in ("recordings", "strangers", "elsewhere", "backgrounds"):
        ours = getattr(found, name)
        assert [one.recording for one in ours] == list(getattr(playlist, name))
        assert all((one.logits == one.recording.fold).all() for one in ours)
    for one in found.mixed.values():
        folds = [playlist.recordings[row].fold for row in one.rows]
        assert (one.logits == np.array(folds)[:, None]).all()


def test_windows_are_those_that_the_device_would_see(playlist: Playlist, heard: Heard) -> None:
    recording = playlist.recordings[0]
    samples = read_samples(recording.path, SPEC.sample_rate)
    expected = loudest_bands([log_mel(samples[start:][:WINDOW_SAMPLES], SPEC) for start in (0, SPEC.sample_rate)])
    assert heard.recordings[0].logits[:2] == pytest.approx(expected, abs=1e-3)
    assert heard.recordings[0].last_s == pytest.approx(1.5, abs=0.02)
    assert len(windows_of(np.zeros((96, N_FRAMES), np.float32), SPEC, WINDOW_SAMPLES)) == 1


def test_other_birds_of_one_species_are_heard_by_one_network(playlist: Playlist) -> None:
    folds = {(one.session, one.fold) for one in playlist.strangers}
    assert folds == {("a", 0), ("b", 1)}
    assert all(one.label is None for one in playlist.strangers)


def test_a_recorders_day_at_a_place_is_heard_by_one_network(tmp_path: Path) -> None:
    for name in ("A_20101013-044400", "A_20101013-052900", "B_20101013-044400", "creek"):
        (tmp_path / f"{name}.wav").touch()
    folds = {one.path.stem: one.fold for one in recordings_in(tmp_path, (0, 1, 2))}
    assert folds["A_20101013-044400"] == folds["A_20101013-052900"]
    assert len({folds["A_20101013-044400"], folds["B_20101013-044400"], folds["creek"]}) == 3


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RecordingError, match="no audio in"):
        recordings_in(tmp_path, (0, 1))


@modest
@given(seed=st.integers(0, 10**6), snr_db=st.sampled_from(SNR_DB))
def test_noise_lies_below_the_call_by_the_ratio(seed: int, snr_db: float) -> None:
    rng = np.random.default_rng(seed)
    call, noise = (rng.gamma(1.0, size=(SPEC.n_mels, N_FRAMES)).astype(np.float32) for _ in range(2))
    added = mixed(call, noise * np.float32(rng.uniform(1e-6, 1e6)), snr_db) - call
    assert 10 * np.log10(call.mean() / added.mean()) == pytest.approx(snr_db, abs=0.01)
    assert np.array_equal(mixed(call, np.zeros_like(noise), snr_db), call)


def test_a_call_is_taken_around_its_longest_box_or_where_most_stands_out() -> None:
    power = np.random.default_rng(0).gamma(4.0, size=(SPEC.n_mels, 1200)).astype(np.float32)
    power[40:50, 900:950] *= 1e4
    boxes = (Box(5.0, 6.0, "Parus major"), Box(1.0, 1.1, "Parus major"), Box(12, 18, "Corvus frugilegus"))
    annotated = Recording(Path("x.wav"), TIT, "s", 0, "s", boxes)
    start = call_start(annotated, power, TAXA[TIT], SPEC, N_FRAMES)
    assert (start + N_FRAMES / 2) * SPEC.hop / SPEC.sample_rate == pytest.approx(5.5, abs=0.05)
    start = call_start(dataclasses.replace(annotated, boxes=None), power, TAXA[TIT], SPEC, N_FRAMES)
    assert start <= 900
    assert start + N_FRAMES >= 950


def test_a_call_under_more_noise_is_heard_less(playlist: Playlist, heard: Heard) -> None:
    found = heard.mixed["elsewhere"]
    assert found.logits.shape == (1 + len(SNR_DB), 12, 3)
    own = [list(playlist.taxa).index(str(playlist.recordings[row].label)) for row in found.rows]
    ours = found.logits[:, np.arange(12), own].mean(axis=1)
    assert (np.diff(ours) < 0).all()
    spectra = read_spectra(playlist.recordings, SPEC, WINDOW_SAMPLES)
    nobody = hear_mixed({}, playlist.recordings[-3:], spectra, [], playlist.taxa, np.random.default_rng(0))
    assert nobody.logits.shape == (1 + len(SNR_DB), 0, 3)


# What is kept


def test_kept_scores_read_back_the_same(heard: Heard, playlist: Playlist, tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.npz", heard, "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]
    again = read_scores(tmp_path / "scores.npz", playlist, "abc")
    assert (again.taxa, again.method, again.sample_rate) == (heard.taxa, heard.method, heard.sample_rate)
    for name in ("recordings", "strangers", "elsewhere", "backgrounds"):
        for one, other in zip(getattr(again, name), getattr(heard, name), strict=True):
            assert (one.recording, one.last_s) == (other.recording, other.last_s)
            assert np.array_equal(one.logits, other.logits)
    assert again.mixed.keys() == heard.mixed.keys()
    assert all(np.array_equal(again.mixed[name].logits, heard.mixed[name].logits) for name in heard.mixed)


def test_kept_scores_of_other_recordings_are_refused(heard: Heard, playlist: Playlist, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    with pytest.raises(ModelError, match=r"no scores .* run `dawnchorus-training evaluate` with networks first"):
        read_scores(path, playlist, "abc")
    write_scores(path, heard, "abc")
    with pytest.raises(ModelError, match="of other recordings: their hash is abc there and abd here"):
        read_scores(path, playlist, "abd")
    with pytest.raises(ModelError, match="holds 3 strangers, here are 2 or others"):
        read_scores(path, dataclasses.replace(playlist, strangers=playlist.strangers[1:]), "abc")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ModelError, match="does not hold the scores of an evaluation"):
        read_scores(path, playlist, "abc")


# Networks


def checkpoint(manifest: Manifest, fold: int | None, **changes: object) -> Checkpoint:
    network = EfficientNetLite(len(manifest.labels), SIZE, len(SPEC.channels))
    made = Checkpoint(
        network.state_dict(), manifest.labels, SIZE, SPEC, WINDOW_SAMPLES, manifest.content_hash(), Schedule(), fold
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def two_folds(folder: Path, tmp_path: Path) -> Path:
    """A folder with a checkpoint of each fold, untrained."""
    torch.manual_seed(0)
    for fold in (0, 1):
        checkpoint(read_manifest(folder), fold).save(tmp_path / f"fold{fold}.pt")
    return tmp_path


def test_a_missing_checkpoint_is_named_with_how_to_make_it(folder: Path, two_folds: Path) -> None:
    (two_folds / "fold1.pt").unlink()
    manifest = read_manifest(folder)
    with pytest.raises(ModelError) as refused:
        read_networks(Kind.CHECKPOINTS, two_folds, manifest, manifest.content_hash())
    told = str(refused.value)
    assert f"no checkpoint {two_folds / 'fold1.pt'}: make it with `dawnchorus-training train --fold 1" in told


@pytest.mark.parametrize(
    ("fold", "changes", "told"),
    [
        (None, {}, "was trained on everything: it has heard fold 1"),
        (0, {}, "was trained on all but fold 0: it has heard fold 1"),
        (1, {"data_hash": "0" * 64}, "trained on other recordings: recordings is '000000000000' there and"),
        (
            1,
            {"spec": dataclasses.replace(SPEC, floor=1e-8)},
            "another front end .* floor is 1e-08 there and 1e-09 here",
        ),
        (1, {"window_samples": 48_000}, "another front end .* window_samples is 48000 there and 72000 here"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_the_difference(
    fold: int | None, changes: dict[str, object], told: str, folder: Path, two_folds: Path
) -> None:
    manifest = read_manifest(folder)
    checkpoint(manifest, fold, **changes).save(two_folds / "fold1.pt")
    with pytest.raises(ModelError, match=told):
        read_networks(Kind.CHECKPOINTS, two_folds, manifest, manifest.content_hash())


def test_a_checkpoint_of_other_labels_is_refused_with_the_difference(folder: Path, two_folds: Path) -> None:
    manifest = read_manifest(folder)
    fewer = Manifest(tuple(one for one in manifest.recordings if one.label != TIT))
    with pytest.raises(ModelError, match=r"labels is .*'parus_major'.* there and"):
        read_networks(Kind.CHECKPOINTS, two_folds, fewer, manifest.content_hash())


def test_one_fold_or_no_label_can_measure_nothing(folder: Path) -> None:
    manifest = read_manifest(folder)
    with pytest.raises(RecordingError, match="all recordings lie in fold 1: an evaluation needs two folds"):
        check_folds(Manifest(manifest.fold(1)))
    with pytest.raises(RecordingError, match="none of the 3 recordings has a label"):
        check_folds(Manifest(tuple(one for one in manifest.recordings if one.label is None)))


def test_an_int8_network_says_what_the_device_says(tmp_path: Path) -> None:
    classifier = Classifier()
    provenance = msgspec.structs.replace(classifier.contract.provenance, fold=0)
    contract = msgspec.structs.replace(classifier.contract, provenance=provenance)
    path = tmp_path / "fold0.onnx"
    path.write_bytes(STARTER.read_bytes())
    write_contract(path, contract)
    spec, size = contract.mel_spec, contract.window_samples
    samples = [contract.parity.window(size), np.zeros(size, np.float32)]
    found = networks.from_int8(path, 0)
    logits = found.listener.logits([log_mel(one, spec) for one in samples])
    scores = calibration.confidences(logits, [label.calibration for label in contract.labels])
    assert scores == pytest.approx(np.stack([classifier.scores(one) for one in samples]), abs=1e-5)
    assert found.labels == tuple(label.label for label in contract.labels)
    assert found.data_hash == contract.provenance.training_data_sha256


def test_an_int8_network_that_has_heard_the_fold_is_no_judge_of_it() -> None:
    with pytest.raises(ModelError, match="was trained on everything: it has heard fold 0"):
        networks.from_int8(STARTER, 0)


def test_an_int8_file_that_is_missing_or_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model .*fold0\.onnx: make it with `dawnchorus-export model --checkpoint"):
        networks.from_int8(tmp_path / "fold0.onnx", 0)
    (tmp_path / "fold0.onnx").write_text("no model", encoding="utf-8")
    with pytest.raises(ModelError, match=r"fold0\.onnx is not an ONNX file"):
        networks.from_int8(tmp_path / "fold0.onnx", 0)


# The report and its page


def test_a_report_counts_by_label_and_over_negatives() -> None:
    recordings = [
        scored(TIT, [[-2.0, -1.0], [-1.0, 1.0]], session="a"),
        scored(TIT, [[1.0, -1.0]], session="b", fold=1),
        scored(ROOK, [[2.0, -1.0]], session="c", fold=1),
        scored(None, [[0.4, -2.0], [-1.0, -2.0]], session="d"),
    ]
    figures = report(Judged.of(heard_of(recordings), Wanted()), np.random.default_rng(0), 100)
    assert figures["correct_and_all_by_label"] == {ROOK: [1, 1], TIT: [1, 2]}
    assert figures["balanced_top1"] == 0.75
    assert (figures["recordings"], figures["negative_windows"], figures["negative_windows_over_half"]) == (3, 2, 1)
    low, high = figures["balanced_top1_95"]
    assert 0 <= low <= 0.75 <= high <= 1
    assert figures["confusion"]["highest"] == [[1, 0], [1, 1]]


def test_a_report_of_a_known_world_says_what_was_put_into_it() -> None:
    judged = Judged.of(simulated(0), Wanted())
    figures = report(judged, np.random.default_rng(0), 200)
    assert json.loads(json.dumps(figures)) == figures
    fair = figures["out_of_fold"]
    assert figures["ranking"]["cmap"]["value"] > 0.95
    assert fair["recordings"]["recall"]["value"] > 0.6
    assert fair["recordings"]["precision"]["value"] > 0.9
    assert fair["open_set"]["recordings"] == 24
    assert 0.5 < fair["open_set"]["auroc"]["value"] < 1
    assert fair["hourly"]["negatives"]["hours"] == pytest.approx(48 * 8 / 3600, abs=1e-4)
    assert (fair["events"]["recordings"], fair["events"]["boxes"]) == (12, 12)
    assert figures["as_shipped"]["open_set"]["reported"]["value"] <= 0.05
    errors = figures["calibration_error"]["highest_claims"]
    assert errors["after"]["value"] < errors["before"]["value"]
    for when, curve in errors["curves"].items():
        distance = np.abs(np.subtract(curve["confidence"], curve["share"])) @ curve["claims"] / sum(curve["claims"])
        assert distance == pytest.approx(errors[when]["value"], abs=1e-3)
        assert sum(curve["claims"]) == errors["claims"]
        assert curve["confidence"] == sorted(curve["confidence"])
    for label, chosen in figures["thresholds"].items():
        assert 0.5 <= chosen["threshold"] <= 0.99
        assert figures["calibration"][label]["slope"] > 0
        assert chosen["held"] == 24
    rows = np.array(figures["confusion"]["reported"]).sum(axis=1)
    assert rows.tolist() == [24, 24, 24, 48, 24]


def test_equal_seeds_give_equal_reports() -> None:
    judged = Judged.of(simulated(1, 8), Wanted())
    one, again = (report(judged, np.random.default_rng(3), 50) for _ in range(2))
    assert one == again


def test_what_there_is_nothing_to_measure_on_is_null_and_the_page_says_so(tmp_path: Path) -> None:
    """One label, no negatives, no boxes, no other birds, no places."""
    recordings = [scored(TIT, [[float(index)]], session=str(index), fold=index % 2) for index in range(6)]
    judged = Judged.of(heard_of(recordings, {TIT: Taxon("Parus major", "<Tit>")}), Wanted())
    figures = report(judged, np.random.default_rng(0), 50)
    nothing = {"value": None, "low": None, "high": None}
    assert figures["second_bin_mean_average_precision"] is None
    assert figures["ranking"]["auroc"] == nothing
    fair = figures["out_of_fold"]
    assert fair["open_set"]["reported"] == fair["hourly"]["negatives"]["per_hour"] == fair["events"]["f1"] == nothing
    assert fair["events"]["onset_error_s"] is None
    assert figures["soundscapes"] == {}
    assert figures["balanced_top1"] == 1
    write_evaluation(tmp_path / "evaluation.html", judged, figures, SPEC)
    page = (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    assert "not measured" in page
    assert "No recording has boxes" in page
    assert "&lt;Tit&gt;" in page
    assert "<Tit>" not in page


def test_false_detections_and_the_worst_recordings_are_named() -> None:
    recordings = [
        *simulated(0).recordings,
        scored(TIT, [[-9, -9, -9], [8, -9, -9]], session="bad"),
        scored(None, [[9, -9, -9]], session="alarm", fold=1),
    ]
    judged = Judged.of(heard_of(recordings, THREE), Wanted(hourly=1e6))
    worst = worst_recordings(judged)[0]
    assert (worst.recording.source, judged.labels[worst.other], worst.start_s) == ("bad", OWL, 1.0)
    assert worst.margin == -17
    found = false_detections(judged)
    assert (found[0].file, found[0].name, found[0].onset_s, found[0].offset_s) == ("alarm.wav", "Little Owl", 0, 3)


# The command


def test_the_command_writes_figures_page_and_scores_and_can_do_without_networks_then(
    folder: Path, two_folds: Path
) -> None:
    words = ["evaluate", "--data", str(folder), "--out", str(two_folds)]
    result = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "balanced top-1" in result.stdout
    names = {path.name for path in two_folds.iterdir()}
    assert names == {"evaluation.html", "evaluation.json", "fold0.pt", "fold1.pt", "scores.npz"}
    figures = json.loads((two_folds / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["recordings"] == 12
    assert "2 folds" in figures["method"]
    assert figures["out_of_fold"]["open_set"]["recordings"] == 3
    assert set(figures["soundscapes"]) == {"elsewhere", "backgrounds"}
    for fold in (0, 1):
        (two_folds / f"fold{fold}.pt").unlink()
    page = (two_folds / "evaluation.html").read_text(encoding="utf-8")
    assert page.count("<img") == N_PLOTS + N_WORST
    assert all(taxon.common_name in page for taxon in THREE.values())
    result = CliRunner().invoke(cli.app, [*words, "--networks", "scores", "--precision", "0.6"], catch_exceptions=False)
    again = json.loads((two_folds / "evaluation.json").read_text(encoding="utf-8"))
    assert again["wanted"]["precision"] == 0.6
    assert (again["ranking"], again["calibration"]) == (figures["ranking"], figures["calibration"])


def test_the_network_of_everything_is_asked_where_it_is_there(folder: Path, two_folds: Path) -> None:
    checkpoint(read_manifest(folder), None).save(two_folds / "all.pt")
    words = ["evaluate", "--data", str(folder), "--out", str(two_folds)]
    result = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    told = json.loads((two_folds / "evaluation.json").read_text(encoding="utf-8"))["network_of_everything"]
    assert told["strangers"] == 3
    assert f"{told['strangers_reported']} of 3 other birds, and {told['detections']} in " in result.stdout
    CliRunner().invoke(cli.app, [*words, "--networks", "scores"], catch_exceptions=False)
    assert json.loads((two_folds / "evaluation.json").read_text(encoding="utf-8"))["network_of_everything"] == told
    (two_folds / "all.pt").unlink()
    CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert json.loads((two_folds / "evaluation.json").read_text(encoding="utf-8"))["network_of_everything"] is None
    assert not (two_folds / "whole.npz").exists()


def test_a_network_of_everything_that_is_not_there_is_said_not_to_have_been_asked() -> None:
    judged = Judged.of(simulated(0), Wanted())
    figures = report(judged, np.random.default_rng(0), 20)
    assert figures["network_of_everything"] is None
    assert summary(figures)[-1].endswith("not asked: it is not there")


def test_a_network_that_left_out_a_fold_is_not_that_of_everything(folder: Path, two_folds: Path) -> None:
    (two_folds / "fold0.pt").rename(two_folds / "all.pt")
    manifest = read_manifest(folder)
    with pytest.raises(ModelError, match="was trained on all but fold 0: the network of every fold is expected"):
        read_whole(Kind.CHECKPOINTS, two_folds, manifest, manifest.content_hash())


def test_the_real_recordings_are_given_to_the_networks_in_turn(real_recordings: Path) -> None:
    found = recordings_in(real_recordings / "other_birds", (0, 1, 2, 3))
    assert {one.fold for one in found} == {0, 1, 2, 3}
    assert len({(one.session, one.fold) for one in found}) == len({one.session for one in found}) > 10
