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
from monitor.records import Samples
from monitor.soundscape import PHRASE_S, song, wind
from training.manifest import TAXA, Manifest
from training.train import Checkpoint, sigmoid

LICENCE = "CC-BY-NC-SA-4.0"
PARITY_TOLERANCE = 0.02
PARITY_AMPLITUDE = 0.2


def contract_of(
    name: str, checkpoint: Checkpoint, manifest: Manifest, metrics: Mapping[str, Any], path: Path
) -> Contract:
    """The contract of the network in `path`. `metrics` may hold `thresholds` by label; 0.5 without."""
    spec = checkpoint.spec
    figures = dict(metrics)
    thresholds = figures.pop("thresholds", {})
    attribution = sorted({r.source for r in manifest.recordings if r.label is not None})
    parity = parity_samples(_parity_sound(spec.sample_rate))
    draft = Contract(
        version=contracts.VERSION,
        name=name,
        input=LogMel(spec.n_fft, spec.hop, spec.n_mels, spec.fmin_hz, spec.fmax_hz, spec.floor),
        sample_rate=spec.sample_rate,
        window_samples=checkpoint.window_samples,
        output=Output(),
        labels=[
            Label(label, *TAXA[label], rank="species", threshold=thresholds.get(label, 0.5), calibration=Calibration())
            for label in checkpoint.labels
        ],
        provenance=Provenance(
            created=f"{datetime.now(UTC):%Y-%m-%d}",
            training_data_sha256=checkpoint.data_hash,
            metrics=figures,
            versions={
                "dawnchorus": version("dawnchorus"),
                "torch": str(torch.__version__),
                "onnx": onnx.__version__,
                "onnxruntime": onnxruntime.__version__,
                "numpy": np.__version__,
            },
            licence=LICENCE,
            attribution=attribution,
        ),
        parity=Parity(parity, [0.0] * len(checkpoint.labels), PARITY_TOLERANCE),
    )
    window = log_mel(draft.parity.window(draft.window_samples), spec)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores = sigmoid(session.run(None, {INPUT: window[None, None]})[0][0])
    return msgspec.structs.replace(draft, parity=Parity(parity, [float(s) for s in scores], PARITY_TOLERANCE))


def write_contract(path: Path, contract: Contract) -> None:
    """Put the contract into the file's metadata."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {contracts.KEY: msgspec.json.encode(contract).decode()})
    onnx.save(model, path)


def _parity_sound(sample_rate: int) -> Samples:
    """One phrase of the synthesised song over faint wind: no recording may travel in a model file."""
    noise = wind(sample_rate, 1.0, np.random.default_rng(0))[: round(PHRASE_S * sample_rate)]
    return PARITY_AMPLITUDE * song(sample_rate, PHRASE_S) + np.float32(0.01) * noise
