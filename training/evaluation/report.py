"""All figures of an evaluation as plain values: what `export` puts into the model's contract, and the page shows.

Every figure that calibration or thresholds have a part in is measured with those that were fitted on the other folds.
`thresholds` and `calibration` are fitted on everything, as they ship; `as_shipped` says how good they look on what
they were fitted on. `network_of_everything` says what the network that ships reports falsely at its thresholds, null
where it was not asked.
"""

from typing import Any

import msgspec
import numpy as np

from training.evaluation.boxes import events
from training.evaluation.claims import Claims
from training.evaluation.decisions import confusion, false_reports, hourly, open_set, recall_and_precision
from training.evaluation.heard import PLACES
from training.evaluation.intervals import DRAWS, Estimate
from training.evaluation.judged import Judged
from training.evaluation.ranking import ranking
from training.evaluation.reliability import errors
from training.evaluation.soundscapes import soundscape
from training.evaluation.thresholds import Threshold, account

HALF = 0.5


def report(judged: Judged, rng: np.random.Generator, draws: int = DRAWS) -> dict[str, Any]:
    """Everything, as values that JSON knows. A measured figure is {value, low, high}, null where not measured."""
    ranked = ranking(judged, rng, draws)
    found = {
        **_card(judged, ranked),
        "method": judged.heard.method,
        "thresholds": thresholds_of(judged.as_shipped()),
        "calibration": {label.label: label.calibration for label in judged.shipped},
        "wanted": msgspec.to_builtins(judged.wanted),
        "ranking": ranked,
        "out_of_fold": {"thresholds": thresholds_of(judged), **decided(judged, rng, draws)},
        "as_shipped": decided(judged.as_shipped(), rng, draws),
        "network_of_everything": false_reports(judged),
        "confusion": confusion(judged),
        "soundscapes": {name: soundscape(judged, one, rng, draws) for name, one in judged.heard.mixed.items()},
        "calibration_error": errors(judged, rng, draws),
    }
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def decided(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """The figures that depend on thresholds."""
    heard = judged.heard
    listened = {"negatives": heard.negatives, **{name: getattr(heard, name) for name in PLACES}}
    return {
        "recordings": recall_and_precision(judged, rng, draws),
        "open_set": open_set(judged, rng, draws),
        "hourly": {name: hourly(judged, scored) for name, scored in listened.items()},
        "events": events(judged, rng, draws),
    }


def thresholds_of(judged: Judged) -> dict[str, Threshold]:
    """Label -> the threshold that ships, and what the thresholds do over recordings, other birds among them."""
    claims = judged.everything
    return account(judged.shipped, judged.reported(claims), claims.truth, judged.wanted)


def _card(judged: Judged, ranked: dict[str, Any]) -> dict[str, object]:
    """The figures of a model card, by the names that they have had from the start."""
    claims = judged.claims.where(judged.birds)
    balanced: Estimate = ranked["balanced_top1"]
    windows = [one.scores for one in judged.heard.negatives]
    return {
        "balanced_top1": balanced.value,
        "balanced_top1_95": [balanced.low, balanced.high],
        "recordings": len(claims.label),
        "correct_and_all_by_label": _named_right(judged, claims),
        "recording_mean_average_precision": ranked["cmap"].value,
        "second_bin_mean_average_precision": ranked["second_bin_cmap"].value,
        "negative_windows": sum(map(len, windows)),
        "negative_windows_over_half": sum(int((scores.max(axis=1) > HALF).sum()) for scores in windows),
    }


def _named_right(judged: Judged, claims: Claims) -> dict[str, list[int]]:
    right = claims.logits.argmax(axis=1) == claims.label
    return {
        label: [int(right[claims.label == index].sum()), int((claims.label == index).sum())]
        for index, label in enumerate(judged.labels)
    }
