"""From a checkpoint to a float file and from that to an INT8 file, each with its contract."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export.choose import Choice, write_best_int8
from export.describe import contract_of, with_figures, with_parity, write_contract
from export.evaluation import Evaluation
from export.graph import write_float
from export.quantize import METHODS, Method
from export.windows import Judged, apart, calibration, judged
from monitor.contract import Contract
from training.checkpoint import Checkpoint
from training.corpus.manifest import Manifest
from training.drawing.spectra import read_spectra
from training.evaluation.scored import Logits

SEED = 0
"""of which windows calibrate"""


def make_float(name: str, checkpoint: Checkpoint, manifest: Manifest, evaluation: Evaluation, path: Path) -> Contract:
    """Write the float file and return its contract. ModelError where the recordings are not the network's own."""
    contract = contract_of(name, checkpoint, manifest, evaluation)
    write_float(checkpoint, path)
    contract = with_parity(contract, path)
    write_contract(path, contract)
    return contract


def make_int8(
    float_path: Path,
    path: Path,
    contract: Contract,
    manifest: Manifest,
    held_out: Judged,
    count: int,
    methods: Sequence[Method] = METHODS,
) -> Contract:
    """Quantize the float file of this contract with `count` windows, and return the contract of the INT8 file."""
    spec = contract.mel_spec
    recordings, _ = apart(manifest, contract.provenance.fold)
    spectra = read_spectra(recordings, spec, contract.window_samples)
    n_frames = spec.n_frames(contract.window_samples)
    windows = calibration(recordings, spectra, spec, n_frames, np.random.default_rng(SEED), count)
    tried = write_best_int8(float_path, path, windows, held_out, contract.labels, methods)
    contract = with_figures(with_parity(contract, path), quantization=_account(tried, len(windows)))
    write_contract(path, contract)
    return contract


def held_out_windows(contract: Contract, manifest: Manifest, logits: Logits) -> Judged:
    """Windows that never calibrate this contract's network, with what its float `logits` say."""
    _, others = apart(manifest, contract.provenance.fold)
    taxa = {label.label: label.taxon for label in contract.labels}
    return judged(others, taxa, contract.mel_spec, contract.window_samples, logits)


def _account(tried: Sequence[Choice], n_windows: int) -> dict[str, object]:
    """What a contract says of how it was quantized."""
    return {
        "calibration_windows": n_windows,
        "ranges": tried[0].method.name,
        "kept_in_float": list(tried[0].kept),
        "score_error": {choice.name: choice.found.score_error for choice in tried},
    }
