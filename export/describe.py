"""The contract into the file: what the network is, where it comes from, and a sound to check it by."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import torch

from export.graph import INPUT
from monitor import contract as contracts
from monitor.contract import Calibration, Contract, Label, LogMel, Output, Parity, Provenance, parity_samples
from monitor.features import log_mel
from monitor.records import Samples, Taxon
from monitor.soundscape import PHRASE_S, song, wind
from training.checkpoint import Checkpoint
from training.corpus.manifest import Manifest
from training.evaluation.calibration import confidences

LICENCE = "CC-BY-NC-SA-4.0"
THRESHOLDS, CALIBRATION = BY_LABEL = ("thresholds", "calibration")
"""of an evaluation: what stands in the contract beside each label, not among its figures"""
PARITY_TOLERANCE = 0.02
PARITY_AMPLITUDE = PARITY_WIND = 0.1


def contract_of(
    name: str, checkpoint: Checkpoint, manifest: Manifest, metrics: Mapping[str, Any], path: Path
) -> Contract:
    """The contract of the network in `path`.

    `metrics`: what `dawnchorus-training evaluate` wrote, with `thresholds` and `calibration` by label; a network that
    was not evaluated has thresholds of a half.
    """
    spec = checkpoint.spec
    parity = parity_samples(_parity_sound(spec.sample_rate))
    draft = Contract(
        version=contracts.VERSION,
        name=name,
        input=LogMel(spec.n_fft, spec.hop, spec.n_mels, spec.fmin_hz, spec.fmax_hz, spec.floor, spec.channels),
        sample_rate=spec.sample_rate,
        window_samples=checkpoint.window_samples,
        output=Output(),
        labels=[_label(label, manifest.taxa[label], metrics) for label in checkpoint.labels],
        provenance=Provenance(
            created=f"{datetime.now(UTC):%Y-%m-%d}",
            training_data_sha256=checkpoint.data_hash,
            metrics={figure: value for figure, value in metrics.items() if figure not in BY_LABEL},
            versions=_versions(),
            licence=LICENCE,
            attribution=sorted({r.source for r in manifest.without(checkpoint.fold) if r.label is not None}),
            fold=checkpoint.fold,
        ),
        parity=Parity(parity, [0.0] * len(checkpoint.labels), PARITY_TOLERANCE),
    )
    window = log_mel(draft.parity.window(draft.window_samples), spec)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(None, {INPUT: window[None]})[0]
    [scores] = confidences(logits, [label.calibration for label in draft.labels])
    return msgspec.structs.replace(draft, parity=Parity(parity, [float(s) for s in scores], PARITY_TOLERANCE))


def _label(label: str, taxon: Taxon, metrics: Mapping[str, Any]) -> Label:
    """One output: what an evaluation says of it, or a threshold of a half and no calibration."""
    found = metrics.get(THRESHOLDS, {}).get(label, {"threshold": 0.5})
    return Label(
        label,
        taxon.scientific_name,
        taxon.common_name,
        rank="species",
        threshold=found["threshold"],
        calibration=Calibration(**metrics.get(CALIBRATION, {}).get(label, {})),
        precision=found.get("precision"),
    )


def _versions() -> dict[str, str]:
    return {
        "dawnchorus": version("dawnchorus"),
        "torch": str(torch.__version__),
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
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
