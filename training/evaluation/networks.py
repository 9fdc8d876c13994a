"""The network of each fold, refused where it does not fit the recordings: a wrong one would give wrong figures."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from monitor import contract as contracts
from monitor.errors import ModelError, RecordingError
from monitor.features import Floats, MelSpec
from training.checkpoint import differences, read_checkpoint
from training.corpus.manifest import Manifest
from training.evaluation.scored import Listener, Logits
from training.train import predict

LEAST_FOLDS = 2
_FAILURES = (runtime.Fail, runtime.InvalidGraph, runtime.InvalidProtobuf, runtime.NotImplemented)


class Kind(StrEnum):
    """Where the logits come from."""

    CHECKPOINTS = "checkpoints"
    """fold0.pt and so on, as they were trained"""
    INT8 = "int8"
    """fold0.onnx and so on, as the device runs them: one window at a time"""
    SCORES = "scores"
    """what the last evaluation kept"""


@dataclass(frozen=True, slots=True)
class FoldNetwork:
    """A network and what it says about itself."""

    listener: Listener
    labels: tuple[str, ...]
    data_hash: str
    method: str
    """how it was made, for people"""


def read_networks(kind: Kind, out: Path, manifest: Manifest, data_hash: str) -> dict[int, FoldNetwork]:
    """Fold -> the network that left it out, from the files in `out`.

    Raises ModelError where one is missing, or was made from other recordings, labels or folds, or has another front
    end than the first.
    """
    read, suffix = READERS[kind]
    networks: dict[int, FoldNetwork] = {}
    for fold in manifest.folds:
        path = out / f"fold{fold}{suffix}"
        networks[fold] = read(path, fold)
        _check(path, networks[fold], manifest, data_hash)
        _check_front_end(path, networks[fold].listener, networks[manifest.folds[0]].listener)
    return networks


def read_whole(kind: Kind, out: Path, manifest: Manifest, data_hash: str) -> FoldNetwork | None:
    """The network that learned from every fold; None where there is none yet. ModelError as `read_networks`."""
    read, suffix = READERS[kind]
    path = out / f"all{suffix}"
    if not path.is_file():
        return None
    network = read(path, None)
    _check(path, network, manifest, data_hash)
    return network


def check_folds(manifest: Manifest) -> None:
    """RecordingError where nothing can be measured: no recording has a label, or all lie in one fold."""
    if not manifest.labels:
        msg = f"none of the {len(manifest.recordings)} recordings has a label: there is nothing to evaluate"
        raise RecordingError(msg)
    if len(manifest.folds) < LEAST_FOLDS:
        msg = f"all recordings lie in fold {manifest.folds[0]}: an evaluation needs two folds, to learn from each other"
        raise RecordingError(msg)


def from_checkpoint(path: Path, fold: int | None) -> FoldNetwork:
    """The network that left out a fold, or none. ModelError where it is missing, damaged or another."""
    if not path.is_file():
        msg = f"no checkpoint {path}: make it with `dawnchorus-training train --fold {fold} --out {path.parent}`"
        raise ModelError(msg)
    checkpoint = read_checkpoint(path)
    _check_unheard(path, checkpoint.fold, fold)
    network, schedule = checkpoint.network(), checkpoint.schedule
    return FoldNetwork(
        Listener(lambda windows: predict(network, windows), checkpoint.spec, checkpoint.window_samples),
        checkpoint.labels,
        checkpoint.data_hash,
        f"float network, size {checkpoint.size}, {schedule.steps} steps of {schedule.batch} windows, "
        f"seed {schedule.seed}" + (f", taught by {len(checkpoint.teachers)}" if checkpoint.teachers else ""),
    )


def from_int8(path: Path, fold: int | None) -> FoldNetwork:
    """The network in a model file, as `from_checkpoint`. ModelError also where it lacks a contract."""
    if not path.is_file():
        msg = (
            f"no model {path}: make it with `dawnchorus-export model --checkpoint {path.with_suffix('.pt')} "
            f"--out {path}` from the checkpoint that left out fold {fold}"
        )
        raise ModelError(msg)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except _FAILURES as error:
        msg = f"{path} is not an ONNX file that this runtime can run: {str(error).splitlines()[0]}"
        raise ModelError(msg) from error
    text = session.get_modelmeta().custom_metadata_map.get(contracts.KEY)
    if text is None:
        msg = f"{path} carries no contract: its metadata has no key {contracts.KEY}"
        raise ModelError(msg)
    contract = contracts.parse(text)
    _check_unheard(path, contract.provenance.fold, fold)
    return FoldNetwork(
        Listener(_one_at_a_time(session), contract.mel_spec, contract.window_samples),
        tuple(label.label for label in contract.labels),
        contract.provenance.training_data_sha256,
        "INT8 network, one window at a time",
    )


Reader = Callable[[Path, int | None], FoldNetwork]
READERS: dict[Kind, tuple[Reader, str]] = {
    Kind.CHECKPOINTS: (from_checkpoint, ".pt"),
    Kind.INT8: (from_int8, ".onnx"),
}


def _one_at_a_time(session: onnxruntime.InferenceSession) -> Logits:
    name = session.get_inputs()[0].name

    def logits(windows: Sequence[Floats]) -> Floats:
        return np.concatenate([session.run(None, {name: window[None]})[0] for window in windows])

    return logits


def _check_unheard(path: Path, left_out: int | None, fold: int | None) -> None:
    if fold is None and left_out is not None:
        msg = f"{path} was trained on all but fold {left_out}: the network of every fold is expected"
        raise ModelError(msg)
    if left_out != fold:
        heard = "everything" if left_out is None else f"all but fold {left_out}"
        msg = f"{path} was trained on {heard}: it has heard fold {fold} and cannot be judged by it"
        raise ModelError(msg)


def _check(path: Path, network: FoldNetwork, manifest: Manifest, data_hash: str) -> None:
    theirs = {"labels": network.labels, "recordings": network.data_hash[:12]}
    ours = {"labels": manifest.labels, "recordings": data_hash[:12]}
    if found := differences(theirs, ours):
        msg = f"{path} was trained on other recordings: {found}; train it again"
        raise ModelError(msg)


def _check_front_end(path: Path, one: Listener, first: Listener) -> None:
    if found := differences(_front_end(one.spec, one.window_samples), _front_end(first.spec, first.window_samples)):
        msg = f"{path} has another front end than the first fold's network: {found}; train both alike"
        raise ModelError(msg)


def _front_end(spec: MelSpec, window_samples: int) -> dict[str, object]:
    return {**asdict(spec), "window_samples": window_samples}
