"""The contract into the file: what the network is, where it comes from, and a sound to check it by."""

import math
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import torch

from export.evaluation import Chosen, Evaluation
from export.runtime import logits_of
from monitor import contract as contracts
from monitor.contract import Calibration, Contract, Label, LogMel, Output, Parity, Provenance, parity_samples
from monitor.errors import ModelError
from monitor.features import log_mel
from monitor.records import Samples, Taxon
from monitor.soundscape import PHRASE_S, song, wind
from training.checkpoint import Checkpoint
from training.corpus.manifest import Manifest
from training.evaluation.calibration import confidences

LICENCE = "CC-BY-NC-SA-4.0"
PARITY_TOLERANCE = 0.02
PARITY_AMPLITUDE = PARITY_WIND = 0.1


def contract_of(name: str, checkpoint: Checkpoint, manifest: Manifest, evaluation: Evaluation) -> Contract:
    """The contract of a checkpoint's network, which nothing can be checked by yet.

    A network that was not evaluated has thresholds of a half. ModelError where the manifest is not what the network
    learned from: its contract would name sources that it never heard.
    """
    check_data(checkpoint, manifest)
    spec = checkpoint.spec
    return Contract(
        version=contracts.VERSION,
        name=name,
        input=LogMel(spec.n_fft, spec.hop, spec.n_mels, spec.fmin_hz, spec.fmax_hz, spec.floor, spec.channels),
        sample_rate=spec.sample_rate,
        window_samples=checkpoint.window_samples,
        output=Output(),
        labels=[_label(label, manifest.taxa[label], evaluation) for label in checkpoint.labels],
        provenance=Provenance(
            created=f"{datetime.now(UTC):%Y-%m-%d}",
            training_data_sha256=checkpoint.data_hash,
            metrics=evaluation.metrics,
            versions=_versions(checkpoint),
            licence=LICENCE,
            attribution=sorted({r.source for r in manifest.without(checkpoint.fold) if r.label is not None}),
            fold=checkpoint.fold,
        ),
        parity=None,
    )


def with_parity(contract: Contract, path: Path) -> Contract:
    """The same contract with a sound to check the network in `path` by."""
    parity = Parity(parity_samples(_parity_sound(contract.sample_rate)), [], PARITY_TOLERANCE)
    window = log_mel(parity.window(contract.window_samples), contract.mel_spec)
    [scores] = confidences(logits_of(path, [window]), [label.calibration for label in contract.labels])
    scored = msgspec.structs.replace(parity, scores=[float(score) for score in scores])
    return msgspec.structs.replace(contract, parity=scored)


def with_figures(contract: Contract, **figures: object) -> Contract:
    """The same contract with more figures, of five significant digits, among its metrics."""
    metrics = {**contract.provenance.metrics, **{name: _rounded(value) for name, value in figures.items()}}
    return msgspec.structs.replace(contract, provenance=msgspec.structs.replace(contract.provenance, metrics=metrics))


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return (float(f"{value:.5g}") if math.isfinite(value) else None) if isinstance(value, float) else value


def check_data(checkpoint: Checkpoint, manifest: Manifest) -> None:
    """ModelError where the manifest is not what the network learned from."""
    if strangers := [label for label in checkpoint.labels if label not in manifest.taxa]:
        msg = f"the recordings name no taxon for the network's {', '.join(strangers)}: give those that it learned from"
        raise ModelError(msg)
    if checkpoint.data_hash != (ours := manifest.content_hash()):
        msg = (
            f"the network learned from other recordings: their hash is {checkpoint.data_hash[:12]} there and "
            f"{ours[:12]} here"
        )
        raise ModelError(msg)


def _label(label: str, taxon: Taxon, evaluation: Evaluation) -> Label:
    """One output: what an evaluation says of it, or a threshold of a half and no calibration."""
    chosen = evaluation.thresholds.get(label, Chosen())
    return Label(
        label,
        taxon.scientific_name,
        taxon.common_name,
        rank="species",
        threshold=chosen.threshold,
        calibration=evaluation.calibration.get(label, Calibration()),
        precision=chosen.precision,
    )


def _versions(checkpoint: Checkpoint) -> dict[str, str]:
    """What took part in it, with what its weights began as."""
    package, _, its_version = checkpoint.pretrained.partition(" ")
    return {
        "dawnchorus": version("dawnchorus"),
        "torch": str(torch.__version__),
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        **({package: its_version} if package else {}),
    }


def write_contract(path: Path, contract: Contract) -> None:
    """Put the contract into the file's metadata."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {contracts.KEY: msgspec.json.encode(contract).decode()})
    onnx.save(model, path)


def _parity_sound(sample_rate: int) -> Samples:
    """One phrase of the synthesised song over wind: no recording may travel in a model file."""
    noise = wind(sample_rate, 1.0, np.random.default_rng(0))[: round(PHRASE_S * sample_rate)]
    return PARITY_AMPLITUDE * song(sample_rate, PHRASE_S) + np.float32(PARITY_WIND) * noise
