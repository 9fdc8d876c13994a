"""`dawnchorus-training evaluate`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from monitor.errors import ConfigError
from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption, OutOption, console
from training.corpus.manifest import Manifest, read_manifest
from training.corpus.recordings import Recording
from training.drawing.spectra import SPEC
from training.evaluation.hear import hear
from training.evaluation.heard import Heard, Playlist, in_turn, read_scores, recordings_in, write_scores
from training.evaluation.judged import Judged
from training.evaluation.networks import Kind, check_folds, read_networks, read_whole
from training.evaluation.page import write_evaluation
from training.evaluation.report import report
from training.evaluation.thresholds import PRECISION, Wanted

SEED = 0
"""of the bootstrap, and of what noise a call is mixed with"""

NetworksOption = Annotated[
    Kind, typer.Option(help="fold0.pt and so on, fold0.onnx and so on as the device runs them, or what was kept.")
]
PrecisionOption = Annotated[float, typer.Option(min=0.5, max=0.999, help="Precision wanted of each threshold.")]
StrangersOption = Annotated[
    Path | None, typer.Option(help="Folder of other birds, a folder a species. Default: other_birds of --data.")
]
ElsewhereOption = Annotated[
    Path | None, typer.Option(help="Folder of places where no species lives. Default: field_minutes of --data.")
]
LeastOption = Annotated[
    list[str] | None,
    typer.Option(
        "--at-least", metavar="LABEL=THRESHOLD", help="Below which a label does not ship, whatever is fitted."
    ),
]


def evaluate(
    data: DataOption = DEFAULT_DATA,
    out: OutOption = DEFAULT_OUT,
    networks: NetworksOption = Kind.CHECKPOINTS,
    precision: PrecisionOption = PRECISION,
    strangers: StrangersOption = None,
    elsewhere: ElsewhereOption = None,
    at_least: LeastOption = None,
) -> None:
    """Score every recording with the network that never heard it; write evaluation.json, evaluation.html, scores.npz.

    Where the network of everything is there, the thresholds that ship keep it, too, from what is no label (whole.npz).

    The JSON holds each figure with its interval, and the calibration and thresholds that `dawnchorus-export` writes
    into the model. The scores are kept, so that other thresholds can be tried without the networks.

    Example: dawnchorus-training evaluate --out build/training

    Example: dawnchorus-training evaluate --networks scores --precision 0.98
    """
    least = dict(map(_stated, at_least or ()))
    manifest = read_manifest(data)
    check_folds(manifest)
    playlist = Playlist(
        taxa={label: manifest.taxa[label] for label in manifest.labels},
        recordings=manifest.recordings,
        strangers=_folder(strangers, data / "other_birds", manifest.folds),
        elsewhere=_folder(elsewhere, data / "field_minutes", manifest.folds),
        backgrounds=in_turn(manifest.backgrounds, manifest.folds),
    )
    heard = _heard(manifest, playlist, out, networks)
    judged = Judged.of(heard, Wanted(precision), least, _whole(manifest, playlist.quiet, out, networks))
    figures = report(judged, np.random.default_rng(SEED))
    _write(out / "evaluation.json", figures)
    write_evaluation(out / "evaluation.html", judged, figures, SPEC)
    for line in _summary(figures):
        console.print(line)
    console.print(f"wrote {out / 'evaluation.json'}, {out / 'evaluation.html'} and {out / 'scores.npz'}")


def _folder(given: Path | None, usual: Path, folds: Sequence[int]) -> tuple[Recording, ...]:
    """Recordings of the folder that was asked for, or of the usual one if there is one."""
    if given is None:
        return recordings_in(usual, folds) if usual.is_dir() else ()
    return recordings_in(given, folds)


def _stated(text: str) -> tuple[str, float]:
    label, _, value = text.partition("=")
    try:
        threshold = float(value)
    except ValueError:
        threshold = -1.0
    if not label or not 0 <= threshold <= 1:
        msg = f"{text!r}: a label, = and a threshold from 0 to 1 expected, such as parus_major=0.8"
        raise typer.BadParameter(msg, param_hint="--at-least")
    return label, threshold


def _heard(manifest: Manifest, playlist: Playlist, out: Path, kind: Kind) -> Heard:
    data_hash = manifest.content_hash()
    if kind is Kind.SCORES:
        return read_scores(out / "scores.npz", playlist, data_hash)
    networks = read_networks(kind, out, manifest, data_hash)
    method = (
        f"pooled out of fold over {len(networks)} folds grouped by session, {networks[manifest.folds[0]].method}; "
        "a recording's score is the highest of its windows, one a second; 95 % intervals by bootstrap over sessions"
    )
    listeners = {fold: network.listener for fold, network in networks.items()}
    with Progress(console=console) as progress:
        task = progress.add_task("listening", total=sum(map(len, playlist.parts.values())))
        heard = hear(playlist, listeners, method, np.random.default_rng(SEED), lambda: progress.advance(task))
    write_scores(out / "scores.npz", heard, data_hash)
    return heard


def _whole(manifest: Manifest, quiet: Playlist, out: Path, kind: Kind) -> Heard | None:
    """What the network that learned from every fold makes of what holds no label, if there is that network."""
    data_hash, scores = manifest.content_hash(), out / "whole.npz"
    if kind is Kind.SCORES:
        return read_scores(scores, quiet, data_hash) if scores.is_file() else None
    network = read_whole(kind, out, manifest, data_hash)
    if network is None:
        scores.unlink(missing_ok=True)
        return None
    with Progress(console=console) as progress:
        task = progress.add_task("listening with the network of everything", total=sum(map(len, quiet.parts.values())))
        listeners = dict.fromkeys(manifest.folds, network.listener)
        heard = hear(quiet, listeners, network.method, np.random.default_rng(SEED), lambda: progress.advance(task))
    write_scores(scores, heard, data_hash)
    return heard


def _write(path: Path, figures: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise ConfigError(msg) from error


def _summary(figures: Mapping[str, Any]) -> list[str]:
    fair, ranked = figures["out_of_fold"], figures["ranking"]
    rows = {
        "balanced top-1": ranked["balanced_top1"],
        "cmAP": ranked["cmap"],
        "cmAP over seconds": ranked["second_bin_cmap"],
        "recall at the thresholds": fair["recordings"]["recall"],
        "precision at the thresholds": fair["recordings"]["precision"],
        "other birds reported": fair["open_set"]["reported"],
        "false detections an hour on negatives": fair["hourly"]["negatives"]["per_hour"],
        "calibration error, before": figures["calibration_error"]["highest_claims"]["before"],
        "calibration error, after": figures["calibration_error"]["highest_claims"]["after"],
    }
    told = [f"{name:38} {_said(one)}" for name, one in rows.items()]
    if (whole := figures["network_of_everything"]) is None:
        told.append(f"{'the network of everything':38} not asked: it is not there")
    else:
        birds = f"{whole['strangers_reported']} of {whole['strangers']} other birds"
        noise = f"{whole['detections']} in {whole['hours']:.2f} hours of what is no bird of ours"
        told.append(f"{'the network of everything reports':38} {birds}, and {noise}")
    return told


def _said(one: Mapping[str, float | None]) -> str:
    if one["value"] is None:
        return "not measured"
    return f"{one['value']:.3f} (95 %: {one['low']:.3f} to {one['high']:.3f})"
