"""`dawnchorus-training evaluate`."""

import json

from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption, OutOption, checkpoint_path, console
from training.evaluate import report, score_recordings
from training.manifest import Manifest, read_manifest
from training.spectra import read_spectra
from training.train import SPEC, WINDOW_SAMPLES, Checkpoint, read_checkpoint


def evaluate(data: DataOption = DEFAULT_DATA, out: OutOption = DEFAULT_OUT) -> None:
    """Score every recording with the network that never heard it; write evaluation.json.

    Example: dawnchorus-training evaluate --out build/training
    """
    manifest = read_manifest(data)
    checkpoints = [(fold, read_checkpoint(checkpoint_path(out, fold))) for fold in manifest.folds]
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    scored = []
    for fold, checkpoint in checkpoints:
        scored += score_recordings(checkpoint.network(), manifest.fold(fold), spectra)
    figures = report(scored, manifest.labels)
    figures["method"] = _method(manifest, checkpoints[0][1])
    (out / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print_json(data=figures)


def _method(manifest: Manifest, checkpoint: Checkpoint) -> str:
    schedule = checkpoint.schedule
    return (
        f"pooled out of fold over {len(manifest.folds)} folds grouped by session, float network, width "
        f"{checkpoint.width:g}, {schedule.steps} steps of {schedule.batch} windows, seed {schedule.seed}; "
        "a recording's score is the highest of its 3 s windows, one a second; 95 % interval by bootstrap over sessions"
    )
